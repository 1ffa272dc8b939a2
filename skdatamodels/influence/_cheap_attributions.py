"""Attributions of a learner that cost less than its runs."""

import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from time import perf_counter

import numpy as np
from joblib import Parallel, delayed

from skdatamodels._examples import Examples
from skdatamodels._progress import progress_bar
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels._tables import Table, shorten, table_html, table_text
from skdatamodels.influence._cheap_members import cheap_members, surrogates
from skdatamodels.influence._checks import check_same_examples
from skdatamodels.influence._learner_models import LearnerModels
from skdatamodels.influence._over_subsets import Mean

__all__ = ["CheapAttributions", "cheap_attributions"]

_TRAININGS = 50  # that the default budget pays for
_LEAST_SECONDS = 20.0  # of the default budget
_SAME = 1e-6  # relative difference of two matrices that are the same up to scale
_REASON = 150  # characters of the reason why a member is left out


class CheapAttributions(Mapping):
    """Attribution matrices by name, with their cost: a read-only mapping.

    Parameters
    ----------
    matrices : mapping of str to array of shape (n_targets, n_train)
        The attribution matrices.
    seconds : mapping of str to float
        Time that each one took.
    failed : mapping of str to str, default=None
        Names of those that were left out, and why.
    notes : sequence of str, default=()
        What is worth knowing about all of them.

    Attributes
    ----------
    seconds : dict of str to float
        Time that each one took, in seconds, without the training of the models.
    failed : dict of str to str
        Names of those that were left out, and why.
    notes : tuple of str
        What is worth knowing about all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.influence import CheapAttributions
    >>> CheapAttributions({"ones": np.ones((1, 2))}, {"ones": 0.25})
    CheapAttributions of 1 targets and 2 training examples
    name  seconds
    ones    0.250
    """

    def __init__(self, matrices, seconds, failed=None, notes=()):
        self._matrices = dict(matrices)
        self.seconds, self.failed = dict(seconds), dict(failed or {})
        self.notes = tuple(notes)

    def __getitem__(self, name):
        return self._matrices[name]

    def __iter__(self):
        return iter(self._matrices)

    def __len__(self):
        return len(self._matrices)

    def _table(self):
        n_targets, n_train = next(iter(self.values())).shape
        seconds = [self.seconds[name] for name in self]
        left_out = [f"Left out: {name}: {why}" for name, why in self.failed.items()]
        return Table(
            f"CheapAttributions of {n_targets} targets and {n_train} training examples",
            {"name": list(self), "seconds": seconds},
            notes=(*self.notes, *left_out),
        )

    __repr__ = table_text
    _repr_html_ = table_html


