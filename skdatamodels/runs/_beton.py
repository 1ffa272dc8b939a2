"""Runs in FFCV's ``.beton`` files, the format of the authors' regression.

A sample is a run, with fields ``mask`` (bool, n_train), ``targets`` (float32,
n_targets) and ``idx`` (int). FFCV parses and writes the file, but its Loader is not
used: it compiles at each start, changes the number of threads of torch and numba, and
hangs after an error in one of its threads. Its only advantage is a shuffled order,
which a regression on moments does not need.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import as_bool, row_blocks
from skdatamodels.runs._paths import absolute
from skdatamodels.runs._room import check_free
from skdatamodels.runs._training_runs import TrainingRuns, check_no_infinity


def read_beton(path):
    """Read runs from an FFCV file.

    Parameters
    ----------
    path : path-like
        ``.beton`` file with fields ``mask`` (bool or 0/1 uint8), ``targets`` (floats)
        and ``idx`` (int), as written by the authors' packages fast_l1 and datamodels.

    Returns
    -------
    runs : TrainingRuns
        Runs in the order of ``idx``. Masks are packed block by block. Outputs are read
        into memory, in the dtype of the file.

    Raises
    ------
    ImportError
        If FFCV is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not an FFCV file with these fields, is incomplete, repeats an
        ``idx``, or has an infinite output or a mask entry other than 0 and 1.

    See Also
    --------
    write_beton : Write such a file.

    Examples
    --------
    >>> from skdatamodels.runs import read_beton
    >>> read_beton("regression_data.beton")  # doctest: +SKIP
    TrainingRuns(n_runs=100000, n_train=50000, n_targets=10000)
    """
    path = absolute(path)
    reader = _open_beton(path)
    mask, targets = reader.handlers["mask"], reader.handlers["targets"]
    names = dict(zip(reader.handlers, reader.metadata.dtype.names, strict=True))
    samples = np.sort(reader.metadata, order=names["idx"])
    ids = samples[names["idx"]]
    if (ids[1:] == ids[:-1]).any():
        raise ValueError(f"{path} has run {ids[:-1][ids[1:] == ids[:-1]][0]} twice.")
    masks = _Rows(path, mask, samples[names["mask"]])
    rows_of_outputs = _Rows(path, targets, samples[names["targets"]])
    n_train, n_targets = masks.n_columns, rows_of_outputs.n_columns
    bits = np.empty((len(ids), -(-n_train // 8)), np.uint8)
    outputs = np.empty((len(ids), n_targets), targets.dtype)
    for rows in row_blocks(len(ids), masks.size + rows_of_outputs.size):
        bits[rows] = np.packbits(as_bool(masks[rows], ids[rows]), axis=1)
        outputs[rows] = rows_of_outputs[rows]
    check_no_infinity(outputs, path)
    return TrainingRuns(PackedMasks(bits, n_train), outputs)


def write_beton(runs, path, *, timeout=3600):
    """Write runs to an FFCV file that the authors' regression can read.

    FFCV writes the file in a separate process, because its writer hangs after an error
    in one of its workers, and may hang on a lock of numba after a Loader was used. The
    runs are passed in temporary files next to `path`. The file is renamed to `path`
    only when it is complete.

    Parameters
    ----------
    runs : TrainingRuns
        Runs to write. Outputs are written as float32, and row numbers as ``idx``.
    path : path-like
        File to write.
    timeout : float, default=3600
        Number of seconds after which the writer is stopped.

    Raises
    ------
    ImportError
        If FFCV is not installed.
    FileExistsError
        If `path` already exists.
    ValueError
        If there are no runs.
    OSError
        If there is not enough disk space for the file and the temporary files.
    TimeoutError
        If the writer does not finish in time. It is stopped, and no file is left.
    RuntimeError
        If FFCV fails. The message ends with the last lines that FFCV printed.

    See Also
    --------
    read_beton : Read such a file.

    Examples
    --------
    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.runs import write_beton
    >>> runs, _ = make_linear_runs()
    >>> write_beton(runs, "regression_data.beton")  # doctest: +SKIP
    """
    path = absolute(path)
    if path.exists():
        raise FileExistsError(f"{path} already exists.")
    if not len(runs):
        raise ValueError("There are no runs to write.")
    import_ffcv()
    _check_space(runs, path)
    with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as part:
        np.save(Path(part, "bits.npy"), runs.packed.bits)
        np.save(Path(part, "outputs.npy"), runs.outputs)
        module = "skdatamodels.runs._beton_writer"
        _run([sys.executable, "-m", module, part, str(runs.n_train)], part, timeout)
        os.replace(Path(part, "runs.beton"), path)


def _check_space(runs, path):
    # The writer would hang on a full disk. It reads packed masks and outputs in their
    # own dtype, and writes bool and float32 in pages of 8 MiB.
    row_bytes = runs.n_train * 9 // 8 + (runs.outputs.itemsize + 4) * runs.n_targets
    check_free(path.parent, len(runs) * row_bytes + 2**25, f"To write {path}")


def _run(command, folder, timeout):
    """Run FFCV's writer; stop it and its workers if it takes too long."""
    log = Path(folder, "log")
    with (
        open(log, "w") as file,
        subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True
        ) as process,
    ):
        try:
            process.wait(timeout)
        except BaseException as error:
            # Not SIGKILL: Python's resource tracker survives SIGTERM and frees the
            # memory that the workers share.
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGTERM)
            else:  # Windows has no process groups
                process.terminate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError(
                    f"FFCV's writer did not finish in {timeout} s and was stopped: "
                    f"{_tail(log)}"
                ) from error
            raise
    if process.returncode:
        raise RuntimeError(f"FFCV's writer failed: {_tail(log)}")


