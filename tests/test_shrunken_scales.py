"""Scales of targets: by least squares, by a ridge objective, by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skdatamodels._shrunken_scales import centred_sums, shrunken_scales


def _data(rng, n_runs=25, n_targets=6, spread=0.5, missing=0.2, mean=2.0):
    x = rng.normal(size=(n_runs, n_targets)) * rng.uniform(0.5, 2, n_targets)
    scales = rng.normal(mean, spread, n_targets)
    noise = rng.normal(size=x.shape) * rng.uniform(0.5, 3, n_targets)
    known = (rng.random(x.shape) > missing).astype(float)
    return known, x, scales * x + noise + rng.normal(size=n_targets)


def _scales(known, x, y):
    n_runs, _, _, *sums = centred_sums(known, x, y)
    return shrunken_scales(n_runs, *sums)[:2]


def _fits_one_by_one(known, x, y):
    """Slopes and their variances by numpy's polynomials."""
    fits = []
    for keep, a, b in zip(known.T > 0, x.T, y.T, strict=True):
        slope, cov = np.polyfit(a[keep], b[keep], 1, cov=True)
        fits.append((slope[0], cov[0, 0]))
    return np.array(fits).T


def _spread(own, variance):
    """DerSimonian and Laird's, as their paper writes it, over pairs of targets.

    With weights w, Σw(ŝ - s₀)² = Σ_{j<k} wⱼwₖ(ŝⱼ - ŝₖ)²/Σw, and the same of the
    divisor.
    """
    w = 1 / variance
    pairs = [(j, k) for j in range(len(w)) for k in range(j)]
    q = sum(w[j] * w[k] * (own[j] - own[k]) ** 2 for j, k in pairs) / w.sum()
    divisor = 2 * sum(w[j] * w[k] for j, k in pairs) / w.sum()
    return max((q - (len(w) - 1)) / divisor, 0)


def _ridge(known, x, y, noise, spread):
    """Minimise Σ(y - b - s·x)²/σ² + Σ(s - s̄)²/ω² by lstsq."""
    n_targets, rows, right = x.shape[1], [], []
    for run, j in np.argwhere(known):
        row = np.zeros(2 * n_targets + 1)
        row[j], row[n_targets + j] = 1, x[run, j]
        rows.append(row / np.sqrt(noise[j]))
        right.append(y[run, j] / np.sqrt(noise[j]))
    for j in range(n_targets):
        row = np.zeros(2 * n_targets + 1)
        row[n_targets + j], row[-1] = 1, -1
        rows.append(row / np.sqrt(spread))
        right.append(0)
    solution = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]
    return solution[n_targets:-1], solution[-1]


@given(st.integers(0, 2**32 - 1))
def test_is_the_minimum_of_the_ridge_objective(seed):
    known, x, y = _data(np.random.default_rng(seed))
    own, variance = _fits_one_by_one(known, x, y)
    spread = _spread(own, variance)
    scale, pooled = _scales(known, x, y)
    about = x - (known * x).sum(axis=0) / known.sum(axis=0)
    noise = variance * (known * about**2).sum(axis=0)
    expected, common = _ridge(known, x, y, noise, max(spread, 1e-9))
    assert_allclose(pooled, max(common, 0), rtol=1e-5)
    if common > 0:
        assert_allclose(scale, np.maximum(expected, 0), atol=1e-5)


def test_recovers_mean_and_spread_of_many_scales():
    rng = np.random.default_rng(0)
    known, x, y = _data(rng, 40, 4000, spread=0.5)
    scale, pooled = _scales(known, x, y)
    assert pooled == pytest.approx(2.0, abs=0.03)
    own, variance = _fits_one_by_one(known, x, y)
    # a shrunken estimate varies by what is left of ω² = 0.25
    share = 0.25 / (0.25 + variance)
    assert_allclose(np.var(scale), np.mean(0.25 * share), rtol=0.1)
    assert np.var(scale) < 0.25 < np.var(own)


