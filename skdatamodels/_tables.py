"""Short tables of results, in text and in HTML, from the same rows.

A result class has a method ``_table`` that returns a :class:`Table`, and in its body
``__repr__ = table_text`` and ``_repr_html_ = table_html``.
"""

from html import escape
from math import floor, isfinite, log10
from numbers import Real
from textwrap import fill
from typing import NamedTuple

MOST_ROWS = 10  # of a table
_MOST_CHARACTERS = 40  # of a cell
_WIDTH = 100  # of a note


class Table(NamedTuple):
    """What a result shows of itself.

    Attributes
    ----------
    title : str
    columns : dict of str to sequence
        By heading, one value a row: text, bool, int or float. Only as many as are shown
        need to be there, see `n_rows`.
    n_rows : int, default=None
        Rows of the whole result, if `columns` holds its first rows only.
    notes : tuple of str
        Lines below the table.
    """

    title: str
    columns: dict
    n_rows: int | None = None
    notes: tuple = ()


def table_text(result):
    """Print a result as a table: the `__repr__` of result classes."""
    table = result._table()
    columns = [[name, *cells] for name, cells in _cells(table).items()]
    widths = [max(map(len, column)) for column in columns]
    aligned = [
        [cell.rjust(width) if is_number else cell.ljust(width) for cell in column]
        for column, width, is_number in zip(
            columns, widths, map(_is_numeric, table.columns.values()), strict=True
        )
    ]
    rows = ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]
    notes = [fill(note, _WIDTH, break_on_hyphens=False) for note in table.notes]
    return "\n".join([table.title, *rows, *_more(table), *notes])


def table_html(result):
    """Show a result as a table in a notebook: the `_repr_html_` of result classes."""
    table = result._table()
    cells = _cells(table)
    heads = "".join(f"<th>{escape(name)}</th>" for name in cells)
    rows = [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in zip(*cells.values(), strict=True)
    ]
    notes = [f"<p>{escape(note)}</p>" for note in (*_more(table), *table.notes)]
    return "\n".join(
        [
            f"<table><caption>{escape(table.title)}</caption>",
            f"<thead><tr>{heads}</tr></thead>",
            "<tbody>",
            *rows,
            "</tbody></table>",
            *notes,
        ]
    )


def format_column(values):
    """Format the values of a column: numbers with as many decimals as say something.

    Parameters
    ----------
    values : sequence
        Text, bool, int or float.

    Returns
    -------
    cells : list of str
    """
    values = [value.item() if hasattr(value, "item") else value for value in values]
    if not _is_numeric(values):
        return [shorten(value) for value in values]
    known = [abs(value) for value in values if isfinite(value)]
    largest = max(known, default=0)
    if all(float(value).is_integer() for value in known) and largest < 1e9:
        return [f"{value:,.0f}" for value in values]
    if not 1e-4 <= largest < 1e9:
        return [f"{value:.3g}" for value in values]
    # Three digits of the largest, but all correlations and shares alike.
    decimals = 3 if 0.01 <= largest < 1 else max(0, 2 - floor(log10(largest)))
    return [f"{value:,.{decimals}f}" for value in values]


def shorten(value, most=_MOST_CHARACTERS):
    """Return a value as one line of text that is not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def import_pandas():
    """Import pandas for `to_frame`, or say how to install it."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas") from error
    return pandas


def _cells(table):
    return {
        name: format_column(values[:MOST_ROWS])
        for name, values in table.columns.items()
    }


def _more(table):
    n_given = max((len(values) for values in table.columns.values()), default=0)
    more = (n_given if table.n_rows is None else table.n_rows) - min(n_given, MOST_ROWS)
    return [f"… {more:,} more"] if more > 0 else []


def _is_numeric(values):
    return all(isinstance(v, Real) and not isinstance(v, bool) for v in values)
