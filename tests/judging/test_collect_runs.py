"""Collecting runs: stopping rules against simulations whose truth is known."""

import time
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.datasets import load_digits_examples, make_linear_runs
from skdatamodels.inference import infer_weights
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.judging import collect_runs, plan_runs
from skdatamodels.judging._cross_validated_lds import cross_validated_lds
from skdatamodels.judging._look import Look, Looking
from skdatamodels.judging._run_goals import (
    IntervalGoal,
    LdsGoal,
    SelectedGoal,
    TopGoal,
    measure,
)
from skdatamodels.metrics import linear_datamodeling_score

N_TRAIN, N_TARGETS = 30, 8
DENSE = np.random.default_rng(0).normal(size=(N_TARGETS, N_TRAIN))
SPARSE = DENSE * (abs(DENSE) > 1.2)
TRAIN = Examples(np.zeros((N_TRAIN, 1)), np.arange(N_TRAIN) % 2)
LASSO = DatamodelRegressor(0.05, tol=1e-2)
MEANS = DifferenceOfMeans()


class Linear:
    """A learner whose outputs are sums of known effects, and noise."""

    def __init__(self, effects, noise, interrupt_at=None):
        self.effects, self.noise, self.interrupt_at = effects, noise, interrupt_at
        self.n_trained = 0

    def __getstate__(self):  # what identifies it for a store
        return {"effects": self.effects, "noise": self.noise}

    def __call__(self, subset, seed):
        if self.n_trained == self.interrupt_at:
            raise KeyboardInterrupt
        self.n_trained += 1
        noise = np.random.default_rng(seed).normal(size=len(self.effects))
        return self.effects[:, subset].sum(axis=1) + self.noise * noise


def make_trainer(effects=DENSE, noise=4.0, *, interrupt_at=None, **params):
    learner = Linear(effects, noise, interrupt_at)
    params = {"random_state": 0} | params
    return SubsetTrainer(learner, TRAIN, TRAIN[:N_TARGETS], **params)


def collect(trainer, until, **params):
    params = {"regressor": MEANS, "max_runs": 1000, "random_state": 0} | params
    return collect_runs(trainer, until, verbose=0, **params)


def look_at(runs, *, regressor=MEANS, level=0.05, seed=0, **params):
    n = len(runs)
    given = {
        "n_seen": 0,
        "n_all_targets": runs.n_targets,
        "confidence": 0.95,
        "inference": {},
    }
    ids = np.arange(n)
    return Look(runs, regressor, ids, ids, level=level, seed=(seed,), **given | params)


def draw(seed, n_runs, effects=DENSE, noise=4.0):
    trainer = make_trainer(effects, noise, random_state=seed)
    return trainer.fit_transform(np.arange(n_runs))


# The result


def test_runs_and_model_are_those_of_the_trainer_and_the_regressor():
    collected = collect(make_trainer(), {"lds": 0.4})
    n = len(collected.runs)
    alone = make_trainer().fit_transform(np.arange(n))
    assert_array_equal(collected.runs.masks, alone.masks)
    assert_array_equal(collected.runs.outputs, alone.outputs)
    assert_array_equal(collected.runs.seeds, alone.seeds)
    assert_allclose(collected.model.coef_, MEANS.fit(alone).coef_)
    assert collected.reached
    frame = collected.to_frame()
    assert frame["n_runs"].tolist() == [100, 150, 225, 338, 507, 761][: len(frame)]
    assert frame["n_runs"].iloc[-1] == n
    assert frame["lds_bound"].iloc[-1] >= 0.4
    assert (frame["lds_bound"].iloc[:-1] < 0.4).all()
    assert (frame["seconds"].diff().iloc[1:] > 0).all()
    assert f"{n} runs of 30 training examples: enough" in repr(collected)
    assert "All goals are reached" in repr(collected)


def test_all_goals_have_to_be_reached():
    goals = {"lds": 0.4, "interval_width": 2.0, "top_k": 4, "selected": 0.1}
    params = {"regressor": LASSO, "stability": 0.6, "max_runs": 3000}
    alone = [
        len(collect(make_trainer(SPARSE, 2.0), {name: wanted}, **params).runs)
        for name, wanted in goals.items()
    ]
    together = collect(make_trainer(SPARSE, 2.0), goals, **params)
    assert len(set(alone)) > 1
    assert together.reached
    assert len(together.runs) == max(alone)