def test_is_nearer_the_truth_than_each_alone_or_all_as_one():
    rng = np.random.default_rng(0)
    truth = rng.normal(2, 0.5, 300)
    x = rng.normal(size=(12, 300))
    y = truth * x + 2 * rng.normal(size=x.shape)
    known = np.ones(x.shape)
    scale, pooled = _scales(known, x, y)
    own, _ = _fits_one_by_one(known, x, y)

    def error(estimate):
        return np.mean((estimate - truth) ** 2)

    assert error(scale) < min(error(own), error(pooled))


def test_one_target_is_least_squares():
    known, x, y = _data(np.random.default_rng(0), n_targets=1)
    scale, pooled = _scales(known, x, y)
    assert_allclose(scale, _fits_one_by_one(known, x, y)[0])
    assert scale[0] == pytest.approx(pooled)


def test_weights_count_as_repeated_runs():
    rng = np.random.default_rng(0)
    known, x, y = _data(rng)
    times = rng.integers(0, 4, len(x))
    weighted = _scales(known * times[:, None], x, y)
    repeated = _scales(*(np.repeat(part, times, axis=0) for part in (known, x, y)))
    assert_allclose(weighted[0], repeated[0])
    assert weighted[1] == pytest.approx(repeated[1])


def test_weights_below_one_count_as_their_effective_number():
    """Half the runs share all the weight but for a rest: as those alone."""
    known, x, y = _data(np.random.default_rng(0), missing=0)
    known[::2] = 1e-12
    alone = _scales(np.ones(x[1::2].shape), x[1::2], y[1::2])
    for size in (1, 0.01):
        scale, pooled = _scales(size * known, x, y)
        assert_allclose(scale, alone[0], rtol=1e-6)
        assert pooled == pytest.approx(alone[1])


def test_targets_that_cannot_tell():
    rng = np.random.default_rng(0)
    known, x, y = _data(rng, missing=0)
    known[2:, 0] = 0  # two runs
    x[:, 1] = 0.1  # the same prediction for all runs, but for rounding
    y[:, 2] = 0.1  # an output that does not vary
    known[:, 3] = 0  # no runs
    scale, pooled = _scales(known, x, y)
    others, pooled_others = _scales(known[:, 4:], x[:, 4:], y[:, 4:])
    assert pooled == pytest.approx(pooled_others)
    assert_allclose(scale[4:], others)
    assert_allclose(scale[:4], [pooled, pooled, 0, 0])


def test_no_scale_is_negative():
    known, x, y = _data(np.random.default_rng(0), mean=-2.0)
    scale, pooled = _scales(known, x, y)
    assert pooled == 0
    assert not scale.any()
    known, x, y = _data(np.random.default_rng(0), mean=1.0, spread=2.0, n_targets=50)
    scale, pooled = _scales(known, x, y)
    own, _ = _fits_one_by_one(known, x, y)
    assert pooled > 0
    assert (scale >= 0).all()
    assert (scale[own < -1] == 0).all()
    assert (own < -1).any()


@pytest.mark.parametrize("n_targets", [1, 3])
def test_outputs_without_noise_give_their_scale(n_targets):
    x = np.random.default_rng(0).normal(size=(10, n_targets))
    scale, pooled = _scales(np.ones(x.shape), x, 3 * x + 1)
    assert_allclose(scale, 3)
    assert pooled == pytest.approx(3)


def test_z_is_that_of_a_weighted_mean():
    """Without spread, the pooled scale over its error; checked on stacked targets."""
    rng = np.random.default_rng(0)
    known, x, y = _data(rng, n_runs=2000, n_targets=3, spread=0, mean=0.05, missing=0)
    own, variance = _fits_one_by_one(known, x, y)
    assert _spread(own, variance) == 0
    n_runs, _, _, *sums = centred_sums(known, x, y)
    z = shrunken_scales(n_runs, *sums)[2]
    noise = np.sqrt(variance) * x.std(axis=0) * np.sqrt(len(x))
    about_x, about_y = ((v - v.mean(axis=0)) / noise for v in (x, y))
    slope, cov = np.polyfit(about_x.ravel(), about_y.ravel(), 1, cov=True)
    assert z == pytest.approx(slope[0] / np.sqrt(cov[0, 0]), rel=0.01)
