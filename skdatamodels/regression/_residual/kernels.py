"""Coordinate descent for the LASSO on residuals and packed columns, compiled by numba.

The expensive part is a scan of all d columns. It processes a byte, that is eight runs,
at a time: the sums of the residuals over each of the 256 subsets of these runs are
computed once, and looked up for each column. Between two scans, the descent works on a
few unpacked columns.

Each run has a weight. Rows of columns and outputs are multiplied by its square root, so
that their products and squares have the weight. `root` is 0 for runs that are not
usable, and 1 for the others if runs have no weights.
"""

import numpy as np

from skdatamodels._numba import njit
from skdatamodels.masks._popcount import pack_columns

# Tables for this number of bytes stay in the nearest cache.
_BYTES = 16
# Passes between two computations of the gap on the working set, which cost about as
# much as a pass.
_PASSES_TO_GAP = 5
_LEAST_NEW_COLUMNS = 64
# Solve the working set to this fraction of the gap on all columns.
_INNER = 0.3

_FASTMATH = {"contract", "reassoc", "nsz"}


def pack_bytes(masks):
    """Pack masks by column: bit k of byte b of a column is run 8·b + k.

    Returns
    -------
    columns : uint8 array of shape (n_train, ceil(n_runs / 8))
    """
    words = pack_columns(np.ascontiguousarray(masks.bits), masks.n_train)
    as_bytes = words.astype("<u8", copy=False).view(np.uint8)
    return np.ascontiguousarray(as_bytes[:, : -(-len(masks) // 8)])


@njit(nogil=True, fastmath=_FASTMATH)
def correlate(columns, residual, total, share, out):
    """Set `out` to the covariance of each centred column with a residual.

    Parameters
    ----------
    columns : uint8 array of shape (d, n_bytes)
        See `pack_bytes`.
    residual : array of shape (8 * n_bytes,)
        Residuals times the weight of each run; 0 for runs that are not usable.
    total : float
        Total weight of the usable runs.
    share : array of shape (d,)
        Fraction of this weight that belongs to runs that saw the example.
    out : array of shape (d,)
        Filled with the covariances.
    """
    d, n_bytes = columns.shape
    sums = np.zeros((_BYTES, 256))
    out[:] = -share * residual.sum()
    for first in range(0, n_bytes, _BYTES):
        n = min(_BYTES, n_bytes - first)
        for b in range(n):
            for k in range(8):
                value = residual[8 * (first + b) + k]
                for subset in range(1 << k):
                    sums[b, (1 << k) + subset] = sums[b, subset] + value
        for i in range(d):
            product = 0.0
            for b in range(n):
                product += sums[b, columns[i, first + b]]
            out[i] += product
    out /= total


@njit(nogil=True)
def _unpack(column, root, out):
    for t in range(root.size):
        out[t] = root[t] if (column[t // 8] >> (t % 8)) & 1 else 0


@njit(nogil=True, error_model="numpy")
def _relative_gap(z, residual, excess, l1, weight):
    """Return the duality gap divided by 1/2, the loss at w = 0.

    The dual point is s·r with s = 1 / excess, see `_excess`.
    """
    rr, zr = 0.0, 0.0
    for t in range(z.size):
        rr += residual[t] ** 2
        zr += residual[t] * z[t]
    s = 1 / excess
    return ((1 + s * s) * rr - 2 * s * zr) / weight + 2 * l1


@njit(nogil=True, error_model="numpy")
def _excess(q, lam, penalty):
    """Return the largest abs(q) / (lam·penalty), at least 1."""
    excess = 1.0
    for i in range(q.size):
        threshold = _threshold(lam, penalty[i])
        if abs(q[i]) > excess * threshold:
            excess = abs(q[i]) / threshold
    return excess


@njit(nogil=True)
def _threshold(lam, penalty):
    return lam * penalty if penalty < np.inf else penalty  # inf, also at lam = 0


@njit(nogil=True)
def _l1(w, lam, penalty):
    total = 0.0
    for i in range(w.size):
        if w[i] != 0:
            total += lam * penalty[i] * abs(w[i])
    return total


@njit(nogil=True)
def _working_set(q, w, lam, penalty):
    """Choose the nonzero columns, and as many others that violate their bound most."""
    violation = np.empty(q.size)
    n_weights, n_violating = 0, 0
    for i in range(q.size):
        if w[i] != 0:
            n_weights += 1
        elif abs(q[i]) > _threshold(lam, penalty[i]):
            violation[n_violating] = abs(q[i]) / penalty[i]
            n_violating += 1
    n_new, least = max(n_weights, _LEAST_NEW_COLUMNS), 0.0
    if n_violating > n_new:
        place = n_violating - n_new
        least = np.partition(violation[:n_violating], place)[place]
    chosen = np.empty(n_weights + n_violating, np.int64)
    n = 0
    for i in range(q.size):
        if w[i] != 0 or (
            abs(q[i]) > _threshold(lam, penalty[i]) and abs(q[i]) / penalty[i] >= least
        ):
            chosen[n] = i
            n += 1
    return chosen[:n]


@njit(nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _descend(x, share, z, root, weight, residual, w, lam, penalty, tol, max_passes):
    """Descend on unpacked columns x (n, n_rows); return the number of passes.

    The columns are not centred; the residual is corrected by a shift.
    """
    shift, n_rows, q = 0.0, z.size, np.empty(w.size)
    for n_passes in range(1, max_passes + 1):
        measures = n_passes % _PASSES_TO_GAP == 0 or n_passes == max_passes
        for i in range(w.size):
            g = share[i] * (1 - share[i])
            total = 0.0
            for t in range(n_rows):
                total += x[i, t] * residual[t]
            at = total / weight + shift * share[i] + g * w[i]
            threshold = _threshold(lam, penalty[i])
            new = (at - min(max(at, -threshold), threshold)) / g
            step = new - w[i]
            if step != 0:
                w[i] = new
                shift += step * share[i]
                for t in range(n_rows):
                    residual[t] -= step * x[i, t]
        if measures:
            for t in range(n_rows):
                residual[t] += shift * root[t]
            shift = 0.0
            for i in range(w.size):
                total = 0.0
                for t in range(n_rows):
                    total += x[i, t] * residual[t]
                q[i] = total / weight
            excess, l1 = _excess(q, lam, penalty), _l1(w, lam, penalty)
            if _relative_gap(z, residual, excess, l1, weight) <= tol:
                return n_passes
    return max_passes


@njit(nogil=True)
def _residual_of(columns, share, z, root, w):
    """Return the residual of an output, given weights."""
    residual, x = z.copy(), np.empty(z.size, root.dtype)
    for i in range(w.size):
        if w[i] != 0:
            _unpack(columns[i], root, x)
            for t in range(z.size):
                residual[t] -= w[i] * (x[t] - share[i] * root[t])
    return residual


@njit(nogil=True)
def _shares(columns, root):
    """Return the share of the weight of each column, and which are constant."""
    share, of_runs = np.empty(len(columns)), np.empty(len(columns))
    usable, nothing = (root > 0).astype(np.float64), np.zeros(len(columns))
    squares = root.astype(np.float64) ** 2
    correlate(columns, squares, squares.sum(), nothing, share)
    correlate(columns, usable, usable.sum(), nothing, of_runs)  # exact
    return share, (of_runs == 0) | (of_runs == 1)


@njit(nogil=True)
def follow_path(columns, z, root, lams, penalty, w, tol, max_iter, paths):
    """Solve the path of a target.

    Parameters
    ----------
    columns : uint8 array of shape (d, n_bytes)
        See `pack_bytes`.
    z : float64 array of shape (8 * n_bytes,)
        Outputs of mean 0 and variance 1, times `root`.
    root : float array of shape (8 * n_bytes,)
        Square roots of the weights of the runs; 0 where not usable.
    lams : array of shape (n_lams,)
        Strengths, decreasing.
    penalty : float64 array of shape (d,)
        Factors of the penalty of each weight.
    w : float64 array of shape (d,)
        Initial weights; overwritten by the solution at the last lam.
    tol : float
        Relative duality gap to reach.
    max_iter : int
        Maximum number of passes for each lam.
    paths : tuple
        Arrays to fill in: weights (n_lams, d), and of shape (n_lams,) the intercepts
        for outputs of mean 0, the gaps and the passes, which must be 0 at first.
    """
    coefs, intercepts, gaps, n_iter = paths
    q, weight = np.empty(w.size), (root.astype(np.float64) ** 2).sum()
    share, constant = _shares(columns, root)
    penalty = np.where(constant, np.inf, penalty)  # a constant column gets no weight
    w[penalty == np.inf] = 0
    residual = _residual_of(columns, share, z, root, w)
    correlate(columns, root * residual, weight, share, q)
    given_up = False
    for k in range(lams.size):
        lam = lams[k]
        while True:
            excess, l1 = _excess(q, lam, penalty), _l1(w, lam, penalty)
            gap = _relative_gap(z, residual, excess, l1, weight)
            if gap <= tol or given_up or n_iter[k] >= max_iter:
                break
            chosen = _working_set(q, w, lam, penalty)
            x = np.empty((chosen.size, z.size), root.dtype)
            for j in range(chosen.size):
                _unpack(columns[chosen[j]], root, x[j])
            few = share[chosen], z, root, weight, residual
            weights, left = w[chosen], max_iter - n_iter[k]
            n_iter[k] += _descend(
                x, *few, weights, lam, penalty[chosen], _INNER * gap, left
            )
            w[chosen] = weights
            correlate(columns, root * residual, weight, share, q)
        given_up |= not gap <= tol
        coefs[k], gaps[k], intercepts[k] = w, gap, -(w * share).sum()
