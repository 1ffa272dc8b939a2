"""ModelLearner: the model of a run is the one that its outputs are measured on."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

from skdatamodels import Examples
from skdatamodels.training import ImageLearner, TorchLearner
from skdatamodels.training._learners.fast_paths import FAST_LEARNERS, estimator_learner

RNG = np.random.default_rng(0)
Y = np.arange(70) % 3
X = RNG.standard_normal((70, 4)) + np.eye(4)[Y]
TRAIN, TARGETS = Examples(X[:50], Y[:50]), Examples(X[50:], Y[50:])
SUBSET = np.flatnonzero(RNG.random(50) < 0.6)
MASK = np.isin(np.arange(50), SUBSET)[None]


def margins(logits, y):
    logits = np.array(logits, dtype=float)
    true = logits[np.arange(len(y)), y]
    logits[np.arange(len(y)), y] = -np.inf
    return true - logits.max(axis=1)


@pytest.mark.parametrize("estimator", [LogisticRegression(C=0.5), RidgeClassifier()])
def test_estimators_that_are_trained_together(estimator):
    learner = estimator_learner(estimator, TRAIN, TARGETS, "margin", fast=True)
    assert isinstance(learner, FAST_LEARNERS)
    if hasattr(learner, "prepare"):
        learner.prepare()
    model, outputs = learner.train_and_measure(SUBSET, 7)
    alone = type(estimator)(**estimator.get_params()).fit(X[SUBSET], Y[SUBSET])
    np.testing.assert_array_equal(model.coef_, alone.coef_)
    np.testing.assert_array_equal(learner.train_model(SUBSET, 7).coef_, alone.coef_)
    # to the tolerance of the estimator; bit by bit those of the fast path
    expected = margins(alone.decision_function(X[50:]), Y[50:])
    np.testing.assert_allclose(outputs, expected, atol=2e-2)
    np.testing.assert_array_equal(outputs, learner.train_many(MASK, [7])[0])


def test_a_fast_path_without_outputs_leaves_the_run_to_the_estimator():
    learner = estimator_learner(Ridge(), TRAIN, TARGETS, "prediction", fast=True)
    alone = Ridge().fit(X[SUBSET], Y[SUBSET]).predict(X[50:])
    for fault in (ZeroDivisionError, lambda masks: np.full((96, 20), np.nan)):
        learner.raw_outputs = fault
        model, outputs = learner.train_and_measure(SUBSET, 7)
        np.testing.assert_allclose(outputs, alone)
        np.testing.assert_allclose(model.predict(X[50:]), alone)


def test_an_estimator_with_the_seed_of_the_run():
    forest = RandomForestClassifier(4)
    learner = estimator_learner(forest, TRAIN, TARGETS, "confidence", fast=True)
    model, outputs = learner.train_and_measure(SUBSET, 5)
    proba = model.predict_proba(X[50:])[np.arange(20), Y[50:]]
    np.testing.assert_allclose(outputs, proba, atol=1e-12)
    np.testing.assert_array_equal(outputs, learner(SUBSET, 5))
    seed = int(np.random.SeedSequence(5).generate_state(1)[0])
    alone = RandomForestClassifier(4, random_state=seed).fit(X[SUBSET], Y[SUBSET])
    for one in (model, learner.train_model(SUBSET, 5)):
        np.testing.assert_array_equal(
            one.predict_proba(X[:50]), alone.predict_proba(X[:50])
        )
    copy = learner.unpack_model(learner.pack_model(model), 5)
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def mlp():
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    )


def with_statistics():
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3))


@pytest.mark.filterwarnings("ignore:The module keeps buffers")
@pytest.mark.parametrize("factory", [mlp, with_statistics])
def test_a_module_is_the_one_of_the_stack(factory):
    torch = pytest.importorskip("torch")
    learner = TorchLearner(factory, epochs=4, batch_size=8)
    learner = learner.make_learner(TRAIN, TARGETS, "margin")
    others = np.array([np.roll(MASK[0], 3), MASK[0], np.roll(MASK[0], 9)])
    stacked = learner.train_many(others, [3, 11, 4])[1]
    model, outputs = learner.train_and_measure(SUBSET, 11)
    assert not model.training
    x = torch.tensor(X[50:], dtype=torch.float32)
    with torch.no_grad():
        expected = margins(model(x).numpy(), Y[50:])
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stacked, expected, rtol=1e-4, atol=1e-5)
    copy = learner.unpack_model(learner.pack_model(model), 11)
    assert not copy.training
    again = learner.train_model(SUBSET, 11)
    with torch.no_grad():
        for one in (copy, again):
            np.testing.assert_array_equal(one(x), model(x))


def test_a_stored_module_with_other_parameters_is_refused():
    torch = pytest.importorskip("torch")
    learner = TorchLearner(mlp, epochs=1, batch_size=8)
    learner = learner.make_learner(TRAIN, TARGETS, "margin")
    other = learner.pack_model(torch.nn.Linear(4, 3))
    with pytest.raises(ValueError, match="other parameters than the stored"):
        learner.unpack_model(other, 0)


def test_a_network_takes_the_images_of_the_examples():
    torch = pytest.importorskip("torch")

    def network():
        return torch.nn.Sequential(
            torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(36, 3)
        )

    images = RNG.integers(0, 256, (70, 6, 5, 2), dtype=np.uint8)
    train, targets = Examples(images[:50], Y[:50]), Examples(images[50:], Y[50:])
    learner = ImageLearner(
        network, epochs=2, peak_epoch=1, batch_size=8, crop=1, cutout=2,
        flip_targets=False,
    ).make_learner(train, targets, "margin")  # fmt: skip
    model, outputs = learner.train_and_measure(SUBSET, 2)
    np.testing.assert_array_equal(outputs, learner(SUBSET, 2))
    pixels = torch.tensor(images[50:])
    with torch.no_grad():
        expected = margins(model(pixels).numpy(), Y[50:])
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
        copy = learner.unpack_model(learner.pack_model(model), 2)
        np.testing.assert_array_equal(copy(pixels), model(pixels))
