"""Arrays that never change, so that what holds them can be shared."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from skdatamodels._numbers import unmasked


def frozen_array(values, name):
    """Return a read-only array: a copy, unless `values` cannot be written to."""
    values = unmasked(values, name)
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        array = np.asarray(values)
    else:
        try:
            array = np.array(values)
        except ValueError as error:
            raise ValueError(f"{name} cannot be made into an array: {error}") from error
    if array.ndim == 0:
        is_mapping = isinstance(values, Mapping)
        cure = ": pandas.DataFrame(…) makes rows of columns" if is_mapping else ""
        raise ValueError(
            f"{name} must have one entry a row, got a {type(values).__name__}{cure}."
        )
    if array.dtype.kind not in "biufmMSUTO":
        raise TypeError(f"{name} has dtype {array.dtype}, which no model learns from.")
    return array


def frozen_csr(X):
    """Return a sparse matrix as CSR, in canonical form, that nobody else can write."""
    if X.ndim != 2:
        raise ValueError(f"A sparse X must be 2-d, got shape {X.shape}.")
    csr = X.tocsr()
    parts = (csr.data, csr.indices, csr.indptr)
    if not csr.has_canonical_format or (
        csr is X and any(part.flags.writeable for part in parts)
    ):
        csr = csr.copy()
        csr.sum_duplicates()  # nobody can sort the entries in place later
    elif csr is X:  # another shell, for X.data can be rebound by its owner
        csr = type(X)(parts, shape=X.shape, copy=False)
    return csr


def read_only(values):
    """Make arrays, also of a sparse matrix or in a dict, read-only; return them."""
    if isinstance(values, np.ndarray):
        values.setflags(write=False)
    elif sp.issparse(values):
        for part in (values.data, values.indices, values.indptr):
            part.setflags(write=False)
    elif isinstance(values, dict):
        for part in values.values():
            read_only(part)
    return values
