"""Where the gram solver computes: the CPU.

:class:`skdatamodels.regression.cuda.gram.Device` has the same methods.
"""

import numpy as np

from skdatamodels.masks import PackedMasks
from skdatamodels.masks.packed import row_blocks
from skdatamodels.regression import _coordinate_descent
from skdatamodels.regression.fits import computing_dtype
from skdatamodels.regression.moments import moments, pair_sums
from skdatamodels.regression.selection import squared_errors


class Host:
    """The CPU.

    Parameters
    ----------
    n_jobs : int or None
        Number of threads, as in joblib.
    """

    # Targets of one task. It does not depend on the number of threads: products of
    # other shapes round otherwise.
    block = 64

    def __init__(self, n_jobs):
        self.n_jobs = n_jobs

    def with_one_thread(self):
        """Return the same place, as it is to a worker."""
        return Host(1)

    def dtype(self, outputs_dtype):
        """Return the type that outputs of some type are fitted in."""
        return computing_dtype(outputs_dtype)

    def moments(self, X, Y, rows, *others):
        """Compute the moments of some runs but for `xx`; see :func:`moments`."""
        return moments(X, Y, np.sort(rows), *others, self.n_jobs)

    def pair_sums(self, X, rows, *others):
        """Sum the products of all pairs of columns; see :func:`pair_sums`."""
        return pair_sums(X, np.sort(rows), *others, self.n_jobs)

    def held_out(self, X, dtype):
        """Return the columns of runs that judge, as :meth:`Matrix.errors` wants them.

        Small masks are unpacked: it is done once for all targets.
        """
        if not isinstance(X, PackedMasks):
            return X.astype(dtype)
        small = len(list(row_blocks(len(X), X.shape[1] * dtype.itemsize))) == 1
        return X.dense(dtype=dtype) if small else X

    def matrix(self, gram, d):
        """Make a covariance matrix (d padded, d padded) ready to solve on, in place."""
        return Matrix(*_coordinate_descent.tile(gram))


class Matrix:
    """A Gram matrix on the CPU."""

    def __init__(self, tiles, diagonal):
        self.tiles, self.diagonal = tiles, diagonal

    def __sizeof__(self):  # asked by dask, which sends small objects with every task
        return object.__sizeof__(self) + self.tiles.nbytes

    def solve(self, cov, y_var, lams, penalty, w0, tol, max_iter):
        """Solve the paths of some targets.

        Parameters
        ----------
        cov, w0 : array of shape (n_targets, d)
        y_var : array of shape (n_targets,)
        lams : array of shape (n_targets, n_lams)
        penalty : array of shape (1, d) or (n_targets, d)
        tol, max_iter : number

        Returns
        -------
        coefs : array of shape (n_targets, n_lams, d)
        gaps, n_iter : array of shape (n_targets, n_lams)
        """
        problem = cov, y_var, lams, penalty, w0
        return _coordinate_descent.solve(
            self.tiles, self.diagonal, *problem, tol, max_iter
        )

    def errors(self, X, Y, weight, coefs, intercepts):
        """Sum squared errors on held-out runs; see :func:`squared_errors`."""
        return squared_errors(X, Y, weight, coefs, intercepts)
