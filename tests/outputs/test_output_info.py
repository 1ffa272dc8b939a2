"""What outputs say of themselves, and that it stays with them."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import KFold

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.outputs import OUTPUTS, Output, OutputInfo, info_of_output
from skdatamodels.runs import RunStore, export_released, import_released

CLASSES, VALUES = load_wine(return_X_y=True), load_diabetes(return_X_y=True)
PROFIT = OutputInfo("profit", "euros", higher_is_better=True)


def make_trainer(estimator, data, output=None):
    X, y = data
    train, targets = Examples(X[::5], y[::5]), Examples(X[1::9], y[1::9])
    return SubsetTrainer(estimator, train, targets, output=output, random_state=0)


@pytest.mark.parametrize("name", OUTPUTS)
def test_direction_is_that_of_better_predictions(name):
    """Compare a better prediction with a worse one."""
    if OUTPUTS[name].task == "classification":
        good, bad = OUTPUTS[name](np.array([[3.0, 0.0], [0.0, 3.0]]), np.array([0, 0]))
    else:
        good, bad = OUTPUTS[name](np.array([1.1, 3.0]), np.array([1.0, 1.0]))
    sign = OUTPUTS[name].info.sign
    assert sign == (None if name == "prediction" else np.sign(good - bad))


@pytest.mark.parametrize("output", [None, "margin", "cross_entropy"])
def test_runs_of_a_classifier_say_what_they_measure(output):
    trainer = make_trainer(DummyClassifier(), CLASSES, output)
    expected = OUTPUTS[output or "margin"].info
    assert trainer.output_info == expected
    runs = trainer.transform(np.arange(6))
    assert runs.output_info == expected
    for part in (runs[2:], runs[[0]], pickle.loads(pickle.dumps(runs))):
        assert part.output_info == expected
    for fitted, _ in KFold(2).split(runs):
        model = DatamodelRegressor(lam=0.1).fit(runs[fitted])
        assert model.output_info_ == expected
        assert not hasattr(clone(model), "output_info_")


def test_a_regressor_predicts_unless_told_otherwise():
    runs = make_trainer(DummyRegressor(), VALUES).transform([0, 1])
    assert runs.output_info == OUTPUTS["prediction"].info
    same = make_trainer(DummyRegressor(), VALUES, "prediction").transform([0, 1])
    np.testing.assert_array_equal(runs.outputs, same.outputs)


def test_own_outputs_say_it_themselves():
    def highest(raw, y):
        return raw.max(axis=1)

    runs = make_trainer(DummyClassifier(), CLASSES, highest).transform([0])
    assert runs.output_info == OutputInfo("highest", "user-defined", None)
    output = Output("highest", highest, "log-odds", "classification", True)
    runs = make_trainer(DummyClassifier(), CLASSES, output).transform([0])
    assert runs.output_info == OutputInfo("highest", "log-odds", True)


@pytest.mark.parametrize("said", [None, "cross_entropy", PROFIT])
def test_of_callable_learners_the_user_says_it(said):
    trainer = make_trainer(None, CLASSES, said)
    n_targets = len(trainer.targets)
    trainer.estimator = lambda train_indices, seed: np.ones(n_targets)
    runs = trainer.transform([0, 1])
    assert runs.output_info == info_of_output(said)
    assert (runs.target_classes is None) == (said != "cross_entropy")


def test_arrays_say_it_if_told():
    masks, outputs = np.eye(2, dtype=bool), np.ones((2, 1))
    assert TrainingRuns(masks, outputs).output_info.sign is None
    assert TrainingRuns(masks, outputs, output="cross_entropy").output_info.sign == -1
    assert TrainingRuns(masks, outputs, output=PROFIT).output_info is PROFIT
    with pytest.raises(ValueError, match="one of confidence, correctness, cross"):
        TrainingRuns(masks, outputs, output="profit")
    with pytest.raises(TypeError, match="higher_is_better must be True, False or"):
        OutputInfo("profit", "euros", higher_is_better="yes")
    with pytest.raises(TypeError, match="name and unit must be str"):
        OutputInfo(3)


@pytest.mark.parametrize("output", [None, "squared_error", PROFIT])
def test_stores_and_exports_say_it(tmp_path, output):
    expected = info_of_output(output)
    store = RunStore.create(tmp_path / "store", 2, 1, output=output)
    store.write([0, 1], np.eye(2, dtype=bool), [0, 1], [[1.0], [2.0]])
    runs = RunStore(tmp_path / "store").runs()
    assert runs.output_info == runs[[1]].output_info == expected
    export_released(runs, tmp_path / "export")
    again = import_released(tmp_path / "export", tmp_path / "again").runs()
    assert again.output_info == expected
    (tmp_path / "export" / "output.json").unlink()  # as the paper's authors leave it
    again = import_released(tmp_path / "export", tmp_path / "margins").runs()
    assert again.output_info == OUTPUTS["margin"].info


@pytest.mark.parametrize("text", ["[]", "{", '{"higher_is_better": 3}', '{"sign": 1}'])
def test_an_export_that_says_nonsense(tmp_path, text):
    runs = TrainingRuns(np.eye(2, dtype=bool), np.ones((2, 1)))
    export_released(runs, tmp_path / "export")
    (tmp_path / "export" / "output.json").write_text(text)
    with pytest.raises(ValueError, match=r"output\.json does not describe the outputs"):
        import_released(tmp_path / "export", tmp_path / "again")


def test_a_trainers_store_says_it(tmp_path):
    trainer = make_trainer(DummyClassifier(), CLASSES, "cross_entropy")
    trainer.set_params(store=tmp_path).transform(np.arange(3))
    (folder,) = tmp_path.iterdir()
    assert RunStore(folder).runs().output_info == OUTPUTS["cross_entropy"].info


def test_classes_are_one_a_target():
    with pytest.raises(ValueError, match="one class for each of the 1 targets, got"):
        TrainingRuns(np.eye(2), np.ones((2, 1)), target_classes=["a", "b"])
