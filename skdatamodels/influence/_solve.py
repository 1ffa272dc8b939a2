"""Solving with a Hessian, and saying so when that cannot be done."""

import warnings

import numpy as np
from scipy.linalg import LinAlgError, LinAlgWarning, solve


def solve_hessian(
    hessian,
    right_side,
    name="Hessian of the {n} parameters",
    remedy="fit with a penalty",
):
    """Solve with a positive definite matrix (d, d), which errors call by its name.

    Raises
    ------
    ValueError
        If the matrix is singular to working precision; names `damping`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", LinAlgWarning)
        try:
            return solve(hessian, right_side, assume_a="pos")
        except (LinAlgError, LinAlgWarning):
            raise ValueError(
                f"The {name.format(n=len(hessian))} is singular, so the training set "
                "does not determine the model: set damping above 0 (its mean diagonal "
                f"entry is {np.diag(hessian).mean():.3g}), or {remedy}."
            ) from None
