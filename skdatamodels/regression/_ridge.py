"""The informed ridge: regression on masks where a prior gives means and variances.

For a target with prior weights μ, the weights are w = μ + δ, and δ minimises

    ‖y - X(μ + δ) - b‖²/m + lam·Σ δᵢ²/Dᵢ ,   Dᵢ = (abs(μᵢ)/mean(abs(μ)) + 0.1)/pᵢ ,

with penalty factors p. This is the posterior mean if δᵢ has variance v·Dᵢ and the
outputs have noise of variance lam·m·v. With V = √D and Z the centred columns, in the
*dual* form

    K = Z·D·Zᵀ/m (m, m),   (K + lam)·a = r,   δ = D·Zᵀ·a/m,

where r = y - Xμ, centred. The *primal* form solves a system of size d:

    S = V·ZᵀZ·V/m (d, d),   (S + lam)·z = V·Zᵀ·r/m,   δ = V·z.

The errors on left-out runs are exact and need no refit: if e = r - Zδ are the residuals
and H is the matrix that maps outputs to fitted values, the errors on the runs of a unit
are (1 - H)⁻¹·e, restricted to these runs. H = K(K + lam)⁻¹ + 11ᵀ/m; the second part is
that of the intercept. Runs of weight s have rows of Z and r multiplied by √s.
"""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from scipy.linalg import cholesky, eigh, lapack, solve_triangular
from threadpoolctl import threadpool_limits

from skdatamodels.masks import PackedMasks
from skdatamodels.regression._fits import Fit, computing_dtype
from skdatamodels.regression._large_ridge import (
    LARGE,
    LEAST_LAM,
    LEAST_SIZE,
    LargeSystem,
)
from skdatamodels.regression._prior import relative_size

# Tried strengths, relative to the mean eigenvalue of K or S.
_GRID = np.geomspace(1e-4, 1e4, 33)
# Targets that choose lam for all: fewer if systems are large, since more runs tell
# more for each target.
_MOST_JUDGES, _LEAST_JUDGES, _ROWS = 32, 4, 5000
# Runs of the primal form whose left-out errors are computed.
_MOST_LEFT_OUT = 1000
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
        runs = Runs.of(problem, group.rows, settings.seed)
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
    runs = Runs.of(problem, group.rows, settings.seed)
    return _fit(problem, runs, settings, strength, group.targets)


def _parallel(task, arguments, settings):
    """Run a task in threads, each with one BLAS thread."""
    alone = threadpool_limits.wrap(limits=1, user_api="blas")(task)
    parallel = Parallel(n_jobs=settings.n_jobs, prefer="threads")
    return parallel(delayed(alone)(*each) for each in arguments)


def _differ(prior):
    """Return whether targets have systems of their own."""
    return prior.weights is not None or prior.penalty_factors.ndim == 2


def _fit(problem, runs, settings, strength, targets):
    """Fit some targets that use the same runs."""
    n, d = len(targets), runs.Z.shape[1]
    dtype = computing_dtype(problem.Y.dtype)
    coef, lam = np.empty((n, d), dtype), np.empty(n)
    intercept, error, noise = np.empty((3, n))
    of_mean = _errors_of_mean(runs, _centred_outputs(problem, runs, targets)[0])
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


