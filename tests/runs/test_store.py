import errno
import json
import os
import pickle
import subprocess
import sys
import textwrap
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skdatamodels.masks import PackedMasks
from skdatamodels.runs import RunStore, TrainingRuns
from skdatamodels.runs._store import FORMAT

_N_TRAIN, _N_TARGETS = 11, 3


def _content(rows):
    """Masks, seeds and outputs that belong to some rows: arguments of write."""
    rows = np.asarray(rows, dtype=np.int64)
    masks = (rows[:, None] * np.arange(3, 3 + _N_TRAIN) // 5) % 2 == 0
    outputs = np.sin(rows[:, None] + np.arange(_N_TARGETS)).astype(np.float32)
    return masks, rows * 1_000_003 % 2**32, outputs


def _write(store, rows):
    store.write(rows, *_content(rows))


def _assert_holds(store, rows):
    """The done rows are these, and hold what belongs to them."""
    rows = np.sort(rows)
    assert_array_equal(np.flatnonzero(store.done()), rows)
    assert len(store) == len(rows)
    runs = store.runs()
    masks, seeds, outputs = _content(rows)
    assert_array_equal(runs.masks, masks)
    assert_array_equal(runs.seeds, seeds)
    assert_array_equal(runs.outputs, outputs)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "root" / "runs"


@pytest.fixture
def store(path):
    return RunStore.create(path, _N_TRAIN, _N_TARGETS, configuration={"alpha": 0.5})


# ---- creating, opening, resuming


def test_create(path):
    note = {"alpha": 0.5, "sizes": (1, 2), "nested": {"a": None}}
    store = RunStore.create(
        path, _N_TRAIN, _N_TARGETS, configuration=note, entropy=2**63 - 1
    )
    for opened in (store, RunStore(str(path)), RunStore(path, note)):
        assert opened.path == path
        assert opened.configuration == {**note, "sizes": [1, 2]}
        assert opened.entropy == 2**63 - 1
        assert (opened.n_train, opened.n_targets) == (_N_TRAIN, _N_TARGETS)
        assert opened.versions["numpy"] == np.__version__
        assert len(opened) == 0
        assert opened.done().shape == (0,)
        assert opened.runs().shape == (0, _N_TRAIN)
    assert repr(store) == f"RunStore({str(path)!r}, n_done=0, n_train=11, n_targets=3)"


def test_an_empty_folder_will_do_for_create(path):
    path.mkdir(parents=True)
    _write(RunStore.create(path, _N_TRAIN, _N_TARGETS), [0])
    _assert_holds(RunStore(path), [0])


def test_create_never_touches_a_store_or_other_files(store, tmp_path):
    _write(store, [0, 1])
    with pytest.raises(FileExistsError, match=r"contains meta\.json\. Open it with"):
        RunStore.create(store.path, _N_TRAIN, _N_TARGETS)
    _assert_holds(RunStore(store.path), [0, 1])
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(FileExistsError, match=r"contains root, thesis\.tex"):
        RunStore.create(tmp_path, _N_TRAIN, _N_TARGETS)
    with pytest.raises(FileExistsError):
        RunStore.create(tmp_path / "thesis.tex", _N_TRAIN, _N_TARGETS)
    assert (tmp_path / "thesis.tex").read_text() == "all of it"


def test_resume(path):
    arguments = {"configuration": {"alpha": 0.5}, "entropy": 3}
    for rows in ([4, 2], [0], [7, 9, 8]):
        store = RunStore.open_or_create(path, _N_TRAIN, _N_TARGETS, **arguments)
        _write(store, rows)
        arguments["entropy"] = 99  # an old store keeps its own
        assert store.entropy == 3
    _assert_holds(RunStore(path), [0, 2, 4, 7, 8, 9])


def test_files_are_what_the_docstring_says(store, path):
    _write(store, [2, 0])
    masks, seeds, outputs = _content([0, 1, 2])
    packed = np.packbits(masks, axis=1)
    there = np.array([[True], [False], [True]])
    names = np.array([0, 1, 2], "<i8"), seeds.astype("<u4")
    parts, meta = (
        (*names, packed, outputs),
        json.loads((path / "meta.json").read_text()),
    )
    salt = zlib.crc32(json.dumps(meta["configuration"], sort_keys=True).encode())
    sums = [
        zlib.crc32(b"".join(part[row].tobytes() for part in parts), salt)
        for row in range(3)
    ]

    def load(name):
        return np.load(store.path / f"{name}.npy")

    assert_array_equal(load("masks"), packed * there, strict=True)
    expected = (seeds * there[:, 0]).astype(np.uint32)
    assert_array_equal(load("seeds"), expected, strict=True)
    assert_array_equal(load("outputs"), outputs * there, strict=True)
    expected = np.array(sums, np.uint32) * there[:, 0]
    assert_array_equal(load("checksums"), expected, strict=True)
    assert json.loads((store.path / "meta.json").read_text())["format"] == FORMAT


def test_another_configuration_is_refused_by_naming_the_difference(path):
    note = {"alpha": 0.5, "estimator": "Ridge", "same": (1, {"x": 2})}
    RunStore.create(path, _N_TRAIN, _N_TARGETS, configuration=note)
    asked = {**note, "alpha": 0.25, "extra": 7}
    del asked["estimator"]
    for attempt in (
        lambda: RunStore(path, asked),
        lambda: RunStore.open_or_create(path, 11, 3, configuration=asked, entropy=0),
    ):
        with pytest.raises(ValueError, match="another configuration") as caught:
            attempt()
        message = str(caught.value)
        assert "alpha: stored 0.5, requested 0.25" in message
        assert "estimator: stored 'Ridge', requested nothing" in message
        assert "extra: stored nothing, requested 7" in message
        assert "same" not in message
        assert str(path) in message


# ---- what is not a store


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no run store at .*nowhere"):
        RunStore(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "meta",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff\xfe\x00",
        b"{}",
        b'{"format": "one"}',
        b'{"format": null}',
        b'{"format": 2}',
        b'{"format": 2, "n_train": 3, "n_targets": 1, "configuration": {}}',
        b"[" * 100_000,
        b'{"format": 2, "configuration": ' + b'{"a":' * 100_000,
    ],
)
def test_not_a_store(tmp_path, meta):
    (tmp_path / "holiday.jpg").touch()
    if meta is not None:
        (tmp_path / "meta.json").write_bytes(meta)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match="is not a run store: it has no readable meta"):
        RunStore(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "advice"), [(1, "Upgrade"), (-1, "no checksums. Train them again")]
)
def test_another_format(store, change, advice):
    meta = json.loads((store.path / "meta.json").read_text())
    for other in ({**meta, "format": FORMAT + change}, {"format": FORMAT + change}):
        (store.path / "meta.json").write_text(json.dumps(other))
        with pytest.raises(ValueError, match=f"format {FORMAT + change}; .* {advice}"):
            RunStore(store.path)


