"""Rows that a person has ticked on a page, read back."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np

from skdatamodels._examples import check_examples

_COLUMNS = "fingerprint", "row", "id"


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
        for fingerprint, row in _ticked(path, len(train)):
            if fingerprint != train.fingerprint:
                raise ValueError(
                    f"{path} has rows of other data: its fingerprint is "
                    f"{fingerprint[:12]!r}, but that of this training set is "
                    f"{train.fingerprint[:12]!r}. Pass the training set that the page "
                    "was written for."
                )
            rows.add(row)
    return np.array(sorted(rows), dtype=np.int64)


def _ticked(path, n_train):
    """Yield (fingerprint, row) for each ticked row in a file."""
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".json":
            data = json.loads(text)
            found = data["fingerprint"]
            pairs = [(found, record["row"]) for record in data["rows"]]
        else:  # a quoted id may contain a line break
            records = csv.DictReader(io.StringIO(text, newline=""))
            pairs = [(r["fingerprint"], _digits(r["row"])) for r in records]
        for number, (found, row) in enumerate(pairs, start=1):
            if not isinstance(found, str):
                raise ValueError(f"the fingerprint is {found!r}")
            if type(row) is not int or not 0 <= row < n_train:
                if isinstance(found, str) and type(row) is int:  # other data
                    yield found, row
                raise ValueError(
                    f"row {number} is {row!r}, not an integer from 0 to {n_train - 1}"
                )
            yield found, row
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a file of ticked rows (CSV or JSON) as saved from the "
            f"page: {error}"
        ) from error


def _digits(text):
    """Return an integer written in plain digits; other text is returned as it is."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text or "") else text
