"""Choosing lam, and the strength of a prior, by held-out error along the path."""

from typing import NamedTuple

import numpy as np

from skdatamodels.regression.lasso_path import lasso_path
from skdatamodels.regression.prior import inform

# Coefficients of the whole path are kept for one block of targets at a time.
_BLOCK_BYTES = 128 * 2**20


class Choice(NamedTuple):
    """What held-out runs say of each strength of the prior and each lam."""

    lams: np.ndarray  # (n_strengths, n_targets, n_lams), decreasing
    error: np.ndarray  # (n_strengths, n_targets, n_lams), mean squared, held out
    delta: np.ndarray  # (n_strengths, n_targets, d), at the least error, last fold
    strength: np.ndarray  # (n_targets,), index of the one with the least error
    lam: np.ndarray  # (n_targets,)


def lam_grid(cov, penalty_factors, n_lams, lam_min_ratio):
    """Log-spaced grid of lam for each target, from the largest that matters down.

    At lam_max = max|cov / penalty_factors| and above all coefficients are 0.

    Parameters
    ----------
    cov : array of shape (d, n_targets)
    penalty_factors : array of shape (d,) or (n_targets, d)
    n_lams : int
    lam_min_ratio : float
        Smallest lam over lam_max.

    Returns
    -------
    lams : float64 array of shape (n_targets, n_lams), decreasing
    """
    lam_max = (np.abs(cov.T) / penalty_factors).max(axis=1)
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


def choose(folds, informed, prior, strengths, dtype, grid_params, path_params):
    """Choose strength and lam for each target by their mean error over folds.

    Parameters
    ----------
    folds : iterable of (Moments, Moments)
        Training runs and held-out runs of each fold.
    informed : list of InformedProblem
        The problem on all runs at each strength: the grids of lam come from these.
    prior : Prior
    strengths : sequence
        Of the prior, see :data:`skdatamodels.regression.prior.STRENGTHS`.
    dtype : float32 or float64
    grid_params, path_params : dict
        Passed to :func:`lam_grid` and :func:`lasso_path`.

    Returns
    -------
    choice : Choice
    """
    grids = [lam_grid(p.cov, p.penalty_factors, **grid_params) for p in informed]
    lams = np.stack(grids)
    d, n_targets = informed[0].cov.shape
    error, n_held_out = np.zeros(lams.shape), 0
    delta = np.empty((len(lams), n_targets, d), dtype)
    for train, held_out in folds:
        gram, cov, y_var = centred_problem(train, dtype)
        outside = held_out.centred(train.x_mean, train.y_mean, dtype)
        n_held_out += held_out.n_runs
        for s, strength in enumerate(strengths):
            problem = inform(gram, cov, y_var, prior, strength)
            for rows in target_blocks(n_targets, lams.shape[2], d, gram.itemsize):
                paths = solve(gram, problem, rows, lams[s, rows], path_params)[0]
                error[s, rows] += held_out.n_runs * held_out_error(
                    paths + problem.offset[rows, None].astype(dtype),
                    outside[0],
                    outside[1][:, rows],
                    outside[2][rows],
                )
                best = error[s, rows].argmin(axis=1)
                delta[s, rows] = paths[np.arange(len(paths)), best]
    error /= n_held_out
    # The strength is chosen for all targets together: a choice for each would follow
    # the noise of its few held-out runs. Errors are relative to those of no weights.
    empty = np.where(error[0, :, 0] > 0, error[0, :, 0], 1)
    pooled = (error.min(axis=2) / empty).mean(axis=1).argmin()
    strength, rows = np.full(n_targets, pooled), np.arange(n_targets)
    lam = lams[strength, rows, error[strength, rows].argmin(axis=1)]
    return Choice(lams, error, delta, strength, lam)


def solve(gram, problem, rows, lams, path_params, delta_init=None):
    """Run :func:`lasso_path` on some targets of an informed problem."""
    penalty = problem.penalty_factors
    return lasso_path(
        gram,
        problem.cov[:, rows],
        problem.y_var[rows],
        lams=lams,
        penalty_factors=penalty[rows] if penalty.ndim == 2 else penalty,
        coef_init=delta_init,
        **path_params,
    )


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
