"""Values against loops over models, and against scikit-learn's out-of-bag scores."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import Examples
from skdatamodels.influence import data_oob

X, Y = load_iris(return_X_y=True)
X, Y = X[::2], np.array(["setosa", "versicolor", "virginica"])[Y[::2]]
TRAIN = Examples(X, Y)
DX, DY = (part[:80] for part in load_diabetes(return_X_y=True))
VALUES = Examples(DX, DY)


class Recorder(Ridge):
    """A ridge regression that notes the rows of each fit."""

    fits = []

    def fit(self, X, y):
        self.fits.append((X.copy(), y.copy()))
        return super().fit(X, y)


def test_base_estimator_is_bagged():
    Recorder.fits.clear()
    values = data_oob(Recorder(), VALUES, n_estimators=30, random_state=0)
    assert len(Recorder.fits) == 30
    expected = [[] for _ in DY]
    for X_drawn, y_drawn in Recorder.fits:
        assert X_drawn.shape == DX.shape  # as many rows, with repetitions
        model = Ridge().fit(X_drawn, y_drawn)
        for i in range(len(DY)):
            if not (X_drawn == DX[i]).all(axis=1).any():
                error = model.predict(DX[[i]])[0] - DY[i]
                expected[i].append(-(error**2))
    assert_allclose(values, [np.mean(scores) for scores in expected])
    share = np.mean([len(scores) for scores in expected]) / 30
    assert abs(share - np.exp(-1)) < 0.03


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_forests_of_pure_trees_agree_with_their_oob_probabilities(kind):
    forest = kind(60, bootstrap=True, oob_score=True, random_state=0).fit(X, Y)
    columns = np.searchsorted(forest.classes_, Y)
    expected = forest.oob_decision_function_[np.arange(len(Y)), columns]
    assert (expected < 1).any()
    assert_allclose(data_oob(FrozenEstimator(forest), TRAIN), expected)
    assert_allclose(data_oob(forest, TRAIN), expected)  # fitted again, the same


def test_bags_with_few_rows_and_features_agree_with_their_oob_probabilities():
    bag = BaggingClassifier(
        DecisionTreeClassifier(),
        40,
        max_samples=0.5,
        max_features=2,
        bootstrap=False,
        oob_score=False,
        random_state=0,
    ).fit(X, Y)
    right = [[] for _ in Y]
    for member, rows, columns in zip(
        bag.estimators_, bag.estimators_samples_, bag.estimators_features_, strict=True
    ):
        for i in set(range(len(Y))) - set(rows):
            code = member.predict(X[i : i + 1, columns])[0]
            right[i].append(bag.classes_[int(code)] == Y[i])
    expected = [np.mean(row) for row in right]
    assert_allclose(data_oob(FrozenEstimator(bag), TRAIN), expected)


@pytest.mark.parametrize("kind", [RandomForestRegressor, BaggingRegressor])
def test_values_of_regressors_are_negative_squared_errors(kind):
    model = kind(n_estimators=50, random_state=0).fit(DX, DY)
    scores = np.full((50, len(DY)), np.nan)
    samples = zip(model.estimators_, model.estimators_samples_, strict=True)
    for row, (member, rows) in zip(scores, samples, strict=True):
        unseen = ~np.isin(np.arange(len(DY)), rows)
        row[unseen] = -((member.predict(DX[unseen]) - DY[unseen]) ** 2)
    assert_allclose(data_oob(FrozenEstimator(model), VALUES), np.nanmean(scores, 0))


def test_wrong_labels_have_low_values():
    given = Y.copy()
    wrong = np.random.default_rng(0).choice(len(Y), 8, replace=False)
    given[wrong] = np.roll(np.unique(Y), 1)[np.searchsorted(np.unique(Y), Y[wrong])]
    train = Examples(X, given)
    values = data_oob(DecisionTreeClassifier(), train, n_estimators=60, random_state=0)
    assert np.isin(wrong, np.argsort(values)[:12]).mean() > 0.8


def test_results_depend_on_the_seed_alone():
    def values(seed, **params):
        tree = DecisionTreeClassifier(max_features=1)
        return data_oob(tree, TRAIN, n_estimators=20, random_state=seed, **params)

    assert_array_equal(values(0), values(0, n_jobs=2))
    assert (values(0) != values(1)).any()


def test_frames_sparse_inputs_and_weights():
    pd = pytest.importorskip("pandas")
    model = RandomForestClassifier(20, random_state=0)
    expected = data_oob(model, TRAIN)
    frame = Examples(pd.DataFrame(X, columns=list("abcd")), Y)
    assert_array_equal(data_oob(model, frame), expected)
    sparse = Examples(sp.csr_matrix(X), Y)
    assert_array_equal(data_oob(model, sparse), expected)
    weight = np.where(np.arange(len(Y)) == 3, 1e3, 1.0)
    weighted = Examples(DX, DY, sample_weight=np.resize(weight, len(DY)))
    params = {"n_estimators": 20, "random_state": 0}
    plain = data_oob(Ridge(), VALUES, **params)
    assert (plain != data_oob(Ridge(), weighted, **params)).any()


def test_samples_with_one_class_are_drawn_again():
    x = np.arange(12.0)[:, None]
    train = Examples(x, np.r_[1, np.zeros(11, int)])
    model = LogisticRegression()
    with pytest.warns(UserWarning, match="1 of 12 training examples were seen by all"):
        values = data_oob(model, train, n_estimators=40, random_state=0)
    assert np.isnan(values[0])  # no model can be trained without it
    assert (values[3:] == 1).all()


def test_examples_that_all_models_have_seen_are_reported():
    with pytest.warns(UserWarning, match=r"\d+ of 75 training examples were seen by a"):
        values = data_oob(Ridge(), Examples(X, X[:, 0]), n_estimators=2, random_state=0)
    assert 0 < np.isnan(values).sum() < 75
    whole = BaggingRegressor(Ridge(), bootstrap=False)
    with pytest.warns(UserWarning, match="Use more models or smaller samples"):
        assert np.isnan(data_oob(whole, VALUES)).all()


@pytest.mark.parametrize(
    ("estimator", "params", "error", "message"),
    [
        (object(), {}, TypeError, "must be a classifier or a regressor, got object"),
        (Ridge, {}, TypeError, "must be a classifier or a regressor"),
        (Ridge(), {}, ValueError, "A regression needs numbers as y"),
        (
            RandomForestClassifier(bootstrap=False),
            {},
            ValueError,
            "trains all its members on all examples",
        ),
        (
            RandomForestClassifier(),
            {"n_estimators": 5},
            ValueError,
            "has its own n_estimators=100",
        ),
        (FrozenEstimator(Ridge()), {}, ValueError, "not the single model Ridge"),
        (
            FrozenEstimator(RandomForestClassifier(5).fit(X[:9], np.arange(9) % 2)),
            {},
            ValueError,
            "fitted on 9 examples, but train has 75",
        ),
        (
            FrozenEstimator(RandomForestClassifier(5).fit(X, Y == "setosa")),
            {},
            ValueError,
            "not fitted on the label 'setosa'",
        ),
        (LogisticRegression(), {"n_estimators": 0}, ValueError, "n_estimators"),
    ],
)
def test_bad_input(estimator, params, error, message):
    with pytest.raises(error, match=message):
        data_oob(estimator, TRAIN, **params)


def test_a_single_class_is_refused():
    with pytest.raises(ValueError, match="All training examples have the label 'b'"):
        data_oob(LogisticRegression(), Examples(X[:3], ["b"] * 3))
