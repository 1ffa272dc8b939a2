"""Counterfactuals: what the model would say without some training examples."""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skdatamodels._sklearn_compat import Interval, StrOptions, fit_context
from skdatamodels._tables import Table, import_pandas, table_html, table_text
from skdatamodels.applications._attributions import check_attributions, check_weights
from skdatamodels.applications._edits import (
    Edits,
    check_takes_labels,
    effects_on_everything,
    effects_on_subsets,
    most_likely_wrong_class,
)
from skdatamodels.applications._removal_sets import HEURISTICS, dense_row, order_by
from skdatamodels.masks import PackedMasks
from skdatamodels.training import SubsetTrainer


def predict_counterfactual(weights, removal_sets):
    """Predict how outputs change when sets of training examples are removed.

    A datamodel is linear in the mask, so the change is the sum of the weights of the
    removed examples, with its sign turned. Nothing is trained.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train)
        Attribution matrix, in the unit of the output.
    removal_sets : bool array-like of shape (n_sets, n_train), or list of int arrays
        True for the examples that are removed; or, for each set, their indices.

    Returns
    -------
    effects : float array of shape (n_targets, n_sets)
        Predicted change of the output, in its unit; negative where it falls.

    Raises
    ------
    ValueError
        If weights are no finite matrix, or a set holds what is not among the training
        examples, or the same example twice.

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
    weights = check_weights(weights)
    removed = _check_removal_sets(removal_sets, weights.shape[1])
    return -(weights @ removed.T.astype(weights.dtype))


class Correlation(NamedTuple):
    """Rank and linear correlation of predicted and true effects, of `n` pairs."""

    spearman: float
    pearson: float
    n: int

    def __repr__(self):
        return (
            f"Correlation(spearman={self.spearman:.2f}, pearson={self.pearson:.2f}, "
            f"n={self.n:,})"
        )


@dataclass(frozen=True, eq=False)
class CounterfactualEffects:
    """Predicted and true effects, one row a target and a set of removed examples.

    Attributes
    ----------
    target : int array of shape (n_rows,)
        Row of the attribution matrix.
    target_id : object array of shape (n_rows,)
        Its id.
    heuristic : str array of shape (n_rows,)
        How the set was chosen.
    size : int array of shape (n_rows,)
        Number of examples in the set.
    predicted, true : float64 array of shape (n_rows,)
        Change of the mean output, in its unit. NaN where all trainings failed.
    error : float64 array of shape (n_rows,)
        Standard error of `true` by the randomness of training; NaN for one trial.
    removed : PackedMasks of shape (n_rows, n_train)
        The sets: True for the removed examples.
    """

    target: np.ndarray
    target_id: np.ndarray
    heuristic: np.ndarray
    size: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    error: np.ndarray
    removed: PackedMasks

    def __len__(self):
        return len(self.target)

    def correlations(self):
        """Correlate predicted and true effects, over all rows and by heuristic.

        Returns
        -------
        correlations : dict of str to Correlation
            Under "all" and under each heuristic. NaN where either does not vary.
        """
        groups = {"all": np.ones(len(self), dtype=bool)}
        for name in dict.fromkeys(self.heuristic.tolist()):
            groups[name] = self.heuristic == name
        return {
            name: _correlation(self.predicted[rows], self.true[rows])
            for name, rows in groups.items()
        }

    def to_frame(self):
        """Return the table as a pandas.DataFrame, without the sets.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = ("target", "heuristic", "size", "predicted", "true", "error")
        return import_pandas().DataFrame({name: getattr(self, name) for name in names})

    def _table(self):
        correlations = self.correlations()
        columns = {
            "heuristic": list(correlations),
            "sets": [one.n for one in correlations.values()],
            "Spearman": [one.spearman for one in correlations.values()],
            "Pearson": [one.pearson for one in correlations.values()],
        }
        targets = f"{len(np.unique(self.target)):,} targets"
        return Table(f"True and predicted effects on {targets}", columns)

    __repr__ = table_text
    _repr_html_ = table_html


