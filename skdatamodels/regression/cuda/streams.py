"""What is summed over the runs, on a GPU: moments, and squared errors on held-out runs.

Masks travel packed, one bit an entry, and are expanded by a kernel on the device.
"""

import numpy as np

from skdatamodels.masks.packed import row_blocks
from skdatamodels.regression.cuda._precision import precision
from skdatamodels.regression.moments import PADDING, Moments, weight_of

# Runs of a block are so many that its expanded masks and fitted values take this much.
_BLOCK_BYTES = 2**30


def moments(X, Y, rows, targets, weight, y_shift, ops):
    """Compute moments but for `xx`, as :func:`skdatamodels.regression.moments.moments`.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    Y : float array of shape (n_runs, n_targets)
    rows, targets : int array
    weight : float64 array of shape (n_runs,) or None
    y_shift : array of shape (len(targets),)
    ops : CudaOps

    Returns
    -------
    moments : Moments
        On the host.
    """
    d, n = X.shape[1], len(targets)
    x_sum, xy, zero = ops.zeros(d), ops.zeros((d, n)), ops.zeros(d)
    counts, y_sum, yy = ops.zeros(d), np.zeros(n), np.zeros(n)
    for block in _blocks(len(rows), d + n):
        y = Y[rows[block]][:, targets].astype(np.float64) - y_shift
        w = weight_of(weight, rows[block])
        weighted = y * w[:, None]
        y_sum, yy = y_sum + weighted.sum(axis=0), yy + (weighted * y).sum(axis=0)
        x = ops.expand(np.asarray(X.bits[rows[block]]), zero)
        counts += x.sum(0)
        with precision("highest"):
            x_sum += ops.asarray(w.astype(np.float32)) @ x
            xy += x.T @ ops.asarray(weighted.astype(np.float32))
    x_sum, xy, counts = (
        ops.to_numpy(a).astype(np.float64) for a in (x_sum, xy, counts)
    )
    x_sum = counts if weight is None else x_sum  # whole numbers are not rounded
    total = float(weight_of(weight, rows).sum())
    return Moments(len(rows), total, x_sum, y_sum, xy, yy, counts)


def pair_sums(X, rows, weight, ops):
    """Count pairs of examples, as :func:`skdatamodels.regression.moments.pair_sums`.

    By tensor cores, without weights: factors are 0 or 1 and sums whole numbers, below
    2²⁴ as there are not so many runs, so nothing is rounded.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    rows : int array
    weight : float64 array of shape (n_runs,) or None
    ops : CudaOps

    Returns
    -------
    xx : array of shape (d padded, d padded)
        On the host; int32 without weights, else float32.
    """
    d = X.shape[1]
    padded = -(-d // PADDING) * PADDING
    counts, zero = ops.zeros((d, d)), ops.zeros(d)
    for block in _blocks(len(rows), d):
        x = ops.expand(np.asarray(X.bits[rows[block]]), zero)
        if weight is None:
            with precision("high"):
                counts += x.T @ x
        else:
            w = ops.asarray(weight[rows[block]].astype(np.float32))
            with precision("highest"):
                counts += x.T @ (w[:, None] * x)
    xx = np.zeros((padded, padded), np.int32 if weight is None else np.float32)
    for part in row_blocks(d, 8 * d):
        xx[part, :d] = ops.to_numpy(counts[part])
    return xx


def squared_errors_on_device(X, Y, weight, coefs, intercepts, ops):
    """Sum squared errors as :func:`skdatamodels.regression.selection.squared_errors`.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    Y : array of shape (n_runs, n_targets)
    weight : float64 array of shape (n_runs,) or None
    coefs : array of shape (n_targets, n_lams, d)
    intercepts : array of shape (n_targets, n_lams)
    ops : CudaOps

    Returns
    -------
    sums : float64 array of shape (n_targets, n_lams, 2)
    """
    import torch

    n_targets, n_lams, d = coefs.shape
    centre = np.full(d, 0.5, np.float32)  # products of less size are rounded less
    intercepts = intercepts + (coefs @ centre).astype(np.float64)
    flat = ops.asarray(coefs.reshape(-1, d).astype(np.float32))
    centre = ops.asarray(centre)
    sums = np.zeros((n_targets, n_lams, 2))
    for rows in _blocks(len(Y), d + 3 * n_targets * n_lams):
        x = ops.expand(np.asarray(X.bits[rows]), centre)
        with precision("highest"):
            fitted = (x @ flat.T).reshape(-1, n_targets, n_lams)
        target = np.asarray(Y[rows], np.float64)[:, :, None] - intercepts
        square = (ops.asarray(target.astype(np.float32)) - fitted) ** 2
        square = torch.nan_to_num(square, nan=0.0)
        w = weight_of(weight, np.arange(len(Y))[rows]).astype(np.float32)
        w = ops.asarray(w)[:, None, None]
        for power in range(2):
            total = (w * square ** (power + 1)).sum(0, dtype=torch.float64)
            sums[..., power] += ops.to_numpy(total)
    return sums


def _blocks(n_rows, row_length):
    step = max(1, _BLOCK_BYTES // (4 * row_length))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]
