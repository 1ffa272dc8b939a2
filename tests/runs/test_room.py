import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from skdatamodels.runs import RunStore, export_released, import_released
from skdatamodels.runs._room import MAX_ROWS

_ROW_BYTES = 2 + 4 + 12 + 4


@pytest.fixture
def store(tmp_path):
    return RunStore.create(tmp_path / "runs", 11, 3)


def _disk(monkeypatch, total, free):
    usage = SimpleNamespace(total=total, used=total - free, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_rows_that_would_make_files_longer_than_the_disk(store, monkeypatch):
    _disk(monkeypatch, total=1000 * _ROW_BYTES, free=10**9)
    store.check_room(np.array([3, 999]))
    before = {path: path.stat().st_size for path in store.path.iterdir()}
    with pytest.raises(ValueError, match=r"Run 1000 cannot be stored .* 22022 bytes"):
        store.check_room(np.array([3, 1000]))
    assert {path: path.stat().st_size for path in store.path.iterdir()} == before


def test_rows_that_are_too_many_on_any_disk(store, monkeypatch):
    _disk(monkeypatch, total=2**60, free=2**60)
    store.check_room(np.array([MAX_ROWS - 1]))
    for row in (MAX_ROWS, 2**62):
        for attempt in (
            lambda row: store.check_room(np.array([row])),
            lambda row: store.write([row], np.ones((1, 11)), [0], np.ones((1, 3))),
        ):
            with pytest.raises(ValueError, match=f"Run {row} cannot be stored"):
                attempt(row)
    assert store._files.masks.n_rows == 0


def test_space_for_all_runs(store, monkeypatch):
    _disk(monkeypatch, total=10**9, free=5 * _ROW_BYTES)
    store.check_room(np.arange(100, 105))
    store.check_room(np.arange(0))
    with pytest.raises(OSError, match="needs 132 bytes on disk, but only 110 are"):
        store.check_room(np.arange(6))


def test_disks_that_do_not_tell_their_size_are_trusted(store, monkeypatch):
    _disk(monkeypatch, total=0, free=0)
    store.check_room(np.arange(10**6))


def test_no_import_on_a_disk_without_space(store, tmp_path, monkeypatch):
    store.write(np.arange(9), np.ones((9, 11)), np.zeros(9, int), np.ones((9, 3)))
    export_released(store.runs(), tmp_path / "released")
    _disk(monkeypatch, total=10**9, free=8 * _ROW_BYTES)
    with pytest.raises(OSError, match="To store 9 runs needs"):
        import_released(tmp_path / "released", tmp_path / "imported")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["released", "runs"]
