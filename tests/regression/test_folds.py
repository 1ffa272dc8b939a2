"""Folds against their definitions, and against scikit-learn's splitters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from skdatamodels.regression._folds import Cut, Splits, shuffled


def split_of(fractions, n_runs, groups=None):
    return Cut.of(fractions, n_runs, groups)


@given(st.integers(3, 60), st.floats(0.01, 0.99))
def test_a_part_is_held_out_and_two_runs_remain(m, fraction):
    rows = np.arange(m)[::-1]
    (fold,) = split_of([1 - fraction, 1], m)(rows)
    n = len(fold.held_out)
    assert 1 <= n <= m - 2
    assert abs(n - fraction * m) <= max(1, 2 - (1 - fraction) * m) + 0.5
    np.testing.assert_array_equal(fold.held_out, rows[-n:])
    np.testing.assert_array_equal(fold.train_of(rows), rows[:-n])


@given(st.integers(2, 8), st.integers(0, 60))
def test_folds_cut_the_runs_into_equal_parts(n_folds, more):
    rows = np.arange(max(n_folds, 4) + more)
    folds = split_of(np.linspace(0, 1, n_folds + 1), len(rows))(rows)
    np.testing.assert_array_equal(np.concatenate([f.held_out for f in folds]), rows)
    sizes = [len(fold.held_out) for fold in folds]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@given(st.data())
def test_groups_are_never_divided(data):
    groups = np.array(data.draw(st.lists(st.integers(0, 9), min_size=6, max_size=40)))
    groups = np.unique(groups, return_inverse=True)[1]
    fractions = data.draw(st.sampled_from([[0.7, 1], [0.99, 1], [0, 0.5, 1]]))
    split = split_of(fractions, len(groups), groups)
    usable = np.array(data.draw(st.lists(st.booleans(), min_size=40, max_size=40)))
    usable = usable[: len(groups), None]
    n_units = len(np.unique(groups[usable[:, 0]]))
    assert split.enough(usable) == (n_units >= 2)
    assert split.enough(None) == (groups.max() >= 1)
    if not split.enough(usable):
        return
    order = shuffled(np.random.RandomState(0), len(groups), groups)
    rows = order[usable[order, 0]]
    for fold in split(rows):
        train = fold.train_of(rows)
        assert len(train) >= 2
        if not len(fold.held_out):  # else fewer than two runs would remain
            assert split.n_folds > 1 or len(rows) < 3
            continue
        np.testing.assert_array_equal(
            np.sort(np.concatenate([train, fold.held_out])), np.sort(rows)
        )
        assert not set(groups[train]) & set(groups[fold.held_out])


@given(st.lists(st.integers(1, 40), min_size=2, max_size=12), st.floats(0.05, 0.6))
def test_the_held_out_share_of_unequal_groups_is_near_the_wanted_one(sizes, fraction):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    n = len(groups)
    if n < 3:
        return
    rows = np.arange(n)
    (fold,) = split_of([1 - fraction, 1], n, groups)(rows)
    held_out, wanted = len(fold.held_out), n - round((1 - fraction) * n)
    assert 1 <= held_out <= n - 2
    sizes, parts = np.array(sizes), np.unique(groups[fold.held_out])
    assert sizes[parts].sum() == held_out  # whole groups
    if abs(held_out - wanted) >= wanted:  # no group is as near as none
        assert held_out == sizes.min()
    more = held_out + np.delete(sizes, parts)
    more = more[more <= n - 2]
    if held_out != sizes.min():
        assert (abs(more - wanted) >= abs(held_out - wanted)).all()


@pytest.mark.parametrize("sizes", [(198, 2), (150, 40, 10), (100, *[10] * 10)])
def test_a_large_group_is_not_the_only_one_to_be_held_out(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(20):
        rows = shuffled(np.random.RandomState(seed), 200, groups)
        (fold,) = split_of([0.9, 1], 200, groups)(rows)
        assert len(fold.held_out) <= 40


@given(st.lists(st.integers(1, 30), min_size=4, max_size=30), st.integers(2, 4))
def test_folds_of_unequal_groups_are_as_large_as_those_of_group_k_fold(sizes, n_folds):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(len(groups))
    folds = split_of(np.linspace(0, 1, n_folds + 1), len(groups), groups)(rows)
    expected = GroupKFold(n_folds).split(groups, groups=groups)
    expected = sorted(len(test) for train, test in expected if len(train) >= 2)
    assert sorted(len(f.held_out) for f in folds if len(f.held_out)) == expected
    for fold in folds:
        assert not set(groups[fold.train_of(rows)]) & set(groups[fold.held_out])


def test_runs_are_shuffled_by_group():
    groups = np.array([0, 1, 2, 0, 1, 2, 0])
    orders = [shuffled(np.random.RandomState(i), 7, groups) for i in range(9)]
    for order in orders:
        assert (np.diff(groups[order]) != 0).sum() == 2
    assert len({tuple(order) for order in orders}) > 3
    np.testing.assert_array_equal(
        shuffled(np.random.RandomState(3), 9, None),
        np.random.RandomState(3).permutation(9),
    )


@pytest.mark.parametrize("cv", [KFold(3), GroupKFold(2), TimeSeriesSplit(3)])
def test_splitters_split_runs(cv):
    groups = np.array([0, 0, 1, 1, 2, 2, 2]) if isinstance(cv, GroupKFold) else None
    split = Splits.by(cv, 7, groups, None)
    rows = np.array([6, 2, 0, 5, 1])
    expected = list(cv.split(np.zeros(7), groups=groups))
    folds = split(rows)
    assert len(folds) == len(expected)
    for fold, (train, test) in zip(folds, expected, strict=True):
        train = rows[np.isin(rows, train)]
        judges = rows[np.isin(rows, test)] if len(train) >= 2 else []
        np.testing.assert_array_equal(fold.held_out, judges)
        if len(judges):
            np.testing.assert_array_equal(fold.train_of(rows), train)


@pytest.mark.parametrize(
    "cv", [KFold(2), GroupKFold(2), ShuffleSplit(3, random_state=0)]
)
def test_splitters_split_pairs(cv):
    pairs = np.array([0, 1, 1, 2, 3, 3, 0, 2])
    for fold in Splits.by(cv, 8, None, pairs)(np.arange(8)):
        train = fold.train_of(np.arange(8))
        assert len(fold.held_out) + len(train) == 8
        assert not set(pairs[train]) & set(pairs[fold.held_out])


def test_given_splits_are_of_all_runs():
    splits = [([0, 1, 2, 3], [4, 5]), ([3, 4, 5], [0, 2])]
    kept = np.array([0, 1, 3, 4, 5])
    split = Splits.given(iter(splits), 6, kept)
    first, second = split(np.arange(5))
    np.testing.assert_array_equal(kept[first.held_out], [4, 5])
    np.testing.assert_array_equal(kept[first.train_of(np.arange(5))], [0, 1, 3])
    np.testing.assert_array_equal(kept[second.held_out], [0])
    np.testing.assert_array_equal(kept[second.train], [3, 4, 5])
    with pytest.raises(ValueError, match="cv contains no split"):
        Splits.given([], 6, kept)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([([0, 1, 1, 2], [3, 4])], "cv has index 1 2 times in one part"),
        ([([0, 1, 2], [4, 3, 4])], "cv has index 4 2 times in one part"),
        ([np.arange(3)], r"pairs \(train, test\)"),
        ([np.arange(2)], r"pairs \(train, test\)"),
        ([0, 1], r"pairs \(train, test\)"),
        ([([0, 1], [2], [3])], r"pairs \(train, test\)"),
        ([([0.0, 1.0, 2.0], [3])], r"row indices, got an array of float64"),
        ([([True, False], [3])], r"row indices, got an array of bool"),
        ([([0, 1, 2], [3, 6])], "cv has the indices 3 to 6, but there are 6 samples"),
        ([([0, 1, -1], [3])], "cv has the indices -1 to 1"),
    ],
)
def test_wrong_splits_are_told(splits, message):
    with pytest.raises(ValueError, match=message):
        Splits.given(splits, 6, np.arange(6))


def test_bool_arrays_are_splits():
    train = np.array([1, 1, 0, 0, 1, 0], bool)
    (fold,) = Splits.given([(train, ~train)], 6, np.arange(6))(np.arange(6))
    np.testing.assert_array_equal(fold.held_out, np.flatnonzero(~train))
    np.testing.assert_array_equal(fold.train_of(np.arange(6)), np.flatnonzero(train))


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (StratifiedKFold(2), "StratifiedKFold.* gets 3 samples.* no classes y"),
        (KFold(9), "gets 3 samples.*n_splits=9"),
        (PredefinedSplit([0, 0, 1, 1, 2, 2]), "one sample for each pair of runs"),
    ],
)
def test_a_splitter_that_cannot_split_is_told(splitter, message):
    with pytest.raises(ValueError, match=message):
        Splits.by(splitter, 6, None, np.array([0, 1, 2, 0, 1, 2]))


def test_a_generator_that_was_used_is_told():
    splits = iter([([0, 1, 2], [3])])
    Splits.given(splits, 6, np.arange(6))
    with pytest.raises(ValueError, match="A generator can be used only once"):
        Splits.given(splits, 6, np.arange(6))


def test_a_target_needs_a_split_with_runs_on_both_sides():
    split = Splits.given([([0, 1, 2], [3, 4])], 5, np.arange(5))
    usable = np.array(
        [[1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0]], bool
    )
    np.testing.assert_array_equal(split.enough(usable), [True, False, False, False])
    assert split.enough(None).all()
