"""The fit of effects of sets: against brute force, scipy, and simulated effects."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize, nnls

from skdatamodels.auditing._effect_check import (
    EffectCheck,
    fit_check,
    half_widths,
    predicted_changes,
)
from skdatamodels.auditing._effect_model import (
    conformal_quantile,
    fit_changes,
    fit_variances,
)
from skdatamodels.auditing._set_sums import SetSums

N_JUDGED, N_TRAIN = 30, 80


def draw_sets(rng, n_sets, sizes=(1, 2, 4, 8)):
    """Return sets of weights, and the judged row of each."""
    weights = rng.standard_t(4, size=(N_JUDGED, N_TRAIN))
    owner = np.resize(np.arange(N_JUDGED), n_sets)
    sets = np.zeros((n_sets, N_TRAIN), dtype=bool)
    for k, (one, row) in enumerate(zip(sets, owner, strict=True)):
        order = np.argsort(weights[row])
        size = sizes[k // 2 % len(sizes)]
        one[order[-size:] if k % 2 else order[:size]] = True
    return weights, sets, owner


def test_sums_over_pairs_of_rows():
    rng = np.random.default_rng(0)
    weights, sets, _ = draw_sets(rng, 6)
    variance = rng.random((N_JUDGED, 6))
    sums = SetSums.of(weights, variance, sets)
    for k, one in enumerate(sets):
        rows = np.flatnonzero(one)
        assert sums.size[k] == len(rows)
        for row, w in enumerate(weights):
            pairs = sum(w[i] * abs(w[j]) for i, j in permutations(rows, 2))
            assert_allclose(sums.alone[row, k], -w[rows].sum())
            assert_allclose(sums.joint[row, k], -pairs / np.abs(w).sum(), atol=1e-12)
        assert_allclose(sums.strength[k], np.abs(weights[:, rows]).sum(1).mean())
    some = sums.pairs(np.array([3, 5]), np.array([1, 4]))
    assert_allclose(some.joint, [sums.joint[3, 1], sums.joint[5, 4]])
    assert_allclose(some.strength, sums.strength[[1, 4]])


@pytest.mark.parametrize("truth", [(0.5, 2.0), (0.7, 0.0), (0.5, -1.0), (-0.4, 1.0)])
def test_changes_are_those_of_nonnegative_least_squares(truth):
    rng = np.random.default_rng(1)
    weights, sets, owner = draw_sets(rng, 60)
    sums = SetSums.of(weights, np.ones((N_JUDGED, 60)), sets)
    sums = sums.pairs(owner, np.arange(60))
    scale, growth = truth
    true = scale * (sums.alone + growth * sums.joint) + 0.1 * rng.normal(size=60)
    weight = rng.uniform(1, 2, 60)
    found = fit_changes(sums, true, weight)
    root = np.sqrt(weight)
    table = root[:, None] * np.stack([sums.alone, sums.joint], axis=1)
    if scale > 0:
        expected = nnls(table, root * true)[0]
        assert_allclose([found[0], found[0] * found[1]], expected, atol=1e-9)
    else:
        assert found == (0, 0)


def test_growth_is_bounded():
    rng = np.random.default_rng(1)
    weights, sets, owner = draw_sets(rng, 60)
    sums = SetSums.of(weights, np.ones((N_JUDGED, 60)), sets)
    sums = sums.pairs(owner, np.arange(60))
    scale, growth = fit_changes(sums, 9 * sums.joint + 0.1 * sums.alone, np.ones(60))
    assert growth == 5
    table = sums.alone + 5 * sums.joint
    expected = np.linalg.lstsq(
        table[:, None], 9 * sums.joint + 0.1 * sums.alone, rcond=None
    )[0]
    assert_allclose(scale, expected[0])


def test_variances_are_those_of_largest_likelihood():
    rng = np.random.default_rng(2)
    parts = rng.gamma(0.5, size=(3, 400)) * np.array([[1.0], [100.0], [0.01]])
    errors = rng.normal(size=400) * np.sqrt(np.array([0.5, 0.02, 0]) @ parts + 1e-3)
    weight = rng.uniform(1, 3, 400)
    unit = parts.mean(axis=1)

    def loss(factors):
        variance = (factors / unit) @ parts + 1e-9
        return weight @ (np.log(variance) + errors**2 / variance)

    best = minimize(loss, np.full(3, 0.3), bounds=[(0, None)] * 3, method="L-BFGS-B")
    found = fit_variances(parts, errors, weight)
    assert loss(found * unit) < best.fun + 0.01 * abs(best.fun)
    assert_allclose(found[:2] * unit[:2], best.x[:2], rtol=0.05)


def test_variances_without_errors_or_parts():
    parts = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert_allclose(fit_variances(parts, np.zeros(2), np.ones(2)), [0, 0])
    assert_allclose(fit_variances(0 * parts, np.ones(2), np.ones(2)), [0, 0])
    found = fit_variances(parts, np.sqrt([3.0, 6.0]), np.ones(2))
    assert_allclose(found, [0, 3])


def test_conformal_quantile_holds_for_a_further_score():
    rng = np.random.default_rng(3)
    scores = rng.exponential(size=(4000, 40))
    bounds = np.array([conformal_quantile(row[:-1]) for row in scores])
    # with 39 others, the share is exactly 38 / 40
    assert abs((scores[:, -1] <= bounds).mean() - 0.95) < 0.015
    assert conformal_quantile(np.array([3.0, 1.0])) == 3


def simulate(rng, sums, truth, noise):
    """Return true effects that follow the model of EffectCheck."""
    change = truth.scale * (sums.alone + truth.growth * sums.joint)
    variance = truth.spread**2 * sums.variance + noise[:, None] ** 2
    variance += (truth.growth_error * truth.scale * sums.joint) ** 2
    variance += (truth.shared_error * truth.scale * sums.strength) ** 2
    return change + np.sqrt(variance) * rng.normal(size=change.shape)


@pytest.mark.parametrize(
    "truth",
    [
        EffectCheck(0.5, 0.6, None, 2.0, 0.5, 0.1),
        EffectCheck(0.5, 3.0, None, 0.0, 0.0, 0.0),
        EffectCheck(0.7, 0.7, None, 1.0, 1.0, 0.0),
    ],
    ids=["all", "weights", "growth"],
)
def test_intervals_hold_for_other_sets(truth):
    """At each size, for sets of a judged row and for random ones."""
    rng = np.random.default_rng(4)
    noise = rng.uniform(0.05, 0.2, N_JUDGED)
    weights, sets, owner = draw_sets(rng, 480)
    random = np.zeros((80, N_TRAIN), dtype=bool)
    for k, one in enumerate(random):
        one[rng.choice(N_TRAIN, [1, 2, 4, 8][k % 4], replace=False)] = True
    of_row = rng.gamma(2.0, 0.01, size=(N_JUDGED, N_TRAIN))

    def sums_of(some):
        return SetSums.of(weights, of_row @ some.T, some)

    sums = sums_of(sets[:48])
    check = fit_check(sums, simulate(rng, sums, truth, noise), owner[:48], noise)
    assert_allclose(check.scale, truth.scale, rtol=0.15)
    assert_allclose(check.growth, truth.growth, atol=0.5)
    assert check.n_most == 8
    sums = sums_of(np.concatenate([sets[48:], random]))
    true = simulate(rng, sums, truth, noise)
    held = np.abs(true - predicted_changes(check, sums)) <= half_widths(check, sums)
    of_owner = held[owner[48:], np.arange(432)]
    for size in (1, 2, 4, 8):
        assert 0.88 < of_owner[sums.size[:432] == size].mean() <= 1
        assert 0.88 < held[:, 432:][:, sums.size[432:] == size].mean() <= 1
    sums = sums_of(sets)
    needed = half_widths(truth._replace(noise=noise), sums).mean()
    assert 0.9 < half_widths(check, sums).mean() / needed < 1.8


def test_failed_trainings_and_weights_of_zero_check_nothing():
    rng = np.random.default_rng(5)
    weights, sets, owner = draw_sets(rng, 8)
    sums = SetSums.of(weights, np.ones((N_JUDGED, 8)), sets)
    failed = np.full((N_JUDGED, 8), np.nan)
    assert fit_check(sums, failed, owner, np.ones(N_JUDGED)).n_most is None
    zero = SetSums.of(0 * weights, np.ones((N_JUDGED, 8)), sets)
    assert fit_check(zero, failed * 0 + 1, owner, np.ones(N_JUDGED)).n_most is None
    some = sums.alone.copy()
    some[:, 0] = np.nan
    check = fit_check(sums, some, owner, np.zeros(N_JUDGED))
    assert_allclose([check.scale, check.growth], [1, 0], atol=1e-9)
