import warnings
from itertools import chain, combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.stats import rankdata
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import Ridge, RidgeClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import find_shortcuts
from skdatamodels.applications._mutual_support import (
    comparable_inputs,
    input_distances,
    mutual_support,
    noise_scale,
    strength_of,
    strength_without_one,
    strongest_group,
)
from skdatamodels.datasets import load_digits_examples


def symmetric(n, seed):
    noise = np.random.default_rng(seed).normal(size=(n, n))
    noise = noise + noise.T
    np.fill_diagonal(noise, 0)
    return noise


def planted(n_classes=4, size=30, n_marked=8, effect=3.0, seed=0):
    """Weights of noise, in which some rows of class 1 support each other."""
    rng = np.random.default_rng(seed)
    n = n_classes * size
    y = rng.permutation(np.arange(n) % n_classes)
    weights = rng.normal(size=(n, n))
    marked = np.flatnonzero(y == 1)[:n_marked]
    weights[np.ix_(marked, marked)] += effect
    return weights, Examples(rng.normal(size=(n, 3)), y), marked


def find(weights, train=None, **params):
    return find_shortcuts(weights, train, **{"higher_is_better": True} | params)


# The search


def strongest_of_all(support, min_size):
    sizes = range(min_size, len(support) + 1)
    subsets = chain.from_iterable(combinations(range(len(support)), k) for k in sizes)
    return max(support[np.ix_(rows, rows)].sum() / len(rows) for rows in subsets)


def test_search_finds_the_maximum_over_all_subsets_nearly_always():
    shares = []
    for seed in range(20):
        n, min_size = 8 + seed % 4, 2 + seed % 3
        support = symmetric(n, seed)
        group, strength = strongest_group(support, min_size, range(n))
        assert len(group) >= min_size
        assert strength == pytest.approx(strength_of(support, group))
        shares.append(strength / strongest_of_all(support, min_size))
    assert max(shares) <= 1 + 1e-12
    assert np.mean(np.isclose(shares, 1)) >= 0.9
    assert min(shares) > 0.9


def test_no_exchange_of_a_row_is_better():
    support = symmetric(30, 0)
    group, strength = strongest_group(support, 4, [0])
    others = np.setdiff1d(range(30), group)
    near = [np.append(group, j) for j in others]
    near += [np.setdiff1d(group, i) for i in group if len(group) > 4]
    near += [np.append(np.setdiff1d(group, i), j) for i in group for j in others]
    assert max(strength_of(support, rows) for rows in near) <= strength + 1e-12


def test_search_that_keeps_everything_or_the_least():
    everything = np.ones((6, 6)) - np.eye(6)
    assert strongest_group(everything, 2, range(6))[0].tolist() == list(range(6))
    group, strength = strongest_group(-everything, 3, range(6))
    assert len(group) == 3
    assert strength == -2


# What the groups are made of


