"""Influence functions and exact leave-one-out of ridge regression."""

import numpy as np
from sklearn.linear_model import Ridge, RidgeClassifier

from skdatamodels._sklearn_compat import validate_params
from skdatamodels.influence._linear_models import (
    OPTIONS,
    fit_linear,
    output_gradient,
    penalty_of,
    unfrozen,
)
from skdatamodels.influence._solve import solve_hessian
from skdatamodels.masks._packed import row_blocks

__all__ = ["ridge_influence", "ridge_leave_one_out"]


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def ridge_influence(estimator, train, targets, *, output, damping=0.0, subset=None):
    """Influence functions of ridge regression, in closed form.

    The effect is the derivative of the output with respect to the weight of the example
    in the training loss, at weight 1, or by a factor of it if `train` has weights. It
    estimates what the presence of the example adds, as if the output were linear in the
    weight.

    Parameters
    ----------
    estimator : Ridge or RidgeClassifier
        It is cloned and fitted here. A model that is already fitted on `subset` is used
        as it is if it is wrapped in :class:`sklearn.frozen.FrozenEstimator`.
    train, targets : Examples
        The training set and the targets, with X of shape (n, n_features) and y of shape
        (n,). Sparse X is made dense.
    output : str
        "prediction" or "squared_error" for Ridge; "margin", "log_odds", "cross_entropy"
        or "confidence" for RidgeClassifier, whose scores are used as logits. See
        :data:`skdatamodels.outputs.OUTPUTS`.
    damping : float >= 0, default=0
        Added to the diagonal of ``XᵀX + alpha·I``, including the entry of the
        intercept.
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
        If the estimator is neither Ridge nor RidgeClassifier.
    ValueError
        If the Hessian is singular, the estimator has ``positive=True`` or
        ``class_weight="balanced"``, the output has no derivative, a target has a class
        that no training example has, or `subset` lacks a class.

    See Also
    --------
    ridge_leave_one_out : The exact effect, for any output.

    Notes
    -----
    The effect on the prediction at z is zᵀM⁻¹aᵢ·rᵢ, where M = AᵀA + alpha·I, A has the
    inputs and a column of ones, and rᵢ is the residual of example i. The exact effect
    of leaving the example out is this divided by 1 - aᵢᵀM⁻¹aᵢ.

    References
    ----------
    Koh and Liang, "Understanding black-box predictions via influence functions",
    ICML 2017.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import ridge_influence, ridge_leave_one_out
    >>> train = Examples([[-1.0], [0.0], [1.0]], [-2.0, 0.0, 5.0])
    >>> data = train, Examples([[2.0]], [6.0])
    >>> ridge_influence(Ridge(), *data, output="prediction").round(2)
    array([[ 0.22, -0.33,  1.67]])
    >>> ridge_leave_one_out(Ridge(), *data, output="prediction").round(2)
    array([[ 0.67, -0.5 ,  5.  ]])
    """
    fit = _fit_ridge(estimator, train, targets, output, subset)
    gradient = output_gradient(fit.output.name, fit.raw, fit.y_targets)
    gradient = _by_column(gradient, fit)
    kernel, _ = _kernel(fit, damping)
    return kernel * (gradient @ _residual(fit).T)


