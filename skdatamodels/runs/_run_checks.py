"""Checks of the runs that a store is given, and that it holds."""

import numpy as np

from skdatamodels._numbers import as_real, unmasked
from skdatamodels.masks._designs import check_run_ids
from skdatamodels.masks._packed import as_slice, row_blocks
from skdatamodels.runs._growing_npy import may_hold_rows
from skdatamodels.runs._meta import HOW_TO_RESTORE, META
from skdatamodels.runs._paths import check_link
from skdatamodels.runs._room import check_ids
from skdatamodels.runs._training_runs import TrainingRuns


def check_no_runs(folder, arrays, failures):
    """Raise ValueError if files of a folder without ``meta.json`` may be of runs."""
    for name in arrays:
        check_link(folder / name)
    kept = [name for name in arrays if may_hold_rows(folder / name)]
    kept += [failures] * (folder / failures).exists()
    if kept:
        raise ValueError(
            f"{META} is missing in {folder}, whose {', '.join(kept)} may contain runs. "
            f"{HOW_TO_RESTORE} To train everything again, choose another folder."
        )


def check_new_runs(store, rows, masks, seeds, outputs):
    """Validate runs that are to be written; return rows (int64) and TrainingRuns."""
    rows, seeds = check_run_ids(rows), np.asarray(unmasked(seeds, "seeds"))
    check_ids(rows)
    with np.errstate(over="ignore"):
        outputs = as_real(outputs, "outputs").astype(np.float32, copy=False)
    integers = seeds.dtype.kind in "iu" and seeds.ndim == 1
    if not integers or not ((seeds >= 0) & (seeds < 2**32)).all():
        raise ValueError(
            f"Seeds must be integers from 0 to 2**32 - 1, one per run, got {seeds}."
        )
    runs = TrainingRuns(masks, outputs, seeds=seeds)
    if (runs.n_train, runs.n_targets) != (store.n_train, store.n_targets):
        raise ValueError(
            f"{store.path} has runs with n_train={store.n_train} and n_targets="
            f"{store.n_targets}, got {runs.n_train} and {runs.n_targets}."
        )
    if len(rows) != len(runs):
        raise ValueError(f"Got {len(rows)} rows for {len(runs)} runs.")
    if not np.isfinite(runs.outputs).all():
        run, target = np.argwhere(~np.isfinite(runs.outputs))[0]
        raise ValueError(
            f"The output for row {rows[run]}, target {target} is "
            f"{runs.outputs[run, target]}: only finite outputs are stored."
        )
    return rows, runs


def check_undamaged(store, rows):
    """Raise ValueError if rows of a store are not finished, or have changed."""
    missing = np.unique(np.asarray(rows, dtype=np.int64)[~store.done(rows)])
    if missing.size:
        raise ValueError(
            f"{missing.size} of {len(rows)} rows of {store.path} are not done, "
            f"among them {missing[:5].tolist()}."
        )
    damaged = store.damaged(rows)
    if not damaged.size:
        return
    cure = (
        "Discard them: store = RunStore(path); store.discard(store.damaged()). "
        "They are trained again when they are next requested."
    )
    if damaged.size == len(rows) > 1:
        cure = (
            f"As all of them are damaged, {META} may belong to another "
            f"configuration: if so, restore the right one. {cure}"
        )
    raise ValueError(
        f"{damaged.size} of {len(rows)} runs in {store.path} are damaged, among "
        f"them rows {damaged[:5].tolist()}: they differ from what was written "
        f"with this configuration. {cure}"
    )


def check_expected(path, rows, stored, expected):
    """Raise ValueError if rows hold other masks or seeds than expected.

    Parameters
    ----------
    path : Path
        Folder of the store.
    rows : int array of shape (n,)
        Rows to compare.
    stored : (uint8 array of shape (n_rows, n_bytes), uint32 array of shape (n_rows,))
        Packed masks and seeds of all rows.
    expected : (PackedMasks of shape (n, n_train), uint32 array of shape (n,))
        Masks and seeds that `rows` must have.
    """
    (bits, all_seeds), (masks, seeds) = stored, expected
    rows = np.asarray(rows)
    other = all_seeds[rows] != seeds
    for block in row_blocks(len(rows), 2 * bits.shape[1]):
        part = as_slice(rows[block])
        other[block] |= (bits[part] != masks.bits[block]).any(axis=1)
    if other.any():
        raise ValueError(
            f"{other.sum()} of {len(rows)} runs in {path} have other masks or "
            "seeds than those drawn for them now, among them rows "
            f"{rows[other][:5].tolist()}: the seed in {META} has changed, or "
            "another version of skdatamodels drew the masks. Restore the original "
            f"{META}, or choose another folder."
        )
