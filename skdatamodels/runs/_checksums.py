"""A checksum for each run, which detects changes after it was written."""

from zlib import crc32

import numpy as np


def checksums(rows, bits, seeds, outputs, salt=0):
    """Return the checksum of each run: CRC-32 of its row, seed, mask and outputs.

    The row number is included to detect a run in the wrong row.

    Parameters
    ----------
    rows : int array of shape (n,)
        Row numbers of the runs.
    bits : uint8 array of shape (n, n_bytes)
        Packed masks.
    seeds : uint32 array of shape (n,)
        Training seeds.
    outputs : float32 array of shape (n, n_targets)
        Outputs.
    salt : int below 2**32, default=0
        Start value of the checksums. It differs between configurations, to detect runs
        of another store.

    Returns
    -------
    sums : uint32 array of shape (n,)
        Checksums; never 0, which means that there is no run.
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
