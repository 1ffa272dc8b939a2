"""A ``.npy`` file whose first axis grows in place."""

import os

import numpy as np
from numpy.lib import format as npy

from skdatamodels.runs._open_npy import read_header
from skdatamodels.runs._paths import check_link

_HEADER_BYTES = 128  # of every file made here, since numpy pads headers


class GrowingNpy:
    """A ``.npy`` file whose rows are written by position and which can grow.

    Rows are not written through a memory map, because on a full disk a map kills the
    process with SIGBUS, while a write raises `OSError`.
    """

    def __init__(self, path):
        self.path = path
        try:
            check_link(path)
            header = read_header(path)
            if header.version != (1, 0):
                raise ValueError("it is not a .npy file of version 1.0")
            self.n_rows, *row_shape = header.shape
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}.") from error
        self.dtype, self._offset = header.dtype, header.offset
        self.row_shape = tuple(row_shape)
        self.row_bytes = self.dtype.itemsize * int(np.prod(self.row_shape))
        if header.fortran_order or os.path.getsize(path) < header.n_bytes:
            raise ValueError(
                f"{path} is damaged: by its header, it has {self.n_rows} rows "
                f"({header.n_bytes} bytes), but it has {os.path.getsize(path)} bytes."
            )

    @classmethod
    def create(cls, path, row_shape, dtype):
        """Create a file without rows."""
        with open(path, "wb") as file:
            npy.write_array_header_1_0(file, _header((0, *row_shape), dtype))
        return cls(path)

    def grow(self, n_rows):
        """Extend the file to `n_rows` rows; new rows are zeros.

        The file is extended before its header is updated, so that the header is never
        ahead of the file. numpy pads headers, so that the new header fits in place.
        """
        if n_rows <= self.n_rows:
            return
        with open(self.path, "r+b") as file:
            file.truncate(self._offset + n_rows * self.row_bytes)
            npy.write_array_header_1_0(
                file, _header((n_rows, *self.row_shape), self.dtype)
            )
            if file.tell() != self._offset:
                raise RuntimeError(f"The new header of {self.path} does not fit.")
        self.n_rows = n_rows

    def write(self, rows, values):
        """Write some rows, and wait until they are on disk.

        Parameters
        ----------
        rows : int array of shape (n,)
            Row numbers.
        values : array of shape ``(n, *row_shape)``
            Content of these rows.
        """
        values = np.ascontiguousarray(values, dtype=self.dtype)
        with open(self.path, "r+b", buffering=0) as file:
            # one write for each block of consecutive rows
            starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
            for part in np.split(np.arange(len(rows)), starts[1:]):
                file.seek(self._offset + int(rows[part[0]]) * self.row_bytes)
                _write_all(file, values[part[0] : part[-1] + 1])
            os.fsync(file.fileno())

    def read(self):
        """Return all rows as a read-only memory map (an array if there are none)."""
        if self.n_rows == 0:
            return np.empty((0, *self.row_shape), self.dtype)
        return np.memmap(
            self.path, self.dtype, "r", self._offset, (self.n_rows, *self.row_shape)
        )

    def load(self):
        """Return all rows as an array in memory.

        Rows that were never written may take no disk space. If a file system in memory
        is full, reading such rows through a memory map kills the process.
        """
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            content = file.read(self.n_rows * self.row_bytes)
        return np.frombuffer(content, self.dtype).reshape(self.n_rows, *self.row_shape)


def may_hold_rows(path):
    """Tell whether a file is longer than `create` makes it."""
    return os.path.exists(path) and os.path.getsize(path) > _HEADER_BYTES


def _header(shape, dtype):
    descr = npy.dtype_to_descr(np.dtype(dtype))
    return {"descr": descr, "fortran_order": False, "shape": shape}


def _write_all(file, values):
    view = memoryview(values).cast("B")
    while view:  # the system may write only a part at a time
        view = view[file.write(view) :]
