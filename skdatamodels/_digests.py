"""Digests of arrays, sparse matrices and data frames, by their content."""

import numpy as np
import scipy.sparse as sp

from skdatamodels._content import Content
from skdatamodels._frames import columns_of, is_frame, is_pandas

_BLOCK = 1 << 22  # entries that are read at once, so that a memmap stays on disk


def blocks(array):
    """Yield parts of an array that are small enough to read at once."""
    step = max(1, _BLOCK * len(array) // max(1, array.size))
    return (array[start : start + step] for start in range(0, len(array), step))


def update_digest(digest, values):
    """Update `digest` with `values`; different content gives different bytes.

    Parameters
    ----------
    digest : hashlib object
        It is changed in place.
    values : ndarray, CSR matrix or data frame
        The content.
    """
    if sp.issparse(values):
        digest.update(f"csr {values.shape}".encode())
        for part in (values.data, values.indices, values.indptr):
            update_digest(
                digest, part if part is values.data else part.astype(np.int64)
            )
    elif is_frame(values):
        kind = "frame" if is_pandas(values) else "polars"
        digest.update(f"{kind} {values.shape}".encode())
        for name, column in columns_of(values):
            _digest_column(digest, name, column)
    elif values.dtype.kind in "OUT":  # the same text may be stored in different ways
        digest.update(f"objects {values.shape}".encode())
        for value in values.ravel().tolist():
            _digest_object(digest, value)
    else:
        digest.update(f"array {values.dtype.str} {values.shape}".encode())
        for block in blocks(values):
            digest.update(np.ascontiguousarray(block).tobytes())


def _digest_column(digest, name, column):
    _digest_object(digest, name)
    digest.update(f"dtype {column.dtype}".encode())
    if not hasattr(column, "iloc"):  # of polars
        if column.null_count():  # to_numpy would convert integers to rounded floats
            update_digest(digest, np.array(column.to_list(), dtype=object))
        else:
            update_digest(digest, column.to_numpy())
    elif column.dtype == "category":
        update_digest(digest, column.cat.categories.to_numpy())
        digest.update(f"ordered {column.cat.ordered}".encode())
        update_digest(digest, column.cat.codes.to_numpy())
    else:
        update_digest(digest, column.to_numpy())


def _digest_object(digest, value):
    if isinstance(value, str):
        tag, content = "str", value.encode(errors="surrogatepass")
    elif value is None or isinstance(value, bool | int | float | np.generic):
        value = value.item() if isinstance(value, np.generic) else value
        tag, content = type(value).__name__, repr(value).encode()
    else:
        tag, content = "object", Content().digest(value).encode()
    digest.update(f"{tag} {len(content)} ".encode())
    digest.update(content)
