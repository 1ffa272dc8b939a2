from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.stats import chi2

from skdatamodels.masks import DESIGNS, PackedMasks, sample_masks, subset_size
from skdatamodels.masks._designs import seed_runs

_Y = np.repeat(["a", "b", "c"], [7, 12, 21])
_HALF_ONLY = ["complementary", "orthogonal"]


def alpha_for(design, alpha):
    return 0.5 if design in _HALF_ONLY else alpha


@given(st.integers(2, 300), st.floats(0.001, 0.999), st.integers(0, 2**32))
@settings(max_examples=60)
def test_uniform_subsets_have_exactly_the_size(n_train, alpha, random_state):
    size = round(alpha * n_train)
    if not 0 < size < n_train:
        with pytest.raises(ValueError, match="between 1 and n_train - 1"):
            subset_size(n_train, alpha)
        return
    masks = sample_masks(5, n_train, alpha, random_state=random_state)
    assert isinstance(masks, PackedMasks)
    assert masks.shape == (5, n_train)
    assert subset_size(n_train, alpha) == size
    assert (masks.dense().sum(axis=1) == size).all()


def _p_value(statistic, degrees):
    return chi2.sf(statistic, degrees)


@pytest.mark.parametrize(
    ("design", "block"),
    [("uniform", 1), ("stratified", 1), ("complementary", 2), ("balanced", 20)],
)
def test_every_subset_is_as_likely(design, block):
    """The whole law: with n = 6 and size 3 all 20 subsets are equally likely.

    At each position of a block; blocks are independent.
    """
    for position in {0, block // 4, block - 1}:
        ids = np.arange(1500) * block + position
        _check_all_subsets(sample_masks(ids, 6, 0.5, design=design, y=[0] * 6))


def _check_all_subsets(masks):
    n_runs = len(masks)
    subsets, counts = np.unique(masks.bits, axis=0, return_counts=True)
    assert len(subsets) == 20
    expected = n_runs / 20
    assert _p_value(((counts - expected) ** 2 / expected).sum(), 19) > 1e-3


def test_uniform_inclusion_and_pair_counts():
    """Counts of examples and of pairs, standardised, against their chi-square law.

    The inclusion counts of uniform subsets have variance m·α(1-α) and sum to a
    constant, so Σ(count - mα)²/(mα(1-α)) · (n-1)/n is chi-square of n - 1 degrees
    (asymptotically in m). Pairs: each is in with p = s(s-1)/n(n-1), so each count lies
    within 5 standard deviations of mp but for a chance of 780 · 6e-7 = 5e-4.
    """
    n_runs, n_train, size = 4000, 40, 12
    masks = sample_masks(n_runs, n_train, 0.3, random_state=2)
    gram = masks.gram()
    p = size / n_train
    deviations = gram.diagonal() - n_runs * p
    statistic = (deviations**2).sum() / (n_runs * p * (1 - p))
    tail = _p_value(statistic * (n_train - 1) / n_train, n_train - 1)
    assert 1e-3 < tail < 1 - 1e-3  # neither too uneven nor too even
    p = size * (size - 1) / (n_train * (n_train - 1))
    pairs = gram[np.triu_indices(n_train, 1)]
    assert abs(pairs - n_runs * p).max() < 5 * np.sqrt(n_runs * p * (1 - p))
    assert pairs.sum() == n_runs * size * (size - 1) / 2  # sizes are exact


def test_runs_are_independent():
    """Overlaps of successive runs are hypergeometric: mean s²/n, variance below."""
    n_runs, n_train, size = 4000, 40, 20
    dense = sample_masks(n_runs, n_train, 0.5, random_state=3).dense()
    overlaps = (dense[::2] & dense[1::2]).sum(axis=1)
    variance = size * 0.5 * 0.5 * (n_train - size) / (n_train - 1)
    error = np.sqrt(variance / len(overlaps))
    assert abs(overlaps.mean() - size**2 / n_train) < 4 * error
    # the variance of a sample variance is about 2σ⁴/m
    error = variance * np.sqrt(2 / len(overlaps))
    assert abs(overlaps.var() - variance) < 4 * error


@pytest.mark.parametrize("alpha", [0.2, 0.7])
def test_bernoulli_examples_are_independent(alpha):
    n_runs, n_train = 5000, 30
    masks = sample_masks(n_runs, n_train, alpha, design="bernoulli", random_state=4)
    gram = masks.gram()
    deviations = gram.diagonal() - n_runs * alpha
    statistic = (deviations**2).sum() / (n_runs * alpha * (1 - alpha))
    assert 1e-3 < _p_value(statistic, n_train) < 1 - 1e-3
    p = alpha**2
    pairs = gram[np.triu_indices(n_train, 1)]  # 435 pairs: 5σ has chance 3e-4
    assert abs(pairs - n_runs * p).max() < 5 * np.sqrt(n_runs * p * (1 - p))
    # sizes are binomial, not fixed
    sizes = masks.dense().sum(axis=1)
    variance = n_train * alpha * (1 - alpha)
    assert abs(sizes.var() - variance) < 4 * variance * np.sqrt(2 / n_runs)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.floats(0.02, 0.98),
    st.integers(0, 2**32),
)
@settings(max_examples=100)
def test_stratified_sizes(counts, alpha, random_state):
    n_train = sum(counts)
    size = round(alpha * n_train)
    if not 0 < size < n_train:
        return
    rng = np.random.default_rng(random_state)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    masks = sample_masks(
        3, n_train, alpha, design="stratified", random_state=random_state, y=y
    ).dense()
    assert (masks.sum(axis=1) == size).all()
    for label, count in enumerate(counts):
        in_class = masks[:, y == label].sum(axis=1)
        assert (abs(in_class - alpha * count) < 1 + 1e-9).all()


