import errno
import io
import os

import pytest

from skdatamodels.runs import _growing_npy


class SpiedFile(io.FileIO):
    """Notes what is done; takes `most` bytes a write, until there is no `room`."""

    most, room, calls = 2**30, 2**30, []

    def write(self, data):
        self.calls.append("write")
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(data[: min(self.most, self.room)])
        SpiedFile.room -= written
        return written

    def close(self):
        if not self.closed:
            self.calls.append("close")
        super().close()


@pytest.fixture
def written_files(monkeypatch):
    """The class of the files that are opened for writing rows."""
    for name, value in (("most", 2**30), ("room", 2**30), ("calls", [])):
        monkeypatch.setattr(SpiedFile, name, value)

    def spied_open(path, mode, buffering=-1):
        return SpiedFile(path, mode) if buffering == 0 else open(path, mode)

    monkeypatch.setattr(_growing_npy, "open", spied_open, raising=False)
    return SpiedFile
