"""Counterfactuals: model outputs after some training examples are removed."""

from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skdatamodels._dense_row import dense_row
from skdatamodels._sklearn_compat import Interval, StrOptions, fit_context
from skdatamodels.applications._attributions import (
    check_attributions,
    check_target_indices,
    check_weights,
)
from skdatamodels.applications._counterfactual_effects import CounterfactualEffects
from skdatamodels.applications._edits import (
    Edits,
    check_takes_labels,
    effects_on_everything,
    effects_on_subsets,
    most_likely_wrong_class,
)
from skdatamodels.applications._quality import warn_if_weak
from skdatamodels.applications._removal_sets import (
    HEURISTICS,
    check_sizes,
    order_by,
)
from skdatamodels.masks import PackedMasks
from skdatamodels.training import ComponentAblation, SubsetTrainer


def predict_counterfactual(weights, removal_sets):
    """Predict how outputs change when sets of training examples are removed.

    A datamodel is linear in the mask, so the predicted change is minus the sum of the
    weights of the removed examples. Nothing is trained.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train)
        Attribution matrix, in the unit of the output.
    removal_sets : bool array-like of shape (n_sets, n_train), or list of int arrays
        A mask that is True for the removed examples; or, for each set, the indices of
        the removed examples.

    Returns
    -------
    effects : float array of shape (n_targets, n_sets)
        Predicted change of the output, in its unit. Negative if the output decreases.

    Raises
    ------
    ValueError
        If `weights` is not a finite matrix, or a set has an index that is not a
        training example, or the same example twice.

    See Also
    --------
    CounterfactualEvaluation : Trains the counterfactuals and compares.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.1.2.

    Examples
    --------
    >>> from skdatamodels.applications import predict_counterfactual
    >>> weights = [[0.5, 0.25, -1.0], [0.0, 2.0, 0.0]]
    >>> predict_counterfactual(weights, [[0, 1], [2]])
    array([[-0.75,  1.  ],
           [-2.  , -0.  ]])
    """
    warn_if_weak(weights)
    weights = check_weights(weights)
    removed = _check_removal_sets(removal_sets, weights.shape[1])
    return -(weights @ removed.T.astype(weights.dtype))


