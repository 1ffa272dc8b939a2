"""The linear datamodeling score (LDS) and its bootstrap interval."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.utils import check_random_state, gen_batches

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels._tables import format_column

MULTIOUTPUT = StrOptions({"uniform_average", "raw_values"})
_BLOCK_ENTRIES = 2**22  # 32 MiB of float64


class ScoreInterval(NamedTuple):
    """A score with its confidence interval.

    Attributes
    ----------
    score : float
        The score of the whole sample.
    low : float
        Lower end of the confidence interval.
    high : float
        Upper end of the confidence interval.
    """

    score: float
    low: float
    high: float

    def __str__(self):
        score, low, high = format_column(self)
        return f"{score} [{low}, {high}]"

    def __repr__(self):
        return f"ScoreInterval({self})"


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "multioutput": [MULTIOUTPUT],
    },
    prefer_skip_nested_validation=True,
)
def linear_datamodeling_score(y_true, y_pred, *, multioutput="uniform_average"):
    """Compute the rank correlation of predicted and true outputs over runs.

    The score of a target is the Spearman correlation, over the runs, between the
    predictions of the datamodel and the outputs of the trained models. By default
    the scores are averaged over the targets. Ties get their average rank.

    If the predictions for a target are the same for every run, for example because
    all weights are zero, the target scores 0. If the true outputs of a target are
    all equal, it has no score: its raw value is NaN, and the mean ignores it. A
    true output of NaN means that the run has no output for this target; the run is
    then ignored for this target.

    Parameters
    ----------
    y_true : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs of the trained models, on runs that the datamodel has not seen.
    y_pred : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs that the datamodel predicts for the same runs.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        Whether to return the mean over the targets, or one score per target.

    Returns
    -------
    score : float, or float64 array of shape (n_targets,)
        Between -1 and 1; 1 if the runs of every target are ranked correctly.

    Raises
    ------
    ValueError
        If the shapes differ, an output is infinite, a prediction is not finite, there
        are fewer than three runs, or no target's true outputs vary.

    See Also
    --------
    lds_interval : The score with a bootstrap confidence interval.
    noise_ceiling : The score that a perfect predictor would reach.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 3.2.

    Examples
    --------
    >>> from skdatamodels.metrics import linear_datamodeling_score
    >>> y_true = [[1.0, 5.0], [2.0, 6.0], [3.0, 7.0], [4.0, 8.0]]
    >>> y_pred = [[0.1, 0.0], [0.3, 0.0], [0.2, 0.0], [0.4, 0.0]]
    >>> linear_datamodeling_score(y_true, y_pred, multioutput="raw_values")
    array([0.8, 0. ])
    >>> linear_datamodeling_score(y_true, y_pred)
    0.4
    """
    y_true, y_pred = _check_pair(y_true, y_pred)
    scores = np.empty(y_true.shape[1])
    for block in _target_blocks(*y_true.shape):
        scores[block] = centred_correlation(
            *paired_ranks(y_true[:, block], y_pred[:, block])
        )
    return average_targets(scores, multioutput)


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def lds_interval(
    y_true, y_pred, *, confidence=0.95, n_bootstraps=1000, random_state=None
):
    """Compute the linear datamodeling score with a bootstrap confidence interval.

    Runs and targets are both samples: the score would differ on other runs or other
    targets. Each bootstrap draw therefore resamples both, independently. This is the
    pigeonhole bootstrap, whose intervals tend to be too wide. The interval holds for
    this datamodel. It does not include the variation of the datamodel itself, which
    another sample of *training* runs would change.

    Parameters
    ----------
    y_true : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs of the trained models, on runs that the datamodel has not seen.
    y_pred : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs that the datamodel predicts for the same runs.
    confidence : float, default=0.95
        Coverage of the interval, between 0 and 1.
    n_bootstraps : int, default=1000
        Number of bootstrap draws.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws. Pass an int for reproducible intervals.

    Returns
    -------
    interval : ScoreInterval
        Named tuple ``(score, low, high)``. The score is that of
        :func:`linear_datamodeling_score`.

    Raises
    ------
    ValueError
        As for :func:`linear_datamodeling_score`.

    Notes
    -----
    Ranks are computed once, on the whole sample. Each draw weights them by how
    often it contains each run, so that a few matrix products compute all draws.

    References
    ----------
    Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.metrics import lds_interval
    >>> rng = np.random.default_rng(0)
    >>> y_true = rng.normal(size=(200, 10))
    >>> y_pred = y_true + rng.normal(size=(200, 10))
    >>> score, low, high = lds_interval(y_true, y_pred, random_state=0)
    >>> bool(low < score < high)
    True
    """
    scores = linear_datamodeling_score(y_true, y_pred, multioutput="raw_values")
    y_true, y_pred = _check_pair(y_true, y_pred)
    # Targets without a score are ignored, as in the score.
    scored = ~np.isnan(scores)
    y_true, y_pred = y_true[:, scored], y_pred[:, scored]
    draws = bootstrap_scores(
        y_true, y_pred, n_bootstraps, check_random_state(random_state)
    )
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return ScoreInterval(float(scores[scored].mean()), float(low), float(high))


def bootstrap_scores(y_true, y_pred, n_bootstraps, rng):
    """Score bootstrap draws of runs and targets; return an array (n_bootstraps,).

    Equal seeds give equal draws, so that predictions can be compared in pairs.
    """
    n_runs, n_targets = y_true.shape
    run_counts = rng.multinomial(n_runs, np.full(n_runs, 1 / n_runs), n_bootstraps)
    run_counts = run_counts.astype(np.float64)
    target_counts = rng.multinomial(
        n_targets, np.full(n_targets, 1 / n_targets), n_bootstraps
    )
    total, weight = np.zeros(n_bootstraps), np.zeros(n_bootstraps)
    for block in _target_blocks(max(n_runs, n_bootstraps), n_targets):
        known = ~np.isnan(y_true[:, block])
        n_drawn = n_runs if known.all() else np.maximum(1, run_counts @ known)
        correlation = weighted_correlation(
            run_counts, *paired_ranks(y_true[:, block], y_pred[:, block]), n_drawn
        )
        counts = np.where(np.isnan(correlation), 0, target_counts[:, block])
        total += (counts * np.nan_to_num(correlation)).sum(axis=1)
        weight += counts.sum(axis=1)
    # In a tiny sample, all runs of a draw may be the same: no target has a score then.
    return np.divide(total, weight, out=np.full(n_bootstraps, np.nan), where=weight > 0)


def average_targets(values, multioutput):
    """Average over targets, ignoring NaN, or return the values themselves."""
    if np.isnan(values).all():
        raise ValueError(
            "No target has a score: the true outputs of each target are the same in "
            "every run. Check the outputs, or use more runs."
        )
    return values if multioutput == "raw_values" else float(np.nanmean(values))


def centred_ranks(y):
    """Rank each column and subtract the mean rank, so that constants give zeros."""
    return rankdata(y, axis=0) - (len(y) + 1) / 2


def paired_ranks(y_true, y_pred):
    """Rank both among the runs with a true output; the other runs get zeros."""
    known = ~np.isnan(y_true)
    if known.all():
        return centred_ranks(y_true), centred_ranks(y_pred)
    ranks = np.zeros((2, *known.shape))
    for column in range(known.shape[1]):
        rows = known[:, column]
        for part, y in zip(ranks, (y_true, y_pred), strict=True):
            part[rows, column] = centred_ranks(y[rows, column])
    return ranks


def check_finite(y, name, axes, allow_nan=False):
    """Raise if an entry is NaN or infinite; the error names the first one."""
    bad = np.isinf(y) if allow_nan else ~np.isfinite(y)
    if bad.any():
        where = tuple(int(i) for i in np.unravel_index(bad.argmax(), y.shape))
        place = ", ".join(f"{axis} {i}" for axis, i in zip(axes, where, strict=True))
        raise ValueError(
            f"{name} is {y[where]} at {place}, the first of {bad.sum()} such entries. "
            "Remove these runs or targets."
        )


def _check_pair(y_true, y_pred):
    y_true, y_pred = as_real(y_true, "y_true"), as_real(y_pred, "y_pred")
    if y_true.ndim == 1 and y_pred.ndim <= 2:
        y_true = y_true[:, None]
    if y_pred.ndim == 1:
        y_pred = y_pred[:, None]
    if y_true.ndim != 2 or y_true.shape != y_pred.shape:
        raise ValueError(
            "y_true and y_pred must both have shape (n_runs, n_targets), or "
            f"(n_runs,); got {y_true.shape} and {y_pred.shape}."
        )
    if len(y_true) < 3:
        raise ValueError(
            f"A rank correlation needs at least three runs; got {len(y_true)}."
        )
    check_finite(y_true, "y_true", ("run", "target"), allow_nan=True)
    check_finite(y_pred, "y_pred", ("run", "target"))
    return y_true, y_pred


def _target_blocks(n_rows, n_targets):
    return gen_batches(n_targets, max(1, _BLOCK_ENTRIES // n_rows))


def centred_correlation(true, predicted):
    """Correlate columns of mean 0; NaN if the truth is constant, 0 if the rest is."""
    covariance = np.einsum("ij,ij->j", true, predicted)
    variance_true = np.einsum("ij,ij->j", true, true)
    variance_pred = np.einsum("ij,ij->j", predicted, predicted)
    return _correlation(covariance, variance_true, variance_pred)


def _correlation(covariance, variance_true, variance_pred):
    """Divide covariances; NaN if the truth is constant, 0 if the prediction is."""
    norm = np.sqrt(variance_true * variance_pred)
    correlation = np.divide(
        covariance, norm, out=np.zeros_like(covariance), where=norm > 0
    )
    correlation[variance_true == 0] = np.nan
    return correlation


def weighted_correlation(counts, a, b, n_runs):
    """Correlate the columns of a and b, weighted by each row of counts.

    `n_runs` is the number of drawn runs: an int, or an array (n_rows, n_columns).
    """
    sum_a, sum_b = counts @ a, counts @ b

    def variance(x, sum_x):
        squares = counts @ (x * x)
        rest = squares - sum_x**2 / n_runs
        # Rounding errors are set to 0 where all drawn values are equal.
        return np.where(rest > 1e-12 * squares, rest, 0)

    covariance = counts @ (a * b) - sum_a * sum_b / n_runs
    return _correlation(covariance, variance(a, sum_a), variance(b, sum_b))
