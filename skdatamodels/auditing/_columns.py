"""What the columns of a table hold, and tables that no model can use."""

import re
import warnings

import numpy as np

from skdatamodels._frames import columns_of, is_frame, time_zone
from skdatamodels._tables import import_pandas

MOST_CATEGORIES = 250  # of a column, for boosting
_LONG_TEXT = 4  # words of a typical cell
_NAME_OF_ROWS = re.compile(r"(^|[_ ])(id|key|uuid|index|rownames?)$", re.IGNORECASE)


def column_kinds(X):
    """Return what each column of a pandas frame holds.

    Parameters
    ----------
    X : pandas.DataFrame
        The table.

    Returns
    -------
    kinds : dict of str to {"number", "category", "text", "date"}
        By column name. A text has several words in most cells, and few gaps.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdatamodels.auditing._columns import column_kinds
    >>> column_kinds(pd.DataFrame({"age": [31, 40], "city": ["Rome", "Oslo"]}))
    {'age': 'number', 'city': 'category'}
    """
    return {name: _kind(column) for name, column in columns_of(X)}


def _kind(column):
    kind = getattr(column.dtype, "kind", "O")
    if kind in "mM":
        return "date"
    if kind in "iufb" and column.dtype != "category":
        return "number"
    known = column.dropna()
    words = known.astype(str).str.split().str.len()
    is_text = 2 * len(known) >= len(column) and words.median() >= _LONG_TEXT
    return "text" if is_text else "category"


def plain_columns(X, X_test=None):
    """Return pandas frames whose gaps are NaN, as scikit-learn's encoders need them.

    Nullable numbers become floats, as do booleans if either table has gaps in them, and
    nullable text becomes objects.

    Parameters
    ----------
    X : pandas.DataFrame
        The training table.
    X_test : pandas.DataFrame, default=None
        The test table.

    Returns
    -------
    X, X_test : pandas.DataFrame
        The same tables.
    """
    tables = [X] if X_test is None else [X, X_test]
    gappy = _booleans_with_gaps(*tables)
    tables = [_plain(table, gappy) for table in tables]
    return tables[0], None if X_test is None else tables[1]


def _plain(X, gappy):
    plain = {}
    for name, column in columns_of(X):
        kind = getattr(column.dtype, "kind", "O")
        nullable = kind in "iufb" and not isinstance(column.dtype, np.dtype)
        if nullable or (name in gappy and _held(column) != "text"):
            plain[name] = column.where(column.notna(), np.nan).astype("float64")
        elif str(column.dtype) == "string":
            plain[name] = column.astype(object).where(column.notna(), np.nan)
    return X.assign(**plain) if plain else X


def _booleans_with_gaps(*tables):
    """Return the names of columns of booleans that not all tables hold as bool."""
    of_tables = [dict(columns_of(table)) for table in tables]
    return {
        name
        for own in of_tables
        for name, column in own.items()
        if _holds_booleans(column)
        and any(other[name].dtype != bool for other in of_tables if name in other)
    }


def _holds_booleans(column):
    """Return whether a column of pandas holds True and False, perhaps with gaps."""
    if column.dtype != object:
        return getattr(column.dtype, "kind", "O") == "b"
    return import_pandas().api.types.infer_dtype(column, skipna=True) == "boolean"


def check_columns(X):
    """Refuse columns without a value; warn of columns that name each row.

    Parameters
    ----------
    X : data frame of pandas or polars, or anything else, which passes
        The training table.

    Raises
    ------
    ValueError
        If there are no columns, their names have several levels, or a column has no
        value in any row.

    Warns
    -----
    UserWarning
        If a column of text or whole numbers has another value in each row.
    """
    if not is_frame(X):
        return
    if getattr(X.columns, "nlevels", 1) > 1:
        raise ValueError(
            "X has several levels of column names. Join them to one: X.columns = "
            "['_'.join(name) for name in X.columns]."
        )
    if X.shape[1] == 0:
        raise ValueError("X has no columns.")
    empty = [name for name, column in columns_of(X) if _n_known(column) == 0]
    if empty:
        raise ValueError(
            f"Columns without any value: {listed(empty)}. Drop them from the table."
        )
    names = [name for name, column in columns_of(X) if _names_rows(name, column)]
    if names:
        warnings.warn(
            f"Columns with another value in each row: {listed(names)}. They look like "
            "names of the rows, which a model can only memorise. Drop them, or make "
            "one the index (--drop and --index of the command).",
            UserWarning,
            stacklevel=5,  # the caller of audit
        )


