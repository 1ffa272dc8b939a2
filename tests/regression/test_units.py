"""Outputs and columns of any size: the same digits, and scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.metrics import r2_score

from skdatamodels import DatamodelRegressor
from skdatamodels._scaling import exponents, scaled
from skdatamodels.datasets import make_linear_runs
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.regression import lasso_path, residual_path, saga_path

RUNS, COEF = make_linear_runs(60, 12, 3, noise=0.3, random_state=0)
OUTPUTS = RUNS.outputs.astype(np.float64)
PRIOR = COEF + 0.3
# exponents of two at which squares overflow or vanish, and some at which they do not
EXTREMES = {np.float32: (-120, -70, 3, 70, 120), np.float64: (-1000, -540, 520, 1015)}
CASES = [(dtype, k) for dtype, powers in EXTREMES.items() for k in powers]


@given(
    st.lists(
        st.floats(allow_infinity=False, width=32) | st.just(0.0), min_size=1, max_size=9
    )
)
def test_an_exponent_is_the_least_that_bounds_a_column(column):
    y = np.array(column)
    largest = np.abs(y[~np.isnan(y)]).max(initial=0)
    k = int(exponents(y[:, None])[0])
    assert k == exponents(y)
    if largest:
        assert 2.0 ** (k - 1) <= largest < 2.0**k
        np.testing.assert_array_equal(scaled(y, k), y / 2.0**k)
    else:
        assert k == 0


@pytest.mark.parametrize(("dtype", "k"), CASES)
@pytest.mark.parametrize(
    ("solver", "lam", "prior"),
    [
        ("gram", 0.03, None),
        ("gram", "validation", PRIOR),
        ("residual", 0.03, None),
        ("residual", "validation", PRIOR),
        ("saga", 0.03, PRIOR),
        ("saga", "validation", None),
    ],
)
def test_a_power_of_two_changes_no_digit(dtype, k, solver, lam, prior):
    parameters = {"solver": solver, "prior": prior, "random_state": 0, "n_lams": 3}
    Y = OUTPUTS.astype(dtype)
    Y[3, 1] = np.nan
    powers = np.array([k, 0, k])  # one for each target
    given_lam = isinstance(lam, float)
    base = DatamodelRegressor(lam, **parameters).fit(RUNS.masks, Y)
    lam = np.ldexp(lam, powers) if given_lam else lam
    if prior is not None:
        parameters["prior"] = np.ldexp(prior, powers[:, None])
    model = DatamodelRegressor(lam, **parameters)
    model.fit(RUNS.masks, np.ldexp(Y, powers))
    assert model.coef_.dtype == dtype
    np.testing.assert_array_equal(model.coef_, np.ldexp(base.coef_, powers[:, None]))
    np.testing.assert_array_equal(model.intercept_, np.ldexp(base.intercept_, powers))
    np.testing.assert_array_equal(model.lam_, np.ldexp(base.lam_, powers))
    np.testing.assert_array_equal(model.dual_gap_, base.dual_gap_)
    assert model.dual_gap_.max() <= model.tol
    if not given_lam:
        powers = powers[:, None]
        np.testing.assert_array_equal(model.lams_, np.ldexp(base.lams_, powers))
        with np.errstate(over="ignore"):
            errors = np.ldexp(base.validation_error_, 2 * powers)
        np.testing.assert_array_equal(model.validation_error_, errors)


@pytest.mark.parametrize(("dtype", "k"), CASES)
@pytest.mark.parametrize("solver", ["gram", "residual", "saga"])
def test_outputs_of_any_size_have_the_weights_of_lasso(dtype, k, solver):
    Y = np.ldexp(OUTPUTS.astype(dtype), k)
    model = DatamodelRegressor(np.ldexp(0.03, k), solver=solver, tol=1e-6)
    model.fit(RUNS.masks, Y)
    for w, y in zip(model.coef_, Y.T, strict=True):
        best = Lasso(0.03, tol=1e-10).fit(RUNS.masks, np.ldexp(y.astype(float), -k))
        w = np.ldexp(w.astype(float), -k)
        np.testing.assert_allclose(w, best.coef_, atol=5e-3)
    truth = np.ldexp(Y.astype(float), -k)
    predicted = np.ldexp(model.predict(RUNS.masks).astype(float), -k)
    expected = pytest.approx(r2_score(truth, predicted), abs=1e-5)
    assert model.score(RUNS.masks, Y) == expected
    means = DifferenceOfMeans().fit(RUNS.masks, Y)
    predicted = np.ldexp(means.predict(RUNS.masks), -k)
    assert means.score(RUNS.masks, Y) == pytest.approx(r2_score(truth, predicted))


def test_the_path_that_is_kept_is_in_units_of_the_outputs():
    parameters = {"keep_path": True, "random_state": 0, "n_lams": 4}
    base = DatamodelRegressor(**parameters).fit(RUNS.masks, OUTPUTS)
    model = DatamodelRegressor(sparse=True, **parameters)
    model.fit(RUNS.masks, np.ldexp(OUTPUTS, 600))
    path = model.coef_path_.toarray().reshape(base.coef_path_.shape)
    np.testing.assert_array_equal(path, np.ldexp(base.coef_path_, 600))
    intercepts = np.ldexp(base.intercept_path_, 600)
    np.testing.assert_array_equal(model.intercept_path_, intercepts)


@pytest.mark.parametrize("power", [-600, -40, 40, 600])
def test_real_columns_of_any_size(power):
    X = np.random.default_rng(0).standard_normal((60, 5))
    y = X @ np.arange(5.0) + 1
    base = DatamodelRegressor(0.1).fit(X, y)
    model = DatamodelRegressor(np.ldexp(0.1, power)).fit(np.ldexp(X, power), y)
    np.testing.assert_array_equal(model.coef_, np.ldexp(base.coef_, -power))
    assert model.intercept_ == base.intercept_
    assert model.dual_gap_ == base.dual_gap_


@given(st.integers(-500, 500), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=15)
def test_pure_functions_take_outputs_of_any_size(k, dtype):
    X, Y = RUNS.masks - RUNS.masks.mean(axis=0), OUTPUTS - OUTPUTS.mean(axis=0)
    gram, cov, y_var = X.T @ X / 60, X.T @ Y / 60, (Y**2).mean(axis=0)
    lams, start = np.array([0.2, 0.02]), np.ones((3, 12))
    k = k // 8 if dtype == np.float32 else k

    def solve(k):
        path = {"lams": np.ldexp(lams, k), "coef_init": np.ldexp(start, k)}
        moments = np.ldexp(cov, k), np.ldexp(y_var, 2 * k)
        coefs, gaps, _ = lasso_path(gram.astype(dtype), *moments, **path)
        found = saga_path(RUNS.masks, np.ldexp(OUTPUTS, k), random_state=0, **path)
        few = residual_path(RUNS.masks, np.ldexp(OUTPUTS, k), **path)
        return (coefs, *found[:2], *few[:2]), (gaps, *found[2:], *few[2:])

    base, found = solve(0), solve(k)
    for expected, sized in zip(base[0], found[0], strict=True):
        np.testing.assert_array_equal(sized, np.ldexp(expected, k))
    for expected, same in zip(base[1], found[1], strict=True):
        np.testing.assert_array_equal(same, expected)


def test_lam_of_any_size():
    for lam, some in ((1e39, False), (1e-50, True)):  # no float32
        model = DatamodelRegressor(lam, tol=0.5).fit(RUNS)
        assert (model.coef_ != 0).any() == some


def test_a_gap_that_is_not_a_number_is_not_converged():
    gram, cov = np.full((2, 2), 1e-38, np.float32), np.full((2, 1), 3e38)
    with pytest.warns(ConvergenceWarning, match=r"1 of 1 targets .* gap is nan"):
        lasso_path(gram, cov, np.ones(1), lams=[0.1], max_iter=3)


def test_weights_that_have_no_place_are_told():
    y = np.array([-3e38, 3e38, -3e38, 3e38], np.float32)
    X = np.array([[0], [1], [0], [1]], bool)
    with pytest.raises(ValueError, match="too large for float32: divide the outputs"):
        DatamodelRegressor(0.0, tol=0.5, max_iter=9).fit(X, y)
