"""A stack: non-negative combination of attribution matrices, fitted to runs.

The members τ₁, …, τ_K may come from different methods, in different units, which may
even differ between targets. With ỹ and X̃ the centred outputs and masks, each member is
scaled for each target so that ‖X̃τ_k‖ = ‖ỹ‖. The pooled weights b ≥ 0 minimise

    Σ_targets ‖ỹ - Σ_k b_k X̃τ_k‖² / ‖ỹ‖² ,

a non-negative least squares problem with one unknown for each member. Then each target
has its own scale, which is shrunk towards the pooled one.
"""

import warnings
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import nnls

from skdatamodels._scaling import scaled
from skdatamodels._shrunken_scales import shrunken_scales
from skdatamodels.regression._prior import set_zero
from skdatamodels.runs._usable_runs import usable_runs

# A weight for each member and a scale for each target need no more runs than this.
_MOST_RUNS = 2000
# With fewer runs than this, all members have the same weight.
_LEAST_RUNS = 20
_N_FOLDS = 5
# Mean correlation, in standard errors of that of one target. Random weights do not
# reach it.
_SURELY_REVERSED = 3
_BLOCK_BYTES = 2**27
# Largest scaled weight, so that products do not overflow.
_LARGEST = 1e60


class Stack(NamedTuple):
    """A combination of members, in units of the outputs that it was fitted to."""

    members: dict  # name -> float array or CSR of shape (n_targets, d)
    sizes: dict  # name -> exponent of two of the member
    shift: np.ndarray  # (n_targets,), exponents of two of the targets
    norms: np.ndarray  # (n_targets, n_members), by which members are divided
    pooled: np.ndarray  # (n_members,), weights of the divided members
    scale: np.ndarray  # (n_targets,)

    def __getitem__(self, targets):
        """Return the combined weights of some targets, float64 (n, d)."""
        norms = self.norms[targets]
        factors = np.divide(
            self.pooled, norms, out=np.zeros_like(norms), where=norms > 0
        )
        return self.scale[targets, None] * sum(
            factors[:, [k]] * self.member(name, targets)
            for k, name in enumerate(self.members)
            if self.pooled[k]
        )

    def member(self, name, targets):
        """Return the scaled weights of a member for some targets, float64 (n, d)."""
        rows = self.members[name][targets]
        rows = rows.toarray() if sparse.issparse(rows) else rows
        with np.errstate(over="ignore"):
            rows = scaled(rows, self.sizes[name] + self.shift[targets, None])
        return np.clip(rows, -_LARGEST, _LARGEST)


