"""Leave-one-out against refits by hand, and its ceiling against known noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.applications import leave_one_out
from skdatamodels.metrics import attribution_correlation
from skdatamodels.outputs import margin

rng = np.random.default_rng(0)
WEIGHTS = rng.normal(size=(3, 90))
TRAIN = Examples(np.arange(90)[:, None], np.arange(90) % 2)
TARGETS = Examples(np.arange(3)[:, None], [0, 1, 0])


def make_trainer(noise=0.0, **params):
    def learner(train_indices, seed):
        drawn = np.random.default_rng(seed).normal(size=3)
        return WEIGHTS[:, train_indices].sum(axis=1) + noise * drawn

    return SubsetTrainer(learner, TRAIN, TARGETS, random_state=0, **params)


def test_is_a_refit_without_each_example():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(150)
    train = Examples(X[order[:40]], y[order[:40]])
    targets = Examples(X[order[40:45]], y[order[40:45]])
    learner = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000)
    found = leave_one_out(SubsetTrainer(learner, train, targets), [3, 17])

    def output(rows):
        fitted = learner.fit(train.X[rows], train.y[rows])
        return margin(fitted.decision_function(targets.X), targets.y)

    everything = np.arange(40)
    for example in (3, 17):
        effect = output(everything) - output(np.delete(everything, example))
        assert_allclose(found.effects[:, example], effect, atol=1e-4)
    assert_array_equal(np.flatnonzero(~np.isnan(found.effects[0])), [3, 17])
    assert np.isnan(found.error).all()
    assert np.isnan(found.ceiling).all()  # one trial does not know
    assert found.n_trained == 3


def test_learner_without_randomness_has_no_noise():
    found = leave_one_out(make_trainer(), n_trials=2)
    assert_allclose(found.effects, WEIGHTS, atol=1e-5)
    assert_array_equal(found.error, 0)
    assert_array_equal(found.ceiling, 1)
    assert found.n_trained == 2 * 91


@pytest.mark.parametrize("n_trials", [5, 20])
def test_ceiling_is_the_correlation_with_the_true_effects(n_trials):
    found = leave_one_out(make_trainer(noise=3), n_trials=n_trials)
    reached = attribution_correlation(WEIGHTS, found.effects, method="pearson")
    assert_allclose(found.ceiling.mean(), reached.mean(), atol=0.15)
    assert np.sqrt((found.error**2).mean()) == pytest.approx(
        3 / np.sqrt(n_trials), rel=0.1
    )
    expected = np.sqrt(1 / (1 + 9 / n_trials))  # the weights have a variance of 1
    assert found.ceiling.mean() == pytest.approx(expected, abs=0.15)


def test_effects_of_nothing_but_noise_have_a_ceiling_near_0():
    found = leave_one_out(make_trainer(noise=1e4), n_trials=20)
    assert found.ceiling.max() < 0.6


def test_groups_take_the_place_of_examples():
    trainer = make_trainer(groups=np.arange(90) // 30)
    found = leave_one_out(trainer)
    expected = WEIGHTS.reshape(3, 3, 30).sum(axis=2)
    assert_allclose(found.effects, expected, atol=1e-5)


@pytest.mark.parametrize("examples", [[90], [-1], [1, 1], [0.5], []])
def test_bad_examples(examples):
    with pytest.raises(ValueError, match="examples must be distinct integers"):
        leave_one_out(make_trainer(), examples)
