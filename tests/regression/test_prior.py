"""Priors, penalty factors and excluded examples."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from skdatamodels import DatamodelRegressor, PackedMasks
from skdatamodels.datasets import make_linear_runs
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.regression._gram.moments import moments, pair_sums
from skdatamodels.regression._prior import STRENGTHS, Prior, inform
from skdatamodels.regression._selection import MOST_JUDGES

FINE = {"tol": 1e-10, "max_iter": 100_000}


def lasso(X, y, lam):
    return Lasso(alpha=lam, tol=1e-12, max_iter=100_000).fit(X, y)


@pytest.fixture
def runs():
    return make_linear_runs(120, 20, 3, noise=0.5, random_state=0)


def test_penalty_factors_equal_a_lasso_on_scaled_columns(runs):
    runs, _ = runs
    factors = np.random.default_rng(0).uniform(0.3, 3, 20)
    model = DatamodelRegressor(0.05, penalty_factors=factors, **FINE)
    model.fit(runs.masks, runs.outputs.astype(float))
    for y, w, b in zip(runs.outputs.T, model.coef_, model.intercept_, strict=True):
        reference = lasso(runs.masks / factors, y.astype(float), 0.05)
        np.testing.assert_allclose(w, reference.coef_ / factors, atol=1e-5)
        assert b == pytest.approx(reference.intercept_, abs=1e-4)


def test_infinite_penalty_keeps_a_weight_at_zero(runs):
    runs, _ = runs
    factors = np.ones((3, 20))
    factors[1, :15] = np.inf
    Y = runs.outputs.astype(float)
    model = DatamodelRegressor(0.02, penalty_factors=factors, **FINE)
    model.fit(runs.masks, Y)
    plain = DatamodelRegressor(0.02, **FINE).fit(runs.masks, Y)
    assert not model.coef_[1, :15].any()
    reference = lasso(runs.masks[:, 15:].astype(float), Y[:, 1], 0.02)
    np.testing.assert_allclose(model.coef_[1, 15:], reference.coef_, atol=1e-5)
    np.testing.assert_allclose(model.coef_[[0, 2]], plain.coef_[[0, 2]], atol=1e-5)


@pytest.mark.parametrize("s", range(len(STRENGTHS)))
def test_informed_problem_is_that_of_the_residual(runs, s):
    runs, coef = runs
    tau = coef + 0.3 * np.random.default_rng(1).standard_normal(coef.shape)
    X, Y = runs.masks.astype(float), runs.outputs.astype(float)
    rows = np.arange(120)
    data = moments(X, Y, rows, np.arange(3), None, 0.0, Y.mean(axis=0))
    data = data._replace(xx=pair_sums(X, rows, None, 0.0))
    informed = inform(data, Prior(tau, np.ones(20)), STRENGTHS)[s]
    share, exponent = STRENGTHS[s]
    A, B = X - X.mean(axis=0), Y - Y.mean(axis=0)
    for j in range(3):
        effect = A @ tau[j]
        rest = B[:, j] - share * effect
        weights = informed.weights(np.zeros((3, 1, 20)))[j, 0]
        np.testing.assert_allclose(weights, share * tau[j])
        np.testing.assert_allclose(informed.cov[j], A.T @ rest / 120, atol=1e-10)
        np.testing.assert_allclose(informed.y_var[j], np.mean(rest**2))
        size = np.abs(tau[j])
        expected = (size / size.mean() + 0.1) ** -exponent
        factors = np.broadcast_to(informed.penalty_factors, (3, 20))
        np.testing.assert_allclose(factors[j], expected)


def test_prior_with_a_given_lam_is_a_lasso_on_the_residual(runs):
    runs, coef = runs
    tau = coef + 0.3 * np.random.default_rng(1).standard_normal(coef.shape)
    X, Y = runs.masks.astype(float), runs.outputs.astype(float)
    model = DatamodelRegressor(0.02, prior=tau, **FINE).fit(X, Y)
    np.testing.assert_array_equal(model.prior_strength_, np.tile([1.0, 0.5], (3, 1)))
    for j, offset in enumerate(model.prior_coef_):
        np.testing.assert_allclose(offset[0] * tau[j], offset * tau[j, 0])  # scaled
        size = np.abs(tau[j])
        factors = (size / size.mean() + 0.1) ** -0.5
        delta = lasso(X / factors, Y[:, j] - X @ offset, 0.02).coef_ / factors
        np.testing.assert_allclose(model.coef_[j], offset + delta, atol=1e-5)


@pytest.mark.parametrize(("lam", "n_runs"), [("validation", 500), ("cv", 100)])
def test_a_good_prior_helps_and_a_bad_one_does_not_harm(lam, n_runs):
    runs, coef = make_linear_runs(
        1000, 200, 30, n_informative=60, noise=n_runs / 100, random_state=3
    )
    few, held_out = runs[:n_runs], runs[500:]
    rng = np.random.default_rng(0)
    priors = {
        "none": None,
        "good": 7 * (coef + 0.2 * rng.standard_normal(coef.shape)),
        "random": rng.standard_normal(coef.shape),
    }
    scores = {}
    for name, prior in priors.items():
        model = DatamodelRegressor(lam, prior=prior, random_state=0, tol=1e-3).fit(few)
        scores[name] = linear_datamodeling_score(
            held_out.outputs, model.predict(held_out)
        )
    assert scores["good"] > scores["none"] + 0.1
    assert scores["random"] > scores["none"] - 0.02


def test_few_runs_judge_a_prior_by_folds():
    runs, coef = make_linear_runs(100, 30, 4, noise=1.0, random_state=3)
    validation, folds = (
        DatamodelRegressor(lam, prior=coef, penalty="l1", random_state=0).fit(runs)
        for lam in ("validation", "cv")
    )
    np.testing.assert_array_equal(validation.coef_, folds.coef_)
    plain = DatamodelRegressor("validation", random_state=0).fit(runs)
    assert (plain.validation_error_[0] != folds.validation_error_[0]).any()


@pytest.mark.parametrize("form", [np.asarray, PackedMasks.from_dense, np.float64])
@pytest.mark.parametrize("lam", [0.03, "validation"])
def test_excluded_examples_leave_their_runs_out(runs, form, lam):
    runs, _ = runs
    Y = runs.outputs.astype(float)
    parameters = {"lam": lam, "random_state": 0, **FINE}
    model = DatamodelRegressor(exclude=[4, -1, 17], **parameters)
    model.fit(form(runs.masks), Y)
    for target, example in ((0, 4), (2, 17)):
        without = ~runs.masks[:, example]
        lam_of = model.lam_[target]
        reference = lasso(runs.masks[without].astype(float), Y[without, target], lam_of)
        np.testing.assert_allclose(model.coef_[target], reference.coef_, atol=1e-5)
        assert model.coef_[target, example] == 0
    plain = DatamodelRegressor(**parameters).fit(runs.masks, Y)
    np.testing.assert_allclose(model.coef_[1], plain.coef_[1], atol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"prior": np.zeros((3, 20))}, "prior 'prior' is 0 everywhere"),
        ({"prior": np.ones((3, 19))}, r"\(n_targets, n_train\) = \(3, 20\)"),
        ({"prior": np.full((3, 20), np.nan)}, "prior contains NaN"),
        ({"penalty_factors": np.zeros(20)}, "must be positive"),
        ({"penalty_factors": np.ones(3)}, r"of shape \(20,\)"),
        ({"exclude": [0, 1]}, "3 integers"),
        ({"exclude": [0, 1, 20]}, "0 to 19"),
        ({"exclude": [0.0, 1.0, 2.0]}, "3 integers"),
    ],
)
def test_bad_input(runs, parameters, message):
    with pytest.raises(ValueError, match=message):
        DatamodelRegressor(**parameters).fit(runs[0])


def test_a_prior_may_be_computed_in_the_fit():
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV

    from skdatamodels import Examples
    from skdatamodels.influence import Attribution, ridge_influence

    runs, _ = make_linear_runs(60, 12, 3, random_state=0)
    rng = np.random.default_rng(0)
    train = Examples(rng.standard_normal((12, 4)), rng.standard_normal(12))
    prior = Attribution(
        ridge_influence, train, train[:3], estimator=Ridge(), output="prediction"
    )
    model = DatamodelRegressor(0.05, prior=prior).fit(runs)
    expected = DatamodelRegressor(0.05, prior=prior()).fit(runs)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    search = GridSearchCV(model, {"prior__damping": [0.0, 5.0]}, cv=2).fit(runs)
    for damping, score in zip(
        [0.0, 5.0], search.cv_results_["split0_test_score"], strict=True
    ):
        prior.set_params(damping=damping)
        model = DatamodelRegressor(0.05, prior=prior()).fit(runs[30:])
        assert score == pytest.approx(model.score(runs[:30]))


@pytest.mark.parametrize("lam", ["validation", "cv"])
def test_all_targets_decide_on_the_prior_whatever_runs_they_can_use(lam):
    """By itself, a target would follow the noise of its few held-out runs."""
    runs, coef = make_linear_runs(200, 20, 6, noise=1.0, random_state=0)
    Y = runs.outputs.astype(float)
    Y[np.arange(6), np.arange(6)] = np.nan  # no two targets can use the same runs
    noise = np.random.default_rng(0).standard_normal(coef.shape)
    for prior in coef + 0.1 * noise, noise:
        gram, residual = (
            DatamodelRegressor(lam, solver=solver, prior=prior, random_state=0)
            for solver in ("gram", "residual")
        )
        strength = gram.fit(runs.masks, Y).prior_strength_
        assert (strength == strength[0]).all()
        residual.fit(runs.masks, Y)
        np.testing.assert_array_equal(strength, residual.prior_strength_)
        np.testing.assert_allclose(gram.coef_, residual.coef_, atol=0.02)


@pytest.mark.parametrize(
    ("solver", "lam", "n_runs"),
    [("gram", "validation", 120), ("gram", "cv", 60), ("residual", "validation", 120)],
)
def test_some_targets_choose_the_strength_for_all(solver, lam, n_runs):
    n = 2 * MOST_JUDGES  # every other target judges
    runs, coef = make_linear_runs(n_runs, 30, n, noise=2.0, random_state=0)
    noise = np.random.default_rng(0).standard_normal(coef.shape)
    judging = np.arange(n)[:, None] % 2 == 0
    for good in True, False:
        prior = np.where(judging == good, coef, noise)
        parameters = {"lam": lam, "solver": solver, "random_state": 0, "tol": 1e-3}
        parameters["validation_fraction"] = 0.5
        model = DatamodelRegressor(prior=prior, **parameters).fit(runs)
        strength = model.prior_strength_
        assert (strength == strength[0]).all()
        assert strength.any() == good
        threads = DatamodelRegressor(prior=prior, n_jobs=2, **parameters).fit(runs)
        np.testing.assert_array_equal(threads.coef_, model.coef_)
