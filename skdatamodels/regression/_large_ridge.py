"""Systems of the informed ridge that are too large for matrices of their own.

(K + lam)·a = r is solved by conjugate gradient for many targets at once, from products
with the columns Z alone; see `_ridge` for the symbols. Random masks make systems with
few large eigenvalues, so some ten products are enough.

The left-out errors would need the diagonal of an inverse for each target. It is almost
constant for random masks, so its mean is used (generalised cross-validation), which is
estimated from one random vector of signs p: tr(1 - H) = E[lam·pᵀ(K + lam)⁻¹p] for p
without its mean. This is right for independent runs of equal weight only.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

# A system with more rows than this is large.
LARGE = 4000
# A system of smaller eigenvalues is one of zeros: its weights are those of the prior.
LEAST_SIZE = 1e-36
# Least strength that rounding allows, relative to the mean eigenvalue, by bytes of a
# number.
LEAST_LAM = {4: 1e-5, 8: 1e-10}
_TOL = 1e-4  # relative norm of the residual
_MAX_ITER = 500


class LargeSystem:
    """The equations of targets that have the same runs, with variances of their own.

    Parameters
    ----------
    runs : Runs
        The runs.
    variances : float64 array of shape (n_targets, d)
        Relative prior variances D.
    seed : int
        Draws the signs.
    """

    def __init__(self, runs, variances, seed):
        self.runs, self.variances = runs, variances.astype(runs.Z.dtype)
        m, d = runs.Z.shape
        squares = np.einsum("ij,ij->j", runs.Z, runs.Z, dtype=np.float64)
        trace = variances @ squares / runs.total
        size = trace / max(min(m - 1, d), 1)
        self.size = np.where(size > LEAST_SIZE, size, 1.0)
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], m)
        unit = runs.root / np.linalg.norm(runs.root)
        self.signs = signs - (unit @ signs) * unit

    def errors(self, R, strengths):
        """Return left-out errors (n_strengths, n_targets); inf where not computed."""
        some, n = strengths[::3], R.shape[1]
        lam = np.concatenate([strength * self.size for strength in some])
        which = np.tile(np.arange(n), len(some))
        _, errors, _ = self._solve(R[:, which], lam, which)
        found = np.full((len(strengths), n), np.inf)
        found[::3] = errors.reshape(len(some), n)
        return found

    def solve(self, R, lam):
        """Solve the systems, as `System.solve`, with a strength for each target."""
        which = np.arange(R.shape[1])
        a, errors, noise = self._solve(R, lam, which)
        product = np.array(self.runs.Z.T @ a.astype(self.runs.Z.dtype), np.float64).T
        return self.variances * product / self.runs.total, errors, noise

    def _solve(self, R, lam, which):
        """Solve systems whose variances are those of the targets `which`."""
        runs, n = self.runs, R.shape[1]
        least = LEAST_LAM[runs.Z.dtype.itemsize] * self.size[which]
        lam = np.maximum(lam, least)
        signs = np.repeat(self.signs[:, None], n, axis=1)
        right = np.concatenate([R, signs], axis=1).astype(runs.Z.dtype)
        D = self.variances[np.tile(which, 2)].T
        lam_of = np.tile(lam, 2).astype(runs.Z.dtype)

        def product(vectors):
            return runs.Z @ (D * (runs.Z.T @ vectors)) / runs.total + lam_of * vectors

        found = np.array(_conjugate_gradient(product, right), np.float64)
        a, residuals = found[:, :n], lam * found[:, :n]
        kept = lam * (self.signs @ found[:, n:])  # tr(1 - H)
        squares, m = (residuals**2).sum(axis=0), len(R)
        errors = squares / runs.total * (m / kept) ** 2
        noise = squares / runs.total * m / np.maximum(kept, 1e-9 * m)
        return a, errors, noise


def _conjugate_gradient(product, right):
    """Solve for each column of `right`; `product` multiplies all columns at once."""
    x, rest = np.zeros_like(right), right.copy()
    direction = rest.copy()
    squares = np.einsum("ij,ij->j", rest, rest)
    goal = _TOL**2 * squares
    for _ in range(_MAX_ITER):
        if (squares <= goal).all():
            return x
        image = product(direction)
        bend = np.einsum("ij,ij->j", direction, image)
        step = np.divide(squares, bend, out=np.zeros_like(bend), where=bend > 0)
        step[squares <= goal] = 0
        x += step * direction
        rest -= step * image
        old, squares = squares, np.einsum("ij,ij->j", rest, rest)
        ratio = np.divide(squares, old, out=np.zeros_like(old), where=old > 0)
        direction = rest + ratio * direction
    warnings.warn(
        f"{(squares > goal).sum()} systems of the ridge were not solved in {_MAX_ITER} "
        "iterations, so their weights are not exact. Set a larger lam.",
        ConvergenceWarning,
        stacklevel=2,
    )
    return x
