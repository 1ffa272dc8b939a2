import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.runs._open_npy import open_npy


@pytest.fixture
def path(tmp_path):
    return tmp_path / "array.npy"


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(5, 3), (4,), (), (0, 3)])
def test_whole_files_are_mapped(path, shape, order, version):
    values = np.asarray(np.random.default_rng(0).random(shape), np.float16, order=order)
    with open(path, "wb") as file:
        np.lib.format.write_array(file, values, version=version)
    mapped = open_npy(path)
    assert isinstance(mapped, np.memmap)
    assert_array_equal(mapped, values)
    assert mapped.dtype == np.float16
    with open(path, "ab") as file:
        file.write(b"more than is promised")
    assert_array_equal(open_npy(path), values)


def test_missing_file(path):
    with pytest.raises(FileNotFoundError, match=r"array\.npy"):
        open_npy(path)


@pytest.mark.parametrize("missing", [1, 29, 30])
def test_files_that_are_cut_short(path, missing):
    np.save(path, np.ones((5, 3), np.float16))
    path.write_bytes(path.read_bytes()[:-missing])
    message = (
        r"array\.npy is incomplete: float16 of shape \(5, 3\) takes 158 bytes, but the "
        f"file has {158 - missing}"
    )
    with pytest.raises(ValueError, match=message):
        open_npy(path)


@pytest.mark.parametrize("length", [0, 5, 9, 60, 127])
def test_headers_that_are_cut_short(path, length):
    np.save(path, np.ones((5, 3)))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"array\.npy is not a \.npy file: "):
        open_npy(path)


def test_other_files(path):
    path.write_text("run,output\n1,2\n" * 20)
    with pytest.raises(ValueError, match=r"is not a \.npy file: the magic string"):
        open_npy(path)
    with open(path, "wb") as file:
        np.savez(file, np.ones(3))
    with pytest.raises(ValueError, match=r"is not a \.npy file: the magic string"):
        open_npy(path)
    path.write_bytes(b"\x93NUMPY\x09\x00" + bytes(200))
    with pytest.raises(ValueError, match=r"it is of version \(9, 0\)"):
        open_npy(path)
    np.save(path, np.array([1, "a"], dtype=object))
    with pytest.raises(ValueError, match="contains Python objects"):
        open_npy(path)
