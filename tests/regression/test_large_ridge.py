"""Large systems of the ridge, compared with their solution by matrices."""

import tracemalloc

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import make_linear_runs
from skdatamodels.masks import _packed
from skdatamodels.regression import _large_ridge


def fit_both(shape, monkeypatch, device="cpu", **parameters):
    """Fit with matrices on the CPU, and as a large system on a device."""
    runs, coef = make_linear_runs(*shape, 5, noise=1.0, random_state=0)
    prior = coef + 0.5 * np.random.default_rng(0).standard_normal(coef.shape)
    models = []
    for large, where in ((4000, "cpu"), (10, device)):
        monkeypatch.setattr("skdatamodels.regression._ridge.LARGE", large)
        model = DatamodelRegressor(
            penalty="l2", prior=prior, random_state=0, device=where, **parameters
        )
        models.append(model.fit(runs))
    return models


@pytest.mark.parametrize("shape", [(600, 900), (900, 300)])
@pytest.mark.parametrize("device", ["cpu", "shim", "gpu"])
def test_weights_are_those_of_the_matrices(shape, device, on_device, monkeypatch):
    lam, device = [0.03, 0.1, 0.3, 1.0, 3.0], on_device(device)
    direct, large = fit_both(shape, monkeypatch, device, lam=lam)
    assert large.solver_ == "conjugate_gradient"
    spread = np.abs(direct.coef_).max()
    np.testing.assert_allclose(large.coef_, direct.coef_, atol=2e-3 * spread)
    np.testing.assert_allclose(large.intercept_, direct.intercept_, atol=0.02)
    # the mean of the diagonal, for one vector of signs
    np.testing.assert_allclose(large.loo_error_, direct.loo_error_, rtol=0.3)
    np.testing.assert_allclose(large.noise_variance_, direct.noise_variance_, rtol=0.3)


def test_columns_of_float32_are_multiplied_by_vectors_of_float32(monkeypatch):
    # or numpy would copy the columns to float64 for each product
    solve, seen = _large_ridge._conjugate_gradient, set()

    def spying(product, right):
        def spied(vectors):
            image = product(vectors)
            seen.update({vectors.dtype, image.dtype})
            return image

        return solve(spied, right)

    monkeypatch.setattr(_large_ridge, "_conjugate_gradient", spying)
    fit_both((60, 90), monkeypatch, lam=0.1)
    assert seen == {np.dtype(np.float32)}


def test_without_a_penalty_left_out_errors_are_those_of_the_matrices(monkeypatch):
    direct, large = fit_both((200, 900), monkeypatch, lam=0.0)
    spread = np.abs(direct.coef_).max()
    np.testing.assert_allclose(large.coef_, direct.coef_, atol=2e-3 * spread)
    np.testing.assert_allclose(large.loo_error_, direct.loo_error_, rtol=0.3)


@pytest.mark.parametrize("device", ["cpu", "shim", "gpu"])
def test_lam_is_near_that_of_the_matrices(device, on_device, monkeypatch):
    direct, large = fit_both((200, 300), monkeypatch, on_device(device))
    ratio = large.lam_ / direct.lam_
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    assert 10**-0.75 <= ratio[0] <= 10**0.75


def test_infinite_penalty_factors_keep_the_prior(monkeypatch):
    factors = np.ones((5, 60))
    factors[1] = np.inf
    direct, large = fit_both((40, 60), monkeypatch, penalty_factors=factors)
    np.testing.assert_array_equal(large.coef_[1], large.prior_coef_[1])
    np.testing.assert_allclose(large.intercept_[1], direct.intercept_[1])
    np.testing.assert_allclose(large.loo_error_[1], direct.loo_error_[1], rtol=0.3)


def test_columns_are_in_memory_once(monkeypatch):
    monkeypatch.setattr("skdatamodels.regression._ridge.LARGE", 10)
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 2**18)
    runs, _ = make_linear_runs(1500, 2000, 1, n_informative=3, random_state=0)
    one_copy = 4 * 1500 * 2000
    tracemalloc.start()
    DatamodelRegressor(0.3, penalty="l2").fit(runs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.7 * one_copy


def test_systems_that_are_not_solved_are_told(monkeypatch):
    monkeypatch.setattr("skdatamodels.regression._large_ridge._MAX_ITER", 2)
    with pytest.warns(ConvergenceWarning, match="were not solved in 2 iterations"):
        fit_both((200, 300), monkeypatch, lam=1e-3)


def test_runs_that_are_not_independent_are_refused(monkeypatch):
    monkeypatch.setattr("skdatamodels.regression._penalty.LARGE", 10)
    runs, coef = make_linear_runs(60, 80, 3, random_state=0)
    model = DatamodelRegressor(penalty="l2", random_state=0)
    with pytest.raises(ValueError, match="independent runs of equal weight"):
        model.fit(runs, groups=np.arange(60) // 2)
    with pytest.raises(ValueError, match="independent runs of equal weight"):
        model.fit(runs, sample_weight=np.linspace(1, 2, 60))
    auto = DatamodelRegressor(prior=coef, random_state=0)
    assert auto.fit(runs, groups=np.arange(60) // 2).penalty_ == "l1"
