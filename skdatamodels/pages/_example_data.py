"""Examples as a page shows them: images, rows of a table, or text."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skdatamodels._example_scales import column_names, scales_of
from skdatamodels._frames import columns_of, is_frame
from skdatamodels.pages._columns import as_texts, column, cut, table_columns
from skdatamodels.pages._images import check_image_shape, encode_images

_MOST_CHARACTERS = 500  # of a cell
_MOST_NAME = 80  # of an id


class Detail(NamedTuple):
    """How much of the examples a page shows.

    Attributes
    ----------
    factor : int
        Images are made smaller by this factor.
    characters : int
        Longer text is cut.
    columns : int
        Number of columns of a table.
    """

    factor: int
    characters: int
    columns: int


DETAILS = (
    Detail(1, 4000, 300),
    Detail(2, 1500, 60),
    Detail(3, 600, 24),
    Detail(4, 250, 12),
)


class ShownExamples:
    """A training set and its targets, checked, to be embedded in a page.

    Parameters
    ----------
    train, targets : Examples
        The examples.
    image_shape : tuple of int or None
        Shape of images that are stored as rows of pixels.
    feature_names : sequence of str or None
        Names of the columns of a table.
    label : str
        Name of `y`.
    """

    def __init__(self, train, targets, image_shape=None, feature_names=None, label="y"):
        self.train, self.targets, self.label = train, targets, label
        self.kind = _kind(train.X, image_shape)
        if _kind(targets.X, image_shape) != self.kind:
            raise ValueError(
                f"The training set looks like {self.kind} but the targets do not: "
                "their X must be of the same kind."
            )
        if self.kind == "image":
            self.shape = check_image_shape(train, image_shape)
            check_image_shape(targets, image_shape)
            both = train.X, targets.X
            self.limits = tuple(  # fmin and fmax ignore NaN
                float(bound.reduce([bound.reduce(X, axis=None) for X in both]))
                for bound in (np.fmin, np.fmax)
            )
        if self.kind == "table":
            self.names = column_names(train.X, feature_names)
            self.n_columns = len(self.names)
            self.scales = np.asarray(scales_of(train.X), dtype=np.float64)
            _check_same_columns(train.X, targets.X)

    def embed(self, part, rows=None, detail=DETAILS[0]):
        """Return the data of one part, "train" or "targets".

        Parameters
        ----------
        part : {"train", "targets"}
            The part.
        rows : int array or None
            Rows that are shown in full. None: all.
        detail : Detail
            How much is shown of them.
        """
        examples = getattr(self, part)
        shown = np.arange(len(examples)) if rows is None else np.asarray(rows)
        data = {
            "kind": self.kind,
            "n": len(examples),
            "rows": None if rows is None else shown.tolist(),
            "ids": _ids(examples),
            "labels": column(
                self.label, examples.y, most_characters=_MOST_NAME, classes=True
            ),
            "columns": [],
            "more": [
                column(name, values[shown], most_characters=_MOST_CHARACTERS)
                for name, values in _metadata(examples)
            ],
        }
        if self.kind == "image":
            data["images"] = encode_images(
                examples.X, shown, self.shape, *self.limits, detail.factor
            )
            data["size"] = list(self.shape[:2])
        elif self.kind == "text":
            data["texts"] = [
                cut("\n".join(as_texts(np.ravel(examples.X[row]))), detail.characters)
                for row in shown
            ]
        else:
            data["columns"] = self._columns(examples, shown, detail)
        return data

    def notes(self, detail):
        """Return what a page says on what it leaves out of the examples."""
        if self.kind == "image" and detail.factor > 1:
            return [f"Images are shown at 1/{detail.factor} of their width."]
        if self.kind == "text":
            texts = (
                len("\n".join(as_texts(np.ravel(x)))) > detail.characters
                for part in (self.train, self.targets)
                for x in part.X
            )
            n = sum(texts)
            return [f"{n:,} texts are cut at {detail.characters:,} characters."] * (
                n > 0
            )
        if self.kind == "table" and self.n_columns > detail.columns:
            how = "the first" if is_frame(self.train.X) else "those that vary most"
            return [f"{detail.columns} of {self.n_columns:,} columns are shown, {how}."]
        return []

    def _columns(self, examples, rows, detail):
        X = examples.X
        chosen = np.arange(self.n_columns)
        if self.n_columns > detail.columns and not is_frame(X):
            chosen = np.argsort(-self.scales, kind="stable")
        chosen = np.sort(chosen[: detail.columns])
        if is_frame(X):  # in the order of the training set
            X = X[list(self.train.X.columns)]
        found = []
        for position, values in zip(
            chosen, table_columns(X, rows, chosen), strict=True
        ):
            name = self.names[position]
            data = column(name, values, most_characters=_MOST_CHARACTERS)
            scale = self.scales[position]
            data["scale"] = float(scale) if 0 < scale < np.inf else None
            found.append(data)
        return found


def _kind(X, image_shape):
    if image_shape is not None and not (is_frame(X) or issparse(X)):
        return "image"
    if is_frame(X) or issparse(X):
        return "table"
    if X.dtype.kind in "OUT":
        numbers = X.dtype.kind == "O" and X.ndim == 2 and X.shape[1] > 1
        return "table" if numbers else "text"
    return {1: "text", 2: "table"}.get(X.ndim, "image")


def _check_same_columns(train, targets):
    same = train.shape[1] == targets.shape[1]
    if is_frame(train):
        same = is_frame(targets) and set(train.columns) == set(targets.columns)
    if not same:
        raise ValueError(
            "train and targets must be tables with the same columns; got examples of "
            f"shape {train.shape[1:]} and {targets.shape[1:]}."
        )


def _ids(examples):
    """Return ids as text, None if they only count the rows."""
    if np.array_equal(examples.ids, np.arange(len(examples))):
        return None
    return [cut(text, _MOST_NAME) for text in as_texts(examples.ids)]


def _metadata(examples):
    """Yield the name and the values of each column of metadata."""
    metadata = examples.metadata
    if metadata is None:
        return
    if is_frame(metadata):
        for name, values in columns_of(metadata):
            yield str(name), values.to_numpy()
        return
    for name, values in metadata.items():
        if values.ndim == 1:
            yield str(name), values
        elif values.ndim == 2:
            for number, part in enumerate(values.T):
                yield f"{name} {number}", part
