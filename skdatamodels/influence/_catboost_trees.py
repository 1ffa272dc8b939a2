"""Boosted trees of CatBoost, read through its public methods."""

import numpy as np

from skdatamodels.influence._boosted_trees import BoostedTrees
from skdatamodels.influence._booster_options import (
    check_kind,
    check_options,
    given_options,
)

__all__ = ["check_booster", "read_boosted_trees"]

_LOSSES = {"Logloss": "log_loss", "RMSE": "squared_error"}
# A model lists its options under these names; estimators may have others.
_MAIN_NAMES = {"loss_function": "objective"}
_COVERED = {
    "leaf_estimation_method": "Newton",
    "leaf_estimation_iterations": "1",
    "auto_class_weights": "None",
    "class_weights": "None",
    "scale_pos_weight": "1",
    "langevin": "0",
    "monotone_constraints": "",
    "model_shrink_rate": "0",
    # encoded in training in another way than in predictions
    "cat_features": "None",
    "text_features": "None",
    "embedding_features": "None",
}


def check_booster(estimator):
    """Raise an error if the closed form does not cover an estimator, fitted or not."""
    check_kind(estimator, ("CatBoostClassifier", "CatBoostRegressor"))
    options = _options(estimator)
    check_options(estimator, options, list(_LOSSES), _COVERED)


def read_boosted_trees(model, train_X, targets_X):
    """Read a fitted CatBoostClassifier of two classes, or CatBoostRegressor.

    Raises
    ------
    TypeError
        If the model is of another class.
    ValueError
        If the closed form does not cover an option of the model.
    """
    check_booster(model)
    options = model.get_all_params()
    train_leaves, target_leaves = (
        np.asarray(model.calc_leaf_indexes(X)).astype(np.int32).T[:, None]
        for X in (train_X, targets_X)
    )
    ends = np.cumsum(model.get_tree_leaf_counts())[:-1]
    loss = _LOSSES[options["loss_function"]]
    return BoostedTrees(
        loss=loss,
        classes=model.classes_ if loss == "log_loss" else None,
        learning_rate=options["learning_rate"],
        l2=np.full(train_leaves.shape[:2], options["l2_leaf_reg"], dtype=np.float64),
        start=np.array([model.get_scale_and_bias()[1]]),
        train_leaves=train_leaves,
        target_leaves=target_leaves,
        values=[[values] for values in np.split(model.get_leaf_values(), ends)],
        fitted_start=options["boost_from_average"],
    )


def _options(estimator):
    """Return options as text: all, under their main names, if it is fitted."""
    options = given_options(estimator.get_params(), _MAIN_NAMES)
    if estimator.is_fitted():
        options |= given_options(estimator.get_all_params(), _MAIN_NAMES)
    return options
