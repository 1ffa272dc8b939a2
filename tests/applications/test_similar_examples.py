"""Extreme weights by sorting, and self-influence on a rule that is known."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from skdatamodels import (
    DatamodelRegressor,
    Examples,
    SubsetTrainer,
    TrainingRuns,
    sample_masks,
)
from skdatamodels.applications import (
    affected_targets,
    harmful_examples,
    mean_weights,
    self_influence,
    similar_examples,
)
from skdatamodels.influence import DifferenceOfMeans

rng = np.random.default_rng(0)
WEIGHTS = rng.normal(size=(5, 9)) * (rng.random((5, 9)) < 0.6)


@pytest.mark.parametrize("container", [np.asarray, csr_array, csr_matrix])
def test_extremes_are_those_of_sorting(container):
    found = similar_examples(container(WEIGHTS), 4)
    for row, weights in enumerate(WEIGHTS):
        pairs = sorted(zip(weights, range(9), strict=True))
        negative = [(w, i) for w, i in pairs if w < 0][:4]
        positive = [(w, i) for w, i in pairs[::-1] if w > 0][:4]
        for columns, values, expected in [
            (found.positive[row], found.positive_weights[row], positive),
            (found.negative[row], found.negative_weights[row], negative),
        ]:
            expected += [(0, -1)] * (4 - len(expected))
            assert list(zip(values, columns, strict=True)) == expected


def test_more_than_there_are_is_padded():
    found = similar_examples([[1.0, 0.0, -2.0]], 5)
    assert found.positive.tolist() == [[0, -1, -1, -1, -1]]
    assert found.negative_weights.tolist() == [[-2, 0, 0, 0, 0]]


def test_among_keeps_to_a_class():
    train_y, target_y = np.arange(9) % 3, np.arange(5) % 3
    same = similar_examples(WEIGHTS, 2, among=train_y == target_y[:, None])
    for row, found in enumerate(same.positive):
        assert (train_y[found[found >= 0]] == target_y[row]).all()
        best = np.where(train_y == target_y[row], WEIGHTS[row], 0).max()
        assert same.positive_weights[row, 0] == max(best, 0)
    one = similar_examples(WEIGHTS, 9, among=train_y == 1)
    shown = np.r_[one.positive.ravel(), one.negative.ravel()]
    assert set(train_y[shown[shown >= 0]]) == {1}


def test_what_is_found_bears_its_ids():
    train = Examples(np.zeros((9, 1)), np.zeros(9), ids=list("abcdefghi"))
    targets = Examples(np.zeros((5, 1)), np.zeros(5), ids=[31, 7, 5, 88, 2])
    found = similar_examples(WEIGHTS, 9, train=train)
    for columns, names in [
        (found.positive, found.positive_ids),
        (found.negative, found.negative_ids),
    ]:
        expected = [None if i < 0 else "abcdefghi"[i] for i in columns.ravel()]
        assert names.ravel().tolist() == expected
    assert similar_examples(WEIGHTS).positive_ids is None
    affected = affected_targets(WEIGHTS, 1, targets=targets)
    best = WEIGHTS.argmax(axis=0)[WEIGHTS.max(axis=0) > 0]
    names = affected.positive_ids[affected.positive >= 0]
    assert names.tolist() == [[31, 7, 5, 88, 2][j] for j in best]
    harmful = harmful_examples(
        WEIGHTS, higher_is_better=True, balance=False, train=train
    )
    assert "".join(harmful.ids) == "".join("abcdefghi"[i] for i in harmful.examples)
    with pytest.raises(ValueError, match=r"train has 5 examples, but the .* 9 columns"):
        similar_examples(WEIGHTS, train=targets)
    with pytest.raises(ValueError, match=r"targets has 9 examples, but the .* 5 rows"):
        affected_targets(WEIGHTS, targets=train)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_affected_targets_turn_the_matrix(container):
    found = affected_targets(container(WEIGHTS), 2)
    assert found.positive.shape == (9, 2)
    helped = WEIGHTS.max(axis=0)
    assert_array_equal(found.positive_weights[:, 0], helped.clip(0))
    assert_array_equal(found.negative_weights[:, 0], WEIGHTS.min(axis=0).clip(max=0))
    clear = helped > 0
    assert_array_equal(found.positive[clear, 0], WEIGHTS.argmax(axis=0)[clear])


@pytest.mark.parametrize("container", [np.asarray, csr_array, csr_matrix])
def test_harmful_on_balance(container):
    mean = WEIGHTS.mean(axis=0)
    found = harmful_examples(
        container(WEIGHTS), 100, higher_is_better=True, balance=False
    )
    assert_array_equal(found.examples, np.argsort(mean)[: (mean < 0).sum()])
    assert_allclose(found.mean_weights, mean[found.examples])
    kept = {"higher_is_better": True, "balance": False}
    assert len(harmful_examples(WEIGHTS, 1, **kept)[0]) == 1


def test_weights_of_one_target_need_two_dimensions():
    with pytest.raises(ValueError, match=r"got 1-d .* give coef_\[\[0\]\], not"):
        similar_examples(WEIGHTS[0])
    assert similar_examples(WEIGHTS[[0]]).positive.shape == (1, 5)


def test_what_raises_losses_is_harmful():
    as_losses = harmful_examples(-WEIGHTS, 100, higher_is_better=False, balance=False)
    as_margins = harmful_examples(WEIGHTS, 100, higher_is_better=True, balance=False)
    assert_array_equal(as_losses[0], as_margins[0])
    assert_allclose(as_losses[1], -as_margins[1])
    assert (as_losses[1] > 0).all()


@pytest.mark.parametrize("output", ["squared_error", "prediction"])
def test_wrong_values_are_harmful_to_a_regression(output):
    X, y = load_diabetes(return_X_y=True)
    wrong = np.random.default_rng(0).choice(200, 8, replace=False)
    given = y[:200].copy()
    given[wrong] *= 10
    train, targets = Examples(X[:200], given), Examples(X[200:], y[200:])
    trainer = SubsetTrainer(Ridge(), train, targets, output=output, random_state=0)
    model = DatamodelRegressor(random_state=0).fit(trainer.transform(np.arange(600)))
    if output == "prediction":
        with pytest.raises(ValueError, match="Train with output='squared_error'"):
            harmful_examples(model, 8)
        told = harmful_examples(model, 8, higher_is_better=True)
        assert_array_equal(told.examples, np.argsort(model.coef_.mean(axis=0))[:8])
        return
    suspects = harmful_examples(model, 8)
    assert np.isin(suspects.examples, wrong).sum() >= 6
    assert (suspects.mean_weights > 0).all()
    with pytest.raises(ValueError, match="contradicts the runs"):
        harmful_examples(model, 8, higher_is_better=True)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_classes_of_targets_count_the_same(container):
    classes = np.array(["a", "b", "b", "b", "c", "c"])
    weights = np.random.default_rng(2).normal(size=(6, 5))
    by_class = [weights[classes == name].mean(axis=0) for name in "abc"]
    balanced = mean_weights(container(weights), target_classes=classes)
    assert_allclose(balanced, np.mean(by_class, axis=0))
    plain = mean_weights(container(weights), target_classes=classes, balance=False)
    assert_allclose(plain, weights.mean(axis=0))
    with pytest.warns(UserWarning, match="classes of the targets are not known"):
        assert_allclose(mean_weights(container(weights)), weights.mean(axis=0))
    with pytest.raises(ValueError, match=r"one class per target, shape \(6,\); got"):
        mean_weights(weights, target_classes=classes[:5])


@pytest.mark.parametrize(
    "find", [mean_weights, partial(harmful_examples, higher_is_better=True)]
)
def test_the_warning_names_the_line_of_the_user(find):
    with pytest.warns(UserWarning, match="classes of the targets") as caught:
        find(WEIGHTS)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_fitted_regressor_knows_direction_and_classes():
    masks = sample_masks(200, 5, 0.5, random_state=0)
    weights = np.array([[3.0, 0, -1, 0, 0], [1, 0, -1, 0, 0], [-2.5, 0, 1, 1, 0]])
    runs = TrainingRuns(
        masks,
        masks.dot(weights.T).astype(np.float32),
        output="cross_entropy",
        target_classes=[0, 0, 1],
    )
    model = DatamodelRegressor(lam=1e-3).fit(runs)
    for fitted in (model, DifferenceOfMeans().fit(runs), make_pipeline(model)):
        assert harmful_examples(fitted)[0].tolist() == [3]
        assert harmful_examples(fitted, balance=False)[0].tolist() == [0, 3]
    model.fit(masks, runs.outputs)  # arrays do not say
    with pytest.raises(ValueError, match="not known whether higher outputs are"):
        harmful_examples(model, balance=False)
    kept = {"higher_is_better": True, "balance": False}
    assert harmful_examples(model, **kept)[0].tolist() == [2]
    with pytest.raises(ValueError, match="DatamodelRegressor has no coef_"):
        harmful_examples(DatamodelRegressor())
    with pytest.raises(TypeError, match="Expected weights, got TrainingRuns"):
        harmful_examples(runs)
    classifier = LogisticRegression().fit(np.eye(3), [0, 1, 2])
    with pytest.raises(TypeError, match="weights of features, not of training ex"):
        harmful_examples(classifier, higher_is_better=True)


def memorising_runs(n_runs=2000, n_train=12):
    """Each example raises itself by `own` and others, which it likes, by `coef`."""
    rng = np.random.default_rng(1)
    masks = sample_masks(n_runs, n_train, 0.5, design="bernoulli", random_state=0)
    own, coef = rng.random(n_train) * 3, rng.normal(size=(n_train, n_train))
    np.fill_diagonal(coef, own)
    outputs = masks.dot(coef.T) + 0.1 * rng.normal(size=(n_runs, n_train))
    return TrainingRuns(masks, outputs.astype(np.float32)), own


def test_self_influence_without_datamodels_is_the_difference_of_means():
    runs, _ = memorising_runs(50)
    masks = runs.masks
    expected = [
        runs.outputs[masks[:, i], i].mean() - runs.outputs[~masks[:, i], i].mean()
        for i in range(12)
    ]
    assert_allclose(self_influence(runs, np.arange(12)), expected, rtol=1e-5)


def test_self_influence_with_datamodels_finds_the_own_weight():
    runs, own = memorising_runs()
    plain = self_influence(runs, np.arange(12))
    for sparse in (False, True):
        datamodels = DatamodelRegressor(1e-3, exclude=np.arange(12), sparse=sparse)
        datamodels.fit(runs)
        adjusted = self_influence(runs, np.arange(12), datamodels=datamodels)
        assert_allclose(adjusted, own, atol=0.05)
        assert abs(plain - own).max() > 3 * abs(adjusted - own).max()


def test_self_influence_refuses_datamodels_that_do_not_fit():
    runs, _ = memorising_runs(50)
    example = np.r_[-1, np.arange(1, 12)]
    with pytest.raises(NotFittedError):
        self_influence(runs, example, datamodels=DatamodelRegressor(1e-3))
    with pytest.raises(ValueError, match="target 1 gives a weight to the target's own"):
        self_influence(runs, example, datamodels=DatamodelRegressor(1e-3).fit(runs))
    of_others = DatamodelRegressor(1e-3).fit(runs.masks, runs.outputs[:, :5])
    with pytest.raises(ValueError, match="has 5 targets, but the runs have 12"):
        self_influence(runs, example, datamodels=of_others)


def test_self_influence_of_what_is_not_known_is_nan():
    masks = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]])
    outputs = np.array([[1.0] * 4, [3.0] * 4, [np.nan] * 4])
    found = self_influence(TrainingRuns(masks, outputs), [0, 1, 2, -1])
    assert_array_equal(found, [np.nan, np.nan, -2, np.nan])


@pytest.mark.parametrize(
    ("example_of_target", "message"),
    [
        ([0], "must be 12 integers"),
        (np.full(12, 12), "-1 to 11"),
        ([0.5] * 12, "float"),
    ],
)
def test_self_influence_refuses(example_of_target, message):
    runs, _ = memorising_runs(20)
    with pytest.raises(ValueError, match=message):
        self_influence(runs, example_of_target)
    with pytest.raises(TypeError, match="must be TrainingRuns"):
        self_influence(runs.masks, np.arange(12))


def test_bad_input():
    with pytest.raises(ValueError, match="weights contains NaN"):
        similar_examples(WEIGHTS * np.nan)
    with pytest.raises(ValueError, match="must be an integer from 1"):
        similar_examples(WEIGHTS, 0)
    with pytest.raises(ValueError, match="among must be bool"):
        similar_examples(WEIGHTS, among=np.ones(9))
    with pytest.raises(ValueError, match="among must be bool"):
        similar_examples(WEIGHTS, among=np.ones(5, dtype=bool))


def test_rows_bear_the_ids_that_a_fitted_datamodel_knows():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(20, 2)), columns=["a", "b"])
    X = X.set_axis([f"p{i}" for i in range(20)])
    y = pd.Series(X["a"] + rng.normal(size=20), index=X.index)
    train, targets = (
        Examples(X.iloc[r], y.iloc[r]) for r in (slice(14), slice(14, 20))
    )
    runs = SubsetTrainer(Ridge(), train, targets, random_state=0).fit_transform(
        np.arange(60)
    )
    model = DatamodelRegressor(lam=1e-3).fit(runs)
    found = similar_examples(model, 2)
    frame = found.to_frame()
    assert list(frame) == ["row", "row_id", "column", "id", "weight"]
    assert_array_equal(frame["row_id"], X.index[14 + frame["row"]])
    assert_array_equal(frame["id"], X.index[frame["column"]])
    assert "p14" in repr(found)
    turned = affected_targets(model, 2).to_frame()
    assert_array_equal(turned["row_id"], X.index[turned["row"]])
    assert_array_equal(turned["id"], X.index[14 + turned["column"]])
    plain = similar_examples(model.coef_, 2)
    assert plain.row_ids is None
    assert "row_id" not in plain.to_frame()
