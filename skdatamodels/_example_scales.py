"""Standard deviations of the columns of examples: the units of their differences."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from skdatamodels._frames import columns_of, is_frame


def scales_of(X):
    """Return the standard deviation of each column, NaN if it has no numbers."""
    if issparse(X):
        return np.sqrt(mean_variance_axis(X.astype(np.float64), axis=0)[1])
    if is_frame(X):
        return [float(_spread(plain_values(column))) for _, column in columns_of(X)]
    X = np.asarray(X)
    return np.broadcast_to(_spread(X), X.shape[1:]).ravel() if X.ndim == 2 else [np.nan]


def plain_values(column):
    """Return a column, or an array, as numbers or text; NaN for missing numbers."""
    if hasattr(column, "iloc") and getattr(column.dtype, "kind", "O") in "iuf":
        na_value = {"na_value": np.nan} if column.isna().any() else {}
        values = column.to_numpy(**na_value)
        return values.astype(np.float64) if na_value else values
    values = column.to_numpy() if hasattr(column, "to_numpy") else column
    if values.dtype.kind != "M":
        return values
    return np.datetime_as_string(values, unit="auto")  # NumPy shows nanoseconds


def _spread(values):
    is_number = values.dtype.kind in "iuf"
    return np.nanstd(values, axis=0, dtype=np.float64) if is_number else np.nan
