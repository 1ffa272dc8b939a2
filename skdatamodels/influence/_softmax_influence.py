"""Influence functions of a softmax of linear logits, in closed form."""

import numpy as np

from skdatamodels.influence._solve import solve_hessian


def softmax_influence(
    A, Z, residual, proba, gradient, *, subset, weights, penalty, damping, fixed_logit
):
    """Return -h·H⁻¹gᵢ for each target and training example.

    H is the Hessian of the weighted sum of cross entropies over the subset plus the
    penalty, gᵢ the gradient of the loss of example i, and h the gradient of the
    target's output.

    Parameters
    ----------
    A, Z : float64 arrays of shape (n_train, d) and (n_targets, d)
        Features, with a last column of ones if there is an intercept.
    residual, proba : float64 arrays of shape (n_train, n_classes)
        One-hot classes minus probabilities, and probabilities.
    gradient : float64 array of shape (n_targets, n_classes)
        Gradient of the output with respect to the logits. Rows sum to 0.
    subset : int array of shape (n_subset,)
        Indices of the examples that the model was trained on.
    weights : float64 array of shape (n_train,)
        Weights of the losses.
    penalty : float64 array of shape (d,)
        Diagonal of the penalty's Hessian, the same for each class.
    damping : float
        Added to the diagonal of the Hessian.
    fixed_logit : bool
        Whether the logit of the first class is fixed at 0 and has no parameters.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        The influence in the output's unit per example.

    Raises
    ------
    ValueError
        If the Hessian is singular.

    Notes
    -----
    If all logits have parameters, adding the same to all of them does not change the
    probabilities. gᵢ and h are orthogonal to these directions, and H maps these
    directions to themselves. So H can be made regular by filling its null space there,
    which does not change the result.
    """
    d, free = A.shape[1], slice(int(fixed_logit), None)
    hessian = _curvature(A[subset], proba[subset], weights[subset], free)
    n_free, feature = len(hessian), np.arange(d)
    if not fixed_logit:
        mean = np.einsum("afaf->", hessian) / (n_free * d)
        hessian[:, feature, :, feature] += mean / n_free
    for a in range(n_free):
        hessian[a, feature, a, feature] += penalty + damping
    h = (gradient[:, free, None] * Z[:, None]).reshape(len(Z), -1)
    solved = solve_hessian(hessian.reshape(n_free * d, -1), h.T)
    # gᵢ is the outer product of -residualᵢ and Aᵢ, which is not formed.
    influence = np.zeros((len(Z), len(A)))
    weighted = weights[:, None] * residual[:, free]
    for of_class, part in zip(weighted.T, solved.reshape(n_free, d, -1), strict=True):
        influence += (part.T @ A.T) * of_class
    return influence


def _curvature(A, proba, weights, free):
    """Return the Hessian of the sum of losses, (n_free, d, n_free, d)."""
    d, one = A.shape[1], np.eye(proba.shape[1])[free, free]
    proba = proba[:, free]
    hessian = np.empty((len(one), d, len(one), d))
    for a in range(len(one)):
        for b in range(a, len(one)):
            of_pair = weights * proba[:, a] * (one[a, b] - proba[:, b])
            block = A.T @ (of_pair[:, None] * A)
            hessian[a, :, b] = hessian[b, :, a] = block
    return hessian
