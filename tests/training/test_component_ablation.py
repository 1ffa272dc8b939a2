"""ComponentAblation: runs of anything that can be switched off."""

import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skdatamodels import CounterfactualEvaluation, DatamodelRegressor, DataSupportSearch
from skdatamodels.applications import (
    predict_counterfactual,
    removal_check,
    select_examples,
    similar_examples,
)
from skdatamodels.inference import infer_weights
from skdatamodels.judging import compare_attributions, estimate_cost
from skdatamodels.masks import sample_masks
from skdatamodels.outputs import OutputInfo
from skdatamodels.training import ComponentAblation

NAMES = ["sun", "moon", "lamp", "candle", "fire", "torch"]
EFFECTS = np.array([[3.0, 0.0, 1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0, -1.0, 0.0]])


def light(kept, seed):
    return EFFECTS @ kept


def light_of_the_room(kept, seed):
    return EFFECTS[0] @ kept - 2.0  # a number, negative in the dark


def with_noise(kept, seed):
    return EFFECTS @ kept + np.random.default_rng(seed).normal(scale=0.1, size=2)


def of_two(**params):
    params = {"target_ids": ["day", "night"], "random_state": 0} | params
    return ComponentAblation(params.pop("evaluate", light), NAMES, **params)


def test_outputs_are_those_of_the_kept_components():
    ablation = of_two(output=OutputInfo("light", "lux", higher_is_better=True))
    runs = ablation.fit_transform([7, 0, 3])
    masks = sample_masks([7, 0, 3], 6, 0.5, design="bernoulli", random_state=0)
    assert_array_equal(runs.masks, masks.dense())
    assert_array_equal(runs.outputs, (runs.masks @ EFFECTS.T).astype(np.float32))
    assert runs.player_ids.tolist() == NAMES
    assert runs.target_ids.tolist() == ["day", "night"]
    assert runs.output_info.unit == "lux"
    assert ablation.n_components_ == 6
    assert ablation.get_feature_names_out().tolist() == NAMES


@pytest.mark.parametrize("output", [None, "margin", "prediction"])
def test_output_only_describes(output):
    """Those of classifiers make a trainer look for classes, which components lack."""
    runs = of_two(output=output).fit_transform(np.eye(6))
    assert_array_equal(runs.outputs, EFFECTS.T.astype(np.float32))
    assert runs.output_info.name == (output or "unknown")
    assert runs.n_missed_classes is None
    assert runs.attributions is None


def test_one_number_without_names():
    ablation = ComponentAblation(light_of_the_room, 6, alpha=(0.2, 0.8), random_state=1)
    runs = ablation.fit_transform(np.arange(200))
    assert runs.player_ids.tolist() == list(range(6))
    assert runs.outputs.shape == (200, 1)
    assert_allclose(runs.masks[::2].mean(), 0.2, atol=0.05)
    assert_allclose(runs.masks[1::2].mean(), 0.8, atol=0.05)


def test_empty_and_full_sets_are_evaluated():
    masks = np.array([np.zeros(6, bool), np.ones(6, bool)])
    assert_allclose(of_two().transform(masks).outputs, [[0, 0], [4.5, 1]])


def test_weights_of_a_pipeline_and_their_intervals():
    model = make_pipeline(of_two(evaluate=with_noise), DatamodelRegressor(lam=0.003))
    model.fit(np.arange(200))
    assert_allclose(model[-1].coef_, EFFECTS, atol=0.1)
    assert model[-1].player_ids_.tolist() == NAMES
    inference = infer_weights(model[-1], model[0].transform(np.arange(200)))
    low, high = np.moveaxis(inference.interval(0.99), -1, 0)
    assert ((low < EFFECTS) & (high > EFFECTS)).mean() > 0.9
    first = similar_examples(model[-1], 1)
    assert first.positive_ids.tolist() == [["sun"], ["candle"]]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_runs_do_not_depend_on_workers(n_jobs):
    with joblib.parallel_config("threading"):
        runs = of_two(evaluate=with_noise, n_jobs=n_jobs).fit_transform(np.arange(5))
    alone = of_two(evaluate=with_noise).fit_transform([4])
    assert_array_equal(runs.outputs[4:], alone.outputs)


def test_store_keeps_evaluations(tmp_path):
    calls = tmp_path / "calls"

    def counted(kept, seed):
        with calls.open("a") as file:
            file.write("x")
        return kept.sum()

    ablation = ComponentAblation(counted, NAMES, store=tmp_path / "s", random_state=0)
    first = ablation.fit_transform(np.arange(4))
    more = clone(ablation).fit_transform(np.arange(6))
    assert len(calls.read_text()) == 6
    assert_array_equal(more.outputs[:4], first.outputs)
    (folder,) = (tmp_path / "s").iterdir()
    assert folder.name.startswith("counted-bernoulli-alpha0.5-")
    # another evaluation, and other names, have another store
    other = clone(ablation).set_params(components=NAMES[::-1])
    with pytest.warns(UserWarning, match=r"differ only in .*train"):
        other.fit_transform(np.arange(2))
    assert len(calls.read_text()) == 8


