"""meta.json: what it says is what was written, and without it no run is touched."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.runs import RunStore


@pytest.fixture
def store(tmp_path):
    store = RunStore.create(
        tmp_path / "runs", 3, 1, configuration={"alpha": 0.5}, entropy=7
    )
    store.write([0, 1], [[1, 0, 1], [0, 1, 1]], [7, 8], [[2.5], [-0.5]])
    return store


def _open(store):
    return RunStore.open_or_create(
        store.path, 3, 1, configuration={"alpha": 0.5}, entropy=0
    )


def _files(store):
    return {path.name: path.read_bytes() for path in store.path.glob("*.npy")}


@pytest.mark.parametrize("open_again", [_open, lambda store: RunStore(store.path)])
@pytest.mark.parametrize(
    ("key", "value"), [("entropy", 8), ("configuration", {}), ("n_targets", 2)]
)
def test_a_change_by_hand_is_noticed(store, open_again, key, value):
    path = store.path / "meta.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps(meta))  # another layout is no change
    assert RunStore(store.path).entropy == 7
    path.write_text(json.dumps({**meta, key: value}))
    with pytest.raises(ValueError, match=r"meta\.json was edited or damaged after"):
        open_again(store)


def test_a_configuration_of_any_kind_has_its_checksum(tmp_path):
    note = {"a": (1, 2.5, None), 10: float("nan"), 9: {"ü": True}}
    store = RunStore.create(tmp_path / "runs", 3, 1, configuration=note)
    assert RunStore(store.path).configuration["9"] == {"ü": True}


def test_without_meta_json_no_run_is_lost(store):
    meta = (store.path / "meta.json").read_bytes()
    (store.path / "meta.json").unlink()
    before = _files(store)
    for make in (_open, lambda store: RunStore.create(store.path, 3, 1)):
        with pytest.raises(ValueError, match=r"meta\.json is missing in "):
            make(store)
    assert _files(store) == before
    (store.path / "meta.json").write_bytes(meta)
    assert_array_equal(RunStore(store.path).runs().outputs, [[2.5], [-0.5]])


@pytest.mark.parametrize("name", ["masks", "seeds", "outputs", "checksums"])
def test_one_file_with_rows_is_enough(store, name):
    for path in store.path.iterdir():
        if path.name != f"{name}.npy":
            path.unlink()
    before = _files(store)
    with pytest.raises(ValueError, match=rf"whose {name}\.npy may contain runs"):
        _open(store)
    assert _files(store) == before


def test_failures_are_kept_too(tmp_path):
    store = RunStore.create(tmp_path / "runs", 3, 1)
    store.record_failures([{"row": 0}])
    (store.path / "meta.json").unlink()
    with pytest.raises(ValueError, match=r"whose failures\.jsonl may contain runs"):
        _open(store)
    assert store.failures() == [{"row": 0}]


def test_meta_json_comes_back_with_one_made_elsewhere(store, tmp_path):
    (store.path / "meta.json").unlink()
    made = RunStore.create(
        tmp_path / "other", 3, 1, configuration={"alpha": 0.5}, entropy=7
    )
    (made.path / "meta.json").rename(store.path / "meta.json")
    opened = RunStore(store.path, {"alpha": 0.5})
    assert opened.entropy == 7
    assert_array_equal(opened.runs().seeds, [7, 8])


@pytest.mark.parametrize("name", ["meta.json", "masks.npy", "checksums.npy"])
def test_links_to_nowhere_are_named(store, tmp_path, name):
    path, away = store.path / name, tmp_path / "away"
    path.rename(away)
    path.symlink_to(away)
    assert len(RunStore(store.path).runs()) == 2  # a link that leads somewhere
    away.rename(tmp_path / "hidden")
    with pytest.raises(ValueError, match=f"{name} is a link to .*away, which does not"):
        RunStore(store.path)
    with pytest.raises((ValueError, OSError), match=r"meta\.json|is a link to"):
        _open(store)
    assert not away.exists()


def test_links_to_nowhere_are_not_followed_by_a_new_store(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "masks.npy").symlink_to(tmp_path / "unmounted")
    with pytest.raises(FileNotFoundError, match=r"masks\.npy is a link to .*unmounted"):
        RunStore.create(folder, 3, 1)
    assert not (tmp_path / "unmounted").exists()
    assert not (folder / "meta.json").exists()


def test_failures_in_brackets_without_end_are_left_out(store):
    lines = "[" * 100_000, "1" * 10_000, '{"row": 2}'
    (store.path / "failures.jsonl").write_text("\n".join(lines) + "\n")
    assert store.failures() == [{"row": 2}]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.array([["1.5"]]), "real numbers as outputs, got text of dtype <U3"),
        (np.array([["2026-01-01"]], "datetime64[D]"), "as outputs, got dates"),
        (np.array([[1 + 2j]]), "real numbers as outputs, got an array of dtype comp"),
        (np.ma.array([[1.5]], mask=True), "Masked entries in outputs have no value"),
    ],
)
def test_outputs_that_are_no_numbers_are_not_stored(store, outputs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        store.write([2], [[1, 0, 0]], [0], outputs)


def test_the_root_of_stores_is_no_store(tmp_path):
    RunStore.create(tmp_path / "mine", 3, 1)
    with pytest.raises(ValueError, match=r"not a run store, but contains some: mine"):
        RunStore(tmp_path)
