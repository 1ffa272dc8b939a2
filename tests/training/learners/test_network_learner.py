"""NetworkLearner: what TorchLearner and ImageLearner share."""

import pickle

import numpy as np
import pytest

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.outputs import OUTPUTS
from skdatamodels.training import ImageLearner, TorchLearner

torch = pytest.importorskip("torch")
nn = torch.nn

N = 24


def flat(n_out=2):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, n_out))


def examples(n=N, y=None):
    X = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1)).astype(np.uint8)
    return Examples(X, np.arange(n) % 2 if y is None else y)


def learners(**parameters):
    parameters = {"module_factory": flat, "epochs": 2, "batch_size": 8} | parameters
    return [
        TorchLearner(**parameters),
        ImageLearner(**parameters, peak_epoch=1, cutout=2),
    ]


BOTH = pytest.mark.parametrize("learner", learners(), ids=["torch", "image"])


@BOTH
def test_the_default_output_is_that_of_the_task(learner):
    train = examples()
    trainer = SubsetTrainer(learner, train, train, random_state=0)
    assert learner.task == "classification"
    assert trainer.output_info == OUTPUTS["margin"].info
    assert learner.make_learner(train, train, None).output is OUTPUTS["margin"]
    assert trainer.set_params(output="confidence").output_info.name == "confidence"


def test_a_squared_error_is_of_a_regression():
    learner = TorchLearner(lambda: flat(1), loss="squared_error", epochs=1)
    train = examples(y=np.linspace(0.0, 1.0, N))
    assert learner.task == "regression"
    assert SubsetTrainer(learner, train, train).output_info.name == "prediction"
    bound = learner.make_learner(train, train, None)
    assert bound.output is OUTPUTS["prediction"]
    assert bound.classes is None
    np.testing.assert_array_equal(bound.y, train.y)


@BOTH
def test_what_is_measured_is_known_before_a_module_is_made(learner):
    def fails():
        raise AssertionError

    learner = learner.__class__(fails, epochs=2)
    assert SubsetTrainer(learner, examples(), examples()).output_info.name == "margin"


@BOTH
def test_a_copy_holds_no_tensors_and_trains_the_same(learner):
    train = examples()
    bound = learner.make_learner(train, train[:6], "margin")
    expected = bound(np.arange(16), 3)
    assert "_data" in vars(bound)
    copied = pickle.loads(pickle.dumps(bound))
    assert "_data" not in vars(copied)
    np.testing.assert_array_equal(copied(np.arange(16), 3), expected)


@BOTH
def test_examples_that_do_not_fit_are_refused_before_any_training(learner):
    train = examples()
    wide = Examples(np.concatenate([train.X] * 2, axis=1), train.y)
    with pytest.raises(ValueError, match="must be the same"):
        learner.make_learner(train, wide, "margin")
    with pytest.raises(ValueError, match="is for regression"):
        learner.make_learner(train, train, "prediction")
    bound = learner.make_learner(train, train, "margin")
    with pytest.raises(ValueError, match="7 examples, fewer than a batch"):
        bound.check_subset_size(7)
    bound.check_subset_size(8)
