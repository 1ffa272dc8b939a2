"""Boosted trees of XGBoost, read from its public dumps."""

import json

import numpy as np
from scipy.special import logit

from skdatamodels.influence._boosted_trees import BoostedTrees
from skdatamodels.influence._booster_options import (
    by_round,
    check_kind,
    check_options,
    given_options,
)

__all__ = ["check_booster", "read_boosted_trees"]

_LOSSES = {
    "reg:squarederror": "squared_error",
    "binary:logistic": "log_loss",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
}
# A model lists its options under these names; estimators have others.
_MAIN_NAMES = {"reg_alpha": "alpha", "reg_lambda": "lambda", "learning_rate": "eta"}
_COVERED = {
    "booster": "gbtree",
    "multi_strategy": "one_output_per_tree",
    "num_parallel_tree": "1",
    "subsample": "1",
    "alpha": "0",
    "max_delta_step": "0",
    "monotone_constraints": "",
    "scale_pos_weight": "1",
}


def check_booster(estimator):
    """Raise an error if the closed form does not cover an estimator, fitted or not."""
    check_kind(estimator, ("XGBClassifier", "XGBRegressor"))
    check_options(estimator, _options(estimator), list(_LOSSES), _COVERED)


def read_boosted_trees(model, train_X, targets_X):
    """Read a fitted XGBClassifier or XGBRegressor.

    Rounds after the best iteration are left out, as in `predict`.

    Raises
    ------
    TypeError
        If the model is of another class.
    ValueError
        If the closed form does not cover an option of the model.
    """
    check_booster(model)
    options = _options(model)
    loss = _LOSSES[options["objective"]]
    n_scores = len(model.classes_) if loss == "softmax" else 1
    train_nodes, target_nodes = (_nodes(model, X) for X in (train_X, targets_X))
    saved = json.loads(bytes(model.get_booster().save_raw("json")))
    trees = saved["learner"]["gradient_booster"]["model"]["trees"][: len(train_nodes)]
    read = [_leaves(tree, float(options["lambda"])) for tree in trees]
    for (found, _, _), *nodes in zip(read, train_nodes, target_nodes, strict=True):
        for part in nodes:
            part[:] = np.searchsorted(found, part)
    return BoostedTrees(
        loss=loss,
        classes=getattr(model, "classes_", None),
        learning_rate=float(options["eta"]),
        l2=by_round([l2 for _, _, l2 in read], n_scores),
        start=_start(options, loss, n_scores),
        train_leaves=train_nodes.reshape(-1, n_scores, train_nodes.shape[1]),
        target_leaves=target_nodes.reshape(-1, n_scores, target_nodes.shape[1]),
        values=by_round([values for _, values, _ in read], n_scores),
        hessian_scale=2.0 if loss == "softmax" else 1.0,
        fitted_start=_is_fitted(options, loss),
    )


def _leaves(tree, l2):
    """Return nodes that are leaves, their values, and what is added to Hessians."""
    found = np.flatnonzero(np.array(tree["left_children"]) == -1)
    values = np.array(tree["split_conditions"], dtype=np.float64)[found]
    # Under min_child_weight the root is 0, whatever its gradients.
    fixed = len(found) == 1 and values[0] == 0
    return found, values, np.full(len(found), np.inf if fixed else l2)


def _start(options, loss, n_scores):
    start = np.array(json.loads(options["base_score"]), dtype=np.float64, ndmin=1)
    return np.broadcast_to(logit(start) if loss == "log_loss" else start, n_scores)


def _is_fitted(options, loss):
    """Return whether the start is the best constant.

    Before 3.2, classifiers start from a step towards it.
    """
    exact = loss == "squared_error" or options["version"] >= [3, 2]
    return options["boost_from_average"] == "1" and exact


def _options(estimator):
    """Return options as text: all, under their main names, if it is fitted."""
    options = given_options(estimator.get_params(), _MAIN_NAMES)
    if not estimator.__sklearn_is_fitted__():
        return options
    return options | _flat(json.loads(estimator.get_booster().save_config()))


def _flat(config):
    found = {}
    for name, value in config.items():
        found |= _flat(value) if isinstance(value, dict) else {name: value}
    return found


def _nodes(model, X):
    nodes = model.apply(X).astype(np.int32)
    return nodes.reshape(len(nodes), -1).T.copy()
