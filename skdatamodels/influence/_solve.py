"""Solve with a Hessian, with a clear error if it is singular."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.lapack import dpocon

_NAME = "Hessian of the {n} parameters"
_REMEDY = "fit with a penalty"


def solve_hessian(hessian, right_side, name=_NAME, remedy=_REMEDY):
    """Solve with a positive definite matrix (d, d); see :func:`factor_hessian`."""
    return factor_hessian(hessian, name, remedy)(right_side)


def factor_hessian(hessian, name=_NAME, remedy=_REMEDY):
    """Factor a positive definite matrix, of which only the lower half is read.

    Parameters
    ----------
    hessian : float64 array of shape (d, d)
        The matrix.
    name, remedy : str
        For error messages.

    Returns
    -------
    solve : callable
        Maps a right-hand side (d,) or (d, n) to the solution.

    Raises
    ------
    ValueError
        If the matrix is singular to working precision. The message suggests `damping`.
    """
    norm = _norm(hessian)
    try:
        factor = cho_factor(hessian, lower=True)
        reciprocal, _ = dpocon(factor[0], norm, uplo="L")
    except LinAlgError:
        reciprocal = 0.0
    if not reciprocal > np.finfo(np.float64).eps:
        raise ValueError(
            f"The {name.format(n=len(hessian))} is singular, so the training set does "
            "not determine the model. Either set damping above 0 (the mean of the "
            f"diagonal is {np.diag(hessian).mean():.3g}), or {remedy}."
        )
    return lambda right_side: cho_solve(factor, right_side)


def _norm(hessian):
    """Return the 1-norm of a symmetric matrix from its lower half."""
    lower = np.abs(np.tril(hessian))
    return (lower.sum(axis=0) + lower.sum(axis=1) - lower.diagonal()).max()
