"""Train runs until they are enough."""

import time
from inspect import signature
from itertools import count
from math import ceil
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import HasMethods, Interval, validate_params
from skdatamodels.judging._collect_report import Report
from skdatamodels.judging._collected_runs import CollectedRuns
from skdatamodels.judging._growing_runs import GrowingRuns
from skdatamodels.judging._look import Looking
from skdatamodels.judging._run_goals import make_goals, measure
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.training import ComponentAblation, SubsetTrainer

_TOL = 1e-2  # of the default regressor, as in `plan_runs`


@validate_params(
    {
        "trainer": [SubsetTrainer, ComponentAblation],
        "until": [dict],
        "max_runs": [Interval(Integral, 1, None, closed="left"), None],
        "max_seconds": [Interval(Real, 0, None, closed="neither"), None],
        "regressor": [HasMethods(["fit", "predict", "get_params"]), None],
        "first": [Interval(Integral, 30, None, closed="left")],
        "growth": [Interval(Real, 1, None, closed="neither")],
        "n_targets": [Interval(Integral, 1, None, closed="left"), None],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "stability": [Interval(Real, 0, 1, closed="neither")],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "give_up": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def collect_runs(
    trainer,
    until,
    *,
    max_runs=None,
    max_seconds=None,
    regressor=None,
    first=100,
    growth=1.5,
    n_targets=50,
    quantile=0.5,
    stability=0.8,
    confidence=0.95,
    give_up=True,
    random_state=None,
    verbose=1,
):
    """Train runs until they are enough, or a budget is spent.

    After 100 runs, and then at each 1.5 times as many, it is measured whether all goals
    are reached. Looking several times does not flatter: the probability that one of the
    bounds is false is shared out over all looks.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        What to train. It is fitted by the call, which fixes its seed: its further runs
        are fresh. With a store, runs that are there are read, and looks begin at the
        last one that they suffice for. So a call that was interrupted, or whose goals
        were too low, goes on where it stopped. Without a store, runs of a call that is
        interrupted are lost.
    until : dict of str to float
        Goals, all of which have to be reached:

        - ``"lds"``: the lower confidence bound of the linear datamodeling score, mean
          over the targets, of datamodels of four fifths of the runs.
        - ``"interval_width"``: length, in units of the output, that half of the
          intervals of weights of :func:`~skdatamodels.inference.infer_weights` do not
          exceed (or another share of them, `quantile`).
        - ``"top_k"``: number k of the weights of each target that are largest by
          absolute value. The share of them that two disjoint halves of the runs have in
          common, mean over the targets, has to be at least `stability`, by its lower
          confidence bound. Weights of 0 do not count.
        - ``"selected"``: rate of false discoveries of
          :meth:`~skdatamodels.inference.WeightInference.select`. Likewise for the
          weights that are selected: twice the number that both halves select, by the
          sum of what each selects.
    max_runs : int, default=None
        Largest number of runs, including stored ones.
    max_seconds : float, default=None
        Time after which no more runs are trained. Runs that are being trained are
        finished, and looked at. One of `max_runs` and `max_seconds` is needed.
    regressor : estimator, default=None
        Estimator of the weights; a prior is one of its parameters. By default a
        :class:`~skdatamodels.regression.DatamodelRegressor` with ``tol=0.01``. For
        "interval_width" and "selected" it has to be a DatamodelRegressor.
    first : int, default=100
        Number of runs at the first look, at least 30.
    growth : float, default=1.5
        Each look has this many times the runs of the one before.
    n_targets : int or None, default=50
        Number of targets that goals are judged on, drawn at random. None takes all. The
        bounds of means over targets include this draw.
    quantile : float in (0, 1), default=0.5
        Share of the intervals that have to be short enough.
    stability : float in (0, 1), default=0.8
        Agreement that "top_k" and "selected" need.
    confidence : float in (0, 1), default=0.95
        Probability that no bound of a goal is false at any look, and confidence of the
        intervals of "interval_width".
    give_up : bool, default=True
        Whether to stop if at two looks in a row even an optimistic extrapolation does
        not reach the goals within the budget.
    random_state : int, RandomState instance or None, default=None
        Determines the drawn targets and the splits. (The subsets and the training
        depend on that of the trainer.)
    verbose : int, default=1
        If not 0, print to stderr what is ahead, before the start and after each look.

    Returns
    -------
    collected : CollectedRuns
        The runs, whether they are enough, and the history.

    Raises
    ------
    TypeError
        If the regressor does not suit the goals, is a class, or cannot be fitted on
        runs without y.
    ValueError
        Before anything is trained: if a goal is unknown or impossible, there is no
        budget, or it allows no look, or the trainer has `vary`.
    RuntimeError
        As :class:`~skdatamodels.training.SubsetTrainer`, if runs failed.

    See Also
    --------
    estimate_cost : A first estimate, before any runs are trained.
    plan_runs : Extrapolate the learning curve of runs that were trained.

    Notes
    -----
    At look k = 0, 1, …, bounds are one-sided with error (1 - confidence) / ((k + 1)(k +
    2)). These errors sum to 1 - confidence. So with that probability at most, a goal of
    "lds", "top_k" or "selected" counts as reached too soon at any look, whatever the
    number of looks. This holds for each goal; needing all of them only makes it rarer.

    The LDS is cross-validated in five folds. The variance of its mean is that of the
    jackknife over runs, plus a quarter of that between folds, whose fits differ (Nadeau
    and Bengio 2003). This is an approximation, which is best with many targets. The
    datamodels of all runs are usually better than those of four fifths. The halves of
    the runs agree less than two sets of all runs would. The error of their agreement is
    that of a mean over independent targets, which were drawn from many. So with few
    targets, the bound is far below the agreement.

    "interval_width" has no bound. A weight without an interval counts as infinitely
    wide, except that of a target for itself. Widths depend on the noise, not on the
    estimates, so intervals keep their coverage after stopping if there are many runs
    (Chow and Robbins 1965).

    Blocks of a design (pairs of "complementary", blocks of "orthogonal" and "balanced",
    and one run of each fraction if there are several) are complete at each look, and
    are not divided between folds or halves.

    If a prior is "cheap", the models that the trainer keeps have been seen by it, and
    their runs are not scored.

    The numbers of runs that lie ahead come from the curve that :func:`plan_runs` fits,
    through the scores of all looks; lengths and disagreement are taken to fall with the
    root of the number of runs. The optimistic extrapolation is the 97.5 % quantile of
    the curves that scores and power allow, or a fall with the number of runs itself.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52,
    2003.

    Chow and Robbins, "On the asymptotic theory of fixed-width sequential confidence
    intervals for the mean", Annals of Mathematical Statistics 36, 1965.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.judging import collect_runs
    >>> effects = np.random.default_rng(0).normal(size=(10, 40))
    >>> def learner(subset, seed):
    ...     noise = np.random.default_rng(seed).normal(size=10)
    ...     return effects[:, subset].sum(axis=1) + 3 * noise
    >>> train = Examples(np.zeros((40, 1)), np.zeros(40))
    >>> trainer = SubsetTrainer(learner, train, train[:10], random_state=0)
    >>> collected = collect_runs(
    ...     trainer, {"lds": 0.5}, max_runs=1000, random_state=0, verbose=0
    ... )
    >>> collected.runs
    TrainingRuns(n_runs=338, n_train=40, n_targets=10)
    >>> collected.reason
    'All goals are reached with 338 runs.'
    >>> collected.history["lds_bound"].round(2)
    array([0.24, 0.26, 0.41, 0.54])
    """
    start = time.perf_counter()
    if trainer.vary is not None:
        raise ValueError(
            "The trainer has vary, so that its runs tell about a few examples only. "
            "Train them with trainer.fit_transform and use infer_varied, or set "
            "vary=None."
        )
    n_train = trainer.draw_subsets(1, 0).shape[1]
    goals = make_goals(until, quantile=quantile, stability=stability, n_train=n_train)
    if regressor is None:
        regressor = DatamodelRegressor(tol=_TOL, random_state=0)
    _check_regressor(regressor)
    looking = Looking(
        trainer,
        regressor,
        n_targets=n_targets,
        confidence=confidence,
        entropy=entropy_from(random_state),
    )
    for goal in goals:
        goal.check(regressor, len(looking.targets))
    unit = looking.unit
    first = unit * ceil(max(first, looking.fewest) / unit)
    most = _check_budget(max_runs, max_seconds, first, unit)
    report = Report(goals, max_runs, max_seconds, verbose)
    report.before(trainer, first, growth)
    trainer.fit([0])
    stop_at = np.inf if max_seconds is None else start + max_seconds
    growing = GrowingRuns(trainer, unit, stop_at)
    looks = _looks(first, growth, unit, most, growing.n_stored)
    history, found, reason = _look_until_enough(
        goals, looks, growing, looking, report, start, most, give_up
    )
    runs, names = growing.runs, history[0] if history else {}
    return CollectedRuns(
        runs=runs,
        reached=bool(history) and not found.missing,
        reason=reason or report.spent(found, len(runs), most),
        history={name: np.array([row[name] for row in history]) for name in names},
        model=clone(regressor).fit(runs) if history else None,
        seconds_per_run=growing.seconds_per_run,
        targets=looking.targets,
    )


def _look_until_enough(goals, looks, growing, looking, report, start, most, give_up):
    """Return the history, what the last look has found, and why to stop, if known."""
    history, found, n_doubts = [], None, 0
    for k, n_runs in looks:
        n_before = len(growing)
        if not n_before and not growing.n_stored:
            for n_first in (growing.first_portion, 2 * growing.first_portion):
                growing.grow_to(min(n_runs, n_first))  # the first ones are slower
            report.pace(growing, n_runs)
        growing.grow_to(n_runs)
        if len(growing) == n_before or len(growing) < looking.fewest:
            break  # time is up
        found = measure(goals, looking.at(growing.runs, k))
        history.append(found.row(time.perf_counter() - start))
        report.look(found, growing)
        if not found.missing:
            return history, found, f"All goals are reached with {found.n_runs:,} runs."
        affordable = min(most, growing.n_affordable())
        n_doubts = n_doubts + 1 if found.least > affordable else 0
        if give_up and n_doubts == 2 and len(growing) < most:
            return history, found, report.hopeless(found, affordable)
    return history, found, None


def _check_regressor(regressor):
    """Raise unless it can be fitted on runs alone, which contain the outputs."""
    if isinstance(regressor, type):
        raise TypeError(
            f"regressor must be an estimator, got the class {regressor.__name__}. Pass "
            f"{regressor.__name__}()."
        )
    last = regressor
    while isinstance(last, Pipeline):
        last = last[-1]
    try:
        signature(last.fit).bind(None)
    except TypeError:
        raise TypeError(
            "regressor must be one that is fitted on TrainingRuns without y, such as "
            f"DatamodelRegressor; {type(last).__name__}.fit needs more arguments."
        ) from None


def _check_budget(max_runs, max_seconds, first, unit):
    """Return the largest number of runs, in whole blocks; raise without a budget."""
    if max_runs is None and max_seconds is None:
        raise ValueError(
            "Goals may be out of reach, so a budget is needed: pass max_runs, "
            "max_seconds, or both."
        )
    if max_runs is None:
        return np.inf
    most = max_runs - max_runs % unit
    if most < first:
        raise ValueError(
            f"max_runs={max_runs} allows no look: the first is at {first} runs"
            + (f", in blocks of {unit}." if unit > 1 else ".")
            + " Raise max_runs, or lower first."
        )
    return most


def _looks(first, growth, unit, most, n_stored):
    """Yield the number and the size of looks, from the last one that is stored on."""
    size = first
    for k in count():
        later = max(size + unit, unit * ceil(size * growth / unit))
        last = size >= most
        if last or later > n_stored:
            yield k, min(size, most)
        if last:
            return
        size = later