def test_result_depends_on_the_seed_alone():
    one, again, other = (
        collect(make_trainer(), {"lds": 0.4}, n_targets=5, random_state=seed)
        for seed in (1, 1, 2)
    )
    assert_array_equal(one.history["lds"], again.history["lds"])
    assert_array_equal(one.targets, again.targets)
    assert len(one.targets) == 5
    assert one.history["lds"][0] != other.history["lds"][0]


@pytest.mark.filterwarnings("ignore:.* saw no example")
def test_parts_trained_one_after_another_are_joined():
    train, targets = load_digits_examples(n_train=60)
    params = {"output": "confidence", "keep_models": 12, "random_state": 0}
    trainer = SubsetTrainer(GaussianNB(), train, targets[:9], **params)
    model = DatamodelRegressor(0.01, prior="cheap", tol=1e-2)
    collected = collect(trainer, {"lds": 0.9}, regressor=model, max_runs=120)
    runs, alone = collected.runs, trainer.fit_transform(np.arange(120))
    assert_array_equal(runs.outputs, alone.outputs)
    assert_array_equal(runs.n_missed_classes, alone.n_missed_classes)
    assert_array_equal(runs.target_ids, alone.target_ids)
    assert runs.output_info == alone.output_info
    assert len(runs.models) == 12
    assert_array_equal(
        [m.subset for m in runs.models], [m.subset for m in alone.models]
    )
    assert collected.model.prior_weights_.keys() == runs.attributions.keys()


# The LDS


@pytest.mark.parametrize("n_seen", [0, 20])
def test_lds_is_that_of_scipy_on_each_fold(n_seen):
    runs = draw(3, 100)
    Y = np.array(runs.outputs)
    Y[50, 2] = np.nan
    ids = np.arange(100)
    fold = np.random.default_rng(7).permutation(100) % 5

    class OfRuns(LinearRegression):
        def fit(self, X, y=None):
            known = np.nan_to_num(X.outputs)
            return super().fit(X.masks, known)

        def predict(self, X):
            return super().predict(X.masks)

    holey = TrainingRuns(runs.packed, Y, seeds=runs.seeds)
    scores, error, freedom = cross_validated_lds(
        holey, OfRuns(), ids, ids, n_seen, np.random.default_rng(7)
    )
    expected = np.zeros((5, N_TARGETS))
    for k in range(5):
        model = OfRuns().fit(holey[fold != k])
        rows = np.flatnonzero((fold == k) & (ids >= n_seen))
        predicted = model.predict(holey[rows])
        for j in range(N_TARGETS):
            known = ~np.isnan(Y[rows, j])
            expected[k, j] = spearmanr(Y[rows, j][known], predicted[known, j])[0]
    assert_allclose(scores, expected.mean(axis=0))
    of_fits = expected.mean(axis=1).var(ddof=1) / 4
    assert error**2 > of_fits
    shares = np.array([error**2 - of_fits, of_fits]) / error**2
    assert freedom == pytest.approx(1 / (shares**2 / [39, 4]).sum())


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_error_is_unknown_if_few_runs_are_scored():
    """Without one of two runs, no fold has a score."""
    runs, ids = draw(0, 60), np.arange(60)
    fold = np.random.default_rng(7).permutation(60) % 5
    known = [*np.flatnonzero(fold == 0)[:2], np.flatnonzero(fold == 1)[0]]
    Y = np.full(runs.outputs.shape, np.nan)
    Y[known] = runs.outputs[known]
    runs = TrainingRuns(runs.packed, Y, seeds=runs.seeds)
    scores, error, _ = cross_validated_lds(
        runs, MEANS, ids, ids, 0, np.random.default_rng(7)
    )
    assert not np.isnan(scores).any()
    assert np.isnan(error)


def test_error_of_the_lds_is_its_distance_from_the_truth():
    """The truth differs between the runs, for the datamodels of all of them do."""
    fresh, found, truth = draw(999, 1000), [], []
    for seed in range(40):
        runs = draw(seed, 150)
        found.append(look_at(runs, seed=seed).lds(150))
        predicted = MEANS.fit(runs).predict(fresh)
        truth.append(linear_datamodeling_score(fresh.outputs, predicted))
    values, errors, _ = np.transpose(found)
    assert 0.6 < np.std(values - truth) / np.mean(errors) < 1.1


def test_error_includes_the_draw_of_the_targets():
    runs = draw(0, 150)
    all_, some = look_at(runs), look_at(runs, n_all_targets=2 * N_TARGETS)
    scores = cross_validated_lds(
        runs, MEANS, *[np.arange(150)] * 2, 0, np.random.default_rng((0,))
    )[0]
    more = some.lds(150)[1] ** 2 - all_.lds(150)[1] ** 2
    assert more == pytest.approx(np.var(scores, ddof=1) / N_TARGETS / 2)