@validate_params(
    {
        "train": [Examples],
        "targets": [Examples],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "models": ["array-like", None],
        "budget": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "fit_params": [dict, None],
    },
    prefer_skip_nested_validation=True,
)
def cheap_attributions(
    estimator,
    train,
    targets,
    *,
    output=None,
    alpha=0.5,
    models=None,
    budget=None,
    random_state=None,
    n_jobs=None,
    verbose=0,
    fit_params=None,
):
    """Compute every attribution that suits a learner and costs less than its runs.

    Pass the result as the `prior` of a
    :class:`~skdatamodels.regression.DatamodelRegressor`, which finds out from a hundred
    runs how much each one is worth.

    Parameters
    ----------
    estimator : classifier, regressor, TorchLearner, ImageLearner or callable
        What the runs train, as for :class:`~skdatamodels.training.SubsetTrainer`.
    train, targets : Examples
        The training set and the targets.
    output : str, callable or OutputInfo, default=None
        Output to measure; see :data:`skdatamodels.outputs.OUTPUTS`. None means "margin"
        for classifiers and "prediction" for regressors, which also stand for outputs
        whose derivative is not known.
    alpha : float in (0, 1), default=0.5
        Fraction of the training set in the subsets of the runs.
    models : sequence of KeptModel, default=None
        Models that runs have trained, such as
        :attr:`skdatamodels.runs.TrainingRuns.models`. By default, 16 models are
        trained, or fewer if they would take more than half of the budget.
    budget : float, default=None
        Limit for the total time, in seconds: what would take longer is left out, or
        averaged over fewer models, so that the result depends on the speed of the
        machine. By default, an attribution is left out, or averaged over fewer models,
        if it would by its number of operations take longer than 50 trainings, and
        longer than 20 seconds. All together may take a few times as long. The clock
        then matters only for attributions that are near this limit.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the subsets, of training and of surrogate models.
    n_jobs : int, default=None
        Number of workers, as in joblib.
    verbose : int, default=0
        If not 0, print the cost before the start, and show a progress bar.
    fit_params : dict of str to object, default=None
        More arguments of the estimator's ``fit``, as for
        :class:`~skdatamodels.training.SubsetTrainer`.

    Returns
    -------
    attributions : CheapAttributions
        Mapping of names to float32 arrays of shape (n_targets, n_train). Positive if
        the presence of the example raises the output. It prints as a table of the
        costs, with the reasons why others were left out.

    Raises
    ------
    TypeError
        If the estimator cannot be trained or measured.
    ValueError
        If all attributions fail. The message has the reasons.

    See Also
    --------
    over_subsets : Averages one influence function over models of subsets.

    Notes
    -----
    - Logistic and ridge regression: their own influence.
    - Trees: :func:`forest_influence` or :func:`boosting_influence`, averaged over
      models of subsets.
    - `MLPClassifier` and `MLPRegressor`: :func:`mlp_influence` through all layers and
      the last, averaged over models of subsets.
    - Networks of torch: :func:`trak`, :func:`last_layer_influence` and
      :func:`influence_functions`, averaged over models of subsets.

    All but the first also get surrogates, that is, the influence in other models of the
    same data: logistic or ridge regression with several penalties, on inputs that are
    standardised and then divided by the mean length of a row, the same on an
    approximate Gaussian kernel, a random forest, nearest neighbours, and the indicator
    of the same class. Other learners get nothing else. A data frame is encoded for
    them: categories one-hot, missing values by the median. If the learner is a
    pipeline, they see the table that reaches its last step.

    An attribution that fails, is not finite, is zero or equals another one up to its
    scale is left out. So is one that cannot use the weights of `train`: those of linear
    models and of boosting can.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import cheap_attributions
    >>> X, y = load_wine(return_X_y=True)
    >>> train, targets = Examples(X[::2], y[::2]), Examples(X[1::2], y[1::2])
    >>> found = cheap_attributions(GaussianNB(), train, targets, random_state=0)
    >>> found["knn_shapley"].shape
    (89, 89)
    """
    check_same_examples(train, targets, weighted=True)
    start = perf_counter()
    learner = LearnerModels(
        estimator,
        train,
        targets,
        output,
        alpha,
        entropy_from(random_state),
        n_jobs,
        fit_params,
    )
    if models is not None and len(models):
        learner.models = list(models)
    clock = _Clock(learner, start, budget)
    learner.train_models(until=np.inf if budget is None else start + budget / 2)
    members = cheap_members(learner)
    if budget is None:
        members = [_shortened(member, clock) for member in members]
    if verbose:
        print(_announcement(members, learner, start, budget))
    found, seconds, failed = {}, {}, {}
    results = found, seconds, failed
    _compute_all(members, clock, n_jobs, verbose, *results)
    if not found and learner.family in ("logistic", "ridge"):
        others = surrogates(learner)
        _compute_all(others, clock, n_jobs, verbose, *results)
        members = members + others
    if not found:
        reasons = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise ValueError(f"No attribution could be computed. {reasons}")
    best = members[0].name
    if learner.family != "other" and best in failed and "it takes" not in failed[best]:
        warnings.warn(
            f"{best}, the attribution that suits {type(estimator).__name__}, was left "
            f"out: {failed[best]} The others know less of the model.",
            UserWarning,
            stacklevel=2,
        )
    found = {
        member.name: found[member.name] for member in members if member.name in found
    }
    return CheapAttributions(found, seconds, failed, learner.notes)


