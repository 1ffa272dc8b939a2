"""Solve with a Hessian, with a clear error if it is singular."""

import warnings

import numpy as np
from scipy.linalg import LinAlgError, LinAlgWarning, solve


def solve_hessian(
    hessian,
    right_side,
    name="Hessian of the {n} parameters",
    remedy="fit with a penalty",
):
    """Solve with a positive definite matrix (d, d); `name` is for error messages.

    Raises
    ------
    ValueError
        If the matrix is singular to working precision. The message suggests `damping`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", LinAlgWarning)
        try:
            return solve(hessian, right_side, assume_a="pos")
        except (LinAlgError, LinAlgWarning):
            raise ValueError(
                f"The {name.format(n=len(hessian))} is singular, so the training set "
                "does not determine the model. Either set damping above 0 (the mean of "
                f"the diagonal is {np.diag(hessian).mean():.3g}), or {remedy}."
            ) from None
