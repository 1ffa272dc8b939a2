import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdatamodels.masks import PackedMasks, _packed, as_masks

# either side of what a byte, a word and a 4 × 4 block of pairs hold
_SIZES = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 100, 131])


@st.composite
def _dense(draw):
    shape = draw(_SIZES), draw(_SIZES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))


_masks = given(_dense(), st.sampled_from([1, 40, 1000, 2**20]))
_law = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _numbers(*shape, dtype=np.float64):
    # small integers: sums are exact in any order
    return np.random.default_rng(0).integers(-9, 9, shape).astype(dtype)


@_masks
@_law
def test_packing_loses_nothing(monkeypatch, dense, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks = PackedMasks.from_dense(dense)
    assert masks.shape == dense.shape
    assert len(masks) == len(dense)
    assert masks.bits.nbytes == len(dense) * -(-dense.shape[1] // 8)
    assert masks.dense().dtype == bool
    assert_array_equal(masks.dense(), dense)
    columns = np.arange(dense.shape[1])[::-3]
    assert_array_equal(_packed.pick_columns(masks, columns), dense[:, columns])
    assert_array_equal(np.asarray(masks, dtype=np.float32), dense.astype(np.float32))
    counts = masks.column_counts()
    assert counts.dtype == np.int64
    assert_array_equal(counts, dense.sum(axis=0))


@_masks
@_law
def test_products(monkeypatch, dense, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    masks = PackedMasks.from_dense(dense)
    n_runs, n_train = dense.shape
    for dtype in (np.float32, np.float64):
        coef = _numbers(n_train, 3, dtype=dtype)
        assert masks.dot(coef).dtype == dtype
        assert_array_equal(masks.dot(coef), dense @ coef)
        Y = _numbers(n_runs, 2, dtype=dtype)
        assert masks.T_dot(Y).dtype == np.float64
        assert_array_equal(masks.T_dot(Y), dense.T @ Y)


@pytest.mark.parametrize(
    "as_sparse", [sp.csr_array, sp.csc_matrix, sp.coo_array], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dot_takes_sparse_coef(monkeypatch, as_sparse, dtype):
    dense = np.random.default_rng(0).random((50, 21)) < 0.5
    coef = np.where(_numbers(21, 4) > 5, _numbers(21, 4), 0).astype(dtype)
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 700)
    product = PackedMasks.from_dense(dense).dot(as_sparse(coef))
    assert type(product) is np.ndarray
    assert product.dtype == dtype
    assert_array_equal(product, dense @ coef)


@pytest.mark.parametrize("as_sparse", [sp.csr_array, sp.csc_array])
def test_sparse_coef_stays_sparse(as_sparse):
    n_train, k = 500, 20_000
    coef = sp.random_array((n_train, k), density=0.001, rng=np.random.default_rng(0))
    coef = as_sparse(coef)
    dense = np.random.default_rng(1).random((4, n_train)) < 0.5
    masks = PackedMasks.from_dense(dense)
    tracemalloc.start()
    product = masks.dot(coef)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * n_train * k / 10  # a tenth of coef, dense
    assert_allclose(product, dense @ coef.toarray(), atol=1e-12)


@pytest.mark.parametrize(
    "rows", [slice(10, 30), slice(None, None, 7), [40, 3, 3], np.arange(50) % 3 == 0]
)
def test_products_of_some_rows(monkeypatch, rows):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 700)
    dense = np.random.default_rng(0).random((50, 21)) < 0.5
    some = PackedMasks.from_dense(dense)[rows]
    coef = np.where(_numbers(21, 4) > 5, _numbers(21, 4), 0.0)
    for given_coef in (coef, sp.csr_array(coef), sp.csc_array(coef)):
        assert_array_equal(some.dot(given_coef), dense[rows] @ coef)
    Y = _numbers(*some.shape[:1], 2)
    assert_array_equal(some.T_dot(Y), dense[rows].T @ Y)
    assert_array_equal(some.gram(), dense[rows].T.astype(int) @ dense[rows])


@_masks
@_law
def test_gram_counts_pairs(monkeypatch, dense, block_bytes):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block_bytes)
    gram = PackedMasks.from_dense(dense).gram()
    assert gram.dtype == np.int32
    assert_array_equal(gram, dense.T.astype(int) @ dense.astype(int))


@pytest.mark.parametrize("n_jobs", [1, 2, 3, -1])
@pytest.mark.parametrize("n_train", [1, 5, 150])
def test_gram_is_the_same_with_threads(monkeypatch, n_jobs, n_train):
    dense = np.random.default_rng(1).random((1000, n_train)) < 0.5
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 64 * 19 * 3)  # three blocks or more
    monkeypatch.setattr(_packed, "_LITTLE", 0)  # do not count alone
    gram = PackedMasks.from_dense(dense).gram(n_jobs=n_jobs)
    assert_array_equal(gram, dense.T.astype(int) @ dense.astype(int))


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((5, 5), np.int32),
        np.zeros((7, 7), np.int32),
        np.zeros((6, 6)),
        np.broadcast_to(np.zeros(6, np.int32), (6, 6)),
        [[0] * 6] * 6,
    ],
)
def test_gram_writes_to_fitting_arrays_only(out):
    masks = PackedMasks.from_dense(np.ones((3, 6), dtype=bool))
    with pytest.raises(ValueError, match=r"out must be a writable int32 .* \(6, 6\)"):
        masks.gram(out=out)


