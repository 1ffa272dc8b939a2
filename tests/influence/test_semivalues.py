from itertools import pairwise, permutations
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import beta as beta_function

from skdatamodels.influence import (
    DifferenceOfMeans,
    banzhaf_values,
    shapley_values,
)
from skdatamodels.masks import PackedMasks, sample_masks

N = 5
EVERY = ((np.arange(2**N)[:, None] >> np.arange(N)) & 1).astype(bool)
GAME = np.random.default_rng(0).normal(size=(2**N, 2))  # any output of any subset


def _marginals(game=GAME):
    """Mean marginal contribution to subsets of each size: (n_sizes, n_targets, N)."""
    mean = np.zeros((N, game.shape[1], N))
    for members, mask in enumerate(EVERY):
        for i in np.flatnonzero(~mask):
            size = mask.sum()
            gain = game[members | 1 << i] - game[members]
            mean[size, :, i] += gain / comb(N - 1, size)
    return mean


def _as_drawn(alpha, game=GAME):
    """All subsets, each as often as drawing them from Bernoulli(alpha) would."""
    sizes = EVERY.sum(axis=1)
    odds = round(alpha * 10), round((1 - alpha) * 10)
    times = odds[0] ** sizes * odds[1] ** (N - sizes)
    times //= np.gcd.reduce(times)
    return np.repeat(EVERY, times, axis=0), np.repeat(game, times, axis=0)


def test_banzhaf_is_the_mean_over_all_subsets():
    weights = np.array([comb(N - 1, size) for size in range(N)]) / 2 ** (N - 1)
    expected = np.tensordot(weights, _marginals(), axes=1)
    assert_allclose(banzhaf_values((EVERY, GAME)), expected, atol=1e-12)


def test_banzhaf_is_the_difference_of_means():
    masks = sample_masks(200, 30, 0.5, design="bernoulli")
    outputs = np.random.default_rng(0).normal(size=(200, 3))
    runs = SimpleNamespace(packed=masks, outputs=outputs)
    expected = DifferenceOfMeans().fit(masks, outputs).coef_
    assert_allclose(banzhaf_values(runs), expected)
    assert banzhaf_values((masks, outputs[:, 0])).shape == (1, 30)


def test_reference_by_size_is_the_shapley_value_of_all_orders():
    """The mean over sizes, which the tests below compare with, is Shapley's own."""
    expected = np.zeros((2, N))
    orders = list(permutations(range(N)))
    for order in orders:
        members = 0
        for i in order:
            gain = GAME[members | 1 << i] - GAME[members]
            expected[:, i] += gain / len(orders)
            members |= 1 << i
    assert_allclose(_marginals().mean(axis=0), expected, atol=1e-12)


def _pairs_game():
    """Output with interactions of pairs: contributions are straight in alpha."""
    rng = np.random.default_rng(1)
    single, pair = rng.normal(size=(N, 2)), rng.normal(size=(N, N, 2))
    return EVERY @ single + np.einsum("si,sk,ikt->st", EVERY, EVERY, pair)


def test_shapley_of_pairs_is_exact():
    game = _pairs_game()
    runs = {alpha: _as_drawn(alpha, game) for alpha in (0.2, 0.5, 0.8)}
    values = shapley_values(runs)
    assert_allclose(values, _marginals(game).mean(axis=0), atol=1e-10)
    assert_allclose(values.sum(axis=1), game[-1] - game[0], atol=1e-10)


def test_shapley_of_any_game_comes_close():
    runs = {alpha: _as_drawn(alpha) for alpha in np.arange(1, 10) / 10}
    expected = _marginals().mean(axis=0)
    assert_allclose(shapley_values(runs), expected, atol=0.05)


