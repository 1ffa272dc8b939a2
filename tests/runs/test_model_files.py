"""ModelFiles: packed models beside their runs, each bound to its run."""

import numpy as np
import pytest

from skdatamodels import RunStore
from skdatamodels.runs import _model_files
from skdatamodels.runs._model_files import ModelFiles


@pytest.fixture
def store(tmp_path):
    store = RunStore.create(tmp_path / "store", n_train=3, n_targets=1)
    store.write([0, 2, 11], np.eye(3), [7, 8, 9], [[1.0], [2.0], [3.0]])
    return store


def test_what_is_written_is_read(store):
    files = ModelFiles(store)
    assert files.rows().tolist() == []
    for row in (11, 2):
        files.write(row, b"model %d" % row)
    assert files.rows().tolist() == [2, 11]
    assert files.read(11) == b"model 11"
    assert files.read(0) is None


def test_only_finished_runs_have_models(store):
    files = ModelFiles(store)
    files.write(2, b"model")
    store.discard([2])
    assert files.rows().tolist() == []
    with pytest.raises(ValueError, match="not done"):
        files.write(5, b"model")


def test_a_model_belongs_to_its_run(store):
    files = ModelFiles(store)
    files.write(2, b"model")
    store.discard([2])
    store.write([2], [[0, 1, 0]], [8], [[5.0]])  # the same run, other outputs
    assert files.read(2) == b"model"
    for mask, seed in (([1, 1, 0], 8), ([0, 1, 0], 6)):
        store.discard([2])
        store.write([2], [mask], [seed], [[2.0]])
        assert files.read(2) is None


def test_a_model_of_a_damaged_run_is_not_read(store):
    files = ModelFiles(store)
    files.write(2, b"model")
    outputs = np.load(store.path / "outputs.npy", mmap_mode="r+")
    outputs[2] = 8
    outputs.flush()
    assert ModelFiles(RunStore(store.path)).read(2) is None


def test_other_versions_do_not_read_it(store, monkeypatch):
    files = ModelFiles(store)
    files.write(2, b"model")
    monkeypatch.setattr(_model_files, "library_versions", lambda: {"numpy": "9"})
    assert files.read(2) is None
