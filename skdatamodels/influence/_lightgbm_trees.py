"""Boosted trees of LightGBM, read from its public dumps."""

import re

import numpy as np

from skdatamodels.influence._boosted_trees import BoostedTrees
from skdatamodels.influence._booster_options import (
    by_round,
    check_kind,
    check_options,
    given_options,
)

__all__ = ["check_booster", "read_boosted_trees"]

_LOSSES = {
    "regression": "squared_error",
    "binary": "log_loss",
    "multiclass": "softmax",
    # other names, which a model does not list
    "regression_l2": "squared_error",
    "mean_squared_error": "squared_error",
    "mse": "squared_error",
    "l2": "squared_error",
    "softmax": "softmax",
}
# A model lists its options under these names; estimators have others.
_MAIN_NAMES = {
    "boosting_type": "boosting",
    "reg_alpha": "lambda_l1",
    "subsample": "bagging_fraction",
    "subsample_freq": "bagging_freq",
}
_COVERED = {
    "boosting": "gbdt",
    "data_sample_strategy": "bagging",
    "linear_tree": "0",
    "lambda_l1": "0",
    "max_delta_step": "0",
    "path_smooth": "0",
    "monotone_constraints": "",
    "use_quantized_grad": "0",
    "class_weight": "None",
    "is_unbalance": "0",
    "scale_pos_weight": "1",
    "sigmoid": "1",
    "reg_sqrt": "0",
}
# Without bagging_freq, the fractions have no effect.
_OF_BAGGING = dict.fromkeys(
    ("bagging_fraction", "pos_bagging_fraction", "neg_bagging_fraction"), "1"
)


def check_booster(estimator):
    """Raise an error if the closed form does not cover an estimator, fitted or not.

    Other names of options, which LightGBM takes too, are only seen after the fit.
    """
    check_kind(estimator, ("LGBMClassifier", "LGBMRegressor"))
    options = _options(estimator)
    bagging = _OF_BAGGING if options.get("bagging_freq", "0") != "0" else {}
    check_options(estimator, options, list(_LOSSES), _COVERED | bagging)


def read_boosted_trees(model, train_X, targets_X):
    """Read a fitted LGBMClassifier or LGBMRegressor.

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
    dump = model.booster_.dump_model()
    n_scores, trees = dump["num_tree_per_iteration"], dump["tree_info"]
    leaves = [_leaves(tree["tree_structure"], dump, options) for tree in trees]
    values, start, fitted = _split_start(leaves, n_scores, options)
    return BoostedTrees(
        loss=_LOSSES[options["objective"]],
        classes=getattr(model, "classes_", None),
        learning_rate=float(options["learning_rate"]),
        l2=by_round([l2 for value, l2, hessian in leaves], n_scores),
        start=start,
        train_leaves=_leaves_of(model, train_X, n_scores),
        target_leaves=_leaves_of(model, targets_X, n_scores),
        values=by_round(values, n_scores),
        hessian_scale=n_scores / (n_scores - 1) if n_scores > 1 else 1.0,
        fitted_start=fitted,
    )


def _options(estimator):
    """Return options as text: all, under their main names, if it is fitted."""
    options = given_options(estimator.get_params(), _MAIN_NAMES)
    if not estimator.__sklearn_is_fitted__():
        return options
    text = estimator.booster_.model_to_string(num_iteration=1)
    known = dict(re.findall(r"^\[(\w+): (.*)\]$", text, flags=re.MULTILINE))
    return options | known


def _leaves(root, dump, options):
    """Return values, l2 and Hessian sums (n_leaves,) of the leaves of a tree."""
    if "split_index" not in root:  # no split was found, so the value is fixed
        return np.array([root["leaf_value"]]), np.array([np.inf]), np.array([1.0])
    plain, rows, nodes = float(options["lambda_l2"]), [], [(root, 0.0)]
    while nodes:
        node, l2 = nodes.pop()
        if "leaf_index" in node:
            leaf = (node["leaf_index"], node["leaf_value"], l2, node["leaf_weight"])
            rows.append(leaf)
            continue
        l2 = plain + _extra_l2(node, dump, options)
        nodes += [(node["left_child"], l2), (node["right_child"], l2)]
    return tuple(np.array(sorted(rows)).T[1:])


def _extra_l2(node, dump, options):
    """Return what LightGBM adds to l2 where a split takes several categories apart."""
    if node["decision_type"] != "==":
        return 0.0
    feature = dump["feature_names"][node["split_feature"]]
    n_bins = len(dump["feature_infos"][feature]["values"])
    one_by_one = n_bins <= int(options["max_cat_to_onehot"])
    return 0.0 if one_by_one else float(options["cat_l2"])


def _split_start(leaves, n_scores, options):
    """Return the values without the start, the start, and whether it is fitted.

    If it is, the first trees contain it. Without a split in the first round, LightGBM
    puts the best constants in place of the trees in any case.
    """
    values, start = [value for value, _, _ in leaves], np.zeros(n_scores)
    fitted = options["boost_from_average"] == "1"
    if fitted or all(len(value) == 1 for value in values[:n_scores]):
        start = np.array([_start(*tree) for tree in leaves[:n_scores]])
        for k in range(n_scores):
            values[k] = values[k] - start[k]
        fitted = True
    return values, start, fitted


def _start(values, l2, hessians):
    """Return the score before the first tree, which the tree's values contain.

    All gradients add up to 0 there, and so does (H + l2)·(value - start) over the
    leaves.
    """
    if len(values) == 1:
        return values[0]
    return np.average(values, weights=hessians + l2)


def _leaves_of(model, X, n_scores):
    leaves = model.predict(X, pred_leaf=True).astype(np.int32)
    return leaves.reshape(len(leaves), -1, n_scores).transpose(1, 2, 0)