def test_stratified_gives_each_example_of_a_class_the_same_chance():
    n_runs = 4000
    masks = sample_masks(n_runs, 40, 0.3, design="stratified", random_state=5, y=_Y)
    counts = masks.column_counts()
    for label in "abc":
        n = (label == _Y).sum()
        p = counts[label == _Y].mean() / n_runs
        # 12 of 40: 0.3 · (7, 12, 21) = (2.1, 3.6, 6.3), so 2, 4 and 6
        assert round(p * n, 9) == {"a": 2, "b": 4, "c": 6}[label]
        statistic = ((counts[label == _Y] - n_runs * p) ** 2).sum()
        statistic *= (n - 1) / n / (n_runs * p * (1 - p))
        assert 1e-3 < _p_value(statistic, n - 1) < 1 - 1e-3


def test_stratified_ties_are_broken_at_random():
    """Four classes of 5 at α = ½: two of the four get 3, each pair as often."""
    y = np.repeat(np.arange(4), 5)
    masks = sample_masks(3000, 20, 0.5, design="stratified", random_state=6, y=y)
    larger = masks.dense().reshape(-1, 4, 5).sum(axis=2) == 3
    assert (larger.sum(axis=1) == 2).all()
    counts = np.array(
        [(larger[:, i] & larger[:, j]).sum() for i, j in combinations(range(4), 2)]
    )
    assert _p_value(((counts - 500) ** 2 / 500).sum(), 5) > 1e-3


@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_a_run_depends_on_its_id_alone(design):
    first = alpha_for(design, 0.4)

    def draw(ids, random_state=7, alpha=first):
        masks = sample_masks(
            ids, 40, alpha, design=design, random_state=random_state, y=_Y
        )
        return masks.dense()

    whole = draw(30)
    assert_array_equal(draw(np.arange(30)), whole)
    ids = np.random.default_rng(0).permutation(30)[:11]
    assert_array_equal(draw(ids), whole[ids])
    assert_array_equal(draw([29]), whole[[29]])
    assert_array_equal(draw(list(range(30, -1, -1)))[1:], whole[::-1])
    far = draw([10**12, 5])
    assert_array_equal(far[1], whole[5])
    assert (far[0] != far[1]).any()
    assert len(np.unique(whole, axis=0)) == 30
    others = draw(30, random_state=8)
    assert (others != whole).any(axis=1).all()
    if design not in _HALF_ONLY:
        assert (draw(30, alpha=0.5) != whole).any()


