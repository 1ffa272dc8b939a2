"""Sums over the runs on a GPU: moments, and squared errors on held-out runs.

Masks are copied to the device packed, one bit for each entry. A kernel expands them to
float16, which is exact for 0 and 1.
"""

import numpy as np

from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._cuda.products import Halves, product, split
from skdatamodels.regression._gram.moments import Moments, weight_of

# Size of the expanded masks and fitted values of one block of runs.
_BLOCK_BYTES = 2**30


class DeviceMoments(Moments):
    """Moments whose `xy` (n_targets, d) and `xx` (d, d) are tensors on a device."""

    __slots__ = ()

    def covariances(self):
        """Return covariances (n_targets, d) and variances, both on the host."""
        import torch

        total = self.weight
        means = (
            torch.as_tensor(mean, dtype=torch.float32, device=self.xy.device)
            for mean in (self.y_mean, self.x_mean)
        )
        cov = torch.addr(self.xy, *means, beta=1 / total, alpha=-1)
        y_var = self.yy / total - self.y_mean**2
        constant = y_var <= 1e-14 * self.yy / total
        cov[torch.from_numpy(constant).to(cov.device)] = 0
        cov[:, torch.from_numpy(self.constant).to(cov.device)] = 0
        return cov.cpu().numpy(), np.where(constant, 0, y_var)

    def gram_dot(self, weights):
        """Multiply weights (n, d) by the covariance matrix of the columns."""
        import torch

        d = self.x_sum.size
        weights, product = np.asarray(weights, np.float64), np.empty((len(weights), d))
        on_device = torch.from_numpy(weights).to(self.xx.device)
        for columns in row_blocks(d, 8 * d):
            part = on_device @ self.xx[:, columns].double()
            product[:, columns] = part.cpu().numpy()
        product /= self.weight
        return product - np.outer(weights @ self.x_mean, self.x_mean)

    def into_gram(self):
        """Convert the counts, in place, to the covariance matrix of the columns."""
        import torch

        mean = torch.from_numpy(self.x_mean).to(self.xx.device)
        for rows in row_blocks(len(mean), 24 * len(mean)):
            gram = self.xx[rows].double() / self.weight
            self.xx[rows] = gram.addr_(mean[rows], mean, alpha=-1).float()
        constant = torch.from_numpy(self.constant).to(self.xx.device)
        self.xx[constant] = 0  # not exactly 0 if weights are not integers
        self.xx[:, constant] = 0
        return self.xx

    @staticmethod
    def _subtract(whole, part):
        import torch

        return torch.sub(whole, part, out=part)


def moments(X, Y, rows, targets, weight, y_shift, ops):
    """Compute moments without `xx`, like `moments` of the gram solver on the CPU.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
        Masks.
    Y : ScaledOutputs of shape (n_runs, n_targets)
        Outputs.
    rows, targets : int array
        Runs and targets to use.
    weight : float64 array of shape (n_runs,) or None
        Weight of each run, positive; None: all 1.
    y_shift : array of shape (len(targets),)
        Subtracted from the outputs.
    ops : CudaOps
        Operations on the device.

    Returns
    -------
    moments : DeviceMoments
        Moments with ``xx=None``.
    """
    import torch

    d, n = X.shape[1], len(targets)
    counts, x_sum, zero = ops.zeros(d), ops.zeros((1, d)), ops.zeros(d)
    xy, shift = ops.zeros((n, d)), ops.asarray(y_shift)
    sums = torch.zeros((2, n), dtype=torch.float64, device=ops.device)
    for block in _blocks(len(rows), d + n):
        x = expand(X, rows[block], zero, ops)
        counts += x.sum(0, dtype=torch.float32)
        y = outputs_on_device(Y, rows[block], targets, ops) - shift
        weighted = y
        if weight is not None:
            w = ops.asarray(weight[rows[block]])
            weighted = w[:, None] * y
            x_sum += product(split(w.float()[None], by_row=True), _exact(x))
        xy += product(split(weighted.float().T, by_row=True), _exact(x))
        sums[0] += weighted.sum(0)
        sums[1] += (weighted * y).sum(0)
    y_sum, yy = ops.to_numpy(sums)
    counts = ops.to_numpy(counts).astype(np.int64)
    total, x_sum = float(weight_of(weight, rows).sum()), ops.to_numpy(x_sum[0])
    x_sum = (counts if weight is None else x_sum).astype(np.float64)
    return DeviceMoments(len(rows), total, x_sum, y_sum, xy, yy, counts)


