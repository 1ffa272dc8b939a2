"""Limits that the randomness of training sets to any datamodel."""

from numbers import Integral

import numpy as np
from sklearn.utils import gen_batches

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.metrics._lds import (
    MULTIOUTPUT,
    average_targets,
    centred_ranks,
    check_finite,
)


@validate_params(
    {
        "repeats": ["array-like"],
        "n_averaged": [Interval(Integral, 1, None, closed="left")],
        "multioutput": [MULTIOUTPUT],
    },
    prefer_skip_nested_validation=True,
)
def noise_ceiling(repeats, *, n_averaged=1, multioutput="uniform_average"):
    """Estimate the linear datamodeling score of a perfect predictor.

    Training is random: the same subset gives a different output each time. The best
    predictor that depends on the subset alone is the expected output. This function
    estimates the score of that predictor. The rank correlation between two trainings
    of the same subsets is the reliability of an output; by the classical correction
    for attenuation, its square root is the correlation with the expected output.

    Parameters
    ----------
    repeats : array-like of shape (n_repeats, n_runs, n_targets)
        Outputs of ``n_repeats`` trainings of the same ``n_runs`` subsets, with
        different seeds.
    n_averaged : int, default=1
        Number of trainings of each subset whose mean output datamodels are scored
        against. The Spearman-Brown formula gives the reliability of such a mean.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        Whether to return the mean over the targets, or one ceiling per target.

    Returns
    -------
    ceiling : float, or float64 array of shape (n_targets,)
        Between 0 and 1. If the outputs of a target vary in fewer than two repeats,
        its raw value is NaN, and the mean ignores it.

    Raises
    ------
    ValueError
        If the shape is wrong, there are fewer than two repeats or three runs,
        an entry is not finite, or no target's outputs vary.

    Notes
    -----
    The formula is exact for the linear correlation of outputs with additive noise,
    and within .01 of the truth for ranks of normal outputs. Negative reliabilities,
    which occur only by chance, count as 0. With few runs, the estimate is biased
    downwards; more repeats and runs reduce the bias.

    See Also
    --------
    optimal_mse : The corresponding limit of the squared error.
    variance_components : How much of an output is noise of training.

    References
    ----------
    Spearman, "The proof and measurement of association between two things",
    American Journal of Psychology 15, 1904.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.metrics import noise_ceiling
    >>> rng = np.random.default_rng(0)
    >>> expected = rng.normal(size=(2000, 5))
    >>> repeats = expected + rng.normal(size=(4, 2000, 5))
    >>> round(noise_ceiling(repeats), 1)
    0.7
    >>> round(noise_ceiling(repeats, n_averaged=4), 1)
    0.9
    """
    repeats = check_repeats(repeats, min_runs=3)
    n_runs, n_targets = repeats.shape[1:]
    reliability = np.empty(n_targets)
    for block in gen_batches(n_targets, max(1, 2**22 // n_runs)):
        reliability[block] = _mean_pair_correlation(repeats[:, :, block])
    reliability = np.clip(reliability, 0, 1)
    stepped = n_averaged * reliability / (1 + (n_averaged - 1) * reliability)
    return average_targets(np.sqrt(stepped), multioutput)


@validate_params(
    {"repeats": ["array-like"], "multioutput": [MULTIOUTPUT]},
    prefer_skip_nested_validation=True,
)
def optimal_mse(repeats, *, multioutput="uniform_average"):
    """Estimate the mean squared error of a perfect predictor.

    This is the variance of the output of a run given its subset. It is due to the
    randomness of training, which no function of the subset can predict.

    Parameters
    ----------
    repeats : array-like of shape (n_repeats, n_runs, n_targets)
        Outputs of ``n_repeats`` trainings of the same ``n_runs`` subsets, with
        different seeds.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        Whether to return the mean over the targets, or one value per target.

    Returns
    -------
    mse : float, or float64 array of shape (n_targets,)
        Unbiased estimate of the error, in the squared unit of the outputs.

    Raises
    ------
    ValueError
        If the shape is wrong, there are fewer than two repeats, or an entry is
        not finite.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, equation 11.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.metrics import optimal_mse
    >>> rng = np.random.default_rng(0)
    >>> expected = rng.normal(size=(2000, 5))
    >>> repeats = expected + 0.5 * rng.normal(size=(4, 2000, 5))
    >>> round(optimal_mse(repeats), 2)
    0.25
    """
    repeats = check_repeats(repeats, min_runs=1)
    variance = repeats.var(axis=0, ddof=1, dtype=np.float64).mean(axis=0)
    return variance if multioutput == "raw_values" else float(variance.mean())


def check_repeats(repeats, min_runs):
    """Return repeated trainings as an array, or raise an error."""
    repeats = as_real(repeats, "repeats")
    if repeats.ndim != 3:
        raise ValueError(
            "repeats must have shape (n_repeats, n_runs, n_targets); got "
            f"{repeats.shape}."
        )
    n_repeats, n_runs = repeats.shape[:2]
    if n_repeats < 2 or n_runs < min_runs:
        raise ValueError(
            f"At least 2 repeats of {min_runs} runs are needed to measure noise; "
            f"got {n_repeats} repeats of {n_runs} runs."
        )
    check_finite(repeats, "repeats", ("repeat", "run", "target"))
    return repeats


def _mean_pair_correlation(repeats):
    """Average the Spearman correlation over the pairs of repeats, per target.

    If the columns z_a have unit length, the sum over pairs a<b of <z_a, z_b> is
    (‖sum_a z_a‖² - n) / 2, where n is the number of repeats that vary. The columns of
    the other repeats are zeros.
    """
    total = np.zeros(repeats.shape[1:])
    n_varying = np.zeros(repeats.shape[2])
    for repeat in repeats:
        ranks = centred_ranks(repeat)
        norm = np.linalg.norm(ranks, axis=0)
        total += ranks / np.where(norm > 0, norm, 1)
        n_varying += norm > 0
    pair_sum = np.einsum("ij,ij->j", total, total) - n_varying
    n_pairs = n_varying * (n_varying - 1)
    return np.divide(
        pair_sum, n_pairs, out=np.full(len(n_pairs), np.nan), where=n_pairs > 0
    )
