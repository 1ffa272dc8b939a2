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
_BLOCK_ENTRIES = 2**22  # of a float64 working array: 32 MiB


class ScoreInterval(NamedTuple):
    """A score and the two ends of its confidence interval."""

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
    """Rank correlation of predicted and true outputs over runs.

    For each target, the Spearman correlation over the runs between what the
    datamodel predicts and what the trained models gave, then the mean over the
    targets. Tied values share their average rank.

    A target whose prediction is the same for every run scores 0: such a
    datamodel (all weights zero, say) tells no run from another. A target whose
    true outputs are all equal has no score: it is NaN among the raw values, and
    the mean leaves it out. A true output of NaN stands for a run without output,
    which is left out for that target.

    Parameters
    ----------
    y_true : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs of the trained models, on runs that the datamodel has not seen.
    y_pred : array-like of the same shape
        Outputs that the datamodel predicts for the same runs.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        The mean over the targets, or one score a target.

    Returns
    -------
    score : float, or float64 array of shape (n_targets,)
        Between -1 and 1; 1 when every target's runs are ranked rightly.

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
        scores[block] = _rank_correlation(
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
    """Linear datamodeling score with a bootstrap confidence interval.

    Runs and targets are both samples: other runs, or other targets, would have
    given another score. So each bootstrap draw resamples both, independently,
    which is known as the pigeonhole bootstrap. It errs on the wide side. The
    interval holds for this datamodel; it does not cover what another sample of
    *training* runs would have changed in the datamodel itself.

    Parameters
    ----------
    y_true : array-like of shape (n_runs, n_targets) or (n_runs,)
        Outputs of the trained models, on runs that the datamodel has not seen.
    y_pred : array-like of the same shape
        Outputs that the datamodel predicts for the same runs.
    confidence : float, default=0.95
        Coverage, between 0 and 1.
    n_bootstraps : int, default=1000
        Number of bootstrap draws.
    random_state : int, RandomState instance or None, default=None
        Source of the draws; an int gives the same interval each time.

    Returns
    -------
    interval : ScoreInterval
        Named tuple ``(score, low, high)``, the score being that of
        :func:`linear_datamodeling_score`.

    Raises
    ------
    ValueError
        As :func:`linear_datamodeling_score` does.

    Notes
    -----
    Ranks are taken once, on the whole sample; a draw weights them by how often
    it holds each run. All draws then come from a few matrix products.

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
    # A target without a score is left out of every draw, as of the score.
    scored = ~np.isnan(scores)
    y_true, y_pred = y_true[:, scored], y_pred[:, scored]
    draws = bootstrap_scores(
        y_true, y_pred, n_bootstraps, check_random_state(random_state)
    )
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return ScoreInterval(float(scores[scored].mean()), float(low), float(high))


def bootstrap_scores(y_true, y_pred, n_bootstraps, rng):
    """Scores of draws of runs and targets: array (n_bootstraps,).

    Generators of one seed give the same draws, so that predictions can be compared.
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
        correlation = _weighted_correlation(
            run_counts, *paired_ranks(y_true[:, block], y_pred[:, block]), n_drawn
        )
        counts = np.where(np.isnan(correlation), 0, target_counts[:, block])
        total += (counts * np.nan_to_num(correlation)).sum(axis=1)
        weight += counts.sum(axis=1)
    # A tiny sample may draw one run n_runs times: no target has a score then.
    return np.divide(total, weight, out=np.full(n_bootstraps, np.nan), where=weight > 0)


def average_targets(values, multioutput):
    """Mean over targets leaving NaN out, or the values themselves."""
    if np.isnan(values).all():
        raise ValueError(
            "No target has a score: the true outputs of each target are the same "
            "in every run. Check the outputs, or use more runs."
        )
    return values if multioutput == "raw_values" else float(np.nanmean(values))


def centred_ranks(y):
    """Average ranks of each column, less their mean, so constants give zeros."""
    return rankdata(y, axis=0) - (len(y) + 1) / 2


def paired_ranks(y_true, y_pred):
    """Centred ranks of both, among the runs that have a true output; else zeros."""
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
    """Raise an error that names the first entry that is NaN or infinite."""
    bad = np.isinf(y) if allow_nan else ~np.isfinite(y)
    if bad.any():
        where = tuple(int(i) for i in np.unravel_index(bad.argmax(), y.shape))
        place = ", ".join(f"{axis} {i}" for axis, i in zip(axes, where, strict=True))
        raise ValueError(
            f"{name} is {y[where]} at {place}, and in {bad.sum()} entries in all. "
            "Leave these runs or targets out."
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


def _rank_correlation(rank_true, rank_pred):
    covariance = np.einsum("ij,ij->j", rank_true, rank_pred)
    variance_true = np.einsum("ij,ij->j", rank_true, rank_true)
    variance_pred = np.einsum("ij,ij->j", rank_pred, rank_pred)
    return _correlation(covariance, variance_true, variance_pred)


def _correlation(covariance, variance_true, variance_pred):
    """NaN where the truth is constant, else 0 where the prediction is."""
    norm = np.sqrt(variance_true * variance_pred)
    correlation = np.divide(
        covariance, norm, out=np.zeros_like(covariance), where=norm > 0
    )
    correlation[variance_true == 0] = np.nan
    return correlation


def _weighted_correlation(counts, a, b, n_runs):
    """Correlation of the columns of a and b, per row of counts and column.

    `n_runs` are drawn in each row, or in each row and column, (n_rows, n_columns).
    """
    sum_a, sum_b = counts @ a, counts @ b

    def variance(x, sum_x):
        squares = counts @ (x * x)
        rest = squares - sum_x**2 / n_runs
        # Rounding leaves a crumb where the drawn values are all equal.
        return np.where(rest > 1e-12 * squares, rest, 0)

    covariance = counts @ (a * b) - sum_a * sum_b / n_runs
    return _correlation(covariance, variance(a, sum_a), variance(b, sum_b))
