"""PackedMasks: a 0/1 matrix stored with one bit per entry, and its products."""

from itertools import pairwise
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed, effective_n_jobs

from skdatamodels._numbers import unmasked

# Upper limit for a block of rows that is unpacked at once.
_BLOCK_BYTES = 64 * 2**20
# joblib looks every 10 ms whether threads are done: so few bits are counted alone.
_LITTLE = 5 * 10**10


class PackedMasks:
    """Mask matrix of shape (n_runs, n_train), packed to one bit per entry.

    Rows are packed as by :func:`numpy.packbits`. The products unpack a block of rows at
    a time, so `bits` may be a memory map that is larger than memory.

    Parameters
    ----------
    bits : uint8 array of shape (n_runs, ceil(n_train / 8))
        Packed rows, with the first example in the highest bit of a byte
        (``bitorder="big"``, the default of numpy). They are not copied. The unused bits
        after the last example must be 0. In a memory map they are not checked, and are
        ignored.
    n_train : int
        Number of training examples (columns).

    Attributes
    ----------
    bits : uint8 array of shape (n_runs, ceil(n_train / 8))
        Packed rows.
    shape : tuple (n_runs, n_train)
        Shape of the unpacked matrix.

    Raises
    ------
    ValueError
        If `n_train` is not an integer or is negative, if `bits` has the wrong dtype or
        shape for it, or if a bit after the last example is set.

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
        after = (1 << -n_train % 8) - 1  # the unused bits of the last byte
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
        masks : array-like or sparse matrix of shape (n_runs, n_train)
            Booleans, or numbers that are all 0 or 1. A memory map is read once, a block
            of rows at a time.

        Returns
        -------
        packed : PackedMasks
            The same masks, packed.

        Raises
        ------
        ValueError
            If `masks` is not 2-d or an entry is neither 0 nor 1 (NaN included). The
            message names the first such entry.
        """
        masks = unmasked(masks, "masks")
        if sp.issparse(masks):
            masks = masks.tocsr()
        elif not isinstance(masks, np.ndarray):
            masks = np.asarray(masks)
        if masks.ndim != 2:
            raise ValueError(
                "Masks are a 2-d array of shape (n_runs, n_train), got shape "
                f"{masks.shape}."
            )
        n_runs, n_train = masks.shape
        bits = np.empty((n_runs, -(-n_train // 8)), dtype=np.uint8)
        for rows in row_blocks(n_runs, n_train * masks.dtype.itemsize):
            block = masks[rows].toarray() if sp.issparse(masks) else masks[rows]
            block = as_bool(block, range(n_runs)[rows])
            bits[rows] = np.packbits(block, axis=1)
        return cls(bits, n_train)

    @classmethod
    def from_indices(cls, indices, n_train):
        """Pack lists of the training examples that each run saw.

        Parameters
        ----------
        indices : sequence of array-like of int, or int array of shape (n_runs, size)
            For each run, the positions of its training examples, in any order. Lengths
            may differ.
        n_train : int
            Number of training examples.

        Returns
        -------
        packed : PackedMasks
            The masks of these runs.

        Raises
        ------
        ValueError
            If a position is not an integer from 0 to ``n_train - 1``, or a run has one
            twice. The message names the run.

        Examples
        --------
        >>> from skdatamodels.masks import PackedMasks
        >>> PackedMasks.from_indices([[0, 2], [3]], n_train=4).dense(dtype=int)
        array([[1, 0, 1, 0],
               [0, 0, 0, 1]])
        """
        bits = np.zeros((len(indices), -(-_check_n_train(n_train) // 8)), np.uint8)
        for run, own in enumerate(indices):
            own = np.asarray(own)
            own = own if own.size else own.astype(int)
            if own.ndim != 1 or own.dtype.kind not in "iu":
                raise ValueError(
                    f"The indices of run {run} must be a list of integers, got "
                    f"{own.dtype} of shape {own.shape}."
                )
            outside = (own < 0) | (own >= n_train)
            if outside.any():
                raise ValueError(
                    f"The indices of run {run} must be from 0 to n_train - 1 = "
                    f"{n_train - 1}, got {own[outside][0]}."
                )
            mask = np.zeros(n_train, bool)
            mask[own] = True
            if mask.sum() < len(own):
                raise ValueError(
                    f"Run {run} has a training example twice. A mask cannot say that: "
                    "give each index once, as by np.unique."
                )
            bits[run] = np.packbits(mask)
        return cls(bits, n_train)

    @property
    def shape(self):
        """Shape of the unpacked matrix: tuple (n_runs, n_train)."""
        return self.bits.shape[0], self.n_train

    def __len__(self):
        return self.bits.shape[0]

    def __getitem__(self, rows):
        """Return the masks of the runs given by a slice, an int or a bool array."""
        bits = self.bits[row_index(rows)]
        return PackedMasks(bits if bits.ndim == 2 else bits[None], self.n_train)

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("A dense array of packed masks is always a copy.")
        return self.dense().astype(dtype or bool, copy=False)

    def __sizeof__(self):  # dask sends objects that look small with every task
        return object.__sizeof__(self) + self.bits.nbytes

    def __repr__(self):
        return f"PackedMasks(n_runs={len(self)}, n_train={self.n_train})"

    def dense(self, rows=slice(None), dtype=bool):
        """Unpack rows into a dense array.

        Parameters
        ----------
        rows : slice, int array or bool array, default=slice(None)
            Rows to unpack; all by default.
        dtype : dtype, default=bool
            Data type of the result.

        Returns
        -------
        masks : array of shape (n_rows, n_train)
            Dense masks of these rows.
        """
        bits = np.asarray(self.bits[rows])  # a plain array, also from a memory map
        unpacked = np.unpackbits(bits, axis=-1, count=self.n_train)
        return unpacked.view(bool) if dtype is bool else unpacked.astype(dtype)

    def column_counts(self):
        """Count the runs that contain each example.

        Returns
        -------
        counts : int64 array of shape (n_train,)
            Number of runs that contain the example.
        """
        counts = np.zeros(self.n_train, dtype=np.int64)
        for rows in row_blocks(*self.shape):
            counts += self.dense(rows).sum(axis=0)
        return counts

    def T_dot(self, Y):
        """Multiply the transposed masks by a matrix: maskᵀ·Y.

        Parameters
        ----------
        Y : array of shape (n_runs, k)
            Matrix with a row for each run. A memory map is read once, a block of rows
            at a time.

        Returns
        -------
        product : float64 array of shape (n_train, k)
            The product maskᵀ·Y.
        """
        if len(Y) != len(self):
            raise ValueError(f"Y has {len(Y)} rows for {len(self)} masks.")
        product = np.zeros((self.n_train, Y.shape[1]))
        for rows in row_blocks(len(self), 8 * max(product.shape)):
            product += self.dense(rows, np.float64).T @ np.asarray(Y[rows], np.float64)
        return product

    def dot(self, coef):
        """Multiply the masks by a matrix: mask·coef.

        Parameters
        ----------
        coef : array or sparse matrix of shape (n_train, k)
            Matrix with a row for each training example. A sparse matrix is not made
            dense.

        Returns
        -------
        product : array of shape (n_runs, k)
            The product mask·coef, dense, in the dtype of `coef`.
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

        The counts are exact. A processor that counts the ones of several words at once
        counts those of the bitwise *and* of two columns. On others, tables say how many
        of four runs two columns share; see :ref:`pair_counts`.

        Parameters
        ----------
        n_jobs : int, default=None
            Number of threads, as in joblib.
        out : int32 array of shape (n_train, n_train), default=None
            Symmetric array that the counts are added to. By default, a new one.

        Returns
        -------
        counts : int32 array of shape (n_train, n_train)
            Number of runs that contain both examples; `out`, if it was given.

        Raises
        ------
        ValueError
            If `out` is not a writable int32 array of this shape.
        """
        shape = self.n_train, self.n_train
        if out is not None and not (
            isinstance(out, np.ndarray)
            and (out.shape, out.dtype) == (shape, np.int32)
            and out.flags.writeable
        ):
            raise ValueError(
                f"out must be a writable int32 array of shape {shape}, got "
                f"{type(out).__name__} of shape {np.shape(out)} and dtype "
                f"{getattr(out, 'dtype', None)}."
            )
        from skdatamodels.masks._pair_counts import fastest_pair_counter
        from skdatamodels.masks._popcount import mirror

        counter = fastest_pair_counter()
        counts = out
        if counts is None:
            counts = np.zeros(shape, dtype=np.int32)
        # Split the upper triangle into parts of nearly equal area, so that the threads
        # finish together.
        n_jobs = 1 if len(self) * self.n_train**2 < _LITTLE else n_jobs
        n_parts, n_stripes = 4 * effective_n_jobs(n_jobs), self.n_train / counter.stripe
        area = 1 - np.sqrt(1 - np.arange(n_parts + 1) / n_parts)
        edges = np.unique(np.ceil(n_stripes * area).astype(int)) * counter.stripe
        edges = np.minimum(edges, self.n_train)
        with Parallel(n_jobs=n_jobs, require="sharedmem") as parallel:
            for rows in row_blocks(len(self), counter.run_bytes(self.n_train), 64):
                bits = np.ascontiguousarray(self.bits[rows])
                packed = counter.pack(bits, self.n_train)
                parallel(
                    delayed(counter.add)(packed, start, stop, counts)
                    for start, stop in pairwise(edges)
                )
        mirror(counts)
        return counts


def _check_n_train(n_train):
    whole = isinstance(n_train, Integral) and not isinstance(n_train, bool)
    if not whole or n_train < 0:
        raise ValueError(
            "n_train must be the number of training examples, a non-negative integer, "
            f"got {n_train!r}."
        )
    return n_train


def as_masks(masks):
    """Return masks as PackedMasks, packing them if necessary.

    Parameters
    ----------
    masks : PackedMasks, array-like or sparse matrix of shape (n_runs, n_train)
        Packed masks, or another 0/1 matrix.

    Returns
    -------
    packed : PackedMasks
        `masks` itself if it is packed already.

    Raises
    ------
    ValueError
        If a dense matrix is not 2-d or has entries other than 0 and 1.

    Examples
    --------
    >>> from skdatamodels.masks import as_masks
    >>> as_masks([[1, 0, 1], [0, 1, 1]])
    PackedMasks(n_runs=2, n_train=3)
    """
    return masks if isinstance(masks, PackedMasks) else PackedMasks.from_dense(masks)


def pick_columns(packed, columns):
    """Return some columns of packed masks, bool array of shape (n_runs, n_columns)."""
    bits = packed.bits[:, columns // 8] << (columns % 8).astype(np.uint8)
    return (bits & 0x80).astype(bool)


def row_blocks(n_rows, row_bytes, multiple=1):
    """Yield slices of consecutive rows that take about 64 MiB each.

    The number of rows is a multiple of `multiple`, except in the last slice.
    """
    step = max(1, _BLOCK_BYTES // max(1, row_bytes) // multiple) * multiple
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def as_slice(rows):
    """Return consecutive rows as a slice, which needs no copy; others unchanged."""
    if not len(rows):
        return slice(0, 0)
    start, stop = int(rows[0]), int(rows[-1]) + 1
    consecutive = stop - start == len(rows) and (np.diff(rows) == 1).all()
    return slice(start, stop) if consecutive else rows


def row_index(index):
    """Return the rows of an index; scikit-learn also indexes by X[rows, ...]."""
    if not isinstance(index, tuple):
        return index
    rows, *others = index
    if not all(o is ... or (type(o) is slice and o == slice(None)) for o in others):
        raise IndexError(f"Runs are indexed by rows only, got {index}.")
    return rows


def as_bool(block, runs):
    """Return rows of 0 and 1 as booleans; `runs` names the rows in errors."""
    if block.dtype == bool:
        return block
    ones = block == 1
    wrong = ~(ones | (block == 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            "Masks must hold only 0 and 1 (or booleans), got "
            f"{block[row, column]} at run {runs[row]}, example {column}. For indices "
            "of examples use PackedMasks.from_indices, for packed bits "
            "PackedMasks(bits, n_train)."
        )
    return ones
