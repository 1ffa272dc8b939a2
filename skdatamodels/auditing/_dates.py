"""Columns of text that are dates."""

import re

from skdatamodels._frames import columns_of
from skdatamodels._tables import import_pandas

_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"
_TIME = rf"[T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?{_ZONE}?"
_ISO = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}({_TIME})?")


def date_columns(table):
    """Return the columns of text whose values all are dates of ISO 8601.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.

    Returns
    -------
    names : list of str
        Such as one with ``2020-01-31`` or ``2020-01-31 07:00:00+01:00``, and gaps.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdatamodels.auditing._dates import date_columns
    >>> date_columns(pd.DataFrame({"born": ["1999-12-31", None], "id": ["7", "8-1"]}))
    ['born']
    """
    return [name for name, column in columns_of(table) if _are_dates(column)]


def parse_dates(path, table, names):
    """Return a table with dates in some columns.

    Parameters
    ----------
    path : path-like
        Where the table is from, for messages.
    table : pandas.DataFrame
        The table. It may lack some of the columns.
    names : list of str
        Columns, see :func:`date_columns`. Times with a time zone become those of UTC.

    Returns
    -------
    table : pandas.DataFrame
        The table with columns of dtype datetime64.

    Raises
    ------
    ValueError
        If a value is no date, or only some times of a column have a time zone.
    """
    found = {name: _parsed(path, table[name]) for name in names if name in table}
    return table.assign(**found)


def _are_dates(column):
    known = column.dropna()
    if len(known) == 0 or not _ISO.fullmatch(str(known.iloc[0])):
        return False
    return column.dtype.kind not in "mM" and len(_no_dates(known)) == 0


def _no_dates(known):
    """Return the values that are no dates."""
    pandas, texts = import_pandas(), known.astype(str)
    # what pandas takes for ISO 8601 has whole years as well
    parsed = pandas.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    return texts[parsed.isna() | ~texts.str.fullmatch(_ISO)]


def _parsed(path, column):
    known = column.dropna()
    wrong = _no_dates(known)
    if len(wrong):
        raise ValueError(
            f"Column {column.name!r} has dates in the training table, but {path} has "
            f"{wrong.iloc[0]!r}. Correct it, or leave it empty."
        )
    texts = known.astype(str)
    has_zone = texts.str.fullmatch(rf".*:.*{_ZONE}")
    if 0 < has_zone.sum() < len(texts):
        raise ValueError(
            f"Column {column.name!r} of {path} has times with a time zone, such as "
            f"{texts[has_zone].iloc[0]!r}, and others without, such as "
            f"{texts[~has_zone].iloc[0]!r}. Give all of them one, or none."
        )
    dates = import_pandas().to_datetime(column, format="ISO8601", utc=True)
    return dates if has_zone.any() else dates.dt.tz_localize(None)
