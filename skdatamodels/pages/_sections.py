"""What a page shows besides the weights: facts on trust, and further tables."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from skdatamodels._frames import columns_of, is_frame
from skdatamodels._tables import format_column
from skdatamodels.pages._columns import column

_MOST_ROWS = 2000
_MOST_CHARACTERS = 200
_LINKS = {"example": "train", "train": "train", "target": "targets"}


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


def section_data(name, table, n_train, n_targets):
    """Return a further table of the page.

    Parameters
    ----------
    name : str
        Its title.
    table : data frame, dict of arrays, or result with ``to_frame``
        The table. Columns named "example", "train" or "target" are links.
    n_train, n_targets : int
        Numbers of examples that links can lead to.
    """
    columns = _columns_of(name, table)
    n_rows = len(columns[0][1]) if columns else 0
    for heading, values in columns:
        if values.ndim != 1 or len(values) != n_rows:
            raise ValueError(
                f"The columns of section {name!r} must be 1-d and equally long; "
                f"{heading!r} has shape {values.shape}, not ({n_rows},)."
            )
    shown = []
    for heading, values in columns:
        data = column(heading, values[:_MOST_ROWS], most_characters=_MOST_CHARACTERS)
        part = _LINKS.get(heading) if values.dtype.kind in "iu" else None
        limit = {"train": n_train, "targets": n_targets}.get(part, 0)
        if part and n_rows and not (values.min() >= -1 and values.max() < limit):
            raise ValueError(
                f"Column {heading!r} of section {name!r} must be rows, integers from 0 "
                f"to {limit - 1}, or -1 for none. Give it another name if its values "
                "are something else."
            )
        shown.append(data | {"link": part})
    return {"title": str(name), "columns": shown, "total": n_rows}


def _columns_of(name, table):
    if hasattr(table, "to_frame") and not is_frame(table):
        table = table.to_frame()
    if is_frame(table):
        return [(str(head), part.to_numpy()) for head, part in columns_of(table)]
    if isinstance(table, Mapping):
        return [(str(head), np.asarray(values)) for head, values in table.items()]
    raise TypeError(
        f"Section {name!r} must be a data frame, a dict of arrays, or a result that "
        f"has to_frame; got {type(table).__name__}."
    )


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