def test_failures_are_recorded_and_reported():
    def breaks(kept, seed):
        if kept[0]:
            raise OSError("no answer")
        return kept.sum()

    ablation = ComponentAblation(breaks, 6, random_state=0)
    with pytest.raises(
        RuntimeError, match=r"runs failed, each tried 2 times(.|\n)*no a"
    ):
        ablation.fit_transform(np.arange(9))
    with pytest.warns(RuntimeWarning, match="runs failed") as caught:
        runs = ablation.set_params(on_failure="nan").fit_transform(np.arange(9))
    assert caught[0].filename == __file__  # of the caller
    assert_array_equal(np.isnan(runs.outputs[:, 0]), runs.masks[:, 0])


def test_applications():
    effects = predict_counterfactual(EFFECTS, [[0, 2]])
    evaluation = CounterfactualEvaluation(
        of_two(), sizes=[2], n_trials=1, n_control_trials=1, random_state=0
    ).fit(EFFECTS)
    assert_allclose(evaluation.effects_.predicted, evaluation.effects_.true, atol=1e-5)
    assert_allclose(effects[0], -4.0)
    assert set(evaluation.effects_.target_id) == {"day", "night"}
    info = OutputInfo("light", higher_is_better=True)
    check = removal_check(of_two(output=info), [4, 1], [1, 2], n_trials=1)
    assert np.isfinite(check.change).all()
    assert "component" not in str(estimate_cost(of_two()).advice)


def test_a_selection_is_verified_by_evaluating_again():
    weights = np.random.default_rng(0).normal(size=(40, 6))
    ablation = ComponentAblation(
        lambda kept, seed: weights @ kept,
        NAMES,
        target_ids=np.arange(40),
        output=OutputInfo("light", higher_is_better=True),
        random_state=0,
    )
    selection = select_examples(
        weights, targets=np.arange(20), beta=None, higher_is_better=True
    )
    check = selection.verify(ablation, [2], targets=np.arange(20, 40), n_trials=1)
    change = check.change[(check.chosen == "selected") & (check.size == 2)]
    lost = weights[20:, selection.examples[:2]].sum(axis=1)
    assert_allclose(change, -lost.mean(), rtol=1e-5)


def test_smallest_set_that_flips_the_answer():
    room = ComponentAblation(light_of_the_room, NAMES, random_state=0)
    search = DataSupportSearch(room, n_trials=1, sizes=[1, 2, 3], random_state=0)
    search.fit(EFFECTS[:1])
    assert search.support_ids_[0].tolist() == ["sun"]
    assert search.certified_.all()
    # ties are broken at random: components have no inputs that could be alike
    search.fit(np.zeros((1, 6)))
    assert search.largest_size_[0] == 3


def test_methods_are_compared_by_evaluating_again():
    both = of_two(evaluate=with_noise)
    search = DataSupportSearch(both, n_trials=1, sizes=[1, 2], random_state=0)
    runs = both.fit_transform(np.arange(60))
    methods = {"true": EFFECTS, "order": 0 * EFFECTS + np.arange(6) / 9}
    table = compare_attributions(
        methods, runs, both.train, both.targets, data_support=search, n_bootstraps=20
    )
    lds = dict(zip(table.name, table.lds, strict=True))
    assert lds["true"] > 0.9 > lds["order"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"evaluate": 3}, "'evaluate' parameter .* must be a callable"),
        ({"evaluate": dict}, "evaluate is the class dict"),
        ({"components": ["a", "a"]}, "components must be distinct names.*'a'"),
        ({"components": ["a", None]}, "components must be distinct names"),
        ({"components": [["a", "b"]]}, r"components must be a 1-d .* shape \(1, 2\)"),
        ({"components": 0}, "components must be a 1-d .* got 0"),
        ({"components": True}, "components must be a 1-d .* got True"),
        ({"components": 1}, "Here, the examples are 1 components"),
        ({"target_ids": ["a", "a"]}, "target_ids must be distinct names"),
        ({"target_ids": []}, "target_ids must be a 1-d array"),
        ({"design": "stratified"}, "'design' parameter"),
        ({"alpha": 0.01}, "Choose an alpha closer to 0.5"),
        ({"output": "light"}, "'output' parameter"),
    ],
)
def test_bad_parameters_are_refused_before_any_evaluation(params, message):
    def never(kept, seed):
        raise AssertionError

    ablation = ComponentAblation(never, NAMES).set_params(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        ablation.fit_transform(np.arange(3))


def test_errors_about_masks_and_outputs_speak_of_components():
    with pytest.raises(ValueError, match=r"number of components\).*shape \(2, 3\)\.$"):
        of_two().fit_transform(np.ones((2, 3)))
    with pytest.raises(RuntimeError, match=r"one output per target, shape \(1,\)"):
        ComponentAblation(light, NAMES).fit_transform(np.arange(3))


def test_what_needs_training_examples_is_refused():
    runs = of_two().fit_transform(np.arange(40))
    with pytest.raises(ValueError, match="needs TrainingRuns that know attributions"):
        DatamodelRegressor(prior="cheap").fit(runs)
    mislabel = CounterfactualEvaluation(of_two(), sizes=[1], edit="mislabel")
    with pytest.raises(ValueError, match="needs a trainer of a classifier"):
        mislabel.fit(EFFECTS)


def test_outputs_that_never_change_are_told_to_the_caller():
    def forgets(kept, seed):
        return float("sun" in kept)  # always False: kept has no names

    ablation = ComponentAblation(forgets, NAMES, random_state=0)
    with pytest.warns(UserWarning, match="All 30 evaluations gave the same") as caught:
        ablation.fit_transform(np.arange(30))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ablation.transform(np.ones((30, 6), dtype=bool))  # one set, again and again
        ablation.transform(np.arange(5))  # too few to tell
