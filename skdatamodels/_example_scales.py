"""Columns of examples: names, and standard deviations, the units of differences."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from skdatamodels._frames import columns_of, is_frame


def column_names(X, given=None):
    """Return the names of the columns, or the names that scikit-learn makes up."""
    if given is not None:
        n_columns = len(X.columns) if is_frame(X) else np.prod(X.shape[1:], dtype=int)
        if len(given) != n_columns:
            raise ValueError(
                f"feature_names must have a name for each of {n_columns} columns, got "
                f"{len(given)}."
            )
        return list(given)
    if is_frame(X):
        return list(X.columns)
    return [f"x{j}" for j in range(X.shape[1])] if X.ndim == 2 else ["X"]


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
    if values.dtype.kind not in "iuf":
        return np.nan
    with np.errstate(over="ignore"):  # infinite
        return np.nanstd(values, axis=0, dtype=np.float64)
