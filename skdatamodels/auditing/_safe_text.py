"""Text of others, made safe for a terminal and for a spreadsheet."""

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_FORMULA = re.compile(r"[=+\-@\t\r]")


def visible(text):
    r"""Return a text in which characters that hide or reverse others are numbers.

    Parameters
    ----------
    text : str
        Any text. Its line breaks and tabs stay.

    Returns
    -------
    text : str

    Examples
    --------
    >>> from skdatamodels.auditing._safe_text import visible
    >>> visible("ab\u202ecd")
    'ab⟨U+202E⟩cd'
    """
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def for_spreadsheets(frame):
    """Return a frame whose texts a spreadsheet does not take for formulas.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any frame.

    Returns
    -------
    frame : pandas.DataFrame
        Texts that start with ``=``, ``+``, ``-`` or ``@`` have ``'`` before them, in
        cells, names of columns and index.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdatamodels.auditing._safe_text import for_spreadsheets
    >>> for_spreadsheets(pd.DataFrame({"name": ["=1+1", "x"], "n": [-1, 2]}))
        name  n
    0  '=1+1 -1
    1      x  2
    """
    safe = frame.copy()
    for k in range(safe.shape[1]):
        column = safe.iloc[:, k]
        if getattr(column.dtype, "kind", "O") == "O":  # no numbers, no dates
            safe.isetitem(k, column.astype(object).map(_no_formula))
    safe.columns = safe.columns.map(_no_formula)
    safe.index = safe.index.map(_no_formula)
    return safe


def _no_formula(value):
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value
