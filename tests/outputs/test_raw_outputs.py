import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit, logsumexp, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdatamodels.outputs import (
    PROBA_FLOOR,
    check_measurable,
    encode_targets,
    log_odds,
    margin,
    raw_outputs,
)

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["ash", "birch", "cedar"])[Y]
CLASSES = np.unique(NAMES)

WITH_SCORES = {
    "logistic": LogisticRegression(max_iter=500),
    "svc": SVC(),
    "linear_svc": LinearSVC(),
    "ridge": RidgeClassifier(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "search": GridSearchCV(make_pipeline(SVC()), {"svc__C": [0.1, 1.0]}, cv=2),
    "hist": HistGradientBoostingClassifier(max_iter=3),
}
WITH_PROBA = {
    "forest": RandomForestClassifier(5, random_state=0),
    "mlp": MLPClassifier([8], max_iter=20, random_state=0),
    "knn": KNeighborsClassifier(3),
    "dummy": DummyClassifier(),
    "tree": make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2)),
}
EVERY = WITH_SCORES | WITH_PROBA


def _fit(name, labels):
    rows = np.isin(NAMES, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network trained too shortly says so
        return EVERY[name].fit(X[rows], NAMES[rows])


def _by_hand(name, model):
    """Logits of the classes that the model saw, written a second way."""
    if name in WITH_PROBA:
        return np.log(np.clip(model.predict_proba(X), PROBA_FLOOR, None))
    scores = model.decision_function(X)
    return np.c_[np.zeros(len(X)), scores] if scores.ndim == 1 else scores


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("labels", [CLASSES, CLASSES[:2]], ids=["multi", "binary"])
def test_all_classes_seen(name, labels):
    model = _fit(name, labels)
    expected = _by_hand(name, model)
    raw = raw_outputs(model, X, labels)
    assert raw.shape == (len(X), len(labels))
    assert raw.dtype == np.float64
    assert np.isfinite(raw).all()
    assert_array_equal(raw, expected)
    assert_array_equal(raw_outputs(model, X), raw)
    # GridSearchCV, pipelines and so on predict where the logits are highest.
    clear = np.diff(np.sort(raw, axis=1)[:, -2:], axis=1).ravel() > 1e-9
    assert_array_equal(labels[raw.argmax(axis=1)][clear], model.predict(X)[clear])


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_missing_class_moves_no_other(name, missing):
    labels = np.delete(CLASSES, missing)
    model = _fit(name, labels)
    expected = _by_hand(name, model)
    raw = raw_outputs(model, X, CLASSES)
    assert_array_equal(np.delete(raw, missing, axis=1), expected)
    assert_allclose(
        raw[:, missing], logsumexp(expected, axis=1) + np.log(PROBA_FLOOR), rtol=1e-12
    )
    assert_allclose(softmax(raw, axis=1)[:, missing], PROBA_FLOOR)
    y = encode_targets(NAMES, CLASSES)
    assert np.isfinite(margin(raw, y)).all()
    assert (margin(raw, y)[y == missing] < 0).all()


@pytest.mark.parametrize(
    "model", [DummyClassifier(), DecisionTreeClassifier(), GaussianNB()], ids=str
)
@pytest.mark.parametrize("only", [0, 1, 2])
def test_single_class_seen(model, only):
    model.fit(X[:4], CLASSES[[only] * 4])
    expected = np.full((len(X), 3), np.log(PROBA_FLOOR))
    expected[:, only] = 0
    assert_array_equal(raw_outputs(model, X, CLASSES), expected)


def test_margins_of_a_binary_score():
    model = LogisticRegression().fit(X[:100], Y[:100])
    score = model.decision_function(X[:100])
    raw = raw_outputs(model, X[:100])
    assert_array_equal(margin(raw, np.ones(100, dtype=int)), score)
    proba = model.predict_proba(X[:100])
    assert_allclose(softmax(raw, axis=1), proba, atol=1e-12)


def test_probabilities_of_zero_and_one_are_finite():
    model = DecisionTreeClassifier().fit(X, Y)
    raw = raw_outputs(model, X)
    assert set(model.predict_proba(X).ravel()) == {0.0, 1.0}
    assert_array_equal(np.unique(raw), [np.log(PROBA_FLOOR), 0.0])


def odds_of(proba, y):
    """Log-odds of the class of each row, by Python's floats."""
    pairs = [(row[k], sum(np.delete(row, k))) for row, k in zip(proba, y, strict=True)]
    return [np.log(own) - np.log(others) for own, others in pairs]


@pytest.mark.parametrize("missing", [None, 0, 2])
@pytest.mark.parametrize(("zero_proba", "zero"), [(0.1, 1 / 30), (0.01, 0.01)])
def test_votes_of_all_trees_give_finite_odds(missing, zero_proba, zero):
    labels = CLASSES if missing is None else np.delete(CLASSES, missing)
    rows = np.isin(NAMES, labels)
    model = RandomForestClassifier(30, random_state=0).fit(X[rows], NAMES[rows])
    proba = np.zeros((len(X), 3))
    proba[:, encode_targets(labels, CLASSES)] = model.predict_proba(X)
    assert_allclose(proba[proba > 0].min(), 1 / 30)
    y = encode_targets(NAMES, CLASSES)
    raw = raw_outputs(model, X, CLASSES, y=y, zero_proba=zero_proba)
    own = proba[np.arange(len(y)), y]
    assert (own == 1).any()
    between = (own > 0) & (own < 1)
    expected = np.where(own == 1, -logit(zero), logit(zero))
    expected[y == missing] = logit(zero_proba)
    expected[between] = odds_of(proba[between], y[between])
    assert_allclose(log_odds(raw, y), expected, rtol=1e-9)
    for column in range(3):  # other odds are as they were
        plain = raw_outputs(model, X, CLASSES)
        assert_array_equal(raw[between, column], plain[between, column])


def test_a_single_class_seen_gives_finite_odds():
    model = DecisionTreeClassifier().fit(X[:4], ["a"] * 4)
    raw = raw_outputs(model, X[:2], ["a", "b", "c"], y=[0, 1], zero_proba=0.2)
    assert_allclose(log_odds(raw, [0, 1]), [logit(0.8), logit(0.2)])


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("n_classes", [3, 4])  # 3 classes have 3 pairs
def test_one_vs_one_scores_are_refused(search, n_classes):
    model = make_pipeline(SVC(decision_function_shape="ovo"))
    if search:
        model = GridSearchCV(model, {"svc__C": [1.0]}, cv=2)
    y = np.arange(len(X)) % n_classes
    with pytest.raises(ValueError, match='decision_function_shape="ovr"'):
        raw_outputs(model.fit(X, y), X)
    binary = model.fit(X, y > 0)
    assert raw_outputs(binary, X).shape == (len(X), 2)


def test_class_outside_the_training_set():
    model = LogisticRegression(max_iter=500).fit(X, NAMES)
    with pytest.raises(ValueError, match="cedar"):
        raw_outputs(model, X, classes=CLASSES[:2])


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        KNeighborsRegressor(),
        make_pipeline(StandardScaler(), LinearRegression()),
        GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [1, 3]}, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_regressors(model):
    model.fit(X[:, :3], X[:, 3])
    raw = raw_outputs(model, X[:, :3])
    assert raw.dtype == np.float64
    assert_array_equal(raw, model.predict(X[:, :3]))


