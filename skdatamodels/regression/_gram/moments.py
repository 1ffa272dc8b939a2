"""Moments: the sums over the data that a least-squares fit needs.

Moments of disjoint sets of runs add up. Those of a training fold are the moments of all
runs minus those of the held-out fold, so each run is summed at most twice, for any
number of folds.
"""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks

# The matrix of products is padded with zeros to a multiple of this many columns, so
# that it can be reordered in place into the tiles of coordinate descent.
PADDING = 128

# Rows of a product that one thread computes.
_STRIPE = 256


# A population count processes 64 runs at a time. With fewer runs for each weight,
# products are faster.
_RUNS_PER_WEIGHT = 64


class Moments(NamedTuple):
    """Weighted sums of columns and outputs over some runs.

    Real columns and outputs are shifted; masks are not.
    """

    n_runs: int
    weight: float  # sum of the weights of the runs
    x_sum: np.ndarray  # (d,)
    y_sum: np.ndarray  # (n_targets,)
    xy: np.ndarray  # (d, n_targets)
    yy: np.ndarray  # (n_targets,)
    counts: np.ndarray | None  # (d,), runs that saw each example; None if not masks
    xx: np.ndarray | None = None  # (d padded, d padded), see `pair_sums`; large

    @property
    def x_mean(self):
        """Mean of each column."""
        return self.x_sum / self.weight

    @property
    def y_mean(self):
        """Mean of each target."""
        return self.y_sum / self.weight

    @property
    def constant(self):
        """Indices of the columns of masks that are the same in all runs."""
        if self.counts is None:
            return np.empty(0, int)
        return np.flatnonzero((self.counts == 0) | (self.counts == self.n_runs))

    def without(self, part):
        """Return the moments of the other runs; overwrites `xx` of the part."""
        rest = (a - b for a, b in zip(self[:6], part[:6], strict=True))
        counts = None if self.counts is None else self.counts - part.counts
        xx = None if part.xx is None else self._subtract(self.xx, part.xx)
        return type(self)(*rest, counts, xx)

    @staticmethod
    def _subtract(whole, part):
        return np.subtract(whole, part, out=part)

    def covariances(self):
        """Return covariances (n_targets, d) and variances (n_targets,) of the targets.

        Variance and covariances of a target that is constant up to rounding are set to
        0, and so are the covariances of a constant column. Otherwise lam_max might be
        computed from rounding errors.
        """
        cov = np.ascontiguousarray(self.xy.T) / self.weight
        cov -= np.outer(self.y_mean, self.x_mean)
        y_var = self.yy / self.weight - self.y_mean**2
        constant = y_var <= 1e-14 * self.yy / self.weight
        cov[constant] = 0
        cov[:, self.constant] = 0
        return cov, np.where(constant, 0, y_var)

    def gram_dot(self, weights):
        """Multiply weights (n, d) with the covariance matrix of the columns."""
        d = self.x_sum.size
        product = np.empty((len(weights), d))
        for columns in row_blocks(d, 8 * d):
            product[:, columns] = weights @ self.xx[:d, columns]
        product /= self.weight
        return product - np.outer(weights @ self.x_mean, self.x_mean)

    def into_gram(self, dtype):
        """Convert the sums of products to the covariance matrix of the columns.

        If both types have the same size, this overwrites the sums, and the moments
        cannot be used any more.

        Parameters
        ----------
        dtype : dtype
            Type of the result.

        Returns
        -------
        gram : array of shape (d padded, d padded)
            Covariances, padded with zeros.
        """
        mean = np.zeros(len(self.xx))
        mean[: self.x_sum.size] = self.x_mean
        in_place = self.xx.itemsize == np.dtype(dtype).itemsize
        gram = self.xx.view(dtype) if in_place else np.empty(self.xx.shape, dtype)
        for rows in row_blocks(len(gram), 24 * len(gram)):
            gram[rows] = self.xx[rows] / self.weight - np.outer(mean[rows], mean)
        gram[self.constant] = 0  # not exactly 0 if weights are not integers
        gram[:, self.constant] = 0
        return gram


