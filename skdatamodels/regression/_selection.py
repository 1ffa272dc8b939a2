"""Choosing lam, and the strength of a prior, by held-out error along the path."""

from typing import NamedTuple

import numpy as np

from skdatamodels._numba import njit
from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks


def lam_grid(cov, penalty_factors, n_lams, lam_min_ratio):
    """Log-spaced grid of lam for each target, from the largest that matters down.

    At lam_max = max|cov / penalty_factors| and above all coefficients are 0.

    Parameters
    ----------
    cov : array of shape (n_targets, d)
    penalty_factors : array of shape (1, d) or (n_targets, d)
    n_lams : int
    lam_min_ratio : float
        Smallest lam over lam_max.

    Returns
    -------
    lams : float64 array of shape (n_targets, n_lams), decreasing
    """
    lam_max = (np.abs(cov) / penalty_factors).max(axis=1)
    return lam_max[:, None] * np.geomspace(1, lam_min_ratio, n_lams)


class Choice(NamedTuple):
    """What held-out runs say."""

    lams: np.ndarray  # (n_targets, n_lams), decreasing
    error: np.ndarray  # (n_targets, n_lams), mean squared; NaN if not computed
    index: np.ndarray  # (n_targets,), of the lam that was chosen
    gap: np.ndarray  # (n_targets,), the largest on the way


def squared_errors(X, Y, weight, coefs, intercepts):
    """Sum squared errors, and their squares, over runs.

    Parameters
    ----------
    X : array of shape (n_runs, d) or PackedMasks
    Y : array of shape (n_runs, n_targets)
        NaN is left out.
    weight : float64 array of shape (n_runs,) or None
        Weight of each run in the sums; None: all 1.
    coefs : array of shape (n_targets, n_lams, d)
    intercepts : array of shape (n_targets, n_lams)

    Returns
    -------
    sums : float64 array of shape (n_targets, n_lams, 2)
        Of the second and the fourth powers of the residuals.
    """
    n_targets, n_lams, d = coefs.shape
    sums = np.zeros((n_targets, n_lams, 2))
    flat = coefs.reshape(-1, d).T
    Y = np.asarray(Y, np.float64)
    weight = np.ones(len(Y)) if weight is None else weight
    for rows in row_blocks(len(Y), 8 * (d + n_targets * n_lams)):
        block = X.dense(rows, coefs.dtype) if isinstance(X, PackedMasks) else X[rows]
        fitted = (block @ flat).reshape(-1, n_targets, n_lams)
        _add_powers(Y[rows], weight[rows], fitted, intercepts, sums)
    return sums


@njit(nogil=True)
def _add_powers(Y, weight, fitted, intercepts, sums):
    n_runs, n_targets, n_lams = fitted.shape
    for i in range(n_runs):
        for j in range(n_targets):
            if np.isnan(Y[i, j]):
                continue
            for k in range(n_lams):
                square = (Y[i, j] - intercepts[j, k] - fitted[i, j, k]) ** 2
                sums[j, k, 0] += weight[i] * square
                sums[j, k, 1] += weight[i] * square**2


def walk_down(advance, lams, patience, tol):
    """Go down the paths of some targets until their held-out error has turned.

    Or until a solution is not found: those at smaller lams would be harder to find.

    Parameters
    ----------
    advance : callable (targets, lams, start) -> coefs, gaps, sums
        Solves some targets, an int array, on a part of their paths, from given
        coefficients (n_targets, d), or None. It returns coefficients (n_targets,
        n_lams, d), their gaps, and what :func:`squared_errors` says of them.
    lams : array of shape (n_targets, n_lams), decreasing
    patience : int or None
        A path ends when its least error is so many lams back; None: at its end.
    tol : float
        Gap of a solution.

    Returns
    -------
    sums : float64 array of shape (n_targets, n_lams, 2)
        NaN where a path was not followed.
    best : array of shape (n_targets, d)
        Coefficients of least error; a tensor, if `advance` returns tensors.
    gap : float64 array of shape (n_targets,)
        The largest on the way.
    """
    n_targets, n_lams = lams.shape
    gap = np.zeros(n_targets)
    sums = np.full((n_targets, n_lams, 2), np.nan)
    least, best = np.full(n_targets, np.inf), None
    since = np.zeros(n_targets, dtype=int)  # lams since the least error
    step = n_lams if patience is None else min(patience, n_lams)
    active, start = np.arange(n_targets), None
    for first in range(0, n_lams, step):
        part = slice(first, first + step)
        coefs, gaps, sums[active, part] = advance(active, lams[active, part], start)
        gap[active] = np.maximum(gap[active], gaps.max(axis=1))
        errors = sums[active, part, 0]
        k, each = errors.argmin(axis=1), np.arange(len(active))
        if best is None:
            best = coefs[:, 0] + 0
        better = errors[each, k] < least[active]
        best[active[better]] = coefs[each, k][better]
        least[active] = np.minimum(least[active], errors[each, k])
        length = errors.shape[1]
        since[active] = np.where(better, length - 1 - k, since[active] + length)
        going = (since[active] < step) & (gap[active] <= tol)
        active, start = active[going], coefs[going, -1]
        if not len(active):
            break
    return sums, best, gap


def choose_strength(sums):
    """Choose the strength of a prior for all targets together.

    A choice for each would follow the noise of its few held-out runs. Errors are
    relative to those of no weights. The prior must lower them by two standard errors,
    over targets: with few runs the least of several errors is often so by chance.

    Parameters
    ----------
    sums : array of shape (n_strengths, n_targets, n_lams, 2)
        See :func:`squared_errors`; the first strength is no prior.

    Returns
    -------
    strength : int
    """
    empty = np.where(sums[0, :, 0, 0] > 0, sums[0, :, 0, 0], 1)
    errors = np.nanmin(sums[..., 0], axis=2) / empty
    gains = errors[0] - errors
    best = gains.mean(axis=1).argmax()
    n_targets = gains.shape[1]
    if n_targets > 1:
        doubt = gains[best].std(ddof=1) / np.sqrt(n_targets)
        best = best if gains[best].mean() > 2 * doubt else 0
    return best


def choose_lam(sums, n_held_out, one_standard_error):
    """Choose the lam of least held-out error, or the largest that is nearly as good.

    Parameters
    ----------
    sums : array of shape (n_targets, n_lams, 2)
        See :func:`squared_errors`, over all folds; NaN is not chosen.
    n_held_out : float or array of shape (n_targets,)
        Weight of the runs in these sums; their number if they have none.
    one_standard_error : bool
        Take the largest lam whose error is at most one standard error, over held-out
        runs, above the least.

    Returns
    -------
    error : array of shape (n_targets, n_lams)
        Mean squared error.
    chosen : int array of shape (n_targets,)
    """
    n = np.broadcast_to(n_held_out, len(sums))
    error, fourth = np.moveaxis(sums, 2, 0) / n[:, None]
    chosen, each = np.nanargmin(error, axis=1), np.arange(len(error))
    if one_standard_error:
        least = error[each, chosen]
        spread = np.sqrt(np.maximum(fourth[each, chosen] - least**2, 0) / n)
        chosen = (error <= (least + spread)[:, None]).argmax(axis=1)
    return error, chosen
