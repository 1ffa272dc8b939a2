"""What a page shows besides the weights: facts on trust, and further tables."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from skdatamodels._example_scales import plain_values
from skdatamodels._frames import columns_of, is_frame, is_pandas
from skdatamodels._numbers import is_missing
from skdatamodels._tables import format_column
from skdatamodels.pages._columns import column

_INDEX = None  # name of the index of a data frame, which a column may not have
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


def overview_data(overview):
    """Return the findings of the first tab as pairs of text, and its paragraphs.

    Parameters
    ----------
    overview : dict of str to str, or None
        Findings by name; "message" has paragraphs, one a line.
    """
    if overview is None:
        return None
    facts = [
        [str(name), _fact(name, value)]
        for name, value in overview.items()
        if name != "message"
    ]
    return {"facts": facts, "paragraphs": str(overview.get("message", "")).splitlines()}


def section_data(name, table, train, targets, groups=None):
    """Return a further table of the page.

    Parameters
    ----------
    name : str
        Its title.
    table : data frame, dict of arrays, or result with ``to_frame``; or a tuple
        The table. Integers in columns named "example", "train" or "target" are links.
        In a tuple, a dict follows that says which columns contain ids of which part,
        and maybe a note. "index" is the index of a data frame of pandas.
    train, targets : Examples
        The examples that links lead to.
    groups : Groups, default=None
        Groups of training rows that links lead to.
    """
    table, links, note = _parts(name, table)
    index, columns = _columns_of(name, table)
    n_rows = len(next(iter(columns.values()), () if index is None else index))
    for heading, values in columns.items():
        if values.ndim != 1 or len(values) != n_rows:
            raise ValueError(
                f"The columns of section {name!r} must be 1-d and equally long; "
                f"{heading!r} has shape {values.shape}, not ({n_rows},)."
            )
    examples = {"train": train, "targets": targets}
    if links is None:
        links = {head: _LINKS[head] for head in _LINKS if _are_rows(columns, head)}
        for head, part in links.items():
            _check_rows(name, head, columns[head], len(examples[part]))
    else:
        if index is not None:
            columns = {_INDEX: index} | columns
            links = {_INDEX if head == "index" else head: links[head] for head in links}
        known = {part: rows.ids for part, rows in examples.items()}
        if groups is not None:
            known["groups"] = groups.labels
        for head, part in links.items():
            columns[head] = _rows_of_ids(name, head, columns, part, known)
    shown, index_name = [], "group" if links.get(_INDEX) == "groups" else "row"
    for head, values in columns.items():
        title = index_name if head is _INDEX else head
        data = column(title, values[:_MOST_ROWS], most_characters=_MOST_CHARACTERS)
        shown.append(data | {"link": links.get(head)})
    return {"title": str(name), "columns": shown, "total": n_rows, "note": note}


def _parts(name, table):
    """Return the table, its links or None, and a note."""
    if type(table) is not tuple:
        return table, None, ""
    if len(table) not in (2, 3):
        raise ValueError(
            f"Section {name!r} must be a table, (table, links) or (table, links, note);"
            f" got a tuple of {len(table)}."
        )
    return (*table, "")[:3]


def _columns_of(name, table):
    """Return the index of a data frame of pandas or None, and the columns by name."""
    if hasattr(table, "to_frame") and not is_frame(table):
        table = table.to_frame()
    if is_frame(table):
        index = table.index.to_numpy() if is_pandas(table) else None
        return index, {str(head): _values(part) for head, part in columns_of(table)}
    if isinstance(table, Mapping):
        return None, {str(head): np.asarray(values) for head, values in table.items()}
    raise TypeError(
        f"Section {name!r} must be a data frame, a dict of arrays, or a result that "
        f"has to_frame; got {type(table).__name__}."
    )


def _values(column):
    """Return a column as numbers, text or dates, which may be ids."""
    values = column.to_numpy()
    return values if values.dtype.kind == "M" else plain_values(column)


def _are_rows(columns, head):
    return head in columns and columns[head].dtype.kind in "iu"


def _check_rows(name, head, rows, n):
    if len(rows) and not (rows.min() >= -1 and rows.max() < n):
        raise ValueError(
            f"Column {head!r} of section {name!r} must be rows, integers from 0 to "
            f"{n - 1}, or -1 for none. Give it another name if its values are "
            "something else."
        )


def _rows_of_ids(name, head, columns, part, all_ids):
    """Return the rows of the ids in a column, -1 for what is missing."""
    shown = "index" if head is _INDEX else head
    if head not in columns or part not in all_ids:
        known = ["index" if head is _INDEX else head for head in columns]
        raise ValueError(
            f"Section {name!r} has no link from {shown!r} to {part!r}: links lead from "
            f"one of {known} to {' or '.join(map(repr, all_ids))}."
        )
    all_ids, ids = all_ids[part], columns[head]
    if ids.dtype.kind == all_ids.dtype.kind == "M":  # in the same unit
        ids = ids.astype(all_ids.dtype)
    places = {one: row for row, one in enumerate(_as_list(all_ids))}
    ids = [None if is_missing(one) else one for one in _as_list(ids)]
    lost = [one for one in ids if one is not None and one not in places]
    if lost:
        raise ValueError(
            f"Column {shown!r} of section {name!r} must be ids of {part}; these are "
            f"not: {lost[:5]}."
        )
    return np.array([places.get(one, -1) for one in ids], dtype=np.int64)


def _as_list(values):
    """Return values as a list; tolist would convert times to integers."""
    return list(values) if values.dtype.kind in "mM" else values.tolist()


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
