from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

from skdatamodels.metrics import linear_datamodeling_score, noise_ceiling, optimal_mse


def _repeats(noise, n_repeats=4, n_runs=3000, n_targets=5, seed=0):
    """Return expected outputs of unit variance and noisy trainings of them."""
    rng = np.random.default_rng(seed)
    expected = rng.normal(size=(n_runs, n_targets))
    return expected, expected + noise * rng.normal(size=(n_repeats, n_runs, n_targets))


def test_reliability_is_the_mean_over_pairs():
    _, repeats = _repeats(1.0, n_runs=30)
    repeats = repeats.round(1)  # ties
    expected = [
        np.mean([spearmanr(a[:, j], b[:, j]).statistic for a, b in pairs])
        for j in range(5)
        for pairs in [list(combinations(repeats, 2))]
    ]
    raw = noise_ceiling(repeats, multioutput="raw_values")
    assert_allclose(raw**2, expected, rtol=1e-10)


@pytest.mark.parametrize("noise", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("n_averaged", [1, 5])
def test_is_the_score_of_the_expected_outputs(noise, n_averaged):
    expected, repeats = _repeats(noise)
    rng = np.random.default_rng(1)
    fresh = expected + noise * rng.normal(size=(n_averaged, *expected.shape))
    brute_force = linear_datamodeling_score(fresh.mean(axis=0), expected)
    ceiling = noise_ceiling(repeats, n_averaged=n_averaged)
    assert ceiling == pytest.approx(brute_force, abs=0.02)


def test_limits():
    _, repeats = _repeats(0.0, n_runs=20)
    assert noise_ceiling(repeats) == pytest.approx(1)
    assert optimal_mse(repeats) == 0
    # Two repeats that run against each other: a negative reliability counts as 0.
    assert noise_ceiling(np.stack([repeats[0], -repeats[0]])) == 0


def test_constant_targets_are_left_out():
    _, repeats = _repeats(1.0, n_runs=50, n_targets=3)
    repeats[:, :, 1] = 2.0
    repeats[0, :, 2] = 2.0  # one repeat that does not vary: the other pairs speak
    raw = noise_ceiling(repeats, multioutput="raw_values")
    assert np.isnan(raw[1])
    assert raw[2] == pytest.approx(noise_ceiling(repeats[1:, :, 2:]))
    assert noise_ceiling(repeats) == pytest.approx((raw[0] + raw[2]) / 2)
    with pytest.raises(ValueError, match="No target has a score"):
        noise_ceiling(repeats[:, :, 1:2])


def test_optimal_mse_is_the_noise_variance():
    noise = np.array([0.1, 0.5, 1.0, 2.0, 3.0])
    expected, repeats = _repeats(noise, n_repeats=2)
    raw = optimal_mse(repeats, multioutput="raw_values")
    assert_allclose(raw, noise**2, rtol=0.1)
    assert optimal_mse(repeats) == pytest.approx(raw.mean())
    # It is what the perfect predictor is left with, on a training unseen.
    assert_allclose(raw, ((repeats[0] - expected) ** 2).mean(axis=0), rtol=0.15)


@pytest.mark.parametrize("function", [noise_ceiling, optimal_mse])
@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        (np.ones((4, 3)), r"\(n_repeats, n_runs, n_targets\); got \(4, 3\)"),
        (np.ones((1, 4, 3)), "At least 2 repeats .* got 1 repeats of 4 runs"),
        (np.full((2, 4, 3), np.nan), "repeats is nan at repeat 0, run 0, target 0"),
    ],
)
def test_bad_input(function, repeats, message):
    with pytest.raises(ValueError, match=message):
        function(repeats)


def test_bad_n_averaged():
    with pytest.raises(ValueError, match="n_averaged"):
        noise_ceiling(np.ones((2, 4, 3)), n_averaged=0)
