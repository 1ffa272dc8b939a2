"""Coordinate descent for the LASSO on residuals and packed columns, compiled by numba.

The expensive part is a scan of all d columns. It processes a byte, that is eight runs,
at a time: the sums of the residuals over each of the 256 subsets of these runs are
computed once, and looked up for each column. Between two scans, the descent works on
the Gram matrix of a few columns.

Each run has a weight. Rows of columns and outputs are multiplied by its square root, so
that their products and squares have the weight. `root` is 0 for runs that are not
usable, and 1 for the others if runs have no weights.

Loops stand where numpy has a function, because numba takes seconds to compile many of
these functions, and each user waits for it once.
"""

from typing import NamedTuple

import numpy as np

from skdatamodels._numba import njit
from skdatamodels.masks._popcount import popcount

_SUBSETS = 256  # of the eight runs of a byte
_LEAST_NEW_COLUMNS = 64
# Solve a working set to this fraction of `tol`, but at most this much in one go.
_INNER, _LEAST_INNER = 0.7, 0.01

_FASTMATH = {"contract", "reassoc", "nsz"}


class _Columns(NamedTuple):
    """Packed columns, and the runs that a target can use."""

    words: np.ndarray  # uint64 (d, n_words), see `pack_columns`
    usable: np.ndarray  # uint64 (n_words,), the usable runs
    squares: np.ndarray  # (64 * n_words,), weight of each run; 0 if not usable
    weight: float  # sum of these weights
    weighted: bool  # whether they are not all 0 or 1
    share: np.ndarray  # (d,), fraction of the weight of runs that saw the example


@njit(nogil=True)
def _of_byte(sums, word, b):
    subset = (word >> np.uint64(8 * b)) & np.uint64(_SUBSETS - 1)
    return sums[np.uint64(_SUBSETS * b) + subset]


@njit(nogil=True, fastmath=_FASTMATH)
def correlate(words, residual, total, share, out):
    """Set `out` to the covariance of each centred column with a residual.

    Parameters
    ----------
    words : uint64 array of shape (d, n_words)
        See `pack_columns`.
    residual : array of shape (64 * n_words,)
        Residuals times the weight of each run; 0 for runs that are not usable.
    total : float
        Total weight of the usable runs.
    share : array of shape (d,)
        Fraction of this weight that belongs to runs that saw the example.
    out : array of shape (d,)
        Filled with the covariances.
    """
    d, n_words = words.shape
    sums = np.zeros(_SUBSETS * 8)
    at_mean = residual.sum()
    for i in range(d):
        out[i] = -share[i] * at_mean
    for w in range(n_words):
        for b in range(8):
            first = _SUBSETS * b
            for k in range(8):
                value = residual[64 * w + 8 * b + k]
                for subset in range(first, first + (1 << k)):
                    sums[subset + (1 << k)] = sums[subset] + value
        for i in range(d):
            # written out, which is twice as fast as a loop
            word = words[i, w]
            pair0 = _of_byte(sums, word, 0) + _of_byte(sums, word, 1)
            pair1 = _of_byte(sums, word, 2) + _of_byte(sums, word, 3)
            pair2 = _of_byte(sums, word, 4) + _of_byte(sums, word, 5)
            pair3 = _of_byte(sums, word, 6) + _of_byte(sums, word, 7)
            out[i] += (pair0 + pair1) + (pair2 + pair3)
    out /= total


