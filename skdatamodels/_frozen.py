"""Read-only arrays, so that the objects that contain them can be shared."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from skdatamodels._numbers import unmasked


def frozen_array(values, name):
    """Return an array that nobody else can write: a copy, unless it is read-only."""
    values = unmasked(values, name)
    if is_fixed(values):
        array = np.asarray(values)
    else:
        try:
            array = np.array(values)
        except ValueError as error:
            raise ValueError(
                f"{name} cannot be converted to an array: {error}"
            ) from error
    if array.ndim == 0:
        is_mapping = isinstance(values, Mapping)
        cure = ": convert it by pandas.DataFrame(…)" if is_mapping else ""
        raise ValueError(
            f"{name} must have one entry for each row, got a "
            f"{type(values).__name__}{cure}."
        )
    if array.dtype.kind not in "biufmMSUTO":
        raise TypeError(f"{name} has dtype {array.dtype}, which is not supported.")
    return array


def is_fixed(values):
    """Return whether values are an array that nobody can write, not even its base."""
    if not isinstance(values, np.ndarray):
        return False
    while isinstance(values, np.ndarray):
        if values.flags.writeable:
            return False
        values = values.base
    return True


def shell_of_csr(csr):
    """Return a new object of the same arrays: who rebinds its data changes no other."""
    parts = csr.data, csr.indices, csr.indptr
    return type(csr)(parts, shape=csr.shape, copy=False)


def frozen_csr(X):
    """Return a sparse matrix as canonical CSR that nobody else can write."""
    if X.ndim != 2:
        raise ValueError(f"A sparse X must be 2-d, got shape {X.shape}.")
    csr = X.tocsr()
    parts = (csr.data, csr.indices, csr.indptr)
    if not csr.has_canonical_format or (
        csr is X and any(part.flags.writeable for part in parts)
    ):
        csr = csr.copy()
        csr.sum_duplicates()  # the entries cannot be sorted in place later
    elif csr is X:  # a new object, because the owner of X can rebind X.data
        csr = shell_of_csr(csr)
    return csr


def read_only(values):
    """Make arrays read-only, also those of a sparse matrix or a dict; return them."""
    if isinstance(values, np.ndarray):
        values.setflags(write=False)
    elif sp.issparse(values):
        for part in (values.data, values.indices, values.indptr):
            part.setflags(write=False)
    elif isinstance(values, dict):
        for part in values.values():
            read_only(part)
    return values
