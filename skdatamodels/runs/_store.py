"""RunStore: runs on disk, which survive when a process is killed."""

from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import chain, count

import numpy as np

from skdatamodels.masks import PackedMasks
from skdatamodels.outputs import OutputInfo, info_of_output
from skdatamodels.runs._attribution_files import ATTRIBUTIONS, AttributionFiles
from skdatamodels.runs._failures import append_failures, read_failures
from skdatamodels.runs._lock import LOCK, SOFT_LOCK, folder_lock
from skdatamodels.runs._meta import (
    FORMAT,
    META,
    check_same,
    library_versions,
    meta_salt,
    read_meta,
    write_meta,
)
from skdatamodels.runs._model_files import MODELS
from skdatamodels.runs._paths import absolute
from skdatamodels.runs._room import check_free, check_ids, check_length
from skdatamodels.runs._run_checks import (
    check_expected,
    check_new_runs,
    check_no_runs,
    check_undamaged,
)
from skdatamodels.runs._run_files import NAMES, RunFiles
from skdatamodels.runs._training_runs import TrainingRuns

_FAILURES = "failures.jsonl"


class RunStore:
    """Runs of one configuration in a folder.

    ==================  ==============================================================
    ``meta.json``       format, configuration, output, entropy, versions, checksum
    ``masks.npy``       uint8 (n_rows, ceil(n_train / 8)), rows by `numpy.packbits`
    ``seeds.npy``       uint32 (n_rows,), training seeds
    ``outputs.npy``     float32 (n_rows, n_targets)
    ``checksums.npy``   uint32 (n_rows,), CRC-32 of each finished run; 0: not done
    ``failures.jsonl``  row, time and traceback of each run that failed
    ``models/``         models of runs, if :class:`SubsetTrainer` keeps them
    ``attributions/``   attribution matrices, if they were read from the runs
    ==================  ==============================================================

    The store is safe if a process is killed at any moment: the checksum of a row is
    written after its mask, seed and outputs are on disk, and a row without a checksum
    is not a run. Runs are compared with their checksums when they are read, so that
    damage is detected. One process writes at a time (see :meth:`lock`), while any
    number of processes may read.

    Parameters
    ----------
    path : path-like
        Folder of an existing store. Use :meth:`create` to make a new one.
    configuration : dict, default=None
        Configuration that the store must have, with values that JSON can represent.
        None accepts any configuration.

    Attributes
    ----------
    path : Path
        Folder of the store.
    configuration : dict
        Configuration that the runs were made with.
    entropy : int or None
        Seed of the design and the trainings.
    versions : dict
        Library versions with which the store was created.
    output_info : OutputInfo
        What the outputs measure, and whether higher is better.
    n_train : int
        Number of training examples.
    n_targets : int
        Number of targets.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is not a run store, is damaged or has another format, or if its
        configuration differs from `configuration` (the message says where).

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdatamodels import RunStore
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = RunStore.create(folder.name + "/runs", n_train=3, n_targets=1)
    >>> store.write([0, 2], [[1, 0, 1], [0, 1, 1]], [7, 8], [[2.5], [-0.5]])
    >>> RunStore(folder.name + "/runs").done()
    array([ True, False,  True])
    >>> store.runs([2]).outputs
    array([[-0.5]], dtype=float32)
    >>> folder.cleanup()
    """

    def __init__(self, path, configuration=None):
        self.path = absolute(path)
        meta = read_meta(self.path)
        self.configuration = meta["configuration"]
        self.entropy = meta["entropy"]
        self.versions = meta["versions"]
        self.output_info = OutputInfo(**meta["output"])
        self._salt = meta_salt(meta)
        self.n_train, self.n_targets = meta["n_train"], meta["n_targets"]
        if configuration is not None:
            check_same(self.path, self.configuration, configuration)
        self._open_files()

    @classmethod
    def create(
        cls,
        path,
        n_train,
        n_targets,
        *,
        configuration=None,
        output=None,
        entropy=None,
        versions=(),
    ):
        """Create an empty store.

        Parameters
        ----------
        path : path-like
            Folder to create. It may exist if it is empty.
        n_train : int
            Number of training examples.
        n_targets : int
            Number of targets.
        configuration : dict, default=None
            Description of how the runs are made, with values that JSON can represent.
            It can be checked when the store is opened again.
        output : str, Output or OutputInfo, default=None
            What the outputs measure; see :class:`TrainingRuns`.
        entropy : int, default=None
            Seed of the runs, which is needed to add more runs.
        versions : dict, default=()
            Library versions to save, in addition to those of skdatamodels,
            scikit-learn, numpy and scipy.

        Returns
        -------
        store : RunStore
            The new store.

        Raises
        ------
        FileExistsError
            If the folder is a store already, or contains other files.
        ValueError
            If it contains runs but no ``meta.json``. The runs are left unchanged.
        """
        path, info = absolute(path), info_of_output(output)
        path.mkdir(parents=True, exist_ok=True)
        with folder_lock(path):
            # A process that was killed in this function may have left some of these.
            arrays = [f"{name}.npy" for name in NAMES]
            ours = {LOCK, SOFT_LOCK, META + ".tmp", _FAILURES, *arrays}
            ours |= {ATTRIBUTIONS, MODELS}
            others = sorted({entry.name for entry in path.iterdir()} - ours)
            if others:
                raise FileExistsError(
                    f"Cannot create a run store in {path}: the folder contains "
                    f"{', '.join(others[:3])}. Open it with RunStore(path) if it is a "
                    "store, or choose an empty folder."
                )
            check_no_runs(path, arrays, _FAILURES)
            RunFiles.create(path, n_train, n_targets)
            meta = {
                "format": FORMAT,
                "n_train": int(n_train),
                "n_targets": int(n_targets),
                "configuration": configuration or {},
                "output": asdict(info),
                "entropy": entropy,
                "versions": library_versions() | dict(versions),
            }
            write_meta(path, meta)
        return cls(path)

    @classmethod
    def open_or_create(
        cls,
        path,
        n_train,
        n_targets,
        *,
        configuration,
        output=None,
        entropy,
        versions=(),
    ):
        """Open a store, or create it if it does not exist.

        Several processes may do this at the same time. An existing store keeps its
        `output`, `entropy` and `versions`.

        Parameters
        ----------
        path : path-like
            Folder of the store.
        n_train : int
            Number of training examples.
        n_targets : int
            Number of targets.
        configuration : dict
            Configuration that the store must have, or gets if it is new.
        output : str, Output or OutputInfo, default=None
            What the outputs measure, for a new store.
        entropy : int or None
            Seed of the runs, for a new store.
        versions : dict, default=()
            Library versions to save, for a new store.

        Returns
        -------
        store : RunStore
            The open store.

        Raises
        ------
        FileExistsError
            If there is no store and the folder contains other files.
        ValueError
            If the store is damaged or has another format or configuration.
        """
        path = absolute(path)
        if not (path / META).exists():
            with suppress(FileExistsError):  # another process was faster
                return cls.create(
                    path,
                    n_train,
                    n_targets,
                    configuration=configuration,
                    output=output,
                    entropy=entropy,
                    versions=versions,
                )
        return cls(path, configuration)

    @contextmanager
    def lock(self):
        """Lock the store for writing; wait while another process holds the lock.

        Locks may be nested. Inside, the runs that other processes have written so far
        are visible.
        """
        with folder_lock(self.path):
            self._open_files()
            yield self

    def done(self, rows=None):
        """Return which rows hold a finished run.

        Parameters
        ----------
        rows : int array of shape (n_rows,), default=None
            Rows to check, which may exceed the last one. By default, all rows.

        Returns
        -------
        done : bool array of shape (n_rows,)
            Whether the row holds a finished run.
        """
        done = self._files.done()
        if rows is None:
            return done
        rows = np.asarray(rows, dtype=np.int64)
        found = (rows >= 0) & (rows < len(done))
        found[found] = done[rows[found]]
        return found

    def rows_for(self, masks, seeds):
        """Find the rows of runs by mask and seed, for runs without ids.

        Parameters
        ----------
        masks : PackedMasks of shape (n, n_train)
            Masks of the runs.
        seeds : uint32 array of shape (n,)
            Training seeds of the runs.

        Returns
        -------
        rows : int64 array of shape (n,)
            Row of the finished run with this mask and seed, or else a free row.
        """
        done = self.done()
        finished = np.flatnonzero(done)
        bits, stored_seeds = self._files.masks.read(), self._files.seeds.read()
        stored = _run_keys(bits[finished], stored_seeds[finished])
        row_of = dict(zip(stored, finished.tolist(), strict=True))
        free = chain(np.flatnonzero(~done).tolist(), count(len(done)))
        rows = [
            row_of[key] if key in row_of else next(free)
            for key in _run_keys(masks.bits, seeds)
        ]
        return np.array(rows, dtype=np.int64)

    def write(self, rows, masks, seeds, outputs):
        """Write finished runs.

        Parameters
        ----------
        rows : array-like of int of shape (n,)
            Rows to write. The store grows if necessary.
        masks : PackedMasks or 0/1 array-like of shape (n, n_train)
            Masks of the runs.
        seeds : array-like of int of shape (n,)
            Training seeds of the runs.
        outputs : array-like of shape (n, n_targets)
            Outputs of the runs, finite numbers.

        Raises
        ------
        ValueError
            If shapes do not match the store, outputs are not finite, seeds are not
            integers below 2³², or rows repeat, hold finished runs or are 10⁸ or more.
        OSError
            If the disk is full or not writable. The rows are then not marked as done,
            and all earlier runs are safe.
        """
        if len(rows) == len(masks) == 0:
            return
        rows, runs = check_new_runs(self, rows, masks, seeds, outputs)
        with self.lock():
            finished = rows[self.done(rows)]
            if finished.size:
                raise ValueError(
                    f"{self.path} already has finished runs in rows "
                    f"{finished[:5].tolist()}; they are never overwritten."
                )
            seeds = runs.seeds.astype(np.uint32)
            self._files.write(rows, runs.packed.bits, seeds, runs.outputs)

    def runs(self, rows=None, *, masks=None, seeds=None):
        """Return finished runs, after comparing them with their checksums.

        Parameters
        ----------
        rows : int array or slice, default=None
            Rows to return; by default, all that are done. A slice gives memory maps,
            which are read once for the check and again when they are used.
        masks : PackedMasks of shape (n, n_train), default=None
            Masks that the runs must have, if they are known.
        seeds : uint32 array of shape (n,), default=None
            Seeds that the runs must have. Required with `masks`.

        Returns
        -------
        runs : TrainingRuns
            The runs, in the order of `rows`. They have the attributions that are stored
            beside them, if any, but no models, because loading these can run code.

        Raises
        ------
        ValueError
            If a row is not done, is damaged, or has another mask or seed.
        """
        done = self.done()
        if rows is None:
            rows = slice(len(done)) if done.all() else np.flatnonzero(done)
        wanted = np.arange(len(done))[rows] if isinstance(rows, slice) else rows
        self.check(wanted, masks, seeds)
        bits, seeds, outputs = self._files.read(rows)
        return TrainingRuns(
            PackedMasks(bits, self.n_train),
            outputs,
            seeds=seeds,
            output=self.output_info,
            attributions=AttributionFiles(self).lazy(),
        )

    def check(self, rows, masks=None, seeds=None):
        """Check that rows hold undamaged finished runs with the given masks and seeds.

        Parameters
        ----------
        rows : int array of shape (n,)
            Rows to check.
        masks : PackedMasks of shape (n, n_train), default=None
            Masks that the runs must have, if they are known.
        seeds : uint32 array of shape (n,), default=None
            Seeds that the runs must have. Required with `masks`.

        Raises
        ------
        ValueError
            If a row is not done, is damaged, or has another mask or seed. The message
            names the rows and says what to do.
        """
        check_undamaged(self, rows)
        if masks is not None:
            stored = self._files.masks.read(), self._files.seeds.read()
            check_expected(self.path, rows, stored, (masks, seeds))

    def damaged(self, rows=None):
        """Find finished runs that have changed since they were written.

        Parameters
        ----------
        rows : int array of shape (n,), default=None
            Rows to check; by default, all.

        Returns
        -------
        damaged : int64 array of shape (n_damaged,)
            Rows of the damaged runs.
        """
        rows = np.flatnonzero(self.done()) if rows is None else self._finished(rows)
        return self._files.damaged(rows)

    def discard(self, rows):
        """Mark finished runs as not done.

        A trainer trains them again when they are next requested. Rows that are not done
        are ignored.

        Parameters
        ----------
        rows : int array of shape (n,)
            Rows to discard.
        """
        with self.lock():
            rows = self._finished(rows)
            if rows.size:
                self._files.discard(rows)

    def check_room(self, rows):
        """Check that there is enough disk space for runs that are to be written.

        Parameters
        ----------
        rows : int array of shape (n,)
            Rows that are to be written.

        Raises
        ------
        ValueError
            If a row is 10⁸ or more, or so large that the files would be longer than
            the disk.
        OSError
            If the runs need more bytes than are free.
        """
        if len(rows):
            check_ids(rows)
            row_bytes = self._files.row_bytes
            check_free(self.path, len(rows) * row_bytes, f"To store {len(rows)} runs")
            check_length(self.path, rows, row_bytes)

    def _finished(self, rows):
        """Return the rows that hold a finished run, sorted, each once."""
        return np.unique(np.asarray(rows, dtype=np.int64)[self.done(rows)])

    def record_failures(self, failures):
        """Append failed runs to ``failures.jsonl``.

        Parameters
        ----------
        failures : iterable of dict
            Failed runs, each with its row, time and traceback.
        """
        append_failures(self.path / _FAILURES, failures)

    def failures(self):
        """Return the recorded failures.

        Returns
        -------
        failures : list of dict
            Failed runs, oldest first.
        """
        return read_failures(self.path / _FAILURES)

    def __len__(self):
        return int(self.done().sum())

    def __repr__(self):
        return (
            f"RunStore({str(self.path)!r}, n_done={len(self)}, n_train={self.n_train}, "
            f"n_targets={self.n_targets})"
        )

    def _open_files(self):
        self._files = RunFiles(self.path, self.n_train, self.n_targets, self._salt)


def _run_keys(bits, seeds):
    return [(row.tobytes(), int(seed)) for row, seed in zip(bits, seeds, strict=True)]