def test_bits_of_a_file_beyond_the_last_example_do_not_count(tmp_path):
    np.save(tmp_path / "bits.npy", np.full((70, 2), 255, dtype=np.uint8))
    masks = PackedMasks(np.load(tmp_path / "bits.npy", mmap_mode="r"), 11)
    ones = np.ones((70, 11))
    assert_array_equal(masks.dense(), ones)
    assert_array_equal(masks.column_counts(), ones.sum(axis=0))
    assert_array_equal(masks.gram(), ones.T @ ones)
    assert_array_equal(masks.dot(np.eye(11)), ones)


def test_no_runs():
    masks = PackedMasks(np.empty((0, 2), np.uint8), 11)
    assert masks.dense().shape == (0, 11)
    assert masks.gram().sum() == masks.column_counts().sum() == 0
    assert masks.dot(np.ones((11, 3))).shape == (0, 3)
    assert_array_equal(masks.T_dot(np.ones((0, 2))), np.zeros((11, 2)))


_INDICES = {
    "all": slice(None),
    "slice": slice(2, 17, 3),
    "backwards": slice(None, None, -2),
    "beyond": slice(15, 99),
    "none": slice(0, 0),
    "int array": np.array([3, 3, 0, -1]),
    "list": [5, 2],
    "bool": np.arange(20) % 3 == 0,
}


@pytest.mark.parametrize("rows", _INDICES.values(), ids=_INDICES.keys())
def test_indexing_rows(rows):
    dense = np.random.default_rng(2).random((20, 13)) < 0.5
    masks = PackedMasks.from_dense(dense)
    for index in (rows, (rows, ...), (rows, slice(None))):
        assert isinstance(masks[index], PackedMasks)
        assert_array_equal(masks[index].dense(), dense[rows])
    assert_array_equal(masks.dense(rows), dense[rows])


def test_one_row_is_a_matrix_of_one_row():
    dense = np.random.default_rng(2).random((20, 13)) < 0.5
    assert_array_equal(PackedMasks.from_dense(dense)[4].dense(), dense[[4]])


def test_columns_cannot_be_indexed():
    masks = PackedMasks.from_dense(np.eye(3))
    for columns in (0, slice(1, 2), [0, 1], np.array([0, 1])):
        with pytest.raises(IndexError, match="rows only"):
            masks[:, columns]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, np.int64])
def test_memory_mapped_npy(monkeypatch, tmp_path, dtype, order):
    dense = np.random.default_rng(3).random((33, 10)) < 0.5
    np.save(tmp_path / "masks.npy", np.asarray(dense, dtype=dtype, order=order))
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 100)
    mapped = np.load(tmp_path / "masks.npy", mmap_mode="r")
    assert_array_equal(PackedMasks.from_dense(mapped).dense(), dense)


def test_memory_mapped_bits(tmp_path):
    dense = np.random.default_rng(3).random((70, 10)) < 0.5
    np.save(tmp_path / "bits.npy", np.packbits(dense, axis=1))
    masks = PackedMasks(np.load(tmp_path / "bits.npy", mmap_mode="r"), 10)
    assert isinstance(masks[3:5].bits, np.memmap)  # still not read
    assert_array_equal(masks[3:5].dense(), dense[3:5])
    assert type(masks.dense()) is np.ndarray
    assert_array_equal(masks.gram(), dense.T.astype(int) @ dense.astype(int))
    assert_array_equal(masks.dot(np.eye(10)), dense)
    assert_allclose(masks.T_dot(np.eye(70)), dense.T)


def test_only_one_block_is_dense_at_a_time(monkeypatch):
    seen = []
    unpack = PackedMasks.dense

    def spy(self, rows=slice(None), dtype=bool):
        seen.append(unpack(self, rows, dtype).nbytes)
        return unpack(self, rows, dtype)

    masks = PackedMasks.from_dense(np.ones((200, 16)))
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 1600)
    monkeypatch.setattr(PackedMasks, "dense", spy)
    masks.dot(np.ones((16, 1)))
    masks.T_dot(np.ones((200, 1)))
    masks.column_counts()
    assert len(seen) == 17 + 17 + 2
    assert max(seen) <= 1600


def test_mapped_outputs_in_half_precision_are_read_in_blocks(monkeypatch, tmp_path):
    """However many targets there are: a block is as wide as the wider of the two."""
    n_runs, n_train, k = 4000, 8, 100
    dense = np.random.default_rng(0).random((n_runs, n_train)) < 0.5
    np.save(tmp_path / "outputs.npy", _numbers(n_runs, k, dtype=np.float16))
    Y = np.load(tmp_path / "outputs.npy", mmap_mode="r")
    masks = PackedMasks.from_dense(dense)
    block = 80_000
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", block)
    tracemalloc.start()
    product = masks.T_dot(Y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * block  # all of Y takes 3.2 MB in float64
    assert_array_equal(product, dense.T @ np.asarray(Y, np.float64))


@pytest.mark.parametrize("wrong", [2, -1, 0.5, np.nan, np.inf])
def test_wrong_entries_are_named(monkeypatch, wrong):
    dense = np.zeros((9, 4))
    dense[7, 2] = wrong
    dense[8, 0] = 5  # a later one is not the first
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 100)  # three rows a block
    with pytest.raises(ValueError, match=f"got {dense[7, 2]} at run 7, example 2"):
        PackedMasks.from_dense(dense)


