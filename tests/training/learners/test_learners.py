"""EstimatorLearner: a fit by hand, a seed for each random_state, columns in place."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.training._learners.learners import EstimatorLearner

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
TRAIN, TARGETS = slice(0, None, 3), slice(1, None, 10)
ROWS = np.flatnonzero(np.random.default_rng(0).random(50) < 0.5)


def margins(scores, columns):
    """Margins from scores of all classes, one target at a time."""
    return [
        row[column] - np.delete(row, column).max()
        for row, column in zip(scores, columns, strict=True)
    ]


def examples(X=X, y=Y):
    return Examples(X[TRAIN], y[TRAIN]), Examples(X[TARGETS], y[TARGETS])


@pytest.mark.parametrize("y", [Y, NAMES])
def test_margin_of_scores(y):
    learner = EstimatorLearner(RidgeClassifier(), *examples(y=y), "margin")
    model = RidgeClassifier().fit(X[TRAIN][ROWS], y[TRAIN][ROWS])
    expected = margins(model.decision_function(X[TARGETS]), Y[TARGETS])
    np.testing.assert_allclose(learner(ROWS, 0), expected)


def test_margin_of_probabilities():
    learner = EstimatorLearner(GaussianNB(), *examples(), "margin")
    model = GaussianNB().fit(X[TRAIN][ROWS], Y[TRAIN][ROWS])
    proba = model.predict_proba(X[TARGETS])
    log_proba = np.log(np.maximum(proba, np.finfo(float).eps))
    np.testing.assert_allclose(learner(ROWS, 0), margins(log_proba, Y[TARGETS]))


def test_binary_margin_is_the_signed_score():
    learner = EstimatorLearner(LinearSVC(random_state=0), *examples(y=Y == 1), "margin")
    model = LinearSVC(random_state=0).fit(X[TRAIN][ROWS], Y[TRAIN][ROWS] == 1)
    sign = np.where(Y[TARGETS] == 1, 1, -1)
    expected = sign * model.decision_function(X[TARGETS])
    np.testing.assert_allclose(learner(ROWS, 0), expected)


@pytest.mark.parametrize("output", ["prediction", "squared_error"])
def test_regressor(output):
    learner = EstimatorLearner(Ridge(), *examples(X[:, :3], X[:, 3]), output)
    model = Ridge().fit(X[TRAIN, :3][ROWS], X[TRAIN, 3][ROWS])
    predicted, true = model.predict(X[TARGETS, :3]), X[TARGETS, 3]
    expected = predicted if output == "prediction" else (predicted - true) ** 2
    np.testing.assert_allclose(learner(ROWS, 0), expected)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_missing_class_keeps_the_columns_of_the_others(missing):
    rows = ROWS[Y[TRAIN][ROWS] != missing]
    learner = EstimatorLearner(GaussianNB(var_smoothing=1.0), *examples(), "margin")
    model = GaussianNB(var_smoothing=1.0).fit(X[TRAIN][rows], Y[TRAIN][rows])
    first, second = model.classes_
    proba = model.predict_proba(X[TARGETS])
    log_proba = np.log(np.maximum(proba, np.finfo(float).eps))
    difference = log_proba[:, 0] - log_proba[:, 1]
    outputs, y = learner(rows, 0), Y[TARGETS]
    np.testing.assert_allclose(outputs[y == first], difference[y == first], atol=1e-9)
    np.testing.assert_allclose(
        outputs[y == second], -difference[y == second], atol=1e-9
    )
    # one in the size of the subset and the number of classes
    unseen = -np.log(len(rows) + 3 - 1) - np.log(proba.max(axis=1))
    np.testing.assert_allclose(outputs[y == missing], unseen[y == missing])


@pytest.mark.parametrize(
    "form", [sp.csr_array, sp.csr_matrix, lambda X: pd.DataFrame(X, columns=[*"abcd"])]
)
def test_sparse_matrices_and_frames_are_as_good_as_arrays(form):
    train = Examples(form(X[TRAIN]), Y[TRAIN])
    targets = Examples(form(X[TARGETS]), Y[TARGETS])
    learner = EstimatorLearner(RidgeClassifier(), train, targets, "margin")
    dense = EstimatorLearner(RidgeClassifier(), *examples(), "margin")
    # the solver for sparse matrices is another one
    np.testing.assert_allclose(learner(ROWS, 0), dense(ROWS, 0), rtol=1e-2, atol=1e-3)


class ShowsSeeds(ClassifierMixin, BaseEstimator):
    """Its scores are the seeds that it was given."""

    def __init__(self, inner=None, random_state=None):
        self.inner = inner
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        inner = self.inner.random_state if self.inner is not None else 0
        return np.tile([self.random_state, inner, 0], (len(X), 1))


def seeds_seen(estimator, seed):
    first = EstimatorLearner(estimator, *examples(), lambda raw, y: raw[:, 0])
    second = EstimatorLearner(estimator, *examples(), lambda raw, y: raw[:, 1])
    return first(np.arange(50), seed)[0], second(np.arange(50), seed)[0]


def test_each_open_random_state_gets_a_seed_of_its_own():
    estimator = ShowsSeeds(inner=DecisionTreeClassifier())
    outer, inner = seeds_seen(estimator, 5)
    assert outer != inner
    assert seeds_seen(estimator, 5) == (outer, inner)
    assert not {outer, inner} & set(seeds_seen(estimator, 6))
    assert estimator.random_state is estimator.inner.random_state is None


def test_the_users_random_state_is_kept():
    both = ShowsSeeds(inner=DecisionTreeClassifier(random_state=8), random_state=7)
    assert seeds_seen(both, 5) == (7, 8)
    outer, inner = seeds_seen(
        ShowsSeeds(inner=DecisionTreeClassifier(random_state=8)), 5
    )
    assert inner == 8
    assert outer not in (7, 8, None)


def test_names_of_what_is_seeded():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    learner = EstimatorLearner(pipeline, *examples(), "margin")
    assert learner.seeded == ["logisticregression__random_state"]


@pytest.mark.parametrize(
    ("estimator", "targets", "output", "error", "message"),
    [
        (KMeans(), {}, "margin", TypeError, "neither a classifier nor a regressor"),
        (StandardScaler(), {}, "margin", TypeError, "neither a classifier"),
        (Ridge(), {}, "margin", ValueError, "Ridge does regression"),
        (GaussianNB(), {}, "prediction", ValueError, "GaussianNB does classification"),
        (GaussianNB(), {"y": Y + 1}, "margin", ValueError, r"training set: \[3\]"),
        (GaussianNB(), {"X": X[:, :2]}, "margin", ValueError, r"\(4,\).* \(2,\)"),
    ],
)
def test_bad_input(estimator, targets, output, error, message):
    with pytest.raises(error, match=message):
        EstimatorLearner(estimator, examples()[0], examples(**targets)[1], output)


def test_a_single_class_has_no_margin():
    train, targets = examples(y=np.zeros_like(Y))
    with pytest.raises(ValueError, match="single class"):
        EstimatorLearner(GaussianNB(), train, targets, "margin")


def drawn(train_indices, seed):
    """A learner of one's own, with a generator of its own."""
    return np.random.default_rng(seed).normal(len(train_indices), size=15)


@pytest.mark.parametrize(
    "learner",
    [
        RandomForestClassifier(5),
        MLPClassifier(8, max_iter=5, tol=1.0, n_iter_no_change=5),
        drawn,
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
# Threads that set the filters of warnings at once make scikit-learn's forests say this.
@pytest.mark.filterwarnings("ignore:.*sklearn.utils.parallel.delayed.* should be used")
def test_threads_change_nothing(learner):
    trainer = SubsetTrainer(learner, *examples(), random_state=0)
    np.random.seed(3)  # numpy's own generator neither matters nor moves
    state = np.random.get_state()[1].tolist()
    expected = trainer.fit_transform(np.arange(12)).outputs
    with parallel_config("threading", n_jobs=4):
        outputs = trainer.fit_transform(np.arange(12)).outputs
    np.testing.assert_array_equal(outputs, expected)
    assert np.random.get_state()[1].tolist() == state