@given(st.sampled_from(sorted(DESIGNS)), st.data())
@settings(max_examples=50)
def test_any_runs_in_any_order_and_number_of_fractions(design, data):
    n_train = data.draw(st.integers(4, 60))
    fraction = st.just(0.5) if design in _HALF_ONLY else st.floats(0.2, 0.8)
    alphas = data.draw(st.lists(fraction, min_size=1, max_size=4))
    kept = {"design": design, "random_state": 3, "y": np.arange(n_train) % 3}
    whole = sample_masks(90, n_train, alphas, **kept)
    ids = data.draw(st.lists(st.integers(0, 89), min_size=1, unique=True))
    assert_array_equal(sample_masks(ids, n_train, alphas, **kept).bits, whole[ids].bits)
    if len(alphas) == 1:
        alone = sample_masks(ids, n_train, alphas[0], **kept)
        assert_array_equal(alone.bits, whole[ids].bits)


@pytest.mark.parametrize("design", ["uniform", "stratified", "balanced"])
def test_runs_take_turns_with_several_fractions(design):
    alphas = (0.2, 0.5, 0.75)
    masks = sample_masks(900, 40, alphas, design=design, y=_Y).dense()
    for turn, size in enumerate([8, 20, 30]):
        of_one = masks[turn::3]
        assert (of_one.sum(axis=1) == size).all()
        assert len(np.unique(of_one, axis=0)) == 300
        if design == "balanced":
            assert (of_one.reshape(15, 20, 40).sum(axis=1) == size // 2).all()


@given(st.integers(2, 200), st.integers(0, 2**32))
@settings(max_examples=50)
def test_complementary_pairs(n_train, random_state):
    masks = sample_masks(
        20, n_train, 0.5, design="complementary", random_state=random_state
    ).dense()
    assert_array_equal(masks[1::2], ~masks[::2])
    assert (masks[::2].sum(axis=1) == round(n_train / 2)).all()


@given(st.integers(2, 200), st.floats(0.001, 0.999), st.integers(0, 2**32))
@settings(max_examples=100)
def test_balanced_counts_and_sizes(n_train, alpha, random_state):
    size = round(alpha * n_train)
    if not 0 < size < n_train:
        return
    masks = sample_masks(
        60, n_train, alpha, design="balanced", random_state=random_state
    ).dense()
    assert (masks.sum(axis=1) == size).all()
    counts = masks.reshape(3, 20, n_train).sum(axis=1)
    assert (abs(counts - 20 * size / n_train) < 1).all()


def test_balanced_runs_are_otherwise_as_good_as_independent():
    """Of a block's 20 subsets any two overlap in s·(s·20/n - 1)/19 on average.

    For Σ over the block's other subsets of the overlap with one is Σ over its s members
    of the number of others that hold them, 20·s/n - 1, exactly; no pair is special.
    """
    n_blocks, n_train, size = 500, 40, 16
    masks = sample_masks(20 * n_blocks, n_train, 0.4, design="balanced", random_state=3)
    blocks = masks.dense().reshape(n_blocks, 20, n_train)
    expected = size * (20 * size / n_train - 1) / 19
    for i, j in [(0, 1), (0, 19), (9, 10), (18, 19)]:
        overlaps = (blocks[:, i] & blocks[:, j]).sum(axis=1)
        error = overlaps.std() / np.sqrt(n_blocks)
        assert abs(overlaps.mean() - expected) < 4.5 * error


@given(st.integers(2, 150), st.integers(0, 2**32))
@settings(max_examples=40)
def test_orthogonal_examples_are_uncorrelated_over_a_block(n_train, random_state):
    """Signs ±1 of a block: Gram matrix 2N·I, sum zero, each row with its negative.

    So squared row sums are n_train on average: the variance of independent examples.
    """
    order = next(
        p + 1
        for p in range(3, 1000, 4)
        if p + 1 >= n_train and all(p % k for k in range(2, p))
    )
    masks = sample_masks(
        4 * order, n_train, 0.5, design="orthogonal", random_state=random_state
    )
    for block in masks.dense().reshape(2, 2 * order, n_train):
        signs = np.where(block, 1, -1)
        assert_array_equal(signs.T @ signs, 2 * order * np.eye(n_train))
        assert_array_equal(signs.sum(axis=0), 0)
        assert_array_equal(signs[::2], -signs[1::2])
        assert (signs.sum(axis=1) ** 2).mean() == n_train


def test_orthogonal_blocks_differ_and_any_part_is_balanced_in_examples():
    masks = sample_masks(176, 40, 0.5, design="orthogonal").dense()  # N = 44
    assert len(np.unique(masks, axis=0)) == 176
    first_of_blocks = sample_masks(
        88 * np.arange(2000), 40, 0.5, design="orthogonal"
    ).dense()
    counts = first_of_blocks.sum(axis=0)
    assert _p_value(((counts - 1000) ** 2 / 500).sum(), 40) > 1e-3


def test_designs_differ_and_random_state_of_any_kind():
    uniform = sample_masks(9, 40, 0.5, random_state=0).dense()
    stratified = sample_masks(9, 40, 0.5, design="stratified", random_state=0, y=_Y)
    assert (uniform != stratified.dense()).any(axis=1).all()
    fresh = [sample_masks(9, 40, 0.5, random_state=None).bits for _ in range(2)]
    assert (fresh[0] != fresh[1]).any()
    for make in (np.random.RandomState, np.random.default_rng):
        same = [sample_masks(9, 40, 0.5, random_state=make(3)).bits for _ in range(2)]
        assert_array_equal(*same)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5, np.nan, np.inf])
