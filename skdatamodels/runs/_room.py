"""Whether a disk has room, told before the work and not after it."""

import errno
import shutil

import numpy as np

# Checksums are read whole, 4 bytes a row.
MAX_ROWS = 10**8


def check_free(folder, n_bytes, what):
    """Raise OSError if `what` takes more bytes than are free on the disk."""
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < n_bytes:  # some file systems know neither
        raise OSError(
            errno.ENOSPC,
            f"{what} needs {n_bytes} bytes on disk, {disk.free} are free",
            str(folder),
        )


def check_ids(rows):
    """Raise ValueError if a row is beyond what a store can have."""
    if np.max(rows, initial=0) >= MAX_ROWS:
        raise ValueError(
            f"Run {np.max(rows)} cannot be stored: a run's id is its place in the files"
            f" of a store, so ids must be below {MAX_ROWS}. Number runs from 0, or "
            "train them without a store."
        )


def check_length(folder, rows, row_bytes):
    """Raise ValueError if files that reach to these rows would be longer than the disk.

    They could still be made, of holes, but hardly be copied.
    """
    n_bytes, total = (
        (int(np.max(rows)) + 1) * row_bytes,
        shutil.disk_usage(folder).total,
    )
    if 0 < total < n_bytes:
        raise ValueError(
            f"Run {np.max(rows)} cannot be stored in {folder}: a run's id is its place "
            f"in the files, which would then be {n_bytes} bytes long, and the disk has "
            f"{total}. Number runs from 0, or train them without a store."
        )
