from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skdatamodels import Examples
from skdatamodels.influence import knn_shapley


def _votes(members, train, target_X, target_y, n_neighbors):
    """Share of the k votes for the target's class, by a subset of the examples."""
    distance = ((train.X - target_X) ** 2).sum(axis=1)
    nearest = sorted(members, key=lambda i: distance[i])[:n_neighbors]
    return sum(train.y[i] == target_y for i in nearest) / n_neighbors


def _brute_force(train, targets, n_neighbors):
    """Mean marginal contribution over all orders in which examples may come."""
    values = np.zeros((len(targets), len(train)))
    orders = list(permutations(range(len(train))))
    for j, target in enumerate(zip(targets.X, targets.y, strict=True)):
        for order in orders:
            before = 0.0
            for size, i in enumerate(order, start=1):
                now = _votes(order[:size], train, *target, n_neighbors)
                values[j, i] += (now - before) / len(orders)
                before = now
    return values


def _examples(seed, n_train, n_targets=2):
    rng = np.random.default_rng(seed)
    train = Examples(rng.normal(size=(n_train, 2)), np.r_[0, 1, 2, 0, 1, 1][:n_train])
    return train, Examples(rng.normal(size=(n_targets, 2)), train.y[:n_targets])


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 7))
def test_equals_all_orders(seed, n_train, n_neighbors):
    train, targets = _examples(seed, n_train)
    values = knn_shapley(train, targets, n_neighbors=n_neighbors)
    expected = _brute_force(train, targets, n_neighbors)
    assert_allclose(values, expected, atol=1e-12)


def test_sums_to_the_share_of_all_examples():
    rng = np.random.default_rng(0)
    train = Examples(rng.normal(size=(300, 3)), rng.integers(4, size=300))
    targets = Examples(rng.normal(size=(20, 3)), rng.integers(4, size=20))
    total = [
        _votes(range(300), train, *target, 5)
        for target in zip(targets.X, targets.y, strict=True)
    ]
    assert_allclose(knn_shapley(train, targets).sum(axis=1), total, atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    train, targets = _examples(0, 6, n_targets=5)
    expected = knn_shapley(train, targets, n_neighbors=2)
    monkeypatch.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 100)
    assert_allclose(knn_shapley(train, targets, n_neighbors=2), expected)


TRAIN, TARGETS = _examples(0, 5)


@pytest.mark.parametrize(
    ("train", "targets", "n_neighbors", "message"),
    [
        (TRAIN, TARGETS, 0, "'n_neighbors' parameter"),
        (TRAIN, Examples(TARGETS.X, [0, 8]), 1, r"not in the training set: \[8\]"),
        (TRAIN, Examples(np.zeros((2, 3)), [0, 1]), 1, "they must be the same"),
    ],
)
def test_bad_input(train, targets, n_neighbors, message):
    with pytest.raises(ValueError, match=message):
        knn_shapley(train, targets, n_neighbors=n_neighbors)


def test_a_table_is_not_printed_whole():
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"train must be Examples, got DataFrame of sh"):
        knn_shapley(pd.DataFrame(TRAIN.X), TARGETS)
