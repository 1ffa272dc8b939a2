"""AttributionFiles: matrices beside the runs, whole or not at all."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from skdatamodels import RunStore
from skdatamodels.runs._attribution_files import AttributionFiles

ABOUT = {"seconds": {"a": 1.5, "b/../c": 0.25}, "notes": ["one", "two"]}


def matrices(seed):
    rng = np.random.default_rng(seed)
    return {
        "a": rng.standard_normal((4, 6)),
        "b/../c": rng.standard_normal((6, 4)).astype(np.float32).T,
    }


@pytest.fixture
def files(tmp_path):
    store = RunStore.create(tmp_path / "store", n_train=6, n_targets=4)
    return AttributionFiles(store)


def assert_reads(files, seed, made_from=None):
    found, expected = files.read(made_from), matrices(seed)
    assert list(found) == list(expected)
    for name, matrix in expected.items():
        np.testing.assert_array_equal(found[name], matrix)
        assert found[name].dtype == matrix.dtype
    assert found.about == ABOUT
    assert found.seconds == ABOUT["seconds"]


def test_what_is_written_is_read(files):
    with files.lock():
        files.write(matrices(0), ABOUT, {"version": 1, "models": True})
    assert_reads(files, 0)
    assert_reads(files, 0, {"models": True, "version": 1})
    for other in ({"version": 2, "models": True}, {"version": 1}):
        with pytest.raises(ValueError, match="made from"):
            files.read(other)


def test_new_ones_replace_the_old(files):
    with files.lock():
        files.write(matrices(0), ABOUT, {})
        before = files.read()["a"]
        (files.folder / "left_over.npy").write_bytes(b"of a killed process")
        files.write(matrices(1), ABOUT, {})
    assert_reads(files, 1)
    if sys.platform != "win32":  # there, a mapped file cannot be removed
        assert len(list(files.folder.glob("*.npy"))) == 2
    np.testing.assert_array_equal(before, matrices(0)["a"])  # still mapped


def test_a_full_disk_leaves_the_old(files, monkeypatch):
    with files.lock():
        files.write(matrices(0), ABOUT, {})

        def full(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "save", full)
        with pytest.raises(OSError, match="No space left"):
            files.write(matrices(1), ABOUT, {})
    assert_reads(files, 0)


def test_the_room_is_checked_first(files, monkeypatch):
    monkeypatch.setattr(
        "skdatamodels.runs._room.shutil.disk_usage",
        lambda folder: type("Usage", (), {"total": 1000, "free": 10})(),
    )
    with files.lock(), pytest.raises(OSError, match="attributions needs 288 bytes"):
        files.write(matrices(0), ABOUT, {})
    assert not list(files.folder.glob("*.npy"))


def test_nothing_there(files):
    assert files.lazy() is None
    with pytest.raises(ValueError, match=r"cannot be used.*index\.json"):
        files.read()


@pytest.mark.parametrize(
    "index",
    [
        "[]",
        "null",
        "[" * 100_000,
        '{"made_from": {}, "about": {"seconds": {}}, "files": []}',
        '{"made_from": {}, "about": {"seconds": {}}, "files": {"a": {"file": 3}}}',
        '{"made_from": {}, "about": {"seconds": {}}, "files": {"a": []}}',
        '{"made_from": {}, "about": [], "files": {}}',
        '{"made_from": {}, "about": {}, "files": {}}',
        '{"made_from": {}, "about": {"seconds": {}}, "files": {"a": {"file": ".."}}}',
    ],
)
def test_an_index_of_another_form_is_damaged(files, index):
    with files.lock():
        files.write(matrices(0), ABOUT, {})
    (files.folder / "index.json").write_text(index)
    with pytest.raises(ValueError, match=r"cannot be used.*Delete the folder"):
        files.read()


KILLED = """
import sys
import numpy as np
from skdatamodels import RunStore
from skdatamodels.runs._attribution_files import AttributionFiles
files = AttributionFiles(RunStore(sys.argv[1]))
print("begun", flush=True)
value = 0
with files.lock():
    while True:
        value += 1
        both = {name: np.full((4, 6), float(value)) for name in ("a", "b")}
        files.write(both, {"seconds": {}}, {"value": value})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_while_writing(files):
    for seconds in (0.03, 0.1):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(files.folder.parent)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            process.stdout.readline()
            while files.lazy() is None:
                time.sleep(0.001)
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGKILL)
        found = files.read()
        assert (found["a"] == found["b"]).all()
        assert np.unique(found["a"]).size == 1
    with files.lock():  # is free again
        files.write(matrices(0), ABOUT, {})
    assert_reads(files, 0)
    assert len(list(files.folder.glob("*.npy"))) == 2
