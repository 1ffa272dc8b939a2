"""Units of a computation, chosen so that squares neither overflow nor underflow."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skdatamodels._scaling import exponents
from skdatamodels.masks import PackedMasks

# Scaling copies real columns, so it is done only beyond 2 to the power of this.
_MODERATE = 32


class ScaledOutputs:
    """Outputs that are divided by a power of two for each target when they are read.

    Parameters
    ----------
    outputs : float array of shape (n_runs, n_targets)
        May be a memory map.
    exponents : int array of shape (n_targets,)
        Exponents of the powers of two.
    """

    def __init__(self, outputs, exponents):
        self._outputs, self._exponents = outputs, exponents
        self.shape = outputs.shape
        # float16 would lose digits of small outputs
        self.dtype = np.promote_types(outputs.dtype, np.float32)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        rows, targets = key if isinstance(key, tuple) else (key, slice(None))
        part = self._outputs[rows, targets].astype(self.dtype)
        return np.ldexp(part, -self._exponents[targets], out=part)

    def raw(self, rows):
        """Return unscaled outputs of some runs, and the exponents."""
        return self._outputs[rows], self._exponents

    def __sizeof__(self):  # dask sends objects that it takes for small with every task
        return object.__sizeof__(self) + self._outputs.nbytes


class Units(NamedTuple):
    """Exponents of two: one for all columns, and one for each target.

    With columns X = 2ᵇ·V and outputs y = 2ᵃ·z, the weights of y on X at 2ᵃ⁺ᵇ·lam are
    2ᵃ⁻ᵇ times the weights of z on V at lam.
    """

    columns: int
    targets: np.ndarray  # (n_targets,)

    @classmethod
    def of(cls, X, Y):
        """Choose units for masks or real columns and outputs (n_runs, n_targets)."""
        columns = 0
        if not isinstance(X, PackedMasks):
            largest = int(np.frexp(max(X.max(), -X.min()))[1])
            columns = largest if abs(largest) > _MODERATE else 0
        return cls(columns, exponents(Y))

    def scale(self, X, Y, lam, penalty):
        """Return columns, outputs and lam (or None) in these units."""
        if self.columns:
            X = np.ldexp(X, -self.columns)
        if lam is not None:
            with np.errstate(over="ignore"):
                lam = np.ldexp(lam, -self._of_lam(penalty))
            lam = np.minimum(lam, np.finfo(np.float64).max)
        return X, ScaledOutputs(Y, self.targets), lam

    def _of_lam(self, penalty):
        """Return the exponent of lam, which has other units in a ridge."""
        if penalty == "l2":
            return np.full_like(self.targets, 2 * self.columns)
        return self.targets + self.columns

    def restore_weights(self, weights):
        """Convert dense weights (n_targets, d) to the units of the data."""
        return np.ldexp(weights, (self.targets - self.columns)[:, None])

    def restore(self, fit, dtype, penalty):
        """Convert a fit to the units of the data.

        Parameters
        ----------
        fit : Fit
            Fit in these units; its weights are overwritten.
        dtype : dtype
            Type of the intercepts.
        penalty : {"l1", "l2"}
            Penalty of the fit.

        Raises
        ------
        ValueError
            If a weight or an intercept is too large for its type.
        """
        a, b = self.targets, self.columns
        with np.errstate(over="ignore"):
            restored = fit._replace(
                coef=_scale_rows(fit.coef, a - b),
                intercept=np.ldexp(fit.intercept, a).astype(dtype),
                lam=np.ldexp(fit.lam, self._of_lam(penalty)),
            )
            if fit.left_out_error is not None:
                of_ridge = ("left_out_error", "left_out_error_of_mean", "noise")
                restored = restored._replace(
                    **{name: np.ldexp(getattr(fit, name), 2 * a) for name in of_ridge}
                )
            if fit.lams is not None:
                restored = restored._replace(
                    lams=np.ldexp(fit.lams, (a + b)[:, None]),
                    error=np.ldexp(fit.error, 2 * a[:, None]),
                )
            if fit.coef_path is not None:
                n_lams = fit.coef_path.shape[0] // len(a)
                path = np.ldexp(fit.intercept_path, a[:, None])
                restored = restored._replace(
                    coef_path=_scale_rows(fit.coef_path, np.repeat(a - b, n_lams)),
                    intercept_path=path.astype(dtype),
                )
        for name in ("coef", "intercept", "coef_path", "intercept_path"):
            values = getattr(restored, name)
            values = values.data if sparse.issparse(values) else values
            if values is not None and np.isinf(values).any():
                raise ValueError(
                    f"Weights or intercepts are too large for {dtype}: divide the "
                    "outputs by a constant."
                )
        return restored


def _scale_rows(matrix, exponents):
    """Multiply the rows of a CSR matrix by powers of two, in place."""
    np.ldexp(matrix.data, np.repeat(exponents, np.diff(matrix.indptr)), out=matrix.data)
    return matrix
