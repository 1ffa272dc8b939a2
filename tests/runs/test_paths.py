import os
import shutil
import sys
from contextlib import suppress

import numpy as np
import pytest

from skdatamodels.datasets import load_released_runs
from skdatamodels.runs import (
    RunStore,
    TrainingRuns,
    export_released,
    import_released,
)
from skdatamodels.runs._paths import absolute, directory_kept, readable


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_a_path_does_not_depend_on_where_the_process_is(home, tmp_path):
    assert absolute("~/a/b") == home / "a" / "b"
    assert absolute("a") == tmp_path / "a"
    assert absolute(tmp_path) == tmp_path
    with pytest.raises(ValueError, match="no such home directory"):
        absolute("~nobody-of-that-name/runs")


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_to_nowhere_is_named_and_nothing_is_made_there(tmp_path):
    (tmp_path / "big").symlink_to(tmp_path / "unmounted")
    for path in (tmp_path / "big", tmp_path / "big" / "runs" / "digits"):
        with pytest.raises(FileNotFoundError, match=r"big is a link to .*unmounted"):
            absolute(path)
        with pytest.raises(FileNotFoundError, match="is its disk mounted"):
            RunStore.create(path, 3, 1)
        with pytest.raises(FileNotFoundError, match="is its disk mounted"):
            RunStore(path)
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    with pytest.raises(FileNotFoundError, match="ring is a link to"):
        absolute(tmp_path / "ring")
    (tmp_path / "unmounted").mkdir()
    assert absolute(tmp_path / "big") == tmp_path / "big"


def test_all_that_reads_or_writes_runs_knows_home(home, tmp_path):
    runs = TrainingRuns([[1, 0], [0, 1]], np.array([[0.5], [-2.0]]))
    export_released(runs, "~/released")
    import_released("~/released", "~/imported")
    RunStore.create("~/made", 2, 1)
    loaded = load_released_runs("~/released/masks.npy", "~/released/margins.npy")
    np.testing.assert_array_equal(loaded.outputs, runs.outputs)
    np.testing.assert_array_equal(RunStore("~/imported").runs().outputs, runs.outputs)
    assert sorted(os.listdir(home)) == ["imported", "made", "released"]
    assert os.listdir(tmp_path) == ["home"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LogisticRegression", "LogisticRegression"),
        ("../../x", "_x"),
        ("/etc/passwd", "_etc_passwd"),
        ("<lambda>", "_lambda_"),
        ("a\0b\nc d", "a_b_c_d"),
        ("Ünï", "Ünï"),
        ("\udcff", "_"),
        ("..", "_"),
        ("", "_"),
        ("x" * 240, "x" * 60),
        ("é" * 240, "é" * 30),
        ("x" + "é" * 240, "x" + "é" * 29),  # no half a letter
        (None, "None"),
    ],
)
def test_readable_names(tmp_path, name, expected):
    assert readable(name, 60) == expected
    (tmp_path / readable(name, 60)).mkdir()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_directory_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "away").mkdir()
    with suppress(KeyError), directory_kept():
        os.chdir("away")
        raise KeyError
    assert os.getcwd() == str(tmp_path)


def test_a_directory_that_is_gone_troubles_nobody(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    for leave_first in (False, True):
        gone.mkdir()
        monkeypatch.chdir(gone)
        if not leave_first:
            shutil.rmtree(gone)
        with directory_kept():
            os.chdir(tmp_path)
            shutil.rmtree(gone, ignore_errors=True)
        assert os.getcwd() == str(tmp_path)
