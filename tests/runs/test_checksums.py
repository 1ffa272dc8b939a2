"""Whatever happens to the files of a store, no run is believed that was not written."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skdatamodels.masks import PackedMasks, _packed
from skdatamodels.runs import RunStore
from skdatamodels.runs._checksums import checksums

_N_TRAIN, _N_TARGETS, _N_RUNS, _HEADER = 19, 4, 9, 128


def _content(rows):
    """Masks, seeds and outputs that belong to some rows: arguments of write."""
    rng = np.random.default_rng(0)
    masks = rng.random((_N_RUNS, _N_TRAIN)) < 0.5
    seeds = rng.integers(1, 2**32, _N_RUNS)
    outputs = rng.normal(size=(_N_RUNS, _N_TARGETS)).astype(np.float32)
    return masks[rows], seeds[rows], outputs[rows]


def _make(path, rows=range(_N_RUNS)):
    store = RunStore.create(path, _N_TRAIN, _N_TARGETS)
    store.write(list(rows), *_content(list(rows)))
    return store


@pytest.fixture
def store(tmp_path):
    return _make(tmp_path / "runs")


def _change(store, name, change):
    """Change the numbers of a file, as damage does: behind the back of the store."""
    array = np.load(store.path / f"{name}.npy", mmap_mode="r+")
    change(array)
    array.flush()


def _assert_damaged(store, rows):
    for opened in (store, RunStore(store.path)):
        assert_array_equal(opened.damaged(), rows)
        whole = np.setdiff1d(np.arange(_N_RUNS), rows)
        assert_array_equal(opened.runs(whole).outputs, _content(whole)[2])
        for asked in (None, slice(None), rows, [rows[-1]]):
            with pytest.raises(ValueError, match=r"are damaged, among them rows \[\d"):
                opened.runs(asked)


@given(
    st.sampled_from(["masks", "seeds", "outputs", "checksums"]), st.integers(0, 10**4)
)
@settings(max_examples=60)
def test_any_bit_that_flips_is_noticed(tmp_path_factory, name, bit):
    store = _make(tmp_path_factory.mktemp("flip") / "runs")
    path = store.path / f"{name}.npy"
    content = bytearray(path.read_bytes())
    bit %= 8 * (len(content) - _HEADER)
    content[_HEADER + bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    row_bytes = (len(content) - _HEADER) // _N_RUNS
    row = bit // 8 // row_bytes
    assert_array_equal(store.damaged(), [row])
    with pytest.raises(ValueError, match=rf"1 of 9 runs in .* rows \[{row}\]: .*disc"):
        store.runs()


@pytest.mark.parametrize(
    ("name", "change", "rows"),
    [
        ("outputs", lambda x: x[2:5].fill(0), [2, 3, 4]),  # a page of zeros
        ("masks", lambda x: x.fill(0), range(_N_RUNS)),
        ("outputs", lambda x: x[7].fill(np.nan), [7]),
        ("seeds", lambda x: x[[0, 8]].fill(1) or x.__setitem__([0, 8], 1), [0, 8]),
        ("checksums", lambda x: x.__setitem__(3, 1), [3]),
    ],
)
def test_pages_and_numbers_that_change_are_noticed(store, name, change, rows):
    _change(store, name, change)
    _assert_damaged(store, list(rows))


def test_whole_runs_in_each_others_places_are_noticed(store):
    for name in ("masks", "seeds", "outputs", "checksums"):
        _change(store, name, lambda x: x.__setitem__([1, 6], x[[6, 1]]))
    _assert_damaged(store, [1, 6])


def test_a_row_marked_done_that_is_not_is_no_run(tmp_path):
    store = _make(tmp_path / "runs", [0, 1, 4])
    _change(store, "checksums", lambda x: x.__setitem__(2, 1 << 7))
    assert_array_equal(store.damaged(), [2])
    with pytest.raises(ValueError, match=r"1 of 4 runs in .* rows \[2\]"):
        store.runs()


@pytest.mark.parametrize("block_bytes", [2**26, 100])
def test_only_what_is_asked_for_is_checked(store, monkeypatch, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    _change(store, "outputs", lambda x: x.__setitem__([5, 7], 0))
    for rows in (slice(0, 5), [6, 8, 1], [2]):
        assert_array_equal(
            store.runs(rows).outputs, _content(np.arange(_N_RUNS)[rows])[2]
        )
    assert_array_equal(store.damaged([8, 7, 0, 99]), [7])
    with pytest.raises(ValueError, match=r"2 of 3 runs .* rows \[5, 7\]"):
        store.runs([5, 6, 7])


def test_damaged_runs_are_given_up_and_written_again(store):
    _change(store, "outputs", lambda x: x.__setitem__([5, 7], 0))
    store.discard(store.damaged())
    for opened in (store, RunStore(store.path)):
        assert_array_equal(np.flatnonzero(~opened.done()), [5, 7])
        assert len(opened.runs()) == _N_RUNS - 2
    store.discard([5, 99])  # not done: stays so
    store.discard([])
    store.write([5, 7], *_content([5, 7]))
    assert_array_equal(RunStore(store.path).runs().outputs, _content(range(_N_RUNS))[2])


@pytest.mark.parametrize("block_bytes", [2**26, 7])
def test_runs_of_other_masks_or_seeds_are_refused(store, monkeypatch, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    rows = np.array([6, 2, 3])
    masks, seeds, outputs = _content(rows)
    masks = PackedMasks.from_dense(masks)
    runs = store.runs(rows, masks=masks, seeds=seeds)
    assert_array_equal(runs.outputs, outputs)
    with pytest.raises(ValueError, match=r"1 of 3 .* other masks .* rows \[2\]"):
        store.check(rows, masks, seeds + np.array([0, 1, 0]))
    other = masks.dense()
    other[0, 18] ^= True
    other[2, 0] ^= True
    with pytest.raises(ValueError, match=r"2 of 3 .* other masks .* rows \[6, 3\]"):
        store.runs(rows, masks=PackedMasks.from_dense(other), seeds=seeds)


def test_checksums_are_of_row_seed_mask_and_outputs():
    masks, seeds, outputs = _content(range(_N_RUNS))
    bits, rows = np.packbits(masks, axis=1), np.arange(_N_RUNS) + 2**40
    expected = [
        zlib.crc32(
            int(row).to_bytes(8, "little")
            + int(seed).to_bytes(4, "little")
            + mask.tobytes()
            + output.tobytes()
        )
        for row, seed, mask, output in zip(rows, seeds, bits, outputs, strict=True)
    ]
    assert_array_equal(checksums(rows, bits, seeds, outputs), expected)
    fortran = np.asfortranarray(outputs)
    assert_array_equal(checksums(rows, bits, seeds, fortran), expected)
    assert checksums(rows[:0], bits[:0], seeds[:0], outputs[:0]).shape == (0,)


def test_no_checksum_is_0(monkeypatch):
    monkeypatch.setattr("skdatamodels.runs._checksums.crc32", lambda *_: 0)
    bits, outputs = np.zeros((2, 1), np.uint8), np.zeros((2, 1), np.float32)
    assert_array_equal(checksums([0, 1], bits, [0, 0], outputs), [1, 1])