def pair_sums(X, rows, weight, ops):
    """Count, for each pair of examples, the runs that saw both, or sum their weights.

    Without weights, factors are 0 or 1 and sums are integers below 2²⁴, the limit of
    the number of runs, so nothing is rounded.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
        Masks.
    rows : int array
        Runs to use.
    weight : float64 array of shape (n_runs,) or None
        Weight of each run, positive; None: all 1.
    ops : CudaOps
        Operations on the device.

    Returns
    -------
    xx : float32 tensor of shape (d, d)
        Counts, or sums of weights.
    """
    d = X.shape[1]
    sums, zero = ops.zeros((d, d)), ops.zeros(d)
    for block in _blocks(len(rows), d):
        x = expand(X, rows[block], zero, ops)
        left = _exact(x.T)
        if weight is not None:
            w = ops.asarray(weight[rows[block]], np.float32)
            left = split(w * x.T, by_row=True)
        sums += product(left, _exact(x))
    return sums


def squared_errors(X, Y, sample_weight, coefs, x_mean, y_mean, ops):
    """Sum squared errors like `skdatamodels.regression._selection.squared_errors`.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
        Masks of held-out runs.
    Y : tensor of shape (n_runs, n_targets)
        Outputs of held-out runs.
    sample_weight : float64 array of shape (n_runs,) or None
        Weight of each run; None: all 1.
    coefs : float32 tensor of shape (n_targets, n_lams, d)
        Weights along the paths.
    x_mean : array of shape (d,)
        Mean of each column.
    y_mean : array of shape (n_targets,)
        Mean of each output. The means determine the intercepts.
    ops : CudaOps
        Operations on the device.

    Returns
    -------
    sums : float64 array of shape (n_targets, n_lams, 2)
        Sums of the second and the fourth powers of the residuals.
    """
    import torch

    n_targets, n_lams, d = coefs.shape
    centre = ops.zeros(d) + 0.5  # smaller products have smaller rounding errors
    flat = coefs.reshape(-1, d)
    shift = flat @ (ops.asarray(x_mean).float() - 0.5)
    shift = ops.asarray(y_mean)[:, None] - shift.double().reshape(n_targets, n_lams)
    flat = split(flat, by_row=True)
    weight = ops.asarray(weight_of(sample_weight, np.arange(len(Y))))
    sums = torch.zeros((2, n_targets, n_lams), dtype=torch.float64, device=ops.device)
    for block in _blocks(len(Y), d + 4 * n_targets * n_lams):
        fitted = product(flat, _exact(expand(X, block, centre, ops).T))
        rest = (Y[block].T[:, None].double() - shift[:, :, None]).float()
        square = rest.sub_(fitted.reshape(n_targets, n_lams, -1)).square_()
        square = torch.nan_to_num_(square, nan=0.0)
        sums[0] += square.double() @ weight[block]
        sums[1] += square.square_().double() @ weight[block]
    return np.moveaxis(ops.to_numpy(sums), 0, 2)


def _exact(x):
    """Return masks, which are exact in float16, as halves."""
    return Halves(x, None, None)


def outputs_on_device(Y, rows, targets, ops):
    """Return the outputs of some runs (sorted) and targets as a float64 tensor."""
    import torch

    y, exponents = Y.raw(_as_slice(rows))
    y = torch.ldexp(ops.asarray(y).double(), -ops.asarray(exponents))
    if len(targets) == y.shape[1] and (np.diff(targets) == 1).all():
        return y
    return y[:, ops.asarray(targets)]


def expand(X, rows, centre, ops):
    """Return masks of some runs minus `centre` in float16, in a reused buffer."""
    bits = X.bits[_as_slice(rows) if isinstance(rows, np.ndarray) else rows]
    return ops.expand(np.asarray(bits), centre, dtype="float16")


def _as_slice(rows):
    """Return increasing rows as a slice if they are consecutive, to avoid a copy."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(rows[0], rows[-1] + 1)
    return rows


def _blocks(n_rows, row_length):
    step = max(1, _BLOCK_BYTES // (4 * row_length))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]
