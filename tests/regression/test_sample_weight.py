"""Weights of runs: the same as runs repeated, and as scikit-learn's Lasso."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import PredefinedSplit

from skdatamodels import DatamodelRegressor, PackedMasks
from skdatamodels.datasets import make_linear_runs
from skdatamodels.regression import residual_path, saga_path

N_RUNS, N_TRAIN = 60, 14
RUNS, COEF = make_linear_runs(N_RUNS, N_TRAIN, 3, noise=1.0, random_state=0)
MASKS, OUTPUTS = RUNS.masks, RUNS.outputs.astype(np.float64)
RNG = np.random.default_rng(0)
GAPS = np.where(RNG.random(OUTPUTS.shape) < 0.2, np.nan, OUTPUTS)
WEIGHTS = {
    "whole": RNG.integers(0, 4, N_RUNS),  # some are 0
    "many": RNG.random(N_RUNS) * 7,
    "uneven": 10.0 ** RNG.uniform(-4, 4, N_RUNS),
}
# the gap that each solver is to reach, and how near the weights then are
FINE = {"gram": 1e-12, "residual": 1e-12, "saga": 1e-6}
NEAR = {"gram": 5e-4, "residual": 5e-4, "saga": 2e-2}
FORMS = {"masks": lambda X: X, "real": lambda X: X.astype(float)}
CASES = [("gram", "masks"), ("gram", "real"), ("residual", "masks"), ("saga", "masks")]


def model_of(solver, lam, **parameters):
    how = {"solver": solver, "tol": FINE[solver], "max_iter": 100_000}
    return DatamodelRegressor(lam, random_state=0, **how, **parameters)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("outputs", [OUTPUTS, GAPS], ids=["all", "gaps"])
@pytest.mark.parametrize(("solver", "form"), CASES)
def test_equals_a_weighted_lasso(solver, form, outputs, weights):
    weight, X = WEIGHTS[weights], FORMS[form](MASKS)
    model = model_of(solver, 0.05).fit(X, outputs, sample_weight=weight)
    assert model.solver_ == solver
    for j, y in enumerate(outputs.T):
        usable = ~np.isnan(y)
        best = Lasso(0.05, tol=1e-12, max_iter=100_000)
        best.fit(MASKS[usable].astype(float), y[usable], weight[usable])
        assert_allclose(model.coef_[j], best.coef_, atol=NEAR[solver])
        assert_allclose(model.intercept_[j], best.intercept_, atol=5 * NEAR[solver])


SPLIT = RNG.permutation(np.arange(N_RUNS) % 4)
PROBLEMS = {
    "plain": {},
    "exclude": {"exclude": [3, -1, 7]},
    "prior": {"prior": COEF + 0.5 * RNG.standard_normal(COEF.shape)},
    "factors": {"penalty_factors": np.geomspace(0.5, 2, N_TRAIN)},
    "one_standard_error": {"one_standard_error": True},
}


def repeated_cases():
    for solver, form in CASES:
        for lam in (0.05, "cv"):
            # saga takes seconds for each of the others
            slow = solver == "saga" and lam == "cv"
            for problem in ["plain"] if slow else PROBLEMS:
                yield solver, form, lam, problem


@pytest.mark.parametrize(("solver", "form", "lam", "problem"), repeated_cases())
def test_equals_runs_repeated(solver, form, lam, problem):
    weight = WEIGHTS["whole"]
    rows = np.repeat(np.arange(N_RUNS), weight)
    X, parameters = FORMS[form](MASKS), {**PROBLEMS[problem], "n_lams": 4}
    folds = [
        [(np.flatnonzero(s != k), np.flatnonzero(s == k)) for k in range(4)]
        for s in (SPLIT, SPLIT[rows])
    ]
    folds = folds if lam == "cv" else (None, None)
    weighted, repeated = (
        model_of(solver, lam, cv=cv, **parameters).fit(X[r], GAPS[r], sample_weight=w)
        for cv, r, w in zip(
            folds, (np.arange(N_RUNS), rows), (weight, None), strict=True
        )
    )
    if lam == "cv":
        assert_allclose(weighted.lams_, repeated.lams_)
        error = weighted.validation_error_
        assert_allclose(error, repeated.validation_error_, rtol=NEAR[solver])
    assert_allclose(weighted.lam_, repeated.lam_)
    assert_allclose(weighted.prior_strength_, repeated.prior_strength_)
    assert_allclose(weighted.coef_, repeated.coef_, atol=NEAR[solver])
    assert_allclose(weighted.intercept_, repeated.intercept_, atol=5 * NEAR[solver])


@pytest.mark.parametrize("lam", [0.05, "validation", "cv"])
@pytest.mark.parametrize("solver", FINE)
def test_a_run_of_weight_0_is_not_there(solver, lam):
    weight = np.ones(N_RUNS)
    weight[[4, 17, 40]] = 0
    kept = np.flatnonzero(weight)
    garbage = np.where(weight[:, None] > 0, OUTPUTS, 1e6)
    model = model_of(solver, lam, n_lams=6).set_params(tol=1e-6)
    model.fit(MASKS, garbage, sample_weight=weight)
    coef = model.coef_
    np.testing.assert_array_equal(coef, model.fit(MASKS[kept], OUTPUTS[kept]).coef_)


@pytest.mark.parametrize("cv", [3, PredefinedSplit(SPLIT[WEIGHTS["whole"] > 0])])
def test_the_scale_of_weights_does_not_matter(cv):
    weight, model = WEIGHTS["whole"], model_of("gram", "cv", cv=cv)
    expected = model.fit(MASKS, GAPS, sample_weight=weight).coef_
    again = model.fit(MASKS, GAPS, sample_weight=0.37 * weight).coef_
    assert_allclose(again, expected, atol=1e-6)


@pytest.mark.parametrize("solver", FINE)
def test_constant_columns_stay_without_weight(solver):
    """Rounded sums of weights leave something of them, which must not be divided by."""
    masks = MASKS.copy()
    masks[:, 2], masks[:, 5] = True, False
    masks[:, 6] = WEIGHTS["whole"] > 0  # constant where it counts
    weight = WEIGHTS["many"] * (WEIGHTS["whole"] > 0)
    for lam in (0.0, 0.02):
        model = model_of(solver, lam).set_params(tol=1e-2, max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # lam = 0 has no gap
            model.fit(masks, OUTPUTS, sample_weight=weight)
        assert not model.coef_[:, [2, 5, 6]].any()
        assert np.abs(model.coef_).max() < 30


@pytest.mark.parametrize("path", [residual_path, saga_path])
def test_paths_take_weights(path):
    weight, lams = WEIGHTS["whole"], [0.1, 0.05]
    how = {"lams": lams, "tol": 1e-6, "max_iter": 100_000}
    coefs, _, gaps, _ = path(MASKS, GAPS, sample_weight=weight, **how)
    rows = np.repeat(np.arange(N_RUNS), weight)
    expected = path(MASKS[rows], GAPS[rows], **how)[0]
    assert gaps.max() <= 1e-6
    assert_allclose(coefs, expected, atol=2e-2)


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (np.ones(N_RUNS - 1), "one number for each of the 60 runs"),
        (np.ones((N_RUNS, 1)), r"got shape \(60, 1\)"),
        (np.r_[-1, np.ones(N_RUNS - 1)], "not negative, .* got -1.0 to 1.0"),
        (np.zeros(N_RUNS), "not zero for all runs"),
        (np.full(N_RUNS, np.nan), "must be finite"),
        (np.full(N_RUNS, np.inf), "must be finite"),
    ],
)
def test_bad_weights(sample_weight, message):
    with pytest.raises(ValueError, match=message):
        DatamodelRegressor(0.1).fit(MASKS, OUTPUTS, sample_weight=sample_weight)


@pytest.mark.parametrize("outputs", [OUTPUTS, GAPS], ids=["all", "gaps"])
@pytest.mark.parametrize("weight", [np.r_[-1.0, np.ones(N_RUNS - 1)], np.ones(9)])
def test_bad_weights_of_a_score(weight, outputs):
    model = DatamodelRegressor(0.1).fit(MASKS, OUTPUTS)
    with pytest.raises(ValueError, match="sample_weight must be"):
        model.score(MASKS, outputs, sample_weight=weight)


@pytest.mark.parametrize("sum_of_weights", [1, 0.5 * N_RUNS, N_RUNS])
def test_one_standard_error_of_few_runs_is_told(sum_of_weights):
    """A weight of c is c runs: the standard error has a factor of 1/√c."""
    weight = np.full(N_RUNS, sum_of_weights / N_RUNS)
    model = model_of("gram", "validation", one_standard_error=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        weighted = model.fit(MASKS, OUTPUTS, sample_weight=weight).lam_
    found = [str(warning.message) for warning in told]
    if sum_of_weights == 1:
        (message,) = found
        assert "weights of the 60 runs sum to 1." in message
        assert (weighted > model.fit(MASKS, OUTPUTS).lam_).any()
    else:
        assert not found


def test_equal_weights_are_counted_as_none():
    plain = DatamodelRegressor(0.1).fit(MASKS, OUTPUTS).coef_
    for weight in (1, 1.0, np.ones(N_RUNS, int)):
        model = DatamodelRegressor(0.1).fit(MASKS, OUTPUTS, sample_weight=weight)
        np.testing.assert_array_equal(model.coef_, plain)


def test_weights_on_packed_masks():
    packed, weight = PackedMasks.from_dense(MASKS), WEIGHTS["whole"]
    found, expected = (
        DatamodelRegressor(0.05, tol=1e-10).fit(X, OUTPUTS, sample_weight=weight).coef_
        for X in (packed, MASKS.astype(float))
    )
    assert_allclose(found, expected, atol=1e-5)
