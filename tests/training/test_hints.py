"""What a failed fit is told to try."""

import re

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder

from skdatamodels import Examples, SubsetTrainer

X = np.random.default_rng(0).normal(size=(40, 3))
RARE = np.array([1] * 18 + [2] * 20 + [0] * 2)


class Picky(ClassifierMixin, BaseEstimator):
    """Takes only codes, as XGBClassifier 3.2 does, and says what it says."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        expected = np.arange(len(self.classes_))
        if (self.classes_ != expected).any():
            raise ValueError(
                "Invalid classes inferred from unique values of `y`.  Expected: "
                f"{expected}, got {self.classes_}"
            )
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def trainer(estimator, y, X=X, **options):
    examples = Examples(X, y)
    options = {"random_state": 0, "retries": 0} | options
    return SubsetTrainer(estimator, examples, examples[::4], **options)


def test_a_rare_class_that_a_subset_misses():
    with pytest.raises(RuntimeError, match="Invalid classes inferred") as error:
        trainer(Picky(), RARE).fit_transform(np.arange(12))
    text = str(error.value)
    n_failed, n_missing = re.search(
        r"(\d+) of 12 runs failed[^$]*, (\d+) on subsets that miss a class", text
    ).groups()
    masks = trainer(GaussianNB(), RARE).fit_transform(np.arange(12)).masks
    n_without = (~masks[:, RARE == 0].any(axis=1)).sum()
    assert int(n_failed) == int(n_missing) == n_without > 0
    assert "Hint: The subset has no example of 1 of 3 classes (0)." in text
    assert 'design="stratified"' in text
    assert "codes" not in text  # the labels are fine


def test_what_is_hinted_at_helps():
    runs = trainer(Picky(), RARE, design="stratified").fit_transform(np.arange(12))
    assert np.isfinite(runs.outputs).all()
    labels = np.array(["a", "b", "c", "d"] * 10)
    codes = LabelEncoder().fit(labels).transform(labels)
    runs = trainer(Picky(), codes, design="stratified").fit_transform(np.arange(4))
    assert np.isfinite(runs.outputs).all()


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["a", "b", "c", "d"], "'a', 'b', 'c', …; .* 0 to 3 only"),
        ([0, 2, 5, 5], "0, 2, 5; .* 0 to 2 only"),
        ([1, 2, 2, 1], "1, 2; .* 0 to 1 only"),
    ],
)
def test_labels_that_are_no_codes(labels, shown):
    labels = np.array(labels * 10)
    with pytest.raises(RuntimeError, match=f"Hint: The labels are {shown}") as error:
        trainer(Picky(), labels, design="stratified").fit_transform(np.arange(4))
    assert "LabelEncoder" in str(error.value)


def test_a_class_of_few_examples():
    calibrated = CalibratedClassifierCV(GaussianNB(), cv=3)
    with pytest.raises(RuntimeError, match="has 1 example of its rarest class, 0"):
        trainer(calibrated, RARE, design="stratified").fit_transform(np.arange(4))


class Broken(Picky):
    def fit(self, X, y):
        raise ValueError("the disk is on fire")


@pytest.mark.parametrize("kind", [int, str])
def test_no_hint_where_there_is_none(kind):
    few = (np.arange(40) < 4).astype(kind)
    with pytest.raises(RuntimeError, match="on fire") as error:
        trainer(Broken(), few, design="stratified").fit_transform(np.arange(4))
    assert "Hint" not in str(error.value)


@pytest.mark.parametrize(
    ("X", "vectorizer"),
    [([{"a": 1}, {"a": 2}] * 20, "Dict"), (["some", "text"] * 20, "Tfidf")],
)
def test_inputs_that_are_no_numbers(X, vectorizer):
    y, hint = np.arange(40) % 2, f"Hint: X holds objects .* such as {vectorizer}"
    for estimator in (LogisticRegression(), GaussianNB()):
        with pytest.raises(RuntimeError, match=hint):
            trainer(estimator, y, X).fit_transform([0, 1])
    regression = trainer(Ridge(), y, X, output="prediction")
    with pytest.raises(RuntimeError, match=hint):
        regression.fit_transform([0, 1])


def test_dicts_may_be_examples():
    dicts = [{"a": x, "b": y} for x, y in X[:, :2]]
    y = np.arange(40) % 2
    learner = make_pipeline(DictVectorizer(sparse=False), GaussianNB())
    runs = trainer(learner, y, dicts).fit_transform(np.arange(3))
    same = trainer(GaussianNB(), y, X[:, :2]).fit_transform(np.arange(3))
    np.testing.assert_array_equal(runs.outputs, same.outputs)


@pytest.mark.parametrize("options", [{"n_jobs": 2}, {"timeout": 60}])
def test_hints_come_back_from_other_processes(options):
    with pytest.raises(RuntimeError, match="Hint: The subset has no example of 1 of 3"):
        trainer(Picky(), RARE, **options).fit_transform(np.arange(12))
