"""Fast paths: taken where they are equivalent, off by a switch, apart in a store."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training._execution import pace
from skdatamodels.training._learners.fast_paths import estimator_learner
from skdatamodels.training._learners.learners import EstimatorLearner


@pytest.fixture(scope="module")
def digits():
    train, targets = load_digits_examples()
    return train[:200], targets[:30]


@pytest.mark.parametrize("estimator", [GaussianNB(), Ridge(positive=True)], ids=repr)
def test_others_fit_themselves(digits, estimator):
    output = lambda raw, y: np.zeros(len(y))  # noqa: E731
    learner = estimator_learner(estimator, *digits, output, fast=True)
    assert type(learner) is EstimatorLearner


@pytest.mark.parametrize(
    ("estimator", "tolerance"), [(RidgeClassifier(), 1e-6), (LogisticRegression(), 0.1)]
)
def test_the_switch(digits, monkeypatch, estimator, tolerance):
    calls = []
    call = EstimatorLearner.__call__
    monkeypatch.setattr(
        EstimatorLearner, "__call__", lambda *args: calls.append(1) or call(*args)
    )
    trainer = SubsetTrainer(estimator, *digits, random_state=0)
    fast = trainer.fit_transform(np.arange(8)).outputs
    assert len(calls) == 0
    slow = clone(trainer).set_params(fast=False).fit_transform(np.arange(8)).outputs
    assert len(calls) == 8
    np.testing.assert_allclose(fast, slow, rtol=0, atol=tolerance)


@pytest.mark.parametrize("estimator", [RidgeClassifier(), LogisticRegression()])
def test_a_missing_class_keeps_its_rule(digits, estimator):
    masks = np.tile(digits[0].y != 3, (2, 1))
    masks[1, np.flatnonzero(~masks[1])[:4]] = True
    trainer = SubsetTrainer(estimator, *digits, unseen_class="floor", random_state=0)
    fast = trainer.fit_transform(masks).outputs
    slow = clone(trainer).set_params(fast=False).fit_transform(masks).outputs
    np.testing.assert_array_equal(fast[0], slow[0])
    assert (fast[0, digits[1].y == 3] < -np.log(masks[0].sum() / 10)).all()
    np.testing.assert_allclose(fast[1], slow[1], atol=0.1)


@pytest.mark.parametrize("estimator", [RidgeClassifier(), LogisticRegression()])
@pytest.mark.parametrize(("backend", "n_jobs"), [("loky", 2), ("threading", 2)])
def test_chunks_and_workers_change_nothing_but_rounding(
    digits, monkeypatch, estimator, backend, n_jobs
):
    trainer = SubsetTrainer(estimator, *digits, random_state=0)
    expected = trainer.fit_transform(np.arange(150)).outputs
    monkeypatch.setattr(pace, "_CHUNK_SECONDS", 0.0)
    order = np.random.default_rng(0).permutation(150)
    with joblib.parallel_config(backend):
        outputs = clone(trainer).set_params(n_jobs=n_jobs).transform(order).outputs
    np.testing.assert_allclose(outputs, expected[order], rtol=1e-5, atol=1e-6)


def test_fast_and_plain_runs_are_never_in_one_store(digits, tmp_path):
    trainer = SubsetTrainer(RidgeClassifier(), *digits, store=tmp_path, random_state=0)
    for fast in (True, False, True):
        clone(trainer).set_params(fast=fast).fit_transform([0, 1])
    assert len(list(tmp_path.glob("*/meta.json"))) == 2


def test_the_switch_means_nothing_where_there_is_no_fast_path(tmp_path):
    data = Examples(np.arange(20.0)[:, None], np.arange(20) % 2)
    trainer = SubsetTrainer(GaussianNB(), data, data, store=tmp_path, random_state=0)
    for fast in (True, False):
        clone(trainer).set_params(fast=fast).fit_transform([0, 1])
    assert len(list(tmp_path.glob("*/meta.json"))) == 1


def test_warns_of_what_keeps_the_estimator_from_its_fast_path(digits):
    train, targets = (part[part.y < 2] for part in digits)
    trainer = SubsetTrainer(
        LogisticRegression(solver="liblinear"), train, targets, random_state=0
    )
    with pytest.warns(UserWarning, match="solver='liblinear' is not .*fast=False"):
        trainer.fit_transform([0, 1])
    trainer.set_params(fast=False).fit_transform([0, 1])  # without a warning


def test_exact_runs_are_closer_to_the_optimum_and_have_a_store_of_their_own(
    digits, tmp_path
):
    trainer = SubsetTrainer(
        LogisticRegression(C=10), *digits, store=tmp_path, random_state=0
    )
    exact = clone(trainer).set_params(fast="exact").fit_transform([0, 1, 2]).outputs
    best = LogisticRegression(C=10, tol=1e-9, max_iter=10_000)
    best = clone(trainer).set_params(estimator=best, fast=False, store=None)
    best = best.fit_transform([0, 1, 2]).outputs
    own = clone(trainer).set_params(fast=False).fit_transform([0, 1, 2]).outputs
    np.testing.assert_allclose(exact, best, rtol=1e-3, atol=1e-3)
    assert np.abs(own - best).max() > 10 * np.abs(exact - best).max()
    assert len(list(tmp_path.glob("*/meta.json"))) == 2


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (GaussianNB(), "is for Ridge and RidgeClassifier with one alpha"),
        (LogisticRegression(l1_ratio=1, solver="saga"), "with its default penalty"),
    ],
)
def test_exact_says_why_it_is_not_possible(digits, estimator, says):
    trainer = SubsetTrainer(estimator, *digits, fast="exact", random_state=0)
    with pytest.raises(ValueError, match=says):
        trainer.fit_transform([0])
