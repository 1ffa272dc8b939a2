import pickle
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.masks import PackedMasks


def _runs(rng, n_runs=30, n_train=11, n_targets=3, alpha=0.5):
    masks = rng.random((n_runs, n_train)) < alpha
    return masks, rng.normal(loc=5, size=(n_runs, n_targets))


def _brute_force(masks, outputs):
    coef = np.zeros((outputs.shape[1], masks.shape[1]))
    for j in range(len(coef)):
        known = ~np.isnan(outputs[:, j])
        for i in range(masks.shape[1]):
            seen, unseen = known & masks[:, i], known & ~masks[:, i]
            if seen.any() and unseen.any():
                coef[j, i] = outputs[seen, j].mean() - outputs[unseen, j].mean()
    return coef


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.9]), st.booleans())
def test_equals_the_two_means(seed, alpha, missing):
    rng = np.random.default_rng(seed)
    masks, outputs = _runs(rng, alpha=alpha)
    if missing:
        outputs[rng.random(outputs.shape) < 0.3] = np.nan
        outputs[0] = 1
    influence = DifferenceOfMeans().fit(masks, outputs)
    assert_allclose(influence.coef_, _brute_force(masks, outputs), atol=1e-10)
    # The mean prediction is the mean output.
    residual = np.nanmean(outputs - influence.predict(masks), axis=0)
    assert_allclose(residual, 0, atol=1e-10)


def test_example_always_or_never_seen_weighs_nothing():
    masks, outputs = _runs(np.random.default_rng(0))
    masks[:, 2], masks[:, 5] = True, False
    influence = DifferenceOfMeans().fit(masks, outputs)
    assert (influence.coef_[:, [2, 5]] == 0).all()
    assert (np.delete(influence.coef_, [2, 5], axis=1) != 0).all()


def test_is_a_multiple_of_least_squares_in_the_limit():
    """On all subsets of half the examples the two are proportional."""
    n_train = 10
    every = (np.arange(2**n_train)[:, None] >> np.arange(n_train)) & 1
    masks = every[every.sum(axis=1) == n_train // 2]
    outputs = np.random.default_rng(0).normal(size=len(masks))
    influence = DifferenceOfMeans().fit(masks, outputs)
    least_squares = LinearRegression().fit(masks, outputs)
    ratio = influence.coef_ / least_squares.coef_
    assert_allclose(ratio, ratio[0])


def test_nears_rescaled_least_squares_as_runs_grow():
    """Lemma 6.1: for half-subsets, of a learner that is not linear in them."""
    n_train = 16
    rng = np.random.default_rng(0)
    weights = rng.normal(size=n_train)
    differences = []
    for n_runs in (400, 6_400, 102_400):
        masks = rng.permuted(np.tile(np.arange(n_train) < 8, (n_runs, 1)), axis=1)
        correct = (masks @ weights + rng.normal(size=n_runs) > 0).astype(float)
        # without a bias, as in the lemma; the mean of the outputs is taken off
        fit = LinearRegression(fit_intercept=False).fit(masks, correct - correct.mean())
        rescaled = fit.coef_ * n_train / (n_train - 1)
        influence = DifferenceOfMeans().fit(masks, correct).coef_
        difference = np.linalg.norm(influence - rescaled) / np.linalg.norm(rescaled)
        differences.append(difference)
    # sixteen times the runs, a quarter of the difference
    assert_allclose(np.diff(np.log(differences)), -np.log(4), atol=0.7)
    assert differences[-1] < 0.02  # the factor alone makes 0.06


def test_recovers_known_weights():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 8))
    masks = rng.random((40_000, 8)) < 0.5
    influence = DifferenceOfMeans().fit(masks, masks @ weights.T + 3)
    assert_allclose(influence.coef_, weights, atol=0.05)
    assert_allclose(influence.intercept_, 3, atol=0.2)
    assert influence.score(masks, masks @ weights.T + 3) > 0.99


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_inputs_that_say_the_same(dtype):
    masks, outputs = _runs(np.random.default_rng(0))
    packed = PackedMasks.from_dense(masks)
    runs = SimpleNamespace(packed=packed, outputs=outputs.astype(np.float32))
    expected = DifferenceOfMeans().fit(masks, outputs)
    for X, y in [(masks.astype(dtype), outputs), (packed, outputs), (runs, None)]:
        influence = DifferenceOfMeans().fit(X, y)
        assert_allclose(influence.coef_, expected.coef_, rtol=1e-4)
        assert_allclose(influence.predict(X), expected.predict(masks), rtol=1e-4)
        assert influence.score(X, y) == pytest.approx(
            r2_score(outputs, expected.predict(masks)), rel=1e-4
        )


def test_one_target_may_be_one_dimensional():
    masks, outputs = _runs(np.random.default_rng(0), n_targets=1)
    flat = DifferenceOfMeans().fit(masks, outputs[:, 0])
    column = DifferenceOfMeans().fit(masks, outputs)
    assert flat.coef_.shape == (11,)
    assert isinstance(flat.intercept_, float)
    assert_allclose(flat.coef_, column.coef_[0])
    assert_allclose(flat.predict(masks), column.predict(masks)[:, 0])


