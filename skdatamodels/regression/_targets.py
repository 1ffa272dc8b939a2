"""Targets of a solver that works on masks and on outputs that may contain NaN."""

from typing import NamedTuple

import numpy as np

from skdatamodels._numbers import check_sample_weight
from skdatamodels._scaling import exponents, scaled
from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._checks import check_path


class Targets(NamedTuple):
    """Standardised outputs, so that a float16 table works in any unit."""

    z: np.ndarray  # (n_runs, n_targets), mean 0 and variance 1, NaN where not usable
    weight: np.ndarray  # (n_runs,), of mean 1
    size: np.ndarray  # (n_targets,), exponents: mean and scale are in units of 2**size
    mean: np.ndarray  # (n_targets,)
    scale: np.ndarray  # (n_targets,), standard deviation; 0 for a constant target
    total: np.ndarray  # (n_targets,), weight of the usable runs

    @classmethod
    def make(cls, y, weight):
        """Standardise outputs (n_runs, n_targets), NaN where not usable.

        `weight` (n_runs,) is the weight of each run; None: all 1.
        """
        weight = np.ones(len(y)) if weight is None else weight / weight.mean()
        blocks = list(row_blocks(len(y), 8 * y.shape[1]))
        total = sum(weight[rows] @ ~np.isnan(y[rows]) for rows in blocks)
        if (total == 0).any():
            raise ValueError(
                f"Target {total.argmin()} has no usable run: all its outputs are NaN."
            )
        size = exponents(y)

        def average(power, shift):
            terms = (
                weight[rows, None] * (scaled(y[rows], size) - shift) ** power
                for rows in blocks
            )
            return sum(np.nansum(term, axis=0) for term in terms) / total

        mean = average(1, 0)
        variance = average(2, mean)
        # For a constant target, the variance is only the rounding error of the mean.
        scale = np.sqrt(np.where(variance > 1e-24 * mean**2, variance, 0))
        z = np.empty(y.shape, np.float32 if y.dtype.itemsize <= 4 else np.float64)
        for rows in blocks:
            z[rows] = (scaled(y[rows], size) - mean) / np.where(scale > 0, scale, 1)
        return cls(z, weight, size, mean, scale, total)

    def standardised(self, weights, some):
        """Convert weights (n_targets, d) for the outputs of some targets to z."""
        return scaled(weights[some], self.size[some, None]) / self.scale[some, None]


class Paths(NamedTuple):
    """Solutions, to be filled in, and how to convert them to units of the output."""

    coefs: np.ndarray  # (n_targets, n_lams, d)
    intercepts: np.ndarray  # (n_targets, n_lams)
    gaps: np.ndarray  # (n_targets, n_lams)
    n_epochs: np.ndarray  # (n_targets, n_lams)
    lams: np.ndarray  # (n_targets, n_lams), in units of the standardised output
    mean: np.ndarray  # (n_targets,), of the output; like `scale` in units of `size`
    scale: np.ndarray  # (n_targets,), of the output
    size: np.ndarray  # (n_targets,), exponents of 2

    @classmethod
    def make(cls, targets, lams, d):
        """Start from the solution for a constant target, or constant masks."""
        intercepts = np.repeat(targets.mean[:, None], lams.shape[1], axis=1)
        return cls(
            np.zeros((*lams.shape, d), targets.z.dtype),
            intercepts.astype(targets.z.dtype),
            np.zeros(lams.shape),
            np.zeros(lams.shape, np.int64),
            scaled(lams, targets.size[:, None])
            / np.where(targets.scale > 0, targets.scale, 1)[:, None],
            targets.mean,
            targets.scale,
            targets.size,
        )

    def restored(self):
        """Return the solutions, with weights and intercepts in units of the output."""
        for a in (self.coefs, self.intercepts):
            np.ldexp(a.T, self.size, out=a.T)
        return self.coefs, self.intercepts, self.gaps, self.n_epochs


def check_arrays(masks, y, sample_weight, lams, penalty, w0):
    """Check masks, outputs, weights of runs, and the inputs of a path.

    Runs of weight 0 are dropped.

    Returns
    -------
    masks : PackedMasks
    y : float array of shape (n_runs, n_targets)
    sample_weight : float64 array of shape (n_runs,) or None
    lams : float64 array of shape (n_targets, n_lams)
    penalty : array of shape (1, d) or (n_targets, d)
    w0 : array of shape (n_targets, d) or None
    """
    y = y if isinstance(y, np.ndarray) else np.asarray(y)
    y = y if y.dtype.kind == "f" else y.astype(np.float64)
    if y.ndim != 2 or len(y) != len(masks):
        raise ValueError(
            f"y must be ({len(masks)}, n_targets) for these masks, got {y.shape}."
        )
    n = y.shape[1]
    if any(np.isinf(y[rows]).any() for rows in row_blocks(len(y), 8 * n)):
        raise ValueError("y contains infinity; use NaN for outputs to ignore.")
    path = check_path(n, masks.n_train, lams, penalty, w0)
    weight = check_sample_weight(sample_weight, len(y))
    if not weight.all():
        rows = np.flatnonzero(weight)
        masks, y, weight = masks[rows], y[rows], weight[rows]
    return masks, y, None if (weight == 1).all() else weight, *path
