import os
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skdatamodels.runs._growing_npy import GrowingNpy


@pytest.fixture
def path(tmp_path):
    return tmp_path / "array.npy"


def _filled(path, n_rows=6):
    array = GrowingNpy.create(path, (3,), np.float32)
    array.grow(n_rows)
    values = np.arange(1, 3 * n_rows + 1, dtype=np.float32).reshape(n_rows, 3)
    array.write(np.arange(n_rows), values)
    return array, values


@pytest.mark.parametrize("row_shape", [(), (1,), (4,), (2, 3)])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint32, np.float32])
def test_is_the_file_that_numpy_reads_and_writes(path, row_shape, dtype):
    values = np.random.default_rng(0).integers(0, 2, (9, *row_shape)).astype(dtype)
    array = GrowingNpy.create(path, row_shape, dtype)
    assert np.load(path).shape == array.read().shape == (0, *row_shape)
    array.grow(5)
    assert_array_equal(np.load(path), np.zeros((5, *row_shape)), strict=False)
    array.grow(9)
    array.write(np.arange(9), values)
    assert_array_equal(np.load(path), values, strict=True)
    assert_array_equal(np.asarray(array.read()), values, strict=True)
    assert_array_equal(array.load(), values, strict=True)
    np.save(path.with_name("numpy.npy"), values)
    assert path.read_bytes() == path.with_name("numpy.npy").read_bytes()


@given(
    st.lists(
        st.lists(st.integers(0, 40), min_size=1, max_size=9, unique=True), max_size=8
    )
)
@settings(max_examples=40)
def test_rows_in_any_order(tmp_path_factory, writes):
    path = tmp_path_factory.mktemp("any") / "array.npy"
    array = GrowingNpy.create(path, (2,), np.float32)
    expected = np.zeros((0, 2), np.float32)
    for number, rows in enumerate(writes):
        values = 100.0 * number + np.random.default_rng(number).random((len(rows), 2))
        longer = np.zeros((max(len(expected), max(rows) + 1), 2), np.float32)
        longer[: len(expected)] = expected
        expected = longer
        expected[rows] = values
        array.grow(max(rows) + 1)
        array.write(np.array(rows), values)
        assert array.n_rows == GrowingNpy(path).n_rows == len(expected)
        assert_array_equal(np.load(path), expected)


@pytest.mark.skipif(sys.platform == "win32", reason="no holes in files: 120 GB")
def test_growth_never_shrinks_and_fits_any_length(path):
    array, values = _filled(path)
    array.grow(2)
    assert_array_equal(np.load(path), values)
    array.grow(10**10)  # a sparse file: nothing is written
    assert np.load(path, mmap_mode="r").shape == (10**10, 3)
    assert_array_equal(GrowingNpy(path).read()[:7], [*values, [0, 0, 0]])


def test_readers_cannot_write(path):
    array, _ = _filled(path)
    with pytest.raises(ValueError, match="read-only"):
        array.read()[0] = 1


def test_short_writes_are_continued(path, written_files):
    written_files.most = 5
    _, values = _filled(path)
    assert written_files.calls.count("write") == 15  # 72 bytes
    assert_array_equal(np.load(path), values)


def test_what_is_written_is_synced_before_write_returns(
    path, written_files, monkeypatch
):
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: [written_files.calls.append("sync"), fsync(fd)]
    )
    array = GrowingNpy.create(path, (), np.uint32)
    array.grow(9)
    array.write(np.array([0, 1, 2, 7, 5]), np.arange(5))
    assert written_files.calls == ["write", "write", "write", "sync", "close"]


def test_full_disk_is_an_error_and_harms_no_other_row(path, written_files):
    array, values = _filled(path)
    array.grow(8)
    written_files.calls.clear()
    written_files.room = 7
    with pytest.raises(OSError, match="No space left"):
        array.write(np.array([6, 7]), np.ones((2, 3)))
    assert written_files.room == 0
    assert written_files.calls == ["write", "write", "close"]  # nothing left open
    assert_array_equal(np.load(path)[:6], values)
    written_files.room = 2**30
    array.write(np.array([6, 7]), np.ones((2, 3)))
    assert_array_equal(np.load(path)[6:], np.ones((2, 3)))


def test_bytes_that_are_line_ends_in_a_text_are_kept(path):
    values = np.frombuffer(b"\r\n\n\r\x1a\n\n\r", np.uint8)
    array = GrowingNpy.create(path, (), np.uint8)
    array.grow(8)
    array.write(np.arange(8), values)
    assert path.read_bytes()[-8:] == values.tobytes()


def test_longer_than_its_header_says_is_how_a_killed_growth_looks(path):
    _, values = _filled(path)
    with open(path, "ab") as file:
        file.write(b"\xff" * 17)
    array = GrowingNpy(path)
    assert array.n_rows == 6
    assert_array_equal(array.read(), values)


def _assert_damaged(path, message=""):
    with pytest.raises(ValueError, match=f"array.npy is damaged: {message}"):
        GrowingNpy(path)


def test_damaged_files_are_named(path):
    _assert_damaged(path, ".*No such file")
    _filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    _assert_damaged(path, r"by its header, it has 6 rows \(200 bytes\).* 199 bytes")
    for length in (0, 5, 9, 60, 127):
        path.write_bytes(whole[:length])
        _assert_damaged(path)
    path.write_text("row,output\n1,2\n" * 20)
    _assert_damaged(path, "the magic string is not correct")
    np.save(path, np.asfortranarray(np.ones((2, 3))))
    _assert_damaged(path)
    np.save(path, np.float32(3))
    _assert_damaged(path)
    with open(path, "wb") as file:
        np.lib.format.write_array(file, np.ones(3), version=(2, 0))
    _assert_damaged(path, ".*version 1.0")


@pytest.mark.filterwarnings("ignore")  # numpy's, on headers that look like old ones
@given(st.integers(0, 127), st.integers(0, 255))
@example(8, 1)  # TokenError inside numpy
@settings(max_examples=100)
def test_a_header_with_a_wrong_byte_opens_or_is_damaged(tmp_path_factory, at, byte):
    path = tmp_path_factory.mktemp("fuzz") / "array.npy"
    _filled(path)
    content = bytearray(path.read_bytes())
    content[at] = byte
    path.write_bytes(content)
    opens = False
    with suppress(ValueError):
        opens = GrowingNpy(path).n_rows >= 0
    if not opens:
        _assert_damaged(path)
