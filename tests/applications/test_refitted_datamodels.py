"""Datamodels of what remains, against a learner whose weights are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import (
    DataSupportSearch,
    RefittedDatamodels,
    adaptive_order,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training import ComponentAblation


def test_datamodels_are_fitted_on_subsets_of_what_remains():
    seen = []

    def learner(rows, seed):
        seen.append(rows)
        return np.array([np.sum(rows), -np.sum(rows)], dtype=float)

    train, targets = Examples(np.eye(10), range(10)), Examples(np.eye(2, 10), range(2))
    trainer = SubsetTrainer(learner, train, targets, alpha=0.75)
    remaining = np.array([0, 1, 4, 5, 6, 7, 8, 9])
    ridge = DatamodelRegressor(1e-6)
    datamodels = RefittedDatamodels(trainer, ridge, n_runs=40, random_state=0)
    weights = datamodels([1], remaining)
    assert {len(rows) for rows in seen} == {6}
    assert set(np.concatenate(seen)) == set(remaining)
    # the size of subsets is fixed, so weights are known up to a constant
    centred = weights[0, remaining] - weights[0, remaining].mean()
    assert_allclose(centred, remaining.mean() - remaining, atol=0.05)
    assert (weights[0, [2, 3]] == 0).all()


def test_components_are_ordered_by_their_effects():
    effects = np.array([1.0, 8.0, -2.0, 0.5, 4.0, 2.0])
    ablation = ComponentAblation(
        lambda kept, seed: kept @ effects - 3, 6, output="margin", random_state=0
    )
    datamodels = RefittedDatamodels(
        ablation, DatamodelRegressor(1e-6), n_runs=40, random_state=0
    )
    found = adaptive_order(ablation, datamodels, step=1, max_size=3)
    assert np.argsort(-found[0])[:3].tolist() == np.argsort(-effects)[:3].tolist()


def test_supports_by_refitted_datamodels():
    train, targets = load_digits_examples(n_train=80)
    targets = targets[:2]
    trainer = SubsetTrainer(KNeighborsClassifier(3), train, targets, random_state=0)
    ridge = DatamodelRegressor(penalty="l2")
    datamodels = RefittedDatamodels(trainer, ridge, n_runs=60, random_state=0)
    weights = adaptive_order(trainer, datamodels, step=2, max_size=20)
    search = DataSupportSearch(trainer, search="bisection", n_trials=1).fit(weights)
    for target, rows in enumerate(search.support_indices_):
        kept = np.setdiff1d(np.arange(80), rows)
        model = KNeighborsClassifier(3).fit(train.X[kept], train.y[kept])
        wrong = model.predict(targets.X[[target]])[0] != targets.y[target]
        assert wrong == (len(rows) > 0 or search.control_[target] < 0)


@pytest.mark.parametrize(
    ("params", "asked", "message"),
    [
        ({"trainer": None}, {}, "'trainer' parameter .* must be an instance of"),
        ({"regressor": "ridge"}, {}, "'regressor' parameter .* implementing 'fit'"),
        ({"regressor": DatamodelRegressor}, {}, "Cannot clone object"),
        ({"n_runs": 0}, {}, "'n_runs' parameter .* in the range"),
        ({"n_runs": 20.5}, {}, "'n_runs' parameter .* must be an int"),
        ({"random_state": "0"}, {}, "'random_state' parameter"),
        ({}, {"targets": [2]}, "targets must be distinct integers from 0 to 1"),
        ({}, {"targets": [-1]}, "targets must be distinct integers from 0 to 1"),
        ({}, {"targets": 0}, "targets must be distinct integers"),
        ({}, {"remaining": [0, 10]}, "remaining must be distinct integers from 0 to 9"),
        ({}, {"remaining": [0, 0, 1]}, "remaining must be distinct integers"),
        ({}, {"remaining": np.ones(10, bool)}, "remaining must be distinct integers"),
    ],
)
def test_bad_arguments_are_refused_before_training(params, asked, message):
    def learner(rows, seed):
        raise AssertionError("trained")

    train, targets = Examples(np.eye(10), range(10)), Examples(np.eye(2, 10), range(2))
    trainer = SubsetTrainer(learner, train, targets)
    given = {"trainer": trainer, "regressor": DatamodelRegressor()} | params
    with pytest.raises((TypeError, ValueError), match=message):
        RefittedDatamodels(**given)(**{"targets": [0], "remaining": range(9)} | asked)


def test_it_is_cloned_with_its_parameters():
    train, targets = load_digits_examples(n_train=80)
    trainer = SubsetTrainer(KNeighborsClassifier(3), train, targets, random_state=0)
    datamodels = RefittedDatamodels(
        trainer, DatamodelRegressor(penalty="l2"), n_runs=20, random_state=0
    )
    asked = [0, 1], np.arange(70)
    assert_allclose(clone(datamodels)(*asked), datamodels(*asked))


def test_calls_do_not_change_the_random_state():
    train, targets = load_digits_examples(n_train=80)
    trainer = SubsetTrainer(KNeighborsClassifier(3), train, targets[:2], random_state=0)
    state = np.random.RandomState(0)
    datamodels = RefittedDatamodels(
        trainer, DatamodelRegressor(penalty="l2"), n_runs=20, random_state=state
    )
    asked = [0, 1], np.arange(70)
    assert_allclose(datamodels(*asked), datamodels(*asked))
