"""Estimate the number of runs needed, by extrapolating a learning curve."""

from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skdatamodels._progress import progress_bar
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)
from skdatamodels._tables import (
    Table,
    format_column,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.judging._learning_curve import (
    POWERS,
    fit_curves,
    runs_for,
    square_at,
)
from skdatamodels.judging._rows_of_targets import draw_targets, for_targets
from skdatamodels.masks._varied import find_varied_pairs
from skdatamodels.metrics import (
    ScoreInterval,
    linear_datamodeling_score,
    noise_ceiling,
    optimal_mse,
)
from skdatamodels.metrics._lds import bootstrap_scores, check_finite
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._training_runs import paired_runs

# Tolerance of the default regressor. The usual 1e-4 takes eight times as long, and the
# LDS differs by less than .01, a tenth of its interval.
_TOL = 1e-2
# Seconds before a progress bar appears.
_QUIET = 5.0


@dataclass(frozen=True, eq=False)
class RunPlan:
    """A learning curve and its extrapolation to more runs.

    Attributes
    ----------
    n_runs : int array of shape (n_sizes,)
        Numbers of runs that datamodels were fitted on.
    scores : float64 array of shape (n_sizes, 3)
        Score for each number of runs and the ends of its interval, as
        :class:`~skdatamodels.plotting.LDSCurveDisplay` expects them.
    limit : ScoreInterval
        Extrapolated score for infinitely many runs.
    ceiling : float
        Best score that the randomness of training allows: the noise ceiling, or for
        metric="mse" the optimal error. NaN without `repeats`.
    wanted : float or None
        Score to reach, as passed to :func:`plan_runs`.
    n_needed : ScoreInterval or None
        Total number of runs needed to reach `wanted`, with its interval. Infinite if
        the curve does not reach `wanted`.
    n_more : float or None
        Number of runs that remain to be trained. 0 if there are enough.
    metric : str
        "lds" or "mse".
    confidence : float
        Confidence level of the intervals.
    targets : int array of shape (n_targets,)
        The targets that datamodels were fitted for, in increasing order.
    """

    n_runs: np.ndarray
    scores: np.ndarray
    limit: ScoreInterval
    ceiling: float
    wanted: float | None
    n_needed: ScoreInterval | None
    n_more: float | None
    metric: str
    confidence: float
    targets: np.ndarray
    _curves: tuple

    def predict(self, n_runs):
        """Predict the score of datamodels fitted on given numbers of runs.

        Parameters
        ----------
        n_runs : array-like of int of shape (n_sizes,)
            Numbers of runs to predict the score for.

        Returns
        -------
        scores : float64 array of shape (n_sizes, 3)
            The score and the ends of its interval.
        """
        curve, curves, measure = self._curves
        shares = square_at(np.atleast_1d(n_runs), *curve)[0]
        draws = square_at(np.atleast_1d(n_runs), *curves).T
        return measure.scores(shares, draws, self.confidence)

    def to_frame(self):
        """Return the learning curve as a pandas.DataFrame, one row a number of runs.

        Its columns are n_runs, score, low and high.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return import_pandas().DataFrame(self._columns())

    def _columns(self):
        return {
            "n_runs": self.n_runs,
            **dict(zip(("score", "low", "high"), self.scores.T, strict=True)),
        }

    def _table(self):
        metric = {"lds": "LDS", "mse": "MSE"}[self.metric]
        notes = [f"limit of infinitely many runs: {self.limit}"]
        if not np.isnan(self.ceiling):
            name = {"lds": "noise ceiling", "mse": "least error possible"}[self.metric]
            notes.append(f"{name}: {format_column([self.ceiling])[0]}")
        if self.wanted is not None:
            notes.append(f"runs needed for {self.wanted:g}: {self.n_needed}")
            notes.append(f"runs still to be trained: {self.n_more:,.0f}")
        title = (
            f"{metric} of datamodels of {len(self.targets):,} targets, with "
            f"{self.confidence:.0%} intervals"
        )
        return Table(title, self._columns(), notes=tuple(notes))

    __repr__ = table_text
    _repr_html_ = table_html


@validate_params(
    {
        "runs": [TrainingRuns],
        "wanted": [Interval(Real, 0, None, closed="neither"), None],
        "metric": [StrOptions({"lds", "mse"})],
        "regressor": [HasMethods(["fit", "predict"]), None],
        "n_targets": [Interval(Integral, 1, None, closed="left"), None],
        "sizes": ["array-like", None],
        "test_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_splits": [Interval(Integral, 1, None, closed="left")],
        "repeats": ["array-like", None],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["boolean", None],
    },
    prefer_skip_nested_validation=True,
)
def plan_runs(
    runs,
    *,
    wanted=None,
    metric="lds",
    regressor=None,
    n_targets=50,
    sizes=None,
    test_fraction=0.2,
    n_splits=3,
    repeats=None,
    confidence=0.95,
    n_bootstraps=1000,
    n_jobs=None,
    random_state=None,
    verbose=None,
):
    """Estimate how many runs are needed to reach a score.

    Datamodels are fitted on subsets of the runs of increasing size, and scored on
    held-out runs. A curve is fitted to these scores and extrapolated.

    Parameters
    ----------
    runs : TrainingRuns
        The runs trained so far. Use at least a few hundred.
    wanted : float, default=None
        Score to reach: a linear datamodeling score, or a mean squared error.
    metric : {"lds", "mse"}, default="lds"
        The score: linear datamodeling score ("lds") or mean squared error ("mse").
    regressor : estimator, default=None
        Estimator to fit on the runs. By default a
        :class:`~skdatamodels.regression.DatamodelRegressor` with ``tol=0.01``, which is
        fast and scores nearly as well as with the default tolerance. If an estimator
        has parameters with a row for each target (`prior`, `penalty_factors`,
        `exclude`, `lam`), only the rows of the targets in use are kept.
    n_targets : int or None, default=50
        Number of targets to use, drawn at random. None uses all. The score is a mean
        over targets, so a few dozen are usually enough. The intervals include the
        variation due to this draw.
    sizes : array-like of int, default=None
        Numbers of runs to fit on. By default from half to all of the runs that are not
        held out, because the law in the Notes holds only for enough runs.
    test_fraction : float in (0, 1), default=0.2
        Fraction of the runs to hold out for scoring.
    n_splits : int, default=3
        Number of random splits into fitted and held-out runs.
    repeats : array-like of shape (n_repeats, n_subsets, n_targets), default=None
        Outputs of several trainings of the same subsets. If given, the extrapolated
        score does not exceed the noise ceiling.
    confidence : float in (0, 1), default=0.95
        Confidence level of the intervals.
    n_bootstraps : int, default=1000
        Number of bootstrap draws for the intervals.
    n_jobs : int, default=None
        Number of threads, as in joblib. Each thread fits on its own subset of the runs
        and needs memory for it. The result does not depend on `n_jobs`.
    random_state : int, RandomState instance or None, default=None
        Determines the targets, splits and bootstrap draws.
    verbose : bool, default=None
        Whether to show a progress bar. None shows one after five seconds.

    Returns
    -------
    plan : RunPlan
        The learning curve and, if `wanted` is given, the number of runs needed.

    Raises
    ------
    ValueError
        Before anything is fitted: if there are too few runs, or they are pairs of
        ``SubsetTrainer(vary=...)``, `sizes` are not increasing or exceed the runs that
        are not held out, outputs are not finite, or `repeats` has another number of
        targets. After fitting: if fewer than two sizes have a
        better score than a constant, so that no curve can be fitted.

    See Also
    --------
    estimate_cost : A first estimate, before any runs are trained.

    Notes
    -----
    With m runs, the variance of the weights is proportional to 1/m, and the squared
    correlation r² of a prediction with the output follows 1/r² = a + b/m. The curve is
    fitted to the squared LDS, or to the explained fraction of the variance,
    1 - MSE/variance. The limit 1/a is that of linear datamodels. It is below the noise
    ceiling if outputs are not linear in the subset.

    The intervals cover the draws of held-out runs, targets and splits. They also cover
    powers of m from 0.8 to 1.2 instead of 1, because no regression follows the law
    exactly.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 3.2.

    Examples
    --------
    >>> from skdatamodels.judging import plan_runs
    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.influence import DifferenceOfMeans
    >>> runs, _ = make_linear_runs(2000, n_train=60, n_targets=20, noise=3.0)
    >>> plan = plan_runs(
    ...     runs[:400], wanted=0.25, regressor=DifferenceOfMeans(), random_state=0
    ... )
    >>> plan
    LDS of datamodels of 20 targets, with 95% intervals
    n_runs  score    low   high
       160  0.131  0.037  0.210
       226  0.161  0.066  0.252
       320  0.177  0.079  0.273
    limit of infinitely many runs: 0.36 [0.10, 1.00]
    runs needed for 0.25: 906 [245, inf]
    runs still to be trained: 506
    >>> bool(plan.predict([1600])[0, 0] > plan.scores[-1, 0])
    True
    """
    if find_varied_pairs(runs.packed, runs.seeds) is not None:
        raise ValueError(
            "Only a few examples vary within pairs of these runs, whose number a score "
            "does not tell. Use infer_varied(runs), whose standard errors do."
        )
    outputs = _check_outputs(runs, repeats, metric)
    rng = np.random.default_rng(entropy_from(random_state))
    n_test, pairs = max(3, round(test_fraction * len(runs))), paired_runs(runs)
    if pairs is not None:
        n_test += n_test % 2  # so that no pair is fitted and judged
    sizes = _check_sizes(sizes, len(runs) - n_test)
    measure = _METRICS[metric](outputs, repeats)
    goal = None if wanted is None else measure.check_wanted(wanted)
    if regressor is None:
        regressor = DatamodelRegressor(tol=_TOL, random_state=0)
    targets = draw_targets(outputs.shape[1], n_targets, rng.spawn(1)[0])
    splits = [
        (_shuffled(len(runs), pairs, rng), rng.integers(2**31)) for _ in range(n_splits)
    ]
    attributions = getattr(runs, "attributions", None)
    predictions = _predict_left_out(
        TrainingRuns(runs.packed, outputs[:, targets], seeds=runs.seeds),
        for_targets(regressor, targets, outputs.shape[1], attributions),
        [
            (order[n_test:][:size], order[:n_test])
            for order, _ in splits
            for size in sizes
        ],
        n_jobs,
        verbose,
    )
    judges = [(outputs[order[:n_test]][:, targets], seed) for order, seed in splits]
    points, draws = _score_splits(judges, predictions, measure, n_bootstraps)
    power = rng.uniform(*POWERS, size=len(draws))
    curve = *fit_curves(sizes, points[None], np.ones(1), measure.least), np.ones(1)
    curves = *fit_curves(sizes, draws, power, measure.least), power
    if np.isnan(curve[0][0]):
        raise ValueError(
            f"Fitted on {sizes.tolist()} runs, the regressor predicts no better than a "
            "constant, so there is no curve to extrapolate. Train more runs first."
        )
    plan = RunPlan(
        n_runs=sizes,
        scores=measure.scores(points, draws.T, confidence),
        limit=ScoreInterval(
            *measure.scores(1 / curve[0], 1 / curves[0][None], confidence)[0]
        ),
        ceiling=measure.ceiling,
        wanted=wanted,
        n_needed=None,
        n_more=None,
        metric=metric,
        confidence=confidence,
        targets=targets,
        _curves=(curve, curves, measure),
    )
    if wanted is None:
        return plan
    needed = runs_for(goal, *curve)[0]
    ends = _ends(runs_for(goal, *curves)[None], confidence)[0]
    return replace(
        plan,
        n_needed=ScoreInterval(float(np.ceil(needed)), *np.ceil(ends).tolist()),
        n_more=float(max(0, np.ceil(needed) - len(runs))),
    )


def _shuffled(n_runs, pairs, rng):
    """Return the runs in random order, those of a pair one after the other."""
    if pairs is None:
        return rng.permutation(n_runs)
    return np.argsort(rng.permutation(pairs.max() + 1)[pairs], kind="stable")


def _predict_left_out(runs, regressor, tasks, n_jobs, verbose):
    """Fit and predict the runs of each task: list of arrays (n_test, n_targets)."""

    def fit_and_predict(fitted, left_out):
        predicted = clone(regressor).fit(runs[fitted]).predict(runs[left_out])
        return predicted.reshape(len(left_out), -1)

    # With one BLAS thread, rounding does not depend on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        predictions = Parallel(n_jobs, require="sharedmem", return_as="generator")(
            delayed(fit_and_predict)(*task) for task in tasks
        )
        progress = progress_bar(
            predictions,
            desc="plan_runs",
            total=len(tasks),
            unit="fit",
            delay=0 if verbose else _QUIET,
            verbose=verbose is not False,
        )
        return list(progress)


def _score_splits(judges, predictions, measure, n_bootstraps):
    """Return explained shares (n_sizes,) and bootstrap draws (n_draws, n_sizes).

    `judges` are pairs of true outputs (n_test, n_targets) and a seed. `predictions`
    has n_sizes arrays for the first pair, then those for the second, and so on.
    """
    points, draws = [], []
    n_sizes, n_draws = len(predictions) // len(judges), -(-n_bootstraps // len(judges))
    for split, (truth, seed) in enumerate(judges):
        predicted = predictions[split * n_sizes :][:n_sizes]
        points.append([measure.share(truth, y) for y in predicted])
        draws.append([measure.draws(truth, y, n_draws, seed) for y in predicted])
    return np.mean(points, axis=0), np.concatenate(np.swapaxes(draws, 1, 2))


class _Lds:
    """LDS, expressed as a share of the variance: its square."""

    def __init__(self, outputs, repeats):
        self.ceiling = np.nan if repeats is None else noise_ceiling(repeats)
        self.least = 1.0 if repeats is None else 1 / max(self.ceiling, 1e-6) ** 2

    def check_wanted(self, wanted):
        if wanted >= 1:
            raise ValueError(f"wanted must be below 1 for an LDS, got {wanted}.")
        return wanted**2

    def share(self, y_true, y_pred):
        return max(0, linear_datamodeling_score(y_true, y_pred)) ** 2

    def draws(self, y_true, y_pred, n_bootstraps, seed):
        rng = np.random.RandomState(seed)
        return np.maximum(0, bootstrap_scores(y_true, y_pred, n_bootstraps, rng)) ** 2

    def scores(self, shares, draws, confidence):
        """Return scores with intervals, (n, 3), of shares (n,) and draws (n, k)."""
        return np.sqrt(np.column_stack([shares, _ends(draws, confidence)]))


class _Mse:
    """MSE, expressed as the share of the variance that is explained."""

    def __init__(self, outputs, repeats):
        self.variance = outputs.var(axis=0, dtype=np.float64).mean()
        self.ceiling = np.nan if repeats is None else optimal_mse(repeats)
        left = 1 if repeats is None else 1 - self.ceiling / self.variance
        self.least = 1 / max(left, 1e-6)

    def check_wanted(self, wanted):
        if wanted >= self.variance:
            raise ValueError(
                f"wanted={wanted} is not below the variance of the outputs, "
                f"{self.variance:.3g}: predicting the mean output already reaches it."
            )
        return 1 - wanted / self.variance

    def share(self, y_true, y_pred):
        error = np.mean((y_true - y_pred) ** 2, dtype=np.float64)
        return max(0, 1 - error / y_true.var(axis=0, dtype=np.float64).mean())

    def draws(self, y_true, y_pred, n_bootstraps, seed):
        rng = np.random.RandomState(seed)
        n_runs, n_targets = y_true.shape
        runs = rng.multinomial(n_runs, np.full(n_runs, 1 / n_runs), n_bootstraps)
        targets = rng.multinomial(
            n_targets, np.full(n_targets, 1 / n_targets), n_bootstraps
        )

        def mean(values):
            return ((runs @ values) * targets).sum(axis=1) / (n_runs * n_targets)

        error = mean((y_true - y_pred).astype(np.float64) ** 2)
        centred = y_true - y_true.mean(axis=0, dtype=np.float64)
        return np.maximum(0, 1 - error / mean(centred**2))

    def scores(self, shares, draws, confidence):
        """Return scores with intervals, (n, 3), of shares (n,) and draws (n, k)."""
        low, high = _ends(draws, confidence).T
        return self.variance * (1 - np.column_stack([shares, high, low]))


_METRICS = {"lds": _Lds, "mse": _Mse}


def _ends(draws, confidence):
    """Return the ends of each row's interval, (n, 2); they may be infinite."""
    tail = (1 - confidence) / 2
    known = np.where(np.isnan(draws).all(axis=1, keepdims=True), 0, draws)
    return np.nanquantile(known, [tail, 1 - tail], axis=1, method="nearest").T


def _check_outputs(runs, repeats, metric):
    outputs = np.asarray(runs.outputs)
    lds = metric == "lds"
    check_finite(outputs, "runs.outputs", ("run", "target"), allow_nan=lds)
    if repeats is not None and np.shape(repeats)[-1:] != outputs.shape[1:]:
        raise ValueError(
            f"repeats has {np.shape(repeats)[-1]} targets, but the runs have "
            f"{outputs.shape[1]}."
        )
    return outputs


def _check_sizes(given, n_rest):
    if given is None:
        sizes = (n_rest * np.array([0.5, 0.5**0.5, 1])).astype(int)
    else:
        sizes = np.asarray(given)
    whole = sizes.ndim == 1 and sizes.dtype.kind in "iu" and len(sizes) > 1
    increasing = whole and (np.diff(sizes) > 0).all()
    if not increasing or sizes[0] < 10 or sizes[-1] > n_rest:
        raise ValueError(
            "sizes must be two or more increasing numbers of runs, from 10 to the "
            f"{n_rest} runs that are not held out; got "
            + ("too few runs for the default." if given is None else f"{given}.")
        )
    return sizes
