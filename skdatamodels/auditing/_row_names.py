"""Rows that users name by their index."""

from collections.abc import Hashable
from numbers import Integral

import numpy as np

from skdatamodels._examples import describe_kind
from skdatamodels._frames import is_pandas


def position_of(row, index):
    """Return the position of a judged row.

    Parameters
    ----------
    row : object
        Its name.
    index : pandas.Index
        Names of all judged rows.

    Raises
    ------
    TypeError
        If this is no name.
    KeyError
        If no row has this name.
    """
    try:
        at = index.get_loc(row) if row in index else None
    except TypeError:  # lists, slices and frames cannot be names
        at = slice(None)
    if at is None:
        names = ", ".join(map(repr, index[:5].tolist()))
        raise KeyError(f"There is no judged row {row!r}; the first are {names}.")
    if not isinstance(at, Integral):
        raise TypeError(
            f"row must be the name of one judged row, got {_described(row)}. For "
            "several, call explain for each."
        )
    return at


def positions_of(rows, index):
    """Return the positions of some training rows.

    Parameters
    ----------
    rows : sequence, or pandas.DataFrame
        Their names, or a frame that has them as index.
    index : pandas.Index
        Names of all training rows.

    Raises
    ------
    TypeError
        If these are no names.
    KeyError
        If no row has one of the names.
    """
    names = rows.index if is_pandas(rows) else rows
    if isinstance(names, str) or not np.iterable(names):
        what = f" For a single row, pass [{names!r}]." if np.isscalar(names) else ""
        raise TypeError(
            "rows must be a sequence of names of training rows, or a frame with them "
            f"as index, got {_described(names)}.{what}"
        )
    names = list(names)
    if names and all(isinstance(name, bool | np.bool_) for name in names):
        raise TypeError("rows must be names of training rows, not a mask of them.")
    odd = [name for name in names if not isinstance(name, Hashable)]
    if odd:
        raise TypeError(
            f"rows must be names of training rows; one is a {describe_kind(odd[0])}."
        )
    at = index.get_indexer(names)
    if (at < 0).any():
        raise KeyError(f"There is no training row {names[np.argmax(at < 0)]!r}.")
    return at


def _described(value):
    return repr(value) if np.isscalar(value) else describe_kind(value)
