"""ComponentAblation: a transformer from run ids or masks to runs, without training."""

import os
import warnings
from numbers import Integral, Real

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels._sklearn_compat import Interval, StrOptions
from skdatamodels.masks import DESIGNS
from skdatamodels.outputs import OUTPUTS, OutputInfo
from skdatamodels.runs import TrainingRuns
from skdatamodels.training._runs_transformer import RunsTransformer

_MANY_SETS = 10  # if the outputs are equal on as many different sets, something is odd


class ComponentAblation(RunsTransformer):
    """Evaluate something with random parts of it switched off, many times.

    The components may be anything that can be on or off: the sources in the context of
    a language model, the units of a network, the features of a model, the steps of a
    pipeline. Nothing is trained. :meth:`transform` takes run ids, draws the components
    that each run keeps, calls `evaluate`, and returns the runs, to which
    :class:`~skdatamodels.regression.DatamodelRegressor` is fitted. A weight is then the
    effect of a component on an output. See :doc:`/components`.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(kept, seed)`` gets a bool array of shape (n_components,), which is
        True for the components that are on, and an int below 2**32, from which all
        randomness must come. It returns an array of shape (n_targets,), or a number if
        there is one target.
    components : int or array-like of shape (n_components,)
        Names of the components, or how many there are.
    target_ids : array-like of shape (n_targets,), default=None
        Names of the targets, the numbers that `evaluate` returns. None means one.
    alpha : float in (0, 1), or sequence of them, default=0.5
        Fraction of the components that are on. With several fractions, runs use them in
        turn.
    design : str, default="bernoulli"
        How the components are drawn; see :func:`skdatamodels.masks.sample_masks`. Any
        but "stratified". With the default, components are independent of each other.
        Subsets of one size, as "uniform" draws them, only tell the differences between
        the effects, which matters if there are few components.
    output : str or OutputInfo, default=None
        What the outputs are: a key of :data:`skdatamodels.outputs.OUTPUTS`, or an
        :class:`~skdatamodels.outputs.OutputInfo`, which says whether higher is better.
        It only describes them.
    store : path-like, optional
        Folder for evaluations, which are read instead of repeated.
    n_jobs : int, optional
        Number of workers, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Seed of the sets and of the evaluations. With a store, an int or None.
    retries : int, default=1
        Number of times that a failed evaluation is tried again.
    on_failure : {"raise", "nan"}, default="raise"
        What to do if evaluations still fail. "raise" raises an error once all others
        are done; "nan" warns and sets their outputs to NaN. They are never stored.
    timeout : float, optional
        Time limit of an evaluation, in seconds. Not available on Windows.
    verbose : int, default=0
        If not 0, show a progress bar.

    Attributes
    ----------
    entropy_ : int
        The seed that is used.
    n_components_ : int
        Number of components.

    Raises
    ------
    TypeError, ValueError
        Before any evaluation, if `evaluate` is not callable, `components` or
        `target_ids` are not distinct names, no or all components would be on, run ids
        repeat or are negative, or masks are not 0/1 or have another width.
    RuntimeError
        After all evaluations, if some failed and `on_failure` is "raise", or if all
        failed.

    See Also
    --------
    SubsetTrainer : Trains models on subsets of a training set.

    Notes
    -----
    Its training examples are the components, so it can be the `trainer` of
    :class:`~skdatamodels.applications.CounterfactualEvaluation`,
    :class:`~skdatamodels.applications.DataSupportSearch`,
    :func:`~skdatamodels.applications.removal_check` and
    :func:`~skdatamodels.judging.collect_runs`. What needs inputs or labels of training
    examples, such as ``edit="mislabel"`` or ``prior="cheap"``, raises an error.

    References
    ----------
    Shah, Ilyas, Madry, "Decomposing and Editing Predictions by Modeling Model
    Computation", ICML 2024.

    Cohen-Wang, Shah, Georgiev, Madry, "ContextCite: Attributing Model Generation to
    Context", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import DatamodelRegressor
    >>> from skdatamodels.training import ComponentAblation
    >>> def brightness(kept, seed):
    ...     return kept @ [3.0, 0.0, 1.0, 0.5]
    >>> ablation = ComponentAblation(
    ...     brightness, ["sun", "moon", "lamp", "candle"], random_state=0
    ... )
    >>> runs = ablation.fit_transform(np.arange(40))
    >>> print(DatamodelRegressor(lam=0.0).fit(runs).coef_.round(2) + 0.0)
    [[3.  0.  1.  0.5]]
    """

    _parameter_constraints = {
        "evaluate": [callable],
        "components": ["array-like", Integral],
        "target_ids": ["array-like", None],
        "design": [StrOptions(set(DESIGNS) - {"stratified"})],
        "output": [StrOptions(set(OUTPUTS)), OutputInfo, None],
        "alpha": [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "store": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "retries": [Interval(Integral, 0, None, closed="left")],
        "on_failure": [StrOptions({"raise", "nan"})],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "verbose": ["verbose"],
    }

    _noun = "component"

    def __init__(
        self,
        evaluate,
        components,
        *,
        target_ids=None,
        alpha=0.5,
        design="bernoulli",
        output=None,
        store=None,
        n_jobs=None,
        random_state=None,
        retries=1,
        on_failure="raise",
        timeout=None,
        verbose=0,
    ):
        self.evaluate = evaluate
        self.components = components
        self.target_ids = target_ids
        self.alpha = alpha
        self.design = design
        self.output = output
        self.store = store
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.retries = retries
        self.on_failure = on_failure
        self.timeout = timeout
        self.verbose = verbose

    @property
    def train(self):
        """The components as Examples, whose ids are their names."""
        return _as_examples(self.components, "components")

    @property
    def targets(self):
        """The targets as Examples, whose ids are their names."""
        names = 1 if self.target_ids is None else self.target_ids
        return _as_examples(names, "target_ids")

    @property
    def estimator(self):
        """The learner of the runs: a function (train_indices, seed) -> outputs."""
        return ComponentLearner(self.evaluate, self.n_components_)

    @property
    def n_components_(self):
        """Number of components."""
        return len(self.train)

    def _validate_params(self):
        super()._validate_params()
        if isinstance(self.evaluate, type):
            raise TypeError(
                f"evaluate is the class {self.evaluate.__name__}: give an instance of "
                "it, or a function (kept, seed) -> outputs."
            )
        _ = self.train, self.targets  # raise if they are invalid

    def _learner(self):
        return self.estimator

    def _described(self, call, runs, models, known):
        """Return the runs: components have no classes, models or attributions."""
        if _nothing_changes(runs):
            warnings.warn(
                f"All {len(runs)} evaluations gave the same outputs, whatever was on. "
                "Check that evaluate uses `kept`: it is a bool array (n_components,), "
                "True for components that are on, in the order of `components`.",
                UserWarning,
                stacklevel=4,
            )
        return TrainingRuns(runs.packed, runs.outputs, **known)


def _nothing_changes(runs):
    """Return whether many different sets have exactly equal outputs."""
    if len(runs) < _MANY_SETS or not (runs.outputs == runs.outputs[0]).all():
        return False
    return len(np.unique(runs.packed.bits, axis=0)) >= _MANY_SETS


class ComponentLearner:
    """An evaluation as a learner ``(train_indices, seed) -> outputs (n_targets,)``.

    Parameters
    ----------
    evaluate : callable
        ``(kept, seed) -> outputs``, as in :class:`ComponentAblation`.
    n_components : int
        Number of components.
    """

    def __init__(self, evaluate, n_components):
        self.evaluate, self.n_components = evaluate, n_components

    @property
    def __name__(self):  # of the folder of a store
        return getattr(self.evaluate, "__name__", type(self.evaluate).__name__)

    def __call__(self, kept_indices, seed):
        """Return the outputs (n_targets,) with only these components on."""
        kept = np.zeros(self.n_components, dtype=bool)
        kept[kept_indices] = True
        return np.atleast_1d(self.evaluate(kept, seed))


def _as_examples(names, what):
    """Return Examples whose ids are names, or numbers from 0 if `names` is an int."""
    if isinstance(names, Integral) and not isinstance(names, bool) and names > 0:
        names = np.arange(names)
    shape = np.shape(names)
    if len(shape) != 1 or not len(names):
        raise ValueError(
            f"{what} must be a 1-d array of names"
            + (", or how many there are" if what == "components" else "")
            + f"; got {f'an array of shape {shape}' if shape else repr(names)}."
        )
    try:
        return Examples(np.arange(len(names))[:, None], np.zeros(len(names)), names)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what} must be distinct names: {error}") from error
