"""Masks of pairs that vary a few columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdatamodels.masks import PackedMasks, sample_masks
from skdatamodels.masks._varied import find_varied_pairs, sample_varied_masks

COLUMNS = np.array([1, 4, 5, 12])
OTHERS = np.delete(np.arange(20), COLUMNS)


def draw(runs=80, alpha=0.5, **parameters):
    return sample_varied_masks(runs, 20, COLUMNS, alpha, **parameters).dense()


@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_pairs_are_alike_but_for_the_columns_where_they_are_complements(k):
    columns = np.arange(k) * 2
    masks = sample_varied_masks(40, 20, columns, 0.3).dense()
    differ = masks[::2] != masks[1::2]
    assert differ[:, columns].all()
    assert differ.sum() == 20 * k
    # subsets of the others have the size that alpha asks
    assert set(np.delete(masks, columns, 1).sum(axis=1)) == {round(0.3 * (20 - k))}


def test_others_are_drawn_by_the_design():
    y = np.arange(20) % 2
    y[COLUMNS] = 5  # a class that the others do not have
    masks = draw(design="stratified", y=y)
    alone = sample_masks(40, 16, 0.5, design="stratified", y=y[OTHERS]).dense()
    assert_array_equal(masks[::2][:, OTHERS], alone)


def test_pairs_take_several_fractions_in_turn():
    sizes = draw(8, alpha=(0.25, 0.75))[:, OTHERS].sum(axis=1)
    assert sizes.tolist() == [4, 4, 12, 12, 4, 4, 12, 12]


def test_patterns_are_equally_frequent_and_independent_of_the_pair_before():
    patterns = draw(16_000)[::2][:, COLUMNS] @ [1, 2, 4, 8]
    frequencies = np.bincount(patterns, minlength=16) / 8000
    assert abs(frequencies - 1 / 16).max() < 5 * np.sqrt(1 / 16 / 8000)
    both = np.bincount(16 * patterns[:-1] + patterns[1:], minlength=256) / 8000
    assert abs(both - 1 / 256).max() < 5 * np.sqrt(1 / 256 / 8000)


@pytest.mark.parametrize("seed", range(5))
def test_a_product_of_three_columns_is_not_the_fourth(seed):
    signs = np.where(draw(160, random_state=seed)[::2][:, COLUMNS], 1, -1)
    agree = (signs[:, :3].prod(axis=1) == signs[:, 3]).reshape(-1, 4).sum(axis=1)
    assert len(np.unique(agree)) > 2  # in a block of Hadamard's, 0 or 4


def test_one_column_is_in_the_first_run_of_half_of_the_pairs():
    first = sample_varied_masks(4000, 9, np.array([6]), 0.5).dense()[::2, 6]
    assert abs(first.mean() - 0.5) < 5 * np.sqrt(0.25 / 2000)


def test_varying_columns_are_independent_of_the_others():
    masks = draw(20_000)[::2].astype(float)
    correlation = np.corrcoef(masks.T)[np.ix_(COLUMNS, OTHERS)]
    assert abs(correlation).max() < 5 / np.sqrt(10_000)


def test_a_mask_depends_on_its_run_only():
    masks = draw(60, random_state=3)
    some = np.array([41, 3, 2, 59])
    assert_array_equal(draw(some, random_state=3), masks[some])
    assert (draw(60, random_state=4) != masks).any()


@pytest.mark.parametrize("n_train", [16, 20])
def test_pairs_are_found_in_any_order_and_with_seeds_that_coincide(n_train):
    masks = sample_varied_masks(12, n_train, COLUMNS, 0.5).dense()
    seeds = np.array([7, 7, 3, 3, 7, 7, 5, 5, 6, 6, 8, 8], np.uint32)
    order = np.random.default_rng(0).permutation(12)
    if order[0] in (0, 1, 4, 5):  # the first seed should be that of one pair
        order = np.roll(order, -1)
    packed = PackedMasks.from_dense(masks[order])
    pairs = find_varied_pairs(packed, seeds[order])
    assert_array_equal(pairs.columns, COLUMNS)
    found = {frozenset(order[[i, j]]) for i, j in zip(*pairs[1:3], strict=True)}
    assert found == {frozenset((i, i + 1)) for i in range(0, 12, 2)}
    dense = packed.dense().astype(float)
    difference = dense[pairs.first] - dense[pairs.second]
    assert_allclose(difference[:, COLUMNS], pairs.signs)


def test_other_runs_are_not_taken_for_pairs():
    pairs = np.arange(40) // 2
    masks = sample_varied_masks(40, 20, COLUMNS, 0.5)
    assert find_varied_pairs(masks, pairs) is not None
    assert find_varied_pairs(masks, None) is None
    assert find_varied_pairs(masks, np.arange(40)) is None  # seeds of their own
    assert find_varied_pairs(masks[1:], pairs[1:]) is None  # half of a pair
    assert find_varied_pairs(masks, np.roll(pairs, 1)) is None  # not alike
    complementary = sample_masks(40, 20, 0.5, design="complementary")
    assert find_varied_pairs(complementary, pairs) is None
    other = sample_varied_masks(40, 20, COLUMNS[:2], 0.5)
    both = PackedMasks(np.concatenate([masks.bits, other.bits]), 20)
    assert find_varied_pairs(both, np.arange(80) // 2) is None