def check_same_columns(X, X_test):
    """Raise if two tables have different columns.

    Raises
    ------
    TypeError
        If only one of them is a data frame.
    ValueError
        If a column is missing or new, has numbers in one and text in the other, or
        times with a time zone in one and without in the other.
    """
    if is_frame(X) != is_frame(X_test):
        raise TypeError(
            f"X is a {type(X).__name__}, but X_test is a {type(X_test).__name__}. Pass "
            "both as data frames, or both as arrays."
        )
    if not is_frame(X):
        shapes = np.shape(X)[1:], np.shape(X_test)[1:]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"A row of X has shape {shapes[0]}, a row of X_test {shapes[1]}."
            )
        return
    names, test_names = list(X.columns), list(X_test.columns)
    missing = [name for name in names if name not in test_names]
    new = [name for name in test_names if name not in names]
    if missing or new:
        what = [f"X_test lacks {listed(missing)}"] if missing else []
        what += [f"X lacks {listed(new)}"] if new else []
        raise ValueError(
            f"The columns of X and X_test differ: {' and '.join(what)}. Give both the "
            "same columns."
        )
    others = dict(columns_of(X_test))
    for name, one in columns_of(X):
        other = others[name]
        held = [_held(column) for column in (one, other)]
        if None in held:
            continue
        if held[0] != held[1]:
            odd = one if held[0] == "text" else other
            raise ValueError(
                f"Column {name!r} holds {held[0]} in X, but {held[1]} in X_test, "
                f"such as {_first_text(odd)!r}. Give both the same type."
            )
        if held[0] == "dates" and (time_zone(one) is None) != (
            time_zone(other) is None
        ):
            which = ("X_test", "X") if time_zone(one) is None else ("X", "X_test")
            raise ValueError(
                f"Column {name!r} has times with a time zone in {which[0]}, but without"
                f" one in {which[1]}. Give both a time zone, or neither."
            )


def _held(column):
    """Return what a column, or its categories, hold; None if it is empty."""
    if _n_known(column) == 0:
        return None
    if hasattr(column.dtype, "is_numeric"):  # of polars
        is_number = column.dtype.is_numeric() or str(column.dtype) == "Boolean"
        is_date = column.dtype.is_temporal()
    else:
        of_categories = column.dtype == "category"
        dtype = column.cat.categories.dtype if of_categories else column.dtype
        kind = getattr(dtype, "kind", "O")
        is_number, is_date = kind in "iuf" or _holds_booleans(column), kind in "mM"
    return "numbers" if is_number else "dates" if is_date else "text"


def _first_text(column):
    """Return the first text of a column."""
    values = column.drop_nulls() if hasattr(column, "drop_nulls") else column.dropna()
    return next(str(value) for value in values.tolist())


def _n_known(column):
    if hasattr(column, "null_count"):  # of polars
        return len(column) - column.null_count()
    return int(column.notna().sum())


def _names_rows(name, column):
    kind = column.dtype
    if hasattr(kind, "is_integer"):  # of polars
        suspicious = kind.is_integer() or str(kind) in ("String", "Categorical")
        values = column.drop_nulls().to_list()
    else:
        suspicious = kind == "category" or getattr(kind, "kind", "O") in "iuOTUS"
        values = column.dropna().tolist() if suspicious else []
    if not suspicious or len(values) < len(column):
        return False
    if len(set(map(str, values))) < len(values):
        return False
    # measured whole numbers may differ by chance; those that count do not spread
    if isinstance(values[0], int):
        named = bool(_NAME_OF_ROWS.search(str(name)))
        return named or max(values) - min(values) < 2 * len(values)
    return not any(len(str(value).split()) >= _LONG_TEXT for value in values[:50])


def listed(names, most=5):
    more = len(names) - most
    text = ", ".join(map(repr, names[:most]))
    return f"{text} and {more} more" if more > 0 else text
