"""keep_models: models of the runs, trained with them, and read back from a store."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import Examples, RunStore, SubsetTrainer
from skdatamodels.runs import _model_files
from skdatamodels.training import TorchLearner

RNG = np.random.default_rng(0)
Y = np.arange(40) % 2
X = RNG.standard_normal((40, 3)) + Y[:, None]
TRAIN, TARGETS = Examples(X[:30], Y[:30]), Examples(X[30:], Y[30:])


class Counted(DecisionTreeClassifier):
    """A tree that keeps a tally of its fits in a file."""

    def __init__(self, tally=None, *, max_depth=None, random_state=None):
        super().__init__(max_depth=max_depth, random_state=random_state)
        self.tally = tally

    def fit(self, X, y):
        with open(self.tally, "a") as file:
            file.write("x")
        return super().fit(X, y)


@pytest.fixture
def trainer(tmp_path):
    estimator = Counted(str(tmp_path / "tally"), max_depth=3)
    root = tmp_path / "root"
    return SubsetTrainer(
        estimator, TRAIN, TARGETS, output="confidence", store=root, random_state=0,
        keep_models=3,
    )  # fmt: skip


def n_fits(trainer):
    return len(Path(trainer.estimator.tally).read_text())


def folder_of(trainer):
    (folder,) = (path for path in trainer.store.iterdir() if path.is_dir())
    return folder


def confidences(kept):
    return kept.model.predict_proba(TARGETS.X)[np.arange(10), TARGETS.y]


def assert_models_of(models, runs, rows):
    """Check that models are those of some runs."""
    assert len(models) == len(rows)
    for kept, row in zip(models, rows, strict=True):
        np.testing.assert_array_equal(kept.subset, np.flatnonzero(runs.masks[row]))
        expected = runs.outputs[row]
        np.testing.assert_allclose(confidences(kept), expected, atol=1e-6)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_models_of_the_first_runs(trainer, stored, n_jobs):
    trainer.set_params(n_jobs=n_jobs, store=trainer.store if stored else None)
    runs = trainer.fit_transform(np.arange(8))
    assert_models_of(runs.models, runs, [0, 1, 2])
    assert n_fits(trainer) == 8  # none is trained twice
    assert runs[5:].models is runs.models
    copy = pickle.loads(pickle.dumps(runs))
    assert_models_of(copy.models, runs, [0, 1, 2])


def test_no_models_unless_asked_for(trainer):
    runs = trainer.set_params(keep_models=0).fit_transform(np.arange(4))
    assert runs.models == ()
    assert not (folder_of(trainer) / "models").exists()


@pytest.mark.parametrize("timeout", [None, 60])
def test_keeping_models_changes_no_run(trainer, timeout):
    if timeout and sys.platform == "win32":
        pytest.skip("no time limit there")
    estimators = [ExtraTreesClassifier(3), LogisticRegression()]
    for estimator in estimators[: 1 if timeout else 2]:  # each takes two processes
        trainer.set_params(estimator=estimator, store=None, timeout=timeout)
        runs = trainer.fit_transform(np.arange(6))
        plain = clone(trainer).set_params(keep_models=0).fit_transform(np.arange(6))
        np.testing.assert_array_equal(runs.outputs, plain.outputs)
        assert len(runs.models) == 3


def test_models_are_read_back(trainer):
    runs = trainer.fit_transform(np.arange(6))
    again = clone(trainer).fit_transform(np.arange(6))
    assert_models_of(again.models, runs, [0, 1, 2])
    fewer = trainer.set_params(keep_models=2).transform(np.arange(6))
    assert_models_of(fewer.models, runs, [0, 1])
    assert n_fits(trainer) == 6


def test_other_runs_of_the_store_come_with_the_same_models(trainer):
    first = trainer.fit_transform(np.arange(6))
    later = trainer.transform(np.arange(4, 9))
    assert_models_of(later.models, first, [0, 1, 2])
    assert n_fits(trainer) == 9


def test_given_masks_come_with_their_own_models(trainer):
    masks = np.random.default_rng(1).random((6, 30)) < 0.6
    trainer.fit_transform(masks[:3])
    runs = trainer.transform(masks[3:])
    assert_models_of(runs.models, runs, [0, 1, 2])
    again = trainer.transform(masks[[4, 3, 5]])
    assert_models_of(again.models, runs, [0, 1, 2])
    assert n_fits(trainer) == 6


def test_runs_without_models_are_trained_again(trainer):
    plain = trainer.set_params(keep_models=0).fit_transform(np.arange(6))
    outputs = plain.outputs.copy()
    runs = trainer.set_params(keep_models=2).transform(np.arange(1, 8))
    np.testing.assert_array_equal(runs.outputs[:5], outputs[1:])
    assert_models_of(runs.models, runs, [0, 1])
    assert n_fits(trainer) == 6 + 2 + 2  # two again, and two that are new
    more = trainer.set_params(keep_models=3).transform(np.arange(8))
    assert_models_of(more.models, more, [0, 1, 2])
    assert n_fits(trainer) == 6 + 2 + 2 + 1


@pytest.mark.parametrize("harm", ["change", "cut", "empty", "delete", "of_another_run"])
def test_damaged_models_are_trained_again(trainer, harm):
    runs = trainer.fit_transform(np.arange(6))
    file = folder_of(trainer) / "models" / "1"
    content = file.read_bytes()
    if harm == "delete":
        file.unlink()
    else:
        changed = {
            "change": content[:-1] + bytes([content[-1] ^ 1]),
            "cut": content[:-1],
            "empty": b"",
            "of_another_run": file.with_name("2").read_bytes(),
        }
        file.write_bytes(changed[harm])
    again = clone(trainer).fit_transform(np.arange(6))
    assert_models_of(again.models, runs, [0, 1, 2])
    assert n_fits(trainer) == 7
    assert file.read_bytes() == content


def test_models_of_other_versions_are_trained_again(trainer, monkeypatch):
    trainer.fit_transform(np.arange(6))
    monkeypatch.setattr(_model_files, "library_versions", lambda: {"numpy": "9.9"})
    assert len(trainer.transform(np.arange(6)).models) == 3
    assert n_fits(trainer) == 9


def test_what_is_no_model_file_is_left_alone(trainer):
    trainer.fit_transform(np.arange(6))
    folder = folder_of(trainer) / "models"
    for name in ("notes.txt", "99", "7.tmp"):  # 99: of a run that is not there
        (folder / name).write_text("not a model")
    runs = trainer.transform(np.arange(6))
    assert_models_of(runs.models, runs, [0, 1, 2])
    assert (folder / "notes.txt").read_text() == "not a model"
    assert n_fits(trainer) == 6


def test_a_store_alone_loads_no_models(trainer):
    trainer.fit_transform(np.arange(6))
    assert RunStore(folder_of(trainer)).runs().models == ()


def test_without_meta_json_nothing_is_emptied(trainer):
    trainer.fit_transform(np.arange(6))
    (folder_of(trainer) / "attributions").mkdir()
    meta = folder_of(trainer) / "meta.json"
    content = meta.read_bytes()
    meta.unlink()
    with pytest.raises(ValueError, match=r"meta\.json is missing in"):
        trainer.fit_transform(np.arange(6))
    meta.write_bytes(content)
    runs = trainer.transform(np.arange(6))
    assert_models_of(runs.models, runs, [0, 1, 2])
    assert n_fits(trainer) == 6


def test_callables_have_no_models(trainer):
    def learner(train_indices, seed):
        raise AssertionError("nothing is to be trained")

    trainer.set_params(estimator=learner)
    with pytest.raises(TypeError, match=r"keep_models=3 needs .*set keep_models=0"):
        trainer.fit_transform(np.arange(6))
    assert not trainer.store.exists()


def test_a_failed_run_has_no_model(trainer):
    masks = trainer.draw_subsets(3, 0).dense()
    fatal = int(np.flatnonzero(masks.any(axis=0) & ~masks.all(axis=0))[0])

    class Failing(DecisionTreeClassifier):
        def fit(self, X, y):
            if (TRAIN.X[fatal] == X).all(axis=1).any():
                raise LookupError("the fatal example is there")
            return super().fit(X, y)

    trainer.set_params(estimator=Failing(), store=None, on_failure="nan")
    with pytest.warns(RuntimeWarning, match="the fatal example is there"):
        runs = trainer.fit_transform(np.arange(8))
    assert_models_of(runs.models, runs, np.flatnonzero(~masks[:, fatal]))


def test_modules_are_stored_without_code(tmp_path):
    torch = pytest.importorskip("torch")
    learner = TorchLearner(lambda: torch.nn.Linear(3, 2), epochs=2, batch_size=5)
    trainer = SubsetTrainer(
        learner, TRAIN, TARGETS, store=tmp_path, random_state=0, keep_models=2,
        output="log_odds",
    )  # fmt: skip
    runs = trainer.fit_transform(np.arange(5))
    again = clone(trainer).fit_transform(np.arange(5))
    x = torch.tensor(TARGETS.X, dtype=torch.float32)
    sign = 2 * TARGETS.y - 1
    for kept, other, expected in zip(
        runs.models, again.models, runs.outputs[:2], strict=True
    ):
        with torch.no_grad():
            logits = kept.model(x).numpy()
            np.testing.assert_array_equal(other.model(x), logits)
        np.testing.assert_allclose(
            sign * (logits[:, 1] - logits[:, 0]), expected, rtol=1e-4, atol=1e-5
        )
    (folder,) = tmp_path.iterdir()
    content = (folder / "models" / "0").read_bytes()[32:]
    assert content.startswith(b"PK")  # a zip file of torch, read with weights_only


KILLED = """
import pickle, sys
import numpy as np
trainer = pickle.load(open(sys.argv[1], "rb"))
print("begun", flush=True)
trainer.fit_transform(np.arange(80))
print("ended", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_while_models_are_written(tmp_path):
    trainer = SubsetTrainer(
        DecisionTreeClassifier(), TRAIN, TARGETS, output="confidence", keep_models=60,
        store=tmp_path / "root", random_state=0,
    )  # fmt: skip
    file = tmp_path / "trainer"
    file.write_bytes(pickle.dumps(trainer))
    for seconds in (0.05, 0.1):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(file)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            process.stdout.readline()
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGKILL)
    runs = trainer.fit_transform(np.arange(80))
    expected = clone(trainer).set_params(store=None).fit_transform(np.arange(80))
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    assert_models_of(runs.models, expected, np.arange(60))
