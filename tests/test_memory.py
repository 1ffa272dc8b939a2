import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from skdatamodels import _memory
from skdatamodels._memory import available_memory


@pytest.fixture
def no_container(monkeypatch):
    monkeypatch.setattr(_memory, "_CGROUP_LIMITS", ())


@pytest.mark.skipif(sys.platform == "win32", reason="asks POSIX")
def test_is_what_getconf_prints(no_container):
    commands = ["getconf", "_PHYS_PAGES"], ["getconf", "PAGE_SIZE"]
    pages, size = (int(subprocess.check_output(words)) for words in commands)
    assert available_memory() == pages * size


@pytest.mark.parametrize(("limit", "expected"), [("1000", 1000), ("max", np.inf)])
def test_a_container_may_have_less(tmp_path, monkeypatch, limit, expected):
    (tmp_path / "memory.max").write_text(limit + "\n")
    paths = str(tmp_path / "memory.max"), str(tmp_path / "absent")
    monkeypatch.setattr(_memory, "_CGROUP_LIMITS", paths)
    monkeypatch.setattr(os, "sysconf_names", {}, raising=False)
    monkeypatch.delattr(ctypes, "windll", raising=False)
    assert available_memory() == expected


@pytest.mark.parametrize(("known", "expected"), [(1, 3 * 2**20), (0, np.inf)])
def test_windows_is_asked_where_there_is_no_sysconf(
    no_container, monkeypatch, known, expected
):
    def ask(pointer):
        pointer._obj.value = 3 * 2**10  # kilobytes
        return known

    kernel = SimpleNamespace(GetPhysicallyInstalledSystemMemory=ask)
    windll = SimpleNamespace(kernel32=kernel)
    monkeypatch.delattr(os, "sysconf_names", raising=False)
    monkeypatch.setattr(ctypes, "windll", windll, raising=False)
    assert available_memory() == expected
