"""LogisticLearner: the minimum of LogisticRegression's objective on each subset."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdatamodels import Examples
from skdatamodels.training._learners import logistic_learner
from skdatamodels.training._learners.learners import EstimatorLearner
from skdatamodels.training._learners.logistic_learner import LogisticLearner, minimise


def data(seed=0, n_train=60, n_features=4, n_classes=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_train + 9) % n_classes
    X = rng.standard_normal((n_train + 9, n_features)) + y[:, None] * rng.random()
    masks = rng.random((4, n_train)) < rng.uniform(0.4, 0.9)
    masks[:, :n_classes] = True
    return Examples(X[:n_train], y[:n_train]), Examples(X[n_train:], y[n_train:]), masks


def prepared(estimator, train, targets, output="margin", *, exact=False):
    assert LogisticLearner.is_for(estimator)
    assert LogisticLearner.obstacle(estimator, train, targets, exact=exact) is None
    learner = LogisticLearner(estimator, train, targets, output, exact=exact)
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
        LogisticRegression(penalty="l2"),
        LogisticRegression(C=np.inf),
        make_pipeline(StandardScaler(with_std=False), LogisticRegression()),
        make_pipeline(StandardScaler(), LogisticRegression(fit_intercept=False)),
        make_pipeline(MinMaxScaler(), LogisticRegression()),
        Subclass(),
    ],
    ids=repr,
)
def test_is_not_for_other_objectives(estimator):
    assert not LogisticLearner.is_for(estimator)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1, 1: 4, 2: 0.5}])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_have_their_weights(class_weight, weighted):
    train, targets, masks = data()
    masks[:, train.y == 1] &= np.random.default_rng(0).random(20) < 0.5  # imbalance
    masks[:, :3] = True
    weight = np.arange(60) % 4 + 0.5 if weighted else None
    train = Examples(train.X, train.y, sample_weight=weight)
    estimator = LogisticRegression(class_weight=class_weight)
    best = clone(estimator).set_params(tol=1e-9, max_iter=10_000)
    own = EstimatorLearner(best, train, targets, "margin")
    expected = [own(np.flatnonzero(mask), 0) for mask in masks]
    outputs = prepared(estimator, train, targets, exact=True).train_many(masks, None)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    plain = prepared(LogisticRegression(), train, targets).train_many(masks, None)
    assert np.abs(plain - outputs).max() > 0.05


@pytest.mark.parametrize(
    ("settings", "says", "exact_too"),
    [
        ({"solver": "liblinear"}, "solver='liblinear'", False),
        ({"solver": "sag"}, "'lbfgs' or", False),
        ({"tol": 1e-2}, "tol=0.01", False),
        ({"tol": 0.0}, "tol=0 is not tol=0.0001", False),
        ({"n_jobs": 1}, "n_jobs=1 is not n_jobs=None", False),
        ({"verbose": 1}, "verbose=1", False),
    ],
)
def test_says_which_setting_is_in_the_way(settings, says, exact_too):
    train, targets, _ = data()
    estimator = LogisticRegression(**settings)
    assert says in LogisticLearner.obstacle(estimator, train, targets)
    exact = LogisticLearner.obstacle(estimator, train, targets, exact=True)
    assert (exact is not None) == exact_too


def test_says_which_input_is_in_the_way():
    train, targets, _ = data()
    text = pd.DataFrame(train.X).assign(text="a")
    cases = [
        (Examples(train.X.astype(np.float32), train.y), targets, "float32"),
        (train, Examples(targets.X.astype(np.float32), targets.y), "targets.X"),
        (Examples(np.ones((60, 700)), train.y), targets, "2103 coefficients"),
        (Examples(train.X, train.y.astype(float)), targets, "floats"),
        (Examples(text, train.y), targets, "matrix of finite numbers"),
    ]
    for part, tested, says in cases:
        assert says in LogisticLearner.obstacle(LogisticRegression(), part, tested)


def frame(X):
    return pd.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])])


def polars_frame(X):
    return pytest.importorskip("polars").DataFrame(frame(X).to_dict("list"))


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    "convert", [np.asarray, frame, polars_frame, sp.csr_array, np.float32]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_exact_is_the_optimum_for_every_kind_of_table(convert, scaled, n_classes):
    train, targets, masks = data(n_classes=n_classes)
    train, targets = (
        Examples(convert(each.X * [1, 10, 100, 0]), each.y, sample_weight=weight)
        for each, weight in ((train, np.arange(60) % 3 + 0.5), (targets, None))
    )
    if scaled and sp.issparse(train.X):
        pytest.skip("StandardScaler does not centre a sparse matrix")
    estimator = LogisticRegression(C=10)
    best = LogisticRegression(C=10, tol=1e-10, max_iter=10_000)
    if scaled:
        estimator, best = (
            make_pipeline(StandardScaler(), each) for each in (estimator, best)
        )
    learner = prepared(estimator, train, targets, exact=True)
    if convert is np.float32:  # scikit-learn's own fits are exact in float64 alone
        train, targets = (
            Examples(each.X.astype(float), each.y, sample_weight=each.sample_weight)
            for each in (train, targets)
        )
    own = EstimatorLearner(best, train, targets, "margin")
    expected = [own(np.flatnonzero(mask), 0) for mask in masks]
    outputs = learner.train_many(masks, None)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_a_scaler_that_sees_a_constant_feature():
    train, targets, masks = data()
    X = train.X.copy()
    X[masks[0], 1] = 7.0  # constant in the first run alone
    train = Examples(X, train.y)
    estimator = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8))
    own = EstimatorLearner(estimator, train, targets, "margin")
    expected = [own(np.flatnonzero(mask), 0) for mask in masks]
    outputs = prepared(estimator, train, targets).train_many(masks, None)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3)


def test_exact_serves_where_the_own_fit_stops_early():
    train, targets, masks = data(n_features=40)  # separable
    estimator = LogisticRegression(C=100.0, max_iter=5)
    learner = prepared(estimator, train, targets, exact=True)
    outputs = learner.train_many(masks, None)
    best = LogisticRegression(
        C=100.0, tol=1e-10, max_iter=10_000, solver="newton-cholesky"
    )
    own = EstimatorLearner(best, train, targets, "margin")
    expected = [own(np.flatnonzero(mask), 0) for mask in masks]
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(learner(np.flatnonzero(masks[0]), 0), expected[0], 1e-3)


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
    with pytest.warns(UserWarning, match="Set a (larger max_iter|smaller tol).*exact"):
        learner = prepared(estimator, train, targets)
    assert np.isnan(learner.train_many(masks, None)).all()


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


def test_exact_runs_that_do_not_converge_are_fitted_in_double_precision(monkeypatch):
    monkeypatch.setattr(logistic_learner, "_MAX_ITER", 0)
    train, targets, masks = data()
    best = LogisticRegression(tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    own = EstimatorLearner(best, train, targets, "margin")
    single = [Examples(part.X.astype(np.float32), part.y) for part in (train, targets)]
    learner = LogisticLearner(LogisticRegression(), *single, "margin", exact=True)
    learner.prepare()
    assert np.isnan(learner.train_many(masks, None)).all()
    rows = np.flatnonzero(masks[0])
    np.testing.assert_allclose(learner(rows, 0), own(rows, 0), rtol=1e-4, atol=1e-4)


def test_weights_of_which_there_is_no_optimum_are_left_to_the_estimator():
    train, targets, masks = data(n_classes=2)
    estimator = LogisticRegression(class_weight={0: -1.0})
    learner = prepared(estimator, train, targets)
    assert np.isnan(learner.train_many(masks, None)).all()