@njit(nogil=True)
def columns_of(words, root):
    """Return the columns for a target, and which are constant."""
    d, n_words = words.shape
    usable, squares = np.zeros(n_words, np.uint64), np.empty(root.size)
    n_usable, weight, weighted = 0, 0.0, False
    for t in range(root.size):
        usable[t // 64] |= np.uint64(root[t] > 0) << np.uint64(t % 64)
        squares[t] = root[t] ** 2
        n_usable += root[t] > 0
        weight += squares[t]
        weighted |= squares[t] != (root[t] > 0)
    share, constant = np.empty(d), np.empty(d, np.bool_)
    for i in range(d):
        n = _count_pairs(words[i], usable)
        share[i], constant[i] = n / n_usable, n == 0 or n == n_usable
    if weighted:
        correlate(words, squares, weight, np.zeros(d), share)
    return _Columns(words, usable, squares, weight, weighted, share), constant


@njit(nogil=True)
def _count_pairs(a, b):
    """Count the runs that two columns share."""
    n = 0
    for w in range(a.size):
        n += np.int64(popcount(a[w] & b[w]))
    return n


@njit(nogil=True)
def _covariances(columns, i, some, out):
    """Set `out` to the covariances of column i with some columns."""
    words, usable, squares, weight, weighted, share = columns
    if weighted:
        column = np.zeros(squares.size)
        _add_column(words[i], 1.0, squares, column)
        correlate(words[some], column, weight, share[some], out)
    else:
        own = words[i] & usable
        for k in range(some.size):
            n = _count_pairs(own, words[some[k]])
            out[k] = n / weight - share[i] * share[some[k]]


@njit(nogil=True)
def _add_column(column, factor, values, out):
    """Add multiples of values to `out`, for the runs that saw the example."""
    for w in range(column.size):
        word = column[w]
        for k in range(64):
            seen = (word >> np.uint64(k)) & np.uint64(1)
            out[64 * w + k] += factor * values[64 * w + k] * np.int64(seen)


@njit(nogil=True)
def enlarge(columns, chosen, members, gram):
    """Add the chosen columns to a working set and to its Gram matrix.

    If the matrix has no place for them, the set starts anew from the chosen columns.
    """
    inside, n, n_new = np.zeros(len(columns.words), np.bool_), members.size, 0
    for i in members:
        inside[i] = True
    for i in chosen:
        n_new += not inside[i]
    if n + n_new > len(gram):
        inside[:], n, n_new = False, 0, chosen.size
        gram = np.empty((2 * n_new, 2 * n_new))
    larger = np.empty(n + n_new, np.int64)
    for k in range(n):
        larger[k] = members[k]
    for i in chosen:
        if not inside[i]:
            larger[n] = i
            _covariances(columns, i, larger[: n + 1], gram[n, : n + 1])
            for k in range(n):
                gram[k, n] = gram[n, k]
            n += 1
    return larger, gram


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
def _order_statistic(values, place):
    """Return what is at a place of the sorted values, which are reordered.

    Hoare's quickselect: numpy's `partition` takes numba seconds to compile.
    """
    first, last = 0, values.size - 1
    while first < last:
        pivot, i, j = values[(first + last) // 2], first, last
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if place <= j:
            last = j
        elif place >= i:
            first = i
        else:
            break
    return values[place]


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
        least = _order_statistic(violation[:n_violating], place)
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
def _descend(gram, q, w, threshold, rr, tol, max_passes):
    """Descend on a working set; return the number of passes.

    `rr` is the mean square of the residual. A step changes it by what it changes q.
    """
    n = w.size
    for n_passes in range(1, max_passes + 1):
        for i in range(n):
            row, bound = gram[i], threshold[i]
            at = q[i] + row[i] * w[i]
            new = (at - min(max(at, -bound), bound)) / row[i]
            step = new - w[i]
            if step != 0:
                rr -= step * (2 * q[i] - step * row[i])
                w[i] = new
                for j in range(n):
                    q[j] -= step * row[j]
        excess, l1, qw = 1.0, 0.0, 0.0
        for i in range(n):
            l1 += threshold[i] * abs(w[i])
            qw += q[i] * w[i]
            if abs(q[i]) > excess * threshold[i]:
                excess = abs(q[i]) / threshold[i]
        s = 1 / excess
        if (1 - s) ** 2 * rr - 2 * s * qw + 2 * l1 <= tol:
            return n_passes
    return max_passes


@njit(nogil=True)
def _residual_of(columns, root, z, w):
    """Return the residual of an output, given weights."""
    residual, shift = z.copy(), 0.0
    for i in range(w.size):
        if w[i] != 0:
            shift += w[i] * columns.share[i]
            _add_column(columns.words[i], -w[i], root, residual)
    return residual + shift * root


@njit(nogil=True)
def follow_path(words, z, root, lams, penalty, w, tol, max_iter, paths):
    """Solve the path of a target.

    Parameters
    ----------
    words : uint64 array of shape (d, n_words)
        See `pack_columns`.
    z : float64 array of shape (64 * n_words,)
        Outputs of mean 0 and variance 1, times `root`.
    root : float64 array of shape (64 * n_words,)
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
    columns, constant = columns_of(words, root)
    weight, share = columns.weight, columns.share
    penalty = penalty.copy()
    for i in range(w.size):
        if constant[i]:
            penalty[i] = np.inf  # no weight
        if penalty[i] == np.inf:
            w[i] = 0
    q, residual = np.empty(w.size), _residual_of(columns, root, z, w)
    correlate(words, root * residual, weight, share, q)
    members, gram = np.empty(0, np.int64), np.empty((0, 0))
    given_up = False
    for k in range(lams.size):
        lam = lams[k]
        while True:
            excess, l1 = _excess(q, lam, penalty), _l1(w, lam, penalty)
            gap = _relative_gap(z, residual, excess, l1, weight)
            if gap <= tol or given_up or n_iter[k] >= max_iter:
                break
            chosen = _working_set(q, w, lam, penalty)
            members, gram = enlarge(columns, chosen, members, gram)
            weights, rr = w[members], (residual**2).sum() / weight
            n_iter[k] += _descend(
                gram,
                q[members],
                weights,
                lam * penalty[members],
                rr,
                max(_INNER * tol, _LEAST_INNER * gap),
                max_iter - n_iter[k],
            )
            for i in range(members.size):
                w[members[i]] = weights[i]
            residual = _residual_of(columns, root, z, w)
            correlate(words, root * residual, weight, share, q)
        given_up |= not gap <= tol
        gaps[k], intercepts[k] = gap, -(w * share).sum()
        for i in range(w.size):
            coefs[k, i] = w[i]
