"""Models of scikit-learn's kind that are fitted on some of the training examples."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skdatamodels._fitting import check_fit, fit_rows
from skdatamodels.influence._checks import as_subset, check_same_examples
from skdatamodels.influence._linear_models import check_derivative, output_gradient
from skdatamodels.outputs import check_output, raw_outputs

_PLAIN = (str, int, float, type(None))  # others are compared elementwise, or not at all


class SubsetFit(NamedTuple):
    """A model fitted on a subset, and the derivative of the output on the targets.

    `subset` are indices of training examples. y_train has class columns, or values in a
    regression, where classes is None. raw are logits (n_targets, n_classes) or
    predictions (n_targets,), and gradient is the derivative of the output by them.
    """

    model: object
    subset: np.ndarray
    y_train: np.ndarray
    classes: np.ndarray | None
    raw: np.ndarray
    gradient: np.ndarray


def fit_on_subset(
    estimator,
    train,
    targets,
    output,
    subset,
    check,
    *,
    least_classes=1,
    weighted=False,
):
    """Fit a clone of the estimator on a subset; a FrozenEstimator is used as it is.

    `check` gets the estimator, and raises an error if it has no closed form. The subset
    must have examples of `least_classes` classes. Training examples may have weights
    only if `weighted`.
    """
    check_same_examples(train, targets, weighted=weighted)
    frozen = isinstance(estimator, FrozenEstimator)
    estimator = estimator.estimator if frozen else estimator
    if hasattr(estimator, "steps"):
        raise TypeError(
            f"{type(estimator).__name__} has no closed form here. Transform X first, "
            "and pass the last step, or use over_subsets, which takes pipelines."
        )
    check(estimator)
    if not frozen:
        check_fit(estimator, train)
    y_train, y_targets, classes = train.y, targets.y, None
    if is_classifier(estimator):
        y_train, y_targets, classes = check_same_examples(
            train, targets, classes=True, weighted=weighted
        )
    elif train.y.dtype.kind not in "biuf":
        raise ValueError(f"A regression needs numbers as y, got {train.y.dtype}.")
    output = check_output(output, estimator, classes)
    check_derivative(output.name)
    subset = as_subset(subset, len(train))
    seen = np.unique(train.y[subset]).tolist()
    if classes is not None and len(seen) < least_classes:
        raise ValueError(
            f"The subset has only the class {seen}, but {type(estimator).__name__} "
            "needs two or more."
        )
    if frozen:
        check_is_fitted(estimator)
        model = estimator
    else:
        model = fit_rows(clone(estimator), train, subset)
    options = {}
    if classes is not None:  # as runs do: a tree that is sure is not infinitely sure
        options = {"y": y_targets, "zero_proba": 1 / (len(subset) + len(classes))}
    raw = raw_outputs(model, targets.X, classes, **options)
    gradient = output_gradient(output.name, raw, y_targets)
    return SubsetFit(model, subset, y_train, classes, raw, gradient)


def refuse_parameters(estimator, covered):
    """Raise an error if a parameter has none of the values that a closed form covers.

    covered: the values by the name of the parameter. Estimators without it are right.
    """
    for name, values in covered.items():
        value = getattr(estimator, name, values[0])
        if not (isinstance(value, _PLAIN) and value in values):
            needed = " or ".join(map(repr, values))
            raise ValueError(
                f"{type(estimator).__name__}({name}={value!r}) has no closed form "
                f"here. It needs {name}={needed}."
            )
