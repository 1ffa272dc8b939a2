"""Columns of examples: names, standard deviations, and differences of two cells."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from skdatamodels._frames import columns_of, is_frame
from skdatamodels._numbers import is_missing


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


def cell_differences(one, other, scale):
    """Return how far cells are apart, in standard deviations of their column.

    A column without a standard deviation has cells that are equal or not: their
    difference is 0 or 1. So is that of two cells of which one or both are missing.
    The pages' `Column.gap` in `examples.js` follows the same rule.

    Parameters
    ----------
    one, other : array
        Cells of one column as :func:`plain_values` gives them. Their shapes broadcast.
    scale : float
        Standard deviation of the column; not positive and finite if it has none.

    Returns
    -------
    gap : float64 array
        The differences.
    """
    if 0 < scale < np.inf:
        one, other = one.astype(np.float64), other.astype(np.float64)
        with np.errstate(invalid="ignore"):  # of two infinite numbers
            gap = np.where(one == other, 0, np.abs(one - other) / scale)
    elif one.dtype.kind in "biuf" and other.dtype.kind in "biuf":
        gap = one != other
    else:
        gap = one.astype(str) != other.astype(str)
    missing, other_missing = _missing(one), _missing(other)
    gap = np.where(missing | other_missing, missing != other_missing, gap)
    return gap.astype(np.float64)


def _missing(values):
    if values.dtype.kind == "f":
        return np.isnan(values)
    missing = np.zeros(values.shape, dtype=bool)
    if values.dtype.kind == "O":
        missing.flat = [is_missing(value) for value in values.ravel()]
    return missing


def _spread(values):
    if values.dtype.kind not in "iuf":
        return np.nan
    with np.errstate(over="ignore"):  # infinite
        return np.nanstd(values, axis=0, dtype=np.float64)
