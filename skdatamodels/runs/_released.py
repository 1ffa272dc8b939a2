"""Import and export of runs in the layout of the paper's authors.

A folder with ``masks.npy`` (bool, (n_runs, n_train)), ``margins.npy`` (float16 or
float32, (n_runs, n_targets)) and ``_completed.npy`` (bool, (n_runs,)). An export has
``output.json`` besides, which says what ``margins.npy`` holds.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from skdatamodels._files import write_atomically
from skdatamodels.masks._packed import as_bool, row_blocks
from skdatamodels.outputs import OutputInfo, info_of_output
from skdatamodels.runs._growing_npy import GrowingNpy
from skdatamodels.runs._open_npy import open_npy
from skdatamodels.runs._paths import absolute, check_link
from skdatamodels.runs._store import RunStore

_FILES = ("masks.npy", "margins.npy", "_completed.npy")
_OUTPUT = "output.json"


def open_released(path_masks, path_margins):
    """Memory-map masks and margins in the authors' layout.

    Returns
    -------
    masks : memory map of shape (n_runs, n_train)
    margins : memory map of shape (n_runs, n_targets)

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged or not 2-d, or they differ in the number of runs.
    """
    masks, margins = open_npy(path_masks), open_npy(path_margins)
    if masks.ndim != 2 or margins.ndim != 2:
        raise ValueError(
            f"{path_masks} and {path_margins} must be 2-d, got shapes {masks.shape} "
            f"and {margins.shape}."
        )
    if len(masks) != len(margins):
        raise ValueError(
            f"{path_masks} and {path_margins} disagree on the number of runs: "
            f"{len(masks)} masks, {len(margins)} margins."
        )
    return masks, margins


def import_released(folder, path, *, configuration=None):
    """Make a RunStore from runs in the authors' layout.

    The files are memory-mapped and read once, a block at a time. Runs that
    ``_completed.npy`` does not mark are left out; without that file all count.

    Parameters
    ----------
    folder : path-like
        Holds ``masks.npy``, ``margins.npy`` and perhaps ``_completed.npy``. Outputs are
        margins, unless ``output.json`` says otherwise.
    path : path-like
        Where to make the store.
    configuration : dict, optional
        A note on how the runs were made.

    Returns
    -------
    store : RunStore

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    FileExistsError
        If `path` is there already and is no empty folder.
    ValueError
        If a file is damaged or cut short, the files disagree on the number of runs,
        masks or ``_completed.npy`` are not 0/1, margins are no numbers, or a completed
        run has a margin that is not finite (float16 overflows at 65,504).
    OSError
        If there is not enough space for the store.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdatamodels.runs import import_released
    >>> folder = tempfile.TemporaryDirectory()
    >>> np.save(folder.name + "/masks.npy", np.array([[True, False], [False, True]]))
    >>> np.save(folder.name + "/margins.npy", np.array([[0.5], [-2]], dtype=np.float16))
    >>> import_released(folder.name, folder.name + "/store").runs().outputs
    memmap([[ 0.5],
            [-2. ]], dtype=float32)
    >>> folder.cleanup()
    """
    folder, path = absolute(folder), absolute(path)
    masks, margins = open_released(*(folder / name for name in _FILES[:2]))
    completed = _completed(folder / _FILES[2], len(masks))
    output = _output(folder / _OUTPUT)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(f"{path} is there already; choose a new folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # It gets its name only when all runs are in.
    with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as part:
        store = RunStore.create(
            Path(part, "store"),
            masks.shape[1],
            margins.shape[1],
            configuration=configuration,
            output=output,
        )
        store.check_room(np.flatnonzero(completed))
        for rows in row_blocks(len(masks), masks.shape[1] + 4 * margins.shape[1]):
            kept = rows.start + np.flatnonzero(completed[rows])
            unseeded = np.zeros(len(kept), dtype=np.uint32)
            store.write(kept, as_bool(masks[kept], kept), unseeded, margins[kept])
        with suppress(FileNotFoundError):
            path.rmdir()  # it is empty, but Windows would not replace it
        os.replace(store.path, path)
    return RunStore(path)


def _completed(path, n_runs):
    """Return which runs count (bool array): those marked in a file, if it is there."""
    check_link(path)
    if not path.exists():
        return np.ones(n_runs, dtype=bool)
    marks = open_npy(path)
    if marks.size != n_runs:
        raise ValueError(
            f"The files in {path.parent} disagree on the number of runs: {n_runs} masks"
            f", {marks.size} in {path.name}."
        )
    if marks.dtype.kind not in "biuf" or not np.isin(marks, (0, 1)).all():
        raise ValueError(
            f"{path} must hold booleans, or 0 and 1, one a run, got {marks.dtype}: "
            f"{np.unique(marks)[-5:]}."
        )
    return marks.ravel() == 1


def _output(path):
    """Return what the outputs of a folder measure: margins, if nothing says so."""
    if not path.exists():
        return info_of_output("margin")
    try:
        return OutputInfo(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} does not say what the outputs are: {error}. It holds an object "
            "with name, unit and higher_is_better (true, false or null). Without the "
            "file, outputs are taken to be margins."
        ) from error


def export_released(runs, folder):
    """Write runs in the authors' layout; outputs as float32, in ``margins.npy``.

    ``output.json`` says what the outputs are. Each file gets its name only when it is
    complete.

    Parameters
    ----------
    runs : TrainingRuns
    folder : path-like
        Made if it does not exist.

    Raises
    ------
    FileExistsError
        If one of the files is there already.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdatamodels import TrainingRuns
    >>> from skdatamodels.runs import export_released
    >>> runs = TrainingRuns([[1, 0], [0, 1]], np.array([[0.5], [-2.0]]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_released(runs, folder)
    ...     np.load(folder + "/masks.npy")
    array([[ True, False],
           [False,  True]])
    """
    folder = absolute(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*_FILES, _OUTPUT):
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} is there already.")
    write_atomically(folder / _OUTPUT, json.dumps(asdict(runs.output_info)))
    contents = (runs.packed, runs.outputs, np.isfinite(runs.outputs).all(axis=1))
    for name, rows, dtype in zip(_FILES, contents, (bool, "<f4", bool), strict=True):
        temporary = folder / (name + ".tmp")
        file = GrowingNpy.create(temporary, np.shape(rows)[1:], dtype)
        file.grow(len(rows))
        for block in row_blocks(len(rows), file.row_bytes):
            file.write(np.arange(len(rows))[block], np.asarray(rows[block]))
        os.replace(temporary, folder / name)
