"""Moments: all that a least-squares fit needs to know of its data.

Moments of disjoint sets of runs add up: those of a training fold are the whole's minus
those of the held-out fold. So each run is summed twice at most, however many folds a
selection of lam uses.
"""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks

# The matrix of products is padded with zeros to a multiple of this many columns, so
# that it can become the tiles of coordinate descent where it stands.
PADDING = 128

# Rows of a product of one thread.
_STRIPE = 256


class Moments(NamedTuple):
    """Sums over some runs, of columns and outputs that have been shifted."""

    n_runs: int
    x_sum: np.ndarray  # (d,)
    y_sum: np.ndarray  # (n_targets,)
    xy: np.ndarray  # (d, n_targets)
    yy: np.ndarray  # (n_targets,)
    counted: bool  # the columns are masks, not shifted: x_sum counts runs
    xx: np.ndarray | None = None  # (d padded, d padded), see `pair_sums`; large

    @property
    def x_mean(self):
        """Mean of each column."""
        return self.x_sum / self.n_runs

    @property
    def y_mean(self):
        """Mean of each target."""
        return self.y_sum / self.n_runs

    def without(self, part):
        """Return the moments of the other runs; `xx` of the part is used up."""
        rest = (a - b for a, b in zip(self[:5], part[:5], strict=True))
        xx = None if part.xx is None else self._subtract(self.xx, part.xx)
        return type(self)(*rest, self.counted, xx)

    @staticmethod
    def _subtract(whole, part):
        return np.subtract(whole, part, out=part)

    def covariances(self):
        """Return covariances (n_targets, d) and variances (n_targets,) of the targets.

        A target that is constant up to rounding gets variance and covariances of 0; a
        constant column too: what rounding leaves of it is not for a lam to be made of.
        """
        cov = np.ascontiguousarray(self.xy.T) / self.n_runs
        cov -= np.outer(self.y_mean, self.x_mean)
        y_var = self.yy / self.n_runs - self.y_mean**2
        constant = y_var <= 1e-14 * self.yy / self.n_runs
        cov[constant] = 0
        if self.counted:
            cov[:, (self.x_sum == 0) | (self.x_sum == self.n_runs)] = 0
        return cov, np.where(constant, 0, y_var)

    def gram_dot(self, weights):
        """Multiply weights (n, d) with the covariance matrix of the columns."""
        d = self.x_sum.size
        product = np.empty((len(weights), d))
        for columns in row_blocks(d, 8 * d):
            product[:, columns] = weights @ self.xx[:d, columns]
        product /= self.n_runs
        return product - np.outer(weights @ self.x_mean, self.x_mean)

    def into_gram(self, dtype):
        """Turn the sums of products into the covariance matrix of the columns.

        Where they stand, if the types are of the same size: the moments are no longer
        of use then.

        Returns
        -------
        gram : array of shape (d padded, d padded)
        """
        mean = np.zeros(len(self.xx))
        mean[: self.x_sum.size] = self.x_mean
        in_place = self.xx.itemsize == np.dtype(dtype).itemsize
        gram = self.xx.view(dtype) if in_place else np.empty(self.xx.shape, dtype)
        for rows in row_blocks(len(gram), 24 * len(gram)):
            gram[rows] = self.xx[rows] / self.n_runs - np.outer(mean[rows], mean)
        return gram


def moments(X, Y, rows, targets, x_shift, y_shift, n_jobs=None):
    """Compute the moments of some runs but for `xx`, a block at a time.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
    Y : float array of shape (n_runs, n_targets)
        May be a memory map of any floating type.
    rows : int array
        Which runs.
    targets : int array
        Which targets; their outputs are finite on these runs.
    x_shift, y_shift : array or float
        Are subtracted, for sums that keep their digits; masks are not shifted.
    n_jobs : int, optional
        Number of threads.

    Returns
    -------
    moments : Moments
    """
    d, packed = X.shape[1], isinstance(X, PackedMasks)
    dtype = np.promote_types(Y.dtype, np.float32) if packed else np.float64
    x_sum, y_sum, xy, yy = 0, 0, np.zeros((d, len(targets))), 0
    for block in row_blocks(len(rows), 8 * (d + Y.shape[1])):
        y = Y[rows[block]][:, targets].astype(np.float64) - y_shift
        x = X.dense(rows[block], dtype) if packed else X[rows[block]] - x_shift
        x_sum = x_sum + x.sum(axis=0, dtype=np.float64)
        y_sum, yy = y_sum + y.sum(axis=0), yy + (y**2).sum(axis=0)
        _add_products(xy, x, y.astype(dtype), n_jobs)
    return Moments(len(rows), x_sum, y_sum, xy, yy, packed)


def pair_sums(X, rows, x_shift, n_jobs=None):
    """Sum the products of all pairs of columns over some runs.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
    rows : int array
    x_shift : array of shape (d,)
        Is subtracted; masks are not shifted.
    n_jobs : int, optional
        Number of threads.

    Returns
    -------
    xx : array of shape (d padded, d padded)
        int32 counts for masks, else float64; padded with zeros to a multiple of
        `PADDING`.
    """
    from skdatamodels.masks._popcount import mirror

    d, packed = X.shape[1], isinstance(X, PackedMasks)
    padded = -(-d // PADDING) * PADDING
    xx = np.zeros((padded, padded), np.int32 if packed else np.float64)
    if packed:
        for block in row_blocks(len(rows), -(-d // 8), multiple=64):
            X[rows[block]].gram(n_jobs, out=xx[:d, :d])
    else:
        for block in row_blocks(len(rows), 8 * d):
            x = X[rows[block]] - x_shift
            _add_products(xx[:d, :d], x, x, n_jobs, upper=True)
        mirror(xx)
    return xx


def _add_products(out, x, y, n_jobs, upper=False):
    """Add ``x.T @ y`` to `out`, or its upper triangle; each thread some of its rows.

    A stripe is one product, however many threads there are: so the sums do not depend
    on their number, if BLAS has one thread.
    """

    def add(columns):
        first = columns.start if upper else 0
        out[columns, first:] += x[:, columns].T @ y[:, first:]

    stripes = [slice(i, i + _STRIPE) for i in range(0, len(out), _STRIPE)]
    Parallel(n_jobs, require="sharedmem")(delayed(add)(stripe) for stripe in stripes)
