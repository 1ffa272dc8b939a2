"""What is compiled is kept where it can be, and works where it can not."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import skdatamodels
from skdatamodels import _numba

CODE = """
from skdatamodels.masks._popcount import _transpose_8x8
assert _transpose_8x8(2) == 256
print(_transpose_8x8.stats.cache_path, sum(_transpose_8x8.stats.cache_hits.values()))
"""

# The interpreter may be where only root can read: they may read all, and write nothing.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
NOBODY += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


@pytest.fixture
def run_as_nobody():
    """Run code as a user without a home, on a package that belongs to root."""
    if not (hasattr(os, "getuid") and os.getuid() == 0 and shutil.which("setpriv")):
        pytest.skip("needs root, and setpriv")
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)  # pytest's own folders are closed to others
        source = Path(skdatamodels.__file__).parent
        installed = Path(root, "skdatamodels")
        shutil.copytree(source, installed, ignore=shutil.ignore_patterns("__pycache__"))
        temporary = Path(root, "tmp")
        temporary.mkdir()
        temporary.chmod(0o1777)

        def run(code, **environ):
            environ = {
                "HOME": "/nonexistent",
                "PYTHONPATH": root,
                "TMPDIR": str(temporary),
                **environ,
            }
            names = [f"{name}={value}" for name, value in environ.items()]
            command = [*NOBODY, "env", "-i", *names, sys.executable, "-c", code]
            return subprocess.run(command, capture_output=True, text=True, cwd="/")

        run.temporary = temporary
        if run("import numpy").returncode:
            pytest.skip("nobody can not run this interpreter")
        yield run


def test_without_a_writable_cache_a_temporary_one_is_shared(run_as_nobody):
    # the second time as another process that has been told a folder of no use
    for environ, hits in (({}, "0"), ({"NUMBA_CACHE_DIR": "/nonexistent/cache"}, "1")):
        answer = run_as_nobody(CODE, **environ)
        assert answer.returncode == 0, answer.stderr
        path, found = answer.stdout.split()
        assert Path(path).is_relative_to(run_as_nobody.temporary)
        assert found == hits


def test_a_cache_that_somebody_else_has_made_is_not_believed(run_as_nobody):
    (run_as_nobody.temporary / "skdatamodels-numba-65534").mkdir(0o777)
    answer = run_as_nobody(CODE)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == ["None", "0"]


def test_a_cache_that_can_be_written_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(_numba.numba.config, "CACHE_DIR", str(tmp_path))

    @_numba.njit(nogil=True)
    def double(x):
        return 2 * x

    assert double(3) == 6
    assert double.stats.cache_path.startswith(str(tmp_path))
    assert str(tmp_path) == _numba.numba.config.CACHE_DIR


def test_other_errors_of_numba_are_not_hidden(monkeypatch):
    monkeypatch.setattr(_numba.numba.config, "CACHE_LOCATOR_CLASSES", "NoSuchClass")
    with pytest.raises(RuntimeError, match="NoSuchClass"):
        _numba.njit(nogil=True)(lambda x: x)


def test_nothing_is_compiled_by_another_way():
    folder = Path(skdatamodels.__file__).parent
    others = [
        path.name
        for path in folder.rglob("*.py")
        if path.name != "_numba.py"
        and re.search(r"\bnumba(\.| import .*)n?jit", path.read_text())
    ]
    assert not others