def ridge_leave_one_out(estimator, train, targets, *, output):
    """Exact leave-one-out effects of ridge regression.

    The effect is the output with all training examples minus that without the example.
    The result is the same as with one refit per example, but only one fit is needed.

    Parameters
    ----------
    estimator : Ridge or RidgeClassifier
        It is cloned and fitted here.
    train, targets : Examples
        The training set and the targets, with X of shape (n, n_features) and y of shape
        (n,). Sparse X is made dense.
    output : str or callable
        Any output that the estimator supports; see
        :func:`skdatamodels.outputs.get_output`.

    Returns
    -------
    effect : float64 array of shape (n_targets, n_train)
        Effect in the output's unit. Positive if the presence of the example raises the
        output.

    Raises
    ------
    TypeError
        If the estimator is neither Ridge nor RidgeClassifier.
    ValueError
        If the fit is singular, with all examples or without one of them, a class has
        only one example, the estimator has ``positive=True`` or
        ``class_weight="balanced"``, or a target has a class that no training example
        has.

    See Also
    --------
    ridge_influence : The first-order effect.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import ridge_leave_one_out
    >>> train = Examples([[-2.0], [-1.0], [1.0], [2.0]], ["a", "a", "b", "b"])
    >>> targets = Examples([[3.0]], ["b"])
    >>> effect = ridge_leave_one_out(RidgeClassifier(), train, targets, output="margin")
    >>> effect.round(2)
    array([[-0.07,  0.02,  0.36, -0.19]])
    """
    fit = _fit_ridge(estimator, train, targets, output)
    _check_classes_stay(fit)
    kernel, leverage = _kernel(fit, 0.0)
    if (leverage > 1 - 1e-10).any():
        raise ValueError(
            f"Without training example {leverage.argmax()} the fit is singular, so its "
            "effect is not defined. Use a penalty (alpha above 0)."
        )
    # An example adds kernel·residual_k/(1 - leverage) to the score of column k.
    gain = _residual(fit) / (1 - leverage)[:, None]
    full = fit.output(fit.raw, fit.y_targets)
    effect = np.empty(kernel.shape)
    n_train, width = gain.shape
    for rows in row_blocks(len(effect), 24 * n_train * max(width, 2)):
        raw = fit.raw[rows].reshape(-1, 1, *fit.raw.shape[1:])
        less = kernel[rows, :, None] * gain
        raw = raw - _as_raw(less, fit)
        y = np.repeat(fit.y_targets[rows], n_train)
        without = fit.output(raw.reshape(-1, *fit.raw.shape[1:]), y)
        effect[rows] = full[rows, None] - without.reshape(-1, n_train)
    return effect


def _fit_ridge(estimator, train, targets, output, subset=None):
    model, kinds = unfrozen(estimator), (Ridge, RidgeClassifier)
    if getattr(model, "positive", False):
        raise ValueError("positive=True has no closed form. Set positive=False.")
    if type(model) in kinds and np.ndim(model.alpha):
        raise ValueError("alpha must be a single number.")
    return fit_linear(estimator, train, targets, output, kinds, subset)


def _kernel(fit, damping):
    """Return zᵀM⁻¹a for targets and examples, times their weights, and leverages."""
    A = fit.A[fit.subset]
    M = A.T @ (fit.weights[fit.subset][:, None] * A)
    M[np.diag_indices_from(M)] += penalty_of(fit, fit.model.alpha) + damping
    solved = solve_hessian(M, fit.A.T) * fit.weights
    return fit.Z @ solved, np.einsum("if,fi->i", fit.A, solved)


def _residual(fit):
    """Return residuals of the training examples, (n_train, n_columns)."""
    coef = np.atleast_2d(fit.model.coef_)
    if fit.model.fit_intercept:
        coef = np.c_[coef, np.atleast_1d(fit.model.intercept_)]
    scores = fit.A @ coef.T
    if fit.classes is None:
        return fit.y_train[:, None] - scores
    wanted = 2 * np.eye(len(fit.classes))[fit.y_train] - 1
    return wanted[:, -scores.shape[1] :] - scores  # only the second of two classes


def _by_column(gradient, fit):
    """Convert the gradient by raw outputs to that by the columns of the model."""
    if fit.classes is None:
        return gradient[:, None]
    return gradient[:, 1:] if len(fit.classes) == 2 else gradient


def _as_raw(columns, fit):
    """Convert scores (..., n_columns) to the shape of the raw outputs."""
    if fit.classes is None:
        return columns[..., 0]
    if len(fit.classes) > 2:
        return columns
    return np.concatenate([np.zeros_like(columns), columns], axis=-1)


def _check_classes_stay(fit):
    if fit.classes is None:
        return
    counts = np.bincount(fit.y_train)
    if counts.min() == 1:
        lonely = fit.classes.tolist()[counts.argmin()]
        raise ValueError(
            f"The class {lonely!r} has only one training example, so without it the "
            "model has another number of classes."
        )
