"""Learning curves carried on, against known curves and runs that are trained."""

import contextlib
import sys

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, TrainingRuns, sample_masks
from skdatamodels.datasets import make_linear_runs
from skdatamodels.influence import (
    Attribution,
    AttributionRegressor,
    DifferenceOfMeans,
    random_influence,
)
from skdatamodels.judging import plan_runs
from skdatamodels.judging._learning_curve import fit_curves, runs_for, square_at
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.regression import AttributionMatrix

# dense weights: the law holds for the difference of means
RUNS, COEF = make_linear_runs(
    12_000, n_train=60, n_targets=30, n_informative=60, noise=6.0, random_state=0
)
FIRST, LATER, FRESH = RUNS[:400], RUNS[:6400], RUNS[-4000:]
MEANS = DifferenceOfMeans()


class MaskRidge(Ridge):
    def fit(self, X, y=None):
        return super().fit(X.masks, X.outputs)

    def predict(self, X):
        return super().predict(X.masks)


def plan(runs=FIRST, **params):
    params = {"regressor": MEANS, "n_bootstraps": 300, "random_state": 0} | params
    return plan_runs(runs, **params)


def score(n_runs):
    predicted = MEANS.fit(RUNS[:n_runs]).predict(FRESH)
    return linear_datamodeling_score(FRESH.outputs, predicted)


def test_the_law_is_recovered_and_inverted():
    n_runs = np.array([100, 200, 400, 800])
    a, b, power = (np.array(v) for v in ([1.5, 1.0, 3.0], [200, 90, 50], [1, 0.8, 1.2]))
    squares = square_at(n_runs, a, b, power)
    assert_allclose(squares[1], 1 / (1 + 90 / n_runs**0.8))
    for known in (squares, np.where(n_runs > 100, squares, np.nan)):
        assert_allclose(fit_curves(n_runs, known, power), (a, b))
    assert_allclose(runs_for(squares[:, 2], a, b, power), 400)
    assert np.isinf(runs_for(0.7, a, b, power)[[0, 2]]).all()  # 1/a is 2/3 and 1/3


def test_fits_keep_to_what_is_possible():
    n_runs, power = np.array([100, 200]), np.ones(1)
    falling = fit_curves(n_runs, np.array([[0.5, 0.4]]), power)
    assert falling[1] == 0
    assert 2 < falling[0] < 2.5
    # straight through the points it would end above 1
    a, b = fit_curves(n_runs, np.array([[0.3, 0.6]]), power)
    assert a == 1
    assert b > 0
    a, _ = fit_curves(n_runs, np.array([[0.3, 0.5]]), power, least=1.6)
    assert a == 1.6
    assert np.isnan(fit_curves(n_runs, np.array([[0.0, 0.5]]), power)).all()


def test_first_runs_foresee_sixteen_times_as_many():
    foreseen = plan()
    assert foreseen.n_runs.tolist() == [160, 226, 320]
    for n_runs in (1600, 6400):
        middle, low, high = foreseen.predict([n_runs])[0]
        assert middle == pytest.approx(score(n_runs), abs=0.05)
        assert low < score(n_runs) < high
    # the best linear prediction is the truth itself
    best = linear_datamodeling_score(FRESH.outputs, FRESH.masks @ COEF.T)
    assert foreseen.limit.low < best < foreseen.limit.high


def test_mse_is_foreseen_too():
    foreseen = plan(RUNS[:600], metric="mse", regressor=MaskRidge(50), wanted=45.0)
    predicted = Ridge(50).fit(LATER.masks, LATER.outputs).predict(FRESH.masks)
    truth = np.mean((FRESH.outputs - predicted) ** 2)
    middle, low, high = foreseen.predict([len(LATER)])[0]
    assert low < truth < high
    assert middle == pytest.approx(truth, rel=0.1)
    assert (np.diff(foreseen.scores[:, 0]) < 0).all()  # errors fall
    assert foreseen.predict([foreseen.n_needed.score])[0, 0] == pytest.approx(45, 0.01)


def test_needed_runs_reach_what_is_wanted():
    wanted = plan().predict([3000])[0, 0]
    reached = plan(wanted=wanted)
    assert reached.n_needed.score == pytest.approx(3000, abs=2)
    assert reached.n_more == reached.n_needed.score - len(FIRST)
    assert reached.n_needed.low <= reached.n_needed.score <= reached.n_needed.high
    assert plan(wanted=0.1).n_more == 0
    never = plan(wanted=0.99)
    assert np.isinf(never.n_needed.score)
    assert np.isinf(never.n_more)
    assert plan().n_needed is None


def test_nothing_passes_the_noise_ceiling():
    expected = FRESH.masks[:300] @ COEF.T
    noise = np.random.default_rng(1).normal(size=(2, *expected.shape))
    capped = plan(FIRST, repeats=expected + 12 * noise)
    free = plan(FIRST)
    assert capped.ceiling < free.limit.score
    assert capped.limit.score == pytest.approx(capped.ceiling)
    assert (capped.predict([400, 10**9]) <= capped.ceiling + 1e-9).all()
    assert np.isnan(free.ceiling)
    errors = plan(
        RUNS[:600], metric="mse", regressor=MaskRidge(50), repeats=expected + 6 * noise
    )
    assert errors.ceiling == pytest.approx(36, rel=0.1)
    assert errors.predict([10**9])[0, 0] >= errors.ceiling - 1e-6


