"""A checksum for each run, which tells whether it is as it was written."""

from zlib import crc32

import numpy as np


def checksums(rows, bits, seeds, outputs, salt=0):
    """Return the checksum of each run: CRC-32 of its row, seed, mask and outputs.

    The number of the row takes part, so that a run in another run's place shows.

    Parameters
    ----------
    rows : int array of shape (n,)
    bits : uint8 array of shape (n, n_bytes)
    seeds : uint32 array of shape (n,)
    outputs : float32 array of shape (n, n_targets)
    salt : int below 2**32, default=0
        What the sums start from: another store has another, so that its runs show.

    Returns
    -------
    sums : uint32 array of shape (n,)
        Never 0, which stands for no run.
    """
    names = np.empty((len(rows), 3), "<u4")
    names[:, :2] = np.asarray(rows, "<i8")[:, None].view("<u4")
    names[:, 2] = seeds
    parts = (names, np.ascontiguousarray(bits), np.ascontiguousarray(outputs))
    sums = [
        crc32(output, crc32(mask, crc32(name, salt)))
        for name, mask, output in zip(*parts, strict=True)
    ]
    return np.maximum(np.array(sums, dtype=np.uint32), 1)
