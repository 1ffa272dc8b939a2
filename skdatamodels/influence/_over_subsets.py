"""Influence averaged over models that were trained on random subsets."""

import inspect
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator

from skdatamodels._fitting import check_fit, fit_rows
from skdatamodels._one_thread import with_one_thread
from skdatamodels._process_state import single_threaded
from skdatamodels._progress import progress_bar
from skdatamodels._random import entropy_from, set_seeds, training_seed, unseeded
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.influence._checks import check_same_examples
from skdatamodels.influence._pipeline_tables import split_pipeline
from skdatamodels.masks import sample_masks, subset_size
from skdatamodels.runs import KeptModel

__all__ = ["over_subsets"]

_DRAWS = 20  # of a subset, until it has an example of every class


@validate_params(
    {
        "function": [callable],
        "models": ["array-like", None],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "n_subsets": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def over_subsets(
    function,
    train,
    targets,
    *,
    models=None,
    alpha=0.5,
    n_subsets=16,
    random_state=None,
    n_jobs=None,
    verbose=0,
    **params,
):
    """Average an influence function over models that are trained on random subsets.

    The weights of a datamodel are expected effects in subsets of this size, but the
    influence at a model of the whole training set is an effect there. This trains a
    model on each of several random subsets, computes the influence of all training
    examples on it, of those in the subset and of the others, and returns the mean.

    Parameters
    ----------
    function : callable
        A function of :mod:`skdatamodels.influence` with the parameter `subset`:
        :func:`logistic_influence`, :func:`ridge_influence`, :func:`forest_influence`,
        :func:`boosting_influence` or :func:`mlp_influence`, which take an estimator, or
        :func:`last_layer_influence`, :func:`influence_functions` or :func:`trak`, which
        take a module.
    train, targets : Examples
        The training set and the targets.
    models : sequence of KeptModel, default=None
        Trained models with their subsets, such as
        :attr:`skdatamodels.runs.TrainingRuns.models`. They are used instead of training
        others, and the next three parameters are ignored.
    alpha : float in (0, 1), default=0.5
        Fraction of the training set in a subset.
    n_subsets : int, default=16
        Number of subsets.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the subsets and of training. Subset k and its model depend only on the
        seed and k. A subset that lacks a class is drawn again, up to 20 times. Models
        are trained with one thread each, as in runs.
    n_jobs : int, default=None
        Number of workers, as in joblib. Except for rounding, the result does not depend
        on it.
    verbose : int, default=0
        If not 0, show a progress bar.
    **params : object
        Other arguments of the function, such as `output`, which should be that of the
        runs to predict. `estimator` is the estimator to train,
        unless `models` are given: a classifier or regressor of scikit-learn's kind, a
        pipeline that ends in one, or a TorchLearner or ImageLearner for functions that
        take a module.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Mean influence, in the unit of the function.

    Raises
    ------
    TypeError
        If the function has no parameter `subset`, or takes neither an estimator nor a
        module, or the estimator cannot be trained.
    ValueError
        If there are no models, a subset would be empty or complete, or an influence is
        not finite (the message names the model).

    See Also
    --------
    cheap_attributions : Calls this with all functions that suit a learner.

    Notes
    -----
    The influence of a network varies in size from one training to the next. So that no
    single network dominates the mean, the matrices of modules are divided by their mean
    absolute value before averaging, and the result is multiplied by the mean of these
    values. The matrices of other models are averaged as they are.

    The steps of a pipeline before the last are fitted on each subset, and the function
    gets the table that they transform. The influence does not include their change.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import over_subsets, ridge_influence
    >>> X = [[-2.0], [-1.0], [0.0], [1.0], [2.0]]
    >>> train = Examples(X, [-3.0, -1.0, 0.0, 5.0, 4.0])
    >>> targets = Examples([[3.0]], [6.0])
    >>> over_subsets(
    ...     ridge_influence,
    ...     train,
    ...     targets,
    ...     estimator=Ridge(),
    ...     output="prediction",
    ...     alpha=0.6,
    ...     random_state=0,
    ... ).shape
    (1, 5)
    """
    check_same_examples(train, targets, weighted=True)
    what = check_function(function)
    estimator = params.pop("estimator", None)
    if models is not None:
        models = list(models)
        todo = [(lambda kept=kept: kept) for kept in models]
    else:
        subset_size(len(train), alpha)  # checks it
        plan = SubsetModels(estimator, train, targets, what, params.get("output"))
        entropy = entropy_from(random_state)
        todo = [plan.job(alpha, entropy, number) for number in range(n_subsets)]
    if not todo:
        raise ValueError(
            "models is empty. Keep the models of some runs, with "
            "SubsetTrainer(keep_models=20), or do not pass models."
        )
    mean = Mean(scaled=what == "module")
    matrices = influences(function, todo, train, targets, params, n_jobs)
    for matrix in progress_bar(
        matrices, total=len(todo), unit="model", verbose=verbose
    ):
        mean.add(matrix)
    return mean.value


def check_function(function):
    """Return what an influence function takes: "estimator" or "module"."""
    name, names = getattr(function, "__name__", repr(function)), ()
    if callable(function):
        names = inspect.signature(function).parameters
    takes = [what for what in ("estimator", "module") if what in names]
    if "subset" not in names or not takes:
        raise TypeError(
            f"{name} cannot be averaged over subsets: it must have the parameter "
            "subset, and estimator or module."
        )
    return takes[0]


def influences(function, todo, train, targets, params, n_jobs):
    """Yield the influence at each model, in order.

    `todo` has functions without arguments that return a KeptModel.
    """
    jobs = (
        delayed(influence_of_model)(function, get, train, targets, params)
        for get in todo
    )
    matrices = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    for number, matrix in enumerate(matrices):
        if matrix.shape != (len(targets), len(train)):
            raise ValueError(
                f"The influence has shape {matrix.shape}, but (n_targets, n_train) is "
                f"{(len(targets), len(train))}."
            )
        if not np.isfinite(matrix).all():
            raise ValueError(f"The influence at model {number} is not finite.")
        yield matrix


def influence_of_model(function, get, train, targets, params):
    """Return the influence at the KeptModel that `get` returns."""
    takes = check_function(function)
    model, subset = get()
    if takes == "estimator":
        model, train, targets = split_pipeline(model, train, targets)
        model = FrozenEstimator(model)
    given = {takes: model, "train": train, "targets": targets, "subset": subset}
    return np.asarray(function(**given, **params))


class Mean:
    """Mean of matrices, which are scaled to one size if `scaled`."""

    def __init__(self, scaled):
        self.scaled, self.total, self.sizes = scaled, 0.0, []

    def add(self, matrix):
        """Add a matrix."""
        size = np.abs(matrix).mean() if self.scaled else 1.0
        self.total = self.total + matrix / (size or 1.0)
        self.sizes.append(size)

    @property
    def value(self):
        """The mean, multiplied by the mean of the sizes."""
        return self.total * (np.mean(self.sizes) / len(self.sizes))


class SubsetModels:
    """Train a learner on random subsets.

    Parameters
    ----------
    estimator : estimator or learner
        What to train.
    train, targets : Examples
        The training set and the targets.
    takes : {"estimator", "module"}
        What the influence function takes.
    output : str, callable or None
        Output to measure.
    fit_params : dict of str to object, default=None
        More arguments of ``fit``.
    """

    def __init__(self, estimator, train, targets, takes, output=None, fit_params=None):
        self._y, self._classes = train.y, ()
        needed = "make_learner" if takes == "module" else "fit"
        if isinstance(estimator, type) or not hasattr(estimator, needed):
            kind = "a TorchLearner or an ImageLearner"
            kind = "an estimator with fit" if takes == "estimator" else kind
            raise TypeError(
                f"estimator must be {kind}, which is trained on the subsets; got "
                f"{type(estimator).__name__}. Or pass models that are trained."
            )
        if (
            is_classifier(estimator)
            or getattr(estimator, "task", None) == "classification"
        ):
            self._classes = np.unique(train.y)
        if takes == "module":
            self._train = estimator.make_learner(train, targets, output).train_model
        else:
            check_fit(estimator, train, fit_params)
            self._train = _EstimatorTraining(estimator, train, fit_params)

    def job(self, alpha, entropy, number):
        """Return a function that returns the KeptModel with this number."""
        return _Job(self._train, self.subset(alpha, entropy, number), entropy, number)

    def whole(self, entropy):
        """Return the KeptModel of the whole training set."""
        return _Job(self._train, np.arange(len(self._y)), entropy, 0)()

    def subset(self, alpha, entropy, number):
        """Return the indices of subset `number`, with every class if possible."""
        for draw in range(_DRAWS):
            seed = entropy if draw == 0 else training_seed(entropy, draw)
            masks = sample_masks([number], len(self._y), alpha, random_state=seed)
            subset = np.flatnonzero(masks.dense()[0])
            if np.isin(self._classes, self._y[subset]).all():
                break
        return subset


class _Job:
    """Train the model of a subset; unlike a closure, it can be sent to a worker."""

    def __init__(self, train, subset, entropy, number):
        self.train, self.subset = train, subset
        self.seed = training_seed(entropy, number)

    def __call__(self):
        with single_threaded():  # as runs do
            return KeptModel(self.train(self.subset, self.seed), self.subset)


class _EstimatorTraining:
    """Fit clones of an estimator with the seeds of runs."""

    def __init__(self, estimator, train, fit_params):
        self.estimator, self.train = with_one_thread(estimator), train
        self.fit_params = fit_params
        self.seeded = unseeded(estimator)

    def __call__(self, train_indices, seed):
        model = set_seeds(clone(self.estimator), self.seeded, seed)
        return fit_rows(model, self.train, train_indices, self.fit_params)