class Runs(NamedTuple):
    """The runs that some targets can use."""

    rows: np.ndarray  # (m,)
    Z: np.ndarray  # (m, d), centred columns, times the root of the weights
    x_mean: np.ndarray  # (d,)
    root: np.ndarray  # (m,), root of the weights
    total: float  # sum of the weights
    left_out: list  # of int arrays (n_units, size): the runs of units, by their size
    gram: np.ndarray | None  # (d, d), ZᵀZ divided by the total, in the primal form

    @classmethod
    def of(cls, problem, rows, seed):
        """Take rows of a problem; `seed` chooses which are left out if there are many.

        Parameters
        ----------
        problem : Problem
            What to fit.
        rows : int array of shape (m,)
            The runs.
        seed : int
            Chooses runs.

        Returns
        -------
        runs : Runs
        """
        X, Y, weight = problem[:3]
        rows, dtype = np.sort(rows), computing_dtype(Y.dtype)
        X = X.dense(rows, dtype) if isinstance(X, PackedMasks) else X[rows]
        X = X.astype(dtype, copy=False)
        weight = np.ones(len(rows)) if weight is None else weight[rows]
        root, total = np.sqrt(weight), weight.sum()
        x_mean = np.array(weight @ X, np.float64) / total
        # exact, so that rounding does not let a constant column vary
        x_mean = np.where(np.equal(X, X[0]).all(axis=0), X[0], x_mean)
        Z = (X - x_mean.astype(dtype)) * root[:, None].astype(dtype)
        primal = LARGE >= X.shape[1] < len(rows)
        unit = np.arange(len(rows)) if problem.unit is None else problem.unit[rows]
        left_out = _by_size(unit)
        if primal:
            left_out = _some(left_out, seed)
        gram = (Z.T @ Z).astype(np.float64) / total if primal else None
        return cls(rows, Z, x_mean, root, total, left_out, gram)

    def noise(self, residuals, freedom):
        """Return the variance of the noise, from residuals and degrees of freedom.

        Weights count runs, but at least as many as equal weights that would give means
        of the same variance, so that weights that sum to little do not matter.
        """
        weight = self.root**2
        n_runs = max(self.total, self.total**2 / (weight**2).sum())
        mean = (residuals**2).sum(axis=0) / self.total
        return mean * n_runs / max(n_runs - freedom, 1e-9 * n_runs)


def _by_size(unit):
    """Return the positions of the members of units, in one array for each size."""
    order = np.argsort(unit, kind="stable")
    sizes = np.unique(unit, return_counts=True)[1]
    starts = np.cumsum(sizes) - sizes
    return [
        order[starts[sizes == size, None] + np.arange(size)]
        for size in np.unique(sizes).tolist()
    ]


def _some(left_out, seed):
    """Choose units at random, if they have more runs than are needed."""
    n_runs = sum(units.size for units in left_out)
    share, rng = _MOST_LEFT_OUT / n_runs, np.random.default_rng(seed)
    if share >= 1:
        return left_out
    return [
        units[np.sort(rng.choice(len(units), max(1, round(share * len(units))), False))]
        for units in left_out
    ]