@pytest.mark.parametrize("name", ["masks", "seeds", "outputs", "checksums"])
@pytest.mark.parametrize(
    "damage", ["missing", "empty", "cut", "row_shape", "dtype", "length", "text"]
)
def test_damaged_files_are_named(store, name, damage):
    _write(store, np.arange(6))
    file = store.path / f"{name}.npy"
    content, whole = np.load(file), file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "row_shape":
        np.save(file, np.concatenate([content.reshape(6, -1)] * 2, axis=1))
    elif damage == "dtype":
        np.save(file, content.astype("u2" if name != "seeds" else "i4"))
    elif damage == "length":
        np.save(file, np.concatenate([content, content]) if name == "checksums" else [])
    else:
        file.write_bytes({"empty": b"", "cut": whole[:-1], "text": b"a,b\n"}[damage])
    with pytest.raises(ValueError, match=r"\.npy is damaged") as caught:
        RunStore(store.path)
    # a checksums.npy that is too long shows in the files that are then too short
    too_long = (name, damage) == ("checksums", "length")
    assert f"{name}.npy" in str(caught.value) or too_long


# ---- writing and reading


@given(
    st.lists(
        st.lists(st.integers(0, 25), min_size=1, max_size=6, unique=True), max_size=8
    )
)
@settings(max_examples=25)
def test_rows_in_any_order_and_number(tmp_path_factory, writes):
    path = tmp_path_factory.mktemp("any") / "runs"
    store = RunStore.create(path, _N_TRAIN, _N_TARGETS)
    written = set()
    for rows in writes:
        rows = [row for row in rows if row not in written]
        _write(store, rows)
        written |= set(rows)
        _assert_holds(store, sorted(written))
    _assert_holds(RunStore(path), sorted(written))


def test_done_of_some_rows(store):
    _write(store, [1, 3])
    assert_array_equal(store.done(), [False, True, False, True])
    assert_array_equal(store.done([3, 0, 99, 1]), [True, False, False, True])


def test_runs_of_some_rows(store):
    _write(store, np.arange(8))
    for rows in (np.array([5, 1, 5]), [0], slice(2, 5), slice(None, None, -3)):
        masks, seeds, outputs = _content(np.arange(8)[rows])
        runs = store.runs(rows)
        assert isinstance(runs, TrainingRuns)
        assert_array_equal(runs.masks, masks)
        assert_array_equal(runs.seeds, seeds)
        assert_array_equal(runs.outputs, outputs)
    assert isinstance(store.runs(slice(2, 5)).outputs, np.memmap)  # not read
    assert isinstance(store.runs().packed.bits, np.memmap)


