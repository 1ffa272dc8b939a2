"""Shares among the highest weights, against random orders of ties and loops."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from skdatamodels import Examples
from skdatamodels.influence import same_class_influence
from skdatamodels.metrics import class_detection, top_k_overlap
from skdatamodels.metrics._top_k import top_k_shares

FEW = arrays(np.float64, (3, 5), elements=st.integers(-2, 2).map(float))


def shares_by_orders(row, k):
    """Average over all orders of the examples, each as a stable sort sees it."""
    orders = list(permutations(range(len(row))))
    total = np.zeros(len(row))
    for order in orders:
        first = sorted(order, key=lambda i: -row[i])[:k]
        total[first] += 1
    return total / len(orders)


@given(FEW, st.integers(1, 5))
def test_shares_are_the_mean_over_all_orders_of_ties(weights, k):
    shares = top_k_shares(weights, k)
    assert_allclose(shares[0], shares_by_orders(weights[0], k), atol=1e-12)
    assert_allclose(shares.sum(axis=1), k)


@pytest.mark.parametrize("k", [1, 3, 40])
def test_class_detection_is_a_loop_over_targets(k):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(12, 40))
    train, targets = rng.integers(3, size=40), rng.integers(3, size=12)
    found = [
        np.mean(train[np.argsort(-row)[:k]] == label)
        for row, label in zip(weights, targets, strict=True)
    ]
    assert_allclose(class_detection(weights, train=train, targets=targets, k=k), found)


def test_weights_of_zero_are_no_hits_by_position():
    train = ["a"] * 5 + ["b"] * 5
    nothing = csr_array((2, 10))
    shares = class_detection(nothing, train=train, targets=["a", "b"], k=3)
    assert_allclose(shares, 0.5)
    one = np.zeros((1, 10))
    one[0, 7] = 1  # one of class b, and then two of nine by chance
    assert_allclose(
        class_detection(one, train=train, targets=["b"], k=3), (1 + 2 * 4 / 9) / 3
    )
    assert_allclose(top_k_overlap(nothing, k=3), 3 / 10)


def test_indicator_of_the_class_passes_with_full_marks():
    train = Examples(np.eye(9), np.arange(9) % 3)
    targets = train[:3]
    indicator = same_class_influence(train, targets)
    params = {"train": train.y, "targets": targets.y}
    assert_array_equal(class_detection(indicator, **params, k=3), 1)
    subclasses = np.arange(9) // 3  # three in each class
    params = {"train": subclasses, "targets": subclasses[:3]}
    assert_allclose(class_detection(indicator, **params, k=3), 1 / 3)


@given(
    FEW, st.integers(1, 5), st.sampled_from([np.exp, np.arctan, lambda w: 3 * w - 7])
)
def test_only_the_order_of_weights_counts(weights, k, increasing):
    params = {"train": [0, 1, 0, 1, 1], "targets": [0, 1, 0], "k": k}
    changed = increasing(weights)
    assert_allclose(
        class_detection(changed, **params), class_detection(weights, **params)
    )
    assert_allclose(top_k_overlap(changed, k), top_k_overlap(weights, k))


@given(FEW, st.integers(1, 5), st.permutations(range(5)))
def test_positions_do_not_matter(weights, k, order):
    train, targets = np.array([0, 1, 0, 1, 1]), [0, 1, 0]
    assert_allclose(
        class_detection(weights[:, order], train=train[order], targets=targets, k=k),
        class_detection(weights, train=train, targets=targets, k=k),
    )
    assert_allclose(top_k_overlap(weights[:, order], k), top_k_overlap(weights, k))


def test_overlap_is_a_loop_over_pairs():
    weights = np.random.default_rng(1).normal(size=(7, 30))
    tops = [set(np.argsort(-row)[:6]) for row in weights]
    expected = [
        np.mean([len(top & other) / 6 for other in tops if other is not top])
        for top in tops
    ]
    assert_allclose(top_k_overlap(weights, 6), expected)
    assert_allclose(top_k_overlap(csr_array(weights), 6), expected)


def test_overlap_is_one_for_equal_rows_and_chance_for_random_ones():
    row = np.random.default_rng(0).normal(size=50)
    assert_allclose(top_k_overlap(np.tile(row, (4, 1)), 5), 1)
    random = np.random.default_rng(0).normal(size=(200, 50))
    assert top_k_overlap(random, 5).mean() == pytest.approx(5 / 50, abs=0.005)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"k": 0}, "k must be an integer from 1 to 5"),
        ({"k": 6}, "got 6"),
        ({"k": 2.0}, "got 2.0"),
        ({"train": [0, 1]}, r"train must have shape \(5,\).* got shape \(2,\)"),
        ({"targets": ["0", "1"]}, "No target has a class .* train has 0, .* '0', '1'"),
        ({"targets": [0]}, r"targets must have shape \(2,\)"),
    ],
)
def test_bad_input_of_class_detection(params, message):
    given = {"train": [0] * 5, "targets": [0, 1]} | params
    with pytest.raises(ValueError, match=message):
        class_detection(np.ones((2, 5)), **given)


def test_bad_input_of_overlap():
    with pytest.raises(ValueError, match=r"for a single target give weights\[\[0\]\]"):
        top_k_overlap(np.ones(5), 2)
    with pytest.raises(ValueError, match="at least two targets"):
        top_k_overlap(np.ones((1, 5)), 2)
    with pytest.raises(ValueError, match="NaN"):
        top_k_overlap([[1, np.nan], [1, 2]], 1)
    with pytest.raises(ValueError, match="k must be"):
        top_k_overlap(np.ones((2, 5)))
