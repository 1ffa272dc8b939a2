"""SubsetTrainer: a transformer from run ids or masks to runs."""

import os
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skdatamodels._examples import Examples, check_examples
from skdatamodels._random import entropy_from, training_seed
from skdatamodels._sklearn_compat import HasMethods, Interval, StrOptions
from skdatamodels.masks import DESIGNS, PackedMasks, sample_masks, subset_size
from skdatamodels.masks._designs import check_alphas, seed_runs
from skdatamodels.masks._varied import sample_varied_masks
from skdatamodels.outputs import OUTPUTS, OutputInfo, info_of_output
from skdatamodels.runs import TrainingRuns
from skdatamodels.training._learners.fast_paths import estimator_learner
from skdatamodels.training._learners.learners import (
    EstimatorLearner,
    check_trainable,
    default_output,
)
from skdatamodels.training._players import players_of
from skdatamodels.training._rows import check_rows, mask_keys
from skdatamodels.training._run_attributions import run_attributions
from skdatamodels.training._run_training import RunTraining
from skdatamodels.training._trainer_store import known_by, store_of
from skdatamodels.training._unseen_classes import UnseenClasses
from skdatamodels.training._varied import (
    check_others,
    training_order,
    varied_columns,
)


class SubsetTrainer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Train a model on each of many subsets and measure it on the targets.

    The samples in X are runs: :meth:`transform` takes run ids, draws the subset of each
    run from the design, trains the models, and returns the runs. Run i depends only on
    the configuration, `random_state` and i. It does not depend on `n_jobs`, the joblib
    backend, or which other runs are trained, except for rounding if models are trained
    together. Each worker trains with one BLAS and OpenMP thread.

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

    _noun = "training example"  # what a column of the masks is in errors

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

    def fit(self, X, y=None):
        """Check the parameters and fix the seed. Nothing is trained.

        Parameters
        ----------
        X : array-like of shape (n_runs,), (n_runs, n_train) or (n_runs, n_groups)
            Run ids or masks.
        y : None
            Ignored.

        Returns
        -------
        self : SubsetTrainer
            The trainer itself.
        """
        self._begin(X, anew=True)
        return self

    def transform(self, X):
        """Train the runs that are not stored yet, and return all runs in X.

        Parameters
        ----------
        X : array-like of shape (n_runs,), (n_runs, n_train) or (n_runs, n_groups)
            Run ids, or masks.

        Returns
        -------
        runs : TrainingRuns
            In the order of X.
        """
        return self._transform(*self._begin(X, anew=not hasattr(self, "entropy_")))

    def fit_transform(self, X, y=None):
        """Fix the seed and train the runs, as :meth:`transform` does.

        Parameters
        ----------
        X : array-like of shape (n_runs,), (n_runs, n_train) or (n_runs, n_groups)
            Run ids, or masks.
        y : None
            Ignored.

        Returns
        -------
        runs : TrainingRuns
            In the order of X.
        """
        return self._transform(*self._begin(X, anew=True))

    def draw_subsets(self, runs, random_state):
        """Return the subsets of runs without training.

        Parameters
        ----------
        runs : int or int array-like of shape (n_runs,)
            Number of runs, or their ids.
        random_state : int
            Seed. Pass ``entropy_`` for the subsets that :meth:`transform` uses.

        Returns
        -------
        masks : PackedMasks of shape (n_runs, n_train) or (n_runs, n_groups)
            The subsets.
        """
        players = players_of(self)
        settings = {
            "alpha": self.alpha,
            "design": self.design,
            "random_state": random_state,
            "y": players.strata(self.design, self.train.y),
        }
        columns = varied_columns(self.vary, players)
        if columns is None:
            return sample_masks(runs, len(players), **settings)
        return sample_varied_masks(runs, len(players), columns, **settings)

    def columns_of(self, rows):
        """Return the column of the masks that switches each training example.

        It is that of its group, or without `groups` its own. If targets are training
        examples, this gives `exclude` for
        :class:`~skdatamodels.regression.DatamodelRegressor`.

        Parameters
        ----------
        rows : int array-like
            Rows of `train`; -1 for none.

        Returns
        -------
        columns : int array of the shape of `rows`
            The columns; -1 for -1.

        Raises
        ------
        ValueError
            If a row does not exist, or `groups` are invalid.

        Examples
        --------
        >>> from sklearn.linear_model import Ridge
        >>> from skdatamodels import Examples, SubsetTrainer
        >>> train = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> trainer = SubsetTrainer(Ridge(), train, train, groups=["b", "a", "b"])
        >>> trainer.columns_of([0, 1, -1])
        array([ 1,  0, -1])
        """
        return players_of(self).at_rows(rows)

    def sum_over_groups(self, weights):
        """Sum the weights of the training examples of each group.

        Weights of examples, from an influence function for example, become weights of
        groups, to first order. Without `groups`, they are returned unchanged.

        Parameters
        ----------
        weights : array or CSR of shape (n_targets, n_train)
            Attribution matrix of training examples.

        Returns
        -------
        weights : array or CSR of shape (n_targets, n_groups)
            Attribution matrix of groups.

        Raises
        ------
        ValueError
            If `weights` do not have a column for each training example, or `groups` are
            invalid.

        Examples
        --------
        >>> from sklearn.linear_model import Ridge
        >>> from skdatamodels import Examples, SubsetTrainer
        >>> train = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> trainer = SubsetTrainer(Ridge(), train, train, groups=["b", "a", "b"])
        >>> trainer.sum_over_groups([[1.0, 2.0, 3.0]])
        array([[2., 4.]])
        """
        return players_of(self).total_weights(weights)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of the masks: ids of `train`, or groups.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored, because the samples in X are runs, which have no features.

        Returns
        -------
        names : str array of shape (n_train,) or (n_groups,)
            The ids of the training examples, or the labels of the groups, as str.
        """
        return np.array([str(name) for name in players_of(self).names], dtype=object)

    @property
    def output_info(self):
        """Description of the output, :class:`~skdatamodels.outputs.OutputInfo`."""
        try:
            output = self.output
            if output is None:
                output = default_output(self.estimator)
            return info_of_output(output)
        except (TypeError, ValueError) as error:  # `dir`, and hence reprs, read it
            raise AttributeError(str(error)) from error

    def set_output(self, *, transform=None):
        """Do nothing, since :meth:`transform` always returns runs.

        The method exists so that it can be called on pipelines with other transformers.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Ignored.

        Returns
        -------
        self : SubsetTrainer
            The trainer itself.
        """
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags

    def _begin(self, X, anew):
        """Check everything, and return the arguments of :meth:`_transform`.

        If `anew`, the seed is fixed.
        """
        self._validate_params()
        players = players_of(self)
        columns = varied_columns(self.vary, players)
        check_others(self.design, self.alpha, self.train.y, players, columns)
        learner = self._learner()
        rows = check_rows(X, len(players), players.noun)
        given = _are_given(rows)
        columns = None if given else columns
        self._check_sizes(learner, rows, players, columns)
        self._check_models(learner)
        if anew or isinstance(self.random_state, Integral):  # may be set after `fit`
            entropy = entropy_from(self.random_state)
        else:
            entropy = self.entropy_
        store = store_of(self, learner, players, columns, given, entropy)
        if anew:
            self.entropy_ = entropy if store is None else store.entropy
            self.groups_ = players.names if players.are_groups else None
        return players, learner, rows, columns, entropy, store

    def _transform(self, players, learner, rows, columns, entropy, store):
        explicit = _are_given(rows)
        entropy = entropy if store is None else store.entropy
        masks, seeds = self._plan(rows, columns, entropy)
        order = training_order(columns, players)
        if players.are_groups or columns is not None:  # sizes are known only now
            self._check_sizes(learner, masks, players)
        training = RunTraining(self, learner, masks, seeds, players, order)
        if store is None:
            runs, models = training.in_memory()
        else:
            runs, models = training.in_store(
                store,
                None if explicit else rows,
                partial(known_by, self, learner, players, columns, explicit),
            )
        given = masks if explicit else None
        attributions = run_attributions(self, models, store, given, entropy, players)
        known = {"models": models, "attributions": attributions}
        return self._with_targets(players, learner, runs, known, warn=not explicit)

    def _with_targets(self, players, learner, runs, known, warn):
        """Add what is known about outputs and targets to the runs."""
        known |= {"seeds": runs.seeds, "output": self.output_info}
        known |= {"player_ids": players.names, "target_ids": self.targets.ids}
        outputs, named = runs.outputs, OUTPUTS.get(known["output"].name)
        classifies = getattr(learner, "classes", None) is not None
        if classifies or (named and named.task == "classification"):
            found = UnseenClasses(runs.packed, self.train.y, self.targets.y, players)
            what = "are those of the learner"
            if isinstance(learner, EstimatorLearner):
                what = "are low guesses, because of unseen_class='floor'"
                if self.unseen_class == "nan":
                    what = "are NaN, which datamodels and scores ignore"
                    outputs = found.without(outputs)
            if warn:
                found.warn(what, self.design, stacklevel=4)
            known["target_classes"] = self.targets.y
            known["n_missed_classes"] = found.n_unseen
        return TrainingRuns(runs.packed, outputs, **known)

    def _learner(self):
        """Return the function that trains a run."""
        if self.fit_params and not hasattr(self.estimator, "fit"):
            raise TypeError(
                f"A {type(self.estimator).__name__} has no fit that could take "
                "fit_params. Leave them out."
            )
        if self.fast == "exact" and not hasattr(self.estimator, "fit"):
            raise ValueError(
                'fast="exact" is for linear models of scikit-learn. For this '
                f"{type(self.estimator).__name__}, leave it out."
            )
        if hasattr(self.estimator, "make_learner"):
            return self.estimator.make_learner(self.train, self.targets, self.output)
        if not hasattr(self.estimator, "fit"):
            return self.estimator
        return estimator_learner(
            self.estimator,
            self.train,
            self.targets,
            self.output,
            fast=self.fast,
            fit_params=self.fit_params,
        )

    def _check_models(self, learner):
        """Raise if models are to be kept, and the learner does not return any."""
        if self.keep_models and not hasattr(learner, "train_and_measure"):
            raise TypeError(
                f"keep_models={self.keep_models} needs a scikit-learn estimator, a "
                "TorchLearner or an ImageLearner. A "
                f"{type(self.estimator).__name__} returns outputs, not models: set "
                "keep_models=0."
            )

    def _check_sizes(self, learner, rows, players, columns=None):
        """Raise if the smallest subset is too small for the learner."""
        if not hasattr(learner, "check_subset_size"):
            return
        size = subset_size(len(self.train), min(check_alphas(self.alpha)))
        if _are_given(rows):
            size = int(rows.dot(players.sizes[:, None]).min())
        elif players.are_groups or columns is not None:
            return
        learner.check_subset_size(size)

    def _plan(self, rows, columns, entropy):
        """Return the masks and training seeds for run ids or given masks."""
        if _are_given(rows):
            keys = mask_keys(rows)
            masks = rows
        else:
            owners = rows - rows % 2  # of the seeds of pairs
            if columns is None:
                owners = seed_runs(rows, self.design, self.alpha)
            keys = [(run,) for run in owners]
            masks = self.draw_subsets(rows, entropy)
        seeds = [training_seed(entropy, *key) for key in keys]
        return masks, np.array(seeds, dtype=np.uint32)


def _are_given(rows):
    """Return whether rows are masks, not run ids."""
    return isinstance(rows, PackedMasks)
