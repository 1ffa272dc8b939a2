"""The comparison against its parts, each computed on its own."""

from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

from skdatamodels import Examples, SubsetTrainer, TrainingRuns, sample_masks
from skdatamodels.applications import CounterfactualEvaluation, DataSupportSearch
from skdatamodels.judging import compare_attributions
from skdatamodels.metrics import lds_interval, noise_ceiling

N_TRAIN, N_TARGETS = 16, 8
rng = np.random.default_rng(0)
WEIGHTS = rng.normal(size=(N_TARGETS, N_TRAIN))
TRAIN = Examples(np.arange(N_TRAIN)[:, None], np.arange(N_TRAIN) % 2)
TARGETS = Examples(np.arange(N_TARGETS)[:, None], np.arange(N_TARGETS) % 2)


def learner(train_indices, seed):
    noise = np.random.default_rng(seed).normal(size=N_TARGETS)
    return WEIGHTS[:, train_indices].sum(axis=1) + noise


TRAINER = SubsetTrainer(learner, TRAIN, TARGETS, random_state=0)
RUNS = TRAINER.fit_transform(np.arange(120))


def compare(attributions, **params):
    params = {"runs": RUNS, "train": TRAIN, "targets": TARGETS} | params
    params = {"n_bootstraps": 50, "random_state": 0} | params
    return compare_attributions(attributions, **params)


def noisy(scale, seed=1):
    return WEIGHTS + scale * np.random.default_rng(seed).normal(size=WEIGHTS.shape)


def test_scores_are_those_of_the_metrics():
    repeats = TRAINER.transform(np.tile(RUNS.masks[:40], (3, 1))).outputs
    repeats = repeats.reshape(3, 40, -1)
    other = noisy(2)
    table = compare({"truth": WEIGHTS, "other": 3 * other}, repeats=repeats)
    assert table.name.tolist() == ["truth", "other", "random", "same class"]
    assert table.is_control.tolist() == [False, False, True, True]
    same_class = (TARGETS.y[:, None] == TRAIN.y).astype(float)
    for row, weights in ((0, WEIGHTS), (1, other), (3, same_class)):
        interval = lds_interval(
            RUNS.outputs, RUNS.masks @ weights.T, n_bootstraps=50, random_state=0
        )
        got = table.lds[row], table.lds_low[row], table.lds_high[row]
        assert_allclose(got, interval)
    assert table.ceiling == noise_ceiling(repeats)
    assert_allclose(table.share_of_ceiling, table.lds / noise_ceiling(repeats))
    slopes = [
        LinearRegression().fit(x[:, None], y).coef_[0]
        for x, y in zip((RUNS.masks @ other.T).T, RUNS.outputs.T, strict=True)
    ]
    assert table.slope[1] == pytest.approx(np.median(slopes) / 3, rel=1e-5)
    assert table.slope[0] == pytest.approx(1, abs=0.1)
    assert abs(table.lds[2]) < 0.3


def test_differences_are_surer_than_scores():
    better = noisy(1)
    worse = better + 0.7 * (noisy(1, seed=2) - WEIGHTS)
    table = compare({"better": better, "worse": worse}, n_bootstraps=400)
    difference = table.difference("better", "worse")
    assert difference.score == pytest.approx(table.lds[0] - table.lds[1])
    assert 0 < difference.low < difference.score < difference.high
    assert table.lds_low[0] < table.lds_high[1]  # the intervals overlap
    back = table.difference("worse", "better")
    assert_allclose(back, [-difference.score, -difference.high, -difference.low])
    assert table.difference("worse", "worse") == (0, 0, 0)
    with pytest.raises(ValueError, match="'best' is not a method"):
        table.difference("best", "worse")


def test_controls_come_along_and_cost_nothing():
    table = compare({"one": WEIGHTS}, n_trainings={"one": 7}, seconds={"one": 2.5})
    assert_array_equal(table.n_trainings, [7, 0, 0])
    assert table.seconds[0] == 2.5
    assert (table.seconds[1:] < 1).all()
    values = Examples(TRAIN.X, rng.normal(size=N_TRAIN))
    targets = Examples(TARGETS.X, rng.normal(size=N_TARGETS))
    table = compare({"one": WEIGHTS}, train=values, targets=targets)
    assert table.name.tolist() == ["one", "random"]  # values have no class


