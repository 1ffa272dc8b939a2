"""Runs and matrix of the gram solver on the CPU; see `_cuda.gram` for a GPU."""

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse

from skdatamodels._memory import available_memory
from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._fits import computing_dtype
from skdatamodels.regression._gram.coordinate_descent import solve, tile
from skdatamodels.regression._gram.moments import moments, pair_sums
from skdatamodels.regression._selection import squared_errors

# Targets of one task. The number does not depend on the number of threads, because the
# rounding of a product depends on its shape.
_BLOCK = 64

# Number of runs whose mean is close to that of all runs.
_MANY = 4096


class HostRuns:
    """The runs to fit, and sums over them.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
        Columns.
    Y : float array of shape (n_runs, all targets)
        Outputs.
    weight : float64 array of shape (n_runs,) or None
        Weight of each run; None: all 1.
    rows : int array
        The runs that are used.
    targets : int array
        The targets that are used.
    n_jobs : int or None
        Number of threads.
    whole : int32 array, optional
        `xx` of all rows of `X`, see `counts_of_all`.
    """

    def __init__(self, X, Y, weight, rows, targets, n_jobs=None, whole=None):
        self.X, self.Y, self.weight, self.targets = X, Y, weight, targets
        self.n_jobs, self.whole = n_jobs, whole
        # Real columns and outputs are shifted by about their means, so that sums keep
        # their digits. A constant column is shifted by its value, because a rounded
        # mean would not make it exactly 0.
        self.x_shift = 0.0
        if not isinstance(X, PackedMasks):
            columns = X[rows]
            constant = (columns == columns[0]).all(axis=0)
            self.x_shift = np.where(constant, columns[0], columns.mean(axis=0))
        some = np.sort(rows[:: -(-len(rows) // _MANY)])
        self.y_shift = Y[some][:, targets].mean(axis=0, dtype=np.float64)

    @property
    def dtype(self):
        """Type of the computation: float64 if the outputs are."""
        return computing_dtype(self.Y.dtype)

    def moments(self, rows):
        """Return the moments of some runs, without `xx`."""
        data = self.X, self.Y, np.sort(rows), self.targets, self.weight
        return moments(*data, self.x_shift, self.y_shift, self.n_jobs)

    def pair_sums(self, rows):
        """Return `xx` of some runs: counted, or that of all less those left out."""
        left_out = self.X.shape[0] - len(rows)
        subtract = self.whole is not None and left_out < len(rows)
        if subtract:
            rows = np.setdiff1d(np.arange(self.X.shape[0]), rows)
        data = self.X, np.sort(rows), self.weight, self.x_shift
        xx = pair_sums(*data, self.n_jobs)
        return np.subtract(self.whole, xx, out=xx) if subtract else xx

    def matrix(self, data):
        """Return the Gram matrix of moments, ready to solve on; overwrites them."""
        return HostMatrix(data.into_gram(self.dtype))

    def blocks(self, n_lams):
        """Yield slices of the targets, one for each task of `n_lams` lams a target."""
        for start in range(0, len(self.targets), _BLOCK):
            yield slice(start, start + _BLOCK)

    def means(self, data):
        """Return the means of columns and outputs, without the shift."""
        return self.x_shift + data.x_mean, self.y_shift + data.y_mean

    def held_out(self, rows):
        """Return columns, outputs and weights of held-out runs.

        Small masks are unpacked here, once for all targets.
        """
        X, Y = self.X[rows], self.Y[rows][:, self.targets]
        if not isinstance(X, PackedMasks):
            X = X.astype(self.dtype)
        elif len(list(row_blocks(len(X), X.shape[1] * self.dtype.itemsize))) == 1:
            X = X.dense(dtype=self.dtype)
        return X, Y, None if self.weight is None else self.weight[rows]


def counts_of_all(problem, settings):
    """Count pairs of examples over all runs, if groups of targets miss few of them.

    The counts of a group are then those of all runs less those of the runs that the
    group cannot use. They are exact, so the result is the same.

    Parameters
    ----------
    problem, settings : Problem, Settings
        See `_solver`.

    Returns
    -------
    whole : int32 array of shape (d padded, d padded), or None
        None if this would not pay, or does not fit into memory.
    """
    X, groups = problem.X, problem.groups
    if not isinstance(X, PackedMasks) or problem.sample_weight is not None:
        return None
    n_runs, d = X.shape
    saved = sum(max(0, 2 * len(group.rows) - n_runs) for group in groups)
    n_matrices = 1 + min(effective_n_jobs(settings.n_jobs), len(groups))
    if saved <= n_runs or n_matrices * 4 * d**2 > available_memory():
        return None
    return pair_sums(X, np.arange(n_runs), None, 0.0, settings.n_jobs)


class HostMatrix:
    """A Gram matrix, ready to solve on."""

    def __init__(self, gram):
        self.tiles, self.diagonal = tile(gram)

    def __sizeof__(self):  # dask sends objects that it takes for small with every task
        return object.__sizeof__(self) + self.tiles.nbytes

    def place(self, problem):
        """Move an `InformedProblem` to the device where it is solved."""
        return problem

    def solve(self, problem, lams, start, tol, max_iter):
        """Solve paths.

        Parameters
        ----------
        problem : InformedProblem
            Problem on the device, see `place`.
        lams : array of shape (n_targets, n_lams)
            Strengths along the paths.
        start : array of shape (n_targets, d)
            Initial coefficients.
        tol : float
            See :func:`skdatamodels.regression.lasso_path`.
        max_iter : int
            See :func:`skdatamodels.regression.lasso_path`.

        Returns
        -------
        coefs : array of shape (n_targets, n_lams, d)
            Coefficients along the paths.
        gaps, n_iter : array of shape (n_targets, n_lams)
            Relative duality gaps reached, and passes used.
        """
        cov, y_var, factors, _ = problem
        data = self.tiles, self.diagonal, cov, y_var, lams, factors, start
        return solve(*data, tol, max_iter)

    @staticmethod
    def squared_errors(X, Y, sample_weight, weights, x_mean, y_mean):
        """Sum squared errors on held-out runs.

        Parameters
        ----------
        X, Y, sample_weight : arrays
            Held-out runs, see `HostRuns.held_out`.
        weights : array of shape (n_targets, n_lams, d)
            Weights along the paths.
        x_mean, y_mean : array of shape (d,) and (n_targets,)
            Means of columns and outputs, which determine the intercepts.

        Returns
        -------
        sums : float64 array of shape (n_targets, n_lams, 2)
            See `squared_errors` of `_selection`.
        """
        intercepts = y_mean[:, None] - weights @ x_mean
        return squared_errors(X, Y, sample_weight, weights, intercepts)

    csr = staticmethod(sparse.csr_array)
