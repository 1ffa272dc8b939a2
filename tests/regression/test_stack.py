"""Several attribution matrices as a prior, compared with least squares."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import lsq_linear

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import make_linear_runs
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.regression import AttributionMatrix

INFORMED = {"penalty": "l2", "random_state": 0}


def fit_told(members, runs, **parameters):
    """Fit with members of which one has the wrong sign."""
    model = DatamodelRegressor(prior=members, **INFORMED, **parameters)
    with pytest.warns(UserWarning, match="is its sign that of a loss"):
        return model.fit(runs)


@pytest.fixture
def data():
    runs, coef = make_linear_runs(600, 80, 12, noise=1.0, random_state=3)
    rng = np.random.default_rng(0)
    members = {
        "noisy": 50 * (coef + 0.5 * rng.standard_normal(coef.shape)),
        "half": coef * (rng.random(coef.shape) < 0.5),
        "random": rng.standard_normal(coef.shape),
        "reversed": -coef,
    }
    return runs, members


def test_pooled_weights_are_non_negative_least_squares(data):
    runs, members = data
    runs = runs[:100]
    X, Y = (
        runs.masks - runs.masks.mean(axis=0),
        runs.outputs - runs.outputs.mean(axis=0),
    )
    spread = Y.std(axis=0)
    unscaled = {name: X @ tau.T for name, tau in members.items()}
    scales = {name: spread / fitted.std(axis=0) for name, fitted in unscaled.items()}
    columns = {name: unscaled[name] * scales[name] / spread for name in members}
    A = np.stack([column.ravel() for column in columns.values()], axis=1)
    b = lsq_linear(A, (Y / spread).ravel(), bounds=(0, np.inf), tol=1e-14).x
    model = fit_told(members, runs)
    for weight, name in zip(b, members, strict=True):
        assert model.prior_weights_[name] == pytest.approx(weight, abs=1e-5)
    assert model.prior_weights_["reversed"] == 0
    combined = sum(
        weight * scales[name][:, None] * members[name]
        for weight, name in zip(b, members, strict=True)
    )
    scale = model.prior_coef_ / combined
    np.testing.assert_allclose(scale, np.tile(scale[:, :1], 80), rtol=1e-3)
    fitted = X @ combined.T
    own = (fitted * Y).sum(axis=0) / (fitted**2).sum(axis=0)
    low, high = np.sort([own, np.ones(12)], axis=0)  # shrunk to about 1
    assert ((scale[:, 0] > low - 0.05) & (scale[:, 0] < high + 0.05)).all()


def test_members_of_any_form_and_unit_give_the_same(data):
    runs, members = data
    runs = runs[:100]
    expected = fit_told(members, runs)
    forms = [
        lambda a: 2.0**20 * a,
        sparse.csr_array,
        AttributionMatrix,
        lambda a: lambda: a,  # a function that returns it
    ]
    forms = dict(zip(members, forms, strict=True))
    mixed = {name: forms[name](tau) for name, tau in members.items()}
    model = fit_told(mixed, runs)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    model = fit_told(list(mixed.values()), runs)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    assert list(model.prior_weights_) == [0, 1, 2, 3]


def test_a_stack_is_better_than_its_members_and_bad_ones_cost_little(data):
    runs, members = data
    held_out = runs[100:]
    del members["reversed"]

    def score(prior):
        model = DatamodelRegressor(prior=prior, **INFORMED).fit(runs[:100])
        return linear_datamodeling_score(held_out.outputs, model.predict(held_out))

    good = {name: members[name] for name in ("noisy", "half")}
    alone = max(score(members["noisy"]), score(members["half"]))
    assert score(good) > alone
    assert score(members) > score(good) - 0.01


def test_a_prior_of_the_wrong_sign_is_told_and_not_used(data):
    runs, members = data
    model = DatamodelRegressor(prior=members["reversed"], random_state=0)
    with pytest.warns(UserWarning, match="prior 'prior' predicts larger outputs where"):
        model.fit(runs[:100])
    plain = DatamodelRegressor(lam="cv", random_state=0).fit(runs[:100])
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.prior_weights_ == {"prior": 0}
    assert model.penalty_ == "l1"
    assert not hasattr(model, "prior_coef_")


def test_few_runs_give_equal_weights(data):
    runs, members = data
    members = {name: members[name] for name in ("noisy", "half")}
    with pytest.warns(UserWarning, match="Only 15 runs: too few to weigh the 2"):
        model = DatamodelRegressor(prior=members, **INFORMED).fit(runs[:15])
    assert model.prior_weights_["noisy"] == pytest.approx(model.prior_weights_["half"])


def test_blocks_of_targets_do_not_change_the_stack(data, monkeypatch):
    runs, members = data
    exclude = np.r_[np.arange(6), np.full(6, -1)]
    whole = fit_told(members, runs[:100], exclude=exclude)
    monkeypatch.setattr("skdatamodels.regression._stack._BLOCK_BYTES", 1)
    parts = fit_told(members, runs[:100], exclude=exclude)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-9)
    assert not whole.coef_[np.arange(6), np.arange(6)].any()


def test_many_runs_are_sampled(data, monkeypatch):
    runs, members = data
    whole = fit_told(members, runs)
    monkeypatch.setattr("skdatamodels.regression._stack._MOST_RUNS", 400)
    model = fit_told(members, runs)
    assert model.prior_weights_ != whole.prior_weights_
    for name, weight in whole.prior_weights_.items():
        assert model.prior_weights_[name] == pytest.approx(weight, abs=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m | {"random": np.ones((12, 79))}, "prior 'random' must have shape"),
        (
            lambda m: m | {"random": np.full((12, 80), np.nan)},
            "prior 'random' contains",
        ),
        (lambda m: m | {"half": None}, "prior 'half' is None"),
        (lambda m: m | {"half": np.zeros((12, 80))}, "prior 'half' is 0 everywhere"),
        (lambda m: m | {"half": m["noisy"]}, "'noisy' and prior 'half' are the same"),
        (lambda m: [m["half"], m["half"]], "prior 0 and prior 1 are the same"),
        (lambda m: {}, "prior contains no matrix"),
        (lambda m: "cheap", "needs TrainingRuns that know attributions"),
    ],
)
def test_bad_input(data, change, message):
    runs, members = data
    with pytest.raises(ValueError, match=message):
        DatamodelRegressor(prior=change(members)).fit(runs[:50])


def test_runs_of_a_group_do_not_judge_each_other():
    """Repeats of a subset share their noise, which useless members would fit."""
    weighed = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = np.repeat(rng.random((25, 200)) < 0.5, 4, axis=0)
        Y = np.repeat(rng.standard_normal((25, 1)), 4, axis=0)
        Y = Y + 0.1 * rng.standard_normal(Y.shape)
        prior = [rng.standard_normal((1, 200)) for _ in range(5)]
        model = DatamodelRegressor(prior=prior, **INFORMED)
        model.fit(X, Y, groups=np.repeat(np.arange(25), 4))
        weighed += any(model.prior_weights_.values())
    assert weighed < 6


def test_a_member_may_have_other_units_for_each_target(data):
    runs, members = data
    good = {name: members[name] for name in ("noisy", "half")}
    one = DatamodelRegressor(prior=good, **INFORMED).fit(runs[:100])
    units = np.geomspace(1e-3, 1e3, 12)[:, None]
    good["noisy"] = units * good["noisy"]
    other = DatamodelRegressor(prior=good, **INFORMED).fit(runs[:100])
    np.testing.assert_allclose(other.coef_, one.coef_, atol=1e-9)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_a_constant_prediction_of_a_target_gets_no_weight(missing, penalty):
    """An example in all usable runs of a target has no effect that they show."""
    rng = np.random.default_rng(0)
    X, coef = rng.random((150, 30)) < 0.5, rng.standard_normal((8, 30))
    Y = X @ coef.T + rng.standard_normal((150, 8))
    if missing:
        Y[~X[:, 0], 3] = np.nan
    else:
        X[:, 0] = True
    prior = coef + 0.5 * rng.standard_normal(coef.shape)
    prior[3] = np.eye(30)[0] * 0.3
    without = prior.copy()
    without[3] = 0
    found, expected = (
        DatamodelRegressor(prior=tau, penalty=penalty, random_state=0).fit(X, Y)
        for tau in (prior, without)
    )
    assert not found.prior_coef_[3].any()
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-9)
    assert found.prior_weights_ == pytest.approx(expected.prior_weights_)
