"""Marks of kept weights are those of all weights, and have their intervals."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.sparse import csr_array

from skdatamodels.applications import similar_examples
from skdatamodels.inference import WeightInference
from skdatamodels.pages._marks import Marks
from skdatamodels.pages._weight_data import LargestWeights

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(5, 60)) * (RNG.random((5, 60)) < 0.7)
ERRORS = RNG.uniform(0.2, 0.6, size=(5, 60))


def places(kept):
    return np.repeat(np.arange(5), kept.counts), kept.columns


def test_marks_by_standard_errors_control_each_sign():
    z = WEIGHTS / ERRORS
    expected = np.abs(z) > stats.norm.ppf(0.975)
    for sign in (1, -1):
        p = stats.norm.sf(sign * z)
        rate = np.array([stats.false_discovery_control(row) <= 0.1 for row in p])
        expected &= rate | (np.sign(z) != sign)
    for n_weights in (60, 9):
        kept = LargestWeights.of(WEIGHTS, n_weights, ERRORS)
        marks = Marks.of(kept, csr_array(WEIGHTS), ERRORS, None)
        assert_array_equal(marks.marks, expected[places(kept)])
        assert marks.intervals is None
    assert expected.any(axis=1).all()


def test_an_inference_gives_the_intervals_of_similar_examples():
    inference = WeightInference(
        WEIGHTS + 0.05, np.full((5, 1), 0.4), np.full(5, 80.0), np.zeros(60, int)
    )
    kept = LargestWeights.of(WEIGHTS, 9)
    marks = Marks.of(kept, WEIGHTS, None, inference)
    frame = similar_examples(WEIGHTS, 60, inference=inference).to_frame()
    frame = frame.set_index(["row", "column"]).loc[
        list(zip(*places(kept), strict=True))
    ]
    assert_allclose(marks.intervals, frame[["low", "high"]])
    assert_array_equal(marks.marks, frame["distinguishable"])


def test_nothing_is_marked_without_errors():
    kept = LargestWeights.of(WEIGHTS, 9)
    data = Marks.of(kept, WEIGHTS, None, None).embed()
    assert data["marks"] is data["low"] is data["high"] is None
