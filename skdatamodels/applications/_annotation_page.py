"""HTML page on which people annotate which candidates are the same as a target."""

import base64
import csv
import hashlib
import html
import io
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from scipy.sparse import issparse

from skdatamodels._examples import check_examples, swap_hint
from skdatamodels._files import write_atomically
from skdatamodels._frames import is_frame
from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.applications._annotation_template import TEMPLATE
from skdatamodels.metrics._leakage_recall import check_candidates

_COLUMNS = "fingerprint", "annotator", "target", "train", "same"


def write_annotation_page(
    path, candidates, train, targets, *, image_shape=None, rows=None, title=None
):
    """Write an HTML page on which people annotate candidates, target by target.

    The page is a single file that needs no server and sends no data, so it can be sent
    by e-mail. The browser keeps the answers, and two buttons save them as CSV or JSON.
    :func:`read_annotations` reads these files.

    Parameters
    ----------
    path : path-like
        File to write. An existing file is replaced when the page is complete.
    candidates : int array-like of shape (n_targets, n_candidates)
        Training examples to compare with each target, padded with -1.
    train, targets : Examples
        The training set and the targets. They are shown as images if `X` has more than
        two dimensions or `image_shape` is given, as tables if `X` is a data frame or a
        numeric array with two dimensions, and else as text.
    image_shape : tuple of int, default=None
        Shape (height, width) or (height, width, channels) of images that are stored as
        rows of pixels.
    rows : int array-like, default=None
        Targets to show, in this order. None shows all.
    title : str, default=None
        Question at the top of the page. None uses a default question.

    Raises
    ------
    ValueError
        If lengths differ, `candidates` are not training examples, `rows` are not
        targets, there is no candidate to annotate, or the pixels do not match
        `image_shape`.

    Notes
    -----
    Pixels are scaled to the range of values in the training set and the targets.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.2.2 and appendix H.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdatamodels import Examples
    >>> from skdatamodels.applications import write_annotation_page
    >>> train = Examples(["a cat", "a dog"], [0, 1])
    >>> targets = Examples(["the cat"], [0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "page.html")
    ...     write_annotation_page(path, [[0]], train, targets)
    ...     "the cat" in path.read_text("utf-8")
    True
    """
    candidates = _check_candidates(candidates, train, targets)
    rows = _check_rows(rows, len(targets))
    tasks = [
        {"target": int(j), "candidates": candidates[j][candidates[j] >= 0].tolist()}
        for j in rows
    ]
    tasks = [task for task in tasks if task["candidates"]]
    if not tasks:
        raise ValueError("No target has a candidate, so there is nothing to annotate.")
    show_train, show_targets = _renderers(train, targets, image_shape)
    used = sorted({i for task in tasks for i in task["candidates"]})
    data = {
        "fingerprint": data_fingerprint(train, targets),
        "tasks": tasks,
        "targets": {t["target"]: show_targets(t["target"]) for t in tasks},
        "train": {i: show_train(i) for i in used},
    }
    title = title or "Which of these show the same as the target?"
    # "<" in the data could end the script element
    page = TEMPLATE.replace("{{title}}", html.escape(title))
    page = page.replace("{{data}}", json.dumps(data).replace("<", "\\u003c"))
    write_atomically(path, page)


def read_annotations(paths, candidates, train, targets):
    """Read the answers of people: for each pair, the fraction that said "same".

    Parameters
    ----------
    paths : path-like, or list of path-like
        Files that were saved from the page, ``.csv`` or ``.json``, from any number of
        people.
    candidates : int array-like of shape (n_targets, n_candidates)
        The pairs to report. Answers on other pairs are ignored.
    train, targets : Examples
        The examples that the page was written for.

    Returns
    -------
    share : float64 array of shape (n_targets, n_candidates)
        Fraction of people who answered "same", from 0 to 1. NaN if nobody answered. The
        same answer of the same person in two files counts once.

    Raises
    ------
    ValueError
        If a file was not saved from the page, its answers are about other data or about
        rows that do not exist, or a person gave both answers to the same pair.
    """
    candidates = _check_candidates(candidates, train, targets)
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    fingerprint, answers = data_fingerprint(train, targets), {}
    for path in map(Path, paths):
        for found, person, target, i, same in _answers(path, len(targets), len(train)):
            if found != fingerprint:
                swapped = found == data_fingerprint(targets, train)
                hint = swap_hint((0, 1), (1, 0)) if swapped else ""
                raise ValueError(
                    f"{path} has answers for other data: its fingerprint is "
                    f"{found[:12]!r}, but that of this training set and these targets "
                    f"is {fingerprint[:12]!r}.{hint}"
                )
            key = person, target, i
            if answers.setdefault(key, same) != same:
                raise ValueError(
                    f"{person!r} answered both same and not same for target {target} "
                    f"and training example {i}. The second answer is in {path}."
                )
    votes = {}
    for (_, target, i), same in answers.items():
        votes.setdefault((target, i), []).append(same)
    share = np.full(candidates.shape, np.nan)
    for (target, column), i in np.ndenumerate(candidates):
        if (target, int(i)) in votes:
            share[target, column] = np.mean(votes[target, int(i)])
    return share


def data_fingerprint(train, targets):
    """Return the hexadecimal fingerprint of a training set and its targets."""
    both = f"{train.fingerprint} {targets.fingerprint}".encode()
    return hashlib.sha256(both).hexdigest()


