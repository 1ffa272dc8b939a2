"""Influence of training examples on trees and forests, for fixed splits."""

from numbers import Real
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.stats import binom
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.influence._fitted_on_subset import fit_on_subset, refuse_parameters
from skdatamodels.masks._packed import row_blocks
from skdatamodels.outputs import encode_targets

__all__ = ["forest_influence"]

_TREES = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)
_FORESTS = (
    RandomForestClassifier,
    RandomForestRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
)
_BAGS = (BaggingClassifier, BaggingRegressor)
_COVERED = {  # parameter: what the closed form covers
    "criterion": (
        *("gini", "entropy", "log_loss"),
        *("squared_error", "friedman_mse", "poisson"),
    ),
    "class_weight": (None,),
    "monotonic_cst": (None,),
}


@validate_params(
    {"parent_weight": [Interval(Real, 0, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def forest_influence(
    estimator, train, targets, *, output=None, parent_weight=1.0, subset=None
):
    """Influence on trees and forests, in closed form for fixed splits.

    The effect of an example is what its presence adds to the mean of its leaf, averaged
    over the trees. It needs one fit, and no retraining.

    Parameters
    ----------
    estimator : tree or forest of scikit-learn, or FrozenEstimator
        A RandomForest, ExtraTrees, DecisionTree or ExtraTree, classifier or regressor,
        or a bagging classifier or regressor of decision trees. It is cloned and fitted
        here on `subset`. A :class:`~sklearn.frozen.FrozenEstimator` contains a model
        that was fitted on `subset`, and is used as it is.
    train, targets : Examples
        The training set and the targets. X may have missing values if the estimator
        takes them.
    output : str, default=None
        "margin", "log_odds", "confidence" or "cross_entropy" for a classifier,
        "prediction" or "squared_error" for a regressor. None means "margin" or
        "prediction". See :data:`skdatamodels.outputs.OUTPUTS`.
    parent_weight : float >= 0, default=1
        Number of examples as which the mean of its parent node counts in a leaf. If it
        is 0, the effect is exact for fixed splits, but an example in a leaf of its own
        class has none. So fully grown trees, whose leaves have one class each, need
        more than 0.
    subset : array-like of shape (n_subset,), default=None
        Indices of the training examples that the model is fitted on, or a bool mask. If
        the model is frozen, in the order in which it was fitted. None means all.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example, of all training examples, in
        `subset` or not. Positive if the presence of the example raises the output.

    Raises
    ------
    TypeError
        If the estimator, or the estimator in a bag, is not one of these kinds.
    ValueError
        If the criterion is "absolute_error", there are class weights or monotonic
        constraints, a frozen model was not fitted on `subset`, has several outputs or
        was fitted with sample weights, the output has no derivative, or a target has a
        class that no training example has.

    See Also
    --------
    boosting_influence : The same for gradient boosting.
    over_subsets : The mean over models of random subsets, which is more accurate.

    Notes
    -----
    Let n be the size of the leaf and m the mean of its y, both without the example and
    with the mean of the parent, also without it, as `parent_weight` further examples.
    Present k times, the example changes the mean by (y - m)·k/(n + k). A tree without
    bootstrap has it once. A bootstrap sample has it k times with a binomial
    probability, once on average, and the effect is the mean over k. The draws of the
    other examples are those of the model. y is 0 or 1 for each class of a classifier.

    Outputs are functions of the mean over the trees, and the effect on them is of first
    order. Probabilities of 0 are raised as in runs, to 1/(n_subset + n_classes) or to
    the smallest positive probability, so that the influence is finite.

    The matrix is the sum of three sparse products over the leaves, so the cost is
    proportional to the number of pairs of a target and an example in one leaf.

    References
    ----------
    Sharchilev, Ustinovskiy, Serdyukov, de Rijke, "Finding influential training samples
    for gradient boosted decision trees", ICML 2018, on influence for fixed splits.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import forest_influence
    >>> train = Examples([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 4.0, 6.0])
    >>> targets = Examples([[3.0]], [5.0])
    >>> stump = DecisionTreeRegressor(max_depth=1)
    >>> forest_influence(stump, train, targets, parent_weight=0.0).round(2)
    array([[ 0.,  0., -1.,  1.]])
    """
    fit = fit_on_subset(estimator, train, targets, output, subset, _check_forest)
    gradient = fit.gradient
    if fit.classes is None:
        # effects do not depend on the level of y, but rounding does
        shift, y = fit.y_train.mean(), fit.y_train[:, None].astype(np.float64)
        y, gradient = y - shift, gradient[:, None]
    else:
        shift, y = 0.0, np.eye(len(fit.classes))[fit.y_train]
        gradient = gradient / np.exp(fit.raw)  # the raw outputs are logs
    _refuse_other_chances(fit.model)
    trees = list(_read_trees(fit, train.X, targets.X, y, shift))
    chances = _chances_of_draws(fit.model, trees[0].drawn, len(fit.subset))
    parts = [_effects(tree, chances, parent_weight) for tree in trees]
    return _sum_over_trees(trees, parts, gradient, y)


def _check_forest(estimator):
    """Raise an error if the closed form does not cover the estimator."""
    fitted = estimator
    if type(estimator) in _BAGS:
        tree = estimator.estimator
        if tree is not None and type(tree) not in _TREES:
            raise TypeError(
                f"{type(estimator).__name__} of {type(tree).__name__} has no closed "
                "form here. It must be a bag of decision trees."
            )
        estimator = estimator if tree is None else tree
    elif type(estimator) not in (*_TREES, *_FORESTS):
        kinds = ", ".join(kind.__name__ for kind in (*_FORESTS, *_TREES, *_BAGS))
        raise TypeError(
            f"{type(estimator).__name__} has no closed form here. It must be one of "
            f"{kinds}."
        )
    refuse_parameters(estimator, _COVERED)
    n_outputs = getattr(_members(fitted)[0], "n_outputs_", 1)
    if n_outputs > 1:
        raise ValueError(
            f"The {type(fitted).__name__} was fitted to {n_outputs} outputs. It must "
            "have one, the y of the training examples."
        )


class _Tree(NamedTuple):
    """A tree of a forest, with numbered nodes.

    size (n_nodes,) is the number of examples that it was fitted on, with repetitions,
    and mean (n_nodes, n_columns) that of their y. drawn (n_train,) says how often it
    has drawn each. train_nodes (n_train,) and target_nodes (n_targets,) are leaves.
    """

    size: np.ndarray
    mean: np.ndarray
    parent: np.ndarray
    drawn: np.ndarray
    train_nodes: np.ndarray
    target_nodes: np.ndarray


def _read_trees(fit, train_X, targets_X, y, shift):
    """Yield the trees of a fitted model; y is less `shift`, and so are their means."""
    model, n_train = fit.model, len(fit.y_train)
    train_nodes, target_nodes = (_leaves(model, X) for X in (train_X, targets_X))
    samples = _samples(model, len(fit.subset))
    for b, member in enumerate(_members(model)):
        tree, drawn = member.tree_, np.zeros(n_train)
        drawn[fit.subset] = np.bincount(samples[b], minlength=len(fit.subset))
        means = _means(member, fit) - shift
        _check_leaves(tree, means, drawn, train_nodes[b], y)
        yield _Tree(
            tree.weighted_n_node_samples,
            means,
            _parents(tree),
            drawn,
            train_nodes[b],
            target_nodes[b],
        )


def _members(model):
    return getattr(model, "estimators_", [model])


def _leaves(model, X):
    """Return the leaf of each example in each tree, (n_trees, n)."""
    if type(model) not in _BAGS:
        nodes = model.apply(X)
        return nodes.reshape(len(nodes), -1).T
    X = X.tocsr() if sp.issparse(X) else np.asarray(X)
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    return np.stack([tree.apply(X[:, features]) for tree, features in pairs])


def _samples(model, n):
    """Return the rows that each tree was fitted on, with repetitions."""
    if type(model) in _BAGS or getattr(model, "bootstrap", False):
        return model.estimators_samples_
    return [np.arange(n)] * len(_members(model))


def _refuse_other_chances(model):
    """Raise an error if the trees draw examples with unequal probabilities.

    From scikit-learn 1.9, sample weights of a forest are these probabilities.
    """
    weight = getattr(model, "_sample_weight", None)
    if weight is not None and np.ptp(weight) > 0:
        raise ValueError(
            "The model was fitted with sample weights, which change what its trees "
            "draw. It must be fitted without."
        )


def _check_leaves(tree, means, drawn, nodes, y):
    """Raise an error if the examples do not give the leaves their sizes and means."""
    leaves = tree.children_left < 0
    sizes = np.bincount(nodes, drawn, minlength=tree.node_count)[leaves]
    right = np.allclose(sizes, tree.weighted_n_node_samples[leaves])
    if right:
        sums = _by_node(nodes[:, None], drawn[:, None], tree.node_count).T @ y
        atol = 1e-6 * np.abs(y).max()
        right = np.allclose(sums[leaves], sizes[:, None] * means[leaves], atol=atol)
    if not right:
        raise ValueError(
            "The leaves of the model do not have the sizes and means that the training "
            "examples of the subset give them. A model in a FrozenEstimator must have "
            "been fitted on exactly these examples, in this order, without sample "
            "weights."
        )


def _means(member, fit):
    """Return the mean y of each node, (n_nodes, n_columns)."""
    values = member.tree_.value[:, 0]
    if fit.classes is None:
        return values
    columns = encode_targets(fit.model.classes_, fit.classes)
    if type(fit.model) in _BAGS:  # a member may have drawn only some of the classes
        columns = columns[member.classes_.astype(np.intp)]
    means = np.zeros((len(values), len(fit.classes)))
    means[:, columns] = values
    return means


def _parents(tree):
    """Return the parent of each node; the root is its own."""
    parent = np.zeros(tree.node_count, dtype=np.intp)
    inner = np.flatnonzero(tree.children_left >= 0)
    parent[tree.children_left[inner]] = parent[tree.children_right[inner]] = inner
    return parent


def _chances_of_draws(model, drawn, n):
    """Return the probability that a tree draws an example 0, 1, 2, … times."""
    n_draws = int(drawn.sum())
    if not getattr(model, "bootstrap", False):
        return np.array([1 - n_draws / n, n_draws / n])
    most = int(binom.isf(1e-17, n_draws, 1 / n)) + 1
    return binom.pmf(np.arange(most + 1), n_draws, 1 / n)


def _effects(tree, chances, parent_weight):
    """Return what the presence of each example does to the mean of its leaf.

    The effect is ``a * y - b * mean of its leaf - c * mean of the parent``; the result
    is (a, b, c), each of shape (n_train,).

    A leaf of n examples, c of which are copies of example i, has a sum without it of
    n·mean - c·y. Its parent, of N examples, has N·mean - c·y. With the parent's mean
    without it as s further examples, the leaf has rest = n - c + s examples, whose mean
    is m. If the example is drawn k times, it changes m by (y - m)·k/(rest + k).
    """
    leaf = tree.train_nodes
    n, N, c = tree.size[leaf], tree.size[tree.parent[leaf]], tree.drawn
    rest = n - c + parent_weight
    sizes, size_of = np.unique(rest, return_inverse=True)
    times = np.arange(1, len(chances))
    moved = (chances[1:] * times / (sizes[:, None] + times)).sum(axis=1)[size_of]
    # An empty leaf has the mean of its parent.
    weight = np.where(rest > 0, parent_weight, 1.0)
    share = weight / np.maximum(N - c, 1)
    rest = n - c + weight
    return np.stack([1 + c * (1 + share) / rest, n / rest, N * share / rest]) * moved


def _sum_over_trees(trees, effects, gradient, y):
    """Return the influence (n_targets, n_train); there is one of `effects` a tree."""
    starts = np.cumsum([0, *(len(tree.size) for tree in trees)])

    def joined(name, join=np.column_stack):
        """Return nodes of all trees, in one numbering."""
        of_trees = zip(trees, starts[:-1], strict=True)
        return join([getattr(tree, name) + start for tree, start in of_trees])

    means = np.concatenate([tree.mean for tree in trees])
    parents = np.concatenate(
        [t.parent + s for t, s in zip(trees, starts, strict=False)]
    )
    train, targets = joined("train_nodes"), joined("target_nodes")
    a, b, c = (
        _by_node(train, effect, starts[-1]).T.tocsr()
        for effect in np.stack(effects, axis=-1)
    )
    influence = np.empty((len(targets), len(train)))
    row_bytes = 32 * len(train) + 16 * len(trees) * means.shape[1]
    for rows in row_blocks(len(targets), row_bytes):
        nodes, by_mean = targets[rows], gradient[rows, None]
        at_leaf = -(by_mean * means[nodes]).sum(axis=2)
        at_parent = -(by_mean * means[parents[nodes]]).sum(axis=2)
        own, leaf, parent = (
            (_by_node(nodes, weight, starts[-1]) @ of_train).toarray()
            for weight, of_train in (
                (np.ones(nodes.shape), a),
                (at_leaf, b),
                (at_parent, c),
            )
        )
        influence[rows] = own * (gradient[rows] @ y.T) + leaf + parent
    return influence / len(trees)


def _by_node(nodes, values, n_nodes):
    """Return a CSR (n, n_nodes) with one value in each row for each tree."""
    n, n_trees = nodes.shape
    indptr = np.arange(n + 1) * n_trees
    return sp.csr_matrix((values.ravel(), nodes.ravel(), indptr), shape=(n, n_nodes))
