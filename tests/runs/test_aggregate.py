"""Aggregated targets, against loops over runs and slices."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score

from skdatamodels import Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import harmful_examples
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.outputs import OutputInfo
from skdatamodels.runs import aggregate_targets

RNG = np.random.default_rng(0)
MASKS = RNG.random((30, 8)) < 0.5
CLASSES = np.array(["a", "b", "b", "a", "b", "a"])
SLICES = {"some": [0, 2, 3], "rest": np.array([0, 1, 0, 0, 1, 1], dtype=bool)}


def make_runs(outputs=None, **known):
    outputs = RNG.standard_normal((30, 6)) if outputs is None else outputs
    known = {"output": "margin", "target_classes": CLASSES, **known}
    return TrainingRuns(MASKS, outputs, seeds=np.arange(30), **known)


def test_means_are_those_of_the_columns():
    runs = make_runs(models=["model"], player_ids=list("stuvwxyz"))
    found = aggregate_targets(runs, SLICES)
    assert_allclose(found.outputs[:, 0], runs.outputs[:, [0, 2, 3]].mean(axis=1))
    assert_allclose(found.outputs[:, 1], runs.outputs[:, [1, 4, 5]].mean(axis=1))
    assert found.target_ids.tolist() == ["some", "rest"]
    assert found.output_info == OutputInfo("mean margin", "log-odds", True)
    assert found.packed is runs.packed
    assert_array_equal(found.seeds, runs.seeds)
    assert found.models == runs.models
    assert found.player_ids.tolist() == list("stuvwxyz")
    all_of_them = aggregate_targets(runs)
    assert_allclose(all_of_them.outputs[:, 0], runs.outputs.mean(axis=1))
    assert all_of_them.target_ids.tolist() == ["all"]
    by_class = aggregate_targets(runs, CLASSES)
    assert by_class.target_ids.tolist() == ["a", "b"]
    assert_allclose(
        by_class.outputs[:, 1], runs.outputs[:, CLASSES == "b"].mean(axis=1)
    )


def test_accuracy_is_that_of_scikit_learn():
    runs = make_runs()
    found = aggregate_targets(runs, SLICES, "accuracy")
    predicted = np.where(runs.outputs > 0, CLASSES, "other")
    expected = [accuracy_score(CLASSES[[0, 2, 3]], row[[0, 2, 3]]) for row in predicted]
    assert_allclose(found.outputs[:, 0], expected)
    assert found.output_info == OutputInfo("accuracy", "share of the targets", True)
    correct = make_runs((runs.outputs > 0) * 1.0, output="correctness")
    assert_allclose(
        aggregate_targets(correct, SLICES, "accuracy").outputs, found.outputs
    )
    with pytest.raises(ValueError, match="accuracy' needs runs of the output margin"):
        aggregate_targets(make_runs(output="log_odds"), SLICES, "accuracy")


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_auc_is_that_of_scikit_learn(seed, ties):
    rng = np.random.default_rng(seed)
    classes = np.r_[0, 1, rng.integers(2, size=rng.integers(1, 20))]
    outputs = rng.standard_normal((3, len(classes)))
    outputs = np.round(outputs) if ties else outputs
    runs = TrainingRuns(np.eye(3), outputs, output="log_odds", target_classes=classes)
    scores = np.where(classes == 1, outputs, -outputs)
    expected = [roc_auc_score(classes, row) for row in scores]
    found = aggregate_targets(runs, statistic="auc")
    assert_allclose(found.outputs[:, 0], expected)
    assert found.output_info == OutputInfo("auc", "probability", True)
    assert found.attributions is None


def test_accuracy_and_auc_of_trained_models():
    y = np.arange(80) % 2
    X = RNG.standard_normal((80, 3)) + 0.6 * y[:, None]
    train, targets = Examples(X[:50], y[:50]), Examples(X[50:], y[50:])
    trainer = SubsetTrainer(LogisticRegression(), train, targets, random_state=0)
    runs = trainer.fit_transform(np.arange(10))
    trainer.set_params(output="correctness")
    correct = aggregate_targets(trainer.fit_transform(np.arange(10)))
    areas = aggregate_targets(runs, statistic="auc")
    assert correct.output_info == OutputInfo("accuracy", "share of the targets", True)
    for run, mask in enumerate(runs.masks):
        model = LogisticRegression().fit(train.X[mask], train.y[mask])
        accuracy = accuracy_score(targets.y, model.predict(targets.X))
        assert correct.outputs[run, 0] == pytest.approx(accuracy)
        area = roc_auc_score(targets.y, model.decision_function(targets.X))
        assert areas.outputs[run, 0] == pytest.approx(area)


def test_weights_of_a_mean_are_mean_weights():
    runs = make_runs()
    of_all = DifferenceOfMeans().fit(runs).coef_
    of_mean = DifferenceOfMeans().fit(aggregate_targets(runs, SLICES)).coef_
    assert_allclose(of_mean[0], of_all[[0, 2, 3]].mean(axis=0), atol=1e-12)


def test_losses_keep_their_direction():
    losses = aggregate_targets(make_runs(output="cross_entropy"))
    fitted = DifferenceOfMeans().fit(losses)
    assert (harmful_examples(fitted).mean_weights > 0).all()  # and no warning
    assert losses.output_info.name == "mean cross_entropy"
    unknown = aggregate_targets(make_runs(output=None)).output_info
    assert unknown == OutputInfo()


def test_a_run_without_an_output_has_no_mean():
    outputs = RNG.standard_normal((30, 6))
    outputs[3, 2] = outputs[5, 4] = np.nan
    runs = make_runs(outputs)
    found = aggregate_targets(runs, SLICES).outputs
    assert_array_equal(np.argwhere(np.isnan(found)), [[3, 0], [5, 1]])
    outputs[:, 2] = np.nan
    with pytest.raises(ValueError, match=r"slices\['some'\].*unseen_class='floor'"):
        aggregate_targets(make_runs(outputs), SLICES)


class Attributions(dict):
    seconds = {"one": 2.0}


def test_attributions_of_a_mean_are_averaged_when_they_are_read():
    matrix = RNG.standard_normal((6, 8)).astype(np.float32)
    runs = make_runs(attributions=Attributions(one=matrix))
    found = aggregate_targets(runs, SLICES)
    assert repr(found.attributions) == "<attributions, not computed yet>"
    for attributions in (found, pickle.loads(pickle.dumps(found[3:]))):
        averages = attributions.attributions["one"]
        assert_allclose(averages[1], matrix[[1, 4, 5]].mean(axis=0), rtol=1e-6)
        assert attributions.attributions.seconds == {"one": 2.0}
    assert aggregate_targets(runs, SLICES, "auc").attributions is None


def test_callables_see_a_slice_and_its_classes():
    seen = []

    def worst(outputs, classes):
        seen.append(classes)
        return outputs.min(axis=1)

    outputs = RNG.standard_normal((30, 6))
    outputs[7, 0] = np.nan
    runs = make_runs(outputs)
    found = aggregate_targets(runs, SLICES, worst)
    assert_allclose(found.outputs[:, 0], outputs[:, [0, 2, 3]].min(axis=1))
    assert [classes.tolist() for classes in seen] == [list("aba"), list("bba")]
    assert found.output_info == OutputInfo("worst")
    known = OutputInfo("worst margin", "log-odds", True)
    assert aggregate_targets(runs, SLICES, worst, output=known).output_info == known
    no_classes = make_runs(target_classes=None)
    aggregate_targets(no_classes, statistic=worst)
    assert seen[-1] is None


@pytest.mark.parametrize(
    ("slices", "match"),
    [
        ({}, "slices is empty"),
        ({"s": []}, r"slices\['s'\] has no targets"),
        ({"s": np.zeros(6, dtype=bool)}, "has no targets"),
        ({"s": [0, 6]}, "from 0 to 5"),
        ({"s": [1, 1]}, "distinct integers"),
        ({"s": [0.5]}, "got float64"),
        ({"s": [True, False]}, r"bool of shape \(6,\)"),
        (["a", "b"], "label for each of the 6 targets"),
        ([np.nan, "a"] * 3, "no label for 3 targets, the first of them 0"),
        (np.r_[np.arange(5.0), np.nan], "no label for 1 targets, the first of them 5"),
        (pd.Series(["a", pd.NA] * 3, dtype="string"), "no label for 3 targets"),
        (np.array([None, "a"] * 3, dtype=object), "no label for 3 targets"),
    ],
)
def test_bad_slices_are_refused(slices, match):
    with pytest.raises(ValueError, match=match):
        aggregate_targets(make_runs(), slices)


@pytest.mark.parametrize(
    ("slices", "kinds"),
    [
        ({1: [0, 1], "1": [2, 3], 2: [4]}, "int, str"),
        ({("a", 1): [0, 1], ("b", 2): [2]}, "tuple"),
        ({None: [0, 1], "b": [2]}, "NoneType, str"),
        ([1, "1"] * 3, "int, str"),
    ],
)
def test_names_are_not_merged(slices, kinds):
    with pytest.raises(TypeError, match=f"all text or all numbers; got {kinds}"):
        aggregate_targets(make_runs(), slices)


@pytest.mark.parametrize(
    "labels", [[7, 3, 3, 7, 5, 5], np.array([1.5, 0, 0, 1.5, 1, 1]), list("baabcc")]
)
def test_labels_are_the_names_of_slices(labels):
    runs = make_runs()
    found = aggregate_targets(runs, labels)
    assert found.target_ids.tolist() == sorted(set(labels))
    for name, outputs in zip(found.target_ids, found.outputs.T, strict=True):
        columns = [label == name for label in labels]
        assert_allclose(outputs, runs.outputs[:, columns].mean(axis=1))


@pytest.mark.parametrize(
    ("known", "slices", "statistic", "match"),
    [
        ({}, None, "median", "one of 'mean', 'accuracy', 'auc', or a callable"),
        ({"output": "confidence"}, None, "auc", "margin or log_odds.*'confidence'"),
        ({"target_classes": None}, None, "auc", "needs the classes"),
        ({"target_classes": list("abcabc")}, None, "auc", "the targets have 3"),
        ({}, {"s": [0, 3]}, "auc", r"slices\['s'\] has only 'a'"),
        ({}, None, lambda outputs, classes: 1.0, "one value for each run"),
    ],
)
def test_what_a_statistic_needs(known, slices, statistic, match):
    with pytest.raises(ValueError, match=match):
        aggregate_targets(make_runs(**known), slices, statistic)


def test_only_runs_can_be_aggregated():
    with pytest.raises(TypeError, match="must be TrainingRuns, got ndarray"):
        aggregate_targets(MASKS)
