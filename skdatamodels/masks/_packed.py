"""PackedMasks: a 0/1 matrix kept at one bit an entry, and its products."""

from itertools import pairwise
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from skdatamodels._numbers import unmasked

# A dense block never takes more than this, whatever the size of the matrix.
_BLOCK_BYTES = 64 * 2**20


class PackedMasks:
    """Mask matrix of shape (n_runs, n_train), packed to one bit an entry.

    Rows are packed as :func:`numpy.packbits` does. Nothing below expands more than a
    block of rows at a time, so `bits` may be a memory map that is larger than memory.

    Parameters
    ----------
    bits : uint8 array of shape (n_runs, ceil(n_train / 8))
        Packed rows; kept, not copied. The bits after the last example are 0; in a
        memory map, which is not read here, they do not count.
    n_train : int
        Number of training examples (columns).

    Attributes
    ----------
    bits : uint8 array of shape (n_runs, ceil(n_train / 8))
    shape : tuple (n_runs, n_train)

    Raises
    ------
    ValueError
        If `n_train` is no whole number or negative, `bits` has the wrong dtype or shape
        for it, or a bit after the last example is set.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.masks import PackedMasks
    >>> masks = PackedMasks.from_dense([[1, 0, 1], [0, 1, 1]])
    >>> masks.gram()
    array([[1, 0, 1],
           [0, 1, 1],
           [1, 1, 2]], dtype=int32)
    >>> masks.dot(np.array([[10.0], [1.0], [0.1]]))
    array([[10.1],
           [ 1.1]])
    """

    def __init__(self, bits, n_train):
        bits, n_bytes = np.asanyarray(bits), -(-_check_n_train(n_train) // 8)
        if bits.dtype != np.uint8 or bits.ndim != 2 or bits.shape[1] != n_bytes:
            raise ValueError(
                f"Packed masks of n_train={n_train} examples are a uint8 array of shape"
                f" (n_runs, {n_bytes}), got {bits.dtype} of shape {bits.shape}."
            )
        after = (1 << -n_train % 8) - 1  # the bits of the last byte that are no example
        if after and not isinstance(bits, np.memmap) and (bits[:, -1] & after).any():
            run = (bits[:, -1] & after != 0).argmax()
            raise ValueError(
                f"The bits after the last of n_train={n_train} examples must be 0, as "
                f"np.packbits leaves them; one is set in run {run}."
            )
        self.bits = bits
        self.n_train = int(n_train)

    @classmethod
    def from_dense(cls, masks):
        """Pack a dense 0/1 matrix.

        Parameters
        ----------
        masks : array-like of shape (n_runs, n_train)
            Boolean, or numbers that are all 0 or 1; may be a memory map, which is read
            once, a block of rows at a time.

        Returns
        -------
        packed : PackedMasks

        Raises
        ------
        ValueError
            If an entry is neither 0 nor 1 (NaN included); names the first one.
        """
        masks = unmasked(masks, "masks")
        masks = masks if isinstance(masks, np.ndarray) else np.asarray(masks)
        if masks.ndim != 2:
            raise ValueError(
                "Masks are a 2-d array of shape (n_runs, n_train), got shape "
                f"{masks.shape}."
            )
        n_runs, n_train = masks.shape
        bits = np.empty((n_runs, -(-n_train // 8)), dtype=np.uint8)
        for rows in row_blocks(n_runs, n_train * masks.itemsize):
            block = as_bool(masks[rows], range(n_runs)[rows])
            bits[rows] = np.packbits(block, axis=1)
        return cls(bits, n_train)

    @property
    def shape(self):
        """Tuple (n_runs, n_train)."""
        return self.bits.shape[0], self.n_train

    def __len__(self):
        return self.bits.shape[0]

    def __getitem__(self, rows):
        """Return the masks of some runs (slice, integer array or boolean array)."""
        bits = self.bits[row_index(rows)]
        return PackedMasks(bits if bits.ndim == 2 else bits[None], self.n_train)

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("A dense array of packed masks is always a copy.")
        return self.dense().astype(dtype or bool, copy=False)

    def __sizeof__(self):  # asked by dask, which sends small objects with every task
        return object.__sizeof__(self) + self.bits.nbytes

    def __repr__(self):
        return f"PackedMasks(n_runs={len(self)}, n_train={self.n_train})"

    def dense(self, rows=slice(None), dtype=bool):
        """Unpack some rows.

        Parameters
        ----------
        rows : slice, int array or bool array, default=all
        dtype : dtype, default=bool

        Returns
        -------
        masks : array of shape (n_rows, n_train)
        """
        bits = np.asarray(self.bits[rows])  # what comes out is no memory map
        unpacked = np.unpackbits(bits, axis=-1, count=self.n_train)
        return unpacked.view(bool) if dtype is bool else unpacked.astype(dtype)

    def column_counts(self):
        """Count the runs that contain each example: int64 array (n_train,)."""
        counts = np.zeros(self.n_train, dtype=np.int64)
        for rows in row_blocks(*self.shape):
            counts += self.dense(rows).sum(axis=0)
        return counts

    def T_dot(self, Y):
        """Multiply the transpose with a matrix: maskᵀ·Y.

        Parameters
        ----------
        Y : array of shape (n_runs, k)
            May be a memory map, which is read once, a block of rows at a time.

        Returns
        -------
        product : float64 array of shape (n_train, k)
        """
        if len(Y) != len(self):
            raise ValueError(f"Y has {len(Y)} rows for {len(self)} masks.")
        product = np.zeros((self.n_train, Y.shape[1]))
        for rows in row_blocks(len(self), 8 * max(product.shape)):
            product += self.dense(rows, np.float64).T @ np.asarray(Y[rows], np.float64)
        return product

    def dot(self, coef):
        """Multiply with a matrix: mask·coef.

        Parameters
        ----------
        coef : array or sparse matrix of shape (n_train, k)
            A sparse one stays so.

        Returns
        -------
        product : array of shape (n_runs, k), in the dtype of `coef`
        """
        if coef.shape[0] != self.n_train:
            raise ValueError(
                f"coef has {coef.shape[0]} rows for n_train={self.n_train} examples."
            )
        product = np.empty((len(self), coef.shape[1]), dtype=coef.dtype)
        for rows in row_blocks(len(self), coef.dtype.itemsize * max(coef.shape)):
            product[rows] = self.dense(rows, coef.dtype) @ coef
        return product

    def gram(self, n_jobs=None, out=None):
        """Count, for each pair of examples, the runs that contain both: maskᵀ·mask.

        Exact: a population count of the bitwise *and* of two columns.

        Parameters
        ----------
        n_jobs : int, optional
            Number of threads, as in joblib.
        out : int32 array of shape (n_train, n_train), optional
            Symmetric; the counts are added to it.

        Returns
        -------
        counts : int32 array of shape (n_train, n_train)
        """
        from skdatamodels.masks._popcount import add_pair_counts, mirror, pack_columns

        counts = out
        if counts is None:
            counts = np.zeros((self.n_train, self.n_train), dtype=np.int32)
        # Stripes of the upper triangle with the same area each, so that threads that
        # take one each end together.
        n_stripes = 4 * effective_n_jobs(n_jobs)
        area = 1 - np.sqrt(1 - np.arange(n_stripes + 1) / n_stripes)
        edges = np.unique((self.n_train * area).astype(int))
        with Parallel(n_jobs=n_jobs, require="sharedmem") as parallel:
            for rows in row_blocks(len(self), self.bits.shape[1], multiple=64):
                words = pack_columns(
                    np.ascontiguousarray(self.bits[rows]), self.n_train
                )
                parallel(
                    delayed(add_pair_counts)(words, start, stop, counts)
                    for start, stop in pairwise(edges)
                )
        mirror(counts)
        return counts


def _check_n_train(n_train):
    whole = isinstance(n_train, Integral) and not isinstance(n_train, bool)
    if not whole or n_train < 0:
        raise ValueError(
            "n_train must be the number of training examples, a whole number that is "
            f"not negative, got {n_train!r}."
        )
    return n_train


def as_masks(masks):
    """Return `masks` as PackedMasks, packing them unless they are packed already."""
    return masks if isinstance(masks, PackedMasks) else PackedMasks.from_dense(masks)


def row_blocks(n_rows, row_bytes, multiple=1):
    """Yield slices of consecutive rows that take about 64 MiB each.

    All but the last hold a multiple of `multiple` rows.
    """
    step = max(1, _BLOCK_BYTES // max(1, row_bytes) // multiple) * multiple
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def as_slice(rows):
    """Return consecutive rows as a slice, which copies nothing; others as they are."""
    start, stop = int(rows[0]), int(rows[-1]) + 1
    consecutive = stop - start == len(rows) and (np.diff(rows) == 1).all()
    return slice(start, stop) if consecutive else rows


def row_index(index):
    """Return the rows of an index; scikit-learn's splitters ask for X[rows, ...]."""
    if not isinstance(index, tuple):
        return index
    rows, *others = index
    if not all(o is ... or (type(o) is slice and o == slice(None)) for o in others):
        raise IndexError(f"Runs are indexed by rows only, got {index}.")
    return rows


def as_bool(block, runs):
    """Return rows of 0 and 1 as booleans; errors call the rows by the names `runs`."""
    if block.dtype == bool:
        return block
    ones = block == 1
    wrong = ~(ones | (block == 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            "Masks must hold only 0 and 1 (or booleans), got "
            f"{block[row, column]} at run {runs[row]}, example {column}."
        )
    return ones
