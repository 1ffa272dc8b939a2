"""What runs are collected for: goals, how they are measured, and what is ahead.

A goal has a `name`, a `title`, a `sign` (whether values have to be at least or at most
what is `wanted`), and these methods:

- ``check(regressor, n_targets)`` raises if it cannot be measured,
- ``measure(look)`` returns its value, and a bound of it that is false with probability
  ``look.level`` at most,
- ``ahead(look, value, bound)`` returns the number of runs that are expected to reach
  it, and the least that might.
"""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit
from sklearn.pipeline import Pipeline

from skdatamodels.judging._learning_curve import POWERS, fit_curves, square_at
from skdatamodels.regression import DatamodelRegressor

_N_CURVES = 400
_LATER = np.geomspace(1, 1000, 200)  # times the present number of runs


class Found(NamedTuple):
    """What a look has found.

    Attributes
    ----------
    n_runs : int
    values, bounds : dict of str to float
        By name of the goal.
    missing : list of str
        Names of the goals that are not reached.
    expected : float
        Number of runs that are expected to reach all goals; inf if none is, NaN if
        unknown.
    least : float
        Least number of runs that might reach them.
    """

    n_runs: int
    values: dict
    bounds: dict
    missing: list
    expected: float
    least: float

    def row(self, seconds):
        """Return the row of the history, as a dict."""
        row = {"n_runs": self.n_runs, "seconds": seconds}
        for name, value in self.values.items():
            row[name] = value
            if name != IntervalGoal.name:  # it is its own bound
                row[f"{name}_bound"] = self.bounds[name]
        return row | {"expected": self.expected}


def measure(goals, look):
    """Return what a look finds about goals."""
    values, bounds, missing = {}, {}, []
    ahead = [(len(look), len(look))]
    for goal in goals:
        value, bound = goal.measure(look)
        values[goal.name], bounds[goal.name] = value, bound
        met = bound >= goal.wanted if goal.sign == "≥" else bound <= goal.wanted
        if not met:
            missing.append(goal.name)
            unknown = not np.isfinite(bound)
            ahead.append(
                (np.nan, len(look)) if unknown else goal.ahead(look, value, bound)
            )
    expected, least = np.max(ahead, axis=0).tolist()
    return Found(len(look), values, bounds, missing, expected, least)


class LdsGoal:
    """A linear datamodeling score that is surely exceeded."""

    name = "lds"
    title = "LDS"
    sign = "≥"

    def __init__(self, wanted):
        self.wanted = _inside(wanted, self.name)
        self._points = []

    def check(self, regressor, n_targets):
        """Do nothing: each regressor predicts."""

    def measure(self, look):
        """Return the cross-validated LDS, and its lower confidence bound."""
        half = look.first_half()
        if not self._points and half:  # a curve needs two points
            self._points.append((half, *look.lds(half)[:2]))
        value, error, freedom = look.lds(len(look))
        self._points.append((len(look), value, error))
        return value, float(value + stdtrit(freedom, look.level) * error)

    def ahead(self, look, value, bound):
        """Extrapolate the scores of all looks, as `plan_runs` does.

        Curves differ as the scores may, and in their power. Runs are expected to do
        where the median is high enough, and might where 2.5 % of the curves are.
        """
        rng = look.rng
        n_runs, values, errors = np.transpose(self._points)
        draws = values + errors * rng.standard_normal((_N_CURVES, len(values)))
        power = rng.uniform(*POWERS, size=_N_CURVES)
        draws = np.nan_to_num(draws)
        a, b = fit_curves(n_runs, np.maximum(draws, 0) ** 2, power)
        if np.isnan(a).mean() > 0.5:
            return np.nan, len(look)
        later = len(look) * _LATER
        scores = np.sqrt(square_at(later, a, b, power))
        middle, high = np.nanquantile(scores, [0.5, 0.975], axis=0)
        bounds = middle - (value - bound) / np.sqrt(_LATER)
        return _first(later, bounds >= self.wanted), _first(later, high >= self.wanted)


class IntervalGoal:
    """A share of the intervals that are short enough."""

    name = "interval_width"
    title = "width of intervals"
    sign = "≤"

    def __init__(self, wanted, quantile):
        self.wanted, self.quantile = _positive(wanted, self.name), quantile

    def check(self, regressor, n_targets):
        """Raise unless weights of the regressor can be inferred."""
        _check_inferred(regressor, self.name)

    def measure(self, look):
        """Return the quantile of the widths; it is known, so it is its own bound.

        Intervals that are not known are infinitely wide. The weight of a target for
        itself, which no run shows, does not count.
        """
        inference = look.infer(look.fit())
        width = np.ptp(inference.interval(look.confidence), axis=-1)
        counts = np.ones(width.shape, bool)
        if inference.exclude is not None:
            own = np.flatnonzero(inference.exclude >= 0)
            counts[own, inference.exclude[own]] = False
        width = np.nan_to_num(width[counts], nan=np.inf)
        # no mean of two widths, one of which may be infinite
        value = float(np.quantile(width, self.quantile, method="higher"))
        return value, value

    def ahead(self, look, value, bound):
        """Extrapolate: widths fall with the root of the number of runs.

        They fall faster while the fit improves, hardly faster than as its inverse.
        """
        ratio = max(bound / self.wanted, 1)
        return len(look) * ratio**2, len(look) * ratio


