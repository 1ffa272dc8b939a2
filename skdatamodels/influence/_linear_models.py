"""Shared by the closed forms of linear models: design, targets, gradients."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skdatamodels._examples import with_inputs
from skdatamodels._fitting import fit_rows
from skdatamodels._sklearn_compat import Interval
from skdatamodels.influence._checks import (
    as_subset,
    check_classes_of_subset,
    check_same_examples,
)
from skdatamodels.outputs import check_output, log_odds, raw_outputs

OPTIONS = {  # parameters of all influence functions of linear models
    "damping": [Interval(Real, 0, None, closed="left")],
}


class LinearFit(NamedTuple):
    """A linear model fitted on a subset of the training set, and its arrays.

    Shapes: A (n_train, d) and Z (n_targets, d), with a last column of ones if the model
    has an intercept; subset (n_subset,), indices of training examples; weights
    (n_train,) of the losses; raw (n_targets, n_classes) or (n_targets,), as returned by
    `raw_outputs`. y are class columns, or values in a regression, where classes is
    None.
    """

    model: object
    A: np.ndarray
    Z: np.ndarray
    subset: np.ndarray
    weights: np.ndarray
    raw: np.ndarray
    y_train: np.ndarray
    y_targets: np.ndarray
    classes: np.ndarray | None
    output: object


def unfrozen(estimator):
    """Return the model inside a FrozenEstimator; return other estimators as is."""
    return estimator.estimator if type(estimator) is FrozenEstimator else estimator


def fit_linear(estimator, train, targets, output, kinds, subset):
    """Fit a clone of the estimator on the subset, unless it is frozen.

    Its type must be one of `kinds`. Subclasses are refused because they may minimise
    another objective.
    """
    check_same_examples(train, targets, weighted=True)
    subset = as_subset(subset, len(train))
    frozen, estimator = type(estimator) is FrozenEstimator, unfrozen(estimator)
    if type(estimator) not in kinds:
        takes = " or ".join(kind.__name__ for kind in kinds)
        cure = ""
        if hasattr(estimator, "steps"):
            cure = (
                ": transform X first, for example Examples(scaler.fit_transform(X), y)"
            )
        raise TypeError(
            f"{type(estimator).__name__} has no closed form here. It must be a {takes}"
            f"{cure}."
        )
    if not (is_classifier(estimator) or train.y.dtype.kind in "biuf"):
        raise ValueError(f"A regression needs numbers as y, got {train.y.dtype}.")
    y_train, y_targets, classes = train.y, targets.y, None
    if is_classifier(estimator):
        y_train, y_targets, classes = check_same_examples(
            train, targets, classes=True, weighted=True
        )
        check_classes_of_subset(y_train, subset, classes)
    output = check_output(output, estimator, classes)
    X, Z = (dense_table(part.X) for part in (train, targets))
    weights = _loss_weights(estimator, y_train, classes)
    if train.sample_weight is not None:
        weights = weights * train.sample_weight
    if frozen:
        model = _fitted(estimator, classes)
    else:
        model = fit_rows(clone(estimator), with_inputs(train, X), subset)
    if model.fit_intercept:
        X, Z = (np.c_[part, np.ones(len(part))] for part in (X, Z))
    raw = raw_outputs(model, dense_table(targets.X))
    ys = y_train, y_targets, classes
    return LinearFit(model, X, Z, subset, weights, raw, *ys, output)


def _fitted(model, classes):
    check_is_fitted(model)
    if classes is not None and not np.array_equal(model.classes_, classes):
        raise ValueError(
            f"The frozen model has the classes {model.classes_.tolist()[:10]}, but the "
            f"training set has {classes.tolist()[:10]}."
        )
    return model


def dense_table(X):
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    if X.ndim != 2:
        raise ValueError(f"X must have shape (n, n_features), got {X.shape}.")
    return X


def _loss_weights(estimator, y_train, classes):
    given = getattr(estimator, "class_weight", None)
    if given is None:
        return np.ones(len(y_train))
    if isinstance(given, str):
        raise ValueError(
            f"class_weight={given!r} changes when an example is left out. Pass the "
            "weights as a dict."
        )
    return np.array([given.get(label, 1.0) for label in classes.tolist()])[y_train]


def penalty_of(fit, strength):
    """Return the diagonal (d,) of the penalty's Hessian; 0 for the intercept."""
    penalty = np.full(fit.A.shape[1], float(strength))
    if fit.model.fit_intercept:
        penalty[-1] = 0
    return penalty


def output_gradient(name, raw, y):
    """Return the gradients of the targets' outputs by their raw outputs.

    Raises
    ------
    ValueError
        If the output has no known derivative.
    """
    check_derivative(name)
    return _GRADIENTS[name](raw, y)


def check_derivative(name):
    """Raise an error if the output has no known derivative."""
    if name not in _GRADIENTS:
        raise ValueError(
            f"output={name!r} has no known derivative. Use one of "
            f"{', '.join(name for name in _GRADIENTS)}."
        )


def _of_prediction(raw, y):
    return np.ones_like(raw)


def _of_squared_error(raw, y):
    return 2 * (raw - y)


def _of_margin(raw, y):
    own = np.eye(raw.shape[1])[y]
    rival = np.where(own == 1, -np.inf, raw).argmax(axis=1)
    return own - np.eye(raw.shape[1])[rival]


def _of_log_odds(raw, y):
    own = np.eye(raw.shape[1])[y]
    return own - softmax(np.where(own == 1, -np.inf, raw), axis=1)


# Both depend on the log-odds o: confidence is expit(o), cross entropy -log(expit(o)).


def _of_confidence(raw, y):
    confidence = expit(log_odds(raw, y))
    return (confidence * (1 - confidence))[:, None] * _of_log_odds(raw, y)


def _of_cross_entropy(raw, y):
    return -expit(-log_odds(raw, y))[:, None] * _of_log_odds(raw, y)


_GRADIENTS = {
    "margin": _of_margin,
    "log_odds": _of_log_odds,
    "confidence": _of_confidence,
    "cross_entropy": _of_cross_entropy,
    "prediction": _of_prediction,
    "squared_error": _of_squared_error,
}