def test_scores_are_of_runs_left_out():
    """A regressor that knows its own runs by heart gains nothing by it."""
    noise = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    with pytest.raises(ValueError, match="no better than a constant"):
        plan(
            TrainingRuns(RUNS.packed[:200], noise),
            metric="mse",
            regressor=MaskRidge(1e-6),
        )


def test_pairs_are_not_divided_between_fitted_and_judged_runs():
    """The noise of training is common to a pair, and would flatter the score."""
    rng = np.random.default_rng(0)
    masks = sample_masks(400, 30, 0.5, design="complementary", random_state=0)
    seeds = np.arange(400) // 2
    noise = np.repeat(rng.normal(size=(200, 6)), 2, axis=0)
    noise[1::2] *= -1
    outputs = masks.dot(rng.normal(size=(30, 6))) + 20 * noise
    order = rng.permutation(400)

    class Copies(RegressorMixin, BaseEstimator):
        """Predict minus the output of the complement, if it was fitted."""

        def fit(self, X, y=None):
            self.masks_, self.outputs_ = X.masks, np.asarray(X.outputs)
            self.coef_ = np.zeros((self.outputs_.shape[1], self.masks_.shape[1]))
            return self

        def predict(self, X):
            same = X.masks.astype(int) @ self.masks_.T.astype(int)
            return -self.outputs_[same.argmin(axis=1)]

    runs = TrainingRuns(masks[order], outputs[order], seeds=seeds[order])
    scores = {}
    for name, given in (
        ("pairs", runs),
        ("single", TrainingRuns(runs.packed, runs.outputs)),
    ):
        with contextlib.suppress(ValueError):  # if nothing can be predicted
            scores[name] = plan(given, regressor=Copies()).scores[-1, 0]
    assert scores["single"] > 0.5
    assert scores.get("pairs", 0) < 0.2


def test_result_depends_on_the_seed_alone():
    first, again, other = (plan(random_state=seed) for seed in (1, 1, 2))
    assert_array_equal(first.scores, again.scores)
    assert_array_equal(first.predict([5000]), again.predict([5000]))
    assert not np.array_equal(first.scores, other.scores)


# Doing less: some targets, loose fits


def of_targets(runs, targets):
    return TrainingRuns(runs.packed, runs.outputs[:, targets])


def test_some_targets_foresee_what_comes_for_all():
    """Each draw of a third of the targets covers what brute force finds for all."""
    truth, middles = score(6400), []
    for seed in range(8):
        foreseen = plan(n_targets=10, random_state=seed)
        assert len(np.unique(foreseen.targets)) == 10
        assert (np.diff(foreseen.targets) > 0).all()
        middle, low, high = foreseen.predict([6400])[0]
        assert low < truth < high
        middles.append(middle)
    assert np.mean(middles) == pytest.approx(truth, abs=0.06)
    # fewer targets are surer of nothing
    few, all_ = (np.ptp(plan(n_targets=n).scores[-1, 1:]) for n in (3, None))
    assert few > 1.5 * all_


def test_default_regressor_foresees_what_the_usual_one_reaches():
    """What is fitted loosely and for some targets is judged as a full fit would be."""
    runs, _ = make_linear_runs(3200, 100, 80, n_informative=20, noise=1.0)
    fresh = runs[2800:]
    foreseen = plan(runs[:300], regressor=None, n_targets=40)
    for n_runs in (300, 2800):
        usual = DatamodelRegressor(random_state=1).fit(runs[:n_runs])
        truth = linear_datamodeling_score(fresh.outputs, usual.predict(fresh))
        middle, low, high = foreseen.predict([n_runs])[0]
        assert low < truth < high
        assert middle == pytest.approx(truth, abs=0.05)


class Recording(DifferenceOfMeans):
    fitted = []  # clones share it

    def fit(self, X, y=None):
        self.fitted.append(X.outputs.shape[1])
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("n_targets", "used"), [(7, 7), (30, 30), (31, 30), (None, 30)]
)
def test_no_more_targets_are_fitted_than_asked_for(n_targets, used):
    Recording.fitted.clear()
    assert len(plan(regressor=Recording(), n_targets=n_targets).targets) == used
    assert Recording.fitted == [used] * 9


