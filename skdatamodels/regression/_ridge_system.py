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

from typing import Any, NamedTuple

import numpy as np

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._algebra import algebra_of
from skdatamodels.regression._fits import computing_dtype
from skdatamodels.regression._large_ridge import LARGE, LEAST_LAM, LEAST_SIZE

# Runs of the primal form whose left-out errors are computed.
_MOST_LEFT_OUT = 1000


class Runs(NamedTuple):
    """The runs that some targets can use; arrays named Any are on the device."""

    rows: np.ndarray  # (m,)
    Z: Any  # (m, d), centred columns, times the root of the weights
    x_mean: np.ndarray  # (d,)
    root: Any  # (m,), root of the weights, float64
    total: float  # sum of the weights
    left_out: list  # of int arrays (n_units, size): the runs of units, by their size
    gram: Any  # (d, d), ZᵀZ divided by the total, in the primal form; else None
    algebra: Any  # HostAlgebra or DeviceAlgebra

    @classmethod
    def of(cls, problem, rows, seed, ops=None):
        """Take rows of a problem; `seed` chooses which are left out if there are many.

        Parameters
        ----------
        problem : Problem
            What to fit.
        rows : int array of shape (m,)
            The runs.
        seed : int
            Chooses runs.
        ops : CudaOps or None
            Where to compute; None: on the CPU.

        Returns
        -------
        runs : Runs
        """
        X, Y, weight = problem[:3]
        rows, dtype = np.sort(rows), computing_dtype(Y.dtype, ops)
        X = X.dense(rows, dtype) if isinstance(X, PackedMasks) else X[rows]
        X = X.astype(dtype, copy=False)
        weight = np.ones(len(rows)) if weight is None else weight[rows]
        # a float, because a float64 of numpy would make float64 of what it divides
        root, total = np.sqrt(weight), float(weight.sum())
        x_mean = _weighted_sum(weight, X) / total
        # exact, so that rounding does not let a constant column vary
        x_mean = np.where(np.equal(X, X[0]).all(axis=0), X[0], x_mean)
        Z = X  # a copy of the rows, and the largest array: it is overwritten
        Z -= x_mean.astype(dtype)
        Z *= root[:, None].astype(dtype)
        primal = LARGE >= Z.shape[1] < len(rows)
        unit = np.arange(len(rows)) if problem.unit is None else problem.unit[rows]
        left_out = _by_size(unit)
        if primal:
            left_out = _some(left_out, seed)
        algebra = algebra_of(ops)
        Z, root, *left_out = map(algebra.asarray, (Z, root, *left_out))
        gram = algebra.gram(Z.T) / total if primal else None
        return cls(rows, Z, x_mean, root, total, left_out, gram, algebra)

    @property
    def dtype(self):
        """Type of the columns."""
        return np.dtype(str(self.Z.dtype).removeprefix("torch."))

    def dot(self, weights):
        """Multiply Z by weights (d, n); the product is float64."""
        return self.algebra.product(self.Z, weights)

    def correlate(self, values):
        """Multiply Zᵀ by values (m, n); the product is float64."""
        return self.algebra.product(self.Z.T, values)

    def noise(self, residuals, freedom):
        """Return the variance of the noise, from residuals and degrees of freedom.

        Weights count runs, but at least as many as equal weights that would give means
        of the same variance, so that weights that sum to little do not matter.
        """
        weight = self.root**2
        n_runs = max(self.total, self.total**2 / float((weight**2).sum()))
        mean = (residuals**2).sum(axis=0) / self.total
        return mean * n_runs / max(n_runs - float(freedom), 1e-9 * n_runs)


