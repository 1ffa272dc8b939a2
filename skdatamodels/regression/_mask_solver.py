"""The solvers that work on masks, saga and residual, for what moments can not hold.

That is a Gram matrix too large for memory. Targets need not share their usable runs.
"""

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.regression._fits import assemble, computing_dtype
from skdatamodels.regression._prior import STRENGTHS, factors_of, least_squares_scale
from skdatamodels.regression._residual.residual_path import solve as solve_on_residuals
from skdatamodels.regression._saga.saga_path import solve as solve_by_saga
from skdatamodels.regression._selection import (
    Choice,
    choose_lam,
    choose_strength,
    lam_grid,
    squared_errors,
    walk_down,
)

# Outputs, residuals and a part of a path of one block of targets take about this much.
_BLOCK_BYTES = 2**30


def fit_groups(X, Y, groups, lam, prior, settings, seed, ops=None):
    """Fit the datamodels of groups of targets, in blocks of targets of any groups.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    Y : float array of shape (n_runs, n_targets)
    groups : list of Group
    lam : array of shape (n_targets,) or None
    prior : Prior
    settings : DatamodelRegressor
        For its parameters.
    seed : int
        Of the order in which runs are taken.
    ops : CudaOps or None
        What computes on a GPU, if not the CPU shall.

    Returns
    -------
    fits : list of Fit
    targets_of : list of int array
    """
    n_runs, d = X.shape
    dtype = computing_dtype(Y.dtype, ops)
    group_of = np.full(Y.shape[1], -1)
    for g, group in enumerate(groups):
        group_of[group.targets] = g
    targets = np.flatnonzero(group_of >= 0)
    each = dtype.itemsize * (
        4 * n_runs + 3 * d * (settings.patience or settings.n_lams)
    )
    step = max(1, _BLOCK_BYTES // each)
    fits, targets_of = [], np.split(targets, range(step, len(targets), step))
    for block in targets_of:
        y = np.full((n_runs, len(block)), np.nan, dtype)
        fold_of = np.full(y.shape, -1, np.min_scalar_type(-1 - len(groups[0].folds)))
        for j, target in enumerate(block):
            rows, _, folds = groups[group_of[target]]
            y[rows, j] = Y[rows, target]
            for f, fold in enumerate(folds):
                fold_of[fold, j] = f
        folds = [fold_of == f for f in range(len(groups[0].folds))]
        lam_of, prior_of = None if lam is None else lam[block], prior.of(block)
        # Products by several threads are saga's work; of residuals they are small.
        n_threads = 1 if settings.solver_ == "residual" else None
        with threadpool_limits(n_threads, user_api="blas"):
            fits.append(fit(X, y, folds, lam_of, prior_of, settings, seed, ops))
    return fits, targets_of


def fit(X, Y, folds, lam, prior, settings, seed, ops):
    """Fit the datamodels of a block of targets.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    Y : float array of shape (n_runs, n_targets)
        NaN where a run is not usable for a target.
    folds : list of bool array of shape (n_runs, n_targets)
        Usable runs of each target that are held out, in turn, if lam is to be chosen.
    lam : array of shape (n_targets,) or None
    prior : Prior
    settings : DatamodelRegressor
    seed : int

    Returns
    -------
    fit : Fit
    """
    strengths = STRENGTHS if prior.weights is not None else STRENGTHS[:1]
    s, choice, start = len(strengths) - 1, None, None
    if lam is None:
        s, choice, start = _choose(X, Y, folds, prior, strengths, settings, seed, ops)
        lam = choice.lams[np.arange(len(choice.lams)), choice.index]
    keep = settings.keep_path and choice is not None
    lams = choice.lams if keep else lam[:, None]
    rest, offset, factors = _inform(X, Y, prior, strengths[s])
    coefs, intercepts, gaps, n_epochs = _path(
        X, rest, lams, factors, start, settings, seed, ops
    )
    coefs = coefs if offset is None else coefs + offset[:, None]
    coefs = sparse.csr_array(coefs.reshape(-1, coefs.shape[2]))
    return assemble(coefs, intercepts, lams, gaps, n_epochs, strengths[s], choice, keep)


def _choose(X, Y, folds, prior, strengths, settings, seed, ops):
    """Choose the strength of the prior and lam by the error on held-out folds."""
    grid = settings.n_lams, settings.lam_min_ratio
    lams = []
    for strength in strengths:
        rest, _, factors = _inform(X, Y, prior, strength)
        lams.append(lam_grid(_covariances(X, rest), factors, *grid))
    lams = np.stack(lams)
    sums, worst = np.zeros((*lams.shape, 2)), np.zeros(lams.shape[:2])
    for fold in folds:
        train, held_out = np.where(fold, np.nan, Y), np.flatnonzero(fold.any(axis=1))
        fitted_on = np.flatnonzero(np.isfinite(train).any(axis=1))
        train, X_train = train[fitted_on], X[fitted_on]
        out = X[held_out], np.where(fold, Y, np.nan)[held_out]
        best = []
        for s, strength in enumerate(strengths):
            informed = _inform(X_train, train, prior, strength)
            new, coefs, gaps = _walk(
                X_train, *informed, *out, lams[s], settings, seed, ops
            )
            sums[s] += new
            worst[s] = np.maximum(worst[s], gaps)
            best.append(sparse.csr_array(coefs))
    s = choose_strength(sums)
    n_held_out = np.sum([fold.sum(axis=0) for fold in folds], axis=0)
    error, index = choose_lam(sums[s], n_held_out, settings.one_standard_error)
    return s, Choice(lams[s], error, index, worst[s]), best[s].toarray()


def _walk(X, y, offset, factors, X_out, Y_out, lams, settings, seed, ops):
    """Walk down the paths of all targets, judged by held-out runs."""

    def advance(active, lams, start):
        of = factors if len(factors) == 1 else factors[active]
        coefs, intercepts, gaps, _ = _path(
            X, y[:, active], lams, of, start, settings, seed, ops
        )
        weights = coefs if offset is None else coefs + offset[active, None]
        sums = squared_errors(X_out, Y_out[:, active], weights, intercepts)
        return coefs, gaps, sums

    return walk_down(advance, lams, settings.patience, settings.tol)


def _path(X, y, lams, factors, start, settings, seed, ops):
    path = {"lams": lams, "penalty_factors": factors, "coef_init": start}
    limits = {"tol": settings.tol, "max_iter": settings.max_iter}
    if settings.solver_ == "residual":
        return solve_on_residuals(X, y, **path, **limits, n_jobs=settings.n_jobs)
    return solve_by_saga(X, y, **path, **limits, random_state=seed, ops=ops)


def _inform(X, Y, prior, strength):
    """Let a prior in: outputs that are left to explain, the offset, penalty factors."""
    share, exponent = strength
    factors = factors_of(prior, exponent)
    if not share:
        return Y, None, factors
    effect = X.dot(np.ascontiguousarray(prior.weights.T))
    centred = np.where(np.isnan(Y), np.nan, effect)
    centred -= np.nanmean(centred, axis=0)
    fit, energy = np.nansum(centred * Y, axis=0), np.nansum(centred**2, axis=0)
    scale = least_squares_scale(fit, energy)
    rest = (Y - scale * effect).astype(Y.dtype)
    return rest, (scale[:, None] * prior.weights).astype(Y.dtype), factors


def _covariances(X, Y):
    """Covariances (n_targets, d) of columns and outputs, on each target's runs."""
    usable = ~np.isnan(Y)
    centred = np.where(usable, Y - np.nanmean(Y, axis=0), 0)
    return X.T_dot(centred).T / usable.sum(axis=0)[:, None]