class System:
    """The equations of targets that have the same runs and variances D.

    Parameters
    ----------
    runs : Runs
        The runs.
    variances : float64 array of shape (d,)
        Relative prior variances D.
    """

    def __init__(self, runs, variances):
        self.runs, self.root = runs, np.sqrt(variances)
        if runs.gram is None:
            V = self._columns(slice(None))
            self.matrix = _centred(
                np.array(V @ V.T, np.float64) / runs.total, runs.root
            )
        else:
            self.matrix = runs.gram * np.outer(self.root, self.root)
        diagonal = np.diagonal(self.matrix)
        # mean eigenvalue, without those that centring sets to 0
        n = len(diagonal) - (runs.gram is None)
        size = diagonal.sum() / max(n, 1)
        self.size = size if size > LEAST_SIZE else 1.0

    def errors(self, R, strengths):
        """Return the errors of `solve` for several strengths.

        Parameters
        ----------
        R : float64 array of shape (m, n_targets)
            As in `solve`.
        strengths : float64 array of shape (n_strengths,)
            Strengths, relative to the mean eigenvalue.

        Returns
        -------
        errors : float64 array of shape (n_strengths, n_targets)
        """
        runs, (values, vectors) = self.runs, eigh(self.matrix, check_finite=False)
        values = np.maximum(values, 0)
        # features F with FᵀF = diag(values): the fit is F·(FᵀF + lam)⁻¹·FᵀR
        if runs.gram is None:
            F = vectors * np.sqrt(values)
        else:
            scale = self.root[:, None] * vectors / np.sqrt(runs.total)
            F = np.array(runs.Z @ scale.astype(runs.Z.dtype), np.float64)
        right = F.T @ R
        found = []
        for lam in strengths * self.size:
            shrunk = F / (values + lam)

            def kept(units, shrunk=shrunk):
                H = shrunk[units] @ F[units].transpose(0, 2, 1)
                return _without_mean(runs, units, H)

            found.append(_left_out(runs, R - shrunk @ right, kept))
        return np.array(found)

    def posterior(self, lam, sets=None):
        """Return variances of weights given the outputs.

        Parameters
        ----------
        lam : float
            Strength.
        sets : float64 array of shape (n_sets, d) or None
            Factors of the weights in sums; None: each weight alone.

        Returns
        -------
        variances : float64 array of shape (n_sets,) or (d,)
            In the units of D, divided by lam.
        """
        lam = self._least(lam)
        runs, factor = self.runs, self._factor(lam)
        V = np.array(self._columns(slice(None)), np.float64) / np.sqrt(runs.total)
        if runs.gram is None:
            if sets is None:
                U = solve_triangular(factor, V, lower=True)
                return self.root**2 * np.maximum(1 - (U**2).sum(axis=0), 0) / lam
            sums = (self.root * sets).T
            U = solve_triangular(factor, V @ sums, lower=True)
            return np.maximum((sums**2).sum(axis=0) - (U**2).sum(axis=0), 0) / lam
        # D - D·Zᵀ(…)⁻¹Z·D = lam·V(S + lam)⁻¹V
        sums = np.diag(self.root) if sets is None else (self.root * sets).T
        return (solve_triangular(factor, sums, lower=True) ** 2).sum(axis=0)

    def _columns(self, rows):
        """Return rows of Z·√D."""
        Z = self.runs.Z[rows]
        return Z * self.root.astype(Z.dtype)

    def solve(self, R, lam):
        """Solve the systems of some targets.

        Parameters
        ----------
        R : float64 array of shape (m, n_targets)
            Centred outputs less the prior's predictions, times the root of the weights.
        lam : float64 array of shape (n_targets,)
            Strength, the same for all.

        Returns
        -------
        delta : float64 array of shape (n_targets, d)
            Weights beyond those of the prior.
        error : float64 array of shape (n_targets,)
            Mean squared error on left-out runs.
        noise : float64 array of shape (n_targets,)
            Variance of the noise: squared residuals by degrees of freedom.
        """
        lam = self._least(lam[0])
        solve = self._solve_dual if self.runs.gram is None else self._solve_primal
        return solve(R, lam)

    def _least(self, lam):
        """Return lam, or the least one that rounding allows."""
        return max(lam, LEAST_LAM[self.runs.Z.dtype.itemsize] * self.size)

    def _factor(self, lam, extra=0.0):
        """Return the lower Cholesky factor of the matrix plus lam, and a matrix."""
        A = self.matrix + extra
        np.fill_diagonal(A, np.diagonal(A) + lam)
        return cholesky(A, lower=True, overwrite_a=True, check_finite=False)

    def _solve_dual(self, R, lam):
        runs, unit = self.runs, self.runs.root / np.sqrt(self.runs.total)
        # K maps the unit vector to 0. An eigenvalue there keeps the inverse from being
        # large in its direction, and its part is subtracted without a loss of digits.
        mean = np.outer(unit, unit)
        factor = self._factor(lam, self.size * mean)
        inverse = _symmetric(lapack.dpotri(factor, lower=True)[0])
        inverse -= mean / (self.size + lam)
        a = inverse @ R
        delta = (self._columns(slice(None)).T @ a.astype(runs.Z.dtype)).T
        delta = np.array(delta, np.float64) * (self.root / runs.total)
        kept = lam * inverse  # 1 - H
        errors = _left_out(
            runs, lam * a, lambda units: kept[units[..., None], units[:, None]]
        )
        return delta, errors, runs.noise(lam * a, len(kept) - np.trace(kept))

    def _solve_primal(self, R, lam):
        runs, factor = self.runs, self._factor(lam)
        product = runs.Z.T @ R.astype(runs.Z.dtype)
        right = self.root[:, None] * np.array(product, np.float64) / runs.total
        z = lapack.dpotrs(factor, right, lower=True)[0]
        delta = self.root * z.T
        residuals = R - np.array(runs.Z @ delta.T.astype(runs.Z.dtype), np.float64)

        def kept(units):
            V = np.array(self._columns(units.ravel()), np.float64).T
            U = solve_triangular(factor, V, lower=True, check_finite=False).T
            U = U.reshape(*units.shape, -1) / np.sqrt(runs.total)
            return _without_mean(runs, units, U @ U.transpose(0, 2, 1))

        half = lapack.dtrtri(factor, lower=True)[0]
        used = len(half) - lam * (np.tril(half) ** 2).sum()
        errors = _left_out(runs, residuals, kept)
        return delta, errors, runs.noise(residuals, 1 + used)