@pytest.mark.parametrize(
    "form",
    [
        csr_array(WEIGHTS),
        WEIGHTS.tolist(),
        Ridge(1e-8).fit(np.eye(N_TRAIN), WEIGHTS.T),
        make_pipeline("passthrough", Ridge(1e-8).fit(np.eye(N_TRAIN), WEIGHTS.T)),
        SimpleNamespace(best_estimator_=SimpleNamespace(coef_=WEIGHTS)),
        lambda: WEIGHTS,
        lambda: Ridge(1e-8).fit(np.eye(N_TRAIN), WEIGHTS.T),
    ],
)
def test_every_form_of_a_method_scores_as_the_matrix(form):
    table = compare({"form": form, "matrix": WEIGHTS})
    assert table.lds[0] == pytest.approx(table.lds[1], abs=1e-3)


def test_callables_are_timed_and_parameters_are_recorded():
    def slow():
        sleep(0.05)
        return Ridge(0.25).fit(RUNS.masks, RUNS.outputs)

    table = compare({"slow": slow, "ready": WEIGHTS}, remarks={"ready": "by hand"})
    assert table.seconds[0] >= 0.05
    assert np.isnan(table.seconds[1])
    methods = table.settings["methods"]
    assert methods["slow"]["source"] == "Ridge"
    assert methods["slow"]["params"]["alpha"] == 0.25
    assert methods["ready"]["remarks"] == "by hand"
    assert table.settings["n_runs"] == len(RUNS)
    assert table.settings["target_ids"].tolist() == TARGETS.ids.tolist()
    assert "numpy" in table.settings["versions"]


def test_settings_are_chosen_where_nothing_is_reported():
    """A setting that is right on the reported targets only must not win."""
    first = compare({"any": {"a": WEIGHTS, "b": WEIGHTS}})
    reported = first.settings["targets"]
    assert 0 < len(reported) < N_TARGETS
    peeking = rng.normal(size=WEIGHTS.shape)
    peeking[reported] = WEIGHTS[reported]
    honest = WEIGHTS.copy()
    honest[reported] = noisy(3)[reported]
    table = compare({"method": {"peeking": peeking, "honest": honest}, "one": WEIGHTS})
    assert table.setting.tolist() == ["honest", "", "", ""]
    assert table.lds[0] < table.lds[1] - 0.1
    record = table.settings["methods"]["method"]
    assert set(record["tuning_lds"]) == {"peeking", "honest"}
    assert record["tuning_lds"]["honest"] > record["tuning_lds"]["peeking"]
    n_tuning, n_reported = table.settings["n_tuning_runs"], table.settings["n_runs"]
    assert n_tuning + n_reported == len(RUNS)
    assert n_tuning == pytest.approx(0.25 * len(RUNS), abs=3)


def test_runs_of_one_subset_stay_together():
    masks = np.repeat(sample_masks(8, N_TRAIN, 0.5).dense(), 10, axis=0)
    runs = TRAINER.transform(masks)
    table = compare({"two": {"a": WEIGHTS, "b": noisy(1)}}, runs=runs)
    assert table.settings["n_tuning_runs"] == 20


def test_result_depends_on_the_seed_alone():
    methods = {"two": {"a": WEIGHTS, "b": noisy(2)}}
    first, again, other = (compare(methods, random_state=s) for s in (3, 3, 4))
    for name in ("lds", "lds_low", "lds_high", "slope", "setting"):
        assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.settings["targets"], other.settings["targets"])
    assert first.settings["random_state"] == 3


def test_counterfactuals_judge_all_methods_on_the_sets_of_all():
    evaluation = CounterfactualEvaluation(
        TRAINER,
        heuristics=["top", "bottom", "random"],
        sizes=[2, 5],
        n_trials=3,
        n_control_trials=3,
        target_indices=[1, 4],
        random_state=0,
    )
    methods = {"truth": WEIGHTS, "sparse": csr_array(np.where(WEIGHTS > 1, WEIGHTS, 0))}
    table = compare(methods, counterfactuals=evaluation)
    effects = table.effects["truth"]
    # random sets, and a top and a bottom for each of two methods and two controls
    assert len(effects) == 2 * 2 * (1 + 2 * 4)
    for name, weights in methods.items():
        dense = np.asarray(csr_array(weights).toarray())
        predicted = [
            -dense[target, removed].sum()
            for target, removed in zip(
                effects.target, effects.removed.dense(), strict=True
            )
        ]
        assert_allclose(table.effects[name].predicted, predicted, atol=1e-6)
        assert_array_equal(table.effects[name].true, effects.true)
        row = table.name.tolist().index(name)
        assert table.counterfactual_spearman[row] == pytest.approx(
            spearmanr(predicted, effects.true).statistic
        )
    assert table.counterfactual_spearman[0] == table.counterfactual_spearman.max() > 0.9
    top = effects.heuristic == "top of truth"
    best = [np.argsort(-WEIGHTS[t])[:n] for t in (1, 4) for n in (2, 5)]
    for row, indices in zip(np.flatnonzero(top), best, strict=True):
        assert set(np.flatnonzero(effects.removed.dense()[row])) == set(indices)
    assert table.settings["retrained_targets"].tolist() == [1, 4]
    assert "effects_" not in vars(evaluation)


