import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from skdatamodels.metrics import optimal_mse, variance_components


def make_repeats(n_runs=4000, n_repeats=2, loading=1.0, n_targets=6, seed=0):
    rng = np.random.default_rng(seed)
    expected = np.sqrt(3) * rng.normal(size=(n_runs, n_targets))
    common = loading * rng.normal(size=(n_repeats, n_runs, 1))
    return expected + common + rng.normal(size=(n_repeats, n_runs, n_targets))


def test_components_are_those_that_made_the_outputs():
    components = variance_components(make_repeats(loading=np.sqrt(2)))
    np.testing.assert_allclose(components.subset, 3, rtol=0.15)
    np.testing.assert_allclose(components.training, 3, rtol=0.1)
    np.testing.assert_allclose(components.training_share, 0.5, atol=0.05)


def test_variance_by_training_is_the_optimal_error():
    repeats = make_repeats(n_runs=20, n_repeats=3)
    np.testing.assert_allclose(
        variance_components(repeats).training,
        optimal_mse(repeats, multioutput="raw_values"),
    )


def test_shared_noise_is_that_of_the_population():
    # Noise of target j is f + e_j: the other n - 1 targets predict
    # loading² (n - 1) / (1 + (n - 1) loading²) of loading², of 1 + loading² in all.
    for loading in 0.5, 1.0, 2.0:
        others, square = 5, loading**2
        expected = square * (others * square) / (1 + others * square) / (1 + square)
        shared = variance_components(make_repeats(loading=loading)).shared_noise
        np.testing.assert_allclose(shared, expected, atol=0.04)


def test_shared_noise_is_the_r2_of_a_regression_on_other_targets():
    repeats = make_repeats(n_runs=8000, loading=1.5, n_targets=4)
    noise = (repeats - repeats.mean(axis=0)).reshape(-1, 4)
    expected = [
        LinearRegression()
        .fit(np.delete(noise, j, axis=1), noise[:, j])
        .score(np.delete(noise, j, axis=1), noise[:, j])
        for j in range(4)
    ]
    shared = variance_components(repeats).shared_noise
    np.testing.assert_allclose(shared, expected, atol=0.01)


def test_targets_without_noise_have_none_to_share():
    repeats = make_repeats(n_runs=50)
    repeats[:, :, 2] = repeats[0, :, 2]
    components = variance_components(repeats)
    assert components.training[2] == 0
    assert np.isnan(components.shared_noise[2])
    assert np.isfinite(np.delete(components.shared_noise, 2)).all()
    alone = variance_components(repeats[:, :, :1])
    assert np.isnan(alone.shared_noise).all()
    constant = variance_components(np.ones((2, 50, 3)))
    assert np.isnan(constant.training_share).all()


@given(scale=st.sampled_from([1e-150, 1e-9, 1e9, 1e150]), shift=st.floats(-5, 5))
def test_units_change_variances_and_not_shares(scale, shift):
    repeats = make_repeats(n_runs=40)
    ours, theirs = (
        variance_components(each) for each in (repeats, scale * (repeats + shift))
    )
    np.testing.assert_allclose(theirs.training, scale**2 * ours.training, rtol=1e-6)
    np.testing.assert_allclose(theirs.shared_noise, ours.shared_noise, atol=1e-6)


@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        (np.ones((3, 4)), "must have shape"),
        (np.ones((1, 4, 2)), "At least 2 repeats"),
        (np.full((2, 4, 2), np.nan), "repeat 0"),
    ],
)
def test_bad_input(repeats, message):
    with pytest.raises(ValueError, match=message):
        variance_components(repeats)
