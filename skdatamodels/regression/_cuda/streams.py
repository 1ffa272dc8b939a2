"""What is summed over the runs, on a GPU: moments, and squared errors on held-out runs.

Masks travel packed, one bit an entry, and are expanded by a kernel on the device, to
float16, which holds them exactly.
"""

import numpy as np

from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._cuda.products import Halves, product, split
from skdatamodels.regression._gram.moments import Moments

# Runs of a block are so many that its expanded masks and fitted values take this much.
_BLOCK_BYTES = 2**30


class DeviceMoments(Moments):
    """Moments whose `xy` (n_targets, d) and `xx` (d, d) are tensors on a device."""

    __slots__ = ()

    def covariances(self):
        """Return covariances (n_targets, d), on the host, and variances."""
        import torch

        n = self.n_runs
        means = (
            torch.as_tensor(mean, dtype=torch.float32, device=self.xy.device)
            for mean in (self.y_mean, self.x_mean)
        )
        cov = torch.addr(self.xy, *means, beta=1 / n, alpha=-1)
        y_var = self.yy / n - self.y_mean**2
        constant = y_var <= 1e-14 * self.yy / n
        cov[torch.from_numpy(constant).to(cov.device)] = 0
        fixed = (self.x_sum == 0) | (self.x_sum == n)
        cov[:, torch.from_numpy(fixed).to(cov.device)] = 0
        return cov.cpu().numpy(), np.where(constant, 0, y_var)

    def gram_dot(self, weights):
        """Multiply weights (n, d) with the covariance matrix of the columns."""
        import torch

        d = self.x_sum.size
        weights, product = np.asarray(weights, np.float64), np.empty((len(weights), d))
        on_device = torch.from_numpy(weights).to(self.xx.device)
        for columns in row_blocks(d, 8 * d):
            part = on_device @ self.xx[:, columns].double()
            product[:, columns] = part.cpu().numpy()
        product /= self.n_runs
        return product - np.outer(weights @ self.x_mean, self.x_mean)

    def into_gram(self):
        """Turn the counts into the covariance matrix of the columns, in their place."""
        import torch

        mean = torch.from_numpy(self.x_mean).to(self.xx.device)
        for rows in row_blocks(len(mean), 24 * len(mean)):
            gram = self.xx[rows].double() / self.n_runs
            self.xx[rows] = gram.addr_(mean[rows], mean, alpha=-1).float()
        return self.xx

    @staticmethod
    def _subtract(whole, part):
        import torch

        return torch.sub(whole, part, out=part)


def moments(X, Y, rows, targets, y_shift, ops):
    """Compute moments but for `xx`, as those of the CPU are.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    Y : ScaledOutputs of shape (n_runs, n_targets)
    rows, targets : int array
    y_shift : array of shape (len(targets),)
    ops : CudaOps

    Returns
    -------
    moments : DeviceMoments
    """
    import torch

    d, n = X.shape[1], len(targets)
    x_sum, xy, zero = ops.zeros(d), ops.zeros((n, d)), ops.zeros(d)
    sums = torch.zeros((2, n), dtype=torch.float64, device=ops.device)
    shift = ops.asarray(y_shift)
    for block in _blocks(len(rows), d + n):
        y = outputs_on_device(Y, rows[block], targets, ops) - shift
        sums[0] += y.sum(0)
        x = expand(X, rows[block], zero, ops)
        x_sum += x.sum(0, dtype=torch.float32)
        xy += product(split(y.float().T, by_row=True), Halves(x, None, None))
        sums[1] += y.square_().sum(0)
    y_sum, yy = ops.to_numpy(sums)
    x_sum = ops.to_numpy(x_sum).astype(np.float64)
    return DeviceMoments(len(rows), x_sum, y_sum, xy, yy, counted=True)


def pair_sums(X, rows, ops):
    """Count pairs of examples.

    Factors are 0 or 1 and sums whole numbers, below 2²⁴ as there are not so many runs,
    so nothing is rounded.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    rows : int array
    ops : CudaOps

    Returns
    -------
    xx : float32 tensor of shape (d, d)
    """
    d = X.shape[1]
    counts, zero = ops.zeros((d, d)), ops.zeros(d)
    for block in _blocks(len(rows), d):
        x = expand(X, rows[block], zero, ops)
        counts += product(Halves(x.T, None, None), Halves(x, None, None))
    return counts


def squared_errors(X, Y, coefs, x_mean, y_mean, ops):
    """Sum squared errors as :func:`skdatamodels.regression._selection.squared_errors`.

    Parameters
    ----------
    X : PackedMasks of shape (n_runs, d)
    Y : tensor of shape (n_runs, n_targets)
    coefs : float32 tensor of shape (n_targets, n_lams, d)
    x_mean : array of shape (d,)
    y_mean : array of shape (n_targets,)
        Where the model of no weights is, and at which masks.
    ops : CudaOps

    Returns
    -------
    sums : float64 array of shape (n_targets, n_lams, 2)
    """
    import torch

    n_targets, n_lams, d = coefs.shape
    centre = ops.zeros(d) + 0.5  # products of less size are rounded less
    flat = coefs.reshape(-1, d)
    shift = flat @ (ops.asarray(x_mean).float() - 0.5)
    shift = ops.asarray(y_mean)[:, None] - shift.double().reshape(n_targets, n_lams)
    flat = split(flat, by_row=True)
    sums = torch.zeros((2, n_targets, n_lams), dtype=torch.float64, device=ops.device)
    for block in _blocks(len(Y), d + 4 * n_targets * n_lams):
        x = expand(X, block, centre, ops)
        fitted = product(flat, Halves(x.T, None, None))
        rest = (Y[block].T[:, None].double() - shift[:, :, None]).float()
        square = rest.sub_(fitted.reshape(n_targets, n_lams, -1)).square_()
        square = torch.nan_to_num_(square, nan=0.0)
        sums[0] += square.sum(2, dtype=torch.float64)
        sums[1] += square.square_().sum(2, dtype=torch.float64)
    return np.moveaxis(ops.to_numpy(sums), 0, 2)


def outputs_on_device(Y, rows, targets, ops):
    """Return outputs of runs, sorted, for targets, as a float64 tensor."""
    import torch

    y, exponents = Y.raw(_as_slice(rows))
    y = torch.ldexp(ops.asarray(y).double(), -ops.asarray(exponents))
    if len(targets) == y.shape[1] and (np.diff(targets) == 1).all():
        return y
    return y[:, ops.asarray(targets)]


def expand(X, rows, centre, ops):
    """Return masks of runs less `centre` in float16, in a buffer that is used again."""
    bits = X.bits[_as_slice(rows) if isinstance(rows, np.ndarray) else rows]
    return ops.expand(np.asarray(bits), centre, dtype="float16")


def _as_slice(rows):
    """Return increasing rows as a slice, if they follow one another: then no copy."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(rows[0], rows[-1] + 1)
    return rows


def _blocks(n_rows, row_length):
    step = max(1, _BLOCK_BYTES // (4 * row_length))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]
