"""Labels of any kind for XGBClassifier: the same as codes, and none may be missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples, SubsetTrainer
from skdatamodels._label_codes import CodedClassifier, with_codes
from skdatamodels.influence import boosting_influence, over_subsets

RNG = np.random.default_rng(0)
CODES = np.arange(90) % 3
X = RNG.normal(size=(90, 3)) + CODES[:, None]
NAMES = np.array(["no", "perhaps", "yes"])[CODES]


class Coded(ClassifierMixin, BaseEstimator):
    """Stand-in for a booster that takes only codes."""

    def fit(self, X, y, eval_set=()):
        assert_array_equal(np.unique(y), np.arange(len(np.unique(y))))
        self.inner_ = GaussianNB(var_smoothing=1.0).fit(X, y)
        self.classes_, self.evaluated_ = self.inner_.classes_, eval_set
        return self

    def predict(self, X):
        return self.inner_.predict(X)

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)


class XGBClassifier(Coded):
    """It is known by its name."""


def xgboost(**params):
    kind = pytest.importorskip("xgboost").XGBClassifier
    return kind(**{"n_estimators": 3, "max_depth": 2, "n_jobs": 1} | params)


def trainer(estimator, y, **params):
    train, targets = Examples(X[::2], y[::2]), Examples(X[1::2], y[1::2])
    return SubsetTrainer(estimator, train, targets, random_state=0, **params)


@given(st.lists(st.sampled_from(["b", "a", "d", "c"]), min_size=2, max_size=20))
def test_codes_are_positions_in_the_labels_that_occur(labels):
    y, rows = np.array(labels), np.arange(len(labels))[:, None].astype(float)
    model = CodedClassifier(XGBClassifier()).fit(rows, y)
    expected = GaussianNB(var_smoothing=1.0).fit(rows, y)
    assert_array_equal(model.classes_, expected.classes_)
    assert_array_equal(model.predict(rows), expected.predict(rows))
    assert_array_equal(model.predict_proba(rows), expected.predict_proba(rows))


def test_only_those_that_need_codes_get_them():
    picky = XGBClassifier()
    assert with_codes(picky, CODES) is picky
    for labels in (NAMES, CODES + 1, CODES[CODES != 1], CODES.astype(float)):
        assert with_codes(picky, labels).estimator is picky
        other = GaussianNB()
        assert with_codes(other, labels) is other
    nested = make_pipeline(StandardScaler(), picky)
    assert with_codes(nested, NAMES).estimator is nested


def test_it_is_a_classifier_with_the_scores_of_the_one_inside():
    model = CodedClassifier(LogisticRegression())
    assert is_classifier(model)
    assert clone(model).estimator is not model.estimator
    expected = LogisticRegression().fit(X, NAMES)
    model.fit(X, NAMES)
    assert_allclose(model.decision_function(X), expected.decision_function(X))
    assert not hasattr(CodedClassifier(GaussianNB()).fit(X, NAMES), "decision_function")


def test_labels_of_an_eval_set_become_codes():
    model = CodedClassifier(XGBClassifier())
    model.fit(X, NAMES, eval_set=[(X[:4], ["yes", "no", "no", "perhaps"])])
    ((inputs, codes),) = model.estimator_.evaluated_
    assert inputs.shape == (4, 3)
    assert_array_equal(codes, [2, 0, 0, 1])
    seen = NAMES != "perhaps"
    with pytest.raises(ValueError, match=r"evaluate on have the classes \['perhaps'\]"):
        model.fit(X[seen], NAMES[seen], eval_set=[(X[:3], NAMES[:3])])


@pytest.mark.parametrize("make", [XGBClassifier, xgboost])
@pytest.mark.parametrize("labels", [NAMES, 10 - CODES])
def test_runs_with_names_are_those_with_codes(make, labels):
    codes = np.unique(labels, return_inverse=True)[1]
    expected = trainer(make(), codes).fit_transform(np.arange(4))
    runs = trainer(make(), labels, keep_models=1).fit_transform(np.arange(4))
    assert_array_equal(runs.outputs, expected.outputs)
    model = runs.models[0].model
    assert_array_equal(model.classes_, np.unique(labels))
    assert np.isin(model.predict(X), labels).all()


@pytest.mark.filterwarnings("ignore:.*saw no example of a class")
@pytest.mark.parametrize("make", [XGBClassifier, xgboost])
def test_a_subset_may_miss_a_class(make):
    without = np.flatnonzero(CODES[::2] != 1)
    mask = np.zeros((1, 45), dtype=bool)
    mask[0, without] = True
    runs = trainer(make(), CODES).fit_transform(mask)
    is_missing = CODES[1::2] == 1
    assert_array_equal(np.isnan(runs.outputs[0]), is_missing)
    two = (CODES[::2][without] == 2).astype(int)
    proba = make().fit(X[::2][without], two).predict_proba(X[1::2])
    margin = np.log(proba[:, 1] / proba[:, 0])
    margin = np.where(CODES[1::2] == 2, margin, -margin)
    assert_allclose(runs.outputs[0][~is_missing], margin[~is_missing], rtol=1e-4)


def test_influence_on_names_is_that_on_codes():
    model = xgboost()
    train, targets = Examples(X[::2], NAMES[::2]), Examples(X[1::9], NAMES[1::9])
    coded = Examples(X[::2], CODES[::2]), Examples(X[1::9], CODES[1::9])
    expected = boosting_influence(model, *coded)
    assert_allclose(boosting_influence(model, train, targets), expected, rtol=1e-6)
    pipeline = make_pipeline(StandardScaler(), model)
    options = {"estimator": pipeline, "n_subsets": 2, "random_state": 0}
    expected = over_subsets(boosting_influence, *coded, **options)
    named = over_subsets(boosting_influence, train, targets, **options)
    assert_allclose(named, expected, rtol=1e-6)


class LGBMClassifier(Coded):
    """Stand-in that converts labels, but not those of eval_y, and weighs classes."""

    def __init__(self, class_weight=None):
        self.class_weight = class_weight

    def fit(self, X, y, eval_X=None, eval_y=None):
        self.weights_ = self.class_weight
        return super().fit(X, np.unique(y, return_inverse=True)[1], eval_y)


def test_lightgbm_gets_codes_only_with_labels_to_evaluate_on():
    model = LGBMClassifier(class_weight={"yes": 3.0, "other": 5.0})
    assert with_codes(model, NAMES) is model
    coded = with_codes(model, NAMES, ["eval_X", "eval_y"])
    coded.fit(X, NAMES, eval_X=X[:3], eval_y=NAMES[:3])
    assert_array_equal(coded.estimator_.evaluated_, CODES[:3])
    assert coded.estimator_.weights_ == {0: 1, 1: 1, 2: 3.0}
    coded.fit(X, NAMES, eval_X=(X[:3], X[3:5]), eval_y=(NAMES[:3], NAMES[3:5]))
    one, other = coded.estimator_.evaluated_
    assert_array_equal(np.r_[one, other], CODES[:5])
