"""The gradient boosting models of scikit-learn, read as BoostedTrees."""

import copy

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from skdatamodels.influence._boosted_trees import BoostedTrees, number_leaves
from skdatamodels.influence._fitted_on_subset import refuse_parameters

__all__ = ["check_booster", "read_boosted_trees"]

_HISTOGRAM = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_KINDS = (*_HISTOGRAM, GradientBoostingClassifier, GradientBoostingRegressor)
_COVERED = {  # parameter: what the closed form covers
    "loss": ("log_loss", "squared_error"),
    "class_weight": (None,),
    "monotonic_cst": (None,),
    "subsample": (1,),
    "n_iter_no_change": (None,),
}


def check_booster(estimator):
    """Raise an error if the closed form does not cover the estimator."""
    name = type(estimator).__name__
    if type(estimator) not in _KINDS:
        kinds = ", ".join(kind.__name__ for kind in _KINDS)
        raise TypeError(
            f"{name} has no closed form here. It must be one of {kinds}, or of "
            "LightGBM, XGBoost or CatBoost. For forests, use forest_influence."
        )
    covered = dict(_COVERED)
    if isinstance(estimator, _HISTOGRAM):
        del covered["n_iter_no_change"]  # it is ignored without early stopping
        covered["early_stopping"] = (False, "auto")
    else:
        covered["init"] = (None, "zero")
    refuse_parameters(estimator, covered)


def read_boosted_trees(model, train_X, targets_X):
    """Read a fitted model of scikit-learn as BoostedTrees."""
    if isinstance(model, _HISTOGRAM):
        return _read_histogram(model, train_X, targets_X)
    return _read_gradient_boosting(model, train_X, targets_X)


def _read_histogram(model, train_X, targets_X):
    if model.do_early_stopping_:
        raise ValueError(
            "early_stopping keeps some of the training examples for validation, so "
            "their effect has no closed form. Set early_stopping=False."
        )
    trees = [[p.nodes[p.nodes["is_leaf"] == 1] for p in r] for r in model._predictors]
    train_leaves, target_leaves = _staged_leaves(model, train_X, targets_X)
    # a tree without a split has the value 0 whatever the gradients are
    l2 = [
        [np.inf if len(leaves) == 1 else model.l2_regularization for leaves in of_round]
        for of_round in trees
    ]
    return BoostedTrees(
        **_loss(model),
        learning_rate=model.learning_rate,
        l2=l2,
        start=np.ravel(model._baseline_prediction),
        train_leaves=train_leaves,
        target_leaves=target_leaves,
        values=[[leaves["value"] for leaves in of_round] for of_round in trees],
    )


def _staged_leaves(model, *tables):
    """Return the leaves of each table, int32 (n_rounds, n_scores, n).

    scikit-learn has no public way to them. So the values of the leaves are replaced by
    their numbers in a copy of the model: the differences of its staged scores are then
    the leaves, exactly, because all are sums of small integers.
    """
    numbered = copy.deepcopy(model)
    numbered._baseline_prediction = np.zeros_like(model._baseline_prediction)
    for of_round in numbered._predictors:
        for predictor in of_round:
            is_leaf = predictor.nodes["is_leaf"] == 1
            predictor.nodes["value"][is_leaf] = np.arange(is_leaf.sum())
    staged = (
        numbered.staged_decision_function
        if is_classifier(model)
        else numbered.staged_predict  # the scores themselves, for the squared error
    )
    found = []
    for X in tables:
        scores = np.stack([s.reshape(len(s), -1).T for s in staged(X)])
        found.append(np.diff(scores, axis=0, prepend=0).astype(np.int32))
    return found


def _read_gradient_boosting(model, train_X, targets_X):
    n_train = train_X.shape[0]
    nodes = [model.apply(X).astype(np.int64) for X in (train_X, targets_X)]
    nodes = np.concatenate([n.reshape(*n.shape[:2], -1) for n in nodes])
    leaves = np.empty((*nodes.shape[1:], len(nodes)), dtype=np.int32)
    values = []
    for t, of_round in enumerate(model.estimators_):
        values.append([])
        for k, tree in enumerate(of_round):
            found, leaves[t, k] = number_leaves(nodes[:, t, k])
            added = tree.tree_.value[found, 0, 0]
            values[t].append(model.learning_rate * added)
    loss = _loss(model)
    n_classes = 0 if loss["classes"] is None else len(loss["classes"])
    return BoostedTrees(
        **loss,
        learning_rate=model.learning_rate,
        l2=np.zeros(leaves.shape[:2]),
        start=_start(model, train_X, leaves[0, :, 0], values[0]),
        train_leaves=leaves[..., :n_train],
        target_leaves=leaves[..., n_train:],
        values=values,
        # scikit-learn follows Friedman, who has a factor (K - 1)/K in each leaf
        hessian_scale=n_classes / (n_classes - 1) if n_classes > 2 else 1.0,
        fitted_start=model.init is None,
    )


def _start(model, X, leaves, values):
    """Return the scores of the first example, less what the first round added."""
    staged = (
        model.staged_decision_function if is_classifier(model) else model.staged_predict
    )
    first = np.ravel(next(staged(X[:1])))
    return first - [v[leaf] for v, leaf in zip(values, leaves, strict=True)]


def _loss(model):
    if not is_classifier(model):
        return {"loss": "squared_error", "classes": None}
    loss = "log_loss" if len(model.classes_) == 2 else "softmax"
    return {"loss": loss, "classes": model.classes_}
