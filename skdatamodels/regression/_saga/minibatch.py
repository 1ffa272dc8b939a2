"""Minibatch SAGA for many least-squares problems with the same masks.

For a target with m_j usable runs, the smooth part of the objective is the mean of
r_i²/2 over these runs, with r_i = y_i - x_i·w - b and x_i the mask minus its column
means. The gradient of run i is -r_i·x_i, so the table of gradients that SAGA stores is
a table of residuals, and the average gradient is ``average = Σ table_i·x_i / m_j``. A
batch of b of all m runs, drawn without replacement, gives an unbiased estimate of the
descent direction,

    average + m / (b·m_j) · Σ_batch (r_i - table_i)·x_i,

for all targets at once: runs that a target cannot use have residual 0 in its table.

If runs have weights s_i, with mean 1 over all runs, the mean is weighted, m_j is the
total weight of the usable runs, and each change of a residual is multiplied by s_i.
"""

import tempfile
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from skdatamodels.masks._packed import row_blocks

_POWER_ITERATIONS = 8
_EIGENVALUE_MARGIN = 1.1  # power iterations approach the eigenvalue from below
_SMOOTHNESS_MARGIN = 1.25


class Stream:
    """Centred masks on the device, some rows at a time.

    Without centring, one eigenvalue of order d would determine the step size.
    """

    def __init__(self, masks, weight, dtype, ops, batch_size):
        self.bits, self.ops, self.dtype = masks.bits, ops, dtype
        self.n_runs, self.d = masks.shape
        counts = masks.column_counts()
        frequency = counts / self.n_runs
        if weight is not None:
            # the frequency of a constant column is exact
            constant = (counts == 0) | (counts == self.n_runs)
            shares = masks.T_dot(weight[:, None])[:, 0] / weight.sum()
            frequency = np.where(constant, frequency, shares)
        self.weight = weight
        self._device_weight = None if weight is None else ops.asarray(weight, dtype)
        self.centre = frequency.astype(dtype)
        self.off_centre = frequency - self.centre  # rounding error of the centre
        self.variance = (frequency * (1 - frequency)).max()
        self._device_centre = ops.asarray(self.centre)
        self.batch_size = min(batch_size or _default_batch(*masks.shape), self.n_runs)

    def __getitem__(self, rows):
        """Expand some rows, in a buffer that the next call overwrites."""
        bits = np.ascontiguousarray(self.bits[rows])
        return self.ops.expand(self.ops.asarray(bits), self._device_centre)

    def weighted(self, array, rows):
        """Multiply an array of some rows, on the device, by the weights of the runs."""
        if self.weight is None:
            return array
        return array * self._device_weight[rows][:, None]

    def in_order(self):
        """Yield slices that cover all rows."""
        for start in range(0, self.n_runs, self.batch_size):
            yield slice(start, min(start + self.batch_size, self.n_runs))

    def shuffled(self, rng):
        """Yield the rows of each batch of an epoch, sorted within the batch."""
        n_batches = -(-self.n_runs // self.batch_size)
        for rows in np.array_split(rng.permutation(self.n_runs), n_batches):
            yield np.sort(rows)


def _default_batch(n_runs, d):
    """Return the number of runs in a batch.

    Smaller batches need fewer epochs, down to about d/2. Below, the noise of a batch
    (d/b in units of a column's variance) dominates the spectrum, and the shorter steps
    cancel the gain. From 64 runs on, products take longer than reading and writing the
    weights; 1024 rows limit the memory. Few runs are still cut into 8 batches.
    """
    return max(1, min(max(d // 2, 64), 1024, -(-n_runs // 8)))


def _extremes(stream, rng):
    """Estimate the largest eigenvalue of xᵀx / m, and find the largest ‖x_i‖².

    Both use the weights of the runs. Since x_ik + c_k is 0 or 1, ‖x_i‖² =
    x_i·(1 - 2c) + Σ c_k(1 - c_k), which is one more column in the product of a power
    iteration.
    """
    ops, c = stream.ops, stream.centre.astype(np.float64)
    constant = (c * (1 - c)).sum()
    basis = rng.standard_normal((stream.d, min(4, stream.d)))
    for _ in range(_POWER_ITERATIONS):
        basis = np.linalg.qr(basis)[0]
        right = ops.asarray(np.c_[basis, 1 - 2 * c].astype(stream.dtype))
        product, longest = np.zeros_like(basis), 0.0
        for rows in stream.in_order():
            x = stream[rows]
            fitted = x @ right
            fitted[:, -1] += constant
            fitted = stream.weighted(fitted, rows)
            product += ops.to_numpy(x.T @ fitted)[:, :-1] / stream.n_runs
            longest = max(longest, ops.to_numpy(fitted)[:, -1].max())
        largest = np.linalg.eigvalsh(basis.T @ product)[-1]
        basis = product
    return largest, longest


def step_sizes(stream, total, mask_mean, rng):
    r"""Derive a step size for each target from the spectrum of its masks.

    According to Gazagnadou, Gower and Salmon, the smoothness for batches of b of m
    terms is

    .. math:: \mathcal L = \frac{m(b-1)}{b(m-1)} L + \frac{m-b}{b(m-1)} L_{\max}

    and SAGA converges with step 1 / (4 max(𝓛, … + μm/4b)). The spectrum between μ and L
    is assumed to be that of Marchenko and Pastur, v(1 ± √(d/m_j))², unless power
    iterations find a larger eigenvalue (duplicated columns, a design that is not
    uniform). The factor 4 comes from the proof. In trials from d/m = 1/50 to 5/4, the
    inverse step with the fewest epochs was near 𝓛 + μm/4b; below 0.7𝓛 it diverged. A
    step that turns out to be too long is halved later. `total` is m_j. With weights,
    the number of runs is the effective one, which gives the same variance of a mean.
    """
    m, b, v = stream.n_runs, stream.batch_size, stream.variance
    largest, longest = _extremes(stream, rng)
    equal = 1 if stream.weight is None else np.mean(stream.weight**2)
    aspect = np.sqrt(stream.d * equal / total)
    bulk = v * (1 + aspect) ** 2
    bulk_of_all = v * (1 + np.sqrt(stream.d * equal / m)) ** 2
    excess = max(1.0, _EIGENVALUE_MARGIN * largest / bulk_of_all)
    # The mean over the usable runs is not 0; this adds at most its square.
    full = bulk * excess + (mask_mean**2).sum(axis=1)
    one_of_m = (m - b) / (b * max(m - 1, 1))
    smoothness = (1 - one_of_m) * full + one_of_m * longest * m / total
    convexity = v * np.maximum(1 - aspect, 0) ** 2
    return 1 / (_SMOOTHNESS_MARGIN * smoothness + convexity * m / (4 * b))


def mask_means(stream, z, total):
    """Return the mean of x over the usable runs of each target, of shape (n, d).

    If all runs are usable, the shape is (1, d) and the dtype float64; else the dtype is
    that of the computation.
    """
    if not any(np.isnan(z[rows]).any() for rows in stream.in_order()):
        return stream.off_centre[None]
    sums = stream.ops.zeros((z.shape[1], stream.d))
    for rows in stream.in_order():
        usable = stream.ops.asarray((~np.isnan(z[rows])).astype(stream.dtype))
        sums += stream.weighted(usable, rows).T @ stream[rows]
    return stream.ops.to_numpy(sums) / total[:, None].astype(stream.dtype)


def make_table(ops, shape, dtype, folder):
    """Make a table of zeros, on the device or in a file that is deleted with it."""
    if folder is None:
        return ops.asarray(np.zeros(shape, dtype))
    with tempfile.TemporaryFile(dir=folder) as file:  # the map keeps the file's data
        return np.memmap(file, dtype, "w+", shape=shape)


@dataclass
class Block:
    """State of the targets that are being solved; one row for each target."""

    # On the host
    target: np.ndarray  # (n,), index of the target
    k: np.ndarray  # (n,), index of the lam; n_lams when done
    total: np.ndarray  # (n,), weight of the usable runs
    step: np.ndarray  # (n,)
    longest_step: np.ndarray  # (n,), longest step that seems stable
    resolution: np.ndarray  # (n,), of the table
    lam: np.ndarray  # (n,), in units of the standardised output
    gap: np.ndarray  # (n,), at this lam, at the last measurement
    objective: np.ndarray  # (n,), at this lam, at the last measurement
    decay: np.ndarray  # (n,), decrease of log(gap) in an epoch
    given_up: np.ndarray  # (n,), whether a gap was not reached
    # On the device
    w: Any  # (n, d)
    average: Any  # (n, d)
    intercept: Any  # (n,)
    table_mean: Any  # (n,), over the usable runs
    mask_mean: Any  # (n, d) or (1, d)
    penalty: Any  # (n, d) or (1, d)
    y: Any  # (n_runs, n), standardised, NaN where not usable
    table: Any  # (n_runs, n), residuals; on the device, or in a file on the host

    def keep(self, rows):
        """Drop all targets except these."""
        n = len(self.target)
        for name in (field.name for field in fields(self)):
            a = getattr(self, name)
            if name in ("y", "table"):
                setattr(self, name, _keep_columns(a, rows))
            elif a.shape[0] == n:
                setattr(self, name, a[rows])

    def store(self, rows, residuals, ops):
        """Write rows of the table."""
        on_host = isinstance(self.table, np.ndarray)
        self.table[rows] = ops.to_numpy(residuals) if on_host else residuals


def _keep_columns(a, columns):
    """Move columns of a matrix to its front, in its own memory."""
    n_rows, n = a.shape
    kept = a.reshape(-1)[: n_rows * len(columns)].reshape(n_rows, len(columns))
    for rows in row_blocks(n_rows, 8 * n):  # overwrites only what has been read
        kept[rows] = a[rows][:, columns]
    return kept


def run_epoch(stream, block, rng):
    """Take a step on each batch; return whether the weights are still finite.

    The intercept is one more weight, without a penalty, on a column of ones that is
    scaled to the variance of the other columns.
    """
    ops, n = stream.ops, len(block.target)
    table_scale, step, lam, intercept_step = (
        ops.asarray(a.astype(stream.dtype))
        for a in (
            1 / block.total,
            block.step,
            block.lam,
            block.step * stream.variance,
        )
    )
    weights, shrinkage = (block.w, block.average), (step, lam, block.penalty)
    change = ops.zeros(n)
    for rows in stream.shuffled(rng):
        x, stored = stream[rows], ops.asarray(block.table[rows])
        delta = ops.zeros((len(rows), n))
        ops.update_residuals(
            x @ block.w.T, block.y[rows], block.intercept, stored, delta
        )
        block.store(rows, stored, ops)
        delta = stream.weighted(delta, rows)
        batch_scale = table_scale * (stream.n_runs / len(rows))
        total = delta.sum(0)
        block.intercept += intercept_step * (block.table_mean + batch_scale * total)
        block.table_mean += table_scale * total
        ops.proximal_step(
            *weights, delta.T @ x, batch_scale, table_scale, *shrinkage, change
        )
    return bool(np.isfinite(ops.to_numpy(change)).all())


def measure(stream, block):
    """Compute all residuals again, and from them the terms of the duality gap.

    Afterwards the table contains these residuals, and the average and the intercept are
    exact for them. The average is computed from the residuals before they are rounded
    to the dtype of the table, so rounding to float16 affects only their later changes.

    Returns
    -------
    square : float64 array of shape (n,)
        Mean squared residual, at the best intercept.
    terms : three float64 arrays of shape (n,)
        See :meth:`NumpyOps.dual_terms`, with the correlations of these residuals.
    """
    ops, n = stream.ops, len(block.target)
    block.average = ops.zeros((n, stream.d))
    sums = np.zeros((2, n))
    for rows in stream.in_order():
        x = stream[rows]
        residual, empty = ops.zeros((x.shape[0], n)), ops.zeros((x.shape[0], n))
        ops.update_residuals(
            x @ block.w.T, block.y[rows], block.intercept, empty, residual
        )
        block.store(rows, residual, ops)
        weighted = stream.weighted(residual, rows)
        block.average += weighted.T @ x
        sums[0] += ops.to_numpy(weighted.sum(0))
        sums[1] += ops.to_numpy((weighted * residual).sum(0))
    block.average *= ops.asarray((1 / block.total).astype(stream.dtype))[:, None]
    mean, square = sums / block.total
    block.table_mean = ops.asarray(mean.astype(stream.dtype))
    block.intercept = block.intercept + block.table_mean
    return square - mean**2, *_dual_terms(stream, block)


def _dual_terms(stream, block):
    """Compute the terms at the best intercept, for residuals minus their mean."""

    def part(a, rows):
        return a if a.shape[0] == 1 else a[rows]

    terms = np.empty((3, len(block.target)))
    for rows in row_blocks(len(block.target), 8 * stream.d):
        shift = block.table_mean[rows][:, None] * part(block.mask_mean, rows)
        correlation = block.average[rows] - shift
        terms[:, rows] = stream.ops.dual_terms(
            correlation, block.w[rows], part(block.penalty, rows)
        )
    return terms