class CounterfactualEvaluation(BaseEstimator):
    """Remove sets of training examples, train again, and compare with the prediction.

    For each target, sets of several sizes are chosen by several heuristics. The true
    effect of a set is the mean output of models trained without it, less the mean of
    models trained on everything. Any attribution matrix can be judged so.

    Parameters
    ----------
    trainer : SubsetTrainer
        Says what is trained, on what and how; its targets are the rows of the
        attribution matrix. Its `store` keeps the trainings. It need not be the trainer
        that the weights come from: with another estimator the evaluation tells
        whether they carry over.
    heuristics : list of str, default=("top", "bottom", "random")
        How sets are chosen for a target: examples of the highest weights, of the
        lowest, of the smallest in magnitude ("zero": of weight zero, in a sparse
        datamodel), or at random. Ties are broken at random.
    baselines : dict of str to array or CSR of shape (n_targets, n_train), default=None
        Other attribution matrices: the top examples of each make sets too, under the
        name of the baseline. The effect is predicted by the matrix given to `fit`.
    sizes : list of int or float, default=(0.01, 0.02, 0.05, 0.1)
        Numbers of examples in a set, or fractions of the training set.
    target_indices : array-like of int, default=None
        The targets to evaluate; all by default.
    n_trials : int, default=10
        Trainings of each set, by different seeds.
    n_control_trials : int, default=100
        Trainings of the full training set.
    control : {"full", "subsets"}, default="full"
        What the sets are removed from: the full training set, or, in each trial, a
        random subset of the trainer's `alpha` and `design`. These are the subsets that
        datamodels know; they are the same for all sets, and each is trained with and
        without the set, so `n_control_trials` does not matter.
    edit : {"remove", "mislabel"}, default="remove"
        Whether the examples of a set are left out or given the wrong class that is the
        most likely for the target. The prediction is that of removal, either way: a
        rank, not a size, of what mislabelling does.
    random_state : int, RandomState instance or None, default=None
        Of random sets, ties and subsets; the trainer has its own.

    Attributes
    ----------
    effects_ : CounterfactualEffects
        The table.
    correlations_ : dict of str to Correlation
        Spearman and Pearson correlation of predicted and true effects, under "all" and
        each heuristic.
    wrong_class_ : array of shape (n_targets,)
        Class given, for edit="mislabel".
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    predict_counterfactual : The prediction alone.
    skdatamodels.plotting.CounterfactualDisplay : Predicted against true effects.

    Notes
    -----
    All sets are one call of the trainer, and sets that coincide are trained once: so
    are those of the same examples for several targets, or by several heuristics. Every
    training measures all targets of the trainer; the outputs of all are held in memory
    unless the trainer has a store.

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
        "trainer": [SubsetTrainer],
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
            Attribution matrix that predicts, in the unit of the output.
        y : None
            Ignored.

        Returns
        -------
        self : CounterfactualEvaluation

        Raises
        ------
        ValueError
            Before any training: if a matrix has NaN or another shape than the
            trainer's targets and training set ask for, a heuristic is not known, a
            size is not below n_train, a target does not exist, or labels are to be
            changed for what is no classifier.
        RuntimeError
            If trainings failed, as the trainer's `on_failure` says.
        """
        X = check_attributions(self, X, self.trainer)
        n_targets, n_train = X.shape
        sizes = _check_sizes(self.sizes, n_train)
        targets = _check_target_indices(self.target_indices, n_targets)
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
        # what a base does not hold cannot be removed from it
        self._share = bases.mean(axis=0)
        self.effects_ = CounterfactualEffects(
            **table,
            target_id=self.trainer.targets.ids_at(table["target"]),
            predicted=_predict_rows(X, removed, table["target"], self._share),
            true=effects.mean[rows],
            error=effects.error[rows],
            removed=PackedMasks.from_dense(removed),
        )
        self.correlations_ = self.effects_.correlations()
        return self

    def effects_by(self, X):
        """Let another attribution matrix predict the effects of the same sets.

        Nothing is trained: so several matrices are judged on the same trainings, which
        is fair where each of them has its sets, as `baselines` does.

        Parameters
        ----------
        X : array-like or CSR of shape (n_targets, n_train)

        Returns
        -------
        effects : CounterfactualEffects
            As `effects_`, but for the predictions.

        Raises
        ------
        ValueError
            As :meth:`fit` does of the matrix.
        """
        check_is_fitted(self)
        X, effects = check_attributions(self, X, self.trainer), self.effects_
        predicted = _predict_rows(
            X, effects.removed.dense(), effects.target, self._share
        )
        return replace(effects, predicted=predicted)

    def _check_heuristics(self, n_targets, n_train):
        """Return the baselines, float and dense or CSR."""
        unknown = [name for name in self.heuristics if name not in HEURISTICS]
        if unknown:
            raise ValueError(
                f"heuristics are {', '.join(map(repr, HEURISTICS))}; got {unknown}. "
                "Other choices of examples go into baselines."
            )
        baselines = {
            name: check_weights(matrix, f"baseline {name!r}")
            for name, matrix in (self.baselines or {}).items()
        }
        for name, matrix in baselines.items():
            if name in HEURISTICS or name == "all":
                raise ValueError(f"A baseline cannot be named {name!r}, a name in use.")
            if matrix.shape != (n_targets, n_train):
                raise ValueError(
                    f"Baseline {name!r} has shape {matrix.shape}; the attribution "
                    f"matrix has {(n_targets, n_train)}."
                )
        if not (len(self.heuristics) or baselines):
            raise ValueError("No heuristic and no baseline: no set could be chosen.")
        return baselines

    def _choose_sets(self, X, baselines, targets, sizes, seed):
        """Return the first columns of the table, and removed (n_rows, n_train)."""
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
                # so that no set depends on which others are asked for
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
    """Return bool array (n_sets, n_train)."""
    if getattr(removal_sets, "shape", None) is None:
        removal_sets = [np.asarray(removal_set) for removal_set in removal_sets]
        are_masks = removal_sets and all(s.dtype == bool for s in removal_sets)
        removal_sets = np.array(removal_sets) if are_masks else removal_sets
    if not isinstance(removal_sets, list):
        removed = np.asarray(removal_sets)
        if removed.dtype != bool or removed.ndim != 2 or removed.shape[1] != n_train:
            raise ValueError(
                f"Sets given as an array must be bool of shape (n_sets, {n_train}), "
                f"got {removed.dtype} of shape {removed.shape}. Give indices as a list "
                "of arrays."
            )
        return removed
    removed = np.zeros((len(removal_sets), n_train), dtype=bool)
    for number, (row, indices) in enumerate(zip(removed, removal_sets, strict=True)):
        whole = indices.size == 0 or np.issubdtype(indices.dtype, np.integer)
        if not whole or indices.ndim != 1 or not np.isin(indices, range(n_train)).all():
            raise ValueError(
                f"Set {number} must be indices of training examples, integers from 0 "
                f"to {n_train - 1}; got {indices}."
            )
        row[indices.astype(int)] = True
        if row.sum() < indices.size:
            raise ValueError(f"Set {number} holds an example twice: {indices}.")
    return removed


