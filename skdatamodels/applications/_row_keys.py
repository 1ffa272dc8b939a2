"""Find rows of two tables with the same content."""

from hashlib import blake2b

import numpy as np
import scipy.sparse as sp

from skdatamodels._example_scales import plain_values
from skdatamodels._frames import columns_of, is_frame
from skdatamodels._numbers import is_missing


def equal_rows(X, other):
    """Return for each row of X the first row of another table that equals it, or -1.

    Parameters
    ----------
    X, other : ndarray, CSR matrix or data frame of shape (n, ...)
        Inputs, as `Examples` keep them. Missing values are equal. So are numbers of
        other types, and in frames values whose text is the same.

    Returns
    -------
    rows : int array of shape (len(X),)
    """
    X, other = _of_one_dtype(X, other)
    first = {}
    for position, key in enumerate(_keys(other)):
        first.setdefault(key, position)
    return np.array([first.get(key, -1) for key in _keys(X)], dtype=np.intp)


def _of_one_dtype(X, other):
    """Return arrays of numbers as one dtype, in which equal numbers have equal bytes.

    Of two floats it is the shorter, for a number that was rounded is a copy.
    """
    arrays = [isinstance(part, np.ndarray) for part in (X, other)]
    kinds = {part.dtype.kind for part in (X, other)} if all(arrays) else {"O"}
    if not kinds <= set("biuf") or X.dtype == other.dtype:
        return X, other
    dtype = np.result_type(X, other)
    if kinds == {"f"}:
        dtype = min(X.dtype, other.dtype, key=lambda dtype: dtype.itemsize)
    return X.astype(dtype), other.astype(dtype)


def _keys(X):
    """Return an object for each row that is equal for equal rows."""
    if is_frame(X):
        columns = [_cells(column) for _, column in columns_of(X)]
        return list(zip(*columns, strict=True))
    if sp.issparse(X):
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
        bounds = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        return [
            (tuple(X.indices[a:b].tolist()), tuple(map(_cell, X.data[a:b].tolist())))
            for a, b in bounds
        ]
    rows = np.asarray(X).reshape(len(X), -1)
    if rows.dtype.hasobject:
        return [tuple(map(_cell, row)) for row in rows.tolist()]
    return list(map(_digest, rows))


def _digest(row):
    """Return 16 bytes, for rows may be large and many."""
    if row.dtype.kind == "f":
        row = np.where(np.isnan(row), np.nan, row) + 0.0  # one NaN, and no -0
    return blake2b(row.tobytes(), digest_size=16).digest()


def _cells(column):
    """Return cells as floats or text, and None where there is none."""
    values = plain_values(column)
    kind = float if values.dtype.kind in "biuf" else str
    return [None if is_missing(cell) else kind(cell) for cell in values.tolist()]


def _cell(value):
    return None if is_missing(value) else value