def test_clone_and_pickle():
    masks, outputs = _runs(np.random.default_rng(0))
    influence = DifferenceOfMeans().fit(masks, outputs)
    again = pickle.loads(pickle.dumps(influence))
    assert_allclose(again.predict(masks), influence.predict(masks))
    with pytest.raises(NotFittedError):
        clone(influence).predict(masks)


def _bad(array, where, value):
    array = np.array(array, dtype=float)
    array[where] = value
    return array


MASKS, OUTPUTS = _runs(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("masks", "outputs", "message"),
    [
        (_bad(MASKS, (3, 4), 0.5), OUTPUTS, "0.5 at run 3, example 4"),
        (_bad(MASKS, (3, 4), np.nan), OUTPUTS, "nan at run 3, example 4"),
        (MASKS, OUTPUTS[:-1], r"n_runs = 30; got shape \(29, 3\)"),
        (MASKS, None, "requires y to be passed"),
        (MASKS, _bad(OUTPUTS, (7, 1), np.inf), "output of run 7 is infinite"),
        (MASKS, OUTPUTS * np.nan, "No target has an output in any run"),
    ],
)
def test_bad_input(masks, outputs, message):
    with pytest.raises(ValueError, match=message):
        DifferenceOfMeans().fit(masks, outputs)


def test_predict_wants_the_fitted_training_set():
    influence = DifferenceOfMeans().fit(MASKS, OUTPUTS)
    with pytest.raises(ValueError, match=r"X has 10 features, but .* expecting 11"):
        influence.predict(MASKS[:, :-1])


def test_a_target_without_outputs_is_told_and_the_others_are_as_without_it():
    outputs = _bad(OUTPUTS, np.s_[:, 1], np.nan)
    outputs[3, 0] = np.nan
    with pytest.warns(UserWarning, match=r"1 of 3 targets have no output .*: \[1\]"):
        influence = DifferenceOfMeans().fit(MASKS, outputs)
    others = DifferenceOfMeans().fit(MASKS, outputs[:, [0, 2]])
    assert_allclose(influence.coef_[[0, 2]], others.coef_)
    assert not influence.coef_[1].any()
    assert_allclose(influence.intercept_[[0, 2]], others.intercept_)
    assert np.isnan(influence.intercept_[1])
    score = influence.score(MASKS, outputs)
    assert score == pytest.approx(others.score(MASKS, outputs[:, [0, 2]]))


def _weighted_means(masks, outputs, weight):
    """Differences of weighted means, in exact fractions."""
    weight, coef = [Fraction(w) for w in weight], []
    for y in outputs.T:
        coef.append([])
        for column in masks.T:
            means = []
            for side in (True, False):
                rows = np.flatnonzero(column == side)
                total = sum(weight[i] * Fraction(y[i]) for i in rows)
                means.append(total / sum(weight[i] for i in rows))
            coef[-1].append(float(means[0] - means[1]))
    return coef


@pytest.mark.parametrize("weight", [1e155, 1e-200, 1e-320, 1.0])
@pytest.mark.parametrize("first", [1, 1e16])
def test_weights_of_any_size_give_the_weighted_means(weight, first):
    weights = np.full(len(MASKS), weight)
    weights[0] *= first
    found = DifferenceOfMeans().fit(MASKS, OUTPUTS, sample_weight=weights)
    assert_allclose(found.coef_, _weighted_means(MASKS, OUTPUTS, weights), atol=1e-9)
    mean = np.average(OUTPUTS, axis=0, weights=weights / weights.max())
    share = np.average(MASKS, axis=0, weights=weights / weights.max())
    assert_allclose(found.intercept_, mean - found.coef_ @ share)


@pytest.mark.parametrize("missing", [False, True])
def test_weights_of_runs_are_runs_repeated(missing):
    rng = np.random.default_rng(1)
    outputs, weight = OUTPUTS.copy(), rng.integers(0, 4, len(MASKS))
    if missing:
        outputs[rng.random(outputs.shape) < 0.2] = np.nan
    masks = MASKS.copy()
    masks[:, 2] = weight > 0  # constant where it counts
    rows = np.repeat(np.arange(len(MASKS)), weight)
    repeated = DifferenceOfMeans().fit(masks[rows], outputs[rows])
    for scale in (1, 0.3):
        weighted = DifferenceOfMeans().fit(masks, outputs, sample_weight=scale * weight)
        assert_allclose(weighted.coef_, repeated.coef_, atol=1e-12)
        assert_allclose(weighted.intercept_, repeated.intercept_)


def test_groups_are_ignored():
    masks, outputs = np.eye(4, dtype=bool), np.arange(8.0).reshape(4, 2)
    fitted = DifferenceOfMeans().fit(masks, outputs, groups=[0, 0, 1, 1])
    assert_allclose(fitted.coef_, DifferenceOfMeans().fit(masks, outputs).coef_)
