"""Boosted trees of any library, in one form."""

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import numpy as np

from skdatamodels._label_codes import CodedClassifier

__all__ = ["BoostedTrees", "check_booster", "read_boosted_trees"]

_READERS = {
    "sklearn": "_sklearn_trees",
    "lightgbm": "_lightgbm_trees",
    "xgboost": "_xgboost_trees",
    "catboost": "_catboost_trees",
}


class BoostedTrees(NamedTuple):
    """Fitted boosted trees, and the leaf of each example in each tree.

    In each round, the tree of a score adds ``-learning_rate * G / (H + l2)`` at a leaf,
    where G and H are the sums of the gradients and Hessians of the loss over the leaf's
    examples. All scores of a round use the scores before the round.

    Attributes
    ----------
    loss : {"log_loss", "softmax", "squared_error"}
        "log_loss" has one score, the log-odds of the second class. Its Hessian is p(1 -
        p). "softmax" has one score for each class. "squared_error" is half the squared
        error, so its Hessian is 1.
    classes : ndarray of shape (n_classes,) or None
        Labels in the order of the scores; None in a regression.
    learning_rate : float
        Factor of each leaf's value.
    l2 : sequence of n_rounds sequences of n_scores floats or arrays (n_leaves,)
        Added to the Hessian sums of a tree's leaves. Infinite for a tree whose value is
        fixed, because it found no split.
    start : float64 ndarray of shape (n_scores,)
        Scores before the first round.
    train_leaves : int32 ndarray of shape (n_rounds, n_scores, n_train)
        Leaf of each training example, also of those the model was not fitted on. The
        leaves of a tree are counted from 0.
    target_leaves : int32 ndarray of shape (n_rounds, n_scores, n_targets)
        Leaf of each target.
    values : list of n_rounds lists of n_scores float64 ndarrays of shape (n_leaves,)
        What a tree adds at each of its leaves, learning rate included. It must not
        include `start`.
    hessian_scale : float, default=1.0
        The diagonal of the Hessian of "softmax" is this times p(1 - p).
    fitted_start : bool, default=True
        Whether `start` is the constant that minimises the loss of the training examples
        (mean, log-odds, log shares of the classes up to a constant), so that it changes
        with them. If False, it is fixed.
    """

    loss: str
    classes: np.ndarray | None
    learning_rate: float
    l2: Sequence
    start: np.ndarray
    train_leaves: np.ndarray
    target_leaves: np.ndarray
    values: list
    hessian_scale: float = 1.0
    fitted_start: bool = True


def check_booster(estimator):
    """Raise an error if the closed form does not cover an estimator, fitted or not.

    It looks at the parameters only, so that bad ones are refused before the fit.
    """
    if isinstance(estimator, CodedClassifier):
        estimator = getattr(estimator, "estimator_", estimator.estimator)
    _reader(estimator).check_booster(estimator)


def read_boosted_trees(model, train_X, targets_X):
    """Read a fitted model of any library as BoostedTrees.

    The library is only imported if the model is of that library.
    """
    if isinstance(model, CodedClassifier):
        trees = read_boosted_trees(model.estimator_, train_X, targets_X)
        return trees._replace(classes=model.classes_)
    return _reader(model).read_boosted_trees(model, train_X, targets_X)


def _reader(model):
    """Return the module that reads models of this kind."""
    library = library_of(model)
    if library not in _READERS:
        raise TypeError(
            f"{type(model).__name__} has no closed form here. It must be a gradient "
            "boosting model of scikit-learn, LightGBM, XGBoost or CatBoost."
        )
    return import_module(f"skdatamodels.influence.{_READERS[library]}")


def library_of(model):
    """Return the name of the package that defines the class of a model."""
    return type(model).__module__.partition(".")[0]


def number_leaves(nodes):
    """Return the sorted nodes that are leaves, and the leaf of each, from 0.

    `nodes` are node numbers of any shape, in which each leaf of the tree occurs.
    """
    found, leaves = np.unique(nodes, return_inverse=True)
    return found, leaves.reshape(np.shape(nodes)).astype(np.int32)
