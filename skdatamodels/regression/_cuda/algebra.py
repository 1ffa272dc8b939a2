"""Matrix functions of the ridge on a GPU, by torch: as those of `HostAlgebra`."""

from skdatamodels.regression._cuda.lasso_path import free_memory
from skdatamodels.regression._cuda.precision import precision
from skdatamodels.regression._cuda.products import Halves, product, split


class DeviceAlgebra:
    """Tensors of torch on the device of CudaOps.

    Parameters
    ----------
    ops : CudaOps
        The device.
    """

    def __init__(self, ops):
        import torch

        self.ops = ops
        self.concatenate, self.linalg = torch.cat, torch.linalg

    def free_memory(self):
        """Return how many bytes tensors may take."""
        return free_memory(self.ops.device)

    def asarray(self, a, dtype=None):
        """Return a tensor on the device."""
        return self.ops.asarray(a, dtype)

    def to_host(self, a):
        """Return an array of numpy."""
        return self.ops.to_numpy(a)

    def precise(self):
        """Return a context in which products of float32 are not rounded further."""
        return precision("highest")

    def product(self, a, b):
        """Return a·b in float64, computed in the dtype of `a`."""
        with self.precise():
            return (a @ b.to(a.dtype)).double()

    def gram(self, a):
        """Return a·aᵀ in float64, computed on tensor cores as precisely as float32."""
        halves = split(a)
        other = Halves(halves.high.T, halves.low.T, halves.scale)
        return product(halves, other).double()

    def squares(self, a):
        """Return the sum of squares of each column, in float64."""
        return self.linalg.vector_norm(a, dim=0).double() ** 2

    def eigh(self, a):
        """Return the eigenvalues, and the eigenvectors as columns."""
        return self.linalg.eigh(a)

    def solve(self, a, b):
        """Solve several systems at once."""
        return self.linalg.solve(a, b)

    def factor(self, a, shift):
        """Return the lower Cholesky factor of a + shift·1; overwrites `a`."""
        a.diagonal().add_(shift)
        return self.linalg.cholesky(a)

    def inverse(self, factor):
        """Return the inverse of a matrix from its Cholesky factor."""
        return factor.cholesky_inverse()

    def trace_of_inverse(self, factor):
        """Return the trace of the inverse of a matrix from its Cholesky factor."""
        return self.inverse(factor).trace()

    def solve_factored(self, factor, b):
        """Solve for the columns of `b`, with the Cholesky factor of a matrix."""
        return b.cholesky_solve(factor)

    def solve_lower(self, factor, b):
        """Solve for the columns of `b`, with the Cholesky factor itself."""
        return self.linalg.solve_triangular(factor, b, upper=False)
