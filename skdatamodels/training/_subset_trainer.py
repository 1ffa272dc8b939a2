"""SubsetTrainer: a transformer from run ids or masks to runs."""

import os
from numbers import Integral, Real

from skdatamodels._examples import Examples, check_examples
from skdatamodels._sklearn_compat import HasMethods, Interval, StrOptions
from skdatamodels.masks import DESIGNS
from skdatamodels.outputs import OUTPUTS, OutputInfo
from skdatamodels.runs import TrainingRuns
from skdatamodels.training._learners.fast_paths import estimator_learner
from skdatamodels.training._learners.learners import EstimatorLearner, check_trainable
from skdatamodels.training._run_attributions import run_attributions
from skdatamodels.training._runs_transformer import RunsTransformer
from skdatamodels.training._unseen_classes import UnseenClasses


class SubsetTrainer(RunsTransformer):
    """Train a model on each of many subsets and measure it on the targets.

    The samples in X are runs: :meth:`transform` takes run ids, draws the subset of each
    run from the design, trains the models, and returns the runs. Run i depends only on
    the configuration, `random_state` and i. It does not depend on `n_jobs`, the joblib
    backend, or which other runs are trained, except for rounding if models are trained
    together. Each worker trains with one BLAS and OpenMP thread, and so does LightGBM,
    unless its ``n_jobs`` is positive.

    Parameters
    ----------
    estimator : classifier, regressor, TorchLearner or callable
        Model to train, which is cloned for each run. Its ``random_state`` parameters
        that are None, at any depth, are set from the seed of the run. A callable
        ``(train_indices, seed) -> outputs`` gets the indices of the subset, an int64
        array, and the seed of the run, an int below 2**32. It returns an array of shape
        (n_targets,).
    train, targets : Examples
        Training set and targets.
    groups : array-like of shape (n_train,) or str, default=None
        Label of each training example, such as its source, customer, day or cluster;
        or the name of the column that has the labels, in the metadata of `train` or
        else in its data frame ``X``. If given, subsets are of groups: a run sees all
        examples of a group, or none. Masks have shape (n_runs, n_groups) and weights
        (n_targets, n_groups), in the order of `groups_`. See :doc:`/groups`.
    alpha : float in (0, 1), or sequence of them, default=0.5
        Fraction of the training set in a subset. With several fractions, runs use them
        in turn. With `groups`, it is the fraction of the groups. If these differ in
        size, so does the number of examples in a subset; its mean is alpha·n_train.
    design : str, default="uniform"
        How subsets are drawn; see :func:`skdatamodels.masks.sample_masks`. In paired
        designs, a subset and its complement are trained with the same seed. With
        `groups`, "stratified" needs groups of one class each.
    vary : array-like of shape (k,), default=None
        A few rows of `train` that matter, or with `groups` labels of groups. Runs 2i
        and 2i + 1 then have the same seed and the same subset of the others, which
        `alpha` and `design` draw, and each of the few is in one of the two. See
        :func:`~skdatamodels.inference.infer_varied` and :ref:`a_few_rows`.
    output : str, callable or OutputInfo, optional
        Output to measure; see :data:`skdatamodels.outputs.OUTPUTS`. The default is
        "margin" for classifiers and "prediction" for regressors. A callable estimator
        returns its own outputs; here, their name or
        :class:`~skdatamodels.outputs.OutputInfo` describes them.
    fast : bool or "exact", default=True
        Whether `Ridge`, `RidgeClassifier` and `LogisticRegression` may be trained
        together, which is much faster. It is done only if the results match those of
        their own ``fit``, and a warning says what is in the way; "exact" gives those of
        the optimum instead, to which ``fit`` only comes close (:doc:`/training`). Since
        results match only to a tolerance, such runs have a separate store.
    store : path-like, optional
        Folder that contains a :class:`RunStore` for each configuration. Runs that are
        already stored are read instead of trained. Without a store, each call trains
        all runs.
    n_jobs : int, optional
        Number of workers, as in joblib. Use ``joblib.parallel_config`` to choose the
        backend.
    random_state : int, RandomState instance or None, default=None
        Seed of the subsets and of training. With a store, it must be an int or None,
        and None means the seed that the store was created with.
    retries : int, default=1
        Number of times that a failed run is tried again.
    on_failure : {"raise", "nan"}, default="raise"
        What to do if runs still fail after all retries. "raise" raises an error once
        all other runs are done; "nan" warns and sets their outputs to NaN. Failed runs
        are never stored, and the next call tries them again.
    unseen_class : {"nan", "floor"}, default="nan"
        Output of a scikit-learn estimator for targets of a class that is missing in the
        subset. With "nan", it is NaN, and datamodels and scores of these targets ignore
        the run. With "floor", it is the output for a class with probability
        1 / (subset size + number of classes). Other learners decide themselves.
    timeout : float, optional
        Time limit of a run, in seconds. A run that takes longer fails. Each worker
        trains in a child process, which is killed at the limit. Runs that are trained
        together share the sum of their limits. Not available on Windows.
    keep_models : int, default=0
        Number of runs whose models are kept, as ``runs.models``. They are those of the
        first runs in X. With a store, models are files in the folder of the runs, and
        those that are there come first, whichever runs X contains. Only estimators,
        `TorchLearner` and `ImageLearner` have models. See :ref:`kept_models`.
    verbose : int, default=0
        If not 0, show a progress bar.
    fit_params : dict of str to object, optional
        More arguments of the estimator's ``fit``, which are the same in every run, such
        as ``{"eval_set": [(X_valid, y_valid)]}`` for early stopping. For a pipeline,
        they are named ``step__argument``, and its other steps do not transform them.
        Weights of training examples belong to `train`. Stores distinguish runs by them.

    Attributes
    ----------
    entropy_ : int
        The seed that is used.
    groups_ : array of shape (n_groups,), or None
        Labels of the groups, sorted: the names of the columns of masks and weights.
        None without `groups`.

    Raises
    ------
    TypeError, ValueError
        Before training, if the estimator does not have this output, a subset would be
        empty or complete, a target has a class that is not in `train`, ``fit`` does not
        take the weights of `train` or an argument in `fit_params`, run ids repeat
        or are negative (or 10⁸ or more, with a store), masks are not 0/1 or have
        another width, runs in the store are damaged, `keep_models` is not 0 and the
        learner has no models, or `groups` do not have a label for each training
        example, or only one, or `vary` does not name some of them, once each.
    RuntimeError
        After training, if runs failed and `on_failure` is "raise", or if all failed.
    OSError
        If the store cannot be written. Its runs are safe, and the same call resumes. If
        the disk is too small for the runs, this is raised before training.

    Notes
    -----
    X may also contain masks of shape (n_runs, n_train), or (n_runs, n_groups), as bool,
    uint8 or :class:`PackedMasks`. Then `alpha` and `design` are ignored. A mask that
    occurs several times is trained with a different seed each time, which allows you to
    measure the noise of training.

    The result of `transform` is always :class:`TrainingRuns`, regardless of
    ``set_output``. Its `attributions` are computed by
    :func:`~skdatamodels.influence.cheap_attributions` when they are first read, and
    kept in the store; ``DatamodelRegressor(prior="cheap")`` reads them.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022, §2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> X, y = load_wine(return_X_y=True)
    >>> train, targets = Examples(X[::2], y[::2]), Examples(X[1::2], y[1::2])
    >>> trainer = SubsetTrainer(GaussianNB(), train, targets, random_state=0)
    >>> trainer.fit_transform(np.arange(10))
    TrainingRuns(n_runs=10, n_train=89, n_targets=89)

    Subsets of groups of examples:

    >>> trainer.set_params(groups=np.arange(89) % 6).fit_transform(np.arange(10))
    TrainingRuns(n_runs=10, n_train=6, n_targets=89)
    >>> trainer.groups_
    array([0, 1, 2, 3, 4, 5])
    """

    _parameter_constraints = {
        "estimator": [HasMethods("fit"), HasMethods("make_learner"), callable],
        "train": [Examples],
        "targets": [Examples],
        "groups": ["array-like", str, None],
        "alpha": [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "design": [StrOptions(set(DESIGNS))],
        "vary": ["array-like", None],
        "output": [StrOptions(set(OUTPUTS)), callable, OutputInfo, None],
        "fast": ["boolean", StrOptions({"exact"})],
        "store": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "retries": [Interval(Integral, 0, None, closed="left")],
        "on_failure": [StrOptions({"raise", "nan"})],
        "unseen_class": [StrOptions({"nan", "floor"})],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "keep_models": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "fit_params": [dict, None],
    }

    def __init__(
        self,
        estimator,
        train,
        targets,
        *,
        groups=None,
        alpha=0.5,
        design="uniform",
        vary=None,
        output=None,
        fast=True,
        store=None,
        n_jobs=None,
        random_state=None,
        retries=1,
        on_failure="raise",
        unseen_class="nan",
        timeout=None,
        keep_models=0,
        verbose=0,
        fit_params=None,
    ):
        self.estimator = estimator
        self.train = train
        self.targets = targets
        self.groups = groups
        self.alpha = alpha
        self.design = design
        self.vary = vary
        self.output = output
        self.fast = fast
        self.store = store
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.retries = retries
        self.on_failure = on_failure
        self.unseen_class = unseen_class
        self.timeout = timeout
        self.keep_models = keep_models
        self.verbose = verbose
        self.fit_params = fit_params

    def _validate_params(self):
        # The error of scikit-learn would print the whole table that was passed instead.
        check_examples(self.train, "train")
        check_examples(self.targets, "targets")
        check_trainable(self.estimator)
        super()._validate_params()

    def _learner(self):
        """Return the function that trains a run."""
        kind = type(self.estimator).__name__
        if self.fit_params and not hasattr(self.estimator, "fit"):
            raise TypeError(
                f"A {kind} has no fit that could take fit_params. Leave them out."
            )
        if self.fast == "exact" and not hasattr(self.estimator, "fit"):
            raise ValueError(
                f'fast="exact" is for linear models of scikit-learn. For this {kind}, '
                "leave it out."
            )
        learner = self._make_learner()
        if self.keep_models and not hasattr(learner, "train_and_measure"):
            raise TypeError(
                f"keep_models={self.keep_models} needs a scikit-learn estimator, a "
                f"TorchLearner or an ImageLearner. A {kind} returns outputs, not "
                "models: set keep_models=0."
            )
        return learner

    def _make_learner(self):
        examples = self.train, self.targets, self.output
        if hasattr(self.estimator, "make_learner"):
            return self.estimator.make_learner(*examples)
        if not hasattr(self.estimator, "fit"):
            return self.estimator
        options = {"fast": self.fast, "fit_params": self.fit_params}
        return estimator_learner(self.estimator, *examples, **options)

    def _described(self, call, runs, models, known):
        """Add classes, models and attributions to the runs."""
        known["models"] = models
        known["attributions"] = run_attributions(self, call, models)
        outputs, named = runs.outputs, OUTPUTS.get(known["output"].name)
        classifies = getattr(call.learner, "classes", None) is not None
        if classifies or (named and named.task == "classification"):
            y_train, y_targets = self.train.y, self.targets.y
            found = UnseenClasses(runs.packed, y_train, y_targets, call.players)
            what = "are those of the learner"
            if isinstance(call.learner, EstimatorLearner):
                what = "are low guesses, because of unseen_class='floor'"
                if self.unseen_class == "nan":
                    what = "are NaN, which datamodels and scores ignore"
                    outputs = found.without(outputs)
            if not call.given:
                found.warn(what, self.design, stacklevel=4)
            known["target_classes"] = y_targets
            known["n_missed_classes"] = found.n_unseen
        return TrainingRuns(runs.packed, outputs, **known)
