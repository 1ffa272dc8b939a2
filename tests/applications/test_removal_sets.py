"""Orders of removal: weights first, and never by position where these say nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from skdatamodels import Examples
from skdatamodels.applications._likeness import like_first
from skdatamodels.applications._removal_sets import n_ranked, order_by, removal_orders
from skdatamodels.training._players import Players

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3)) * [1, 100, 1e-4]
Y = rng.integers(3, size=40)
TRAIN = Examples(X, Y)
TARGETS = Examples(rng.normal(size=(5, 3)) * [1, 100, 1e-4], [0, 1, 2, 0, 1])
ROWS = Players(TRAIN)
WEIGHTS = np.where(rng.random((5, 40)) < 0.2, rng.normal(size=(5, 40)), 0)


def distances(target, X=X, Z=TARGETS.X):
    return np.sqrt((((X - Z[target]) / X.std(axis=0)) ** 2).sum(axis=1))


def test_scores_later_in_the_row_break_ties_of_those_before():
    first, second = np.array([1.0, 0, 1, 0]), np.array([0.0, 5, 2, 7])
    assert order_by(first, second).tolist() == [2, 0, 3, 1]
    assert order_by(second).tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize("matrix", [np.asarray, csr_array])
def test_zeros_go_by_class_and_closeness_between_the_signs(matrix):
    orders = removal_orders(matrix(WEIGHTS), ROWS, TRAIN, TARGETS, None)
    for target, order in enumerate(orders):
        same, far = TARGETS.y[target] == Y, distances(target)
        last = max(np.flatnonzero(same), key=far.__getitem__)

        def place(i, target=target, same=same, far=far, last=last):
            weight = WEIGHTS[target, i]
            return -weight, 2 if i == last else not same[i], far[i]

        assert order.tolist() == sorted(range(40), key=place)


@pytest.mark.parametrize("matrix", [np.asarray, csr_array])
def test_fallback_goes_before_closeness(matrix):
    fallback = np.round(rng.normal(size=WEIGHTS.shape))  # with ties of its own
    orders = removal_orders(matrix(WEIGHTS), ROWS, TRAIN, TARGETS, matrix(fallback))
    classes, closeness = like_first(TRAIN, TARGETS)
    for target, order in enumerate(orders):
        keys = np.stack([WEIGHTS, fallback, classes, closeness])[:, target].T
        assert order.tolist() == sorted(range(40), key=lambda i: tuple(-keys[i]))


def test_chance_is_no_position_and_stays_the_same():
    nothing = np.zeros((5, 40))
    first = removal_orders(nothing, ROWS, TRAIN, TARGETS, "random")
    assert_array_equal(first, removal_orders(nothing, ROWS, TRAIN, TARGETS, "random"))
    assert len({tuple(order) for order in first}) == 5
    steps = np.mean([np.corrcoef(order, range(40))[0, 1] for order in first])
    assert abs(steps) < 0.3
    # equal inputs of one class
    flat = Examples(np.zeros((40, 1)), np.zeros(40))
    orders = removal_orders(nothing, ROWS, flat, flat[:5], None)
    assert all(tuple(order) != tuple(sorted(order)) for order in orders)


def test_inputs_that_are_no_numbers_go_by_class_then_by_chance():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": rng.normal(size=40), "b": list("xyzw") * 10})
    train, targets = Examples(frame, Y), Examples(frame[:5], Y[:5])
    orders = removal_orders(np.zeros((5, 40)), ROWS, train, targets, None)
    for target, order in enumerate(orders):
        same = np.flatnonzero(Y[target] == Y)
        head = order[: len(same) - 1]
        assert set(head) < set(same)
        assert order[-1] in same
        assert not (np.diff(head) > 0).all()
    numbers = pd.DataFrame(X, columns=list("abc"))
    as_frame = like_first(Examples(numbers, Y), Examples(numbers[:5], Y[:5]))
    as_array = like_first(TRAIN, TRAIN[:5])
    assert_allclose(as_frame, as_array, atol=1e-6)


def test_sparse_missing_and_shaped_inputs():
    zeros = np.where(rng.random(X.shape) < 0.5, 0, X)
    kinds = {"dense": zeros, "sparse": csr_array(zeros), "images": zeros[:, :, None]}
    found = {
        name: like_first(Examples(values, Y), Examples(values[:5], Y[:5]))[1]
        for name, values in kinds.items()
    }
    for closeness in found.values():
        assert_allclose(closeness, found["dense"], atol=1e-5)
    holes = zeros.copy()
    holes[3] = np.nan
    holes[4, 1] = np.nan
    train = Examples(holes, Y, allow_nan=True)
    closeness = like_first(train, train[:3])[1]
    assert np.isneginf(closeness[:, 3]).all()
    assert np.isfinite(closeness[:, 4]).all()
    # an example of another shape has no distance
    classes, chance = like_first(TRAIN, Examples(np.zeros((2, 9)), [0, 1]))
    assert ((chance > 0) & (chance < 1)).all()
    assert_array_equal(classes == 0, np.array([[0], [1]]) != Y)


def test_weights_rank_until_they_are_all_zero():
    assert n_ranked(np.array([2.0, 0, -1, 0, 3])) == 2
    assert n_ranked(np.array([2.0, 0, -1, 4, 3])) == 5  # a single zero has its place
    assert n_ranked(np.array([-2.0, -1])) == 2
    assert n_ranked(np.zeros(4)) == 0
