"""HTML page on which people annotate which candidates are the same as a target."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np

from skdatamodels._examples import check_examples, swap_hint
from skdatamodels._files import write_atomically
from skdatamodels.metrics._leakage_recall import check_candidates
from skdatamodels.pages._candidates import (
    candidate_rows,
    data_fingerprint,
    make_tasks,
)
from skdatamodels.pages._example_data import DETAILS, ShownExamples
from skdatamodels.pages._page import make_page

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
    check_examples(train, "train")
    check_examples(targets, "targets")
    rows = _check_rows(rows, len(targets))
    tasks = make_tasks(candidates, train, targets, rows)
    if not tasks:
        raise ValueError("No target has a candidate, so there is nothing to annotate.")
    shown = ShownExamples(train, targets, image_shape)
    data = {
        "fingerprint": data_fingerprint(train, targets),
        "tasks": tasks,
        "notes": shown.notes(DETAILS[0]),
        "examples": {
            "train": shown.embed("train", candidate_rows(tasks)),
            "targets": shown.embed("targets", [task["target"] for task in tasks]),
        },
    }
    title = title or "Which of these show the same as the target?"
    write_atomically(path, make_page(title, data))


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
