"""The interface of solvers: one that scikit-learn's Lasso makes is as good as ours."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Lasso

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import make_linear_runs
from skdatamodels.regression._choose_solver import SOLVERS, Solver
from skdatamodels.regression._mask_solver import mask_solver
from skdatamodels.regression._solver import Settings

RUNS, COEF = make_linear_runs(60, 12, 3, noise=1.0, random_state=0)
OUTPUTS = RUNS.outputs.astype(np.float64)
GAPS = OUTPUTS.copy()
GAPS[4:12, 1] = np.nan


def solve_by_sklearn(
    masks, y, sample_weight, *, lams, penalty_factors, coef_init, settings
):
    X, factors = masks.dense(), np.broadcast_to(penalty_factors, (y.shape[1], 12))
    coefs, intercepts = np.zeros((*lams.shape, 12)), np.zeros(lams.shape)
    for j, p in enumerate(factors):
        usable = ~np.isnan(y[:, j])
        weight = None if sample_weight is None else sample_weight[usable]
        for k, lam in enumerate(lams[j]):
            best = Lasso(lam, tol=settings.tol, max_iter=settings.max_iter)
            best.fit(X[usable] / p, y[usable, j], weight)
            coefs[j, k], intercepts[j, k] = best.coef_ / p, best.intercept_
    return coefs, intercepts, np.zeros(lams.shape), np.ones(lams.shape, int)


@pytest.mark.parametrize(
    ("lam", "Y", "parameters"),
    [
        (0.05, GAPS, {}),
        ("validation", GAPS, {}),
        ("cv", GAPS, {"exclude": [3, -1, 5]}),
        ("cv", OUTPUTS, {"prior": COEF + 0.1, "keep_path": True}),
    ],
)
@pytest.mark.parametrize("sample_weight", [None, np.linspace(0.5, 2, 60)])
def test_a_solver_of_ones_own(monkeypatch, lam, Y, parameters, sample_weight):
    parameters = {"tol": 1e-10, "n_lams": 5, "random_state": 0, **parameters}
    ours = DatamodelRegressor(lam, solver="gram", **parameters)
    ours.fit(RUNS.masks, Y, sample_weight=sample_weight)
    own = Solver(lambda: mask_solver(solve_by_sklearn))
    monkeypatch.setitem(SOLVERS, "residual", own)
    theirs = DatamodelRegressor(lam, solver="residual", **parameters)
    theirs.fit(RUNS.masks, Y, sample_weight=sample_weight)
    assert_allclose(theirs.lam_, ours.lam_)
    assert_allclose(theirs.prior_strength_, ours.prior_strength_)
    assert_allclose(theirs.coef_, ours.coef_, atol=1e-4)
    assert_allclose(theirs.intercept_, ours.intercept_, atol=1e-3)
    if lam != 0.05:
        assert_allclose(theirs.validation_error_, ours.validation_error_, rtol=1e-4)
    if "keep_path" in parameters:
        # subsets have one size, so the sum of the weights is free at small lams
        paths = (
            model.coef_path_ @ RUNS.masks.T + model.intercept_path_[:, :, None]
            for model in (theirs, ours)
        )
        assert_allclose(*paths, atol=1e-3)


def test_settings_are_parameters_of_the_regressor():
    model = DatamodelRegressor(tol=0.5, patience=None, n_jobs=3)
    settings = Settings.of(model, 7, None)
    assert settings.seed == 7
    for name, value in settings._asdict().items():
        if name not in ("seed", "ops"):
            assert value == getattr(model, name)
    assert Settings() == Settings.of(DatamodelRegressor(), 0, None)


@pytest.mark.parametrize("name", SOLVERS)
def test_each_solver_loads_and_is_a_choice(name):
    assert callable(SOLVERS[name].load())
    runs, _ = make_linear_runs(20, 6, 1)
    assert DatamodelRegressor(0.1, solver=name).fit(runs).solver_ == name