def test_runs_that_are_not_done_are_refused(store):
    _write(store, [0, 1, 4])
    for rows in ([1, 2, 99], slice(0, 4), [-1, 2]):
        with pytest.raises(ValueError, match=r"2 of \d rows of .* are not done"):
            store.runs(rows)
    _assert_holds(store, [0, 1, 4])


def test_packed_masks_and_lists_are_written_alike(store):
    masks, seeds, outputs = _content([0, 1])
    store.write([0], PackedMasks.from_dense(masks[:1]), seeds[:1], outputs[:1])
    store.write(
        [1], masks[1:].astype(int).tolist(), seeds[1:].tolist(), outputs[1:].tolist()
    )
    _assert_holds(store, [0, 1])


def test_largest_seed_and_no_runs(store):
    masks, _, outputs = _content([0])
    store.write([0], masks, [2**32 - 1], outputs)
    store.write([], masks[:0], [], outputs[:0])
    assert_array_equal(store.runs().seeds, [2**32 - 1])


def _changed(**changes):
    arguments = dict(
        zip(("masks", "seeds", "outputs"), _content([5, 6]), strict=True), rows=[5, 6]
    )
    return arguments | changes


def _with(row, target, value):
    outputs = _content([5, 6])[2].astype(np.float64)
    outputs[row - 5, target] = value
    return outputs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (_changed(rows=[5]), "Got 1 rows for 2 runs"),
        (_changed(rows=[5, -6]), "must not be negative, got -6"),
        (_changed(rows=[5, 5]), r"distinct, got \[5\] more than once"),
        (_changed(rows=[5.0, 6.0]), "must be integers"),
        (_changed(rows=[True, False]), "must be integers"),
        (_changed(rows=[5, 2]), r"already has finished runs in rows \[2\]"),
        (_changed(seeds=[1]), "seeds has 1 rows, masks has 2"),
        (_changed(seeds=[1, -1]), r"integers from 0 to .*, got \[ 1 -1\]"),
        (_changed(seeds=[1, 2**32]), "integers from 0 to"),
        (_changed(seeds=[0.5, 1]), "integers from 0 to"),
        (_changed(seeds=None), "integers from 0 to .* got None"),
        (_changed(seeds=[[1, 2], [3, 4]]), "integers from 0 to"),
        (_changed(masks=np.ones((2, 12))), "n_train=11 and n_targets=3, got 12 and 3"),
        (_changed(masks=np.full((2, 11), 0.5)), "0.5 at run 0, example 0"),
        (_changed(masks=np.ones((3, 11))), "outputs has 2 rows, masks has 3"),
        (_changed(outputs=np.ones((2, 4))), "n_targets=3, got 11 and 4"),
        (_changed(outputs=np.ones(2)), "outputs must be"),
        (
            _changed(outputs=_with(6, 2, np.nan)),
            "row 6, target 2 is nan",
        ),
        (_changed(outputs=_with(5, 0, -np.inf)), "row 5, target 0 is -inf"),
        (_changed(outputs=_with(5, 1, 1e60)), "row 5, target 1 is inf"),
    ],
)
def test_wrong_writes_change_nothing(store, arguments, message):
    _write(store, [1, 2])
    before = _files(store)
    with pytest.raises(ValueError, match=message):
        store.write(**arguments)
    assert _files(store) == before


def _files(store):
    return {file.name: file.read_bytes() for file in store.path.glob("*.*")}


def test_reopening_while_it_grows(store):
    _write(store, [0, 1])
    early = RunStore(store.path)
    _write(store, np.arange(2, 50))
    _assert_holds(early, [0, 1])  # as it was opened
    _assert_holds(RunStore(store.path), np.arange(50))
    with early.lock():
        _assert_holds(early, np.arange(50))


def test_a_stale_handle_destroys_nothing(store):
    stale = RunStore(store.path)
    _write(store, np.arange(50))
    _write(stale, [60])
    _write(store, [61])
    _assert_holds(RunStore(store.path), [*range(50), 60, 61])


def test_the_lock_is_nested_in_a_thread(store):
    with store.lock() as held:
        assert held is store
        with RunStore(store.path).lock():
            _write(RunStore(store.path), [3])
        _write(store, [4])
    _assert_holds(store, [3, 4])


def test_pickle(store):
    _write(store, [1])
    again = pickle.loads(pickle.dumps(store))
    _write(again, [2])
    _assert_holds(again, [1, 2])


