"""The files of a run store that hold its runs, a row for each run."""

import numpy as np

from skdatamodels.masks._packed import as_slice, row_blocks
from skdatamodels.runs._checksums import checksums
from skdatamodels.runs._growing_npy import GrowingNpy

NAMES = "masks", "seeds", "outputs", "checksums"


class RunFiles:
    """Masks, seeds, outputs and checksums of runs, each a ``.npy`` file.

    The files grow, and are written, in this order, and each is on disk before the next.
    So, whenever a process is killed, a row with a checksum is a whole run, and a row
    without is no run.

    Parameters
    ----------
    folder : Path
        Folder of the files.
    n_train, n_targets : int
        Numbers of training examples and targets.
    salt : int below 2**32
        Start value of the checksums.

    Attributes
    ----------
    masks, seeds, outputs, checksums : GrowingNpy
        The files.
    row_bytes : int
        Size of a run.

    Raises
    ------
    ValueError
        If a file is missing or damaged.
    """

    def __init__(self, folder, n_train, n_targets, salt):
        self.salt = salt
        # checksums.npy grows last, so it is opened first
        for name in reversed(NAMES):
            setattr(self, name, GrowingNpy(folder / f"{name}.npy"))
        self._files = self.masks, self.seeds, self.outputs, self.checksums
        self.row_bytes = sum(file.row_bytes for file in self._files)
        n_rows = self.checksums.n_rows
        for file, row in zip(self._files, _rows(n_train, n_targets), strict=True):
            found = file.row_shape, file.dtype
            if found != row or file.n_rows < n_rows:
                raise ValueError(
                    f"{file.path} is damaged: it has {file.n_rows} rows of {found}, "
                    f"expected {n_rows} rows of {row}."
                )

    @staticmethod
    def create(folder, n_train, n_targets):
        """Create the files, without rows."""
        for name, row in zip(NAMES, _rows(n_train, n_targets), strict=True):
            GrowingNpy.create(folder / f"{name}.npy", *row)

    def done(self):
        """Return which rows are runs, bool array of shape (n_rows,)."""
        return self.checksums.load() != 0

    def write(self, rows, bits, seeds, outputs):
        """Write runs to some rows, an int array; see `checksums` for the others."""
        content = bits, seeds, outputs, checksums(rows, bits, seeds, outputs, self.salt)
        for file in self._files:
            file.grow(int(rows.max()) + 1)
        for file, values in zip(self._files, content, strict=True):
            file.write(rows, values)

    def discard(self, rows):
        """Make no runs of some rows."""
        self.checksums.write(rows, np.zeros(len(rows)))

    def read(self, rows):
        """Return bits, seeds and outputs of some rows, an int array or a slice."""
        # If a process was killed while the files grew, their lengths may differ.
        n_rows = self.checksums.n_rows
        return tuple(file.read()[:n_rows][rows] for file in self._files[:-1])

    def damaged(self, rows):
        """Return those of some runs that have changed since they were written."""
        stored = self.checksums.load()
        content = [file.read() for file in self._files[:-1]]
        found = np.zeros(len(rows), dtype=bool)
        for block in row_blocks(len(rows), self.row_bytes):
            part = as_slice(rows[block])
            parts = (array[part] for array in content)
            found[block] = stored[part] != checksums(rows[block], *parts, self.salt)
        return rows[found]


def _rows(n_train, n_targets):
    """Return row shape and dtype of each file."""
    return [
        ((-(-n_train // 8),), np.dtype(np.uint8)),
        ((), np.dtype(np.uint32)),
        ((n_targets,), np.dtype(np.float32)),
        ((), np.dtype(np.uint32)),
    ]