class _Agreement:
    """A set of weights that other runs would choose, too."""

    sign = "≥"

    def check(self, regressor, n_targets):
        """Raise if there is one target only, so that the error is not known."""
        if n_targets < 2:
            raise ValueError(
                f"until[{self.name!r}] needs two targets or more, for its error is "
                "measured between targets."
            )

    def measure(self, look):
        """Return the agreement of halves of the runs, and its lower bound.

        The error is that of a ratio of means over targets. The bound counts one more
        weight on which halves disagree, for if few are chosen, all may agree by chance.
        """
        pairs = [
            [self._chosen(look, model, rows) for model, rows in halves]
            for halves in look.fits_of_halves
        ]
        common = np.mean([(A & B).sum(axis=1) for A, B in pairs], axis=0)
        size = np.mean([self._size(A, B) for A, B in pairs], axis=0)
        n, total = len(size), size.sum()
        if not total:
            return np.nan, np.nan
        value = common.sum() / total
        rest = ((common - value * size) ** 2).sum()
        error = np.sqrt(rest * n / (n - 1)) / total
        bound = common.sum() / (total + 1) + stdtrit(n - 1, look.level) * error
        return float(value), float(bound)

    def ahead(self, look, value, bound):
        """Extrapolate: disagreement falls with the root of the number of runs."""
        ratio = max((self._most - bound) / (self._most - self.wanted), 1)
        return len(look) * ratio**2, len(look) * ratio


class TopGoal(_Agreement):
    """The k weights of each target that are largest by absolute value."""

    name = "top_k"
    _most = 1.0

    def __init__(self, wanted, stability, n_train):
        whole = isinstance(wanted, Integral) and not isinstance(wanted, bool)
        if not whole or not 1 <= wanted < n_train:
            raise ValueError(
                f"until['top_k'] must be a number of weights, from 1 to {n_train - 1}, "
                f"got {wanted!r}."
            )
        self.k, self.wanted = int(wanted), stability
        self.title = f"agreement on the {self.k} largest"

    def check(self, regressor, n_targets):
        """Raise for a pipeline, which has no weights."""
        super().check(regressor, n_targets)
        if isinstance(regressor, Pipeline):
            raise TypeError(
                "until['top_k'] needs a regressor with coef_, and a Pipeline has none. "
                "Pass its last step."
            )

    def _chosen(self, look, model, rows):
        if not hasattr(model, "coef_"):
            raise TypeError(
                f"until['top_k'] needs a regressor with coef_, and "
                f"{type(model).__name__} has none."
            )
        coef = model.coef_
        size = abs(coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef))
        size = np.atleast_2d(size)
        largest = np.argpartition(-size, self.k - 1, axis=1)[:, : self.k]
        chosen = np.zeros(size.shape, bool)
        np.put_along_axis(chosen, largest, True, axis=1)
        return chosen & (size > 0)  # zeros are not chosen

    def _size(self, A, B):
        return np.full(len(A), float(self.k))


class SelectedGoal(_Agreement):
    """The weights that are distinguishable at a rate of false discoveries."""

    name = "selected"

    def __init__(self, wanted, stability):
        self.fdr, self.wanted = _inside(wanted, self.name), stability
        self.title = f"agreement on those selected at FDR {self.fdr:g}"
        self._most = 1 - self.fdr
        if stability >= self._most:
            raise ValueError(
                f"stability={stability} is out of reach with until['selected']="
                f"{wanted}: a share of {wanted:g} of the selected weights are false "
                "discoveries, which other runs do not share. Lower one of them."
            )

    def check(self, regressor, n_targets):
        """Raise unless weights of the regressor can be inferred."""
        super().check(regressor, n_targets)
        _check_inferred(regressor, self.name)

    def _chosen(self, look, model, rows):
        return look.infer(model, rows).select(fdr=self.fdr)

    def _size(self, A, B):
        return (A.sum(axis=1) + B.sum(axis=1)) / 2


GOALS = "interval_width", "lds", "selected", "top_k"


def make_goals(until, *, quantile, stability, n_train):
    """Return the goals of a dict, or raise ValueError."""
    unknown = sorted(set(map(str, until)) - set(GOALS))
    if unknown or not until:
        what = f"unknown goals {unknown}" if unknown else "no goal"
        raise ValueError(f"until has {what}. Goals are {', '.join(GOALS)}.")
    makers = {
        "interval_width": lambda wanted: IntervalGoal(wanted, quantile),
        "lds": LdsGoal,
        "selected": lambda wanted: SelectedGoal(wanted, stability),
        "top_k": lambda wanted: TopGoal(wanted, stability, n_train),
    }
    return [makers[name](wanted) for name, wanted in until.items()]


def _check_inferred(regressor, name):
    if not isinstance(regressor, DatamodelRegressor):
        raise TypeError(
            f"until[{name!r}] needs a DatamodelRegressor, whose weights can be "
            f"inferred, got {type(regressor).__name__}."
        )


def _inside(value, name):
    if not isinstance(value, Real) or not 0 < value < 1:
        raise ValueError(f"until[{name!r}] must be between 0 and 1, got {value!r}.")
    return float(value)


def _positive(value, name):
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not 0 < value < np.inf:
        raise ValueError(f"until[{name!r}] must be positive, got {value!r}.")
    return float(value)


def _first(n_runs, reached):
    """Return the first number of runs where something is reached, or inf."""
    return float(np.ceil(n_runs[reached.argmax()])) if reached.any() else np.inf
