"""The elementwise operations of SAGA, compiled by numba: the class `NumpyOps`."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import get_num_threads

from skdatamodels._numba import njit

# With fewer entries than this, starting a thread costs more than it saves.
_ENTRIES_PER_THREAD = 2**16
_FASTMATH = {"contract", "reassoc", "nsz"}  # NaN must stay NaN


class NumpyOps:
    """Operations that :func:`saga_path` needs from a device, for the CPU.

    The solver itself only multiplies (``@``, ``.T``), indexes by slices and by rows,
    sums over an axis and adds, which work for arrays of numpy and of torch alike. All
    other operations are here. A class with the same methods runs the solver on another
    device.

    Parameters
    ----------
    dtype : float32 or float64
        Type of the computation.
    """

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)
        self._buffer = np.empty((0, 0), self.dtype)
        self._n_threads = get_num_threads()
        self._threads = ThreadPoolExecutor(self._n_threads)

    def asarray(self, a, dtype=None):
        """Copy an array to the device if needed, optionally in another dtype."""
        return np.asarray(a, dtype)

    def to_numpy(self, a):
        """Return an array on the host."""
        return np.asarray(a)

    def zeros(self, shape):
        """Make an array of zeros in the dtype of the computation."""
        return np.zeros(shape, self.dtype)

    def expand(self, bits_rows, centre):
        """Turn packed rows into ``bit - centre``.

        Parameters
        ----------
        bits_rows : uint8 array of shape (b, ceil(d / 8))
            Rows packed as by :func:`numpy.packbits`.
        centre : array of shape (d,)
            Subtracted from each row.

        Returns
        -------
        x : array of shape (b, d)
            The result, in a buffer that the next call overwrites.
        """
        shape = len(bits_rows), len(centre)
        if self._buffer.shape[0] < shape[0] or self._buffer.shape[1] != shape[1]:
            self._buffer = np.empty(shape, self.dtype)
        out = self._buffer[: shape[0]]
        bits_rows = np.ascontiguousarray(bits_rows)
        self._by_rows(_expand, out.size, (bits_rows, out), (centre,))
        return out

    def update_residuals(self, fitted, y, intercept, table_rows, delta):
        """Write new residuals to the table and their changes to `delta`.

        ``r = y - fitted - intercept``, 0 where y is NaN, rounded to the dtype of the
        table; ``delta = r - table_rows``; ``table_rows = r``.

        Parameters
        ----------
        fitted, y : arrays of shape (b, n)
            Products of masks and weights, and outputs.
        intercept : array of shape (n,)
            Intercept of each target.
        table_rows : array of shape (b, n), float16, float32 or float64
            Old residuals; overwritten by the new ones.
        delta : array of shape (b, n)
            Overwritten by the changes.
        """
        if table_rows.dtype != np.float16:
            arrays = fitted, y, table_rows, delta
            self._by_rows(_update_residuals, delta.size, arrays, (intercept,))
            return
        # numba does not support float16 on the CPU; numpy rounds to it in hardware.
        old = table_rows.astype(self.dtype)
        new = np.zeros_like(old)
        self._by_rows(
            _update_residuals, delta.size, (fitted, y, new, delta), (intercept,)
        )
        table_rows[...] = new
        np.subtract(table_rows, old, out=delta, dtype=self.dtype)

    def proximal_step(
        self,
        w,
        average,
        gradient,
        batch_scale,
        table_scale,
        step,
        lam,
        penalty,
        change,
    ):
        """Move the weights along the estimated gradient and soft-threshold them.

        In one pass over memory, and in place: ``direction = average +
        batch_scale·gradient``; ``average += table_scale·gradient``; ``w = soft(w +
        step·direction, step·lam·penalty)``, 0 where the penalty is inf.

        Parameters
        ----------
        w, average, gradient : arrays of shape (n, d)
            Weights, average gradient and gradient of the batch. Gradients point
            downhill: they are correlations with residuals.
        batch_scale, table_scale, step, lam : arrays of shape (n,)
            Factors for each target, see above.
        penalty : array of shape (1, d) or (n, d)
            Factors of the penalty of each weight.
        change : array of shape (n,)
            Overwritten by the largest change of a weight of each target; inf if a
            weight is not finite.
        """
        vectors = batch_scale, table_scale, step, lam
        if len(penalty) == 1:
            penalty = np.broadcast_to(penalty, w.shape)
        arrays = w, average, gradient, penalty, *vectors, change
        self._by_rows(_proximal_step, w.size, arrays)

    def dual_terms(self, correlation, w, penalty):
        """Compute the terms of the duality gap of each target.

        Parameters
        ----------
        correlation, w : arrays of shape (n, d)
            Correlations of the columns with residuals, and weights.
        penalty : array of shape (1, d) or (n, d)
            Factors of the penalty of each weight.

        Returns
        -------
        terms : float64 numpy array of shape (3, n)
            ``max(abs(correlation) / penalty)``, ``sum(correlation * w)`` and
            ``sum(penalty * abs(w))``; a weight of 0 adds 0 even if its penalty is inf.
        """
        terms = np.empty((len(w), 3))
        penalty = np.broadcast_to(penalty, w.shape)
        self._by_rows(_dual_terms, w.size, (correlation, w, penalty, terms))
        return terms.T

    def _by_rows(self, kernel, size, arrays, shared=()):
        """Run a kernel on the rows of `arrays`, in several threads."""
        n_rows = len(arrays[0])
        n_parts = max(1, min(self._n_threads, n_rows, size // _ENTRIES_PER_THREAD))
        if n_parts == 1:
            kernel(*arrays, *shared)
            return
        edges = np.linspace(0, n_rows, n_parts + 1).astype(int)
        parts = [slice(*pair) for pair in pairwise(edges)]

        def run(rows):
            kernel(*(a[rows] for a in arrays), *shared)

        list(self._threads.map(run, parts))  # raises errors of the threads


@njit(nogil=True, fastmath=_FASTMATH)
def _expand(bits, out, centre):
    n_rows, d = out.shape
    one, zero = out.dtype.type(1), out.dtype.type(0)
    for i in range(n_rows):
        for byte in range(d // 8):
            value = np.int32(bits[i, byte])
            for t in range(8):
                k = 8 * byte + t
                bit = one if value & np.int32(128 >> t) else zero
                out[i, k] = bit - centre[k]
        for k in range(d // 8 * 8, d):
            bit = one if bits[i, k // 8] & (128 >> k % 8) else zero
            out[i, k] = bit - centre[k]


@njit(nogil=True, fastmath=_FASTMATH)
def _update_residuals(fitted, y, table, delta, intercept):
    rounded = table.dtype.type
    for i in range(delta.shape[0]):
        for j in range(delta.shape[1]):
            r = y[i, j] - fitted[i, j] - intercept[j]
            r = rounded(0) if y[i, j] != y[i, j] else rounded(r)
            delta[i, j] = r - table[i, j]
            table[i, j] = r


@njit(nogil=True, fastmath=_FASTMATH)
def _proximal_step(
    w, average, gradient, penalty, batch_scale, table_scale, step, lam, change
):
    infinity = w.dtype.type(np.inf)
    for j in range(w.shape[0]):
        into_step, into_table = batch_scale[j], table_scale[j]
        size, strength = step[j], step[j] * lam[j]
        largest, finite = w.dtype.type(0), True
        for k in range(w.shape[1]):
            g, p = gradient[j, k], penalty[j, k]
            z = w[j, k] + size * (average[j, k] + into_step * g)
            average[j, k] += into_table * g
            bound = strength * p if p < infinity else p  # inf, also at lam = 0
            inside = z if z < bound else bound
            inside = inside if inside > -bound else -bound
            new = z - inside
            largest = max(largest, abs(new - w[j, k]))
            finite &= abs(new) < infinity
            w[j, k] = new
        change[j] = largest if finite else infinity


@njit(nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _dual_terms(correlation, w, penalty, terms):
    for j in range(w.shape[0]):
        largest, product, l1 = 0.0, 0.0, 0.0
        for k in range(w.shape[1]):
            largest = max(largest, abs(correlation[j, k]) / penalty[j, k])
            product += correlation[j, k] * w[j, k]
            l1 += penalty[j, k] * abs(w[j, k]) if w[j, k] != 0 else 0.0
        terms[j, 0], terms[j, 1], terms[j, 2] = largest, product, l1
