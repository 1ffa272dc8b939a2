"""Intervals of the weights that a page keeps, and which are distinguishable."""

from typing import NamedTuple

import numpy as np

from skdatamodels._dense_row import dense_row
from skdatamodels.inference._false_discovery import distinguishable
from skdatamodels.inference._named_weights import (
    FDR,
    are_distinguishable,
    check_inference,
    intervals_at,
)
from skdatamodels.pages._page import embed


class Marks(NamedTuple):
    """What is known of the kept weights, in the order of `LargestWeights`.

    Attributes
    ----------
    marks : bool array of shape (n_kept,) or None
        Which are distinguishable. None if nothing is known.
    intervals : float64 array of shape (n_kept, 2) or None
        Their intervals. None if they follow from standard errors.
    """

    marks: np.ndarray | None = None
    intervals: np.ndarray | None = None

    @classmethod
    def of(cls, kept, weights, errors, inference):
        """Return the marks by an inference, or else by standard errors, or neither.

        Parameters
        ----------
        kept : LargestWeights
            The kept weights.
        weights, errors : arrays or CSR of shape (n_targets, n_columns)
            All weights, and their standard errors or None.
        inference : WeightInference or None
            Inference of the weights.
        """
        check_inference(inference, weights.shape)
        targets = np.repeat(np.arange(len(kept.counts)), kept.counts)
        if inference is not None:
            intervals = np.empty((len(targets), 2))
            for sign in (1, -1):
                side = sign * kept.values > 0
                places = targets[side], kept.columns[side]
                intervals[side] = intervals_at(inference, weights, *places, sign)
            return cls(are_distinguishable(kept.values, intervals), intervals)
        if errors is None:
            return cls()
        marks = []
        for target, columns in enumerate(
            np.split(kept.columns, np.cumsum(kept.counts)[:-1])
        ):
            rows = dense_row(weights, target), dense_row(errors, target)
            marks.append(distinguishable(*rows, FDR)[columns])
        return cls(np.concatenate(marks))

    def embed(self):
        """Return the data of the page."""
        marks, intervals = self
        ends = [None, None] if intervals is None else intervals.T.astype(np.float32)
        low, high = (part if part is None else embed(part) for part in ends)
        return {
            "marks": marks if marks is None else embed(marks.astype(np.uint8)),
            "low": low,
            "high": high,
            "fdr": FDR,
        }
