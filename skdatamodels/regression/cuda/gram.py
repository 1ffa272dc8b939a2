"""Where the gram solver computes: a GPU."""

from skdatamodels.masks import PackedMasks
from skdatamodels.regression._gram_host import Host
from skdatamodels.regression.cuda import streams
from skdatamodels.regression.cuda.lasso_path import put_gram, solve_on_device
from skdatamodels.regression.fits import computing_dtype
from skdatamodels.regression.selection import squared_errors


class Device(Host):
    """A GPU; columns that are no masks are summed on the CPU.

    Parameters
    ----------
    ops : CudaOps
    """

    block = 1024  # targets of one task: it takes more to be busy

    def __init__(self, ops):
        super().__init__(n_jobs=1)
        self.ops = ops

    def with_one_thread(self):
        """Return the same place, as it is to a worker."""
        return self

    def dtype(self, outputs_dtype):
        """Return the type that outputs of some type are fitted in: float32."""
        return computing_dtype(outputs_dtype, self.ops)

    def moments(self, X, Y, rows, targets, weight, x_shift, y_shift):
        """Compute the moments of some runs but for `xx`."""
        arguments = X, Y, rows, targets, weight
        if not isinstance(X, PackedMasks):
            return super().moments(*arguments, x_shift, y_shift)
        return streams.moments(*arguments, y_shift, self.ops)

    def pair_sums(self, X, rows, weight, x_shift):
        """Sum the products of all pairs of columns."""
        if not isinstance(X, PackedMasks):
            return super().pair_sums(X, rows, weight, x_shift)
        return streams.pair_sums(X, rows, weight, self.ops)

    def held_out(self, X, dtype):
        """Return the columns of runs that judge: masks stay packed."""
        return X if isinstance(X, PackedMasks) else X.astype(dtype)

    def matrix(self, gram, d):
        """Put a covariance matrix (d padded, d padded) on the GPU."""
        return DeviceMatrix(self.ops, *put_gram(self.ops, gram[:d, :d]))


class DeviceMatrix:
    """A Gram matrix on the GPU; see :class:`skdatamodels.regression._gram_host.Matrix`.

    Parameters
    ----------
    ops : CudaOps
    gram, context
        As :func:`put_gram` returns them.
    """

    def __init__(self, ops, gram, context):
        self.ops, self.gram, self.context = ops, gram, context

    def solve(self, *problem):
        """Solve the paths of some targets."""
        return solve_on_device(self.gram, self.context, *problem)

    def errors(self, X, *others):
        """Sum squared errors on held-out runs."""
        if isinstance(X, PackedMasks):
            return streams.squared_errors_on_device(X, *others, self.ops)
        return squared_errors(X, *others)