def test_looking_often_rarely_finds_an_lds_that_is_not_there():
    """At no look does the bound exceed what the datamodels score on new runs.

    The scores themselves do.
    """
    fresh = draw(999, 1000)
    sizes, n_false, n_naive = [100, 150, 225], 0, 0
    for seed in range(25):
        runs = draw(seed, sizes[-1])
        truth = [
            linear_datamodeling_score(fresh.outputs, MEANS.fit(runs[:n]).predict(fresh))
            for n in sizes
        ]
        false = naive = False
        for k, n in enumerate(sizes):
            level = 0.05 / ((k + 1) * (k + 2))
            value, bound = LdsGoal(0.5).measure(
                look_at(runs[:n], level=level, seed=seed)
            )
            false |= bound > truth[k]
            naive |= value > truth[k]
        n_false += false
        n_naive += naive
    assert n_false <= 3  # 25 · .05 = 1.25
    assert n_naive >= 4


def test_scores_are_extrapolated_along_the_law():
    goal = LdsGoal(0.6)
    n_runs = np.array([100, 150, 225])
    scores = 1 / np.sqrt(1.5 + 300 / n_runs)
    goal._points = [(n, score, 1e-9) for n, score in zip(n_runs, scores, strict=True)]
    look = look_at(make_linear_runs(225, N_TRAIN, N_TARGETS)[0])
    expected, least = goal.ahead(look, scores[-1], scores[-1])
    assert expected == pytest.approx(300 / (1 / 0.6**2 - 1.5), rel=0.05)
    assert least <= expected
    gap = 0.02  # between score and bound, which falls with the root
    later, _ = goal.ahead(look, scores[-1], scores[-1] - gap)
    reached = 1 / np.sqrt(1.5 + 300 / later) - gap * np.sqrt(225 / later)
    assert reached == pytest.approx(0.6, abs=0.01)


# Intervals


def test_intervals_keep_their_coverage_after_stopping():
    centred = SPARSE - SPARSE.mean(axis=1, keepdims=True)
    covered, sizes = [], []
    for seed in range(12):
        trainer = make_trainer(SPARSE, random_state=seed)
        until = {"interval_width": 2.2}
        collected = collect(trainer, until, regressor=LASSO, first=150, growth=1.1)
        low, high = np.moveaxis(
            infer_weights(collected.model, collected.runs).interval(), -1, 0
        )
        assert np.median(high - low) <= 2.2
        covered.append(((low < centred) & (centred < high)).mean())
        sizes.append(len(collected.runs))
    assert len(set(sizes)) > 1
    assert 0.935 < np.mean(covered) < 0.965


def test_quantile_of_the_widths():
    runs = draw(0, 200, SPARSE)
    width = np.ptp(infer_weights(LASSO.fit(runs), runs).interval(), axis=-1)
    for q in (0.5, 0.95):
        params = {"regressor": LASSO, "quantile": q, "max_runs": 200, "first": 200}
        found = collect(make_trainer(SPARSE), {"interval_width": 0.1}, **params)
        value = found.history["interval_width"][0]
        assert value in width
        assert (width < value).mean() <= q <= (width <= value).mean()
    # half the width takes four times the runs
    assert found.history["expected"][0] == pytest.approx(200 * (value / 0.1) ** 2)


