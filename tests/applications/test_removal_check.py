"""Scores against models that are fitted here, without the removed examples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import scale
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.applications import RemovalCheck, removal_check

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)
GIVEN = np.where(np.arange(120) < 25, 1 - Y[:120], Y[:120])  # 25 wrong labels
TRAIN, TARGETS = Examples(X[:120], GIVEN), Examples(X[120:], Y[120:])


def trainer_of(estimator, **params):
    return SubsetTrainer(estimator, TRAIN, TARGETS, random_state=0, **params)


def test_scores_are_those_of_models_without_the_examples():
    order = np.r_[np.arange(25), 100]
    check = removal_check(
        trainer_of(LogisticRegression()), order, [0.1, 25], n_trials=3, random_state=0
    )
    assert isinstance(check, RemovalCheck)
    assert check.removed.tolist() == ["none", "first", "random", "first", "random"]
    assert check.size.tolist() == [0, 12, 12, 25, 25]
    for row in (0, 1, 3):
        kept = np.delete(np.arange(120), order[: check.size[row]])
        model = LogisticRegression().fit(X[kept], GIVEN[kept])
        assert_allclose(check.score[row], model.score(X[120:], Y[120:]), atol=1e-3)
        assert check.error[row] == 0
    assert check.metric == "accuracy"
    assert check.higher_is_better
    assert check.change[3] > 2 * check.change_error[3] > 0
    assert check.change[3] > check.change[4]
    assert check.n_trained == 3 * 5
    assert check.outputs.shape == (5, 3, len(TARGETS))
    assert_allclose(check.output, check.outputs.mean(axis=(1, 2)), rtol=1e-5)


def test_errors_are_those_of_the_trials():
    check = removal_check(
        trainer_of(DecisionTreeClassifier(max_features=2)), [3, 4], [2], n_trials=6
    )
    scores = (check.outputs > 0).mean(axis=2)
    assert_allclose(check.score, scores.mean(axis=1))
    assert_allclose(check.error, scores.std(axis=1, ddof=1) / np.sqrt(6))
    outputs = check.outputs.mean(axis=2, dtype=float)
    assert_allclose(
        check.output_error, outputs.std(axis=1, ddof=1) / np.sqrt(6), rtol=1e-4
    )
    by_target = (check.outputs > 0).mean(axis=1)
    spread = (by_target[1] - by_target[0]).std(ddof=1) ** 2 / len(TARGETS)
    total = spread + check.error[0] ** 2 + check.error[1] ** 2
    assert_allclose(check.change_error[1], np.sqrt(total))
    assert check.change_error[0] == 0


def test_predictions_are_judged_by_their_squared_error_on_some_targets():
    values = X[:, 0] + X[:, 1]
    train = Examples(X[:60, :2], np.r_[values[:5] + 9, values[5:60]])
    targets = Examples(X[60:, :2], values[60:])
    trainer = SubsetTrainer(Ridge(), train, targets, random_state=0)
    some = np.arange(40, 100)
    check = removal_check(trainer, np.arange(5), [5], targets=some, n_trials=2)
    model = Ridge().fit(train.X[5:], train.y[5:])
    error = np.mean((model.predict(targets.X[some]) - targets.y[some]) ** 2)
    assert_allclose(check.score[1], error, rtol=1e-4)
    assert check.metric == "mean_squared_error"
    assert check.higher_is_better is False
    assert check.change[1] < 0
    assert_array_equal(check.targets, some)


def test_other_outputs_are_averaged():
    trainer = trainer_of(LogisticRegression(), output="cross_entropy")
    check = removal_check(trainer, [0, 1], [2], n_trials=1)
    assert_allclose(check.score, check.output)
    assert (check.metric, check.higher_is_better) == ("cross_entropy", False)
    assert np.isnan(check.error).all()  # a single trial tells nothing


def test_random_sets_are_nested_and_follow_the_seed():
    seen = []

    def learner(rows, seed):
        seen.append(np.setdiff1d(np.arange(120), rows))
        return np.zeros(len(TARGETS))

    def sets(seed):
        seen.clear()
        removal_check(
            trainer_of(learner), np.arange(9), [4, 9], n_trials=3, random_state=seed
        )
        return [tuple(rows) for rows in seen]

    sets_of_0 = sets(0)
    assert sets_of_0 == sets(0) != sets(1)
    random = sets(0)[9:]
    assert [len(rows) for rows in random] == [4] * 3 + [9] * 3
    for small, large in zip(random[:3], random[3:], strict=True):
        assert set(small) < set(large)
    assert len(set(random)) == 6


def test_frame_and_table_hold_the_scores():
    check = removal_check(trainer_of(LogisticRegression()), [0, 1], [1, 2], n_trials=2)
    frame = check.to_frame()
    assert frame["score"].tolist() == check.score.tolist()
    assert list(frame)[:4] == ["size", "removed", "score", "error"]
    assert len(check) == len(frame) == 5
    for row in range(5):
        assert f"{check.score[row]:.3f}" in repr(check).splitlines()[2 + row]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"order": [0, 0, 1]}, "order must be distinct training examples, .* to 119"),
        ({"order": [0, 120, 1]}, "order must be distinct training examples"),
        ({"order": [0.5, 1, 2]}, "order must be distinct training examples"),
        ({"order": [0]}, "order has 1 examples, but the largest size is 2"),
        ({"sizes": [0]}, "sizes must be numbers of examples from 1 to"),
        ({"targets": [0, 0]}, "targets must be distinct integers"),
        ({"n_trials": 0}, "n_trials"),
    ],
)
def test_bad_input_is_refused_before_training(params, message):
    def learner(rows, seed):
        raise AssertionError("trained")

    given = {"order": [0, 1], "sizes": [2], **params}
    with pytest.raises(ValueError, match=message):
        removal_check(trainer_of(learner), **given)


def test_bases_and_targets_in_the_training_set():
    """Removal from subsets, judged by rows outside of them, agrees with refits."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    y = X.sum(axis=1) + rng.normal(size=30)
    train = Examples(X, y)
    bases = rng.random((4, 30)) < 0.6
    trainer = SubsetTrainer(Ridge(), train, train, fast=False)
    check = removal_check(
        trainer, [3, 5, 7], [2, 3], bases=bases, exclude=np.arange(30), random_state=0
    )
    expected = np.full((2, 4, 30), np.nan)
    for row, removed in enumerate(([3, 5], [3, 5, 7])):
        for trial, base in enumerate(bases):
            kept = base & ~np.isin(np.arange(30), removed)
            predicted = Ridge().fit(X[kept], y[kept]).predict(X)
            expected[row, trial] = np.where(base, np.nan, predicted)
    np.testing.assert_allclose(check.outputs[[1, 3]], expected, rtol=1e-5, atol=1e-6)
    errors = np.nanmean((expected - y) ** 2, axis=2).mean(axis=1)
    np.testing.assert_allclose(check.score[[1, 3]], errors, rtol=1e-5)
    assert check.n_trained <= 4 * 5  # some sets are equal
    with pytest.raises(ValueError, match="exclude needs bases"):
        removal_check(trainer, [3], [1], exclude=np.arange(30))
    with pytest.raises(ValueError, match="bases must have 30 columns"):
        removal_check(trainer, [3], [1], bases=bases[:, :9])