def moments(X, Y, rows, targets, weight, x_shift, y_shift, n_jobs=None):
    """Compute the moments of some runs, without `xx`, a block at a time.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
        Columns.
    Y : float array of shape (n_runs, n_targets)
        Outputs. May be a memory map of any floating type.
    rows : int array
        Runs to use.
    targets : int array
        Targets to use; their outputs are finite on these runs.
    weight : float64 array of shape (n_runs,) or None
        Weight of each run, positive; None: all 1.
    x_shift, y_shift : array or float
        Subtracted from columns and outputs so that sums keep their digits. Masks are
        not shifted.
    n_jobs : int, optional
        Number of threads.

    Returns
    -------
    moments : Moments
        Moments with ``xx=None``.
    """
    d, packed = X.shape[1], isinstance(X, PackedMasks)
    dtype = np.promote_types(Y.dtype, np.float32) if packed else np.float64
    x_sum, y_sum, xy, yy = np.zeros(d), 0, np.zeros((d, len(targets))), 0
    counts = np.zeros(d, np.int64) if packed else None
    for block in row_blocks(len(rows), 8 * (d + Y.shape[1])):
        part = rows[block]
        y = Y[part][:, targets].astype(np.float64) - y_shift
        x = X.dense(part, dtype) if packed else X[part] - x_shift
        w = weight_of(weight, part)
        weighted = y * w[:, None]
        y_sum, yy = y_sum + weighted.sum(axis=0), yy + (weighted * y).sum(axis=0)
        if packed:
            counts += x.sum(axis=0, dtype=np.float64).astype(np.int64)
        if weight is not None:
            x_sum += w @ x
        elif not packed:
            x_sum += x.sum(axis=0)
        _add_products(xy, x, weighted.astype(dtype), n_jobs)
    if packed and weight is None:
        x_sum = counts.astype(np.float64)
    total = float(weight_of(weight, rows).sum())
    return Moments(len(rows), total, x_sum, y_sum, xy, yy, counts)


def weight_of(weight, rows):
    """Return the weights of some runs; all are 1 if `weight` is None."""
    return np.ones(len(rows)) if weight is None else weight[rows]


def pair_sums(X, rows, weight, x_shift, n_jobs=None):
    """Sum the products of all pairs of columns over some runs.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
        Columns.
    rows : int array
        Runs to use.
    weight : float64 array of shape (n_runs,) or None
        Weight of each run, positive; None: all 1.
    x_shift : array of shape (d,)
        Subtracted from real columns; masks are not shifted.
    n_jobs : int, optional
        Number of threads.

    Returns
    -------
    xx : array of shape (d padded, d padded)
        int32 counts for masks without weights, else float64; padded with zeros to a
        multiple of `PADDING`.
    """
    from skdatamodels.masks._popcount import mirror

    d = X.shape[1]
    padded = -(-d // PADDING) * PADDING
    counts = isinstance(X, PackedMasks) and weight is None
    xx = np.zeros((padded, padded), np.int32 if counts else np.float64)
    inner = xx[:d, :d]
    if counts:
        _count_pairs(X, rows, inner, n_jobs)
    elif isinstance(X, PackedMasks) and _few_weights(weight[rows]):
        for value in np.unique(weight[rows]):
            part = np.zeros((d, d), np.int32)
            _count_pairs(X, rows[weight[rows] == value], part, n_jobs)
            for block in row_blocks(d, 8 * d):
                inner[block] += value * part[block]
    else:
        for block in row_blocks(len(rows), 16 * d):
            part = rows[block]
            x = X.dense(part, np.float64) if isinstance(X, PackedMasks) else X[part]
            x = x - x_shift
            w = weight_of(weight, part)[:, None]
            _add_products(inner, x, x if weight is None else w * x, n_jobs, upper=True)
        mirror(xx)
    return xx


def _few_weights(weight):
    return len(np.unique(weight)) * _RUNS_PER_WEIGHT <= len(weight)


def _count_pairs(X, rows, out, n_jobs):
    for block in row_blocks(len(rows), -(-X.shape[1] // 8), multiple=64):
        X[rows[block]].gram(n_jobs, out=out)


def _add_products(out, x, y, n_jobs, upper=False):
    """Add ``x.T @ y`` to `out`, or only its upper triangle, in stripes of rows.

    Each stripe is one product, for any number of threads. So the sums do not depend on
    the number of threads, provided that BLAS has one thread.
    """

    def add(columns):
        first = columns.start if upper else 0
        out[columns, first:] += x[:, columns].T @ y[:, first:]

    stripes = [slice(i, i + _STRIPE) for i in range(0, len(out), _STRIPE)]
    Parallel(n_jobs, require="sharedmem")(delayed(add)(stripe) for stripe in stripes)