def fit_stack(members, X, Y, sample_weight, exclude, unit, shift, seed):
    """Combine attribution matrices to predict runs.

    Parameters
    ----------
    members : dict of str to array or CSR of shape (n_targets, d)
        Attribution matrices.
    X : PackedMasks or float array of shape (n_runs, d)
        Columns.
    Y : float array of shape (n_runs, n_targets)
        Outputs; NaN where there is none.
    sample_weight : array of shape (n_runs,) or None
        Weight of each run.
    exclude : int array of shape (n_targets,) or None
        See :class:`DatamodelRegressor`.
    unit : int array of shape (n_runs,) or None
        Runs that belong together have the same number.
    shift : int array of shape (n_targets,)
        Exponents of two by which the outputs were divided.
    seed : int
        Chooses the runs if there are more than are needed.

    Returns
    -------
    stack : Stack or None
        None if no combination predicts runs that it was not fitted to.
    weights : dict of str to float
        Weight of each member: the standard deviation of its share in the prediction, in
        units of the standard deviation of the output.

    Raises
    ------
    ValueError
        If a member is 0 everywhere, or two members are equal.
    """
    shift = shift - shift.max()
    sizes = {name: _exponent(name, matrix) for name, matrix in members.items()}
    _refuse_equal(members)
    n_targets, n_members = Y.shape[1], len(members)
    sums = _Sums.empty(n_targets, n_members)
    equal = np.ones(n_members), np.ones(n_targets)
    stack = Stack(members, sizes, shift, sums.norms, *equal)
    rows = np.arange(len(Y))
    if len(rows) > _MOST_RUNS:
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(rows, _MOST_RUNS, replace=False))
    X, Y = X[rows], Y[rows]
    fold = np.arange(len(rows))
    if unit is not None:
        fold = np.unique(unit[rows], return_inverse=True)[1]
    n_units, fold = fold.max() + 1, fold % _N_FOLDS
    weight = np.ones(len(rows)) if sample_weight is None else sample_weight[rows]
    step = max(1, _BLOCK_BYTES // (8 * n_members * (X.shape[1] + len(rows))))
    for start in range(0, n_targets, step):
        block = np.arange(start, min(start + step, n_targets))
        y, known = Y[:, block], weight[:, None]
        of_block = None if exclude is None else exclude[block]
        usable = usable_runs(X, y, of_block)
        known = known * (np.ones(y.shape) if usable is None else usable)
        tau = np.concatenate([stack.member(name, block) for name in members])
        if exclude is not None:
            set_zero(tau, np.tile(of_block, n_members))
        fitted = X.dot(np.ascontiguousarray(tau.T))
        fitted = fitted.reshape(len(rows), n_members, -1)
        sums.add(block, fitted, y, known, fold)
    few = len(rows) < _LEAST_RUNS
    if few and n_members > 1:
        warnings.warn(
            f"Only {len(rows)} runs: too few to weigh the {n_members} matrices of the "
            f"prior, which takes {_LEAST_RUNS}. They have equal weights.",
            UserWarning,
            stacklevel=6,
        )
    pooled = sums.pooled_weights(few)
    names = list(members)
    _warn_if_reversed(names, sums.signs() * np.sqrt(n_units / len(rows)))
    weights = dict(zip(names, pooled.tolist(), strict=True))
    if not pooled.any():
        return None, weights
    return stack._replace(pooled=pooled, scale=sums.scales(pooled)), weights


class _Sums(NamedTuple):
    """Sums of squares and products about the means, relative to those of outputs.

    Members are divided by their `norms`, so that their sums of squares are 1, or 0.
    """

    norms: np.ndarray  # (n_targets, n_members)
    n_runs: np.ndarray  # (n_targets,)
    xx: np.ndarray  # (n_targets, n_members, n_members)
    xy: np.ndarray  # (n_targets, n_members)
    yy: np.ndarray  # (n_targets,), 1, or 0 for constant outputs
    folds_xx: np.ndarray  # (n_folds, n_members, n_members), over targets
    folds_xy: np.ndarray  # (n_folds, n_members)

    @classmethod
    def empty(cls, n_targets, n):
        shapes = (n,), (), (n, n), (n,), ()
        of_targets = (np.zeros((n_targets, *shape)) for shape in shapes)
        return cls(*of_targets, np.zeros((_N_FOLDS, n, n)), np.zeros((_N_FOLDS, n)))

    def add(self, block, fitted, y, known, fold_of):
        """Add a block of targets: predictions of members (n_runs, n_members, n)."""
        y = np.nan_to_num(y).astype(np.float64)
        total = known.sum(axis=0)
        share = known / np.where(total > 0, total, 1)
        y = y - (share * y).sum(axis=0)
        x = fitted - np.einsum("it,ikt->kt", share, fitted)
        spread = np.sqrt((share * y**2).sum(axis=0))
        # the rounding error of a mean is not a spread, here nor in the norms below
        spread[spread < 1e-12] = 0
        unit = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        root = np.sqrt(share)
        x, y = x * (root * unit)[:, None], y * root * unit
        norms = np.sqrt((x**2).sum(axis=0))
        used = (known > 0)[:, None]
        largest = np.abs(fitted).max(axis=0, where=used, initial=0)
        norms[norms < 1e-12 * largest * unit] = 0
        x = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
        self.norms[block] = norms.T
        squares = (share**2).sum(axis=0)
        equal = np.divide(1, squares, out=np.zeros_like(squares), where=squares > 0)
        self.n_runs[block], self.yy[block] = np.maximum(total, equal), unit > 0
        x_t, y_t = x.transpose(2, 1, 0), y.T[:, :, None]  # (n, n_members, n_runs)
        self.xx[block] = x_t @ x_t.transpose(0, 2, 1)
        self.xy[block] = (x_t @ y_t)[:, :, 0]
        for fold in range(_N_FOLDS):
            own = fold_of == fold
            part = x[own].transpose(1, 0, 2).reshape(x.shape[1], -1)
            self.folds_xx[fold] += part @ part.T
            self.folds_xy[fold] += part @ y[own].ravel()

    def pooled_weights(self, equal):
        """Return pooled weights, all 0 if they do not predict."""
        xx, xy = self.xx.sum(axis=0), self.xy.sum(axis=0)
        fit = _equal_weights if equal else _least_squares
        gain = 0.0
        for of_xx, of_xy in zip(self.folds_xx, self.folds_xy, strict=True):
            b = fit(xx - of_xx, xy - of_xy)
            gain += 2 * b @ of_xy - b @ of_xx @ b
        if gain <= 0:
            return np.zeros_like(xy)
        return fit(xx, xy)

    def signs(self):
        """Return mean correlations with the outputs, by their error of a single one."""
        ratio = self.xy * np.sqrt(self.n_runs)[:, None]
        return ratio.sum(axis=0) / np.maximum((self.norms > 0).sum(axis=0), 1)

    def scales(self, pooled):
        """Return the scale of each target, shrunk towards that of all targets."""
        xx = np.einsum("k,tkl,l->t", pooled, self.xx, pooled)
        xy, m = self.xy @ pooled, self.n_runs
        return shrunken_scales(m, m * xx, m * xy, m * self.yy)[0]


def _least_squares(xx, xy):
    """Return non-negative weights that minimise bᵀ·xx·b - 2·xy·b."""
    values, vectors = np.linalg.eigh(xx)
    large = values > 1e-10 * values.max(initial=0)
    root = np.sqrt(values[large])
    A = root[:, None] * vectors[:, large].T
    return nnls(A, vectors[:, large].T @ xy / root)[0] if large.any() else 0 * xy


def _equal_weights(xx, xy):
    """Return equal weights of standardised members, scaled by least squares."""
    b = (np.diagonal(xx) > 0).astype(float)
    energy = b @ xx @ b
    return b * max(b @ xy / energy, 0.0) if energy > 0 else 0 * b


def _warn_if_reversed(names, signs):
    for name, sign in zip(names, signs.tolist(), strict=True):
        if sign < -_SURELY_REVERSED:
            warnings.warn(
                f"prior {name!r} predicts larger outputs where they are smaller, so it "
                "gets no weight. It must be positive if the presence of an example "
                "raises the output: is its sign that of a loss?",
                UserWarning,
                stacklevel=7,
            )


def _exponent(name, matrix):
    """Return the exponent of two of the largest weight; raise if all are 0."""
    values = matrix.data if sparse.issparse(matrix) else matrix
    largest = max(values.max(initial=0), -values.min(initial=0))
    if largest == 0:
        raise ValueError(
            f"prior {name!r} is 0 everywhere, so it says nothing: leave it out."
        )
    return int(np.frexp(largest)[1])


def _refuse_equal(members):
    for (one, a), (other, b) in combinations(members.items(), 2):
        if sparse.issparse(a) != sparse.issparse(b):
            continue
        same = abs(a - b).nnz == 0 if sparse.issparse(a) else _same(a, b)
        if same:
            raise ValueError(
                f"prior {one!r} and prior {other!r} are the same matrix: leave one out."
            )


def _same(a, b):
    """Compare large arrays, which may be memory maps, a row at a time."""
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
