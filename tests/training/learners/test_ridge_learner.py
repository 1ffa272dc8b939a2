"""RidgeLearner: what Ridge and RidgeClassifier give when they fit each subset."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge, RidgeClassifier

from skdatamodels import Examples
from skdatamodels.training._learners.learners import EstimatorLearner
from skdatamodels.training._learners.ridge_learner import RidgeLearner


def data(seed, n_train, n_features, n_classes, offset=0.0):
    """A problem with labels for a classifier, or real y if `n_classes` is 0."""
    rng = np.random.default_rng(seed)
    X = offset + rng.standard_normal((n_train + 7, n_features))
    y = rng.permutation(np.arange(n_train + 7) % n_classes) if n_classes else X[:, 0]
    y = y if n_classes else y + rng.standard_normal(len(y))
    y[:n_classes] = np.arange(n_classes)  # so that no target is of an unknown class
    masks = rng.random((5, n_train)) < rng.uniform(0.2, 0.9)
    masks[:, :2] = True
    return Examples(X[:n_train], y[:n_train]), Examples(X[n_train:], y[n_train:]), masks


@settings(max_examples=60)
@given(
    seed=st.integers(0, 99),
    n_train=st.integers(12, 40),
    n_features=st.integers(1, 30),
    n_classes=st.sampled_from([0, 2, 3, 5]),
    offset=st.sampled_from([0.0, 1e4]),
    alpha=st.floats(1e-2, 1e3),
    fit_intercept=st.booleans(),
    solver=st.sampled_from(["auto", "cholesky"]),
)
def test_agrees_with_the_estimators_own_fit(
    seed, n_train, n_features, n_classes, offset, alpha, fit_intercept, solver
):
    offset = offset * fit_intercept  # without one, it only makes X X' singular
    train, targets, masks = data(seed, n_train, n_features, n_classes, offset)
    kind = RidgeClassifier if n_classes else Ridge
    ridge = kind(alpha, fit_intercept=fit_intercept, solver=solver)
    output = "margin" if n_classes else "prediction"
    learner = RidgeLearner(ridge, train, targets, output)
    outputs = learner.train_many(masks, np.zeros(5))
    plain = EstimatorLearner(ridge, train, targets, output)
    for mask, row in zip(masks, outputs, strict=True):
        if len(np.unique(train.y[mask])) < n_classes:
            assert np.isnan(row).all()
        else:
            expected = plain(np.flatnonzero(mask), 0)
            np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("n_classes", [0, 2, 4])
def test_serves_what_it_can_do(n_classes):
    train, targets, _ = data(0, 20, 3, n_classes)
    kind = RidgeClassifier if n_classes else Ridge
    for ridge in (kind(), kind(0.1, fit_intercept=False), kind(solver="cholesky")):
        assert RidgeLearner.obstacle(ridge, train, targets) is None


class Subclass(Ridge):
    pass


@pytest.mark.parametrize(
    "ridge",
    [
        Ridge(0.0),
        Ridge(1e-12),
        Ridge([1.0]),
        Ridge(positive=True),
        *(Ridge(solver=solver) for solver in ("svd", "lsqr", "sparse_cg", "sag")),
        Subclass(),
    ],
    ids=repr,
)
def test_leaves_other_settings_to_the_estimator(ridge):
    train, targets, _ = data(0, 20, 3, 2)
    assert not RidgeLearner.is_for(ridge) or RidgeLearner.obstacle(
        ridge, train, targets
    )


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1, 1: 4}])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_have_their_weights(class_weight, n_classes, weighted):
    train, targets, masks = data(3, 40, 3, n_classes)
    masks[:, :n_classes] = True
    weight = np.arange(40) % 4 + 0.5 if weighted else None
    train = Examples(train.X, train.y, sample_weight=weight)
    ridge = RidgeClassifier(class_weight=class_weight)
    own = EstimatorLearner(ridge, train, targets, None)
    learner = RidgeLearner(ridge, train, targets, None)
    expected = [own(np.flatnonzero(mask), 0) for mask in masks]
    np.testing.assert_allclose(learner.train_many(masks, None), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("ridge", "convert"),
    [
        (Ridge(solver="sag"), np.asarray),
        (Ridge(), sp.csr_array),
        (RidgeClassifier(), np.float32),
        (RidgeClassifier(), pd.DataFrame),
    ],
)
def test_exact_is_the_solution_for_every_solver_and_table(ridge, convert):
    train, targets, masks = data(0, 30, 3, 2)
    own = clone(ridge).set_params(solver="cholesky")
    X, X_targets = convert(train.X), convert(targets.X)
    dense = [np.asarray(getattr(x, "todense", lambda x=x: x)()) for x in (X, X_targets)]
    plain, tested = (
        Examples(x.astype(float), part.y)
        for x, part in zip(dense, (train, targets), strict=True)
    )
    expected = [
        EstimatorLearner(own, plain, tested, None)(np.flatnonzero(mask), 0)
        for mask in masks
    ]
    train, targets = Examples(X, train.y), Examples(X_targets, targets.y)
    learner = RidgeLearner(ridge, train, targets, None, exact=True)
    assert RidgeLearner.obstacle(ridge, train, targets, exact=True) is None
    np.testing.assert_allclose(learner.train_many(masks, None), expected, rtol=1e-6)


def test_leaves_other_data_to_the_estimator():
    train, targets, _ = data(0, 20, 3, 2)
    single = Examples(train.X.astype(np.float32), train.y)  # Ridge computes in float32
    strings = Examples(train.X, train.y.astype(str))
    wide = Examples(np.ones((20, 2000)), train.y)
    X = train.X.copy()
    X[0, 0] = np.nan
    for other in (single, strings, wide, Examples(X, train.y, allow_nan=True)):
        assert RidgeLearner.obstacle(Ridge(), other, targets)
    assert RidgeLearner.obstacle(Ridge(), train, single)
    assert RidgeLearner.obstacle(RidgeClassifier(), strings, targets) is None


def test_a_run_does_not_depend_on_its_neighbours():
    train, targets, _ = data(1, 60, 8, 3)
    masks = np.random.default_rng(0).random((130, 60)) < 0.5
    learner = RidgeLearner(RidgeClassifier(), train, targets, "margin")
    together = learner.train_many(masks, None)
    for rows in ([5], range(90, 130), [99, 2, 41]):
        alone = learner.train_many(masks[list(rows)], None)
        np.testing.assert_allclose(alone, together[list(rows)], rtol=1e-9, atol=1e-12)


def test_an_output_of_ones_own_sees_one_run_at_a_time():
    train, targets, masks = data(1, 60, 4, 3)
    learner = RidgeLearner(
        RidgeClassifier(), train, targets, lambda raw, y: raw[:, 0] - raw[:, 0].mean()
    )
    expected = [learner(np.flatnonzero(mask), 0) for mask in masks]
    np.testing.assert_allclose(learner.train_many(masks, None), expected, atol=1e-9)


def test_it_travels_light():
    train, targets, masks = data(1, 60, 20, 3)
    learner = RidgeLearner(RidgeClassifier(), train, targets, "margin")
    size = len(pickle.dumps(learner))
    before = learner.train_many(masks, None)
    assert len(pickle.dumps(learner)) == size
    again = pickle.loads(pickle.dumps(learner)).train_many(masks, None)
    np.testing.assert_array_equal(again, before)
