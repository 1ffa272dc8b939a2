"""Runs and matrix of the gram solver on a GPU, with the same methods as on the CPU."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skdatamodels.masks import PackedMasks
from skdatamodels.regression._cuda import streams
from skdatamodels.regression._cuda.lasso_path import (
    put_gram,
    solve_on_device,
    targets_in_memory,
)
from skdatamodels.regression._gram.host import HostMatrix, HostRuns
from skdatamodels.regression._prior import InformedProblem

# Targets in a task: enough to keep a GPU busy.
_BLOCK = 4096


class DeviceRuns(HostRuns):
    """Runs whose sums are computed on a GPU."""

    def __init__(self, X, *data, ops):
        super().__init__(X, *data)
        self.ops, self.packed = ops, isinstance(X, PackedMasks)

    @property
    def dtype(self):
        """Type of the computation."""
        return np.dtype(np.float32)

    def moments(self, rows):
        """Return the moments of some runs, without `xx`."""
        if not self.packed:
            return super().moments(rows)
        data = self.X, self.Y, np.sort(rows), self.targets, self.weight
        return streams.moments(*data, self.y_shift, self.ops)

    def pair_sums(self, rows):
        """Return `xx` of some runs."""
        if not self.packed:
            return super().pair_sums(rows)
        return streams.pair_sums(self.X, np.sort(rows), self.weight, self.ops)

    def matrix(self, data):
        """Return the Gram matrix of moments, ready to solve on; overwrites them."""
        if self.packed:
            return DeviceMatrix(self.ops, data.into_gram())
        d = self.X.shape[1]
        return DeviceMatrix(self.ops, data.into_gram(self.dtype)[:d, :d])

    def blocks(self, n_lams):
        """Yield slices of the targets, one for each task."""
        d = self.X.shape[1]
        step = targets_in_memory(self.ops.device, _BLOCK, d, 4 * n_lams)
        for start in range(0, len(self.targets), step):
            yield slice(start, start + step)

    def held_out(self, rows):
        """Return columns, outputs and weights of held-out runs."""
        if not self.packed:
            return super().held_out(rows)
        rows = np.sort(rows)
        outputs = streams.outputs_on_device(self.Y, rows, self.targets, self.ops)
        weight = None if self.weight is None else self.weight[rows]
        return self.X[rows], outputs.float(), weight


class DeviceMatrix:
    """A Gram matrix on a device, ready to solve on."""

    def __init__(self, ops, gram):
        self.ops, self.gram = ops, put_gram(ops, gram)

    def place(self, problem):
        """Copy a problem to the device."""
        return DeviceProblem.of_host(problem, self.ops)

    def solve(self, problem, lams, start, tol, max_iter):
        """Solve paths; the coefficients are a tensor (n_targets, n_lams, d)."""
        cov, y_var, penalty, _ = problem
        return solve_on_device(
            self.ops, self.gram, cov, y_var, lams, penalty, start, tol, max_iter
        )

    def squared_errors(self, X, Y, sample_weight, weights, x_mean, y_mean):
        """Sum squared errors on held-out runs, see `HostMatrix.squared_errors`."""
        runs, means = (X, Y, sample_weight), (x_mean, y_mean)
        if isinstance(X, PackedMasks):
            return streams.squared_errors(*runs, weights, *means, self.ops)
        weights = self.ops.to_numpy(weights)
        return HostMatrix.squared_errors(*runs, weights, *means)

    def csr(self, dense):
        """Copy weights (n, d) to the host, as a sparse array."""
        import torch

        where = dense != 0
        columns = where.nonzero()[:, 1].to(torch.int32)
        lengths = self.ops.to_numpy(where.sum(1))
        values = self.ops.to_numpy(dense[where])
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        parts = values, self.ops.to_numpy(columns), indptr
        return sparse.csr_array(parts, shape=tuple(dense.shape))


class DeviceProblem(NamedTuple):
    """An `InformedProblem` on a device, except `y_var`, which is on the host."""

    cov: Any
    y_var: np.ndarray
    penalty_factors: Any
    offset: Any

    @classmethod
    def of_host(cls, problem, ops):
        """Copy a problem to the device."""
        cov, y_var, factors, offset = problem
        offset = None if offset is None else ops.asarray(offset, np.float32)
        return cls(ops.asarray(cov), y_var, ops.asarray(factors), offset)

    def of(self, targets, dtype):
        """Return the problem of some targets."""
        if len(targets) == len(self.y_var):
            return self
        cov, y_var, factors, offset = self
        return DeviceProblem(
            cov[targets],
            y_var[targets],
            factors if len(factors) == 1 else factors[targets],
            None if offset is None else offset[targets],
        )

    weights = InformedProblem.weights
