"""Influence functions of logistic regression, in closed form."""

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from skdatamodels._sklearn_compat import validate_params
from skdatamodels.influence._linear_models import (
    OPTIONS,
    fit_linear,
    output_gradient,
    penalty_of,
    unfrozen,
)
from skdatamodels.influence._softmax_influence import softmax_influence
from skdatamodels.outputs import raw_outputs

__all__ = ["logistic_influence"]


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def logistic_influence(
    estimator, train, targets, *, output="margin", damping=0.0, subset=None
):
    """Influence functions of logistic regression, in closed form.

    The effect is the derivative of the output with respect to the weight of the example
    in the training loss, at weight 1, or by a factor of it if `train` has weights. It
    estimates what the presence of the example adds, as if the output were linear in the
    weight. It takes one fit and one linear
    system, for any number of classes.

    Parameters
    ----------
    estimator : LogisticRegression
        With an L2 penalty, or without (``C=numpy.inf``). It is cloned and fitted here.
        The closed form holds at the optimum, so use a small `tol`. A model that is
        already fitted on `subset` is used as it is if it is wrapped in
        :class:`sklearn.frozen.FrozenEstimator`.
    train, targets : Examples
        The training set and the targets, with X of shape (n, n_features). Sparse X is
        made dense.
    output : {"margin", "log_odds", "cross_entropy", "confidence"}, default="margin"
        Output to measure on a target, see :data:`skdatamodels.outputs.OUTPUTS`. It
        depends on the logits of all classes.
    damping : float >= 0, default=0
        Added to the diagonal of the Hessian of ``sum of losses + |coef|²/(2·C)``.
    subset : int array-like or bool mask of shape (n_train,), default=None
        The training examples that the model is fitted on, whose losses make the
        Hessian. All training examples have an influence: for those outside the subset,
        it is the derivative at weight 0, the first-order effect of adding them. None
        means all.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example. Positive if the presence of the
        example raises the output.

    Raises
    ------
    TypeError
        If the estimator is not a LogisticRegression.
    ValueError
        If the Hessian is singular, the model separates the classes and has no penalty,
        the penalty is not L2, `class_weight` is "balanced", the solver penalises the
        intercept, the output has no derivative, a target has a class that no training
        example has, or `subset` lacks a class.

    See Also
    --------
    ridge_influence : The same for ridge regression and its classifier.

    Notes
    -----
    The influence is -h·H⁻¹gᵢ, where H is the Hessian of the objective, gᵢ the gradient
    of the loss of example i, and h the gradient of the target's output, all with
    respect to the parameters of the model.

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
    _check_objective(unfrozen(estimator))
    fit = fit_linear(estimator, train, targets, output, (LogisticRegression,), subset)
    n_classes = len(fit.classes)
    proba = softmax(raw_outputs(fit.model, fit.A[:, : train.shape[1]]), axis=1)
    _check_optimum(fit, proba)
    return softmax_influence(
        fit.A,
        fit.Z,
        np.eye(n_classes)[fit.y_train] - proba,
        proba,
        output_gradient(fit.output.name, fit.raw, fit.y_targets),
        subset=fit.subset,
        weights=fit.weights,
        penalty=penalty_of(fit, 1 / fit.model.C),
        damping=damping,
        fixed_logit=n_classes == 2,
    )


def _check_objective(estimator):
    if type(estimator) is not LogisticRegression:
        return  # fit_linear raises the error
    if estimator.l1_ratio or estimator.penalty in ("l1", "elasticnet"):
        raise ValueError("An L1 penalty has no second derivative. Set l1_ratio=0.")
    if estimator.penalty is None:
        raise ValueError("penalty=None is deprecated. Only set C=numpy.inf.")
    if estimator.solver == "liblinear":
        raise ValueError(
            "The solver 'liblinear' penalises the intercept. Use another, such as "
            "'lbfgs'."
        )


def _check_optimum(fit, proba):
    # If the optimum is at infinity, the whole Hessian tends to 0, which its condition
    # number does not show.
    if np.isinf(fit.model.C) and (proba * (1 - proba))[fit.subset].max() < 1e-6:
        raise ValueError(
            "The model separates the classes of the training set, so its weights grow "
            "without limit if there is no penalty. Set a finite C."
        )
