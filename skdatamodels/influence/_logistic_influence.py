"""Influence function of a logistic regression, in closed form."""

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from skdatamodels._sklearn_compat import validate_params
from skdatamodels.influence._linear_models import (
    OPTIONS,
    fit_linear,
    output_gradient,
    penalty_of,
)
from skdatamodels.influence._softmax_influence import softmax_influence
from skdatamodels.outputs import raw_outputs

__all__ = ["logistic_influence"]


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def logistic_influence(estimator, train, targets, *, output="log_odds", damping=0.0):
    """First-order effect of each training example on each target's output.

    It is the derivative of the output by the weight of the example in the training
    loss, at weight 1: what the example's presence adds, were the output straight in
    the weight. One fit and one linear system, for any number of classes.

    Parameters
    ----------
    estimator : LogisticRegression
        With an L2 penalty, or none (``C=numpy.inf``). It is cloned and fitted here;
        the closed form holds at the optimum, so give a small `tol`.
    train, targets : Examples
        X of shape (n, n_features), made dense if it is sparse.
    output : {"log_odds", "margin", "cross_entropy", "confidence"}, default="log_odds"
        What is measured on a target, see :data:`skdatamodels.outputs.OUTPUTS`. All
        classes' logits take part in it.
    damping : float >= 0, default=0
        Added to the diagonal of the Hessian of ``sum of losses + |coef|²/(2·C)``.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit per example, positive where the example's presence raises
        the output.

    Raises
    ------
    TypeError
        If the estimator is another than LogisticRegression.
    ValueError
        If the Hessian is singular, the model separates the classes and has no
        penalty, the penalty is not L2, `class_weight` is
        "balanced", the solver penalises the intercept, the output has no derivative,
        or a target has a class that no training example has.

    See Also
    --------
    ridge_influence : The same for ridge regression and its classifier.

    Notes
    -----
    With θ the parameters, H the Hessian of the whole objective, gᵢ the gradient of
    example i's loss and h that of the target's output, the influence is -h·H⁻¹gᵢ.

    References
    ----------
    Koh and Liang, "Understanding black-box predictions via influence functions",
    ICML 2017.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import logistic_influence
    >>> train = Examples([[-2.0], [-1.0], [1.0], [2.0]], ["a", "b", "a", "b"])
    >>> targets = Examples([[3.0]], ["b"])
    >>> logistic_influence(LogisticRegression(), train, targets).round(2)
    array([[ 0.27,  0.09, -1.12,  1.02]])
    """
    _check_objective(estimator)
    fit = fit_linear(estimator, train, targets, output, (LogisticRegression,))
    n_classes = len(fit.classes)
    proba = softmax(raw_outputs(fit.model, fit.A[:, : train.shape[1]]), axis=1)
    _check_optimum(fit, proba)
    return softmax_influence(
        fit.A,
        fit.Z,
        np.eye(n_classes)[fit.y_train] - proba,
        proba,
        output_gradient(fit.output.name, fit.raw, fit.y_targets),
        weights=fit.weights,
        penalty=penalty_of(fit, 1 / fit.model.C),
        damping=damping,
        fixed_logit=n_classes == 2,
    )


def _check_objective(estimator):
    if type(estimator) is not LogisticRegression:
        return  # fit_linear says which class it must be
    if estimator.l1_ratio or estimator.penalty in ("l1", "elasticnet"):
        raise ValueError("An L1 penalty has no second derivative: set l1_ratio=0.")
    if estimator.penalty is None:
        raise ValueError("penalty=None is deprecated: set C=numpy.inf.")
    if estimator.solver == "liblinear":
        raise ValueError(
            "The solver 'liblinear' penalises the intercept: set another, such as "
            "'lbfgs'."
        )


def _check_optimum(fit, proba):
    # Towards an optimum at infinity the whole Hessian tends to 0; no condition
    # number would show it.
    if np.isinf(fit.model.C) and (proba * (1 - proba)).max() < 1e-6:
        raise ValueError(
            "The model separates the classes of the training set, so that without a "
            "penalty its weights would grow for ever: set a finite C."
        )