def test_effects_on_subsets_are_predicted_by_what_the_subsets_hold():
    evaluation = CounterfactualEvaluation(
        TRAINER, control="subsets", sizes=[4], n_trials=4, random_state=0
    ).fit(WEIGHTS)
    again = evaluation.effects_by(WEIGHTS)
    assert_allclose(again.predicted, evaluation.effects_.predicted)
    double = evaluation.effects_by(2 * WEIGHTS)
    assert_allclose(double.predicted, 2 * again.predicted)


def test_data_supports_are_those_of_the_search(tmp_path):
    def positive(train_indices, seed):
        return WEIGHTS[:, train_indices].sum(axis=1) - WEIGHTS.sum(axis=1) + 2

    trainer = SubsetTrainer(positive, TRAIN, TARGETS, random_state=0, store=tmp_path)
    runs = trainer.fit_transform(np.arange(60))

    search = DataSupportSearch(trainer, n_trials=1, random_state=0)
    methods = {"truth": WEIGHTS, "other": noisy(2)}
    table = compare(methods, runs=runs, data_support=search)
    for row, weights in enumerate(methods.values()):
        fitted = search.fit(weights)
        sizes = np.where(fitted.censored_, np.inf, fitted.support_size_)
        assert table.support_size[row] == np.median(sizes)
        assert table.support_certified[row] == fitted.certified_.mean()
        name = table.name[row]
        assert_array_equal(table.supports[name].support_size_, fitted.support_size_)
    assert table.support_size[0] <= table.support_size[1]
    tuned = compare({"two": {"a": WEIGHTS, "b": WEIGHTS}}, data_support=search)
    reported = tuned.settings["targets"]
    assert_array_equal(
        tuned.supports["two"].support_size_,
        search.fit(WEIGHTS).support_size_[reported],
    )


def test_weights_of_zero_get_no_help_that_was_not_asked_for():
    """A method that is mostly silent is judged by what it says."""

    def positive(train_indices, seed):
        return WEIGHTS[:, train_indices].sum(axis=1) - WEIGHTS.sum(axis=1) + 3

    trainer = SubsetTrainer(positive, TRAIN, TARGETS, random_state=0)
    search = DataSupportSearch(trainer, n_trials=1, random_state=0)
    few = np.where(WEIGHTS.max(axis=1, keepdims=True) == WEIGHTS, WEIGHTS, 0)
    alone = compare({"few": few}, data_support=search).supports["few"]
    by_chance = clone(search).set_params(fallback="random").fit(few)
    assert_array_equal(alone.support_size_, by_chance.support_size_)
    helped = compare(
        {"few": {"a": few, "b": few}}, data_support=search.set_params(fallback=WEIGHTS)
    )
    reported = helped.settings["targets"]
    assert_array_equal(
        helped.supports["few"].support_size_,
        search.set_params(fallback=None).fit(WEIGHTS).support_size_[reported],
    )
    assert not np.array_equal(
        by_chance.support_size_, search.fit(WEIGHTS).support_size_
    )


def test_table_leaves_out_what_nobody_asked_for():
    pytest.importorskip("pandas")
    frame = compare({"one": WEIGHTS}).to_frame()
    assert frame.index.tolist() == ["one", "random", "same class"]
    assert "support_size" not in frame
    assert "share_of_ceiling" not in frame
    assert "setting" not in frame
    repeats = np.stack([RUNS.outputs, RUNS.outputs + 0.1])
    table = compare({"two": {"a": WEIGHTS, "b": WEIGHTS}}, repeats=repeats)
    frame = table.to_frame()
    assert frame.loc["two", "setting"] == "a"
    assert_array_equal(frame["share_of_ceiling"], table.share_of_ceiling)
    assert len(table) == 3


def test_notes_below_the_table_explain_its_columns():
    comparison = compare({"one": WEIGHTS / 2})
    *_, slope, seconds = repr(comparison).splitlines()
    assert slope.startswith("slope: ")
    assert slope.endswith("above 1 if they are too small")
    assert seconds.startswith("seconds: ")
    assert comparison.slope[0] > 1


def test_a_turned_sign_is_pointed_out():
    with pytest.warns(UserWarning, match="'loss' ranks the runs in reverse order"):
        table = compare({"loss": -WEIGHTS})
    assert table.lds[0] < 0
    assert table.slope[0] < 0


