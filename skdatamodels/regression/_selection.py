"""Choosing lam and the strength of a prior by the held-out error along the path."""

from typing import NamedTuple

import numpy as np

from skdatamodels._numba import njit
from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks

# The errors of this many targets choose the strength of a prior for all targets. Their
# mean gain varies by an eighth of what the gain of one target varies by.
MOST_JUDGES = 64


def lam_grid(cov, penalty_factors, n_lams, lam_min_ratio):
    """Return a log-spaced grid of lams for each target.

    The largest is lam_max = max|cov / penalty_factors|: from there on, all
    coefficients are 0.

    Parameters
    ----------
    cov : array of shape (n_targets, d)
        Covariances of columns and outputs.
    penalty_factors : array of shape (1, d) or (n_targets, d)
        Factors of the penalty of each coefficient.
    n_lams : int
        Number of lams.
    lam_min_ratio : float
        Ratio of the smallest lam to lam_max.

    Returns
    -------
    lams : float64 array of shape (n_targets, n_lams), decreasing
    """
    lam_max = (np.abs(cov) / penalty_factors).max(axis=1)
    return lam_max[:, None] * np.geomspace(1, lam_min_ratio, n_lams)


class Choice(NamedTuple):
    """The lams that were chosen by the error on held-out runs."""

    lams: np.ndarray  # (n_targets, n_lams), decreasing
    error: np.ndarray  # (n_targets, n_lams), mean squared; NaN if not computed
    index: np.ndarray  # (n_targets,), of the lam that was chosen
    gap: np.ndarray  # (n_targets,), largest gap of these fits


def squared_errors(X, Y, weight, coefs, intercepts):
    """Sum squared errors, and their squares, over runs.

    Parameters
    ----------
    X : array of shape (n_runs, d) or PackedMasks
        Columns.
    Y : array of shape (n_runs, n_targets)
        Outputs; NaN is ignored.
    weight : float64 array of shape (n_runs,) or None
        Weight of each run in the sums; None: all 1.
    coefs : array of shape (n_targets, n_lams, d)
        Weights along the paths.
    intercepts : array of shape (n_targets, n_lams)
        Intercepts along the paths.

    Returns
    -------
    sums : float64 array of shape (n_targets, n_lams, 2)
        Sums of the second and the fourth powers of the residuals.
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
    """Follow the paths of some targets until their held-out error rises.

    A path also ends where the solver does not reach `tol`: smaller lams would be even
    harder to solve.

    Parameters
    ----------
    advance : callable (targets, lams, start) -> coefs, gaps, sums
        Solves some targets, an int array, on a part of their paths, starting from
        coefficients (n_targets, d), or None. It returns coefficients (n_targets,
        n_lams, d), their gaps, and their :func:`squared_errors`.
    lams : array of shape (n_targets, n_lams), decreasing
        Strengths along the paths.
    patience : int or None
        A path ends when its error has not improved for this number of lams. None:
        compute the whole path.
    tol : float
        Duality gap to reach.

    Returns
    -------
    sums : float64 array of shape (n_targets, n_lams, 2)
        Sums of errors; NaN at lams that were not tried.
    best : array of shape (n_targets, d)
        Coefficients of the smallest error; a tensor if `advance` returns tensors.
    gap : float64 array of shape (n_targets,)
        Largest gap of each target.
    """
    n_targets, n_lams = lams.shape
    gap = np.zeros(n_targets)
    sums = np.full((n_targets, n_lams, 2), np.nan)
    least, best = np.full(n_targets, np.inf), None
    since = np.zeros(n_targets, dtype=int)  # lams since the smallest error
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


def judges(targets):
    """Return the targets that choose the strength of a prior for all.

    These are at most `MOST_JUDGES`, evenly spaced.
    """
    n = min(len(targets), MOST_JUDGES)
    return targets[np.arange(n) * len(targets) // max(n, 1)]


def judging_groups(groups):
    """Restrict groups to their :func:`judges`; drop groups without one."""
    some = judges(np.sort(np.concatenate([group.targets for group in groups])))
    parts = [g._replace(targets=g.targets[np.isin(g.targets, some)]) for g in groups]
    return [part for part in parts if len(part.targets)]


def choose_strength(sums):
    """Choose the strength of a prior for all targets together.

    A choice for each target would follow the noise of its few held-out runs. Errors
    are relative to those of the model without weights. A prior is used only if it
    lowers them by two standard errors over targets: with few runs, the smallest of
    several errors is often smallest by chance.

    Parameters
    ----------
    sums : array of shape (n_strengths, n_targets, n_lams, 2)
        See :func:`squared_errors`; the first strength uses no prior.

    Returns
    -------
    strength : int
        Index of the strength.
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
    """Choose the lam of smallest held-out error, or the largest that is nearly as good.

    Parameters
    ----------
    sums : array of shape (n_targets, n_lams, 2)
        See :func:`squared_errors`, over all folds; NaN is never chosen.
    n_held_out : float or array of shape (n_targets,)
        Total weight of the runs in these sums; their number without weights.
    one_standard_error : bool
        Choose the largest lam whose error is at most one standard error, over held-out
        runs, above the smallest error.

    Returns
    -------
    error : array of shape (n_targets, n_lams)
        Mean squared error.
    chosen : int array of shape (n_targets,)
        Index of the lam of each target.
    """
    n = np.broadcast_to(n_held_out, len(sums))
    error, fourth = np.moveaxis(sums, 2, 0) / n[:, None]
    chosen, each = np.nanargmin(error, axis=1), np.arange(len(error))
    if one_standard_error:
        least = error[each, chosen]
        spread = np.sqrt(np.maximum(fourth[each, chosen] - least**2, 0) / n)
        chosen = (error <= (least + spread)[:, None]).argmax(axis=1)
    return error, chosen
