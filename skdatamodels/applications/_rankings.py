"""Results of rankings: extreme weights, and harmful examples."""

from typing import NamedTuple

import numpy as np

from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications._quality import quality_note
from skdatamodels.inference._named_weights import are_distinguishable, mark_note


class Extremes(NamedTuple):
    """The largest positive and negative weights of each row, most extreme first.

    Attributes
    ----------
    positive, negative : int array of shape (n_rows, n_most)
        Columns of these weights. Padded with -1 if a row has fewer of that sign.
    positive_weights, negative_weights : float array of shape (n_rows, n_most)
        The weights, padded with 0.
    positive_ids, negative_ids : object array of shape (n_rows, n_most), or None
        The ids of the columns, padded with None. None if they are not known.
    row_ids : array of shape (n_rows,), or None
        The ids of the rows. None if they are not known.
    quality : float
        Median R² of the weights on held-out runs, `held_out_r2_` of a fitted regressor.
        NaN if it is not known, as for a plain matrix.
    positive_intervals, negative_intervals : float64 array of shape \
            (n_rows, n_most, 2), or None
        Ends of the intervals of these weights, see
        :meth:`~skdatamodels.inference.WeightInference.adjusted_interval`. Their level
        is that of the weights. None without an inference.
    """

    positive: np.ndarray
    negative: np.ndarray
    positive_weights: np.ndarray
    negative_weights: np.ndarray
    positive_ids: np.ndarray | None = None
    negative_ids: np.ndarray | None = None
    row_ids: np.ndarray | None = None
    quality: float = np.nan
    positive_intervals: np.ndarray | None = None
    negative_intervals: np.ndarray | None = None

    @property
    def positive_distinguishable(self):
        """Which positive weights are distinguishable at FDR 0.1, a bool array.

        Their intervals are above 0. None without an inference.
        """
        return are_distinguishable(self.positive_weights, self.positive_intervals)

    @property
    def negative_distinguishable(self):
        """Which negative weights are distinguishable at FDR 0.1, a bool array.

        Their intervals are below 0. None without an inference.
        """
        return are_distinguishable(self.negative_weights, self.negative_intervals)

    def to_frame(self):
        """Return the weights as a pandas.DataFrame, one row each.

        Its columns are row, row_id, column, id and weight, ids only if they are known;
        and with an inference low and high, the ends of the interval, and
        distinguishable. In each row the positive weights come first, then the negative,
        the most extreme first of either. ``polars.from_pandas`` converts the frame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns = np.hstack([self.positive, self.negative])
        weights = np.hstack([self.positive_weights, self.negative_weights])
        found = columns >= 0
        frame = import_pandas().DataFrame(
            {
                "row": np.nonzero(found)[0],
                "column": columns[found],
                "weight": weights[found],
            }
        )
        if self.positive_intervals is not None:
            ends = np.hstack([self.positive_intervals, self.negative_intervals])[found]
            frame["low"], frame["high"] = ends.T
            frame["distinguishable"] = are_distinguishable(weights[found], ends)
        if self.positive_ids is not None:
            ids = np.hstack([self.positive_ids, self.negative_ids])
            frame.insert(2, "id", ids[found])
        if self.row_ids is not None:
            frame.insert(1, "row_id", self.row_ids[np.nonzero(found)[0]])
        return frame

    def _table(self):
        n_rows, n_most = self.positive.shape
        shown = range(min(n_rows, MOST_ROWS))
        columns = {"row": shown}
        if self.row_ids is not None and (self.row_ids != np.arange(n_rows)).any():
            columns = {"id": [str(name) for name in self.row_ids[:MOST_ROWS]]}
        marks = None
        for sign in ("positive", "negative"):
            found, weights = getattr(self, sign), getattr(self, f"{sign}_weights")
            ids, marked = (
                getattr(self, f"{sign}_{name}") for name in ("ids", "distinguishable")
            )
            if marked is not None:
                marks = marked if marks is None else np.hstack([marks, marked])
            marked = np.zeros(found.shape, bool) if marked is None else marked
            names = found if ids is None else ids
            columns[sign] = [
                _listed(*(part[i][found[i] >= 0] for part in (names, weights, marked)))
                for i in shown
            ]
        title = f"Extremes(n_rows={n_rows}, n_most={n_most})"
        notes = (*mark_note(marks), quality_note(self.quality))
        return Table(title, columns, n_rows, notes)

    __repr__ = table_text
    _repr_html_ = table_html


def _listed(names, weights, marked, most=3):
    shown = zip(names[:most], weights[:most], marked[:most], strict=True)
    text = ", ".join(
        f"{name}: {weight:+.2g}{'*' if mark else ''}" for name, weight, mark in shown
    )
    return text + (", …" if len(names) > most else "")


class HarmfulExamples(NamedTuple):
    """Training examples that make outputs worse, the worst first.

    Attributes
    ----------
    examples : int array of shape (n_found,)
        Rows of the training set, or positions of groups.
    mean_weights : float array of shape (n_found,)
        Their mean weights over the targets, in the output's unit. Negative if higher
        outputs are better, positive if lower outputs are better.
    ids : object array of shape (n_found,), or None
        Their ids. None if they are not known.
    quality : float
        Median R² of the weights on held-out runs, `held_out_r2_` of a fitted regressor.
        NaN if it is not known, as for a plain matrix.
    intervals : float64 array of shape (n_found, 2), or None
        Ends of the intervals of the mean weights. None without an inference.
    """

    examples: np.ndarray
    mean_weights: np.ndarray
    ids: np.ndarray | None
    quality: float = np.nan
    intervals: np.ndarray | None = None

    @property
    def distinguishable(self):
        """Which examples are distinguishable at FDR 0.1, bool array (n_found,).

        Their intervals are on the harmful side of 0. None without an inference.
        """
        return are_distinguishable(self.mean_weights, self.intervals)

    def to_frame(self):
        """Return the examples as a pandas.DataFrame, one row each.

        Its columns are example, id if ids are known, and mean_weight; and with an
        inference low and high, the ends of the interval, and distinguishable.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        ids = {} if self.ids is None else {"id": self.ids}
        columns = {"example": self.examples, **ids, "mean_weight": self.mean_weights}
        frame = import_pandas().DataFrame(columns)
        if self.intervals is not None:
            frame["low"], frame["high"] = self.intervals.T
            frame["distinguishable"] = self.distinguishable
        return frame

    def _table(self):
        n_rows = len(self.examples)
        columns = {"row": self.examples[:MOST_ROWS]}
        if self.ids is not None:
            columns["id"] = [str(name) for name in self.ids[:MOST_ROWS]]
        columns["mean weight"] = self.mean_weights[:MOST_ROWS]
        if self.intervals is not None:
            columns["from"], columns["to"] = self.intervals[:MOST_ROWS].T
            columns[""] = ["*" if mark else "" for mark in self.distinguishable]
        title = f"{n_rows} harmful examples, the worst first"
        notes = (*mark_note(self.distinguishable), quality_note(self.quality))
        return Table(title, columns, n_rows, notes)

    __repr__ = table_text
    _repr_html_ = table_html