@pytest.mark.parametrize("beta", [(1, 1), (4, 1), (1, 4), (2.5, 1.5)])
def test_beta_shapley(beta):
    """The weight of a size is the Beta integral that Kwon and Zou define."""
    a, b = beta
    sizes = np.arange(N)
    weights = [
        comb(N - 1, size)
        * beta_function(size + b, N - 1 - size + a)
        / beta_function(b, a)
        for size in sizes
    ]
    assert sum(weights) == pytest.approx(1)
    expected = np.tensordot(weights, _marginals(), axes=1)
    runs = {alpha: _as_drawn(alpha) for alpha in np.arange(1, 10) / 10}
    values = shapley_values(runs, beta=beta)
    # What lies beyond the outermost alphas is not known; so near, not equal.
    assert_allclose(values, expected, atol=0.25)
    other = np.tensordot(weights[::-1], _marginals(), axes=1)
    if a != b:
        assert abs(values - expected).mean() < 0.5 * abs(values - other).mean()


@pytest.mark.parametrize("beta", [(1, 1), (16, 1), (0.5, 3)])
def test_weights_integrate_the_interpolated_contribution(beta):
    """Against numerical integration of the interpolation times the density."""
    from skdatamodels.influence._semivalues import _integration_weights

    a, b = beta
    alphas = np.array([0.1, 0.3, 0.5, 0.9])
    values = np.array([1.0, -2.0, 0.5, 4.0])

    def integrand(t):
        density = t ** (b - 1) * (1 - t) ** (a - 1) / beta_function(b, a)
        return np.interp(t, alphas, values) * density

    edges = np.r_[0, alphas, 1]
    expected = sum(quad(integrand, low, high)[0] for low, high in pairwise(edges))
    assert _integration_weights(alphas, *beta) @ values == pytest.approx(expected)


def test_subsets_of_one_size_shift_the_values_alone():
    """What Notes say: over all sizes, Shapley's values less one number a target."""
    at_size = [
        DifferenceOfMeans().fit(EVERY[rows], GAME[rows]).coef_
        for rows in (EVERY.sum(axis=1) == size for size in range(1, N))
    ]
    total = np.sum(at_size, axis=0) / N
    assert_allclose(total.sum(axis=1), 0, atol=1e-12)
    shift = (GAME[-1] - GAME[0]) / N
    expected = _marginals().mean(axis=0) - shift[:, None]
    assert_allclose(total, expected, atol=1e-12)


def test_one_alpha_is_its_difference_of_means():
    masks = sample_masks(100, 20, 0.3)
    outputs = np.random.default_rng(0).normal(size=(100, 2))
    expected = DifferenceOfMeans().fit(masks, outputs).coef_
    for beta in [(1, 1), (16, 1)]:
        assert_allclose(shapley_values({0.3: (masks, outputs)}, beta=beta), expected)


MASKS = PackedMasks.from_dense(EVERY)


@pytest.mark.parametrize(
    ("runs", "beta", "message"),
    [
        (
            {0.3: (np.tile(EVERY, (20, 1)), np.tile(GAME, (20, 1)))},
            (1, 1),
            "at alpha=0.3 use 0.500",
        ),
        ({1.5: (MASKS, GAME)}, (1, 1), "between 0 and 1, got 1.5"),
        ({0.5: (MASKS, GAME)}, (1, 0), "two positive numbers"),
        ({0.5: (MASKS, GAME)}, (1,), "two positive numbers"),
        ({0.5: (MASKS, GAME[1:])}, (1, 1), "Outputs must have shape"),
        (
            {0.5: (MASKS, GAME), 0.2: _as_drawn(0.2, GAME[:, :1])},
            (1, 1),
            "same training set and targets",
        ),
    ],
)
def test_bad_input(runs, beta, message):
    with pytest.raises(ValueError, match=message):
        shapley_values(runs, beta=beta)


def test_bad_types_and_design():
    with pytest.raises(TypeError, match="dict from alpha"):
        shapley_values((MASKS, GAME))
    with pytest.raises(ValueError, match=r"at alpha=0.5 use 0.800"):
        banzhaf_values(_as_drawn(0.8))
