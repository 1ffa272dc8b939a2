"""compare_alphas, against multilinear extensions and Shapley values by enumeration."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.inference import compare_alphas
from skdatamodels.masks import sample_masks

N = 6
ALPHAS = (0.1, 0.5, 0.9)
LEAST_SQUARES = DatamodelRegressor(lam=1e-4)


def game(masks):
    """Two copies, two that need each other, one alone, and one without any effect."""
    a, b, c, d, e, _ = (masks[:, i] * 1.0 for i in range(N))
    return np.column_stack([np.maximum(a, b) + 2 * c * d + 0.5 * e, -1 - c * d + a])


def weights_by_enumeration(alpha):
    """Return the mean effects (2, N) on subsets in which each other one has alpha."""
    found = np.zeros((2, N))
    for number in range(2**N):
        mask = number >> np.arange(N) & 1
        for i in np.flatnonzero(mask == 0):
            others = np.delete(mask, i)
            chance = np.prod(np.where(others, alpha, 1 - alpha))
            both = np.array([mask, mask | (np.arange(N) == i)])
            found[:, i] += chance * np.diff(game(both), axis=0)[0]
    return found


def shapley_by_permutations():
    """Return the mean effects (2, N) over all orders."""
    found = np.zeros((2, N))
    for order in permutations(range(N)):
        masks = np.zeros((N + 1, N), bool)
        for position, i in enumerate(order):
            masks[position + 1 :, i] = True
        found[:, list(order)] += np.diff(game(masks), axis=0).T
    return found / factorial(N)


def pool(n_runs, seed=0, **params):
    params = {"design": "bernoulli", "random_state": seed} | params
    masks = sample_masks(n_runs, N, ALPHAS, **params)
    return TrainingRuns(masks, game(masks.dense()), output="prediction")


@pytest.fixture(scope="module")
def comparison():
    alpha = np.resize(ALPHAS, 6000)
    return compare_alphas(pool(6000), alpha=alpha, regressor=LEAST_SQUARES)


def test_weights_are_derivatives_of_the_multilinear_extension(comparison):
    for alpha, weights, error in zip(
        ALPHAS, comparison.weights, comparison.standard_error, strict=True
    ):
        expected = weights_by_enumeration(alpha)
        assert (abs(weights - expected) < 4.5 * error + 1e-6).all()
        assert error.max() < 0.1


def test_shapley_values_are_those_of_all_orders(comparison):
    """These weights are linear in alpha, so the polynomials are exact."""
    expected = shapley_by_permutations()
    assert_allclose(comparison.shapley, expected, atol=0.08)
    low, high = np.moveaxis(comparison.shapley_interval(0.999), -1, 0)
    assert ((low <= expected) & (expected <= high)).all()
    nodes, factors = np.polynomial.legendre.leggauss(5)
    integral = np.tensordot(factors / 2, comparison.curve((nodes + 1) / 2), axes=1)
    assert_allclose(integral, comparison.shapley)


def test_sum_of_shapley_values(comparison):
    everything, nothing = game(np.array([np.ones(N), np.zeros(N)]))
    total, error, expected = comparison.efficiency(everything, nothing)
    assert_allclose(expected, [3.5, 0.0])
    assert (abs(total - expected) < 4 * error).all()
    assert error.max() < 0.1


def test_errors_are_those_of_repeated_pools():
    alpha = np.resize(ALPHAS, 300)
    found = [
        compare_alphas(pool(300, seed), alpha=alpha, regressor=LEAST_SQUARES)
        for seed in range(60)
    ]
    totals = [c.efficiency([3.5, 0], [0, 0]) for c in found]
    for values, errors in (
        ([c.shapley for c in found], [c.shapley_error for c in found]),
        ([c.slope for c in found], [c.slope_error for c in found]),
        ([t.total for t in totals], [t.error for t in totals]),
    ):
        ratio = np.std(values, axis=0) / np.mean(errors, axis=0)
        assert 0.8 < ratio.mean() < 1.3


def test_trends_tell_copies_from_those_that_need_each_other(comparison):
    assert_array_equal(comparison.trends(0.05)[0], [-1, -1, 1, 1, 0, 0])
    # the weights of the second target are below 0, and become larger in size
    assert_array_equal(comparison.trends(0.05)[1], [0, 0, 1, 1, 0, 0])
    assert_array_equal(comparison.trends(0.05, scope="all")[0, :4], [-1, -1, 1, 1])
    frame = comparison.to_frame()
    assert frame["trend"][:4].tolist() == ["redundant"] * 2 + ["works with others"] * 2
    assert_allclose(frame["weight at 0.5"], comparison.weights[1].ravel())


def test_trends_of_additive_outputs_are_false_at_the_rate():
    """No weight depends on alpha, so whatever is decided is false."""
    rng, n_wrong = np.random.default_rng(0), 0
    coef = rng.normal(size=(30, 1))
    for _ in range(20):
        alpha = np.resize(ALPHAS, 240)
        masks = rng.random((240, 30)) < alpha[:, None]
        outputs = masks @ coef + rng.normal(size=(240, 1))
        found = compare_alphas((masks, outputs), alpha=alpha, regressor=LEAST_SQUARES)
        n_wrong += found.trends(0.1).any()
    assert n_wrong <= 6  # 2 are expected; 7 or more have a probability of .002


def test_constant_outputs_have_no_trends():
    masks = pool(300).masks
    alpha = np.resize(ALPHAS, 300)
    assert not compare_alphas((masks, np.ones((300, 1))), alpha=alpha).trends().any()


def test_pool_is_the_same_as_runs_by_alpha():
    runs = pool(300)
    alpha = np.resize(ALPHAS, 300)
    by_alpha = {a: runs[alpha == a] for a in ALPHAS[::-1]}
    one, two = compare_alphas(runs, alpha=alpha), compare_alphas(by_alpha)
    assert_array_equal(one.alphas, ALPHAS)
    assert_array_equal(one.n_runs, [100, 100, 100])
    assert_array_equal(one.weights, two.weights)
    assert_array_equal(one.shapley, two.shapley)


def test_fixed_sizes_are_found_and_centred():
    masks = sample_masks(300, 20, (0.2, 0.6)).dense()
    outputs = masks @ np.random.default_rng(0).normal(size=(20, 1))
    found = compare_alphas((masks, outputs), regressor=LEAST_SQUARES)
    assert_allclose(found.alphas, [0.2, 0.6])
    assert found.centred
    assert found.degree == 1
    assert_allclose(found.shapley.sum(axis=1), 0, atol=1e-5)
    assert "typical" in repr(found)
    with pytest.raises(ValueError, match="fixed size do not tell the sum"):
        found.efficiency([1.0], [0.0])


def test_runs_of_a_trainer_keep_their_names():
    X = np.random.default_rng(0).normal(size=(30, 3))
    train = Examples(X, X[:, 0], ids=[f"row {i}" for i in range(30)])
    trainer = SubsetTrainer(
        Ridge(), train, train[:2], alpha=(0.3, 0.7), design="bernoulli", random_state=0
    )
    found = compare_alphas(
        trainer.fit_transform(np.arange(200)), alpha=np.resize(trainer.alpha, 200)
    )
    assert found.player_ids[3] == "row 3"
    assert found.to_frame()["target"].iloc[-1] == "row 1"
    assert "row " in repr(found)


def test_missing_outputs_and_used_up_targets_are_undecided():
    runs = pool(600)
    outputs = runs.outputs.copy()
    outputs[:5, 0] = np.nan
    alpha = np.resize(ALPHAS, 600)
    found = compare_alphas((runs.masks, outputs), alpha=alpha)
    assert_array_equal(found.trends()[0, :4], [-1, -1, 1, 1])
    exclude = DatamodelRegressor(0.001, exclude=[0, -1])
    found = compare_alphas((runs.masks, runs.outputs), alpha=alpha, regressor=exclude)
    assert found.trends()[0, 0] == 0
    assert np.isnan(found.shapley_error[0, 0])
    assert np.isfinite(found.shapley_error[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"alpha": None},
            "have 7 sizes, some next to each other, so their fractions are not known",
        ),
        ({"alpha": np.full(300, 0.5)}, "All runs have one fraction"),
        ({"alpha": np.resize((0.3, 0.6), 300)}, "The runs at alpha=0.3 use"),
        ({"alpha": [0.1, 0.5, 0.9]}, "for each of the 300 runs"),
        ({"alpha": np.resize((0.0, 1.0), 300)}, "fraction between 0 and 1"),
        ({"degree": 3}, "degree 3 needs 4 fractions or more, got 3"),
        ({"degree": 0}, "'degree' parameter"),
        ({"regressor": Ridge()}, "'regressor' parameter"),
        ({"runs": [1, 2]}, "runs must be TrainingRuns"),
        ({"runs": {0.5: pool(20)}, "alpha": None}, "one fraction"),
        ({"runs": {0.5: pool(20)}}, "alpha is for a pool"),
        ({"runs": {0.5: pool(20), 1.5: pool(20)}, "alpha": None}, "between 0 and 1"),
        ({"runs": {0.5: pool(20), "a": pool(20)}, "alpha": None}, "real numbers"),
    ],
)
def test_bad_input(change, message):
    params = {"runs": pool(300), "alpha": np.resize(ALPHAS, 300)} | change
    with pytest.raises((ValueError, TypeError), match=message):
        compare_alphas(params.pop("runs"), **params)


def test_runs_of_different_kinds_are_refused():
    def at(alpha, n=N, m=30, **names):
        masks = sample_masks(m, n, alpha, design="bernoulli")
        return TrainingRuns(masks, np.zeros((m, 1)), **names)

    for other, message in (
        (at(0.5, n=4), "are of 4 training examples"),
        (at(0.5, m=9), "There are 9 runs at alpha=0.5"),
        (at(0.5, player_ids=list("abcdef")), "other player_ids"),
        (at(0.5, output="margin"), "measure the output 'margin'"),
    ):
        runs = {0.2: at(0.2, player_ids=list("fedcba")), 0.5: other}
        with pytest.raises(ValueError, match=message):
            compare_alphas(runs)


def test_fixed_and_random_sizes_are_not_compared():
    masks = {
        alpha: sample_masks(60, 20, alpha, design=design).dense()
        for alpha, design in [(0.3, "uniform"), (0.6, "bernoulli")]
    }
    runs = {alpha: (m, m[:, :1] * 1.0) for alpha, m in masks.items()}
    with pytest.raises(ValueError, match="a fixed size at some fractions"):
        compare_alphas(runs)


def test_bad_arguments_of_the_result(comparison):
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        comparison.curve([1.2])
    with pytest.raises(ValueError, match="'fdr' parameter"):
        comparison.trends(0.0)
    with pytest.raises(ValueError, match=r"everything must be .* shape \(2,\)"):
        comparison.efficiency([1.0], [0.0, 0.0])


@pytest.mark.filterwarnings("ignore:1 of 2 targets")
def test_targets_without_runs_at_a_fraction_have_no_values():
    masks = sample_masks(300, 6, (0.1, 0.9), design="bernoulli").dense()
    alpha = np.resize([0.1, 0.9], 300)
    outputs = np.tile(masks[:, :1] * 1.0, 2)
    outputs[alpha == 0.1, 1] = np.nan
    found = compare_alphas((masks, outputs), alpha=alpha)
    assert np.isnan(found.weights[0, 1]).all()
    assert np.isnan(found.shapley[1]).all()
    assert np.isnan(found.slope[1]).all()
    assert_allclose(found.weights[1, 1], np.eye(6)[0], atol=0.05)
    assert_allclose(found.shapley[0], np.eye(6)[0], atol=0.05)
    assert (found.trends()[1] == 0).all()
    assert "nan" in repr(found)