class _Clock:
    """Limits for the time of a member.

    Without a budget, members have a limit for their estimated time only. A training is
    timed only if a member is near this limit.
    """

    def __init__(self, learner, start, budget):
        self.learner = learner
        self.end = None if budget is None else start + budget

    def limit(self, seconds):
        """Return the limit for a member that takes about so many seconds."""
        if self.end is not None:
            return max(self.end - perf_counter(), 0.0)
        if seconds <= _LEAST_SECONDS:
            return _LEAST_SECONDS
        return max(_TRAININGS * self.learner.training_time(), _LEAST_SECONDS)


def _compute_all(members, clock, n_jobs, verbose, found, seconds, failed):
    """Add the results of members to dicts by name."""
    with progress_bar(
        total=len(members), unit="attribution", verbose=verbose
    ) as progress:
        # The cheapest first, so that a dear one does not crowd out all others.
        for member in sorted(members, key=lambda member: member.seconds):
            begin = perf_counter()
            matrix, reason = _compute(member, clock, n_jobs)
            reason = reason or _flaw(matrix, found)
            if reason:
                failed[member.name] = shorten(reason, _REASON)
            else:
                found[member.name] = matrix.astype(np.float32)
                found[member.name].setflags(write=False)
                seconds[member.name] = perf_counter() - begin
            progress.update()


def _shortened(member, clock):
    """Average over fewer models, a power of two, to keep within the limit."""
    n_models = len(member.jobs)
    most = clock.limit(n_models * member.seconds)
    while n_models > 1 and n_models * member.seconds > most:
        n_models = 2 ** ((n_models - 1).bit_length() - 1)
    return member._replace(jobs=member.jobs[:n_models])


def _announcement(members, learner, start, budget):
    names = ", ".join(member.name for member in members)
    spent = perf_counter() - start
    ahead = sum(member.seconds * len(member.jobs) for member in members)
    limit = f"about {ahead:.1f} s" if budget is None else f"at most {budget:.1f} s"
    return (
        f"{len(members)} attributions over {len(learner.models)} models ({names}): "
        f"{limit}, after {spent:.1f} s for the models."
    )


def _compute(member, clock, n_jobs):
    """Return the matrix, or None and a reason; a budget is shared out by halves."""
    left = clock.limit(member.seconds)
    if member.seconds > left:
        return None, f"it takes about {member.seconds:.1f} s, the limit is {left:.1f} s"
    seconds = np.inf if clock.end is None else left / 2
    try:
        return _average(member, seconds, n_jobs), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _average(member, seconds, n_jobs):
    """Average over as many models as fit in the time, at least one."""
    start, mean = perf_counter(), Mean(member.scaled)
    mean.add(_silently(member.jobs[0]))
    each, most = perf_counter() - start, len(member.jobs)
    if np.isfinite(seconds) and each > 0:
        most = 1 + int(max(0, seconds - each) // each)
    others = (delayed(_silently)(job) for job in member.jobs[1:most])
    for matrix in Parallel(n_jobs=n_jobs, return_as="generator")(others):
        mean.add(matrix)
    return mean.value


def _silently(job):
    """Run a job, also in a worker, without warnings of surrogates and models."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return job()


def _flaw(matrix, found):
    """Return why a matrix is useless, or None."""
    if not np.isfinite(matrix).all():
        return "it is not finite"
    size = np.abs(matrix).max()
    if size == 0:
        return "it is zero"
    for name, other in found.items():
        other_size = np.abs(other).max()
        if np.allclose(matrix / size, other / other_size, rtol=0, atol=_SAME):
            return f"it equals {name}"
    return None
