"""The gram solver's runs and matrix on the CPU: a GPU's have the same methods."""

import numpy as np
from scipy import sparse

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._fits import computing_dtype
from skdatamodels.regression._gram.coordinate_descent import solve, tile
from skdatamodels.regression._gram.moments import moments, pair_sums
from skdatamodels.regression._selection import squared_errors

# Targets of one task. It does not depend on the number of threads: products of other
# shapes round otherwise.
_BLOCK = 64

# Runs whose mean is near that of all.
_MANY = 4096


class HostRuns:
    """The runs to fit, and sums of them.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
    Y : float array of shape (n_runs, all targets)
    weight : float64 array of shape (n_runs,) or None
    rows : int array
        The runs that are used.
    targets : int array
    n_jobs : int or None
        Number of threads.
    """

    def __init__(self, X, Y, weight, rows, targets, n_jobs=None):
        self.X, self.Y, self.weight, self.targets = X, Y, weight, targets
        self.n_jobs = n_jobs
        # Real columns and outputs are shifted by about their means, for sums that keep
        # their digits. A constant column becomes 0, which its mean, rounded, would not
        # make of it.
        self.x_shift = 0.0
        if not isinstance(X, PackedMasks):
            columns = X[rows]
            constant = (columns == columns[0]).all(axis=0)
            self.x_shift = np.where(constant, columns[0], columns.mean(axis=0))
        some = np.sort(rows[:: -(-len(rows) // _MANY)])
        self.y_shift = Y[some][:, targets].mean(axis=0, dtype=np.float64)

    @property
    def dtype(self):
        """That of the computation: float64 if the outputs are."""
        return computing_dtype(self.Y.dtype)

    def moments(self, rows):
        """Return the moments of some of them, but for `xx`."""
        data = self.X, self.Y, np.sort(rows), self.targets, self.weight
        return moments(*data, self.x_shift, self.y_shift, self.n_jobs)

    def pair_sums(self, rows):
        """Return `xx` of some of them."""
        data = self.X, np.sort(rows), self.weight, self.x_shift
        return pair_sums(*data, self.n_jobs)

    def matrix(self, data):
        """Make a Gram matrix of moments, ready to solve on; they are used up."""
        return HostMatrix(data.into_gram(self.dtype))

    def blocks(self, n_lams):
        """Yield slices of the targets, one for each task, which solves so many lams."""
        for start in range(0, len(self.targets), _BLOCK):
            yield slice(start, start + _BLOCK)

    def means(self, data):
        """Return the means of columns and outputs, without the shift."""
        return self.x_shift + data.x_mean, self.y_shift + data.y_mean

    def held_out(self, rows):
        """Return columns, outputs and weights of runs that judge.

        Small masks are unpacked: it is done once for all targets.
        """
        X, Y = self.X[rows], self.Y[rows][:, self.targets]
        if not isinstance(X, PackedMasks):
            X = X.astype(self.dtype)
        elif len(list(row_blocks(len(X), X.shape[1] * self.dtype.itemsize))) == 1:
            X = X.dense(dtype=self.dtype)
        return X, Y, None if self.weight is None else self.weight[rows]


class HostMatrix:
    """A Gram matrix, ready to solve on."""

    def __init__(self, gram):
        self.tiles, self.diagonal = tile(gram)

    def __sizeof__(self):  # asked by dask, which sends small objects with every task
        return object.__sizeof__(self) + self.tiles.nbytes

    def place(self, problem):
        """Put an `InformedProblem` where it is solved."""
        return problem

    def solve(self, problem, lams, start, tol, max_iter):
        """Solve paths.

        Parameters
        ----------
        problem : InformedProblem, placed
        lams : array of shape (n_targets, n_lams)
        start : array of shape (n_targets, d)
        tol, max_iter
            See :func:`skdatamodels.regression.lasso_path`.

        Returns
        -------
        coefs : array of shape (n_targets, n_lams, d)
        gaps, n_iter : array of shape (n_targets, n_lams)
        """
        cov, y_var, factors, _ = problem
        data = self.tiles, self.diagonal, cov, y_var, lams, factors, start
        return solve(*data, tol, max_iter)

    @staticmethod
    def squared_errors(X, Y, sample_weight, weights, x_mean, y_mean):
        """Sum squared errors on held-out runs.

        Parameters
        ----------
        X, Y, sample_weight : held-out runs, see `HostRuns.held_out`
        weights : array of shape (n_targets, n_lams, d)
        x_mean, y_mean : array of shape (d,) and (n_targets,)
            The intercept is such that the mean masks have the mean outputs.

        Returns
        -------
        sums : float64 array of shape (n_targets, n_lams, 2)
        """
        intercepts = y_mean[:, None] - weights @ x_mean
        return squared_errors(X, Y, sample_weight, weights, intercepts)

    csr = staticmethod(sparse.csr_array)
