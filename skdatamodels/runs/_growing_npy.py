"""A ``.npy`` file whose first axis grows in place."""

import os

import numpy as np
from numpy.lib import format as npy

from skdatamodels.runs._open_npy import read_header
from skdatamodels.runs._paths import check_link

_HEADER_BYTES = 128  # of any file made here, for numpy pads headers


class GrowingNpy:
    """Rows of a ``.npy`` file, written by position and never half-announced.

    Numbers are written to the file and not through a memory map: on a full disk a map
    kills the process with SIGBUS, a write raises `OSError`.
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
                f"{path} is damaged: its header promises {self.n_rows} rows "
                f"({header.n_bytes} bytes), the file has {os.path.getsize(path)} bytes."
            )

    @classmethod
    def create(cls, path, row_shape, dtype):
        """Make a file with no rows."""
        with open(path, "wb") as file:
            npy.write_array_header_1_0(file, _header((0, *row_shape), dtype))
        return cls(path)

    def grow(self, n_rows):
        """Make room for `n_rows` rows; new ones read as zeros.

        The file is made longer before its header says so. numpy pads headers so that
        a growing first axis always fits in place.
        """
        if n_rows <= self.n_rows:
            return
        with open(self.path, "r+b") as file:
            file.truncate(self._offset + n_rows * self.row_bytes)
            npy.write_array_header_1_0(
                file, _header((n_rows, *self.row_shape), self.dtype)
            )
            if file.tell() != self._offset:
                raise RuntimeError(f"The header of {self.path} does not fit in place.")
        self.n_rows = n_rows

    def write(self, rows, values):
        """Write some rows, and wait until they are on disk.

        Parameters
        ----------
        rows : int array of shape (n,)
        values : array of shape ``(n, *row_shape)``
        """
        values = np.ascontiguousarray(values, dtype=self.dtype)
        with open(self.path, "r+b", buffering=0) as file:
            # one write for each stretch of consecutive rows
            starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
            for part in np.split(np.arange(len(rows)), starts[1:]):
                file.seek(self._offset + int(rows[part[0]]) * self.row_bytes)
                _write_all(file, values[part[0] : part[-1] + 1])
            os.fsync(file.fileno())

    def read(self):
        """Return all rows as a read-only memory map (an array when there are none)."""
        if self.n_rows == 0:
            return np.empty((0, *self.row_shape), self.dtype)
        return np.memmap(
            self.path, self.dtype, "r", self._offset, (self.n_rows, *self.row_shape)
        )

    def load(self):
        """Return all rows as an array in memory.

        Rows that were never written may have no place on a full disk. In a file system
        that lives in memory it is fatal to touch them in a memory map.
        """
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            content = file.read(self.n_rows * self.row_bytes)
        return np.frombuffer(content, self.dtype).reshape(self.n_rows, *self.row_shape)


def may_hold_rows(path):
    """Tell whether a file is longer than one that `create` has made or begun."""
    return os.path.exists(path) and os.path.getsize(path) > _HEADER_BYTES


def _header(shape, dtype):
    descr = npy.dtype_to_descr(np.dtype(dtype))
    return {"descr": descr, "fortran_order": False, "shape": shape}


def _write_all(file, values):
    view = memoryview(values).cast("B")
    while view:  # the system may take a part at a time
        view = view[file.write(view) :]