@pytest.mark.parametrize("as_sparse", [sp.csr_array, sp.csc_matrix, sp.coo_array])
def test_sparse_masks_are_packed(monkeypatch, as_sparse):
    monkeypatch.setattr(_packed, "_BLOCK_BYTES", 40)
    dense = np.random.default_rng(0).random((9, 21)) < 0.3
    assert_array_equal(as_masks(as_sparse(dense.astype(float))).dense(), dense)
    twos = np.zeros((9, 21))
    twos[3, 4] = 2
    with pytest.raises(ValueError, match=r"got 2\.0 at run 3, example 4"):
        as_masks(as_sparse(twos))


def test_lists_of_indices():
    rng = np.random.default_rng(0)
    dense = rng.random((30, 21)) < 0.4
    dense[3] = False
    lists = [rng.permutation(np.flatnonzero(row)) for row in dense]
    lists[5] = lists[5].tolist()
    assert_array_equal(PackedMasks.from_indices(lists, 21).dense(), dense)
    array = np.array([[0, 20], [7, 3]], np.int16)
    expected = np.zeros((2, 21), bool)
    np.put_along_axis(expected, array.astype(int), True, axis=1)
    assert_array_equal(PackedMasks.from_indices(array, 21).dense(), expected)
    assert PackedMasks.from_indices([], 21).shape == (0, 21)
    assert_array_equal(PackedMasks.from_indices([[]], 3).dense(), [[False] * 3])


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([[0], [1, 21]], "run 1 must be from 0 to n_train - 1 = 20, got 21"),
        ([[-1]], "run 0 must be .* got -1"),
        ([[0], [0.5]], "run 1 must be a list of integers, got float64"),
        ([[True, False]], "got bool"),
        ([[[1]]], r"of shape \(1, 1\)"),
        ([[1, 2, 1]], "Run 0 has a training example twice"),
    ],
)
def test_wrong_indices_are_named(indices, message):
    with pytest.raises(ValueError, match=message):
        PackedMasks.from_indices(indices, 21)


def test_wrong_strings():
    with pytest.raises(ValueError, match="got in at run 0, example 1"):
        PackedMasks.from_dense(np.array([[0, "in"]], dtype=object))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 1)])
def test_masks_that_are_not_a_matrix(shape):
    with pytest.raises(ValueError, match="2-d array of shape"):
        PackedMasks.from_dense(np.zeros(shape))


@pytest.mark.parametrize(
    "bits",
    [
        np.zeros((3, 2), np.int64),
        np.zeros((3, 1), np.uint8),
        np.zeros((3, 3), np.uint8),
        np.zeros(2, np.uint8),
    ],
    ids=["dtype", "short", "long", "1-d"],
)
def test_wrong_bits(bits):
    with pytest.raises(ValueError, match=r"uint8 array of shape \(n_runs, 2\)"):
        PackedMasks(bits, 11)


@pytest.mark.parametrize("n_train", [-3, -8, 5.0, 5.5, np.nan, True, "8", None])
def test_wrong_n_train(n_train):
    with pytest.raises(ValueError, match="a non-negative integer, got"):
        PackedMasks(np.zeros((2, 1), np.uint8), n_train)


def test_bits_after_the_last_example_are_told():
    bits = np.packbits(np.ones((4, 11), bool), axis=1)
    assert PackedMasks(bits, np.int64(11)).dense().all()
    assert PackedMasks(bits[:0], 11).shape == (0, 11)
    bits[2, 1] |= 0b00001000
    with pytest.raises(ValueError, match=r"n_train=11 .* set in run 2"):
        PackedMasks(bits, 11)
    PackedMasks(bits, 13)


def test_products_of_wrong_shape():
    masks = PackedMasks.from_dense(np.eye(3)[:2])
    with pytest.raises(ValueError, match="coef has 2 rows for n_train=3"):
        masks.dot(np.ones((2, 1)))
    with pytest.raises(ValueError, match="Y has 3 rows for 2 masks"):
        masks.T_dot(np.ones((3, 1)))


def test_pickle_repr_and_conversion():
    masks = PackedMasks.from_dense(np.eye(3))
    assert_array_equal(pickle.loads(pickle.dumps(masks)).dense(), np.eye(3))
    assert repr(masks) == "PackedMasks(n_runs=3, n_train=3)"
    assert as_masks(masks) is masks
    assert_array_equal(as_masks(np.eye(3).tolist()).dense(), np.eye(3))
    with pytest.raises(ValueError, match="always a copy"):
        masks.__array__(copy=False)  # as numpy 2 calls it