@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_alpha_is_a_fraction(design, alpha):
    with pytest.raises(ValueError, match=f"between 0 and 1, got {alpha}"):
        sample_masks(3, 40, alpha, design=design, y=_Y)


@pytest.mark.parametrize(("alpha", "size"), [(0.01, 0), (0.0125, 0), (0.99, 40)])
@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_constant_masks_are_refused(design, alpha, size):
    with pytest.raises(ValueError, match=f"size {size}; .* between 1 and .* = 39"):
        sample_masks(3, 40, alpha, design=design, y=_Y)


def test_smallest_sizes_are_allowed():
    assert subset_size(40, 0.013) == 1
    assert subset_size(40, 0.985) == 39
    assert subset_size(2, 0.5) == 1


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([3, 1, 3, 2, 1], r"distinct, got \[1, 3\] more than once"),
        ([4, 2, -6], "not be negative, got -6 at position 2"),
        ([0.0, 1.0], "must be integers, got dtype float64"),
        ([True, False], "must be integers, got dtype bool"),
        (["a"], "must be integers"),
        ([], "non-empty 1-d array"),
        (0, "non-empty 1-d array"),
        (-3, "non-empty 1-d array"),
        ([[0, 1]], r"1-d array .* shape \(1, 2\)"),
    ],
)
def test_wrong_run_ids(ids, message):
    with pytest.raises(ValueError, match=message):
        sample_masks(ids, 10, 0.5)


def test_unknown_design():
    with pytest.raises(ValueError, match=r"one of .*uniform.*, got 'unifrom'"):
        sample_masks(3, 10, 0.5, design="unifrom")


@pytest.mark.parametrize("design", _HALF_ONLY)
@pytest.mark.parametrize("alpha", [0.3, [0.5, 0.4]])
def test_pairs_need_one_half(design, alpha):
    with pytest.raises(ValueError, match=rf"{design}.*needs alpha=0\.5, got 0\.[34]"):
        sample_masks(3, 10, alpha, design=design)


@pytest.mark.parametrize("alpha", [[], [[0.5]], "half", [0.5, None]])
def test_what_is_no_fraction_nor_several(alpha):
    with pytest.raises(ValueError, match="a fraction, or a list of fractions"):
        sample_masks(3, 10, alpha)


def test_seeds_are_shared_by_pairs_alone():
    ids = np.array([7, 0, 1, 2, 3, 100])
    assert_array_equal(seed_runs(ids, "uniform", 0.5), ids)
    assert_array_equal(seed_runs(ids, "balanced", 0.5), ids)
    for design in _HALF_ONLY:
        assert_array_equal(seed_runs(ids, design, 0.5), [6, 0, 0, 2, 2, 100])
        # of two fractions, runs 0 and 2 are a pair, and 1 and 3
        assert_array_equal(seed_runs(ids, design, [0.5] * 2), [5, 0, 1, 0, 1, 100])


@pytest.mark.parametrize(("y", "got"), [(None, "None"), ([0, 1], "length 2")])
def test_stratified_needs_the_classes(y, got):
    with pytest.raises(ValueError, match=f"y of length n_train=10, got {got}"):
        sample_masks(3, 10, 0.5, design="stratified", y=y)
