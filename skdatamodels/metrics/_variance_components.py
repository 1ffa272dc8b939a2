"""How much of an output varies with the subset, and how much with the training."""

from typing import NamedTuple

import numpy as np

from skdatamodels._sklearn_compat import validate_params
from skdatamodels._tables import MOST_ROWS, Table, table_html, table_text
from skdatamodels.metrics._noise import check_repeats

_STRENGTHS = np.logspace(-3, 1, 9)  # of the ridge, relative to the noise variance
_N_FOLDS = 5


class VarianceComponents(NamedTuple):
    """Where the variance of each target's output comes from.

    Attributes
    ----------
    subset : float64 array of shape (n_targets,)
        Variance of the expected output over the subsets: what a datamodel could
        explain. In the squared unit of the output. An estimate below 0 is set to 0.
    training : float64 array of shape (n_targets,)
        Variance between trainings of the same subset: what no function of the subset
        explains.
    shared_noise : float64 array of shape (n_targets,)
        Share of the variance by training that the noise of the other targets predicts
        linearly, between 0 and 1. NaN if training has no noise, or if there are not
        enough targets or runs to tell.
    """

    subset: np.ndarray
    training: np.ndarray
    shared_noise: np.ndarray

    @property
    def training_share(self):
        """Share of the variance of one training that is noise, per target."""
        total = self.subset + self.training
        return np.divide(
            self.training, total, out=np.full(len(total), np.nan), where=total > 0
        )

    def _table(self):
        n = len(self.subset)
        columns = {
            "target": np.arange(n)[:MOST_ROWS],
            "by subset": self.subset[:MOST_ROWS],
            "by training": self.training[:MOST_ROWS],
            "share of training": self.training_share[:MOST_ROWS],
            "shared": self.shared_noise[:MOST_ROWS],
        }
        return Table("Variance of outputs", columns, n)

    __repr__ = table_text
    _repr_html_ = table_html


@validate_params({"repeats": ["array-like"]}, prefer_skip_nested_validation=True)
def variance_components(repeats):
    """Split the variance of outputs into that by subset and that by training.

    A perfect datamodel explains the variance by subset. More runs average the variance
    by training away, so it decides how many runs are needed. The noise of one training
    is partly the same for all targets: a network that is a little better than another
    is so on many of them. The mean over targets does not remove this part.

    Parameters
    ----------
    repeats : array-like of shape (n_repeats, n_runs, n_targets)
        Outputs of ``n_repeats`` trainings of the same ``n_runs`` subsets, with
        different seeds.

    Returns
    -------
    components : VarianceComponents
        Variance by subset, by training, and the share of the noise that targets share.

    Raises
    ------
    ValueError
        If the shape is wrong, there are fewer than two repeats or runs, or an entry
        is not finite.

    See Also
    --------
    noise_ceiling : The score of a perfect predictor.
    optimal_mse : The variance by training, as a limit of the squared error.

    Notes
    -----
    This is the analysis of variance with one random effect: the variance by training
    is that within subsets, and the variance by subset is that of the means of subsets
    less the noise which is left in the means. Both are unbiased, before an estimate
    below 0 is set to 0.

    The shared noise is the R² of ridge regressions of the noise of each target on that
    of all others, on subsets that were held out in turn. With few runs it is too small.
    Its time grows with the cube of the number of targets; a thousand take seconds.

    References
    ----------
    Searle, Casella, McCulloch, "Variance Components", Wiley 1992, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.metrics import variance_components
    >>> rng = np.random.default_rng(0)
    >>> expected = 2 * rng.normal(size=(500, 8))
    >>> common = rng.normal(size=(3, 500, 1))
    >>> repeats = expected + common + rng.normal(size=(3, 500, 8))
    >>> components = variance_components(repeats)
    >>> print(f"{components.subset.mean():.1f} {components.training.mean():.1f}")
    4.0 2.0
    >>> print(f"{components.shared_noise.mean():.1f}")
    0.4
    """
    repeats = check_repeats(repeats, min_runs=2).astype(np.float64)
    n_repeats = len(repeats)
    means = repeats.mean(axis=0)
    noise = repeats - means
    training = np.einsum("rnt,rnt->t", noise, noise) / (n_repeats - 1) / len(means)
    subset = means.var(axis=0, ddof=1) - training / n_repeats
    return VarianceComponents(np.maximum(subset, 0), training, _shared(noise))


def _shared(noise):
    """Return the share of the noise that the other targets' noise predicts.

    The residual of a ridge regression of column j on the others is (Z P)_j / P_jj,
    where P is the inverse of the covariance plus the strength of the ridge.
    """
    n_repeats, n_runs, n_targets = noise.shape
    share = np.full(n_targets, np.nan)
    size = np.abs(noise).max(axis=(0, 1))
    noisy = np.flatnonzero(size > 0)
    if len(noisy) < 2 or n_runs < 2 * _N_FOLDS:
        return share
    scaled = noise[:, :, noisy] / size[noisy]
    scaled /= np.sqrt((scaled**2).mean(axis=(0, 1)))
    fold = np.arange(n_runs) * _N_FOLDS // n_runs
    error = np.zeros((len(_STRENGTHS), len(noisy)))
    for held_out in range(_N_FOLDS):
        rest = scaled[:, fold != held_out].reshape(-1, len(noisy))
        tested = scaled[:, fold == held_out].reshape(-1, len(noisy))
        values, vectors = np.linalg.eigh(rest.T @ rest / len(rest))
        turned = tested @ vectors
        for i, strength in enumerate(_STRENGTHS):
            inverse = 1 / (np.maximum(values, 0) + strength)
            residual = (turned * inverse) @ vectors.T / (vectors**2 @ inverse)
            error[i] += (residual**2).sum(axis=0)
    error /= n_repeats * n_runs  # of a variance of 1
    best = error[error.mean(axis=1).argmin()]
    share[noisy] = np.clip(1 - best, 0, 1)
    return share
