"""Targets of a solver that takes masks and outputs as they are, with their NaN."""

from typing import NamedTuple

import numpy as np

from skdatamodels._scaling import exponents, scaled
from skdatamodels.masks._packed import row_blocks


class Targets(NamedTuple):
    """Outputs standardised, so that a table of float16 suits any unit."""

    z: np.ndarray  # (n_runs, n_targets), mean 0 and variance 1, NaN where not usable
    size: np.ndarray  # (n_targets,), exponents of 2 that the rest is in units of
    mean: np.ndarray  # (n_targets,)
    scale: np.ndarray  # (n_targets,), standard deviation; 0 for a constant target
    n_usable: np.ndarray  # (n_targets,)

    @classmethod
    def make(cls, y):
        """Standardise outputs (n_runs, n_targets), NaN where not usable."""
        blocks = list(row_blocks(len(y), 8 * y.shape[1]))
        n_usable = sum((~np.isnan(y[rows])).sum(axis=0) for rows in blocks)
        if (n_usable == 0).any():
            raise ValueError(f"Target {n_usable.argmin()} has no usable run: all NaN.")
        size = exponents(y)

        def average(power, shift):
            terms = (scaled(y[rows], size) - shift for rows in blocks)
            return sum(np.nansum(term**power, axis=0) for term in terms) / n_usable

        mean = average(1, 0)
        variance = average(2, mean)
        # What rounding the mean leaves of a constant is no variance.
        scale = np.sqrt(np.where(variance > 1e-24 * mean**2, variance, 0))
        z = np.empty(y.shape, np.float32 if y.dtype.itemsize <= 4 else np.float64)
        for rows in blocks:
            z[rows] = (scaled(y[rows], size) - mean) / np.where(scale > 0, scale, 1)
        return cls(z, size, mean, scale, n_usable)

    def standardised(self, weights, some):
        """Return the weights (n_targets, d) of some targets, as weights for z."""
        return scaled(weights[some], self.size[some, None]) / self.scale[some, None]


class Paths(NamedTuple):
    """What is found, to be filled in, and what leads from it back to the outputs."""

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
        """Start from what is right for a constant target, or constant masks."""
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
        """Return what is found, weights and intercepts in units of the output."""
        for a in (self.coefs, self.intercepts):
            np.ldexp(a.T, self.size, out=a.T)
        return self.coefs, self.intercepts, self.gaps, self.n_epochs


def check_arrays(masks, y, lams, penalty, w0):
    """Check masks, outputs, grids of lam, penalty factors, and where to start.

    Returns
    -------
    y : float array of shape (n_runs, n_targets)
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
    n, d = y.shape[1], masks.n_train
    lams = np.atleast_2d(np.asarray(lams, np.float64))
    lams = np.repeat(lams, n, axis=0) if len(lams) == 1 else lams
    penalty = np.atleast_2d(np.ones(d) if penalty is None else penalty)
    w0 = w0 if w0 is None else np.asarray(w0)
    if lams.ndim != 2 or len(lams) != n or (w0 is not None and w0.shape != (n, d)):
        raise ValueError(
            f"For {n} targets and d={d}, lams must be ({n}, n_lams) or (n_lams,), "
            f"coef_init ({n}, {d}); got {lams.shape}, {np.shape(w0)}."
        )
    if penalty.shape not in ((1, d), (n, d)) or not (penalty > 0).all():
        raise ValueError(
            f"penalty_factors must be positive, of shape ({d},) or ({n}, {d}); got "
            f"shape {penalty.shape}, minimum {penalty.min()}."
        )
    if any(np.isinf(y[rows]).any() for rows in row_blocks(len(y), 8 * n)):
        raise ValueError("y holds infinity; NaN stands for an output not to be used.")
    for name, array in {"lams": lams, "coef_init": w0}.items():
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity.")
    if (lams < 0).any() or (np.diff(lams) > 0).any():
        raise ValueError("lams must not be negative, and not increase along a path.")
    return y, lams, penalty, w0
