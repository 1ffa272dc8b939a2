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
_TINY = float(np.finfo(np.float32).tiny)


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
        algebra, (m, d) = runs.algebra, runs.Z.shape
        self.runs, self.variances = runs, algebra.asarray(variances, runs.dtype)
        trace = variances @ algebra.to_host(algebra.squares(runs.Z)) / runs.total
        size = trace / max(min(m - 1, d), 1)
        self.size = np.where(size > LEAST_SIZE, size, 1.0)
        signs = algebra.asarray(np.random.default_rng(seed).choice([-1.0, 1.0], m))
        weights = runs.root / runs.total
        self.signs = signs - (weights @ signs) * runs.root

    def errors(self, R, strengths):
        """Return left-out errors (n_strengths, n_targets); inf where not computed."""
        some, n = strengths[::3], R.shape[1]
        lam = np.concatenate([strength * self.size for strength in some])
        which = np.tile(np.arange(n), len(some))
        _, errors, _ = self._solve(R[:, which], lam, which)
        found = np.full((len(strengths), n), np.inf)
        found[::3] = self.runs.algebra.to_host(errors).reshape(len(some), n)
        return found

    def solve(self, R, lam):
        """Solve the systems, as `System.solve`, with a strength for each target."""
        runs = self.runs
        a, errors, noise = self._solve(R, lam, np.arange(R.shape[1]))
        delta = self.variances * runs.correlate(a).T / runs.total
        return tuple(map(runs.algebra.to_host, (delta, errors, noise)))

    def _solve(self, R, lam, which):
        """Solve systems whose variances are those of the targets `which`."""
        runs, algebra, n = self.runs, self.runs.algebra, R.shape[1]
        least = LEAST_LAM[runs.dtype.itemsize] * self.size[which]
        lam = algebra.asarray(np.maximum(lam, least))
        right = algebra.concatenate([R, self.signs[:, None] + 0 * R], 1)
        right = algebra.asarray(right, runs.dtype)
        D = self.variances[np.tile(which, 2)].T
        lam_of = algebra.asarray(algebra.concatenate([lam, lam]), runs.dtype)

        def product(vectors):
            return runs.Z @ (D * (runs.Z.T @ vectors)) / runs.total + lam_of * vectors

        with algebra.precise():
            found = _conjugate_gradient(product, right)
        found = algebra.asarray(found, np.float64)
        a, residuals = found[:, :n], lam * found[:, :n]
        kept = lam * (self.signs @ found[:, n:])  # tr(1 - H)
        squares, m = (residuals**2).sum(axis=0), len(R)
        errors = squares / runs.total * (m / kept) ** 2
        noise = squares / runs.total * m / kept.clip(1e-9 * m)
        return a, errors, noise


def _conjugate_gradient(product, right):
    """Solve for each column of `right`; `product` multiplies all columns at once."""
    x, rest = 0 * right, right
    direction = rest
    squares = (rest**2).sum(axis=0)
    goal = _TOL**2 * squares
    for _ in range(_MAX_ITER):
        if (squares <= goal).all():
            return x
        image = product(direction)
        step = squares / (direction * image).sum(axis=0).clip(_TINY)
        step[squares <= goal] = 0
        x = x + step * direction
        rest = rest - step * image
        old, squares = squares, (rest**2).sum(axis=0)
        direction = rest + squares / old.clip(_TINY) * direction
    warnings.warn(
        f"{int((squares > goal).sum())} systems of the ridge were not solved in "
        f"{_MAX_ITER} iterations, so their weights are not exact. Set a larger lam.",
        ConvergenceWarning,
        stacklevel=2,
    )
    return x
