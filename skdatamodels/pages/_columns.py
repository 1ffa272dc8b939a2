"""Columns of examples and of tables, as the page reads them."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse

from skdatamodels._example_scales import plain_values
from skdatamodels._frames import columns_of, is_frame
from skdatamodels._numbers import is_missing
from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.pages._page import embed, embed_counts

_MOST_CLASSES = 50  # numbers of y with no more values than this are classes

_MOST_INTEGER = 2**53  # that float64 does not round


def column(name, values, *, most_characters, classes=False):
    """Return a column: numbers, or codes of its different texts.

    Parameters
    ----------
    name : str
        Name of the column.
    values : array of shape (n,)
        Its values.
    most_characters : int
        Longer text is cut.
    classes : bool, default=False
        Whether whole numbers are classes, if there are few different ones.

    Returns
    -------
    column : dict
        With ``"numbers"``, or ``"codes"`` and ``"names"``.
    """
    numbers = as_numbers(values)
    if numbers is not None and classes:
        whole = np.mod(numbers, 1) == 0
        if whole.all() and len(np.unique(numbers)) <= _MOST_CLASSES:
            numbers = None
    name = cut(str(name), most_characters)
    if numbers is not None:
        return {"name": name, "numbers": embed(_compact(numbers))}
    texts = [cut(text, most_characters) for text in as_texts(values)]
    names, codes = np.unique(np.array(texts, dtype=object), return_inverse=True)
    numeric = np.asarray(values).dtype.kind in "iu"
    if numeric:  # 10 after 9
        order = np.argsort([int(text) for text in names])
        names, codes = names[order], np.argsort(order)[codes]
    return {"name": name, "codes": embed_counts(codes), "names": names.tolist()}


def as_numbers(values):
    """Return values as float64 with NaN where missing, or None if they are no numbers.

    Integers that float64 would round are no numbers: they are rather names.

    Parameters
    ----------
    values : array of shape (n,)
        Of any type.
    """
    values = np.asarray(values)
    if values.dtype.kind in "iu":
        low, high = (int(bound(initial=0)) for bound in (values.min, values.max))
        return None if max(-low, high) > _MOST_INTEGER else values.astype(np.float64)
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    if values.dtype.kind != "O":
        return None
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        if isinstance(value, Real) and not isinstance(value, bool):
            if isinstance(value, Integral) and abs(value) > _MOST_INTEGER:
                return None
            found[row] = value
        elif not is_missing(value):
            return None
    return None if np.isnan(found).all() else found


def as_texts(values):
    """Return values as a list of str; missing values are empty, dates are readable."""
    values = np.asarray(values)
    if values.dtype.kind == "M":
        return np.datetime_as_string(values, unit="auto").tolist()
    return ["" if is_missing(value) else str(value) for value in values.tolist()]


def cut(text, most):
    """Return text that is not too long."""
    return text if len(text) <= most else text[: most - 1] + "…"


def table_columns(X, rows, chosen):
    """Yield the values of some columns of a table.

    Parameters
    ----------
    X : data frame, or array or CSR of shape (n, n_columns)
        The table.
    rows : int array
        Rows to read.
    chosen : int array
        Positions of the columns.
    """
    if is_frame(X):
        columns = [values for _, values in columns_of(X)]
        yield from (plain_values(columns[position])[rows] for position in chosen)
        return
    part = safe_indexing(X, rows)[:, chosen]
    part = part.toarray() if issparse(part) else np.asarray(part)
    yield from part.T


def _compact(numbers):
    """Return numbers in the smallest of the types that keep what is shown of them."""
    whole = len(numbers) and np.isfinite(numbers).all() and not (numbers % 1).any()
    if whole:
        for kind in (np.uint8, np.uint16, np.int32):
            limits = np.iinfo(kind)
            if limits.min <= numbers.min() and numbers.max() <= limits.max:
                return numbers.astype(kind)
    with np.errstate(over="ignore"):
        short = numbers.astype(np.float32)
    fits = np.allclose(short, numbers, rtol=1e-6, atol=0, equal_nan=True)
    return short if fits and not whole else numbers
