"""The covariance of masks, compared with that of many masks, and what is refused."""

import numpy as np
import pytest

from skdatamodels import PackedMasks, sample_masks
from skdatamodels.inference._mask_covariance import MaskCovariance, find_pairs


def covariance_of(masks, seeds=None, strata=None, alpha=None):
    return MaskCovariance.of(masks, seeds, strata, alpha)


@pytest.mark.parametrize("design", ["uniform", "bernoulli", "stratified"])
def test_variances_are_those_of_many_masks(design):
    y = np.array([0] * 7 + [1] * 5)
    masks = sample_masks(5_000, 12, 0.4, design=design, y=y)
    found = covariance_of(masks, strata=y if design == "stratified" else None)
    assert found.fixed == (design != "bernoulli")
    expected = np.zeros((12, 12))
    for stratum, v in enumerate(found.variances().mean(axis=1)):
        own = found.stratum == stratum
        block = v * np.eye(own.sum())
        expected[np.ix_(own, own)] = block - v / own.sum() * found.fixed
    within = masks.dense(dtype=float)
    for stratum in range(len(found.n_columns)):  # sizes of strata vary by ties
        own = found.stratum == stratum
        mean = within[:, own].mean(axis=1, keepdims=True)
        within[:, own] -= mean * found.fixed
    np.testing.assert_allclose(np.cov(within.T), expected, atol=0.02)


def test_variances_without_an_excluded_column():
    masks = sample_masks(5_000, 10, 0.4)
    rows = ~masks.dense()[:, 3]
    v = covariance_of(masks).variances(excluded=0)[0, rows].mean()
    found = np.cov(np.delete(masks.dense()[rows], 3, axis=1).T)
    np.testing.assert_allclose(found, v * (np.eye(9) - 1 / 9), atol=0.025)


def test_several_sizes_are_levels():
    masks = sample_masks(60, 40, (0.25, 0.5, 0.75))
    found = covariance_of(masks)
    assert found.fixed
    np.testing.assert_array_equal(found.level, np.arange(60) % 3)
    np.testing.assert_allclose(found.alpha, [0.25, 0.5, 0.75])
    masks = sample_masks(600, 80, (0.2, 0.8), design="bernoulli")
    with pytest.raises(ValueError, match=r"vary more than .* Pass alpha"):
        covariance_of(masks)
    found = covariance_of(masks, alpha=np.resize([0.2, 0.8], 600))
    assert not found.fixed
    np.testing.assert_allclose(found.alpha, [0.2, 0.8], atol=0.02)


def test_pairs_are_complements():
    masks = sample_masks(40, 60, 0.5, design="complementary")
    order = np.random.default_rng(0).permutation(40)
    mixed = masks[order]
    for seeds in (None, order // 2, order):
        pairs = find_pairs(mixed, seeds)
        assert {frozenset(order[pair].tolist()) for pair in pairs} == {
            frozenset((2 * k, 2 * k + 1)) for k in range(20)
        }
    assert not len(find_pairs(sample_masks(40, 60, 0.5), None))
    repeated = PackedMasks(masks.bits[[0, 1, 0, 1, 0, 2]], 60)
    assert len(find_pairs(repeated, np.zeros(6, int))) == 2
    few = sample_masks(200, 8, 0.5)  # complements by chance
    assert not len(find_pairs(few, None))
    assert not len(find_pairs(few, np.arange(200)))
    few = sample_masks(200, 8, 0.5, design="complementary")
    pairs = find_pairs(few, np.arange(200) // 2)
    assert {frozenset(pair.tolist()) for pair in pairs} == {
        frozenset((2 * k, 2 * k + 1)) for k in range(100)
    }


@pytest.mark.parametrize(
    ("design", "low", "high"),
    [
        ("uniform", 1, 1),
        ("bernoulli", 1, 1),
        ("stratified", 1, 1),
        ("complementary", 1, 1),
        ("balanced", 1, 1.1),
        ("orthogonal", 0, 0),
    ],
)
def test_correlation_of_designs(design, low, high):
    y = np.arange(100) % 4
    masks = sample_masks(416, 100, 0.5, design=design, y=y)  # two blocks of 2 * 104
    strata = y if design == "stratified" else None
    assert low <= covariance_of(masks, strata=strata).correlation(masks) <= high


def test_masks_that_are_not_random_are_refused():
    rng, random = np.random.default_rng(0), sample_masks(200, 80, 0.5).dense()
    always = random.copy()
    always[:, 5] = True
    halves = np.hstack([random[:, :40], random[:, :40]])  # rows that go together
    likely = rng.random((300, 80)) < np.linspace(0.1, 0.9, 80)
    everything = np.ones((50, 80), bool)
    repeated = np.repeat(random, 3, axis=0)
    incomplete = sample_masks(100, 80, 0.5, design="orthogonal").dense()
    stratified = sample_masks(200, 80, 0.5, design="stratified", y=np.arange(80) < 8)
    cases = {
        "Training example 5 is in 200": always,
        "times those of independent": halves,
        "random subsets give": likely,
        "saw no training example": everything,
        "average the outputs of": repeated,
        "of 160 runs each": incomplete,
    }
    for message, masks in cases.items():
        packed = PackedMasks.from_dense(masks)
        with pytest.raises(ValueError, match=message):
            covariance_of(packed).correlation(packed)
    bernoulli = sample_masks(200, 80, 0.5, design="bernoulli")
    with pytest.raises(ValueError, match="strata are for subsets of fixed size"):
        covariance_of(bernoulli, strata=np.arange(80) % 2)
    covariance_of(stratified, strata=(np.arange(80) < 8).astype(int))


def test_two_sizes_are_not_random_ones():
    # the variance of sizes 2 and 5 of 12 is nearly that of a binomial distribution
    found = covariance_of(sample_masks(400, 12, (0.2, 0.4)))
    assert found.fixed
    np.testing.assert_allclose(found.alpha, [2 / 12, 5 / 12])
    assert not covariance_of(sample_masks(400, 12, 0.3, design="bernoulli")).fixed


@pytest.mark.parametrize("seed", [28, 350, 433, 647, 851])
def test_few_small_subsets_are_not_refused(seed):
    masks = sample_masks(30, 6, 0.1, design="bernoulli", random_state=seed)
    found = covariance_of(masks, alpha=np.full(30, 0.1))
    assert found.correlation(masks) == 1


def test_columns_in_no_run_do_not_count():
    masks = sample_masks(30, 6, 0.1, design="bernoulli", random_state=2)
    assert masks.column_counts().min() == 0
    found = covariance_of(masks, alpha=np.full(30, 0.1))
    assert found.correlation(masks) == 1


@pytest.mark.parametrize(
    ("sizes", "alpha"), [((3, 3, 3, 3, 3), 0.5), ((30, 3, 3), 0.2)]
)
def test_small_strata_whose_sizes_vary_by_rounding(sizes, alpha):
    y = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(20):
        masks = sample_masks(
            300, len(y), alpha, design="stratified", y=y, random_state=seed
        )
        design = MaskCovariance.of(masks, np.arange(300), y, None)
        assert design.correlation(masks) == 1  # 2.0 if sizes were taken as fixed