class CounterfactualEvaluation(BaseEstimator):
    """Compare predicted effects of removing training examples with true effects.

    For each target, sets of several sizes are chosen by several heuristics. The true
    effect of a set is the mean output of models trained without it minus the mean
    output of models trained on all examples. Any attribution matrix can be evaluated.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        Trains the models. Its targets are the rows of the attribution matrix. Its
        `store` keeps the trainings. It can differ from the trainer that the weights
        come from: with another estimator, the evaluation shows whether the weights
        transfer to it.
    heuristics : list of str, default=("top", "bottom", "random")
        How to choose the sets for a target: examples with the highest weights ("top"),
        the lowest ("bottom") or the smallest in magnitude ("zero": those of weight
        zero, for a sparse datamodel), or random examples ("random"). Ties are broken
        at random.
    baselines : dict of str to array or CSR of shape (n_targets, n_train), default=None
        Other attribution matrices by name. The top examples of each form further sets,
        under the name of the baseline. Their effects are also predicted by the matrix
        passed to `fit`.
    sizes : list of int or float, default=(0.01, 0.02, 0.05, 0.1)
        Numbers of examples in a set, or fractions of the training set.
    target_indices : array-like of int, default=None
        The targets to evaluate. None evaluates all.
    n_trials : int, default=10
        Number of trainings without each set, with different seeds.
    n_control_trials : int, default=100
        Number of trainings on the full training set.
    control : {"full", "subsets"}, default="full"
        What the sets are removed from: the full training set, or in each trial a random
        subset of the trainer's `alpha` and `design`, which is what datamodels are
        fitted to. The subsets are the same for all sets, and each is trained with and
        without the set, so `n_control_trials` is not used.
    edit : {"remove", "mislabel"}, default="remove"
        Whether the examples of a set are removed, or given the most likely wrong class
        of the target. The prediction is that of a removal in both cases, so for
        "mislabel" only the ranks of the effects are comparable.
    random_state : int, RandomState instance or None, default=None
        Determines random sets, ties and subsets. The trainer has its own.

    Attributes
    ----------
    effects_ : CounterfactualEffects
        Predicted and true effects.
    correlations_ : dict of str to Correlation
        Spearman and Pearson correlation of predicted and true effects, over all rows
        with the key "all", and by heuristic.
    wrong_class_ : array of shape (n_targets,)
        The class assigned with edit="mislabel".
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    predict_counterfactual : Predict effects without training.
    skdatamodels.plotting.CounterfactualDisplay : Plot predicted against true effects.

    Notes
    -----
    If the trainer has `groups`, they take the place of the examples: the attribution
    matrix has a column for each group, sizes are numbers or fractions of groups, and a
    group is removed with all its examples, or all of them get the wrong class.

    All sets are trained in one call of the trainer. Equal sets, for several targets or
    by several heuristics, are trained only once. Every training measures all targets
    of the trainer. All outputs are held in memory unless the trainer has a store.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.1.2, appendices F.1, F.7, F.8.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
    >>> from skdatamodels.applications import CounterfactualEvaluation
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> y = X[:, 0] + X[:, 1] ** 2
    >>> train, targets = Examples(X[:30], y[:30]), Examples(X[30:], y[30:])
    >>> trainer = SubsetTrainer(
    ...     Ridge(), train, targets, output="prediction", random_state=0
    ... )
    >>> datamodels = DatamodelRegressor(random_state=0)
    >>> datamodels = datamodels.fit(trainer.fit_transform(np.arange(300)))
    >>> evaluation = CounterfactualEvaluation(
    ...     trainer, sizes=[1, 3, 0.2], n_trials=1, n_control_trials=1, random_state=0
    ... ).fit(datamodels.coef_)
    >>> len(evaluation.effects_)  # 10 targets, 3 heuristics, 3 sizes
    90
    >>> evaluation.correlations_["all"].pearson > 0.9
    True
    """

    _parameter_constraints = {
        "trainer": [SubsetTrainer, ComponentAblation],
        "heuristics": ["array-like"],
        "baselines": [dict, None],
        "sizes": ["array-like"],
        "target_indices": ["array-like", None],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "n_control_trials": [Interval(Integral, 1, None, closed="left")],
        "control": [StrOptions({"full", "subsets"})],
        "edit": [StrOptions({"remove", "mislabel"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        trainer,
        *,
        heuristics=("top", "bottom", "random"),
        baselines=None,
        sizes=(0.01, 0.02, 0.05, 0.1),
        target_indices=None,
        n_trials=10,
        n_control_trials=100,
        control="full",
        edit="remove",
        random_state=None,
    ):
        self.trainer = trainer
        self.heuristics = heuristics
        self.baselines = baselines
        self.sizes = sizes
        self.target_indices = target_indices
        self.n_trials = n_trials
        self.n_control_trials = n_control_trials
        self.control = control
        self.edit = edit
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Choose the sets, train without them and compare.

        Parameters
        ----------
        X : array-like or CSR of shape (n_targets, n_train)
            Attribution matrix to evaluate, in the unit of the output.
        y : None
            Ignored.

        Returns
        -------
        self : CounterfactualEvaluation
            The fitted evaluation.

        Raises
        ------
        ValueError
            Before any training: if a matrix has NaN or does not match the trainer's
            targets and training set, a heuristic is unknown, a size is not below
            n_train, a target does not exist, or edit="mislabel" and the trainer does
            not train a classifier.
        RuntimeError
            If trainings failed, depending on the trainer's `on_failure`.
        """
        X = check_attributions(self, X, self.trainer)
        n_targets, n_train = X.shape
        sizes = check_sizes(self.sizes, n_train)
        targets = check_target_indices(self.target_indices, n_targets)
        baselines = self._check_heuristics(n_targets, n_train)
        if self.edit == "mislabel":
            check_takes_labels(self.trainer)
        seed, subset_seed = check_random_state(self.random_state).randint(2**31, size=2)
        table, removed = self._choose_sets(X, baselines, targets, sizes, seed)
        bases = np.ones((1, n_train), dtype=bool)
        if self.control == "subsets":
            bases = self.trainer.draw_subsets(self.n_trials, subset_seed).dense()
        effects = self._train(removed, table["target"], bases)
        rows = np.arange(len(removed)), table["target"]
        # only examples that are in a base can be removed from it
        self._share = bases.mean(axis=0)
        self.effects_ = CounterfactualEffects(
            **table,
            target_id=self.trainer.targets.ids_at(table["target"]),
            predicted=_predict_rows(X, removed, table["target"], self._share),
            true=effects.mean[rows],
            error=effects.error[rows],
            removed=PackedMasks.from_dense(removed),
            base=effects.base[table["target"]],
        )
        self.correlations_ = self.effects_.correlations()
        return self

    def effects_by(self, X):
        """Predict the effects of the same sets with another attribution matrix.

        Nothing is trained, so several matrices can be compared on the same trainings.
        The comparison is fair if the sets of each matrix are included, by `baselines`.

        Parameters
        ----------
        X : array-like or CSR of shape (n_targets, n_train)
            Attribution matrix, in the unit of the output.

        Returns
        -------
        effects : CounterfactualEffects
            Copy of `effects_` with the predictions of this matrix.

        Raises
        ------
        ValueError
            If the matrix has NaN or another shape than the one passed to :meth:`fit`.
        """
        check_is_fitted(self)
        X, effects = check_attributions(self, X, self.trainer), self.effects_
        predicted = _predict_rows(
            X, effects.removed.dense(), effects.target, self._share
        )
        return replace(effects, predicted=predicted)

    def _check_heuristics(self, n_targets, n_train):
        """Return the validated baselines, as float, dense or CSR."""
        unknown = [name for name in self.heuristics if name not in HEURISTICS]
        if unknown:
            raise ValueError(
                f"heuristics must be among {', '.join(map(repr, HEURISTICS))}; got "
                f"{unknown}. Pass other choices of examples as baselines."
            )
        baselines = {
            name: check_weights(matrix, f"baseline {name!r}")
            for name, matrix in (self.baselines or {}).items()
        }
        for name, matrix in baselines.items():
            if name in HEURISTICS or name == "all":
                raise ValueError(f"A baseline cannot be named {name!r}: it is in use.")
            if matrix.shape != (n_targets, n_train):
                raise ValueError(
                    f"Baseline {name!r} has shape {matrix.shape}, but the attribution "
                    f"matrix has shape {(n_targets, n_train)}."
                )
        if not (len(self.heuristics) or baselines):
            raise ValueError("heuristics and baselines are both empty: pass one.")
        return baselines

    def _choose_sets(self, X, baselines, targets, sizes, seed):
        """Return the first columns of the table, and the sets (n_rows, n_train)."""
        sources = [(name, X, HEURISTICS[name]) for name in self.heuristics]
        sources += [(name, B, HEURISTICS["top"]) for name, B in baselines.items()]
        rows = [
            (target, name, size)
            for target in targets
            for name, _, _ in sources
            for size in sizes
        ]
        removed = np.zeros((len(rows), X.shape[1]), dtype=bool)
        row = iter(removed)
        for target in targets:
            for name, matrix, score in sources:
                # seeded so that a set does not depend on the other sets
                rng = np.random.default_rng([seed, target, *name.encode()])
                order = order_by(
                    score(dense_row(matrix, target)), rng.random(X.shape[1])
                )
                for size in sizes:
                    next(row)[order[:size]] = True
        target, heuristic, size = map(np.array, zip(*rows, strict=True))
        return {"target": target, "heuristic": heuristic, "size": size}, removed

    def _train(self, removed, target, bases):
        trainer, labels = self.trainer, None
        if self.edit == "mislabel":
            self.wrong_class_ = most_likely_wrong_class(trainer, self.n_trials)
            labels = self.wrong_class_[target]
        edits = Edits(trainer) if labels is None else Edits(trainer, removed, labels)
        if self.control == "subsets":
            return effects_on_subsets(edits, removed, labels, bases)
        return effects_on_everything(
            edits, removed, labels, self.n_trials, self.n_control_trials
        )


def _check_removal_sets(removal_sets, n_train):
    """Return the sets as a bool array (n_sets, n_train)."""
    if getattr(removal_sets, "shape", None) is None:
        removal_sets = [np.asarray(removal_set) for removal_set in removal_sets]
        are_masks = removal_sets and all(s.dtype == bool for s in removal_sets)
        removal_sets = np.array(removal_sets) if are_masks else removal_sets
    if not isinstance(removal_sets, list):
        removed = np.asarray(removal_sets)
        if removed.dtype != bool or removed.ndim != 2 or removed.shape[1] != n_train:
            raise ValueError(
                f"Sets given as an array must be bool of shape (n_sets, {n_train}), "
                f"got {removed.dtype} of shape {removed.shape}. Pass indices as a list "
                "of arrays."
            )
        return removed
    removed = np.zeros((len(removal_sets), n_train), dtype=bool)
    for number, (row, indices) in enumerate(zip(removed, removal_sets, strict=True)):
        whole = indices.size == 0 or np.issubdtype(indices.dtype, np.integer)
        if not whole or indices.ndim != 1 or not np.isin(indices, range(n_train)).all():
            raise ValueError(
                f"Set {number} must be indices of training examples, integers from 0 "
                f"to {n_train - 1}; got {indices}. Of ids, train.positions_of(ids) "
                "gives the positions."
            )
        row[indices.astype(int)] = True
        if row.sum() < indices.size:
            raise ValueError(f"Set {number} has an example twice: {indices}.")
    return removed


def _predict_rows(X, removed, targets, share):
    """Predict the effect of each set on its target.

    `share` (n_train,) is the fraction of the bases that contain each example.
    """
    predicted = np.empty(len(targets))
    for target in np.unique(targets):
        rows = targets == target
        predicted[rows] = -(removed[rows] @ (share * dense_row(X, target)))
    return predicted