def test_files_left_longer_by_a_killed_growth(store):
    """Growth is masks, seeds, outputs, checksums; it may end after any of these."""
    for n_grown, name in enumerate(("masks", "seeds", "outputs"), start=1):
        getattr(store._files, name).grow(9)
        opened = RunStore(store.path)
        _assert_holds(opened, np.arange(n_grown - 1))
        with pytest.raises(ValueError, match="not done"):
            opened.runs([8])
        assert len(opened.runs(slice(0, 9))) == n_grown - 1
        _write(opened, [n_grown - 1])
        with store.lock():
            pass  # sees what `opened` wrote


# ---- rows of runs without ids


def test_rows_for_runs_without_ids(store):
    _write(store, [0, 2, 5])
    masks, seeds, _ = _content([5, 7, 0, 8, 2, 9, 10])
    packed = PackedMasks.from_dense(masks)
    # known ones where they are; new ones fill the gaps 1, 3, 4 and then go on
    rows = store.rows_for(packed, seeds)
    assert rows.dtype == np.int64
    assert_array_equal(rows, [5, 1, 0, 3, 2, 4, 6])
    # mask and seed both count
    assert_array_equal(store.rows_for(packed[[0]], seeds[[0]] + 1), [1])
    assert_array_equal(store.rows_for(packed[[0]], seeds[[2]]), [1])
    assert_array_equal(store.rows_for(packed[[0, 0]], seeds[[1, 1]] + 1), [1, 3])


def test_rows_for_believes_no_row_that_is_not_done(store):
    _write(store, [1])
    store._files.masks.write(np.array([0]), np.packbits(_content([7])[0], axis=1))
    store._files.seeds.write(np.array([0]), _content([7])[1])
    masks, seeds, _ = _content([6, 7])
    assert_array_equal(store.rows_for(PackedMasks.from_dense(masks), seeds), [0, 2])


def test_rows_for_an_empty_store(store):
    masks, seeds, _ = _content([3, 4])
    assert_array_equal(store.rows_for(PackedMasks.from_dense(masks), seeds), [0, 1])


# ---- failures


def test_failures_are_appended(store):
    assert store.failures() == []
    store.record_failures([])
    assert not (store.path / "failures.jsonl").exists()
    first, second = {"row": 1, "traceback": "a\nü"}, {"row": 2, "traceback": "b"}
    store.record_failures([first])
    store.record_failures(iter([second, first]))
    assert RunStore(store.path).failures() == [first, second, first]


@pytest.mark.parametrize("torn", [b'{"row": 1, "trace', b"{", b'{"row": 1}'])
def test_half_a_line_left_by_a_kill_spoils_no_other_failure(store, torn):
    store.record_failures([{"row": 0}])
    with open(store.path / "failures.jsonl", "ab") as file:
        file.write(torn)
    store.record_failures([{"row": 2}, {"row": 3}])
    rows = [failure["row"] for failure in store.failures()]
    assert rows == ([0, 1, 2, 3] if torn.endswith(b"}") else [0, 2, 3])


# ---- full disks


@pytest.mark.parametrize("room", [0, 3, 8, 20, 30, 61, 64])
def test_full_disk(store, written_files, room):
    """No space after `room` bytes: 5 rows of 2 + 4 + 12 + 4 bytes are written."""
    _write(store, [0, 1, 6])
    written_files.room = room
    with pytest.raises(OSError, match="No space left"):
        _write(store, [2, 3, 4, 8, 9])
    written_files.room = 2**30
    _assert_holds(store, [0, 1, 6])
    _assert_holds(RunStore(store.path), [0, 1, 6])
    _write(store, [2, 3, 4, 8, 9])
    _assert_holds(RunStore(store.path), [0, 1, 2, 3, 4, 6, 8, 9])


_FILL = """
import resource, signal, sys
sys.path.insert(0, {folder!r})
from test_store import RunStore, _write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
store = RunStore(sys.argv[1])
for row in range(10**6):
    try:
        _write(store, [row])
    except OSError as error:
        print(row, error.errno)
        break
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_files_that_may_not_grow(store):
    """The system refuses to make a file longer than so many bytes."""
    script = textwrap.dedent(_FILL).format(folder=os.path.dirname(__file__))
    command = [sys.executable, "-c", script, store.path, str(128 + 12 * 20 + 5)]
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert output.split() == ["20", str(errno.EFBIG)]
    _assert_holds(RunStore(store.path), np.arange(20))
    _write(store, np.arange(20, 30))  # no limit here
    _assert_holds(RunStore(store.path), np.arange(30))