def _weighted_sum(weight, X):
    """Return weight·X in float64, without a copy of all of X in float64."""
    total = np.zeros(X.shape[1])
    for rows in row_blocks(len(X), 8 * X.shape[1]):
        total += weight[rows] @ X[rows]
    return total


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
        self.runs, self.root = runs, runs.algebra.asarray(np.sqrt(variances))
        if runs.gram is None:
            gram = runs.algebra.gram(self._columns(slice(None)))
            self.matrix = _centred(gram / runs.total, runs.root)
        else:
            self.matrix = runs.gram * _outer(self.root, self.root)
        # mean eigenvalue, without those that centring sets to 0
        n = len(self.matrix) - (runs.gram is None)
        size = float(self.matrix.trace()) / max(n, 1)
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
        errors : float64 array of shape (n_strengths, n_targets), on the host
        """
        runs, (values, vectors) = self.runs, self.runs.algebra.eigh(self.matrix)
        values = values.clip(0)
        # features F with FᵀF = diag(values): the fit is F·(FᵀF + lam)⁻¹·FᵀR
        if runs.gram is None:
            F = vectors * values**0.5
        else:
            F = runs.dot(self.root[:, None] * vectors / np.sqrt(runs.total))
        right = F.T @ R
        found = []
        for lam in strengths * self.size:
            shrunk = F / (values + lam)

            def kept(units, shrunk=shrunk):
                H = shrunk[units] @ F[units].swapaxes(1, 2)
                return without_mean(runs, units, H)

            errors = left_out(runs, R - shrunk @ right, kept)
            found.append(runs.algebra.to_host(errors))
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
        variances : float64 array of shape (n_sets,) or (d,), on the host
            In the units of D, divided by lam.
        """
        lam = self._least(lam)
        algebra, factor = self.runs.algebra, self._factor(lam)
        dual = self.runs.gram is None
        if sets is None and dual:
            U = algebra.solve_lower(factor, self._wide_columns(slice(None)))
            found = self.root**2 * (1 - (U**2).sum(axis=0)).clip(0) / lam
            return algebra.to_host(found)
        sets = np.eye(len(self.root)) if sets is None else sets
        sums = (self.root * algebra.asarray(sets)).T
        if dual:
            U = algebra.solve_lower(factor, self._wide_columns(slice(None)) @ sums)
            found = ((sums**2).sum(axis=0) - (U**2).sum(axis=0)).clip(0) / lam
        else:  # D - D·Zᵀ(…)⁻¹Z·D = lam·V(S + lam)⁻¹V
            found = (algebra.solve_lower(factor, sums) ** 2).sum(axis=0)
        return algebra.to_host(found)

    def _columns(self, rows):
        """Return rows of Z·√D, in the dtype of Z."""
        Z = self.runs.Z[rows]
        return Z * self.runs.algebra.asarray(self.root, self.runs.dtype)

    def _wide_columns(self, rows):
        """Return rows of Z·√D divided by the root of the total, in float64."""
        V = self.runs.algebra.asarray(self._columns(rows), np.float64)
        return V / np.sqrt(self.runs.total)

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
        delta : float64 array of shape (n_targets, d), on the host
            Weights beyond those of the prior.
        error : float64 array of shape (n_targets,), on the host
            Mean squared error on left-out runs.
        noise : float64 array of shape (n_targets,), on the host
            Variance of the noise: squared residuals by degrees of freedom.
        """
        lam = self._least(lam[0])
        solve = self._solve_dual if self.runs.gram is None else self._solve_primal
        return tuple(map(self.runs.algebra.to_host, solve(R, lam)))

    def _least(self, lam):
        """Return lam, or the least one that rounding allows."""
        return max(lam, LEAST_LAM[self.runs.dtype.itemsize] * self.size)

    def _factor(self, lam, extra=0.0):
        """Return the lower Cholesky factor of the matrix plus lam, and a matrix."""
        return self.runs.algebra.factor(self.matrix + extra, lam)

    def _solve_dual(self, R, lam):
        runs, unit = self.runs, self.runs.root / np.sqrt(self.runs.total)
        # K maps the unit vector to 0. An eigenvalue there keeps the inverse from being
        # large in its direction, and its part is subtracted without a loss of digits.
        mean = _outer(unit, unit)
        inverse = runs.algebra.inverse(self._factor(lam, self.size * mean))
        inverse -= mean / (self.size + lam)
        a = inverse @ R
        delta = runs.correlate(a).T * (self.root**2 / runs.total)
        kept = lam * inverse  # 1 - H
        errors = left_out(
            runs, lam * a, lambda units: kept[units[..., None], units[:, None]]
        )
        return delta, errors, runs.noise(lam * a, len(kept) - kept.trace())

    def _solve_primal(self, R, lam):
        runs, factor = self.runs, self._factor(lam)
        right = self.root[:, None] * runs.correlate(R) / runs.total
        delta = self.root * runs.algebra.solve_factored(factor, right).T
        residuals = R - runs.dot(delta.T)

        def kept(units):
            V = self._wide_columns(units.ravel()).T
            U = runs.algebra.solve_lower(factor, V).T.reshape(*units.shape, -1)
            return without_mean(runs, units, U @ U.swapaxes(1, 2))

        used = len(factor) - lam * runs.algebra.trace_of_inverse(factor)
        errors = left_out(runs, residuals, kept)
        return delta, errors, runs.noise(residuals, 1 + used)


def _outer(a, b):
    return a[:, None] * b


def _centred(K, root):
    """Subtract the mean that rounding left in K: H = 1 in an interpolation needs it."""
    unit = root / (root**2).sum() ** 0.5
    mean = K @ unit
    K = K - _outer(mean, unit) - _outer(unit, mean)
    return K + (unit @ mean) * _outer(unit, unit)


def without_mean(runs, units, H):
    """Return 1 - H for the runs of units, where H lacks the part of the intercept."""
    roots = runs.root[units]
    H = H + roots[:, :, None] * roots[:, None] / runs.total
    return runs.algebra.asarray(np.eye(units.shape[1])) - H


def left_out(runs, residuals, kept):
    """Return mean squared errors on left-out runs (n_targets,).

    Parameters
    ----------
    runs : Runs
        The runs.
    residuals : float64 array of shape (m, n_targets)
        Residuals of the fit.
    kept : callable
        Returns the blocks of 1 - H of units (n_units, size), given their runs.
    """
    squares, total = 0.0, 0.0
    for units in runs.left_out:
        blocks = kept(units)
        with np.errstate(divide="ignore", invalid="ignore"):
            if units.shape[1] == 1:
                errors = residuals[units[:, 0]] / blocks[:, 0]
            elif units.shape == (1, len(residuals)):  # nothing is left
                errors = residuals * np.nan
            else:
                errors = runs.algebra.solve(blocks, residuals[units])
        squares = squares + (errors**2).reshape(-1, residuals.shape[1]).sum(axis=0)
        total += float((runs.root[units] ** 2).sum())
    return squares / total


def errors_of_mean(runs, R):
    """Return the errors of the mean of the other runs, on the same left-out runs."""
    found = left_out(runs, R, lambda units: without_mean(runs, units, 0.0))
    return runs.algebra.to_host(found)
