"""Matrix functions of the ridge, on the CPU; `_cuda.algebra` has them for a GPU.

All else is written with operators, methods and indices that arrays of numpy and tensors
of torch share. Matrices are symmetric or lower triangular, and float64.
"""

from contextlib import nullcontext

import numpy as np
from scipy.linalg import cholesky, eigh, lapack, solve_triangular

from skdatamodels._memory import available_memory


class HostAlgebra:
    """Arrays of numpy, functions of LAPACK."""

    concatenate = staticmethod(np.concatenate)

    @staticmethod
    def free_memory():
        """Return how many bytes arrays may take."""
        return available_memory()

    @staticmethod
    def asarray(a, dtype=None):
        """Return an array where the computation is."""
        return np.asarray(a, dtype)

    @staticmethod
    def to_host(a):
        """Return an array of numpy."""
        return a

    @staticmethod
    def precise():
        """Return a context in which products of float32 are not rounded further."""
        return nullcontext()

    @staticmethod
    def product(a, b):
        """Return a·b in float64, computed in the dtype of `a`."""
        return np.array(a @ b.astype(a.dtype, copy=False), np.float64)

    @staticmethod
    def gram(a):
        """Return a·aᵀ in float64, computed in the dtype of `a`."""
        return np.array(a @ a.T, np.float64)

    @staticmethod
    def squares(a):
        """Return the sum of squares of each column, in float64."""
        return np.einsum("ij,ij->j", a, a, dtype=np.float64)

    @staticmethod
    def eigh(a):
        """Return the eigenvalues, and the eigenvectors as columns."""
        return eigh(a, check_finite=False)

    @staticmethod
    def solve(a, b):
        """Solve several systems at once."""
        return np.linalg.solve(a, b)

    @staticmethod
    def factor(a, shift):
        """Return the lower Cholesky factor of a + shift·1; overwrites `a`."""
        np.fill_diagonal(a, np.diagonal(a) + shift)
        return cholesky(a, lower=True, overwrite_a=True, check_finite=False)

    @staticmethod
    def inverse(factor):
        """Return the inverse of a matrix from its Cholesky factor."""
        lower = lapack.dpotri(factor, lower=True)[0]
        return np.tril(lower) + np.tril(lower, -1).T

    @staticmethod
    def trace_of_inverse(factor):
        """Return the trace of the inverse of a matrix from its Cholesky factor."""
        half = lapack.dtrtri(factor, lower=True)[0]
        return (np.tril(half) ** 2).sum()

    @staticmethod
    def solve_factored(factor, b):
        """Solve for the columns of `b`, with the Cholesky factor of a matrix."""
        return lapack.dpotrs(factor, b, lower=True)[0]

    @staticmethod
    def solve_lower(factor, b):
        """Solve for the columns of `b`, with the Cholesky factor itself."""
        return solve_triangular(factor, b, lower=True, check_finite=False)


def algebra_of(ops):
    """Return the functions for CudaOps, or those for the CPU if `ops` is None."""
    if ops is None:
        return HostAlgebra
    from skdatamodels.regression._cuda.algebra import DeviceAlgebra

    return DeviceAlgebra(ops)