@pytest.mark.parametrize(
    ("steps", "form"),
    [(None, np.array), ("pipeline", csr_array), (None, AttributionMatrix)],
)
def test_parameters_of_targets_go_with_them(steps, form):
    """A plan of some targets is the plan of runs that hold no others."""
    rng = np.random.default_rng(0)
    parameters = {
        "prior": COEF + rng.normal(size=COEF.shape),
        "penalty_factors": rng.uniform(0.5, 2, size=COEF.shape),
        "exclude": rng.permutation(60)[:30],
        "lam": rng.uniform(0.05, 0.2, size=30),
    }

    def regressor(targets):
        rows = {name: value[targets] for name, value in parameters.items()}
        rows["prior"] = form(rows["prior"])
        one = DatamodelRegressor(**rows, tol=1e-2, random_state=0)
        return make_pipeline("passthrough", one) if steps else one

    everyone = np.arange(30)
    some = plan(RUNS[:200], regressor=regressor(everyone), n_targets=8)
    alone = plan(
        of_targets(RUNS[:200], some.targets), regressor=regressor(some.targets)
    )
    assert_array_equal(some.scores, alone.scores)
    # what is one number for each example stays
    factors = rng.uniform(0.5, 2, size=60)
    one = DatamodelRegressor(lam=0.1, penalty_factors=factors, tol=1e-2)
    assert np.isfinite(plan(RUNS[:200], regressor=one, n_targets=8).scores).all()


def test_threads_change_nothing():
    model = DatamodelRegressor(tol=1e-2, random_state=0)
    one, two = (
        plan(RUNS[:200], regressor=model, n_jobs=n, n_targets=8) for n in (1, 2)
    )
    assert_array_equal(one.scores, two.scores)
    with parallel_config("multiprocessing", n_jobs=2):
        assert_array_equal(plan(RUNS[:200]).scores, plan(RUNS[:200], n_jobs=1).scores)


def test_progress_is_shown_when_asked_for_or_when_it_takes_long(capsys, monkeypatch):
    plan()
    assert capsys.readouterr().err == ""
    plan(verbose=True)
    assert "plan_runs: 100%" in capsys.readouterr().err
    # as if so much time had passed
    monkeypatch.setattr(sys.modules[plan_runs.__module__], "_QUIET", 1e-9)
    plan()
    assert "9/9" in capsys.readouterr().err
    plan(verbose=False)
    assert capsys.readouterr().err == ""


def with_nan():
    outputs = np.array(FIRST.outputs)
    outputs[7, 2] = np.nan
    return TrainingRuns(FIRST.packed, outputs)


@pytest.mark.parametrize(
    ("runs", "params", "message"),
    [
        (RUNS[:20], {}, "too few runs for the default"),
        (FIRST, {"sizes": [100]}, "two or more increasing numbers"),
        (FIRST, {"sizes": [200, 100]}, "two or more increasing numbers"),
        (FIRST, {"sizes": [100, 350]}, "to the 320 runs that are not held out"),
        (FIRST, {"sizes": [0.1, 0.5]}, "two or more increasing numbers"),
        (FIRST, {"wanted": 1.0}, "must be below 1 for an LDS, got 1.0"),
        (FIRST, {"wanted": 1e6, "metric": "mse"}, "predicting the mean output already"),
        (FIRST, {"repeats": np.zeros((2, 9, 4))}, "has 4 targets, .* runs have 30"),
        (FIRST, {"n_targets": 0}, "'n_targets' parameter"),
        (with_nan(), {"metric": "mse"}, "runs.outputs is nan at run 7, target 2"),
    ],
)
def test_bad_input(runs, params, message):
    with pytest.raises(ValueError, match=message):
        plan(runs, **params)


@pytest.mark.parametrize("attribution", [False, True])
def test_runs_are_planned_for_a_prior_that_is_computed(attribution):
    runs, _ = make_linear_runs(200, 12, 6, random_state=0)
    train = Examples(np.eye(12), np.arange(12) % 2)
    made = Attribution(random_influence, train, train[:6], random_state=0)
    if attribution:
        models = AttributionRegressor(made), AttributionRegressor(made())
    else:
        models = (DatamodelRegressor(0.05, prior=prior) for prior in (made, made()))
    plans = [plan_runs(runs, regressor=m, n_targets=3, random_state=0) for m in models]
    assert_array_equal(plans[0].scores, plans[1].scores)


@pytest.mark.parametrize("form", [dict, list, "sparse", "cheap"])
def test_runs_are_planned_for_several_priors(form):
    runs, coef = make_linear_runs(200, 12, 6, random_state=0)
    rng = np.random.default_rng(0)
    members = {name: coef + rng.normal(size=coef.shape) for name in ("a", "b")}
    prior = {
        dict: members,
        list: [*members.values()],
        "sparse": {name: csr_array(member) for name, member in members.items()},
        "cheap": "cheap",
    }[form]
    if form == "cheap":
        runs = TrainingRuns(runs.packed, runs.outputs, attributions=members)
    some = plan_runs(
        runs,
        regressor=DatamodelRegressor(0.05, prior=prior),
        n_targets=3,
        random_state=0,
    )
    prior = {name: member[some.targets] for name, member in members.items()}
    alone = plan_runs(
        of_targets(runs, some.targets),
        regressor=DatamodelRegressor(0.05, prior=prior),
        random_state=0,
    )
    assert_allclose(some.scores, alone.scores, atol=1e-6)
