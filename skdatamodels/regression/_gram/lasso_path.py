"""The LASSO paths of many targets on one Gram matrix, as a function."""

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from skdatamodels._scaling import scaled
from skdatamodels.regression._checks import check_path
from skdatamodels.regression._convergence import warn_unless_converged


def lasso_path(
    gram,
    cov,
    y_var,
    *,
    lams,
    tol=1e-4,
    max_iter=1000,
    penalty_factors=None,
    coef_init=None,
    n_jobs=None,
):
    r"""Solve the LASSO for many targets with the same columns.

    For each target j and each of its lams this minimises

    .. math:: \tfrac12 \mathrm{y\_var}_j - c_j^\top w + \tfrac12 w^\top G w
              + \lambda \textstyle\sum_i p_i |w_i|

    which for centred data X (m rows), ``gram = XᵀX/m``, ``cov = XᵀY/m`` and
    ``y_var = mean(Y², axis=0)`` is the objective of
    :class:`sklearn.linear_model.Lasso` with ``alpha = lam``. The data themselves are
    not needed.

    Parameters
    ----------
    gram : array of shape (d, d)
        Symmetric Gram matrix. Its dtype, float32 or float64, is that of the
        computation.
    cov : array of shape (d, n_targets)
        Covariances of columns and targets.
    y_var : array of shape (n_targets,)
        Variance of each target. A target with ``y_var = 0`` is constant, and its
        coefficients are 0.
    lams : array of shape (n_lams,) or (n_targets, n_lams)
        Strengths, decreasing along the path, in units of output × mask.
    tol : float, default=1e-4
        Duality gap to reach, relative to y_var/2, the loss of the model without
        weights.
    max_iter : int, default=1000
        Maximum number of passes over the coordinates for each lam.
    penalty_factors : array of shape (d,) or (n_targets, d), optional
        Positive factors p of the penalty of each coefficient. inf keeps a coefficient
        at 0. Default all 1.
    coef_init : array of shape (n_targets, d), optional
        Initial coefficients. Default 0.
    n_jobs : int, optional
        Number of threads, as in joblib. The result does not depend on it, and the
        result for a target does not depend on the other targets, bit for bit.

    Returns
    -------
    coefs : array of shape (n_targets, n_lams, d)
        Coefficients along the path of each target.
    gaps : float64 array of shape (n_targets, n_lams)
        Relative duality gaps reached.
    n_iter : int array of shape (n_targets, n_lams)
        Number of passes used.

    Raises
    ------
    ValueError
        If shapes do not match, an array contains NaN or inf, lams are negative or
        increase, or penalty factors are not positive.

    Warns
    -----
    ConvergenceWarning
        If a gap is above `tol` after `max_iter` passes.

    Notes
    -----
    The method is cyclic coordinate descent with warm starts along the secant of the
    path, for 16 to 128 targets side by side. Steps that are too small to matter for
    `tol` are postponed; the gaps are exact nevertheless. The dual point of a gap is the
    residual, scaled to be feasible. At ``lam = 0`` only 0 is feasible. The gap is then
    the loss relative to that of the model without weights, and it falls to `tol` only
    if the fit is perfect. Memory beyond the result: a copy of the Gram matrix, and 5
    vectors of length d for each of these targets and each thread.

    References
    ----------
    Friedman, Hastie, Tibshirani, "Regularization paths for generalized linear models
    via coordinate descent", J. Stat. Softw. 33(1), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.regression import lasso_path
    >>> coefs, gaps, n_iter = lasso_path(
    ...     np.eye(2), np.array([[3.0], [-1.0]]), np.array([10.0]), lams=[2.0, 0.5]
    ... )
    >>> coefs
    array([[[ 1. ,  0. ],
            [ 2.5, -0.5]]])
    """
    from skdatamodels.regression._gram.coordinate_descent import (
        n_lanes,
        pad,
        solve,
        tile,
    )

    gram, *arrays, penalty, w0, size = check_problem(
        gram, cov, y_var, lams, penalty_factors, coef_init
    )
    tiles, diagonal = tile(pad(gram))
    n_targets = len(w0)
    # Lanes are idle at the end of a part, so parts are long, or there is one a thread.
    step = max(1, -(-n_targets // effective_n_jobs(n_jobs)))
    step = min(8 * n_lanes(tiles, n_targets), step)
    parts = [slice(start, start + step) for start in range(0, n_targets, step)]
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(solve)(
            tiles,
            diagonal,
            *(a[rows] for a in arrays),
            penalty[rows] if len(penalty) > 1 else penalty,
            w0[rows],
            tol,
            max_iter,
        )
        for rows in parts
    )
    coefs, gaps, n_iter = (np.concatenate(r) for r in zip(*results, strict=True))
    warn_unless_converged(gaps, tol, max_iter)
    return np.ldexp(coefs, size[:, None, None], out=coefs), gaps, n_iter


def check_problem(gram, cov, y_var, lams, penalty_factors, coef_init):
    """Check a problem, and scale it to outputs of about 1.

    Returns
    -------
    gram, cov, y_var, lams, penalty, w0 : arrays
        One row for each target; `penalty` may have one row for all.
    size : int array of shape (n_targets,)
        Weights of the original problem are ``2**size`` times those of the scaled one.
    """
    gram = np.ascontiguousarray(gram)
    if gram.dtype not in (np.float32, np.float64):
        gram = gram.astype(np.float64)
    dtype, d = gram.dtype, gram.shape[0]
    cov = np.asarray(cov).T
    if cov.ndim != 2 or gram.shape != (d, d) or cov.shape[1] != d:
        raise ValueError(
            f"gram must be (d, d) and cov (d, n_targets), got {gram.shape} and "
            f"{np.shape(cov.T)}."
        )
    n = len(cov)
    lams, penalty, w0 = check_path(n, d, lams, penalty_factors, coef_init)
    penalty = np.ascontiguousarray(penalty, dtype=dtype)
    w0 = np.zeros((n, d), dtype) if w0 is None else w0
    y_var = np.ascontiguousarray(y_var, np.float64)
    if y_var.shape != (n,):
        raise ValueError(f"For {n} targets, y_var must be ({n},); got {y_var.shape}.")
    for name, array in {"gram": gram, "cov": cov, "y_var": y_var}.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} contains NaN or infinity.")
    size = (np.frexp(y_var)[1] + 1) // 2
    lams = np.minimum(scaled(lams, size[:, None]), np.finfo(dtype).max)
    cov, lams, w0 = (
        np.ascontiguousarray(a, dtype)
        for a in (scaled(cov, size[:, None]), lams, scaled(w0, size[:, None]))
    )
    return gram, cov, scaled(y_var, 2 * size), lams, penalty, w0, size
