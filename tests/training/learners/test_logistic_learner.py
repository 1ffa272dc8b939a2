"""LogisticLearner: the minimum of LogisticRegression's objective on each subset."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skdatamodels import Examples
from skdatamodels.training._learners.learners import EstimatorLearner
from skdatamodels.training._learners.logistic_learner import LogisticLearner, minimise


def data(seed=0, n_train=60, n_features=4, n_classes=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_train + 9) % n_classes
    X = rng.standard_normal((n_train + 9, n_features)) + y[:, None] * rng.random()
    masks = rng.random((4, n_train)) < rng.uniform(0.4, 0.9)
    masks[:, :n_classes] = True
    return Examples(X[:n_train], y[:n_train]), Examples(X[n_train:], y[n_train:]), masks


def prepared(estimator, train, targets, output="margin"):
    assert LogisticLearner.serves(estimator, train, targets)
    learner = LogisticLearner(estimator, train, targets, output)
    learner.prepare()
    return learner


@settings(max_examples=25)
@given(
    seed=st.integers(0, 99),
    n_train=st.integers(20, 80),
    n_features=st.integers(1, 12),
    n_classes=st.integers(2, 5),
    C=st.floats(1e-3, 10.0),
    fit_intercept=st.booleans(),
)
def test_agrees_with_a_fit_of_high_precision(
    seed, n_train, n_features, n_classes, C, fit_intercept
):
    train, targets, masks = data(seed, n_train, n_features, n_classes)
    estimator = LogisticRegression(
        C=C, fit_intercept=fit_intercept, tol=1e-8, max_iter=10_000
    )
    exact = EstimatorLearner(estimator, train, targets, "margin")
    estimator = clone(estimator).set_params(tol=1e-4)
    outputs = prepared(estimator, train, targets).train_many(masks, None)
    expected = [exact(np.flatnonzero(mask), 0) for mask in masks]
    np.testing.assert_allclose(outputs, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "newton-cholesky"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_logits_are_the_estimators(solver, n_classes):
    train, targets, masks = data(n_classes=n_classes)
    estimator = LogisticRegression(solver=solver, tol=1e-7)

    def first_logit(raw, y):
        return raw[:, 0]

    learner = prepared(estimator, train, targets, first_logit)
    expected = [learner(np.flatnonzero(mask), 0) for mask in masks]
    np.testing.assert_allclose(learner.train_many(masks, None), expected, atol=1e-4)


class Subclass(LogisticRegression):
    pass


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(l1_ratio=1, solver="saga"),
        LogisticRegression(l1_ratio=0.5, solver="saga"),
        LogisticRegression(solver="liblinear"),
        LogisticRegression(solver="sag"),
        LogisticRegression(penalty="l2"),
        LogisticRegression(C=np.inf),
        LogisticRegression(class_weight="balanced"),
        LogisticRegression(tol=1e-2),
        LogisticRegression(tol=0.0),
        LogisticRegression(n_jobs=1),
        LogisticRegression(verbose=1),
        Subclass(),
    ],
    ids=repr,
)
def test_leaves_other_settings_to_the_estimator(estimator):
    train, targets, _ = data()
    assert not LogisticLearner.serves(estimator, train, targets)


def test_leaves_other_data_to_the_estimator():
    train, targets, _ = data()
    single = Examples(train.X.astype(np.float32), train.y)
    wide = Examples(np.ones((60, 700)), train.y)
    sparse = Examples(sp.csr_array(train.X), train.y)
    for other in (single, wide, sparse):
        assert not LogisticLearner.serves(LogisticRegression(), other, targets)
        assert not LogisticLearner.serves(LogisticRegression(), train, single)


def test_leaves_runs_that_miss_a_class_to_the_estimator():
    train, targets, masks = data()
    masks[2] &= train.y != 1
    outputs = prepared(LogisticRegression(), train, targets).train_many(masks, None)
    assert np.isnan(outputs).all(axis=1).tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(max_iter=3), LogisticRegression(C=1e7)], ids=repr
)
def test_leaves_all_to_an_estimator_that_stops_far_from_the_optimum(estimator):
    train, targets, masks = data(n_features=40)  # separable
    outputs = prepared(estimator, train, targets).train_many(masks, None)
    assert np.isnan(outputs).all()


def test_a_run_does_not_depend_on_its_neighbours():
    train, targets, _ = data(n_classes=4)
    masks = np.random.default_rng(0).random((60, 60)) < 0.6
    learner = prepared(LogisticRegression(), train, targets)
    together = learner.train_many(masks, None)
    assert np.isfinite(together).any()
    for rows in ([5], range(20, 60), [59, 2, 41]):
        alone = learner.train_many(masks[list(rows)], None)
        np.testing.assert_allclose(alone, together[list(rows)], rtol=1e-9, atol=1e-10)


def test_minimise_finds_minima_and_tells_what_it_did_not_find():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 6))
    matrix, centres = root @ root.T + np.eye(6), rng.standard_normal((2, 6))
    gradients = [
        lambda x: matrix @ (x - centres[0]),
        None,
        lambda x: 5 * matrix @ (x - centres[1]),
        lambda x: np.ones(6),  # of a function without a minimum
    ]
    found = minimise(gradients, np.ones((4, 6)), np.eye(6), 1e-9)
    np.testing.assert_allclose(found[[0, 2]], centres, atol=1e-7)
    np.testing.assert_array_equal(found[1], np.ones(6))
    assert np.isnan(found[3]).all()
