"""Choosing lam for each target by its held-out error along the path."""

import numpy as np

from skdatamodels.regression.lasso_path import lasso_path

# Coefficients of the whole path are kept for one block of targets at a time.
_BLOCK_BYTES = 128 * 2**20


def lam_grid(cov, n_lams, lam_min_ratio):
    """Log-spaced grid of lam for each target, from the largest that matters down.

    At lam_max = max|cov| and above all coefficients are 0.

    Parameters
    ----------
    cov : array of shape (d, n_targets)
    n_lams : int
    lam_min_ratio : float
        Smallest lam over lam_max.

    Returns
    -------
    lams : float64 array of shape (n_targets, n_lams), decreasing
    """
    lam_max = np.abs(cov).max(axis=0)
    return lam_max[:, None] * np.geomspace(1, lam_min_ratio, n_lams)


def held_out_error(coefs, gram, cov, y_var):
    """Mean squared error on held-out runs, from their moments.

    mean((y - Xw)²) = y_var - 2·covᵀw + wᵀ·gram·w, with the held-out moments taken
    about the means of the training runs, that is with the intercept fitted there.

    Parameters
    ----------
    coefs : array of shape (n_targets, n_lams, d)
    gram : array of shape (d, d)
    cov : array of shape (d, n_targets)
    y_var : array of shape (n_targets,)

    Returns
    -------
    error : float64 array of shape (n_targets, n_lams)
    """
    product = (coefs.reshape(-1, coefs.shape[2]) @ gram).reshape(coefs.shape)
    product -= 2 * cov.T[:, None, :].astype(product.dtype)
    return y_var[:, None] + np.einsum("tkd,tkd->tk", coefs, product, dtype=np.float64)


def select_lam(folds, lams, dtype, **path_params):
    """Mean held-out error of each lam over folds.

    Parameters
    ----------
    folds : iterable of (Moments, Moments)
        Training runs and held-out runs of each fold.
    lams : array of shape (n_targets, n_lams), decreasing
    dtype : float32 or float64
    **path_params
        Passed to :func:`lasso_path`.

    Returns
    -------
    error : float64 array of shape (n_targets, n_lams)
        Mean over all held-out runs.
    coef : array of shape (n_targets, d)
        Coefficients at the least error, of the last fold: where a refit may start.
    """
    error, n_held_out = np.zeros(lams.shape), 0
    for train, held_out in folds:
        gram, cov, y_var = centred_problem(train, dtype)
        about = train.x_mean, train.y_mean
        gram_out, cov_out, y_var_out = held_out.centred(*about, dtype)
        coef = np.empty(cov.T.shape, dtype)
        n_held_out += held_out.n_runs
        for rows in target_blocks(*lams.shape, len(gram), gram.itemsize):
            paths, _, _ = lasso_path(
                gram, cov[:, rows], y_var[rows], lams=lams[rows], **path_params
            )
            error[rows] += held_out.n_runs * held_out_error(
                paths, gram_out, cov_out[:, rows], y_var_out[rows]
            )
            coef[rows] = paths[np.arange(len(paths)), error[rows].argmin(axis=1)]
    return error / n_held_out, coef


def centred_problem(data, dtype):
    """Gram matrix, covariances and variances of moments about their own means.

    A target that is constant up to rounding gets variance and covariances of 0.
    """
    gram, cov, y_var = data.centred(data.x_mean, data.y_mean, dtype)
    rounding = 1e-14 * data.yy / data.n_runs
    constant = y_var <= rounding
    cov[:, constant] = 0
    return gram, cov, np.where(constant, 0, y_var)


def target_blocks(n_targets, n_lams, d, itemsize):
    """Yield slices of targets whose paths fit into memory together."""
    step = max(4, _BLOCK_BYTES // (n_lams * d * itemsize))
    for start in range(0, n_targets, step):
        yield slice(start, start + step)
