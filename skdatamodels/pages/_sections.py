"""What a page shows besides the weights: facts on trust, and further tables."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from skdatamodels._example_scales import plain_values
from skdatamodels._frames import columns_of, is_frame, is_pandas
from skdatamodels._tables import format_column
from skdatamodels.pages._columns import column

_MOST_ROWS = 2000
_MOST_CHARACTERS = 200
_LINKS = {
    "example": "train",
    "examples": "train",
    "train": "train",
    "target": "targets",
}


def trust_data(trust):
    """Return facts as pairs of text, and a message.

    Parameters
    ----------
    trust : dict of str to str, number or (value, low, high), or None
        Facts by name.
    """
    facts, message = [], None
    for name, value in (trust or {}).items():
        if name == "message":
            message = str(value)
        else:
            facts.append([str(name), _fact(name, value)])
    return {"facts": facts, "message": message}


def section_data(name, table, train, targets):
    """Return a further table of the page.

    Parameters
    ----------
    name : str
        Its title.
    table : data frame, dict of arrays, or result with ``to_frame``; or a pair
        The table. Integers in columns named "example", "train" or "target" are links;
        in a pair, a dict says which columns contain ids of which part.
    train, targets : Examples
        The examples that links lead to.
    """
    table, links = table if type(table) is tuple else (table, None)
    columns = _columns_of(name, table)
    n_rows = len(next(iter(columns.values()))) if columns else 0
    for heading, values in columns.items():
        if values.ndim != 1 or len(values) != n_rows:
            raise ValueError(
                f"The columns of section {name!r} must be 1-d and equally long; "
                f"{heading!r} has shape {values.shape}, not ({n_rows},)."
            )
    examples = {"train": train, "targets": targets}
    if links is None:
        columns.pop("index", None)
        links = {head: _LINKS[head] for head in _LINKS if _are_rows(columns, head)}
        for head, part in links.items():
            _check_rows(name, head, columns[head], len(examples[part]))
    else:
        for head, part in links.items():
            columns[head] = _rows_of_ids(name, head, columns, part, examples)
    shown = []
    for head, values in columns.items():
        title = "row" if head == "index" else head
        data = column(title, values[:_MOST_ROWS], most_characters=_MOST_CHARACTERS)
        shown.append(data | {"link": links.get(head)})
    return {"title": str(name), "columns": shown, "total": n_rows}


def _columns_of(name, table):
    """Return the columns by name; the index of a data frame of pandas is "index"."""
    if hasattr(table, "to_frame") and not is_frame(table):
        table = table.to_frame()
    if is_frame(table):
        index = {"index": table.index.to_numpy()} if is_pandas(table) else {}
        return index | {
            str(head): plain_values(part) for head, part in columns_of(table)
        }
    if isinstance(table, Mapping):
        return {str(head): np.asarray(values) for head, values in table.items()}
    raise TypeError(
        f"Section {name!r} must be a data frame, a dict of arrays, or a result that "
        f"has to_frame; got {type(table).__name__}."
    )


def _are_rows(columns, head):
    return head in columns and columns[head].dtype.kind in "iu"


def _check_rows(name, head, rows, n):
    if len(rows) and not (rows.min() >= -1 and rows.max() < n):
        raise ValueError(
            f"Column {head!r} of section {name!r} must be rows, integers from 0 to "
            f"{n - 1}, or -1 for none. Give it another name if its values are "
            "something else."
        )


def _rows_of_ids(name, head, columns, part, examples):
    """Return the rows of the ids in a column, -1 for what is missing."""
    if head not in columns or part not in examples:
        raise ValueError(
            f"Section {name!r} has no link from {head!r} to {part!r}: links lead from "
            f"one of {[*columns]} to 'train' or 'targets'."
        )
    places = {one: row for row, one in enumerate(examples[part].ids.tolist())}
    ids = columns[head].tolist()
    lost = [one for one in ids if one not in places and one == one and one is not None]
    if lost:
        raise ValueError(
            f"Column {head!r} of section {name!r} must be ids of {part}; these are "
            f"not: {lost[:5]}."
        )
    return np.array([places.get(one, -1) for one in ids], dtype=np.int64)


def _fact(name, value):
    """Return a fact as text; three numbers are a value and its interval."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return format_column([value])[0]
    if isinstance(value, tuple | list | np.ndarray):
        if len(value) != 3 or not all(isinstance(part, Real) for part in value):
            raise ValueError(
                f"trust[{name!r}] must be text, a number or (value, low, high); got "
                f"{value!r}."
            )
        middle, low, high = format_column([float(part) for part in value])
        return f"{middle} ({low} to {high})"
    return str(value)
