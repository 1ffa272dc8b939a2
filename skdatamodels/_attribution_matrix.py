"""AttributionMatrix: an attribution matrix that is a parameter shared by clones."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skdatamodels._frozen import frozen_csr, is_fixed, read_only, shell_of_csr
from skdatamodels._numbers import refuse_disguised

__all__ = ["AttributionMatrix"]


class AttributionMatrix:
    """Immutable attribution matrix, which clones of an estimator share.

    :func:`sklearn.base.clone` copies an array that is a parameter of an estimator, once
    for every candidate of a search and every fold. An `AttributionMatrix` never
    changes, so clones share it.

    Parameters
    ----------
    weights : array-like or sparse matrix of shape (n_targets, n_train)
        Positive where the presence of the training example raises the output. Sparse
        weights are stored as CSR. A writeable array, or a view of one, is copied once.
        A read-only array or memory map is not copied, so its owner must not change it.
        Types other than float32 are converted to float64.

    Attributes
    ----------
    weights : array or CSR of shape (n_targets, n_train), read-only
        The matrix.
    shape : tuple (n_targets, n_train)
        Shape of the matrix.

    Raises
    ------
    ValueError, TypeError
        If weights are not 2-d, or not finite real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import clone
    >>> from skdatamodels import DatamodelRegressor
    >>> from skdatamodels.regression import AttributionMatrix
    >>> prior = AttributionMatrix(np.eye(2, 5))
    >>> prior
    AttributionMatrix(n_targets=2, n_train=5, float64)
    >>> clone(DatamodelRegressor(prior=prior)).prior is prior
    True
    """

    __iter__ = None  # rows can be indexed, but not iterated over
    __slots__ = ("_weights",)

    def __init__(self, weights):
        copy = not (is_fixed(weights) or sp.issparse(weights))
        checked = _checked(weights, "weights", copy=copy)
        checked = frozen_csr(checked) if sp.issparse(checked) else checked
        object.__setattr__(self, "_weights", read_only(checked))

    @property
    def weights(self):
        """The matrix, read-only."""
        weights = self._weights
        return shell_of_csr(weights) if sp.issparse(weights) else weights

    @property
    def shape(self):
        """Tuple (n_targets, n_train)."""
        return self._weights.shape

    @classmethod
    def weights_of(cls, value, name):
        """Return the weights of an AttributionMatrix, an array or a sparse matrix.

        Parameters
        ----------
        value : AttributionMatrix, array-like or sparse matrix
            Attribution matrix; it is checked unless it is an `AttributionMatrix`.
        name : str
            Name of the matrix in error messages.

        Returns
        -------
        weights : float array or CSR of shape (n_targets, n_train)
            The checked weights.
        """
        return value.weights if isinstance(value, cls) else _checked(value, name)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, targets):
        """Return the rows of some targets: a slice, an int array or a bool array."""
        return AttributionMatrix(read_only(self._weights[targets]))

    def __array__(self, dtype=None, copy=None):
        weights = self._weights
        if sp.issparse(weights):
            if copy is False:
                raise ValueError(
                    "Sparse weights cannot be converted to an array without a copy."
                )
            return weights.toarray().astype(dtype or weights.dtype, copy=False)
        if copy or (dtype is not None and dtype != weights.dtype):
            return weights.astype(dtype or weights.dtype)
        return weights

    def __setattr__(self, name, value):
        raise AttributeError(f"AttributionMatrix is immutable: cannot set {name!r}.")

    def __delattr__(self, name):
        raise AttributeError(f"AttributionMatrix is immutable: cannot delete {name!r}.")

    def __reduce__(self):
        return AttributionMatrix, (self._weights,)

    def __sklearn_clone__(self):
        return self

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        n_targets, n_train = self.shape
        form = "CSR " if sp.issparse(self._weights) else ""
        return (
            f"AttributionMatrix(n_targets={n_targets}, n_train={n_train}, "
            f"{form}{self._weights.dtype})"
        )


def _checked(weights, name, copy=False):
    refuse_disguised(weights, f"weights of {name}" if name != "weights" else name)
    return check_array(
        weights,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        copy=copy,
        input_name=name,
    )
