"""CudaOps: the elementwise operations of the solvers, one kernel for each step."""

import numpy as np

from skdatamodels.regression._cuda.kernels import CudaLauncher

# Columns of a row for each thread: many if the thread writes a partial result, else
# few.
_REDUCED_PER_THREAD = 64
_MAPPED_PER_THREAD = 4


class CudaOps:
    """Operations that a solver needs from a device, on torch tensors.

    Unless stated otherwise, arrays are contiguous float32 tensors on the device. All
    methods are asynchronous; they run in order with other operations of torch.

    Parameters
    ----------
    device : str or torch.device, default="cuda"
        Device to compute on.
    launcher : CudaLauncher, optional
        Object that launches the kernels. Default ``CudaLauncher(device)``.
    product_dtype : {"float32", "float16", "bfloat16"}, default="float32"
        Type of the result of :meth:`expand`, for products in lower precision.
    block : int, default=64
        Number of threads in a block.

    Raises
    ------
    ImportError, ValueError, RuntimeError
        If the device is not available, see
        :func:`skdatamodels.regression._cuda.check_cuda`.
    """

    def __init__(
        self, device="cuda", *, launcher=None, product_dtype="float32", block=64
    ):
        self.launcher = launcher or CudaLauncher(device)
        import torch  # the launcher has checked that it is installed

        self.device = getattr(self.launcher, "device", torch.device(device))
        self.dtype = np.dtype("float32")
        self.block = block
        self.product_dtype = product_dtype
        self._buffer = self._empty(0, 0, dtype=product_dtype)

    def asarray(self, a, dtype=None):
        """Copy an array to the device if needed, optionally in another dtype."""
        import torch

        if not isinstance(a, torch.Tensor):
            a = np.ascontiguousarray(a)
            # torch warns if an array is read-only, as memory maps are
            a = torch.from_numpy(a) if a.flags.writeable else torch.tensor(a)
        dtype = a.dtype if dtype is None else getattr(torch, np.dtype(dtype).name)
        return a.to(self.device, dtype)

    def to_numpy(self, a):
        """Copy a tensor to the host."""
        return a.cpu().numpy()

    def zeros(self, shape):
        """Make an array of zeros."""
        import torch

        return torch.zeros(shape, dtype=torch.float32, device=self.device)

    def expand(self, bits_rows, centre, scale=1.0, dtype=None):
        """Turn packed rows into ``(bit - centre)·scale``.

        Parameters
        ----------
        bits_rows : uint8 array of shape (b, ceil(d / 8)), on the device or the host
            Rows packed as by :func:`numpy.packbits`.
        centre : array of shape (d,)
            Subtracted from each row.
        scale : float, default=1
            Factor of each entry.
        dtype : {"float32", "float16", "bfloat16"}, optional
            Type of the result. Default `product_dtype`.

        Returns
        -------
        x : array of shape (b, d), in `dtype`
            The result, in a buffer that the next call overwrites.
        """
        b, d, dtype = len(bits_rows), len(centre), dtype or self.product_dtype
        buffer = self._buffer
        same = buffer.shape[1] == d and str(buffer.dtype) == f"torch.{dtype}"
        if buffer.shape[0] < b or not same:
            self._buffer = self._empty(b, d, dtype=dtype)
        out = self._buffer[:b]
        bits_rows = self.asarray(bits_rows).contiguous()
        self._require((b, -(-d // 8)), bits_rows, dtype="uint8")
        self._require((d,), centre)
        args = bits_rows, centre, float(scale), out, d
        self._map(f"expand_{dtype}", b, d, *args)
        return out

    def update_residuals(self, fitted, y, intercept, table_rows, delta):
        """Write new residuals to the table and their changes to `delta`.

        ``r = y - fitted - intercept``, 0 where y is NaN, rounded to the dtype of the
        table; ``delta = r - table_rows``; ``table_rows = r``.

        Parameters
        ----------
        fitted, y : arrays of shape (b, n)
            Products of masks and weights, and outputs.
        intercept : array of shape (n,)
            Intercept of each target.
        table_rows : array of shape (b, n), float16 or float32
            Old residuals; overwritten by the new ones.
        delta : array of shape (b, n)
            Overwritten by the changes.
        """
        b, n = delta.shape
        dtype = str(table_rows.dtype).removeprefix("torch.")
        self._require((b, n), fitted, y, delta)
        self._require((b, n), table_rows, dtype=dtype)
        self._require((n,), intercept)
        args = fitted, y, intercept, table_rows, delta, n
        self._map(f"update_residuals_{dtype}", b, n, *args)

    def proximal_step(
        self,
        w,
        average,
        gradient,
        batch_scale,
        table_scale,
        step,
        lam,
        penalty,
        change,
    ):
        """Move the weights along the estimated gradient and soft-threshold them.

        In place: ``direction = average + batch_scale·gradient``; ``average +=
        table_scale·gradient``; ``w = soft(w + step·direction, step·lam·penalty)``, 0
        where the penalty is inf.

        Parameters
        ----------
        w, average, gradient : arrays of shape (n, d)
            Weights, average gradient and gradient of the batch. Gradients point
            downhill: they are correlations with residuals.
        batch_scale, table_scale, step, lam : arrays of shape (n,)
            Factors for each target, see above.
        penalty : array of shape (1, d) or (n, d)
            Factors of the penalty of each weight.
        change : array of shape (n,)
            Overwritten by the largest change of a weight of each target; inf if a
            weight is not finite.
        """
        n, d = w.shape
        vectors = batch_scale, table_scale, step, lam
        self._require((n, d), w, average, gradient)
        self._require((n,), *vectors, change)
        partial = self._partial(n, d)
        args = w, average, gradient, *vectors, *self._penalty(penalty, n, d)
        self._reduce("proximal_step", n, d, *args, partial, d)
        change.copy_(partial.amax(dim=1))

    def dual_terms(self, correlation, w, penalty):
        """Compute the terms of the duality gap of each target.

        Parameters
        ----------
        correlation, w : arrays of shape (n, d)
            Correlations of the columns with residuals, and weights.
        penalty : array of shape (1, d) or (n, d)
            Factors of the penalty of each weight.

        Returns
        -------
        terms : float64 numpy array of shape (3, n)
            ``max(abs(correlation) / penalty)``, ``sum(correlation * w)`` and
            ``sum(penalty * abs(w))``; a weight of 0 adds 0 even if its penalty is inf.
        """
        n, d = w.shape
        self._require((n, d), correlation, w)
        sums, excess = self._partial(2, n, d, dtype="float64"), self._partial(n, d)
        args = correlation, w, *self._penalty(penalty, n, d)
        self._reduce("dual_terms", n, d, *args, sums, excess, d)
        return np.vstack([self.to_numpy(excess.amax(1)), self.to_numpy(sums.sum(2))])

    def fista_step(
        self,
        z,
        product,
        cov,
        w,
        w_next,
        w_product,
        momentum,
        next_momentum,
        step,
        lam,
        penalty,
    ):
        """Take a step of FISTA, and compute the sums for the duality gap at `w`.

        Given ``z = w + momentum·(w - previous w)`` and ``product = z·gram``, update in
        place: ``w_product``, from ``gram`` times the previous w to ``gram`` times `w`;
        ``w_next = soft(z + step·(cov - product), step·lam·penalty)``; ``z = w_next +
        next_momentum·(w_next - w)``.

        Parameters
        ----------
        z, product, cov, w, w_next, w_product : arrays of shape (n, d)
            Extrapolated weights, their product, covariances, weights, new weights, and
            product of the weights.
        momentum, next_momentum, lam : arrays of shape (n,)
            Factors for each target, see above.
        step : float
            Length of the step.
        penalty : array of shape (1, d) or (n, d)
            Factors of the penalty of each weight.

        Returns
        -------
        sums : float64 array of shape (4, n)
            With ``q = cov - w_product``: ``cov·w``, ``q·w``, the penalty of `w`, and
            ``(z - w_next)·(w_next - w)``, positive where the momentum overshoots.
        excess : array of shape (n,)
            Largest ``abs(q) / (lam·penalty)``, at least 1; inf if a q is NaN.
        """
        n, d = w.shape
        self._require((n, d), z, product, cov, w, w_next, w_product)
        self._require((n,), momentum, next_momentum, lam)
        sums, excess = self._partial(4, n, d, dtype="float64"), self._partial(n, d)
        self._reduce(
            "fista_step",
            n,
            d,
            *(z, product, cov, w, w_next, w_product, momentum, next_momentum),
            *(float(step), lam, *self._penalty(penalty, n, d), sums, excess, d),
        )
        return sums.sum(dim=2), excess.amax(dim=1)

    def _map(self, name, rows, columns, *args):
        self._launch(name, rows, self._slices(columns, _MAPPED_PER_THREAD), args)

    def _reduce(self, name, rows, columns, *args):
        self._launch(name, rows, self._slices(columns, _REDUCED_PER_THREAD), args)

    def _launch(self, name, rows, slices, args):
        if rows and slices:  # launching an empty grid is an error
            self.launcher.launch(name, (rows, slices), self.block, *args)

    def _slices(self, columns, per_thread):
        """Return how many blocks share a row."""
        return -(-columns // (self.block * per_thread))

    def _partial(self, *shape, dtype="float32"):
        """Return an array for one partial result of each thread instead of columns."""
        *rows, columns = shape
        n_threads = self.block * self._slices(columns, _REDUCED_PER_THREAD)
        return self._empty(*rows, n_threads, dtype=dtype)

    def _penalty(self, penalty, n, d):
        """Return the penalty and the stride of its rows, 0 if there is only one."""
        self._require((1 if len(penalty) == 1 else n, d), penalty)
        return penalty, 0 if len(penalty) == 1 else d

    def _empty(self, *shape, dtype="float32"):
        import torch

        return torch.empty(shape, dtype=getattr(torch, dtype), device=self.device)

    def _require(self, shape, *tensors, dtype="float32"):
        """Raise if a kernel, which gets only addresses, would misread a tensor."""
        for tensor in tensors:
            if (
                tensor.shape != shape
                or str(tensor.dtype) != f"torch.{dtype}"
                or tensor.device != self.device
                or not tensor.is_contiguous()
            ):
                raise ValueError(
                    f"Expected a contiguous {dtype} tensor of shape {shape} on "
                    f"{self.device}, got {tensor.dtype} of shape {tuple(tensor.shape)} "
                    f"on {tensor.device}, strides {tensor.stride()}."
                )
