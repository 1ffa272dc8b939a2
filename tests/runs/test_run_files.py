"""RunFiles: what is on disk, and in which order it gets there."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.runs._checksums import checksums
from skdatamodels.runs._growing_npy import GrowingNpy
from skdatamodels.runs._run_files import NAMES, RunFiles

SIZES, SALT = (11, 3), 5
ROWS = np.array([4, 1])
RUNS = (
    np.array([[7, 32], [255, 224]], dtype=np.uint8),
    np.array([3, 2**32 - 1], dtype=np.uint32),
    np.array([[0.5, -1.0, 2.0], [0.0, 3.0, 1.5]], dtype=np.float32),
)


@pytest.fixture
def files(tmp_path):
    RunFiles.create(tmp_path, *SIZES)
    return RunFiles(tmp_path, *SIZES, SALT)


def test_numpy_reads_what_was_written(files, tmp_path):
    files.write(ROWS, *RUNS)
    contents = *RUNS, checksums(ROWS, *RUNS, SALT)
    for name, content in zip(NAMES, contents, strict=True):
        found = np.load(tmp_path / f"{name}.npy")
        assert found.dtype == content.dtype
        assert_array_equal(found[ROWS], content)
        assert not found[[0, 2, 3]].any()
    assert_array_equal(files.done(), [False, True, False, False, True])
    assert files.row_bytes == 2 + 4 + 12 + 4
    for found, content in zip(files.read(ROWS), RUNS, strict=True):
        assert_array_equal(found, content)
    for found, content in zip(files.read(slice(1, 5, 3)), RUNS, strict=True):
        assert_array_equal(found, content[::-1])
    files.discard(ROWS[:1])
    assert_array_equal(files.done(), [False, True, False, False, False])


@pytest.mark.parametrize("step", ["grow", "write"])
@pytest.mark.parametrize("n_files", range(4))
def test_no_run_until_the_last_file_is_written(
    files, tmp_path, monkeypatch, step, n_files
):
    files.write(ROWS[1:], *(content[1:] for content in RUNS))
    done, original = [], getattr(GrowingNpy, step)

    def fails(file, *args):
        if len(done) == n_files:
            raise OSError("the disk is full")
        done.append(file.path.stem)
        original(file, *args)

    with monkeypatch.context() as patch:
        patch.setattr(GrowingNpy, step, fails)
        with pytest.raises(OSError, match="full"):
            files.write(ROWS[:1], *(content[:1] for content in RUNS))
    assert done == list(NAMES[:n_files])
    opened = RunFiles(tmp_path, *SIZES, SALT)
    assert_array_equal(np.flatnonzero(opened.done()), [1])
    assert_array_equal(opened.damaged(ROWS[1:]), [])
    for found, content in zip(opened.read(slice(1, 2)), RUNS, strict=True):
        assert_array_equal(found, content[1:])


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_found(files, tmp_path, name):
    files.write(ROWS, *RUNS)
    array = np.load(tmp_path / f"{name}.npy", mmap_mode="r+")
    array[4] += 1
    array.flush()
    assert_array_equal(files.damaged(ROWS), [4])
    assert_array_equal(RunFiles(tmp_path, *SIZES, SALT + 1).damaged(ROWS), [4, 1])


def test_files_of_other_sizes_are_refused(files, tmp_path):
    with pytest.raises(ValueError, match=r"masks\.npy is damaged: it has 0 rows"):
        RunFiles(tmp_path, 20, 3, SALT)
    with pytest.raises(ValueError, match=r"outputs\.npy is damaged: it has 0 rows"):
        RunFiles(tmp_path, 11, 4, SALT)
