"""Runs in FFCV's ``.beton`` files, as the authors' regression reads and writes them.

A sample is a run, with fields ``mask`` (bool, n_train), ``targets`` (float32,
n_targets) and ``idx`` (int). FFCV parses the file, and writes it; its Loader is not
used: it compiles at each start, sets the number of threads of torch and numba, and an
error in one of its threads never ends. What it would add to plain reading is a shuffled
order, for which a regression on moments has no use.
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
        and ``idx`` (int), as the writers in the authors' packages fast_l1 and
        datamodels make it.

    Returns
    -------
    runs : TrainingRuns
        In the order of ``idx``. Masks are packed block by block; outputs are read into
        memory, in the dtype of the file.

    Raises
    ------
    ImportError
        If FFCV is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a finished FFCV file with these fields, is cut short, repeats an
        ``idx``, or holds a mask other than 0 and 1 or an infinite output.

    See Also
    --------
    write_beton : The inverse.

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
        raise ValueError(f"{path} holds run {ids[:-1][ids[1:] == ids[:-1]][0]} twice.")
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
    """Write runs to an FFCV file, as the authors' regression reads it.

    A process of its own does it, for FFCV's writer waits for ever after an error in one
    of its workers, and may for a lock of numba after a Loader. The runs reach it by
    temporary files beside `path`, and the file gets its name only when it is complete.

    Parameters
    ----------
    runs : TrainingRuns
    path : path-like
        Outputs are written as float32, ``idx`` as the number of the row.
    timeout : float, default=3600
        Seconds until the writer is given up.

    Raises
    ------
    ImportError
        If FFCV is not installed.
    FileExistsError
        If `path` is there already.
    ValueError
        If there are no runs.
    OSError
        If there is not enough space for the file and the temporary ones.
    TimeoutError
        If the writer has not ended in time. It is stopped, and leaves no file.
    RuntimeError
        If FFCV fails; with the last that it printed.

    See Also
    --------
    read_beton : The inverse.

    Examples
    --------
    >>> from skdatamodels.datasets import make_linear_runs
    >>> from skdatamodels.runs import write_beton
    >>> runs, _ = make_linear_runs()
    >>> write_beton(runs, "regression_data.beton")  # doctest: +SKIP
    """
    path = absolute(path)
    if path.exists():
        raise FileExistsError(f"{path} is there already.")
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
    # The writer would wait for ever once the disk is full. It gets masks packed and
    # outputs as they are, and writes bool and float32, in pages of 8 MiB.
    row_bytes = runs.n_train * 9 // 8 + (runs.outputs.itemsize + 4) * runs.n_targets
    check_free(path.parent, len(runs) * row_bytes + 2**25, f"To write {path}")


def _run(command, folder, timeout):
    """Run FFCV's writer, and end it with all its workers if it takes too long."""
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
            # Not SIGKILL: Python's resource tracker outlives this, and frees the
            # memory that the workers shared.
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGTERM)
            else:  # Windows has no process groups
                process.terminate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError(
                    f"FFCV's writer did not end in {timeout} s and was stopped: "
                    f"{_tail(log)}"
                ) from error
            raise
    if process.returncode:
        raise RuntimeError(f"FFCV's writer failed: {_tail(log)}")


def _tail(log):
    return log.read_text(errors="replace")[-2000:].strip() or "it printed nothing"


def open_reader(path):
    """Return FFCV's reader of a file that it can read and that is complete."""
    ffcv = import_ffcv()
    try:
        reader = ffcv.reader.Reader(os.fspath(path))
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is cut short, or not a file that FFCV can read: {error}."
        ) from error
    if not reader.header["alloc_table_ptr"]:  # the last that is written
        raise ValueError(f"{path} was never finished by its writer.")
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
            f" of floats) and idx (an int), it has {', '.join(found)}."
        )
    return reader


def _is_row(field, kinds):
    return len(getattr(field, "shape", ())) == 1 and field.dtype.kind in kinds


def import_ffcv():
    """Import FFCV, which sets torch and numba to one thread: set them back."""
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
            'Files of FFCV need it: pip install "skdatamodels[ffcv]". It is compiled '
            "when installed; the user guide says what that takes (Data from elsewhere)."
        ) from error
    return ffcv


class _Rows:
    """Rows of an array field, which the file holds in any order and place."""

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