def _tail(log):
    return log.read_text(errors="replace")[-2000:].strip() or "it printed nothing"


def open_reader(path):
    """Return FFCV's reader of a file; raise if the file is invalid or incomplete."""
    ffcv = import_ffcv()
    try:
        reader = ffcv.reader.Reader(os.fspath(path))
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is incomplete, or is not a file that FFCV can read: {error}."
        ) from error
    if not reader.header["alloc_table_ptr"]:  # written last
        raise ValueError(f"{path} is incomplete: its writer did not finish.")
    return reader


def _open_beton(path):
    """Return FFCV's reader of a file of runs."""
    reader = open_reader(path)
    fields = reader.handlers
    if not (
        _is_row(fields.get("mask"), "bu")
        and _is_row(fields.get("targets"), "f")
        and getattr(fields.get("idx"), "metadata_type", None) == np.int64
    ):
        found = (f"{name} = {type(f).__name__} {vars(f)}" for name, f in fields.items())
        raise ValueError(
            f"{path} must have the fields mask (a row of bool or uint8), targets (a row"
            f" of floats) and idx (an int); it has {', '.join(found)}."
        )
    return reader


def _is_row(field, kinds):
    return len(getattr(field, "shape", ())) == 1 and field.dtype.kind in kinds


def import_ffcv():
    """Import FFCV; undo its setting of torch and numba to one thread."""
    try:
        import numba
        import torch

        n_torch, n_numba = torch.get_num_threads(), numba.get_num_threads()
        try:
            import ffcv.reader
        finally:
            torch.set_num_threads(n_torch)
            numba.set_num_threads(n_numba)
    except ImportError as error:
        raise ImportError(
            'FFCV files need FFCV: pip install "skdatamodels[ffcv]". It is compiled '
            "during installation; see the user guide, Data from elsewhere."
        ) from error
    return ffcv


class _Rows:
    """Rows of an array field, which may be anywhere in the file, in any order."""

    def __init__(self, path, field, starts):
        self.content = np.asarray(np.memmap(path, np.uint8, "r"))
        self.dtype, self.size = field.dtype, int(field.element_size)
        self.n_columns = int(field.shape[0])
        self.starts = starts.astype(np.int64)

    def __getitem__(self, rows):
        starts = self.starts[rows].tolist()
        values = np.empty((len(starts), self.size), np.uint8)
        for row, start in enumerate(starts):
            values[row] = self.content[start : start + self.size]
        return values.view(self.dtype)