def nan_at(target, example):
    weights = WEIGHTS.copy()
    weights[target, example] = np.nan
    return weights


OTHER = Examples(TRAIN.X + 1, TRAIN.y)


@pytest.mark.parametrize(
    ("attributions", "params", "message"),
    [
        ({}, {}, "attributions is empty"),
        ({"random": WEIGHTS}, {}, r"\['random'\] are names of controls"),
        ({"m": {}}, {}, "\\['m'\\] have an empty dict of settings"),
        ({"m": WEIGHTS.T}, {}, "'m' has shape .* seems to be transposed"),
        ({"m": WEIGHTS[:, 1:]}, {}, "'m' has shape .* another training set"),
        ({"m": {"a": WEIGHTS[1:], "b": WEIGHTS}}, {}, "'m, a' has shape"),
        ({"m": lambda: WEIGHTS[1:]}, {}, "'m' has shape"),
        ({"m": Ridge().fit(np.eye(3), np.eye(3))}, {}, r"'m' has shape \(3, 3\)"),
        ({"m": Ridge()}, {}, "'m' is a Ridge without coef_.* fitted on runs"),
        ({"m": make_pipeline(Ridge())}, {}, "'m' is a Pipeline without coef_"),
        ({"m": np.full((8, 16), "a")}, {}, "numeric attribution matrix, got dtype <U1"),
        ({"m": nan_at(2, 5)}, {}, "'m' has the weight nan at target 2, training .* 5"),
        (
            {"m": csr_array(np.where(np.isnan(nan_at(2, 5)), np.inf, 0))},
            {},
            "'m' has the weight inf at target 2, training .* 5",
        ),
        ({"m": WEIGHTS}, {"train": TRAIN[:9]}, "train has 9 examples, but the runs"),
        ({"m": WEIGHTS}, {"targets": TARGETS[:3]}, "targets has 3 examples"),
        (
            {"m": WEIGHTS},
            {"targets": Examples(TARGETS.X, TARGETS.y + 5)},
            r"y has classes that are not in the training set: \[5, 6\]",
        ),
        ({"m": WEIGHTS}, {"n_trainings": {"k": 1}}, r"\['k'\] are not methods"),
        ({"m": WEIGHTS}, {"seconds": {"k": 1}}, r"\['k'\] are not methods"),
        ({"m": WEIGHTS}, {"repeats": RUNS.outputs}, "repeats must have shape"),
        ({"m": WEIGHTS}, {"repeats": np.ones((2, 3, 4))}, "the runs have 8 targets"),
        ({"m": WEIGHTS}, {"seen_runs": RUNS[[50]]}, "1 of the 120 .* at row 50"),
        ({"m": WEIGHTS}, {"seen_runs": np.eye(3, dtype=bool)}, "seen_runs has 3"),
        (
            {"m": {"a": WEIGHTS, "b": WEIGHTS}},
            {"runs": RUNS[:6]},
            "Settings are chosen on 25% .* too few",
        ),
        (
            {"m": WEIGHTS},
            {"counterfactuals": CounterfactualEvaluation(TRAINER), "train": OTHER},
            "train differs from the train of .* CounterfactualEvaluation",
        ),
        (
            {"m": WEIGHTS},
            {
                "data_support": DataSupportSearch(TRAINER),
                "targets": Examples(TARGETS.X + 1, TARGETS.y),
            },
            "targets differs from the targets of .* DataSupportSearch",
        ),
    ],
)
def test_bad_input(attributions, params, message):
    with pytest.raises(ValueError, match=message):
        compare(attributions, **params)


def test_targets_to_retrain_must_be_reported_ones():
    methods = {"m": {"a": WEIGHTS, "b": WEIGHTS}}
    reported = compare(methods).settings["targets"]
    hidden = np.setdiff1d(np.arange(N_TARGETS), reported)
    evaluation = CounterfactualEvaluation(TRAINER, target_indices=hidden)
    with pytest.raises(ValueError, match="None of the target_indices"):
        compare(methods, counterfactuals=evaluation)


def test_infinite_outputs_are_named():
    outputs = np.array(RUNS.outputs)
    outputs[3, 1] = np.inf
    computed = []
    with pytest.raises(ValueError, match=r"runs\.outputs is inf at run 3, target 1"):
        compare(
            {"m": lambda: computed.append(0)}, runs=TrainingRuns(RUNS.packed, outputs)
        )
    assert not computed


def test_swapped_examples_are_noticed():
    with pytest.raises(ValueError, match=r"train has.*They look swapped"):
        compare({"one": WEIGHTS}, train=TARGETS, targets=TRAIN)
