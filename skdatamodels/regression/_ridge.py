"""Fitting the informed ridge to all targets; see `_ridge_system` for its equations."""

from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.regression._fits import Fit, computing_dtype
from skdatamodels.regression._large_ridge import LARGE, LargeSystem
from skdatamodels.regression._prior import relative_size
from skdatamodels.regression._ridge_system import Runs, System, errors_of_mean

# Tried strengths, relative to the mean eigenvalue of K or S.
_GRID = np.geomspace(1e-4, 1e4, 33)
# Targets that choose lam for all: fewer if systems are large, since more runs tell
# more for each target.
_MOST_JUDGES, _LEAST_JUDGES, _ROWS = 32, 4, 5000
_BLOCK = 16  # targets of one task


def fit_groups(problem, settings):
    """Fit the datamodels of groups of targets: a solver, see `_solver`.

    If lam is None, one strength is chosen for all targets, relative to the mean
    eigenvalue of each one's system, by the errors on left-out runs.
    """
    with threadpool_limits(1, user_api="blas"):
        strength = None
        if problem.lam is None:
            strength = _choose_strength(problem, settings)
        if len(problem.groups) > 1:
            data = ((problem, settings, strength, group) for group in problem.groups)
            fits = _parallel(_fit_group, data, settings)
            return fits, [group.targets for group in problem.groups]
        (group,) = problem.groups
        runs = Runs.of(problem, group.rows, settings.seed, settings.ops)
        large = min(runs.Z.shape) > LARGE
        step = 4 * _BLOCK if large else _BLOCK
        if not (large or _differ(problem.prior)):  # all targets share a system
            step = 64 * _BLOCK
        blocks = np.split(group.targets, range(step, len(group.targets), step))
        data = ((problem, runs, settings, strength, block) for block in blocks)
        return _parallel(_fit, data, settings), blocks


def name_of_ridge(problem):
    """Return the form of the systems: dual, primal or conjugate_gradient."""
    m, d = min(len(group.rows) for group in problem.groups), problem.X.shape[1]
    if min(m, d) > LARGE:
        return "conjugate_gradient"
    return "dual" if m <= d else "primal"


def _fit_group(problem, settings, strength, group):
    runs = Runs.of(problem, group.rows, settings.seed, settings.ops)
    return _fit(problem, runs, settings, strength, group.targets)


def _parallel(task, arguments, settings):
    """Run a task in threads, each with one BLAS thread; on a GPU, one after another."""
    alone = threadpool_limits.wrap(limits=1, user_api="blas")(task)
    n_jobs = settings.n_jobs if settings.ops is None else 1
    parallel = Parallel(n_jobs=n_jobs, prefer="threads")
    return parallel(delayed(alone)(*each) for each in arguments)


def _differ(prior):
    """Return whether targets have systems of their own."""
    return prior.weights is not None or prior.penalty_factors.ndim == 2


def _fit(problem, runs, settings, strength, targets):
    """Fit some targets that use the same runs."""
    n, d = len(targets), runs.Z.shape[1]
    dtype = computing_dtype(problem.Y.dtype, settings.ops)
    coef, lam = np.empty((n, d), dtype), np.empty(n)
    intercept, error, noise = np.empty((3, n))
    of_mean = errors_of_mean(runs, _centred_outputs(problem, runs, targets)[0])
    for part in _parts(problem, runs, targets, settings):
        own, system = part.own, part.system
        lam[own] = strength * system.size if part.lam is None else part.lam
        delta, error[own], noise[own] = system.solve(part.R, lam[own])
        weights = delta if part.offset is None else part.offset + delta
        coef[own] = weights
        intercept[own] = part.y_mean - weights @ runs.x_mean
    given = problem.prior.weights is not None
    return Fit(
        coef=sparse.csr_array(coef),
        intercept=intercept,
        lam=lam,
        gap=np.zeros(n),
        worst_gap=np.zeros(n),
        n_iter=np.ones(n, int),
        strength=np.tile([1.0, 1.0] if given else [0.0, 0.0], (n, 1)),
        left_out_error=error,
        left_out_error_of_mean=of_mean,
        noise=noise,
    )


def variances_of(offset, factors, n_targets):
    """Return the variances D (n_targets, d) from prior weights and penalty factors."""
    variances = np.broadcast_to(1 / factors, (n_targets, factors.shape[1]))
    return variances if offset is None else variances * relative_size(offset)


class _Part(NamedTuple):
    """Targets that share a system, and the right sides of their equations."""

    own: np.ndarray  # positions among the targets
    system: System | LargeSystem
    lam: float | np.ndarray | None
    offset: np.ndarray | None  # (n, d), weights of the prior
    R: Any  # (m, n), centred outputs less the prior's, times the root of weights
    y_mean: np.ndarray  # (n,)


def _parts(problem, runs, targets, settings):
    """Yield the parts of some targets that use the same runs."""
    offset, factors, _ = problem.prior.of(targets)
    factors = np.atleast_2d(factors)
    variances = variances_of(offset, factors, len(targets))
    R, y_mean = _centred_outputs(problem, runs, targets)
    if offset is not None:
        R -= runs.dot(runs.algebra.asarray(offset.T))
    lam = problem.lam if problem.lam is None else problem.lam[targets]
    if min(runs.Z.shape) > LARGE:
        system = LargeSystem(runs, variances, settings.seed)
        yield _Part(np.arange(len(targets)), system, lam, offset, R, y_mean)
        return
    alike = {}
    for j, variance in enumerate(variances):
        key = variance.tobytes() if _differ(problem.prior) else None
        alike.setdefault((key, None if lam is None else lam[j]), []).append(j)
    for (_, lam_of), own in alike.items():
        yield _Part(
            np.array(own),
            System(runs, variances[own[0]]),
            lam_of,
            None if offset is None else offset[own],
            R[:, own],
            y_mean[own],
        )


def _centred_outputs(problem, runs, targets):
    """Return outputs less their means, times the root of the weights, and the means."""
    y = np.asarray(problem.Y[runs.rows][:, targets], np.float64)
    first = y[0]  # of constant outputs, it is the mean without rounding
    y = runs.algebra.asarray(y - first)
    mean = runs.root**2 @ y / runs.total
    return (y - mean) * runs.root[:, None], first + runs.algebra.to_host(mean)


def _choose_strength(problem, settings):
    """Return the strength, relative to the size of a system, of least error."""
    targets = np.sort(np.concatenate([group.targets for group in problem.groups]))
    m = max(len(group.rows) for group in problem.groups)
    n = max(_ROWS // min(m, problem.X.shape[1]), _LEAST_JUDGES)
    n = min(n, _MOST_JUDGES, len(targets))
    judges = targets[np.linspace(0, len(targets) - 1, n).astype(int)]
    parts = []
    for group in problem.groups:
        own = np.intersect1d(group.targets, judges)
        if len(own):
            runs = Runs.of(problem, group.rows, settings.seed, settings.ops)
            parts += _parts(problem, runs, own, settings)

    found = _parallel(_relative_errors, ((part,) for part in parts), settings)
    found = np.concatenate(found, axis=1).mean(axis=1)
    return _GRID[np.where(np.isfinite(found), found, np.inf).argmin()]


def _relative_errors(part):
    """Return errors on left-out runs, relative to those of the prior (n_grid, n)."""
    runs = part.system.runs
    spread = runs.algebra.to_host((part.R**2).sum(axis=0)) / runs.total
    errors = part.system.errors(part.R, _GRID)
    return np.divide(errors, spread, out=np.zeros_like(errors), where=spread > 0)
