"""The choice between LASSO and ridge."""

import numpy as np
import pytest

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import make_linear_runs
from skdatamodels.regression._penalty import _at_common_lam


def fit(n_runs, n_informative, noise_of_prior=0.5, **parameters):
    runs, coef = make_linear_runs(
        n_runs, 150, 8, n_informative=n_informative, noise=1.0, random_state=0
    )
    noise = np.random.default_rng(0).standard_normal(coef.shape)
    prior = coef + noise_of_prior * np.abs(coef).mean() * noise
    return DatamodelRegressor(prior=prior, random_state=0, **parameters).fit(runs)


@pytest.mark.parametrize("device", ["cpu", "shim", "gpu"])
def test_few_runs_of_many_weights_take_the_ridge(device, on_device):
    few = {"n_lams": 4, "lam_min_ratio": 0.3, "tol": 1e-2, "device": on_device(device)}
    model = fit(100, 150, **few)
    assert model.penalty_ == "l2"
    expected = fit(100, 150, penalty="l2", **few)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert (model.prior_strength_ == 1).all()


@pytest.mark.parametrize("device", ["cpu", "shim", "gpu"])
def test_few_weights_take_the_lasso(device, on_device):
    few = {"n_lams": 4, "lam_min_ratio": 0.3, "tol": 1e-2, "device": on_device(device)}
    model = fit(140, 3, noise_of_prior=20, **few)
    assert model.penalty_ == "l1"
    expected = fit(140, 3, noise_of_prior=20, penalty="l1", **few)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert not hasattr(model, "loo_error_")


@pytest.mark.parametrize(
    "parameters",
    [
        {"lam": 0.1},
        {"solver": "gram"},
        {"keep_path": True, "n_lams": 5, "lam_min_ratio": 0.1},
    ],
)
def test_parameters_of_the_lasso_choose_it(parameters):
    assert fit(60, 150, **parameters).penalty_ == "l1"


def test_targets_with_their_own_runs_choose_together():
    runs, coef = make_linear_runs(100, 150, 8, n_informative=150, random_state=0)
    Y = runs.outputs.astype(float)
    Y[np.arange(8), np.arange(8)] = np.nan
    model = DatamodelRegressor(prior=coef, random_state=0).fit(runs.masks, Y)
    assert model.penalty_ == "l2"
    assert np.isfinite(model.coef_).all()


def test_refits_forget_the_other_penalty():
    model = fit(100, 150)
    runs, _ = make_linear_runs(60, 20, 3, random_state=0)
    model.set_params(prior=None).fit(runs)
    assert model.penalty_ == "l1"
    for name in ("loo_error_", "noise_variance_", "prior_coef_"):
        assert not hasattr(model, name)


def test_very_few_runs_take_the_ridge_without_a_trial(monkeypatch):
    def trial(*data):
        raise AssertionError("the LASSO was fitted")

    monkeypatch.setattr("skdatamodels.regression._penalty._ridge_errors", trial)
    runs, coef = make_linear_runs(30, 601, 3, random_state=0)
    model = DatamodelRegressor(prior=coef, random_state=0).fit(runs)
    assert model.penalty_ == "l2"
    with pytest.raises(AssertionError, match="was fitted"):
        model.set_params(prior=coef[:, :600]).fit(runs.masks[:, :600], runs.outputs)


def test_errors_are_those_of_one_place_on_the_paths():
    errors = np.array([[4.0, 2.0, np.nan, np.nan], [1.0, 0.9, 0.3, 0.5]])
    np.testing.assert_array_equal(_at_common_lam(errors), [2.0, 0.3])