def test_intervals_that_are_not_known_are_infinite():
    runs = draw(0, 150, SPARSE)
    Y = np.array(runs.outputs)
    Y[:, 0] = np.nan  # an eighth of the intervals
    runs = TrainingRuns(runs.packed, Y, seeds=runs.seeds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no datamodel of this target
        look = look_at(runs, regressor=LASSO)
        width = np.ptp(infer_weights(LASSO.fit(runs), runs).interval(), axis=-1)
        for q in (0.5, 0.87):
            value, bound = IntervalGoal(1.0, q).measure(look)
            assert value == bound
            assert (width <= value).mean() >= q
        found = measure([IntervalGoal(1.0, 0.9)], look)
    assert found.values == {"interval_width": np.inf}
    assert found.missing == ["interval_width"]
    assert np.isnan(found.expected)
    assert found.least == 150  # it does not give up


def test_weights_of_targets_for_themselves_do_not_count():
    runs = draw(0, 150, SPARSE)
    exclude = np.arange(N_TARGETS)
    lasso = DatamodelRegressor(0.05, tol=1e-2, exclude=exclude)
    width = np.ptp(infer_weights(lasso.fit(runs), runs).interval(), axis=-1)
    assert np.isnan(width).sum() == N_TARGETS
    value, _ = IntervalGoal(1.0, 0.999).measure(look_at(runs, regressor=lasso))
    assert value == np.nanmax(width)


# Sets of weights


def largest(weights, k):
    return [set(row) for row in np.argsort(-abs(weights), axis=1)[:, :k]]


def test_agreement_is_that_of_independent_runs():
    """Halves agree as two sets of half as many runs do; all runs agree more."""
    goal, values, bounds = TopGoal(5, 0.8, N_TRAIN), [], []
    for seed in range(15):
        value, bound = goal.measure(look_at(draw(seed, 200), seed=seed))
        values.append(value)
        bounds.append(bound)

    def agreement(n):
        found = []
        for seed in range(1000, 1015):
            one, other = draw(seed, n), draw(seed + 1000, n)
            A, B = (largest(MEANS.fit(runs).coef_, 5) for runs in (one, other))
            found += [len(a & b) / 5 for a, b in zip(A, B, strict=True)]
        return np.mean(found)

    of_halves, of_all = agreement(100), agreement(200)
    assert np.mean(values) == pytest.approx(of_halves, abs=0.03)
    assert of_all > of_halves + 0.03
    assert np.mean(np.array(bounds) > of_all) <= 0.05


def test_weights_of_zero_are_not_chosen():
    runs = draw(0, 100, 0 * DENSE)
    none = DatamodelRegressor(10.0)
    assert TopGoal(5, 0.8, N_TRAIN).measure(look_at(runs, regressor=none))[0] == 0
    value, bound = SelectedGoal(0.1, 0.8).measure(look_at(runs, regressor=LASSO))
    assert not value > 0.8
    assert not bound > 0.8


def test_outputs_that_do_not_vary_have_no_score():
    goals = {"lds": 0.5, "interval_width": 1.0, "top_k": 3, "selected": 0.1}
    with np.errstate(invalid="raise"):
        collected = collect(
            make_trainer(0 * DENSE, 0.0), goals, regressor=LASSO, max_runs=150
        )
    assert not collected.reached
    assert np.isnan(collected.history["lds"]).all()
    assert (collected.history["interval_width"] == 0).all()
    assert "LDS unknown (0.5 wanted)" in collected.reason
    assert "not known yet" in collected.reason


def test_few_discoveries_are_false_after_stopping():
    false, power, sizes = [], [], []
    for seed in range(6):
        # 0 is an example without effect
        trainer = make_trainer(SPARSE, 2.0, design="bernoulli", random_state=seed)
        collected = collect(trainer, {"selected": 0.1}, regressor=LASSO)
        assert collected.reached
        chosen = infer_weights(collected.model, collected.runs).select(0.1)
        false.append((chosen & (SPARSE == 0)).sum() / chosen.sum())
        power.append(chosen[SPARSE != 0].mean())
        sizes.append(len(collected.runs))
    assert np.mean(power) > 0.9
    assert np.mean(false) < 0.13


# Designs


@pytest.mark.parametrize(
    ("params", "unit"),
    [
        ({"design": "complementary"}, 2),
        ({"design": "balanced"}, 20),
        ({"design": "orthogonal"}, 64),
        ({"design": "stratified"}, 1),
        ({"alpha": [0.3, 0.5, 0.6]}, 3),
        ({"design": "bernoulli", "alpha": [0.4, 0.6]}, 2),
    ],
)
def test_blocks_of_designs_are_complete(params, unit):
    goals = {"lds": 0.3, "interval_width": 3.0, "top_k": 5, "selected": 0.1}
    trainer = make_trainer(SPARSE, 2.0, **params)
    collected = collect(
        trainer, goals, regressor=LASSO, stability=0.3, max_runs=1001, first=101
    )
    assert (collected.history["n_runs"] % unit == 0).all()
    assert collected.reached
    looking = Looking(trainer, LASSO, n_targets=None, confidence=0.95, entropy=0)
    assert looking.unit == unit
    look = looking.at(collected.runs, 0)
    for (_, rows), (_, others) in look.fits_of_halves:
        assert not set(rows // unit) & set(others // unit)
        assert len(rows) == len(others)
        assert np.isin(np.arange(len(look)) // unit, rows // unit).sum() == len(rows)


# Failures


@pytest.mark.filterwarnings("ignore:.* runs failed:RuntimeWarning")
@pytest.mark.parametrize("limit", [{}, {"max_seconds": 60.0}])
def test_failed_runs_are_left_out(limit):
    """Small portions, such as the first runs, may fail altogether."""

    def learner(subset, seed):
        assert seed % 3, "it fails often"
        return DENSE[:, subset].sum(axis=1)

    trainer = make_trainer(on_failure="nan", retries=0).set_params(estimator=learner)
    collected = collect(trainer, {"lds": 0.5}, **limit)
    assert collected.reached
    failed = np.isnan(collected.runs.outputs).all(axis=1)
    assert_array_equal(failed, collected.runs.seeds % 3 == 0)
    assert 0.2 < failed.mean() < 0.5


# Budgets


def test_hopeless_goals_are_given_up():
    collected = collect(make_trainer(), {"lds": 0.99}, max_runs=2000)
    assert not collected.reached
    assert len(collected.runs) <= 225
    assert "Out of reach with the 2,000 runs of the budget" in collected.reason
    assert "0.99 wanted" in collected.reason
    stubborn = collect(make_trainer(), {"lds": 0.99}, max_runs=400, give_up=False)
    assert len(stubborn.runs) == 400
    assert "max_runs=400 is spent: LDS" in stubborn.reason
    assert "not enough yet" in repr(stubborn)


def test_goals_within_reach_are_not_given_up():
    """Nothing is known at first of a LASSO with few runs, and it comes at once."""
    for seed in range(2):
        trainer = make_trainer(SPARSE, 1.0, random_state=seed)
        regressor = DatamodelRegressor(tol=1e-2, random_state=0)
        until = {"lds": 0.85, "interval_width": 0.3}
        collected = collect(trainer, until, regressor=regressor, first=30)
        assert collected.reached


def test_time_is_kept():
    trainer = make_trainer(noise=50.0)
    start = time.perf_counter()
    collected = collect(trainer, {"lds": 0.95}, max_runs=10**6, max_seconds=0.5)
    assert time.perf_counter() - start < 30
    assert not collected.reached
    assert len(collected.runs) < 10**5
    none = collect(make_trainer(), {"lds": 0.5}, max_seconds=1e-9)
    assert len(none.runs) < 30
    assert none.reason == "max_seconds=1e-09 is spent before the first look."
    assert none.model is None
    assert none.history == {}
    assert "not enough yet" in repr(none)


# Resumption


def test_a_second_call_goes_on_from_the_store(tmp_path):
    whole = make_trainer()
    expected = collect(whole, {"lds": 0.42})
    first = make_trainer(store=tmp_path)
    low = collect(first, {"lds": 0.3})
    assert low.reached
    assert first.estimator.n_trained == len(low.runs)
    second = make_trainer(store=tmp_path)
    high = collect(second, {"lds": 0.42})
    assert second.estimator.n_trained == len(high.runs) - len(low.runs)
    assert len(high.runs) == len(expected.runs) > len(low.runs)
    assert_array_equal(high.runs.outputs, expected.runs.outputs)
    n_looks = len(high.history["lds"])
    assert high.history["n_runs"][0] == len(low.runs)  # earlier looks are over
    assert_allclose(high.history["lds"], expected.history["lds"][-n_looks:])
    assert_allclose(high.history["lds_bound"], expected.history["lds_bound"][-n_looks:])
    third = make_trainer(store=tmp_path)
    again = collect(third, {"lds": 0.42}, max_seconds=1e-9)
    assert again.reached
    assert third.estimator.n_trained == 0
    assert np.isnan(again.seconds_per_run)


def test_an_interrupted_call_loses_no_finished_run(tmp_path):
    trainer = make_trainer(store=tmp_path, interrupt_at=170)
    with pytest.raises(KeyboardInterrupt):
        collect(trainer, {"lds": 0.45})
    resumed = make_trainer(store=tmp_path)
    collected = collect(resumed, {"lds": 0.45})
    expected = collect(make_trainer(), {"lds": 0.45})
    assert_array_equal(collected.runs.outputs, expected.runs.outputs)
    assert resumed.estimator.n_trained <= len(collected.runs) - 150
    assert collected.history["n_runs"][0] == 150


# What is said


def test_it_says_what_is_ahead(capsys):
    collect_runs(
        make_trainer(), {"lds": 0.4}, max_runs=1000, regressor=MEANS, random_state=0
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    first, guess, pace, look, *_, last = captured.err.splitlines()
    assert "until LDS ≥ 0.4; first look at 100 runs" in first
    assert "at most 1,000 runs" in first
    assert "takes" in guess
    assert "a run" in pace
    assert "100 runs: LDS 0." in look
    assert "is expected to take about" in look
    assert "expected" not in last
    collect(make_trainer(), {"lds": 0.4})
    assert capsys.readouterr().err == ""


# Bad input


@pytest.mark.parametrize(
    ("until", "params", "message"),
    [
        ({"r2": 0.5}, {}, r"unknown goals \['r2'\]. Goals are interval_width, lds"),
        ({}, {}, "until has no goal. Goals are interval_width, lds, selected, top_k"),
        ({"lds": 1.0}, {}, r"until\['lds'\] must be between 0 and 1, got 1.0"),
        ({"lds": "high"}, {}, r"until\['lds'\] must be between 0 and 1, got 'high'"),
        ({"interval_width": 0}, {"regressor": LASSO}, "must be positive, got 0"),
        ({"top_k": 2.5}, {}, "must be a number of weights, from 1 to 29, got 2.5"),
        ({"top_k": 30}, {}, "must be a number of weights, from 1 to 29, got 30"),
        ({"lds": True}, {}, r"until\['lds'\] must be between 0 and 1, got True"),
        ({"interval_width": True}, {"regressor": LASSO}, "must be positive, got True"),
        ({"top_k": True}, {}, "must be a number of weights, from 1 to 29, got True"),
        ({"top_k": 3}, {"n_targets": 1}, "needs two targets or more"),
        ({"selected": 0.3}, {"regressor": LASSO}, "stability=0.8 is out of reach"),
        ({"lds": 0.5}, {"max_runs": None}, "a budget is needed"),
        ({"lds": 0.5}, {"max_runs": 50}, "max_runs=50 allows no look: .* 100 runs"),
        ({"lds": 0.5}, {"first": 10}, "'first' parameter"),
        ({"lds": 0.5}, {"growth": 1}, "'growth' parameter"),
    ],
)
def test_bad_input(until, params, message):
    trainer = make_trainer()
    with pytest.raises(ValueError, match=message):
        collect(trainer, until, **params)
    assert trainer.estimator.n_trained == 0


def test_runs_that_vary_a_few_rows_are_refused():
    trainer = make_trainer(vary=[3, 7])
    with pytest.raises(ValueError, match=r"trainer has vary.* use infer_varied"):
        collect(trainer, {"lds": 0.5})
    assert trainer.estimator.n_trained == 0
    runs = trainer.fit_transform(np.arange(100))
    with pytest.raises(ValueError, match=r"Use infer_varied\(runs\)"):
        plan_runs(runs)


@pytest.mark.parametrize(
    ("regressor", "goal", "message"),
    [
        (Ridge(), "lds", "without y, such as DatamodelRegressor; Ridge.fit needs"),
        (make_pipeline(Ridge()), "lds", "DatamodelRegressor; Ridge.fit needs"),
        (make_pipeline(LASSO), "top_k", "coef_, and a Pipeline has none"),
        (DatamodelRegressor, "lds", r"the class .* Pass DatamodelRegressor\(\)"),
    ],
)
def test_regressor_is_checked_before_training(regressor, goal, message):
    trainer = make_trainer()
    with pytest.raises(TypeError, match=message):
        collect(trainer, {goal: {"lds": 0.5, "top_k": 3}[goal]}, regressor=regressor)
    assert trainer.estimator.n_trained == 0


def test_a_pipeline_has_a_score():
    collected = collect(make_trainer(), {"lds": 0.3}, regressor=make_pipeline(MEANS))
    assert collected.reached


def test_weights_of_other_regressors_are_not_inferred():
    trainer = make_trainer()
    for until in ({"interval_width": 1.0}, {"selected": 0.1}):
        with pytest.raises(TypeError, match="needs a DatamodelRegressor, whose"):
            collect(trainer, until)
    assert trainer.estimator.n_trained == 0
    with pytest.raises(ValueError, match=r"max_runs=100 .* 128 runs, in blocks of 64"):
        collect(make_trainer(design="orthogonal"), {"lds": 0.5}, max_runs=100)


def test_largest_weights_need_weights():
    class Means(DifferenceOfMeans):
        def fit(self, X, y=None):
            super().fit(X, y)
            del self.coef_
            return self

    with pytest.raises(TypeError, match="needs a regressor with coef_, and Means"):
        collect(make_trainer(), {"top_k": 3}, regressor=Means())
