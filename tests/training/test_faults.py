"""Disks that are full or read-only, as the operating system makes them."""

import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
import pytest

from skdatamodels import Examples, RunStore, SubsetTrainer

resource = pytest.importorskip("resource", reason="POSIX limits")
TRAIN = Examples(np.zeros((20, 1)), np.zeros(20))


def learner(train_indices, seed):
    return np.random.default_rng(seed).standard_normal(4) + train_indices[0]


def trainer(root):
    return SubsetTrainer(learner, TRAIN, TRAIN[:4], store=root, random_state=0)


def opened(root):
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return RunStore(folder)


def in_a_fork(function):
    """Call it in another process; return what it returns or raises, as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = repr(function())
        except BaseException:
            answer = traceback.format_exc()
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return answer


def test_files_that_may_not_grow_stop_training_and_lose_nothing(tmp_path):
    def train(n_bytes):
        limited = trainer(tmp_path).fit([0])
        limits = n_bytes, resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        return len(limited.transform(np.arange(3000)))

    expected = trainer(None).fit_transform(np.arange(3000))
    n_before = -1
    for n_bytes in (8_000, 24_000):  # 16 bytes a run
        stopped = in_a_fork(lambda n_bytes=n_bytes: train(n_bytes))
        assert "OSError: [Errno 27] File too large" in stopped
        store = opened(tmp_path)
        done = np.flatnonzero(store.done())
        assert n_before < len(done) <= n_bytes / 16
        runs = store.runs(done)
        np.testing.assert_array_equal(runs.outputs, expected.outputs[done])
        n_before = len(done)
    assert in_a_fork(lambda: train(10**6)) == "3000"
    runs = opened(tmp_path).runs()
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    np.testing.assert_array_equal(runs.masks, expected.masks)


@pytest.fixture
def small_disk(tmp_path):
    """Yield a file system of 96 KiB, in memory."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("to mount a disk takes root's rights")
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_stops_training_and_loses_nothing(small_disk, monkeypatch):
    expected = trainer(None).fit_transform(np.arange(4000))
    with pytest.raises(OSError, match="4000 runs needs 108000 bytes"):
        trainer(small_disk).fit_transform(np.arange(4000))
    assert len(opened(small_disk)) == 0  # told before any training
    # from here on as if others filled the disk meanwhile
    monkeypatch.setattr(RunStore, "check_room", lambda *_: None)
    with pytest.raises(OSError, match="No space left on device"):
        trainer(small_disk).fit_transform(np.arange(4000))
    with pytest.raises(OSError, match="No space left on device"):
        trainer(small_disk).fit_transform(np.arange(4000))
    done = np.flatnonzero(opened(small_disk).done())
    assert 0 < len(done) < 4000
    runs = opened(small_disk).runs(done)
    np.testing.assert_array_equal(runs.outputs, expected.outputs[done])
    larger = ["mount", "-o", "remount,size=2M", str(small_disk)]
    subprocess.run(larger, check=True)
    runs = trainer(small_disk).fit_transform(np.arange(4000))
    np.testing.assert_array_equal(runs.outputs, expected.outputs)


@pytest.fixture
def public():
    """Yield a folder that any user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def run_as_somebody(function):
    """Call it in a process without root's rights; return what it returns or raises."""

    def call():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        return function()

    return in_a_fork(call)


def test_a_store_that_cannot_be_written_is_read_and_else_an_error(public):
    expected = trainer(public).fit_transform(np.arange(20)).outputs
    folders = [public, *(path for path in public.rglob("*") if path.is_dir())]
    for path in public.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    public.chmod(0o555)
    try:
        answer = run_as_somebody(
            lambda: trainer(public).transform([7, 3]).outputs.tolist()
        )
        assert answer == repr(expected[[7, 3]].tolist())
        answer = run_as_somebody(lambda: trainer(public).transform(np.arange(21)))
        assert "PermissionError: [Errno 13]" in answer
        assert str(public) in answer
        assert "_train_chunk" not in answer  # before any training
        answer = run_as_somebody(
            lambda: trainer(public).set_params(alpha=0.3).fit_transform([0])
        )
        assert "PermissionError: [Errno 13]" in answer  # a store that is to be made
    finally:
        for folder in folders:
            folder.chmod(0o755)
