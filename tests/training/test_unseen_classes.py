"""Runs that miss a class, against loops over subsets and fits by hand."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.metrics import linear_datamodeling_score

X, Y = load_wine(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
NAMES = np.array(["a", "b", "rare"])[Y]
KEPT = np.r_[0:20, 60:80, 130:133]
TRAIN = Examples(X[KEPT], NAMES[KEPT])
TARGETS = Examples(X[50:178:6], NAMES[50:178:6])
RARE = TARGETS.y == "rare"


def make_trainer(estimator=None, **parameters):
    estimator = GaussianNB(var_smoothing=1.0) if estimator is None else estimator
    return SubsetTrainer(estimator, TRAIN, TARGETS, random_state=0, **parameters)


def missed(runs):
    return np.array([(~mask[TRAIN.y == "rare"]).all() for mask in runs.masks])


def test_runs_that_miss_a_class_are_counted_and_told():
    with pytest.warns(UserWarning, match=r"saw no example of a class.*'rare' in \d+"):
        runs = make_trainer().transform(np.arange(60))
    assert 0 < missed(runs).sum() < 30
    assert_array_equal(runs.n_missed_classes, missed(runs))
    assert_array_equal(runs[10:20].n_missed_classes, missed(runs)[10:20])
    assert_array_equal(runs.target_classes, TARGETS.y)


@pytest.mark.parametrize(
    "model",
    [GaussianNB(var_smoothing=1.0), LogisticRegression()],
    ids=["probabilities", "logits"],
)
@pytest.mark.filterwarnings("ignore:.*saw no example of a class")
def test_an_unseen_class_is_as_likely_as_the_rule_of_succession_says(model):
    trainer = make_trainer(model, output="log_odds", unseen_class="floor")
    runs = trainer.transform(np.arange(30))
    for run in np.flatnonzero(missed(runs)):
        n_seen = runs.masks[run].sum()
        assert_allclose(expit(runs.outputs[run, RARE]), 1 / (n_seen + 3), rtol=1e-5)
        fitted = clone(model).fit(TRAIN.X[runs.masks[run]], TRAIN.y[runs.masks[run]])
        others = fitted.predict_proba(TARGETS.X[~RARE])
        own = others[TARGETS.y[~RARE][:, None] == fitted.classes_]
        assert_allclose(expit(runs.outputs[run, ~RARE]), own, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(("output", "expected"), [("confidence", 1), ("margin", None)])
def test_votes_of_all_trees_are_no_outliers(output, expected):
    forest = RandomForestClassifier(5, random_state=0)
    runs = make_trainer(forest, output=output, design="stratified").transform([0])
    mask, y = runs.masks[0], TARGETS.y
    fitted = clone(forest).fit(TRAIN.X[mask], TRAIN.y[mask])
    own = fitted.predict_proba(TARGETS.X)[y[:, None] == fitted.classes_]
    sure = own == 1
    assert sure.any()
    if expected is None:  # the two other classes share the probability
        expected = np.log(mask.sum() + 3 - 1) + np.log(2)
    assert_allclose(runs.outputs[0, sure], expected, rtol=1e-6)


def test_outputs_on_unseen_classes_are_missing():
    with pytest.warns(UserWarning, match="are low guesses, because of unseen_class"):
        floor = make_trainer(unseen_class="floor").transform(np.arange(60))
    with pytest.warns(UserWarning, match="are NaN, which datamodels and scores ignore"):
        runs = make_trainer().transform(np.arange(60))
    expected = np.where(missed(runs)[:, None] & RARE, np.nan, floor.outputs)
    assert_array_equal(runs.outputs, expected)
    model = DatamodelRegressor(lam=0.1).fit(runs)
    assert np.isfinite(model.coef_).all()
    assert 0 < linear_datamodeling_score(runs.outputs, model.predict(runs)) <= 1


def test_a_run_that_saw_one_class_says_nothing():
    rows = np.r_[0:20, 130:132]
    binary = Examples(X[rows], NAMES[rows])
    targets = Examples(X[[40, 170]], NAMES[[40, 170]])
    trainer = SubsetTrainer(GaussianNB(), binary, targets, random_state=0)
    with pytest.warns(UserWarning, match="saw no example of a class"):
        runs = trainer.transform(np.arange(40))
    saw_one = np.array([(binary.y[mask] == "a").all() for mask in runs.masks])
    assert saw_one.any()
    assert_array_equal(np.isnan(runs.outputs), np.tile(saw_one[:, None], 2))


def test_other_learners_give_outputs_of_their_own():
    def learner(train_indices, seed):
        return np.ones(len(TARGETS))

    trainer = SubsetTrainer(learner, TRAIN, TARGETS, output="margin", random_state=0)
    with pytest.warns(UserWarning, match="are those of the learner"):
        runs = trainer.transform(np.arange(60))
    assert_array_equal(runs.outputs, 1)
    assert_array_equal(runs.n_missed_classes, missed(runs))


def test_no_word_where_every_run_sees_every_class():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = make_trainer(design="stratified").transform(np.arange(30))
        # subsets that somebody chose: their business, but recorded
        everything = np.ones((1, len(TRAIN)), bool)
        chosen = make_trainer().transform(np.r_[everything, [TRAIN.y != "rare"]])
    assert not runs.n_missed_classes.any()
    assert chosen.n_missed_classes.tolist() == [0, 1]


def test_regressions_have_no_classes():
    y = X[:, 0]
    train, targets = Examples(X[:40, 1:], y[:40]), Examples(X[40:50, 1:], y[40:50])
    runs = SubsetTrainer(Ridge(), train, targets, random_state=0).transform([0, 1])
    assert runs.target_classes is None
    assert runs.n_missed_classes is None