def _check_sizes(sizes, n_train):
    """Return sizes, numbers of examples or fractions of them, as an int array."""
    counts = [
        size if isinstance(size, Integral) else max(1, round(size * n_train))
        for size in sizes
        if isinstance(size, Integral) or 0 < size < 1
    ]
    if len(counts) < max(1, len(sizes)) or not all(0 < n < n_train for n in counts):
        raise ValueError(
            f"sizes must be numbers of examples from 1 to n_train - 1 = {n_train - 1}, "
            f"or fractions between 0 and 1; got {sizes}."
        )
    return np.unique(counts)


def _check_target_indices(target_indices, n_targets):
    if target_indices is None:
        return np.arange(n_targets)
    indices = np.asarray(target_indices)
    if (
        indices.ndim != 1
        or indices.size == 0
        or not np.issubdtype(indices.dtype, np.integer)
        or not np.isin(indices, range(n_targets)).all()
        or len(np.unique(indices)) < indices.size
    ):
        raise ValueError(
            f"target_indices must be different integers from 0 to {n_targets - 1}; got "
            f"{target_indices}."
        )
    return indices


def _predict_rows(X, removed, targets, share):
    """Predict the effect of each set on one target of its own.

    `share` (n_train,) tells in how many of the bases an example is.
    """
    predicted = np.empty(len(targets))
    for target in np.unique(targets):
        rows = targets == target
        predicted[rows] = -(removed[rows] @ (share * dense_row(X, target)))
    return predicted


def _correlation(predicted, true):
    known = ~np.isnan(true)
    predicted, true = predicted[known], true[known]
    if len(true) < 2 or np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return Correlation(np.nan, np.nan, len(true))
    return Correlation(
        float(spearmanr(predicted, true).statistic),
        float(pearsonr(predicted, true).statistic),
        len(true),
    )
