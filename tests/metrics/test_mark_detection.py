"""Marks and wrong labels, against scikit-learn's average precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score

from skdatamodels.metrics import mark_detection, wrong_label_detection

MARKED = np.array([True, False, False, True, False, True])


@given(arrays(np.float64, (2, 6), elements=st.integers(-2, 2).map(float)))
def test_is_the_average_precision_of_each_row(weights):
    expected = [average_precision_score(MARKED, row) for row in weights]
    assert_allclose(mark_detection(weights, MARKED), expected)
    assert_allclose(mark_detection(csr_array(weights), MARKED), expected)
    harm = -weights.mean(axis=0)
    assert_allclose(
        wrong_label_detection(weights, MARKED), average_precision_score(MARKED, harm)
    )
    assert_allclose(
        wrong_label_detection(weights, MARKED, higher_is_better=False),
        average_precision_score(MARKED, -harm),
    )


@given(
    arrays(np.float64, (2, 6), elements=st.integers(-2, 2).map(float)),
    st.permutations(range(6)),
    st.sampled_from([np.exp, np.arctan, lambda w: 3 * w - 7]),
)
def test_order_of_weights_counts_and_positions_do_not(weights, order, increasing):
    found = mark_detection(weights, MARKED)
    assert_allclose(mark_detection(weights[:, order], MARKED[order]), found)
    assert_allclose(mark_detection(increasing(weights), MARKED), found)


def test_zeros_get_the_share_of_the_marks():
    assert_allclose(mark_detection(csr_array((3, 6)), MARKED), 0.5)
    assert wrong_label_detection(np.zeros((3, 6)), MARKED) == 0.5


def test_large_matrices_go_by_blocks(monkeypatch):
    weights = np.random.default_rng(0).normal(size=(9, 6))
    whole = mark_detection(weights, MARKED)
    monkeypatch.setattr("skdatamodels.metrics._attributions._BLOCK_ENTRIES", 14)
    assert_allclose(mark_detection(weights, MARKED), whole)


def test_estimators_are_taken():
    weights = np.random.default_rng(0).normal(size=(3, 6))
    fitted = Ridge(1e-9).fit(np.eye(6), weights.T)
    assert_allclose(mark_detection(fitted, MARKED), mark_detection(weights, MARKED))


@pytest.mark.parametrize("detect", [mark_detection, wrong_label_detection])
@pytest.mark.parametrize(
    ("marked", "message"),
    [
        (np.zeros(6, bool), "is False for all training examples"),
        (np.ones(6, bool), "is True for all training examples"),
        (MARKED[:5], r"bool mask of shape \(6,\).* got bool of shape \(5,\)"),
        ([0, 3], "got int64 of shape"),
    ],
)
def test_bad_marks(detect, marked, message):
    with pytest.raises(ValueError, match=message):
        detect(np.ones((2, 6)), marked)
    with pytest.raises(ValueError, match="infinity"):
        detect(np.full((2, 6), np.inf), MARKED)
