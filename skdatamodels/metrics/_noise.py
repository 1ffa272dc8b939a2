"""What the randomness of training leaves to predict."""

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
    """Linear datamodeling score that a perfect predictor would reach.

    Training is random: the same subset gives another output each time. No
    function of the subset can rank the runs better than their expected outputs
    do. How well would those do? The rank correlation between two trainings of
    the same subsets is the reliability of an output; its square root is the
    correlation with the expectation, by the classical correction for
    attenuation.

    Parameters
    ----------
    repeats : array-like of shape (n_repeats, n_runs, n_targets)
        Outputs of ``n_repeats`` trainings, by different seeds, of the same
        ``n_runs`` subsets.
    n_averaged : int, default=1
        The truth that datamodels are scored against is the mean of so many
        trainings of each subset. The reliability is stepped up by the
        Spearman-Brown formula.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one ceiling a target.

    Returns
    -------
    ceiling : float, or float64 array of shape (n_targets,)
        Between 0 and 1. NaN among the raw values, and left out of the mean, for
        a target whose outputs vary in fewer than two repeats.

    Raises
    ------
    ValueError
        If the shape is wrong, there are fewer than two repeats or three runs,
        an entry is not finite, or no target's outputs vary.

    Notes
    -----
    It is an estimate, exact for the linear correlation of outputs with additive
    noise and within .01 of the truth for ranks of normal outputs. Negative
    reliabilities, which only chance makes, count as 0. With few runs the square
    root of a noisy reliability is biased down; more repeats and runs help.

    See Also
    --------
    optimal_mse : The same for the squared error.

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
    repeats = _check_repeats(repeats, min_runs=3)
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
    """Mean squared error that a perfect predictor would still make.

    The variance of a run's output given its subset: what the randomness of
    training adds, and no function of the subset can foresee.

    Parameters
    ----------
    repeats : array-like of shape (n_repeats, n_runs, n_targets)
        Outputs of ``n_repeats`` trainings, by different seeds, of the same
        ``n_runs`` subsets.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one value a target.

    Returns
    -------
    mse : float, or float64 array of shape (n_targets,)
        Unbiased estimate, in the squared unit of the outputs.

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
    repeats = _check_repeats(repeats, min_runs=1)
    variance = repeats.var(axis=0, ddof=1, dtype=np.float64).mean(axis=0)
    return variance if multioutput == "raw_values" else float(variance.mean())


def _check_repeats(repeats, min_runs):
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
    """Mean Spearman correlation over the pairs of repeats, per target.

    With columns of unit length, sum over pairs a<b of <z_a, z_b> is
    (‖sum_a z_a‖² - n) / 2 for the n repeats that vary; the others are zeros.
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