def test_regressor_with_one_or_more_columns():
    model = LinearRegression().fit(X[:, :2], X[:, 2:3])
    assert raw_outputs(model, X[:, :2]).shape == (len(X),)
    with pytest.raises(ValueError, match=r"shape \(150, 2\)"):
        raw_outputs(model.fit(X[:, :2], X[:, 2:]), X[:, :2])


class Broken(RegressorMixin, BaseEstimator):
    def predict(self, X):
        return np.where(np.arange(len(X)) < 2, np.nan, 1.0)


def test_nan_is_refused():
    with pytest.raises(ValueError, match=r"Broken returns NaN or infinite.* 2 of 150"):
        raw_outputs(Broken(), X)


class Labeller(ClassifierMixin, BaseEstimator):
    def predict(self, X):
        return np.zeros(len(X))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (StandardScaler(), "StandardScaler has no output to measure"),
        (KMeans(), "KMeans has no output"),
        (IsolationForest(), "IsolationForest has no output"),
        (
            make_pipeline(LogisticRegression(), StandardScaler()),
            "Pipeline, which ends in StandardScaler, has no output",
        ),
        (Labeller(), "Labeller has neither decision_function nor predict_proba"),
        (VotingClassifier([("a", SVC())]), "voting='soft'"),
        (LogisticRegression, "instance of a scikit-learn estimator"),
        ("logistic", "instance of a scikit-learn estimator, got str"),
    ],
)
def test_not_measurable_before_any_fit(estimator, message):
    for check in (check_measurable, lambda e: raw_outputs(e, X)):
        with pytest.raises(TypeError, match=message):
            check(estimator)


@pytest.mark.parametrize(
    ("estimator", "task"),
    [
        (SVC(), "classification"),
        (make_pipeline(SVC()), "classification"),
        (GridSearchCV(SVC(), {}), "classification"),
        (StackingClassifier([("a", SVC())]), "classification"),
        (GridSearchCV(StackingClassifier([("a", SVC())]), {}), "classification"),
        (GridSearchCV(make_pipeline(LinearRegression()), {}), "regression"),
    ],
)
def test_measurable_before_any_fit(estimator, task):
    assert check_measurable(estimator) == task
