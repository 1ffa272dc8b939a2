"""Import and export of runs in the layout of the paper's authors.

The layout is a folder with ``masks.npy`` (bool, (n_runs, n_train)), ``margins.npy``
(float16 or float32, (n_runs, n_targets)) and ``_completed.npy`` (bool, (n_runs,)). An
export also has ``output.json``, which describes the outputs in ``margins.npy``.
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

    Parameters
    ----------
    path_masks : path-like
        File of the masks.
    path_margins : path-like
        File of the margins.

    Returns
    -------
    masks : memory map of shape (n_runs, n_train)
        The masks.
    margins : memory map of shape (n_runs, n_targets)
        The margins.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is damaged or not 2-d, or the numbers of runs differ.
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

    The files are memory-mapped and read once, a block at a time. If there is a file
    ``_completed.npy``, only the runs that it marks are imported.

    Parameters
    ----------
    folder : path-like
        Folder with ``masks.npy``, ``margins.npy`` and optionally ``_completed.npy`` and
        ``output.json``. Without ``output.json``, the outputs are margins.
    path : path-like
        Folder of the new store.
    configuration : dict, default=None
        A description of how the runs were made.

    Returns
    -------
    store : RunStore
        The new store.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    FileExistsError
        If `path` exists and is not an empty folder.
    ValueError
        If a file is damaged or incomplete, the numbers of runs in the files differ,
        masks or ``_completed.npy`` are not 0/1, margins are not numbers, or a completed
        run has a margin that is not finite (float16 overflows at 65,504).
    OSError
        If there is not enough disk space for the store.

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
        raise FileExistsError(f"{path} already exists; choose a new folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # The store is renamed to its path only when it is complete.
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
            path.rmdir()  # it is empty, but Windows cannot replace a folder
        os.replace(store.path, path)
    return RunStore(path)


def _completed(path, n_runs):
    """Return which runs to import (bool array): those that an optional file marks."""
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
            f"{path} must contain one boolean, 0 or 1 for each run, got {marks.dtype}: "
            f"{np.unique(marks)[-5:]}."
        )
    return marks.ravel() == 1


def _output(path):
    """Return the OutputInfo of a folder; margins if there is no such file."""
    if not path.exists():
        return info_of_output("margin")
    try:
        return OutputInfo(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} does not describe the outputs: {error}. It must contain an object "
            "with name, unit and higher_is_better (true, false or null). Without the "
            "file, outputs are assumed to be margins."
        ) from error


def export_released(runs, folder):
    """Write runs in the authors' layout.

    The outputs are written to ``margins.npy`` as float32, and described in
    ``output.json``. Each file is renamed to its final name only when it is complete.

    Parameters
    ----------
    runs : TrainingRuns
        Runs to write.
    folder : path-like
        Folder to write to. It is created if it does not exist.

    Raises
    ------
    FileExistsError
        If one of the files already exists.

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
            raise FileExistsError(f"{folder / name} already exists.")
    write_atomically(folder / _OUTPUT, json.dumps(asdict(runs.output_info)))
    contents = (runs.packed, runs.outputs, np.isfinite(runs.outputs).all(axis=1))
    for name, rows, dtype in zip(_FILES, contents, (bool, "<f4", bool), strict=True):
        temporary = folder / (name + ".tmp")
        file = GrowingNpy.create(temporary, np.shape(rows)[1:], dtype)
        file.grow(len(rows))
        for block in row_blocks(len(rows), file.row_bytes):
            file.write(np.arange(len(rows))[block], np.asarray(rows[block]))
        os.replace(temporary, folder / name)