def _check_candidates(candidates, train, targets):
    check_examples(train, "train")
    check_examples(targets, "targets")
    return check_candidates(candidates, len(train), len(targets))


def _check_rows(rows, n_targets):
    """Return the targets to show; all if `rows` is None."""
    rows = np.arange(n_targets) if rows is None else np.asarray(rows)
    whole = rows.ndim == 1 and (rows.dtype.kind in "iu" or rows.size == 0)
    if not whole or not np.isin(rows, range(n_targets)).all():
        raise ValueError(
            f"rows must be targets, integers from 0 to {n_targets - 1}; got "
            f"{rows.dtype} of shape {rows.shape}: {rows.ravel()[:5].tolist()}."
        )
    if len(np.unique(rows)) < len(rows):
        raise ValueError(f"rows has a target twice: {rows.tolist()}.")
    return rows


def _answers(path, n_targets, n_train):
    """Yield (fingerprint, annotator, target, train, same) for each answer in a file."""
    is_json = path.suffix.lower() == ".json"
    try:
        text = path.read_text("utf-8-sig")
        if is_json:
            data = json.loads(text)
            common = {key: data[key] for key in ("fingerprint", "annotator")}
            records = [common | answer for answer in data["answers"]]
        else:  # a quoted name may contain a line break
            records = list(csv.DictReader(io.StringIO(text, newline="")))
        for number, record in enumerate(records, start=1):
            found, person, *answer = (record[column] for column in _COLUMNS)
            if len(record) > len(_COLUMNS) or not all(
                isinstance(name, str) for name in (found, person)
            ):
                raise ValueError(f"answer {number} is {record}")
            limits = n_targets, n_train, 2
            for name, value, limit in zip(_COLUMNS[2:], answer, limits, strict=True):
                if not _is_row(value, limit, is_json):
                    raise ValueError(
                        f"{name} of answer {number} is {value!r}, not an integer from "
                        f"0 to {limit - 1}"
                    )
            yield found, person, *map(int, answer)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a file of answers (CSV or JSON) as saved from the page: "
            f"{error}"
        ) from error


def _is_row(value, limit, is_json):
    """Return whether a value in a file is an integer from 0 to `limit` - 1."""
    if is_json:  # int() would accept 0.7 and true
        return type(value) is int and 0 <= value < limit
    # int() would accept " 7", "+7" and "1_0"; the length limit excludes huge numbers
    digits = isinstance(value, str) and re.fullmatch("[0-9]{1,18}", value)
    return bool(digits) and int(value) < limit


# HTML of an example, for the person to compare.


def _renderers(train, targets, image_shape):
    """Return functions from row to HTML, for training examples and for targets."""
    if is_frame(train.X):
        names = [str(name) for name in train.X.columns]
        return [_table_of(part, names) for part in (train, targets)]
    if issparse(train.X) or (
        train.X.ndim == 2 and image_shape is None and train.X.dtype.kind not in "OUT"
    ):
        names = [f"feature {k}" for k in range(train.X.shape[1])]
        return [_table_of(part, names) for part in (train, targets)]
    if train.X.dtype.kind in "OUT":
        return [_text_of(part) for part in (train, targets)]
    low = min(float(part.X.min()) for part in (train, targets))
    high = max(float(part.X.max()) for part in (train, targets))
    return [_image_of(part, image_shape, low, high) for part in (train, targets)]


def _caption(part, row):
    return html.escape(f"{part.y[row]} (id {part.ids[row]})")


def _text_of(part):
    def show(row):
        text = "\n".join(map(str, np.ravel(part.X[row])))
        return f"<p class=text>{html.escape(text)}</p><p>{_caption(part, row)}</p>"

    return show


def _table_of(part, names):
    def show(row):
        values = safe_indexing(part.X, [row])
        values = values.toarray() if issparse(values) else np.asarray(values)
        cells = "".join(
            f"<tr><th>{html.escape(name)}<td>{html.escape(str(value))}"
            for name, value in zip(names, values[0].tolist(), strict=True)
        )
        return f"<table>{cells}</table><p>{_caption(part, row)}</p>"

    return show


def _image_of(part, image_shape, low, high):
    shape = image_shape or part.X.shape[1:]
    if np.prod(shape) != np.prod(part.X.shape[1:]) or len(shape) not in (2, 3):
        raise ValueError(
            f"An example of shape {part.X.shape[1:]} is not an image of shape {shape}; "
            "pass image_shape=(height, width)."
        )

    def show(row):
        pixels = np.asarray(part.X[row], dtype=np.float64).reshape(shape)
        scaled = (pixels - low) / (high - low or 1) * 255
        data = base64.b64encode(encode_png(scaled.round().astype(np.uint8))).decode()
        source = f"data:image/png;base64,{data}"
        return f'<img src="{source}" alt=""><p>{_caption(part, row)}</p>'

    return show


def encode_png(pixels):
    """Encode pixels, uint8 (height, width) or (height, width, 1|3|4), as PNG.

    Written here so that no imaging package is needed. A PNG file is a header, the rows
    compressed by zlib, each after a zero that means "unfiltered", and an end chunk.
    """
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    if channels not in (1, 3, 4):
        raise ValueError(f"An image must have 1, 3 or 4 channels, got {channels}.")
    colour = {1: 0, 3: 2, 4: 6}[channels]
    flat = pixels.reshape(height, width * channels)
    scanlines = np.insert(flat, 0, 0, axis=1).tobytes()

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(scanlines))
        + chunk(b"IEND", b"")
    )