def _centred(K, root):
    """Subtract the mean that rounding left in K: H = 1 in an interpolation needs it."""
    unit = root / np.linalg.norm(root)
    mean = K @ unit
    K = K - np.outer(mean, unit) - np.outer(unit, mean)
    return K + (unit @ mean) * np.outer(unit, unit)


def _without_mean(runs, units, H):
    """Return 1 - H for the runs of units, where H lacks the part of the intercept."""
    roots = runs.root[units]
    H = H + roots[:, :, None] * roots[:, None] / runs.total
    return np.eye(units.shape[1]) - H


def _symmetric(lower):
    """Copy the lower triangle of a matrix to the upper one."""
    return np.tril(lower) + np.tril(lower, -1).T


def _left_out(runs, residuals, kept):
    """Return mean squared errors on left-out runs (n_targets,)."""
    squares, total = np.zeros(residuals.shape[1]), 0.0
    for units in runs.left_out:
        blocks = kept(units)
        with np.errstate(divide="ignore", invalid="ignore"):
            if units.shape[1] == 1:
                errors = residuals[units[:, 0]] / blocks[:, 0]
            elif units.size == len(residuals) and len(units) == 1:  # nothing is left
                errors = np.full((1, *residuals.shape), np.nan)
            else:
                errors = np.linalg.solve(blocks, residuals[units])
        squares += (errors**2).reshape(-1, len(squares)).sum(axis=0)
        total += (runs.root[units] ** 2).sum()
    return squares / total


def _errors_of_mean(runs, R):
    """Return the errors of the mean of the other runs, on the same left-out runs."""
    return _left_out(runs, R, lambda units: _without_mean(runs, units, 0.0))


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
    R: np.ndarray  # (m, n), centred outputs less the prior's, times the root of weights
    y_mean: np.ndarray  # (n,)


def _parts(problem, runs, targets, settings):
    """Yield the parts of some targets that use the same runs."""
    offset, factors, _ = problem.prior.of(targets)
    factors = np.atleast_2d(factors)
    variances = variances_of(offset, factors, len(targets))
    R, y_mean = _centred_outputs(problem, runs, targets)
    if offset is not None:
        R -= np.array(runs.Z @ offset.T.astype(runs.Z.dtype), np.float64)
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
    y = np.array(problem.Y[runs.rows][:, targets], np.float64)
    first = y[0].copy()  # of constant outputs, it is the mean without rounding
    y -= first
    mean = runs.root**2 @ y / runs.total
    return (y - mean) * runs.root[:, None], first + mean


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
            runs = Runs.of(problem, group.rows, settings.seed)
            parts += _parts(problem, runs, own, settings)

    found = _parallel(_relative_errors, ((part,) for part in parts), settings)
    found = np.concatenate(found, axis=1).mean(axis=1)
    return _GRID[np.where(np.isfinite(found), found, np.inf).argmin()]


def _relative_errors(part):
    """Return errors on left-out runs, relative to those of the prior (n_grid, n)."""
    spread = (part.R**2).sum(axis=0) / part.system.runs.total
    errors = part.system.errors(part.R, _GRID)
    return np.divide(errors, spread, out=np.zeros_like(errors), where=spread > 0)