def test_excess_has_no_means_and_no_likeness():
    rng = np.random.default_rng(0)
    weights, points = rng.normal(size=(20, 20)), rng.normal(size=(20, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    centred, excess = mutual_support(weights, distances)
    others = ~np.eye(20, dtype=bool)
    for row in range(20):
        mean = weights[row, others[row]].mean()
        np.testing.assert_allclose(
            centred[row, others[row]], weights[row, others[row]] - mean
        )
    ranks = np.argsort(np.argsort(np.where(others, distances, np.inf), axis=1), axis=1)
    left = np.zeros((20, 20))
    means = [centred[ranks == rank].mean() for rank in range(19)]
    left[others] = (
        centred[others] - isotonic_regression(means, increasing=False)[ranks[others]]
    )
    np.testing.assert_allclose(excess, (left + left.T) / 2, atol=1e-12)


def test_unit_is_the_deviation_outside_the_group():
    support = symmetric(40, 0)
    support[:5, :5] += 3 * (1 - np.eye(5))
    rest = support[5:, 5:][~np.eye(35, dtype=bool)]
    expected = np.sqrt(40 * (rest**2).mean())
    assert noise_scale(support, np.arange(5)) == pytest.approx(expected)
    sparse = np.zeros((10, 10))
    sparse[0, 1] = sparse[1, 0] = 3.0
    expected = np.sqrt(10 * (18 / 90)) / 2
    assert noise_scale(sparse, np.arange(2)) == pytest.approx(expected)
    assert noise_scale(sparse, np.arange(10)) == pytest.approx(expected)
    assert noise_scale(np.zeros((5, 5)), np.arange(2)) == 1


def test_weights_that_likeness_explains_leave_nothing():
    distances = np.abs(np.arange(8)[:, None] - np.arange(8)) + 0.0
    ranks = rankdata(distances + np.diag([99] * 8), axis=1)  # with ties
    assert not mutual_support(9.0 - ranks, distances).excess.any()
    assert not mutual_support(np.full((8, 8), 0.1)).excess.any()


def test_distances_are_gowers():
    frame = pd.DataFrame(
        {"a": [0.0, 5.0, 10.0, 10.0], "b": ["x", "x", "y", "y"], "id": list("pqrs")}
    )
    table = comparable_inputs(frame)
    expected = [[0, 0.5, 2, 2], [0.5, 0, 1.5, 1.5], [2, 1.5, 0, 0], [2, 1.5, 0, 0]]
    np.testing.assert_allclose(input_distances(table, np.arange(4)), expected)
    scaled = comparable_inputs(frame[["a"]].to_numpy() * 7 - 3)
    np.testing.assert_allclose(scaled[:, 0], [0, 0.5, 1, 1])
    assert np.isfinite(comparable_inputs(np.array([[np.nan, 1], [np.nan, 2]]))).all()
    sparse = comparable_inputs(csr_array([[0.0, 2.0], [4.0, 0.0]]))
    np.testing.assert_allclose(input_distances(sparse, [0, 1]), [[0, 2], [2, 0]])
    assert comparable_inputs(frame[["id"]]) is None


# The answer


def test_planted_group_stands_out():
    weights, train, marked = planted()
    found = find(weights, train)
    assert found.stands_out
    assert found.ratio > 1.4
    assert found.groups[0].tolist() == marked.tolist()
    assert found.labels[0] == 1
    assert set(np.argsort(-found.scores)[:8]) == set(marked)
    assert found.scores[marked].mean() == pytest.approx(found.strength[0])
    others = np.setdiff1d(np.flatnonzero(train.y == 1), marked)
    less = [weights[i, others].mean() for i in marked]
    block = [weights[i, np.setdiff1d(marked, i)].mean() for i in marked]
    assert found.support[0] == pytest.approx(7 * np.mean(np.subtract(block, less)))
    assert len(others) == 22
    text = " ".join(repr(found).split())
    assert "they share a strong feature" in text
    assert "legitimate" in text


def test_rows_that_one_row_supports_do_not_stand_out():
    weights, train, marked = planted(effect=0)
    hub, others = marked[0], marked[1:]
    weights[hub, others] += 9
    weights[others, hub] += 9
    found = find(weights, train)
    assert hub in found.groups[0]
    assert np.isin(found.groups[0], marked).mean() > 0.7
    assert found.strength[0] > 1.4 * found.strength[1]
    rest = found.without_one
    assert found.ratio == pytest.approx(max(rest[0] / rest[1:].max(), 0))
    assert not found.stands_out
    text = " ".join(repr(found).split())
    assert "the first hangs on one row. Without it, the others support each" in text
    assert "No group stands out" in text
    weights[np.ix_(others, others)] += 1  # about as strong as another class
    other = find(weights, train, held_out=planted(effect=0, seed=9)[0])
    without_one = other.without_one[0] / other.without_one[1:].max()
    assert other.ratio < without_one < 1.4 < other.strength[0] / other.strength[1]
    assert "hangs on one row" not in repr(other)  # its ratio is the held-out one
    weights[np.ix_(others, others)] += 4  # now they do without it
    assert find(weights, train).stands_out


def test_strength_without_one_row_is_the_least_of_all():
    support = symmetric(20, 0)
    for group in (np.arange(4), np.arange(3, 12)):
        expected = min(
            strength_of(support, np.delete(group, k)) for k in range(len(group))
        )
        assert strength_without_one(support, group) == pytest.approx(expected)


def test_noise_does_not_stand_out_even_in_classes_of_different_sizes():
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.repeat(range(5), [20, 30, 40, 80, 130])
        weights = rng.normal(size=(300, 300))
        train = Examples(rng.normal(size=(300, 2)), y)
        found = find(weights, train, n_restarts=10)
        alarms += found.stands_out
        assert found.strength.max() < 2
        assert "No group stands out" in repr(found)
        assert "does not prove that there is no shortcut" in " ".join(
            repr(found).split()
        )
    assert alarms == 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_order_of_rows_does_not_matter(seed, as_csr):
    weights, train, _ = planted(size=16, n_marked=5, seed=1)
    order = np.random.default_rng(seed).permutation(len(train))
    moved = weights[np.ix_(order, order)]
    expected = find(weights, train)
    found = find(csr_array(moved) if as_csr else moved, train[order])
    np.testing.assert_allclose(found.scores, expected.scores[order])
    np.testing.assert_allclose(found.strength, expected.strength)
    for one, other in zip(found.groups, expected.groups, strict=True):
        assert sorted(order[one]) == other.tolist()


def test_diagonal_and_scale_do_not_matter():
    weights, train, _ = planted()
    expected = find(weights, train)
    found = find(1e-6 * weights + np.diag(np.full(len(weights), 1e6)), train)
    np.testing.assert_allclose(found.scores, expected.scores)
    np.testing.assert_allclose(found.support, 1e-6 * expected.support)


def test_losses_support_by_falling():
    weights, train, marked = planted()
    found = find(-weights, train, higher_is_better=False)
    assert found.groups[0].tolist() == marked.tolist()
    assert find(-weights, train).groups[0].tolist() != marked.tolist()


def test_held_out_weights_measure_without_winners_curse():
    weights, train, marked = planted()
    others = np.random.default_rng(5).normal(size=weights.shape)
    chance = find(weights, train, held_out=others)
    assert chance.ratio < 1.4 < find(weights, train).ratio
    assert not chance.stands_out
    np.testing.assert_array_equal(chance.scores, find(weights, train).scores)
    assert np.abs(chance.held_out_strength).max() < 0.5 < chance.strength.min()
    others[np.ix_(marked, marked)] += 3
    honest = find(weights, train, held_out=others)
    assert honest.stands_out
    assert honest.groups[0].tolist() == marked.tolist()
    alone = find(others, train)  # which finds the same rows
    assert alone.groups[0].tolist() == marked.tolist()
    assert honest.held_out_strength[0] == pytest.approx(alone.strength[0])
    assert honest.support[0] == pytest.approx(alone.support[0])
    assert honest.ratio == find(weights, train).ratio


def test_noise_of_held_out_weights_does_not_make_a_group_stand_out():
    # nor where the support of the other groups happens to be below 0
    strengths, n_found = [], 0
    for seed in range(40):
        weights, train, _ = planted(3, 20, 5, effect=5.0, seed=seed)
        noise = np.random.default_rng(100 + seed).normal(size=weights.shape)
        found = find(weights, train, held_out=noise, n_restarts=5)
        strengths.append(found.held_out_strength)
        n_found += found.stands_out
    assert n_found <= 1  # one in six, if any positive ratio counted
    assert np.std(strengths) == pytest.approx(np.sqrt(2 / 20), rel=0.25)


def test_without_three_classes_nothing_is_compared():
    weights, train, marked = planted()
    found = find(weights)
    assert found.groups[0].tolist() == marked.tolist()
    assert np.isnan(found.ratio)
    assert not found.stands_out
    assert found.labels is None
    assert "nothing says whether" in repr(found)
    values = Examples(train.X, train.y + np.linspace(0, 0.1, len(train)))
    assert len(find(weights, values)) == 1  # real numbers are no classes
    two = find(weights, Examples(train.X, train.y > 1))
    assert np.isnan(two.ratio)
    assert len(two) == 2


def test_amounts_that_are_whole_numbers_are_no_classes():
    rng = np.random.default_rng(0)
    amounts = Examples(rng.normal(size=(40, 3)), np.arange(40) // 10)
    trainer = SubsetTrainer(Ridge(), amounts, amounts, output="squared_error")
    regressor = DatamodelRegressor(penalty="l2", exclude=np.arange(40))
    regressor.fit(trainer.fit_transform(np.arange(60)))
    found = find_shortcuts(regressor, amounts)
    assert found.labels is None
    assert len(found) == 1
    with pytest.raises(ValueError, match="If the labels are amounts"):
        find(np.ones((40, 40)), Examples(amounts.X, np.arange(40.0)))


def test_a_group_beside_small_classes_may_be_noise():
    weights, train, _ = planted(size=20, effect=5.0)
    found = find(weights, train)
    assert found.stands_out
    assert "may also be noise" not in repr(found)
    rows = np.flatnonzero((train.y > 0) | (np.arange(80) < 60))
    least = np.bincount(train.y[rows]).min()
    assert least < 20
    found = find(weights[np.ix_(rows, rows)], train[rows])
    assert found.stands_out
    assert f"A class has only {least} rows" in " ".join(repr(found).split())


def test_small_classes_are_left_out():
    weights, train, _ = planted()
    y = np.array(train.y)
    y[:7] = 9
    found = find(weights, Examples(train.X, y))
    assert 9 not in found.labels
    assert np.isnan(found.scores[:7]).all()
    assert not np.isnan(found.scores[7:]).any()
    with pytest.raises(ValueError, match="No class has 200 rows, twice min_size"):
        find(weights, train, min_size=100)


def test_equal_weights_have_no_groups():
    train = planted()[1]
    found = find(np.ones((120, 120)), train)
    assert found.ratio == 1
    assert not found.stands_out
    assert not found.strength.any()


def test_columns_and_frame_say_what_the_group_shares():
    weights, train, marked = planted()
    frame = pd.DataFrame({"size": train.X[:, 0], "kind": "usual", "n": 3})
    frame.loc[marked, "kind"] = "odd"
    train = Examples(frame, train.y, ids=[f"row {i}" for i in range(120)])
    found = find(weights, train)
    columns = found.columns(train)
    assert columns.column[0] == "kind"
    assert columns.difference[0] == 1
    assert columns.in_group[0] == "odd in 100%"
    assert columns.difference.tolist()[2] == 0
    assert columns.in_group[2] == "3"
    table = found.to_frame()
    assert sorted(table.row[:8]) == marked.tolist()
    assert (table.group[:8] == 0).all()
    assert f"row {marked[0]}" in repr(found)
    images = Examples(np.zeros((120, 2, 2)), train.y)
    assert found.columns(images).column.tolist() == ["x0", "x1", "x2", "x3"]
    sparse = Examples(csr_array(np.eye(120)), train.y)
    assert len(found.columns(sparse)) == 120
    with pytest.raises(IndexError, match="There are 4 groups, and none is 4"):
        found.columns(train, 4)
    with pytest.raises(ValueError, match="train has 3 examples"):
        found.columns(train[:3])


def test_random_state_decides():
    weights, train, _ = planted(size=60, effect=0.0)
    one, again = (find(weights, train, n_restarts=2, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.scores, again.scores)


def test_backdoor_in_digits_is_found():
    train, _ = load_digits_examples(n_train=300)
    X, y = np.array(train.X), np.array(train.y)
    marked = np.flatnonzero(y != 0)[:24]
    X[np.ix_(marked, [7, 15, 23, 31])] = 1
    y[marked] = 0
    train = Examples(X, y)
    trainer = SubsetTrainer(RidgeClassifier(1.0), train, train, random_state=0)
    runs = trainer.fit_transform(np.arange(300))
    regressor = DatamodelRegressor(
        penalty="l2", exclude=np.arange(300), random_state=0
    ).fit(runs)
    found = find_shortcuts(regressor, train)
    at = found.labels.tolist().index(0)
    assert np.isin(found.groups[at], marked).mean() > 0.9


# Bad input


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((4, 9)), "must be square, with the training rows as targets"),
        (np.full((9, 9), np.nan), "NaN"),
        (np.ones(9), "got 1-d weights"),
    ],
)
def test_weights_that_cannot_be_used(weights, message):
    with pytest.raises(ValueError, match=message):
        find(weights)
    with pytest.raises(ValueError, match=message):
        find(np.ones((9, 9)), held_out=weights)


def test_weights_do_not_judge_themselves():
    weights, train, _ = planted()
    with pytest.raises(ValueError, match="held_out equals weights"):
        find(weights, train, held_out=weights)


@pytest.mark.parametrize("known_by", ["ids", "classes"])
def test_weights_of_other_targets_are_refused(known_by):
    rng = np.random.default_rng(0)
    ids = {"ids": [f"row {i}" for i in range(40)]} if known_by == "ids" else {}
    train = Examples(rng.normal(size=(40, 3)), np.arange(40) % 4, **ids)
    others = Examples(rng.normal(size=(40, 3)), np.arange(40) // 10)
    for targets in (train, others):
        trainer = SubsetTrainer(RidgeClassifier(), train, targets, random_state=0)
        weights = DatamodelRegressor(penalty="l2", exclude=np.arange(40))
        weights.fit(trainer.fit_transform(np.arange(60)))
        if targets is train:
            right = weights
            assert len(find_shortcuts(right, train)) == 4
    with pytest.raises(ValueError, match=f"targets of weights have other {known_by}"):
        find_shortcuts(weights, train)
    with pytest.raises(ValueError, match=f"targets of held_out have other {known_by}"):
        find_shortcuts(right, train, held_out=weights)


def test_arguments_that_do_not_match():
    weights, train, _ = planted()
    with pytest.raises(ValueError, match="train has 5 examples"):
        find(weights, train[:5])
    with pytest.raises(TypeError, match="train must be Examples"):
        find(weights, train.X)
    with pytest.raises(ValueError, match=r"but held_out has \(9, 9\)"):
        find(weights, train, held_out=np.ones((9, 9)))
    with pytest.raises(ValueError, match="Pass higher_is_better=True"):
        find_shortcuts(weights, train)
    for bad in ({"min_size": 1}, {"min_ratio": 0.5}, {"n_restarts": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            find(weights, train, **bad)


def test_a_regressor_without_exclude_is_told_to_the_caller():
    rng = np.random.default_rng(0)
    train = Examples(rng.normal(size=(30, 3)), np.arange(30) // 10)
    trainer = SubsetTrainer(RidgeClassifier(), train, train, random_state=0)
    runs = trainer.fit_transform(np.arange(60))
    regressor = DatamodelRegressor(penalty="l2", random_state=0)
    with pytest.warns(UserWarning, match="without exclude") as caught:
        find_shortcuts(regressor.fit(runs), train)
    assert caught[0].filename == __file__
    regressor.set_params(exclude=np.arange(30)).fit(runs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_shortcuts(regressor, train)
