"""Runs that are in the data twice."""

from hashlib import blake2b

import numpy as np

from skdatamodels.masks._packed import row_blocks


def copied_runs(masks, outputs):
    """Find runs with the masks and the outputs of an earlier run.

    Parameters
    ----------
    masks : PackedMasks of shape (n_runs, n_train)
        May be a memory map; it is read once.
    outputs : array of shape (n_runs, n_targets)
        Outputs; only those of equal masks are read.

    Returns
    -------
    copies, originals : int arrays of shape (n_copies,)
        Each copy, in order, and the first run that it equals.
    """
    runs_of = {}
    for rows in row_blocks(*masks.bits.shape):
        for run, row in zip(range(len(masks))[rows], masks.bits[rows], strict=True):
            digest = blake2b(row.tobytes(), digest_size=16).digest()
            runs_of.setdefault(digest, []).append(run)
    found = []
    for runs in runs_of.values():
        first = {}
        for run in runs if len(runs) > 1 else ():
            original = first.setdefault(np.asarray(outputs[run]).tobytes(), run)
            if original != run:
                found.append((run, original))
    copies, originals = np.array(sorted(found), int).reshape(-1, 2).T
    return copies, originals
