import os
import stat

import pytest

from skdatamodels import _files
from skdatamodels._files import write_atomically


@pytest.mark.parametrize("content", ["new: Ω\n", b"new \xff"])
def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path, content):
    path = tmp_path / "page.html"
    path.write_text("old")
    write_atomically(path, content)
    as_bytes = content if isinstance(content, bytes) else content.encode("utf-8")
    assert path.read_bytes() == as_bytes
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_what_was_there_stays_if_writing_fails(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr(_files.os, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_the_content_is_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    calls = []

    def sync(descriptor):
        assert stat.S_ISREG(os.fstat(descriptor).st_mode)
        calls.append(("sync", os.fstat(descriptor).st_size))

    replace = os.replace
    monkeypatch.setattr(_files.os, "fsync", sync)
    monkeypatch.setattr(
        _files.os, "replace", lambda *names: calls.append("name") or replace(*names)
    )
    write_atomically(tmp_path / "page.html", "12345")
    assert calls == [("sync", 5), "name"]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "page.html"
    target.write_text("old")
    link = tmp_path / "page.html"
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
