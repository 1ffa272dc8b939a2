"""The lock of a folder, also where the file system cannot lock files."""

import errno
import os
import re
import threading

import numpy as np
import pytest

from skdatamodels.runs import RunStore, _lock

fcntl = pytest.importorskip("fcntl")

_RUN = [[1, 0, 1]], [7], [[2.5]]


@pytest.fixture(
    params=[errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK], ids=errno.errorcode.get
)
def no_flock(request, monkeypatch):
    def flock(*_):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)
    return request.param


@pytest.mark.usefixtures("no_flock")
def test_a_file_stands_for_the_lock_where_there_is_none(tmp_path, recwarn):
    store = RunStore.create(tmp_path / "runs", 3, 1)
    told = r"cannot lock files|flock not supported"
    assert re.search(told, str(recwarn.pop(UserWarning).message))
    with store.lock():
        recwarn.clear()
        with store.lock():
            store.write([0], *_RUN)
        assert not recwarn  # told once, not by each write inside
    store.write([1], *_RUN)  # the lock was given back
    assert store.done().all()


def test_another_waits_there_too_and_says_so(tmp_path, monkeypatch, no_flock, recwarn):
    monkeypatch.setattr(_lock, "_PATIENCE", 0.05)
    store = RunStore.create(tmp_path / "runs", 3, 1)
    held, free, seen = threading.Event(), threading.Event(), []

    def hold():
        with RunStore(store.path).lock():
            held.set()
            free.wait(30)
            seen.append("written")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    threading.Timer(0.3, free.set).start()
    with store.lock():
        assert seen == ["written"]
    thread.join()
    waiting = [str(warning.message) for warning in recwarn]
    waiting = [text for text in waiting if "Still waiting for" in text]
    assert len(waiting) == (no_flock != errno.ENOSYS)  # which is filelock's business


def test_what_else_goes_wrong_is_an_error(tmp_path, monkeypatch):
    store = RunStore.create(tmp_path / "runs", 3, 1)

    def flock(*_):
        raise OSError(errno.EIO, "on fire")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="on fire"):
        store.write([0], *_RUN)
    assert not np.any(store.done())
