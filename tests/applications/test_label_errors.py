"""Out-of-bag means by brute force; planted errors are found, at the right rate."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import scale
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdatamodels import Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import LabelErrors, find_label_errors
from skdatamodels.outputs import OUTPUTS


def planted(load, share=0.08, seed=0):
    """Return the training set with some wrong labels, and which they are."""
    X, y = load(return_X_y=True)
    rng = np.random.default_rng(seed)
    is_wrong = np.zeros(len(y), dtype=bool)
    is_wrong[rng.choice(len(y), round(share * len(y)), replace=False)] = True
    n_classes = len(np.unique(y))
    given = (y + is_wrong * rng.integers(1, n_classes, len(y))) % n_classes
    ids = [f"row {i}" for i in range(len(y))]
    return Examples(scale(X), given, ids=ids), is_wrong


def runs_of(train, estimator=None, **params):
    estimator = LogisticRegression(C=0.3) if estimator is None else estimator
    trainer = SubsetTrainer(estimator, train, train, random_state=0, **params)
    return trainer.fit_transform(np.arange(60))


CANCER, IS_WRONG = planted(load_breast_cancer)
RUNS = runs_of(CANCER)
ALL = np.arange(len(CANCER))
FOUND = find_label_errors(RUNS, CANCER, exclude=ALL)


def test_out_of_bag_means_are_those_of_a_loop():
    by_row = np.argsort(FOUND.examples)
    for i in range(0, len(CANCER), 50):
        unseen = [
            output
            for mask, output in zip(RUNS.masks, RUNS.outputs[:, i], strict=True)
            if not mask[i]
        ]
        assert FOUND.n_runs[by_row[i]] == len(unseen)
        assert_allclose(FOUND.out_of_bag[by_row[i]], np.mean(unseen), rtol=1e-5)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_planted_labels_are_found_and_counted(load):
    train, is_wrong = planted(load)
    runs = RUNS if load is load_breast_cancer else runs_of(train)
    found = find_label_errors(runs, train, exclude=np.arange(len(train)))
    hit = is_wrong[found.examples]
    assert average_precision_score(hit, -np.arange(len(hit))) > 0.9
    assert abs(found.n_expected / is_wrong.sum() - 1) < 0.25
    sure = found.probability > 0.5
    assert abs(hit[sure].mean() - found.probability[sure].mean()) < 0.15
    assert hit[found.probability > 0.9].mean() > 0.85
    assert (np.diff(found.probability) <= 0).all()


def test_rows_carry_labels_ids_and_the_other_class():
    assert isinstance(FOUND, LabelErrors)
    assert_array_equal(np.sort(FOUND.examples), ALL)
    assert_array_equal(FOUND.label, CANCER.y[FOUND.examples])
    assert_array_equal(FOUND.suggested.astype(int), 1 - FOUND.label)
    assert FOUND.ids.tolist() == [f"row {i}" for i in FOUND.examples]
    assert_allclose(FOUND.n_expected, FOUND.probability.sum())
    precision = FOUND.expected_precision()
    assert_allclose(precision[9], FOUND.probability[:10].mean())
    frame = FOUND.to_frame()
    assert frame.index.name == "id"
    assert frame.index[0] == FOUND.ids[0]
    assert frame.loc[FOUND.ids[3], "probability"] == FOUND.probability[3]
    columns = "example, label, suggested, out_of_bag, n_runs, probability"
    assert ", ".join(frame) == columns


def test_of_three_classes_none_is_suggested():
    train, _ = planted(load_wine)
    found = find_label_errors(runs_of(train), train, exclude=np.arange(len(train)))
    assert found.suggested.tolist() == [None] * len(train)
    assert "suggested" not in repr(found)
    assert "suggested" in repr(FOUND)


def overlapping(n=1500, share=0.08):
    """Return four classes that overlap, one of them rare, and the wrong labels."""
    rng = np.random.default_rng(0)
    y = rng.choice(4, n, p=[0.35, 0.35, 0.22, 0.08])
    centres = np.array([[2, 0], [-2, 0], [0, 1.5], [0, -0.5]])
    X = centres[y] + rng.normal(size=(n, 2))
    is_wrong = rng.random(n) < share
    given = np.where(is_wrong, (y + rng.integers(1, 4, n)) % 4, y)
    return Examples(X, np.array(list("abcd"))[given]), is_wrong


@pytest.mark.parametrize("share", [0.0, 0.08])
@pytest.mark.parametrize("output", ["margin", "log_odds"])
def test_kept_models_count_wrong_labels_of_classes_that_overlap(share, output):
    train, is_wrong = overlapping(share=share)
    ids = np.arange(len(train))
    runs = runs_of(train, keep_models=16, output=output)
    found = find_label_errors(runs, train, exclude=ids)
    assert abs(found.n_expected - is_wrong.sum()) < 0.025 * len(train)
    assert is_wrong[found.examples[:30]].mean() >= (share > 0) * 0.8
    alone = TrainingRuns(runs.packed, runs.outputs, output=output)
    alone = find_label_errors(alone, train, exclude=ids)
    if share:  # the output of the label alone takes unsure predictions for wrong labels
        assert alone.n_expected > 1.4 * is_wrong.sum()
    assert_array_equal(np.sort(alone.out_of_bag), np.sort(found.out_of_bag))


def test_of_three_classes_kept_models_suggest_the_likely_one():
    train, is_wrong = planted(load_wine)
    runs = runs_of(train, keep_models=16)
    found = find_label_errors(runs, train, exclude=np.arange(len(train)))
    true, hit = load_wine().target[found.examples], is_wrong[found.examples]
    assert (found.suggested[hit] == true[hit]).mean() > 0.9
    assert not (found.suggested == found.label).any()
    one = find_label_errors(
        runs_of(train, keep_models=1), train, exclude=np.arange(len(train))
    )
    seen = np.isin(one.examples, runs.models[0].subset)
    assert_array_equal(one.suggested == None, seen)  # noqa: E711
    assert "suggested" in repr(found)


@pytest.mark.parametrize("name", ["log_odds", "confidence", "cross_entropy"])
def test_outputs_of_the_same_models_agree(name):
    # for two classes, all of these are functions of the margin
    confidence = 1 / (1 + np.exp(-np.float64(RUNS.outputs)))
    outputs = {
        "log_odds": RUNS.outputs,
        "confidence": confidence,
        "cross_entropy": -np.log(confidence),
    }[name]
    runs = TrainingRuns(RUNS.packed, np.float64(outputs), output=name)
    found = find_label_errors(runs, CANCER, exclude=ALL)
    assert_allclose(found.probability, FOUND.probability, rtol=1e-3, atol=1e-6)
    assert found.output == name


def test_a_difficult_small_class_does_not_fill_the_list():
    # Class 1 overlaps with class 0, class 2 does not; the margins are those of Bayes.
    rng = np.random.default_rng(0)
    n = 2000
    p = np.where(np.arange(n) < 300, rng.beta(0.6, 0.6, n), 0.999)
    labels = np.where(rng.random(n) < p, 0, 1)
    y = np.where(np.arange(n) < 300, labels, 2 * (np.arange(n) % 2))
    wrong = rng.choice(np.arange(300, n), 60, replace=False)
    given = y.copy()
    given[wrong] = 2 - y[wrong]
    margin = np.log(p / (1 - p))
    margin = np.where((given == 1) | np.isin(np.arange(n), wrong), -margin, margin)
    outputs = np.tile(margin, (20, 1))
    masks = np.zeros((20, n), dtype=bool)
    masks[0, 0] = True
    runs = TrainingRuns(masks, outputs, output="margin")
    train = Examples(np.zeros((n, 1)), given)
    found = find_label_errors(runs, train, exclude=np.arange(n))
    assert (found.label[:60] != 1).mean() > 0.9
    assert abs(found.n_expected - 60) < 20


@pytest.mark.parametrize(
    ("estimator", "n_runs"),
    [
        (LogisticRegression(), 40),
        (LogisticRegression(C=1e-4), 40),
        (LogisticRegression(class_weight="balanced"), 40),
        (DummyClassifier(), 40),
        (DecisionTreeClassifier(random_state=0), 1),
    ],
)
@pytest.mark.parametrize("informative", [False, True])
def test_weak_models_do_not_call_the_small_class_wrong(estimator, n_runs, informative):
    # all labels are right, though not all can be predicted
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (informative * X[:, 0] + 0.8 * rng.normal(size=200) > 0.6).astype(int)
    train = Examples(X, y)
    trainer = SubsetTrainer(
        estimator, train, train, design="stratified", random_state=0, n_jobs=1
    )
    runs = trainer.fit_transform(np.arange(n_runs))
    found = find_label_errors(runs, train, exclude=np.arange(200))
    assert found.n_expected < 12
    if not informative:
        assert np.nanmax(found.probability) < 0.1


def test_one_class_of_the_training_set_is_judged_alone():
    rows = np.where(CANCER.y == 0, ALL, -1)
    found = find_label_errors(RUNS, CANCER, exclude=rows)
    hit = IS_WRONG[found.examples]
    assert average_precision_score(hit, -np.arange(len(hit))) > 0.9
    assert abs(found.n_expected / hit.sum() - 1) < 0.4


def test_values_far_from_the_predictions_are_found():
    X, y = load_diabetes(return_X_y=True)
    rng = np.random.default_rng(0)
    is_wrong = np.arange(len(y)) < 20
    given = y + is_wrong * rng.choice([-1, 1], len(y)) * rng.uniform(250, 500, len(y))
    train = Examples(scale(X), given)
    runs = runs_of(train, Ridge())
    found = find_label_errors(runs, train, exclude=np.arange(len(y)))
    hit = is_wrong[found.examples]
    assert average_precision_score(hit, -np.arange(len(hit))) > 0.9
    assert 10 < found.n_expected < 40
    assert_array_equal(found.suggested, found.out_of_bag)
    i = found.examples[0]
    unseen = ~runs.masks[:, i]
    assert_allclose(found.suggested[0], runs.outputs[unseen, i].mean(), rtol=1e-5)
    assert "Suspicious values" in repr(found)


@pytest.mark.parametrize("n_wrong", [0, 3])
def test_values_that_are_exact_say_nothing_of_the_others(n_wrong):
    # zero for most, which the model knows, and noisy for the others
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(200, 1))
    y = np.where(X[:, 0] < 0.6, 0, 10 + 10 * X[:, 0] + rng.normal(size=200))
    y[:n_wrong] += 12
    train = Examples(X, y)
    runs = runs_of(train, DecisionTreeRegressor(random_state=0), n_jobs=1)
    found = find_label_errors(runs, train, exclude=np.arange(200))
    assert abs(found.n_expected - n_wrong) < 3
    assert set(found.examples[:n_wrong]) == {*range(n_wrong)}
    assert (found.probability[:n_wrong] > 0.9).all()


@pytest.mark.parametrize("offset", [0, 1e6])
def test_rounding_errors_are_no_wrong_values(offset):
    X = np.random.default_rng(0).normal(size=(200, 3))
    train = Examples(X, X @ [1.0, 2, 3] + offset)
    runs = runs_of(train, LinearRegression(), n_jobs=1)
    found = find_label_errors(runs, train, exclude=np.arange(200))
    assert found.n_expected < 0.1


def test_columns_may_be_groups_of_rows():
    rng = np.random.default_rng(0)
    group = rng.permutation(len(CANCER)) // 4
    n_groups = group.max() + 1
    masks = rng.random((60, n_groups)) < 0.5
    outputs = np.empty((60, len(CANCER)))
    for i, mask in enumerate(masks[:, group]):
        model = LogisticRegression(C=0.3).fit(CANCER.X[mask], CANCER.y[mask])
        outputs[i] = OUTPUTS["margin"].function(
            np.log(model.predict_proba(CANCER.X)), CANCER.y
        )
    runs = TrainingRuns(masks, outputs, output="margin")
    found = find_label_errors(runs, CANCER, exclude=group, rows=ALL)
    hit = IS_WRONG[found.examples]
    assert average_precision_score(hit, -np.arange(len(hit))) > 0.9
    row = found.examples[7]
    unseen = ~masks[:, group[row]]
    assert_allclose(found.out_of_bag[7], outputs[unseen, row].mean())
    with pytest.raises(ValueError, match="Two targets are the same"):
        find_label_errors(runs, CANCER, exclude=group)


def test_other_targets_are_left_out():
    rows = np.where(ALL % 3 == 0, ALL, -1)
    found = find_label_errors(RUNS, CANCER, exclude=rows)
    assert_array_equal(np.sort(found.examples), ALL[::3])
    swapped = TrainingRuns(RUNS.packed, RUNS.outputs[:, ::-1], output="margin")
    same = find_label_errors(swapped, CANCER, rows=rows[::-1])
    assert_array_equal(same.examples, found.examples)


def test_an_example_that_all_runs_have_seen_comes_last():
    masks = RUNS.masks
    masks[:, 5] = True
    runs = TrainingRuns(masks, RUNS.outputs, output="margin")
    found = find_label_errors(runs, CANCER, exclude=ALL)
    assert found.examples[-1] == 5
    assert found.n_runs[-1] == 0
    assert np.isnan([found.probability[-1], found.out_of_bag[-1]]).all()
    assert np.isfinite(found.n_expected)
    masks[:] = True
    with pytest.raises(ValueError, match="Every run was trained on all"):
        find_label_errors(
            TrainingRuns(masks, RUNS.outputs, output="margin"), CANCER, exclude=ALL
        )


def test_runs_without_an_output_are_ignored():
    outputs = RUNS.outputs.copy()
    outputs[::2, 3] = np.nan
    runs = TrainingRuns(RUNS.packed, outputs, output="margin")
    found = find_label_errors(runs, CANCER, exclude=ALL)
    position = found.examples.tolist().index(3)
    left = ~RUNS.masks[1::2, 3]
    assert found.n_runs[position] == left.sum()
    assert_allclose(
        found.out_of_bag[position], outputs[1::2, 3][left].mean(), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "Pass exclude, the training example"),
        ({"exclude": np.full(len(ALL), -1)}, "No target is a training example"),
        ({"exclude": ALL[:-1]}, "exclude must be 569 integers"),
        ({"exclude": ALL, "rows": ALL + 1}, "rows must be 569 rows of train, from 0"),
        ({"exclude": ALL, "rows": np.where(ALL < 5, -1, ALL)}, "same targets as rows"),
    ],
)
def test_bad_rows_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        find_label_errors(RUNS, CANCER, **change)


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match="runs must be TrainingRuns, got ndarray"):
        find_label_errors(RUNS.outputs, CANCER, exclude=ALL)
    with pytest.raises(TypeError, match="train must be Examples"):
        find_label_errors(RUNS, CANCER.X, exclude=ALL)
    for name in (None, "squared_error"):
        runs = TrainingRuns(RUNS.packed, RUNS.outputs, output=name)
        with pytest.raises(ValueError, match="does not tell whether a label"):
            find_label_errors(runs, CANCER, exclude=ALL)
    one = Examples(CANCER.X, np.zeros(len(CANCER)))
    with pytest.raises(ValueError, match="a single class"):
        find_label_errors(RUNS, one, exclude=ALL)
