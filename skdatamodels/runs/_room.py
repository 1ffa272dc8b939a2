"""Checks that a disk has enough space, made before the work starts."""

import errno
import shutil

import numpy as np

# All checksums are read into memory, 4 bytes a row.
MAX_ROWS = 10**8


def check_free(folder, n_bytes, what):
    """Raise OSError if `what` needs more bytes than are free on the disk."""
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < n_bytes:  # some file systems report 0 for both
        raise OSError(
            errno.ENOSPC,
            f"{what} needs {n_bytes} bytes on disk, but only {disk.free} are free",
            str(folder),
        )


def check_ids(rows):
    """Raise ValueError if a row exceeds the maximum of a store."""
    if np.max(rows, initial=0) >= MAX_ROWS:
        raise ValueError(
            f"Run {np.max(rows)} cannot be stored: the id of a run is its row in the "
            f"files of a store, so ids must be below {MAX_ROWS}. Number runs from 0, "
            "or train them without a store."
        )


def check_length(folder, rows, row_bytes):
    """Raise ValueError if files with these rows would be longer than the disk.

    They could be created as sparse files, but hardly be copied.
    """
    n_bytes, total = (
        (int(np.max(rows)) + 1) * row_bytes,
        shutil.disk_usage(folder).total,
    )
    if 0 < total < n_bytes:
        raise ValueError(
            f"Run {np.max(rows)} cannot be stored in {folder}: the id of a run is its "
            f"row in the files, which would be {n_bytes} bytes long, but the disk has "
            f"{total}. Number runs from 0, or train them without a store."
        )
