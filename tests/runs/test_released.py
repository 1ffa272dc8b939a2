import errno
import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.masks import _packed
from skdatamodels.runs import (
    RunStore,
    TrainingRuns,
    export_released,
    import_released,
)


def _data(n_runs=17, n_train=11, n_targets=3):
    rng = np.random.default_rng(0)
    masks = rng.random((n_runs, n_train)) < 0.5
    outputs = rng.normal(size=(n_runs, n_targets)).astype(np.float32)
    return masks, outputs


def _save(folder, masks=None, margins=None, completed=None):
    folder.mkdir(exist_ok=True)
    files = {"masks": masks, "margins": margins, "_completed": completed}
    for name, values in files.items():
        if values is not None:
            np.save(folder / f"{name}.npy", values)
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "released"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "store"


@pytest.mark.parametrize("block_bytes", [2**26, 70])
def test_round_trip(folder, path, monkeypatch, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks, outputs = _data()
    export_released(TrainingRuns(masks, outputs), folder)
    files = ["_completed.npy", "margins.npy", "masks.npy", "output.json"]
    assert sorted(os.listdir(folder)) == files
    assert_array_equal(np.load(folder / "masks.npy"), masks, strict=True)
    assert_array_equal(np.load(folder / "margins.npy"), outputs, strict=True)
    completed = np.ones(17, dtype=bool)
    assert_array_equal(np.load(folder / "_completed.npy"), completed, strict=True)
    made = import_released(folder, path, configuration={"from": "them"})
    for store in (made, RunStore(path, {"from": "them"})):
        assert store.path == path
        assert store.done().all()
        runs = store.runs()
        assert_array_equal(runs.masks, masks, strict=True)
        assert_array_equal(runs.outputs, outputs, strict=True)
        assert_array_equal(runs.seeds, np.zeros(17))
    assert sorted(os.listdir(path.parent)) == ["store"]


def test_the_store_can_be_added_to(folder, path):
    masks, outputs = _data()
    store = import_released(_save(folder, masks, outputs), path)
    store.write([20], masks[:1], [5], outputs[:1])
    assert len(RunStore(path)) == 18


def test_half_precision_margins(folder, path):
    masks, outputs = _data()
    half = outputs.astype(np.float16)
    half[3, 1] = 65504  # the largest there is
    runs = import_released(_save(folder, masks, half), path).runs()
    assert runs.outputs.dtype == np.float32
    assert_array_equal(runs.outputs, half)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
@pytest.mark.parametrize("block_bytes", [2**26, 50])
def test_runs_that_were_not_completed_are_left_out(
    folder, path, monkeypatch, dtype, block_bytes
):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks, outputs = _data()
    completed = np.arange(17) % 5 != 1
    completed[8:14] = False  # whole blocks
    outputs[~completed] = np.nan
    store = import_released(
        _save(folder, masks.astype(dtype), outputs, completed.astype(dtype)), path
    )
    # rows keep the numbers that the authors gave them
    assert_array_equal(store.done(), completed[: np.flatnonzero(completed)[-1] + 1])
    assert_array_equal(store.runs().masks, masks[completed])
    assert_array_equal(store.runs().outputs, outputs[completed])


def test_exported_runs_without_output_are_not_completed(folder, path):
    masks, outputs = _data()
    outputs[4] = np.nan
    outputs[6, 0] = np.inf
    export_released(TrainingRuns(masks, outputs), folder)
    kept = np.delete(np.arange(17), [4, 6])
    assert_array_equal(np.flatnonzero(np.load(folder / "_completed.npy")), kept)
    assert_array_equal(np.load(folder / "margins.npy"), outputs)
    runs = import_released(folder, path).runs()
    assert_array_equal(runs.outputs, outputs[kept])


def test_runs_of_a_store_are_exported(folder, tmp_path):
    masks, outputs = _data()
    store = RunStore.create(tmp_path / "store", 11, 3)
    store.write(np.arange(0, 34, 2), masks, np.arange(17), outputs)
    export_released(store.runs(), folder)
    assert_array_equal(np.load(folder / "masks.npy"), masks)
    assert_array_equal(np.load(folder / "margins.npy"), outputs)


@pytest.mark.parametrize("name", ["masks.npy", "margins.npy", "_completed.npy"])
def test_export_overwrites_nothing(folder, name):
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(FileExistsError, match=f"{name} already exists"):
        export_released(TrainingRuns(*_data()), folder)
    assert os.listdir(folder) == [name]
    assert (folder / name).read_text() == "mine"


def _assert_no_import(error, message, folder, path):
    with pytest.raises(error, match=message):
        import_released(folder, path)
    # neither a store nor a part of one
    assert not path.exists()
    assert not path.parent.exists() or not os.listdir(path.parent)


def test_missing_files(folder, path):
    _assert_no_import(FileNotFoundError, "masks.npy", folder, path)
    _save(folder, _data()[0])
    _assert_no_import(FileNotFoundError, "margins.npy", folder, path)


def test_lengths_that_differ(folder, path):
    masks, outputs = _data()
    _save(folder, masks, outputs[:-1])
    message = "disagree on the number of runs: 17 masks, 16 margins"
    _assert_no_import(ValueError, message, folder, path)
    _save(folder, masks, outputs, np.ones(18, dtype=bool))
    message = "disagree on the number of runs: 17 masks, 18 in _completed"
    _assert_no_import(ValueError, message, folder, path)


def test_wrong_dimensions(folder, path):
    masks, outputs = _data()
    _save(folder, masks, outputs[:, 0])
    message = r"must be 2-d, got shapes \(17, 11\) and \(17,\)"
    _assert_no_import(ValueError, message, folder, path)


@pytest.mark.parametrize("block_bytes", [2**26, 80])
@pytest.mark.parametrize("wrong", [2.0, 0.5, np.nan])
def test_masks_that_are_not_0_or_1(folder, path, monkeypatch, wrong, block_bytes):
    """The run is named by its row in the file, not among the completed."""
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks, outputs = _data()
    masks = masks.astype(np.float32)
    masks[[9, 12], 4] = wrong
    completed = np.arange(17) % 4 != 2
    completed[9] = False  # nobody looks at this one
    _save(folder, masks, outputs, completed)
    _assert_no_import(ValueError, f"got {wrong} at run 12, example 4", folder, path)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_margins_that_are_not_finite(folder, path, dtype, wrong):
    masks, outputs = _data()
    outputs = outputs.astype(dtype)
    outputs[12, 1] = wrong
    _save(folder, masks, outputs)
    _assert_no_import(ValueError, f"row 12, target 1 is {wrong}", folder, path)
    completed = np.arange(17) != 12
    assert len(import_released(_save(folder, completed=completed), path)) == 16


def test_import_overwrites_nothing(folder, path):
    _save(folder, *_data())
    path.mkdir(parents=True)
    import_released(folder, path)  # an empty folder will do
    for occupied in (path, folder, folder / "masks.npy"):
        with pytest.raises(FileExistsError, match="already exists"):
            import_released(folder, occupied)
    assert len(RunStore(path)) == 17


def test_an_empty_folder_will_do_where_it_cannot_be_replaced(folder, path, monkeypatch):
    replace = os.replace

    def replace_on_windows(source, destination):
        if os.path.isdir(destination):
            raise PermissionError(errno.EACCES, "Access is denied", str(destination))
        replace(source, destination)

    monkeypatch.setattr(os, "replace", replace_on_windows)
    path.mkdir(parents=True)
    masks, outputs = _data()
    runs = import_released(_save(folder, masks, outputs), path).runs()
    assert_array_equal(runs.outputs, outputs)


@pytest.mark.parametrize(
    "wrong",
    [
        np.full(17, np.nan),
        np.r_[np.ones(16), np.nan],
        np.r_[np.ones(16), 2],
        np.r_[np.ones(16, int), -1],
        np.ones(17, complex),
        np.array(["yes"] * 17),
    ],
)
def test_completed_that_is_not_0_or_1(folder, path, wrong):
    _save(folder, *_data(), wrong)
    message = r"_completed\.npy must contain one boolean, 0 or 1 for each run, got"
    _assert_no_import(ValueError, message, folder, path)


@pytest.mark.parametrize("wrong", ["U3", "datetime64[s]", complex])
def test_margins_that_are_no_numbers(folder, path, wrong):
    masks, outputs = _data()
    _save(folder, masks, outputs.astype(int).astype(wrong))
    _assert_no_import(TypeError, "Expected real numbers as outputs", folder, path)


def test_completed_that_is_a_link_to_nowhere(folder, path, tmp_path):
    _save(folder, *_data())
    (folder / "_completed.npy").symlink_to(tmp_path / "away")
    _assert_no_import(FileNotFoundError, "is a link to .*away", folder, path)
