"""Metrics of models from their outputs, and the area between curves of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.integrate import trapezoid
from scipy.stats import t

from skdatamodels.applications._edits import mean_and_variance

_N_BLOCKS = 20  # of targets, for the jackknife


class Metric(NamedTuple):
    """A number for the outputs of a model on some targets.

    Attributes
    ----------
    name : str
        Its name.
    function : callable
        ``(outputs, y) -> float``, both of shape (n_targets,).
    higher_is_better : bool or None
        Whether higher is better. None if that is not known.
    """

    name: str
    function: Callable
    higher_is_better: bool | None


def _accuracy(outputs, y):
    return np.mean(outputs > 0)


def _balanced_accuracy(outputs, y):
    return np.mean([np.mean(outputs[y == label] > 0) for label in np.unique(y)])


def _mean_squared_error(outputs, y):
    return np.mean((outputs - y) ** 2)


def _mean_absolute_error(outputs, y):
    return np.mean(np.abs(outputs - y))


def _r2(outputs, y):
    total = np.sum((y - np.mean(y)) ** 2)
    return 1 - np.sum((y - outputs) ** 2) / total if total else np.nan


_SIGNED, _PREDICTED = ("margin", "log_odds"), ("prediction",)
_NAMED = {  # name: function, whether higher is better, outputs that it is for
    "accuracy": (_accuracy, True, _SIGNED),
    "balanced_accuracy": (_balanced_accuracy, True, _SIGNED),
    "mean_squared_error": (_mean_squared_error, False, _PREDICTED),
    "mean_absolute_error": (_mean_absolute_error, False, _PREDICTED),
    "r2": (_r2, True, _PREDICTED),
}


def metric_of(scoring, info, higher_is_better=None):
    """Return the Metric that `scoring` means for an output.

    Parameters
    ----------
    scoring : str, callable or None
        As for :func:`removal_curves`.
    info : OutputInfo
        What the outputs measure.
    higher_is_better : bool or None
        Whether higher outputs are better, if `info` does not know it.

    Raises
    ------
    ValueError, TypeError
        If there is no such metric for this output, or `higher_is_better` contradicts
        `info`.
    """
    known = info.higher_is_better
    if None not in (known, higher_is_better) and known != higher_is_better:
        raise ValueError(
            f"higher_is_better={higher_is_better} contradicts the output "
            f"{info.name!r} of the trainer, which has higher_is_better={known}. Do not "
            "pass higher_is_better."
        )
    if scoring is None:
        scoring = "mean_output"
        if info.name in _SIGNED:
            scoring = "accuracy"
        elif info.name in _PREDICTED:
            scoring = "mean_squared_error"
    if callable(scoring):
        name = getattr(scoring, "__name__", type(scoring).__name__)
        return Metric(name, scoring, True)
    if not isinstance(scoring, str):
        raise TypeError(
            "scoring must be a name, a callable (outputs, y) -> number or None; got "
            f"{scoring!r}."
        )
    if scoring == "mean_output":
        better = higher_is_better if known is None else known
        return Metric(f"mean {info.name}", lambda outputs, y: outputs.mean(), better)
    names = [name for name, (*_, of) in _NAMED.items() if info.name in of]
    if scoring not in names:
        listed = ", ".join(map(repr, [*names, "mean_output"]))
        raise ValueError(
            f"scoring={scoring!r} is not a metric of the output {info.name!r}. Use "
            f"{listed}, or a callable (outputs, y) -> number."
        )
    function, better, _ = _NAMED[scoring]
    return Metric(scoring, function, better)


def scores_of(outputs, y, metric):
    """Return the metric of each training, float64; NaN for one that failed.

    Parameters
    ----------
    outputs : float array of shape (..., n_targets)
        Outputs of trainings.
    y : array of shape (n_targets,)
        Labels or values of the targets.
    metric : Metric
        The metric.
    """
    rows = np.reshape(outputs, (-1, len(y))).astype(np.float64)
    known = {}  # many trainings may be alike, and some metrics are slow
    keys = [row.tobytes() for row in rows]
    for key, row in zip(keys, rows, strict=True):
        if key not in known:
            known[key] = np.nan if np.isnan(row).any() else _number(metric, row, y)
    return np.array([known[key] for key in keys]).reshape(np.shape(outputs)[:-1])


def _number(metric, outputs, y):
    value = metric.function(outputs, y)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"scoring must return a number for each model, but {metric.name} returned "
            f"{type(value).__name__}."
        ) from None


def areas_between(sizes, scores, random):
    """Return the mean height of curves above the random curve, over the sizes.

    Parameters
    ----------
    sizes : int array of shape (n_sizes,)
        Increasing numbers of examples.
    scores : float array of shape (n_curves, n_sizes, n_trials)
        Scores. Sizes at which a curve or the random one is NaN are left out.
    random : float array of shape (n_sizes, n_trials)
        Those of the random curve.

    Returns
    -------
    areas : float64 array of shape (n_curves, n_trials)
        Areas by the trapezoidal rule, divided by the range of the sizes. NaN if fewer
        than two sizes are left.
    """
    difference = np.moveaxis(scores - random, 1, -1)
    areas = np.full(difference.shape[:-1], np.nan)
    for place in np.ndindex(areas.shape):
        known = ~np.isnan(difference[place])
        x, heights = sizes[known], difference[place][known]
        if len(x) > 1:
            areas[place] = trapezoid(heights, x) / np.ptp(x)
    return areas


def area_intervals(sizes, outputs, y, metric, signs, rng, confidence=0.95):
    """Return how much better than random each curve is, with an interval.

    The interval has three errors, with Student's t: that of the trials; that of one
    order among many, as a random one is (see `_luck`); and that of the finite number of
    targets, by a jackknife that leaves out one block of targets at a time.

    Parameters
    ----------
    sizes : int array of shape (n_sizes,)
        Increasing numbers of examples.
    outputs : float array of shape (n_curves, n_sizes, n_trials, n_targets)
        Outputs of all trainings. The last curve is the random one.
    y : array of shape (n_targets,)
        Labels or values of the targets.
    metric : Metric
        The metric.
    signs : float array of shape (n_curves - 1,)
        1 for curves that should be above the random one, -1 for those below.
    rng : Generator
        Draws the blocks.
    confidence : float
        Confidence level.

    Returns
    -------
    area : float64 array of shape (n_curves - 1,)
        Positive if better than random.
    interval : float64 array of shape (n_curves - 1, 2)
        NaN for a single trial or target, or if the metric fails without some targets.
    """

    def by_trial(targets):
        scores = scores_of(outputs[..., targets], y[targets], metric)
        return signs[:, None] * areas_between(sizes, scores[:-1], scores[-1])

    area, of_trials = mean_and_variance(by_trial(np.arange(len(y))))
    of_order = _luck(sizes, scores_of(outputs, y, metric))
    n_trials = outputs.shape[2]
    n_blocks = min(_N_BLOCKS, len(y))
    block = rng.permutation(len(y)) % n_blocks
    of_targets = np.nan
    if n_blocks > 1:
        try:
            without = np.array(
                [
                    mean_and_variance(by_trial(np.flatnonzero(block != left_out)))[0]
                    for left_out in range(n_blocks)
                ]
            )
            of_targets = (n_blocks - 1) * np.var(without, axis=0)
        except Exception:  # the user's metric may need a target of each class
            of_targets = np.nan
    tail = (1 - confidence) / 2
    t_of_trials, t_of_targets = t.isf(tail, np.maximum(1, [n_trials - 1, n_blocks - 1]))
    half = np.sqrt(
        t_of_trials**2 * (of_trials + of_order) + t_of_targets**2 * of_targets
    )
    return area, np.column_stack([area - half, area + half])


def _luck(sizes, scores):
    """Return the variance of the area of an order that is as good as a random one.

    A random order differs from the mean of random orders. This is the variance of the
    areas of the random sets, less that of training, which the trials of a curve have.

    Parameters
    ----------
    sizes : int array of shape (n_sizes,)
        Increasing numbers of examples.
    scores : float array of shape (n_curves, n_sizes, n_trials)
        Scores. The last curve is the random one.

    Returns
    -------
    variance : float64 array of shape (n_curves - 1,)
        NaN for a single trial.
    """
    n_trials = scores.shape[-1]
    mean, _ = mean_and_variance(scores.reshape(-1, n_trials))
    deviations = scores - mean.reshape(*scores.shape[:-1], 1)
    _, variance = mean_and_variance(areas_between(sizes, deviations, 0))
    return n_trials * np.maximum(0, variance[-1] - variance[:-1])
