"""Rows that a person has ticked on a page, read back."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np

from skdatamodels._examples import check_examples

_COLUMNS = "fingerprint", "row", "id"
_UNREADABLE = KeyError, TypeError, ValueError, IndexError, RecursionError, csv.Error


def read_selection(paths, train):
    """Read the training rows that people ticked on an explorer page.

    Parameters
    ----------
    paths : path-like, or list of path-like
        Files that were saved from the page, ``.csv`` or ``.json``.
    train : Examples
        The training set that the page was written for.

    Returns
    -------
    rows : int64 array of shape (n_ticked,)
        Rows of the training set in increasing order, each once.

    Raises
    ------
    ValueError
        If a file was not saved from the page, or its rows are of other data.

    See Also
    --------
    write_explorer : Write the page.

    Examples
    --------
    >>> import json
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> from skdatamodels.pages import read_selection
    >>> train = Examples(np.eye(4), [0, 1, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "rows.json")
    ...     saved = {"fingerprint": train.fingerprint, "rows": [{"row": 2, "id": "2"}]}
    ...     _ = path.write_text(json.dumps(saved))
    ...     rows = read_selection(path, train)
    >>> kept = np.setdiff1d(np.arange(len(train)), rows)
    >>> train[kept]
    Examples(3 rows, X: (3, 4) float64, y: int64)
    """
    check_examples(train, "train")
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    rows = set()
    for path in map(Path, paths):
        rows.update(_ticked(path, train))
    return np.array(sorted(rows), dtype=np.int64)


def _ticked(path, train):
    """Return the rows that are ticked in a file."""
    try:
        text = path.read_text("utf-8-sig")
        is_json = path.suffix.lower() == ".json"
        fingerprints, rows = _read_json(text) if is_json else _read_csv(text)
        if not all(isinstance(found, str) for found in fingerprints):
            raise ValueError("a fingerprint is no text")
    except _UNREADABLE as error:
        raise ValueError(f"{_refusal(path)}: {error}") from error
    for found in fingerprints:
        if found != train.fingerprint:
            raise ValueError(
                f"{path} has rows of other data: its fingerprint is {found[:12]!r}, "
                f"but that of this training set is {train.fingerprint[:12]!r}. Pass "
                "the training set that the page was written for."
            )
    for number, row in enumerate(rows, start=1):
        if type(row) is not int or not 0 <= row < len(train):
            raise ValueError(
                f"{_refusal(path)}: row {number} is {row!r}, not an integer from 0 to "
                f"{len(train) - 1}"
            )
    return rows


def _refusal(path):
    return f"{path} is not a file of ticked rows (CSV or JSON) as saved from the page"


def _read_json(text):
    """Return the fingerprint in a list, and the rows."""
    data = json.loads(text)
    if not isinstance(data["rows"], list):
        raise ValueError("its rows are no list")
    return [data["fingerprint"]], [record["row"] for record in data["rows"]]


def _read_csv(text):
    """Return the fingerprint and the row of each line."""
    # a quoted id may contain a line break
    lines = csv.reader(io.StringIO(text, newline=""))
    header = next(lines, [])
    if any(header.count(name) != 1 for name in _COLUMNS):
        raise ValueError(
            f"its first line must name the columns {', '.join(_COLUMNS)}, each once"
        )
    pairs = [
        (line[header.index("fingerprint")], _digits(line[header.index("row")]))
        for line in lines
        if line
    ]
    return [found for found, _ in pairs], [row for _, row in pairs]


def _digits(text):
    """Return an integer written in plain digits; other text is returned as it is."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text or "") else text
