"""Solvers that work on masks, when a Gram matrix is too large for memory.

Targets need not share their usable runs.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.regression._fits import assemble, computing_dtype
from skdatamodels.regression._prior import STRENGTHS, factors_of
from skdatamodels.regression._selection import (
    Choice,
    choose_lam,
    choose_strength,
    lam_grid,
    squared_errors,
    walk_down,
)

# Size of the outputs, the residuals and a part of the path of one block of targets.
_BLOCK_BYTES = 2**30


def mask_solver(solve, blas_threads=None):
    """Make a solver, see `_solver`, from a function that solves paths on masks.

    Parameters
    ----------
    solve : callable
        ``solve(masks, y, sample_weight, *, lams, penalty_factors, coef_init, settings)
        -> coefs, intercepts, gaps, n_iter``, as :func:`residual_path` without its
        warning. y is NaN where a run is not usable for a target.
    blas_threads : int, optional
        Number of BLAS threads. None: leave it unchanged.

    Returns
    -------
    fit_groups : callable
        The solver.
    """

    def fit_groups(problem, settings):
        """Fit the datamodels of groups of targets; a block may span several groups."""
        X, Y, weight, groups, lam, prior, _ = problem
        dtype = computing_dtype(Y.dtype, settings.ops)
        group_of = np.full(Y.shape[1], -1)
        for g, group in enumerate(groups):
            group_of[group.targets] = g
        targets = np.flatnonzero(group_of >= 0)
        fits, targets_of = [], _blocks(targets, *X.shape, dtype, settings)
        for block in targets_of:
            outputs = _Outputs(Y, weight, block, [groups[g] for g in group_of[block]])
            lam_of = None if lam is None else lam[block]
            with threadpool_limits(blas_threads, user_api="blas"):
                fits.append(
                    _fit(X, outputs, dtype, lam_of, prior.of(block), settings, solve)
                )
        return fits, targets_of

    return fit_groups


def _blocks(targets, n_runs, d, dtype, settings):
    n_kept = settings.patience or settings.n_lams
    each = dtype.itemsize * (4 * n_runs + 3 * d * n_kept)
    step = max(1, _BLOCK_BYTES // each)
    return np.split(targets, range(step, len(targets), step))


class _Outputs(NamedTuple):
    """Outputs of a block of targets; each target has its own usable runs."""

    Y: np.ndarray  # (n_runs, all targets)
    weight: np.ndarray | None  # (n_runs,)
    targets: np.ndarray
    groups: list  # of the Group of each target

    def of(self, rows_of, dtype):
        """Return outputs (n_runs, n_targets), NaN outside the rows of each target."""
        y = np.full((self.Y.shape[0], len(self.targets)), np.nan, dtype)
        for j, (target, rows) in enumerate(zip(self.targets, rows_of, strict=True)):
            y[rows, j] = self.Y[rows, target]
        return y

    def judged(self, f):
        """Select the targets that have held-out runs in fold f.

        Returns
        -------
        some : int array
            Positions of these targets in the block.
        outputs : _Outputs
            Their outputs.
        """
        some = [
            j for j, group in enumerate(self.groups) if len(group.folds[f].held_out)
        ]
        groups = [self.groups[j] for j in some]
        return np.array(some, int), self._replace(
            targets=self.targets[some], groups=groups
        )


class _Fitted(NamedTuple):
    """Runs to fit or to judge by, without those that no target uses."""

    X: object  # PackedMasks
    y: np.ndarray
    weight: np.ndarray | None

    @classmethod
    def of(cls, X, y, weight):
        rows = np.flatnonzero(np.isfinite(y).any(axis=1))
        return cls(X[rows], y[rows], None if weight is None else weight[rows])


def _fit(X, outputs, dtype, lam, prior, settings, solve):
    """Fit the datamodels of a block of targets.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
        Masks.
    outputs : _Outputs
        Outputs of these targets.
    dtype : dtype
        Type of the computation.
    lam : array of shape (n_targets,) or None
        Strengths; None: choose them.
    prior : Prior
        Prior of these targets.
    settings : Settings
        How to fit.
    solve : callable
        See `mask_solver`.

    Returns
    -------
    fit : Fit
    """
    strengths = STRENGTHS[:1] if prior.weights is None else STRENGTHS
    s, choice, start = len(strengths) - 1, None, None
    runs = _Fitted(
        X, outputs.of([g.rows for g in outputs.groups], dtype), outputs.weight
    )
    if lam is None:
        s, choice, start = _choose(runs, outputs, prior, strengths, settings, solve)
        lam = choice.lams[np.arange(len(choice.lams)), choice.index]
    rest, offset, factors = _inform(runs, prior, strengths[s])
    keep = settings.keep_path and choice is not None
    lams = choice.lams if keep else lam[:, None]
    coefs, intercepts, gaps, n_epochs = solve(
        *rest,
        lams=lams,
        penalty_factors=factors,
        coef_init=start,
        settings=settings,
    )
    if offset is not None:
        coefs += offset[:, None]
    coefs = sparse.csr_array(coefs.reshape(-1, coefs.shape[2]))
    return assemble(coefs, intercepts, lams, gaps, n_epochs, strengths[s], choice, keep)


def _choose(runs, outputs, prior, strengths, settings, solve):
    """Choose the strength of the prior and lam by the error on held-out folds."""
    grid = settings.n_lams, settings.lam_min_ratio
    lams = []
    for strength in strengths:
        rest, _, factors = _inform(runs, prior, strength)
        lams.append(lam_grid(_covariances(*rest), factors, *grid))
    lams = np.stack(lams)
    sums, worst = np.zeros((*lams.shape, 2)), np.zeros(lams.shape[:2])
    n_held_out = np.zeros(lams.shape[1])
    best = np.zeros((len(strengths), lams.shape[1], runs.X.shape[1]), runs.y.dtype)
    for f in range(len(outputs.groups[0].folds)):
        some, judged = outputs.judged(f)
        if not len(some):
            continue
        folds = [group.folds[f] for group in judged.groups]
        train = [
            fold.train_of(group.rows)
            for fold, group in zip(folds, judged.groups, strict=True)
        ]
        train = _Fitted.of(runs.X, judged.of(train, runs.y.dtype), runs.weight)
        held_out = judged.of([fold.held_out for fold in folds], runs.y.dtype)
        held_out, prior_of = _Fitted.of(runs.X, held_out, runs.weight), prior.of(some)
        for s, strength in enumerate(strengths):
            informed = _inform(train, prior_of, strength)
            new, coefs, gaps = _walk(
                *informed, held_out, lams[s, some], settings, solve
            )
            sums[s, some] += new
            worst[s, some] = np.maximum(worst[s, some], gaps)
            best[s, some] = coefs
        n_held_out[some] += _weights_of_outputs(held_out).sum(axis=0)
    s = choose_strength(sums)
    error, index = choose_lam(sums[s], n_held_out, settings.one_standard_error)
    return s, Choice(lams[s], error, index, worst[s]), best[s]


def _walk(runs, offset, factors, held_out, lams, settings, solve):
    """Follow the paths of all targets, with errors on held-out runs."""
    X, y, weight = runs

    def advance(active, lams, start):
        coefs, intercepts, gaps, _ = solve(
            X,
            y[:, active],
            weight,
            lams=lams,
            penalty_factors=factors if len(factors) == 1 else factors[active],
            coef_init=start,
            settings=settings,
        )
        weights = coefs if offset is None else coefs + offset[active, None]
        sums = squared_errors(
            held_out.X, held_out.y[:, active], held_out.weight, weights, intercepts
        )
        return coefs, gaps, sums

    return walk_down(advance, lams, settings.patience, settings.tol)


def _inform(runs, prior, strength):
    """Apply a prior: return runs less the offset, the offset and penalty factors."""
    share, exponent = strength
    factors = factors_of(prior, exponent)
    if not share:
        return runs, None, factors
    effect = runs.X.dot(np.ascontiguousarray(prior.weights.T))
    rest = runs._replace(y=(runs.y - effect).astype(runs.y.dtype))
    return rest, prior.weights.astype(runs.y.dtype), factors


def _covariances(X, Y, weight):
    """Return covariances (n_targets, d) of columns and outputs on usable runs."""
    weight = _weights_of_outputs(_Fitted(X, Y, weight))
    y, total = np.nan_to_num(Y), weight.sum(axis=0)
    centred = weight * (y - (weight * y).sum(axis=0) / total)
    return X.T_dot(centred).T / total[:, None]


def _weights_of_outputs(runs):
    """Return the weight of each output (n_runs, n_targets), 0 where it is NaN."""
    weight = 1 if runs.weight is None else runs.weight[:, None]
    return weight * ~np.isnan(runs.y)
