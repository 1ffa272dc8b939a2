"""R² on held-out runs against refits, and on pure noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from skdatamodels import DatamodelRegressor, TrainingRuns
from skdatamodels.datasets import make_linear_runs
from skdatamodels.metrics import linear_datamodeling_score

RUNS, _ = make_linear_runs(120, n_train=30, n_targets=3, random_state=0)
RUNS = TrainingRuns(RUNS.packed, np.float64(RUNS.outputs))


def noise_runs(n_runs, n_targets):
    rng = np.random.default_rng(1)
    return rng.random((n_runs, 40)) < 0.5, rng.normal(size=(n_runs, n_targets))


def test_of_the_ridge_it_is_that_of_leaving_each_run_out():
    lam = 0.3
    fitted = DatamodelRegressor(lam, penalty="l2").fit(RUNS)
    left, constant = np.zeros((2, 3))
    for i in range(len(RUNS)):
        rest = np.delete(np.arange(len(RUNS)), i)
        same = lam * len(RUNS) / len(rest)  # the objective is a mean over runs
        model = DatamodelRegressor(same, penalty="l2").fit(RUNS[rest])
        y = RUNS.outputs[i]
        left += (y - model.predict(RUNS[[i]])[0]) ** 2
        constant += (y - RUNS.outputs[rest].mean(axis=0)) ** 2
    assert_allclose(fitted.held_out_r2_, 1 - left / constant, rtol=1e-6)


@pytest.mark.parametrize("n_train", [10, 60])  # primal and dual
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_of_a_constant_ridge_it_is_zero(n_train, grouped, weighted):
    """Whatever is left out: the mean of the others predicts it as the ridge does."""
    rng = np.random.default_rng(0)
    masks, unit = rng.random((40, n_train)) < 0.5, np.arange(40) // 10
    outputs = rng.normal(size=(4, 3))[unit] + 0.1 * rng.normal(size=(40, 3))
    outputs[::7, 1] = np.nan
    weight = np.where(np.arange(40) == 0, 200.0, 1.0) if weighted else None
    fitted = DatamodelRegressor(1e9, penalty="l2").fit(
        masks, outputs, sample_weight=weight, groups=unit if grouped else None
    )
    assert_allclose(fitted.held_out_r2_, 0, atol=1e-6)
    if grouped and not weighted:
        means = np.array([outputs[unit == u, 0].mean() for u in range(4)])
        others = (means.sum() - means) / 3  # of groups of the same size
        expected = np.mean((outputs[:, 0] - others[unit]) ** 2)
        assert_allclose(fitted.loo_error_[0], expected)


def test_of_a_constant_ridge_of_many_runs_it_is_zero():
    """The error and that of the constant are means over the same sample of runs."""
    rng = np.random.default_rng(0)
    masks, outputs = rng.random((1500, 5)) < 0.5, rng.standard_t(3, (1500, 3))
    fitted = DatamodelRegressor(1e9, penalty="l2").fit(masks, outputs)
    assert_allclose(fitted.held_out_r2_, 0, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_folds_it_is_that_of_refits_at_one_place_on_the_path(weighted):
    cv = [(np.arange(80), np.arange(80, 120)), (np.arange(40, 120), np.arange(40))]
    weight = np.random.default_rng(0).integers(1, 4, 120) if weighted else np.ones(120)
    params = {"n_lams": 8, "patience": None, "tol": 1e-8}
    fitted = DatamodelRegressor("cv", cv=cv, **params)
    fitted.fit(RUNS, sample_weight=weight)
    share = np.zeros((8, 3))
    constant = sum(
        weight[held]
        @ (
            RUNS.outputs[held]
            - np.average(RUNS.outputs[train], axis=0, weights=weight[train])
        )
        ** 2
        for train, held in cv
    )
    for k in range(8):
        for train, held in cv:
            model = DatamodelRegressor(fitted.lams_[:, k], tol=1e-8)
            model.fit(RUNS[train], sample_weight=weight[train])
            error = (RUNS.outputs[held] - model.predict(RUNS[held])) ** 2
            share[k] += weight[held] @ error / constant
    best = share.mean(axis=1).argmin()
    assert_allclose(fitted.held_out_r2_, 1 - share[best], rtol=1e-3)


@pytest.mark.parametrize("params", [{}, {"lam": "cv"}, {"penalty": "l2"}])
def test_it_is_near_that_of_other_runs(params):
    runs, _ = make_linear_runs(1400, n_train=30, n_targets=3, random_state=0)
    fitted = DatamodelRegressor(random_state=0, **params).fit(runs[:400])
    other = runs[400:]
    true = r2_score(other.outputs, fitted.predict(other), multioutput="raw_values")
    assert np.abs(fitted.held_out_r2_ - true).max() < 0.12
    assert linear_datamodeling_score(other.outputs, fitted.predict(other)) > 0.8


@pytest.mark.parametrize("params", [{}, {"lam": "cv"}, {"penalty": "l2"}])
def test_of_noise_it_is_not_above_zero(params):
    masks, outputs = noise_runs(150, 40)
    fitted = DatamodelRegressor(random_state=0, **params).fit(masks, outputs)
    assert np.median(fitted.held_out_r2_) < 0.01
    if "penalty" not in params:  # while the best lam of each target looks good
        least = np.nanmin(fitted.validation_error_, axis=1)
        flattering = 1 - least / fitted.validation_error_[:, 0]
        assert np.mean(flattering) > np.mean(fitted.held_out_r2_) + 0.005


def test_it_is_unknown_without_held_out_runs():
    masks, outputs = noise_runs(60, 3)
    assert np.isnan(DatamodelRegressor(0.1).fit(masks, outputs).held_out_r2_).all()
    outputs[:, 1] = 5
    fitted = DatamodelRegressor(random_state=0).fit(masks, outputs)
    assert np.isnan(fitted.held_out_r2_).tolist() == [False, True, False]
    scaled = DatamodelRegressor(random_state=0).fit(masks, 1e30 * outputs)
    assert_allclose(scaled.held_out_r2_, fitted.held_out_r2_)


def test_targets_with_runs_of_their_own():
    masks, outputs = noise_runs(200, 3)
    outputs += 3 * masks[:, [7, 8, 9]]
    outputs[::3, 0] = np.nan
    fitted = DatamodelRegressor(exclude=[0, 1, -1], random_state=0)
    fitted.fit(masks, outputs)
    assert (fitted.held_out_r2_ > 0.4).all()
