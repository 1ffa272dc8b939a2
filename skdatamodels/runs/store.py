"""RunStore: runs on disk, which survive whatever is killed."""

import json
import os
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, count
from pathlib import Path

import numpy as np
from filelock import FileLock

from skdatamodels.masks import PackedMasks
from skdatamodels.masks.designs import check_run_ids
from skdatamodels.runs._growing_npy import GrowingNpy
from skdatamodels.runs.training_runs import TrainingRuns

FORMAT = 1
_META, _LOCK, _FAILURES = "meta.json", ".lock", "failures.jsonl"
_META_KEYS = ("configuration", "entropy", "versions", "n_train", "n_targets")
_ARRAYS = ("masks", "seeds", "outputs", "done")


class RunStore:
    """Runs of one configuration in a folder.

    ==================  ==============================================================
    ``meta.json``       format, configuration, entropy, library versions
    ``masks.npy``       uint8 (n_rows, ceil(n_train / 8)), rows by `numpy.packbits`
    ``seeds.npy``       uint32 (n_rows,), training seeds
    ``outputs.npy``     float32 (n_rows, n_targets)
    ``done.npy``        bool (n_rows,)
    ``failures.jsonl``  row, time and traceback of each run that failed
    ==================  ==============================================================

    A row counts only once it is marked in ``done.npy``, which happens after its mask,
    seed and outputs have reached the disk: a process may be killed at any moment.
    One process writes at a time (:meth:`lock`); any number may read meanwhile.

    Parameters
    ----------
    path : path-like
        Folder of an existing store; :meth:`create` makes a new one.
    configuration : dict, optional
        What the runs must have been made with; anything JSON can hold.

    Attributes
    ----------
    path : Path
    configuration : dict
    entropy : int or None
        Seed of the design and the trainings.
    versions : dict
        Library versions that the store was made with.
    n_train, n_targets : int

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is not a run store, is damaged, is of a newer format, or its
        configuration is not `configuration` (the message names what differs).

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
        self.path = Path(path)
        meta = _read_meta(self.path)
        self.configuration = meta["configuration"]
        self.entropy = meta["entropy"]
        self.versions = meta["versions"]
        self.n_train, self.n_targets = meta["n_train"], meta["n_targets"]
        if configuration is not None:
            _check_same(self.path, self.configuration, configuration)
        self._open_arrays()

    @classmethod
    def create(
        cls, path, n_train, n_targets, *, configuration=None, entropy=None, versions=()
    ):
        """Make an empty store.

        Parameters
        ----------
        path : path-like
            Folder to make; it may exist if it is empty.
        n_train, n_targets : int
        configuration : dict, optional
            Anything JSON can hold; kept to be compared at the next opening.
        entropy : int, optional
            Seed of the runs, kept for those who add to them.
        versions : dict, optional
            Versions to keep with those of the libraries that all runs depend on.

        Returns
        -------
        store : RunStore

        Raises
        ------
        FileExistsError
            If the folder is a store already, or holds other files.
        """
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        with _file_lock(path):
            # A process that was killed while it made this store left some of these.
            ours = {_LOCK, _META + ".tmp", *(f"{name}.npy" for name in _ARRAYS)}
            others = sorted({entry.name for entry in path.iterdir()} - ours)
            if others:
                raise FileExistsError(
                    f"Cannot make a run store in {path}: it holds "
                    f"{', '.join(others[:3])}. Open it with RunStore(path) if it is a "
                    "store, or choose an empty folder."
                )
            for name, (row_shape, dtype) in _layout(n_train, n_targets).items():
                GrowingNpy.create(path / f"{name}.npy", row_shape, dtype)
            meta = {
                "format": FORMAT,
                "n_train": int(n_train),
                "n_targets": int(n_targets),
                "configuration": configuration or {},
                "entropy": entropy,
                "versions": library_versions() | dict(versions),
            }
            _write_atomically(path / _META, json.dumps(meta, indent=1))
        return cls(path)

    @classmethod
    def open_or_create(
        cls, path, n_train, n_targets, *, configuration, entropy, versions=()
    ):
        """Open a store, or make it if there is none; safe among processes.

        `entropy` and `versions` are for a new store; an old one keeps its own. Other
        parameters and errors as in :meth:`create` and :class:`RunStore`.
        """
        if not Path(path, _META).exists():
            with suppress(FileExistsError):  # another process was faster
                return cls.create(
                    path,
                    n_train,
                    n_targets,
                    configuration=configuration,
                    entropy=entropy,
                    versions=versions,
                )
        return cls(path, configuration)

    @contextmanager
    def lock(self):
        """Hold the store for writing; waits for another process that holds it.

        May be nested. What others have written is seen from here on.
        """
        with _file_lock(self.path):
            self._open_arrays()
            yield self

    def done(self, rows=None):
        """Return which rows hold a finished run.

        Parameters
        ----------
        rows : int array, optional
            Which rows to tell of, also beyond the last; default all.

        Returns
        -------
        done : bool array of shape (n_rows,)
        """
        done = self._done.load().copy()
        return done if rows is None else np.isin(rows, np.flatnonzero(done))

    def rows_for(self, masks, seeds):
        """Find the rows of runs by mask and seed, for runs that have no ids.

        Parameters
        ----------
        masks : PackedMasks of shape (n, n_train)
        seeds : uint32 array of shape (n,)

        Returns
        -------
        rows : int64 array of shape (n,)
            Where the finished run with that mask and seed is, or else a row that is
            free for it.
        """
        done = self.done()
        finished = np.flatnonzero(done)
        stored_bits, stored_seeds = self._masks.read()[finished], self._seeds.read()
        stored = _run_keys(stored_bits, stored_seeds[finished])
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
            Rows to write; the store grows as needed.
        masks : PackedMasks or 0/1 array-like of shape (n, n_train)
        seeds : array-like of shape (n,)
        outputs : array-like of shape (n, n_targets)
            Finite numbers.

        Raises
        ------
        ValueError
            If shapes do not fit the store, outputs are not finite, seeds are not
            integers below 2³², or rows repeat or hold finished runs.
        OSError
            If the disk is full or not writable. The rows are then not marked done;
            all that was written before is safe.
        """
        if len(rows) == len(masks) == 0:
            return
        rows, runs = self._check_runs(rows, masks, seeds, outputs)
        with self.lock():
            finished = rows[self.done(rows)]
            if finished.size:
                raise ValueError(
                    f"{self.path} holds finished runs in rows {finished[:5].tolist()} "
                    "already; they are never overwritten."
                )
            for array in (self._masks, self._seeds, self._outputs, self._done):
                array.grow(int(rows.max()) + 1)
            self._masks.write(rows, runs.packed.bits)
            self._seeds.write(rows, runs.seeds)
            self._outputs.write(rows, runs.outputs)
            self._done.write(rows, np.ones(len(rows), dtype=bool))

    def _check_runs(self, rows, masks, seeds, outputs):
        """Return rows (int64) and TrainingRuns, if they are fit to be written."""
        rows, seeds = check_run_ids(rows), np.asarray(seeds)
        integers = seeds.dtype.kind in "iu" and seeds.ndim == 1
        if not integers or not ((seeds >= 0) & (seeds < 2**32)).all():
            raise ValueError(
                f"Seeds must be integers from 0 to 2**32 - 1, one a run, got {seeds}."
            )
        with np.errstate(over="ignore"):
            runs = TrainingRuns(masks, np.asarray(outputs, np.float32), seeds=seeds)
        if (runs.n_train, runs.n_targets) != (self.n_train, self.n_targets):
            raise ValueError(
                f"{self.path} holds runs with n_train={self.n_train} and n_targets="
                f"{self.n_targets}, got {runs.n_train} and {runs.n_targets}."
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

    def runs(self, rows=None):
        """Return finished runs.

        Parameters
        ----------
        rows : int array or slice, optional
            Which rows; default all that are done. A slice is read from disk only when
            used.

        Returns
        -------
        runs : TrainingRuns

        Raises
        ------
        ValueError
            If a row that is asked for is not done.
        """
        done = self.done()
        if rows is None:
            rows = slice(None) if done.all() else np.flatnonzero(done)
        wanted = np.arange(len(done))[rows] if isinstance(rows, slice) else rows
        missing = np.setdiff1d(wanted, np.flatnonzero(done))
        if missing.size:
            raise ValueError(
                f"{missing.size} of {len(wanted)} rows of {self.path} are not done, "
                f"among them {missing[:5].tolist()}."
            )
        # A process killed while the files grew may have left some of them longer.
        bits, outputs, seeds = (
            array.read()[: len(done)][rows]
            for array in (self._masks, self._outputs, self._seeds)
        )
        return TrainingRuns(PackedMasks(bits, self.n_train), outputs, seeds=seeds)

    def record_failures(self, failures):
        """Append failed runs to ``failures.jsonl``.

        Parameters
        ----------
        failures : iterable of dict
        """
        lines = "".join(json.dumps(failure) + "\n" for failure in failures)
        if not lines:
            return
        with open(self.path / _FAILURES, "a+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            # half a line, left by a process that was killed, must not spoil ours
            torn = file.read() not in (b"", b"\n")
            file.write(b"\n" * torn + lines.encode())

    def failures(self):
        """Return the recorded failures: list of dict, oldest first."""
        path = self.path / _FAILURES
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if _is_json(line)]

    def __len__(self):
        return int(self.done().sum())

    def __repr__(self):
        return f"RunStore({str(self.path)!r}, n_done={len(self)})"

    def _open_arrays(self):
        # done.npy grows last, so it is read first
        for name in reversed(_ARRAYS):
            setattr(self, f"_{name}", GrowingNpy(self.path / f"{name}.npy"))
        for name, row in _layout(self.n_train, self.n_targets).items():
            array = getattr(self, f"_{name}")
            found = array.row_shape, array.dtype
            if found != row or array.n_rows < self._done.n_rows:
                raise ValueError(
                    f"{array.path} is damaged: {array.n_rows} rows of {found} where "
                    f"{self._done.n_rows} of {row} belong."
                )


def _file_lock(path):
    # one lock object a path and thread: who holds it does not wait for themselves
    return FileLock(path / _LOCK, is_singleton=True)


def _layout(n_train, n_targets):
    """Return shape of a row and dtype of each array file, in the order of _ARRAYS."""
    return {
        "masks": ((-(-n_train // 8),), np.dtype(np.uint8)),
        "seeds": ((), np.dtype(np.uint32)),
        "outputs": ((n_targets,), np.dtype(np.float32)),
        "done": ((), np.dtype(bool)),
    }


def _run_keys(bits, seeds):
    return [(row.tobytes(), int(seed)) for row, seed in zip(bits, seeds, strict=True)]


@cache
def library_versions():
    """Return the versions of the libraries that a training depends on."""
    versions = {}
    for package in ("skdatamodels", "scikit-learn", "numpy", "scipy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


def _read_meta(path):
    if not path.is_dir():
        raise FileNotFoundError(f"There is no run store at {path}.")
    try:
        meta = json.loads((path / _META).read_text(encoding="utf-8"))
        if meta["format"] <= FORMAT:
            return {key: meta[key] for key in _META_KEYS}
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a run store: it has no readable {_META} ({error!r})."
        ) from error
    raise ValueError(
        f"{path} is a run store of format {meta['format']}; this version of "
        f"skdatamodels reads up to format {FORMAT}. Upgrade skdatamodels."
    )


def differences(stored, asked):
    """Say in which entries two configurations differ.

    Parameters
    ----------
    stored, asked : dict

    Returns
    -------
    differences : dict of str to str
        A line for each entry that differs, by its name.
    """
    asked = json.loads(json.dumps(asked))  # tuples become lists, as in the file
    here, there = (
        {name: json.dumps(value, sort_keys=True) for name, value in entries.items()}
        for entries in (stored, asked)
    )  # as text, for 1 and 1.0 may mean other things
    return {
        name: f"{name}: stored {_told(stored, name)}, asked {_told(asked, name)}"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    }


def _told(entries, name):
    return repr(entries[name]) if name in entries else "nothing"


def _check_same(path, stored, asked):
    found = differences(stored, asked)
    if found:
        raise ValueError(
            f"The runs in {path} were made with another configuration. "
            + "; ".join(found.values())
        )


def _write_atomically(path, text):
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _is_json(line):
    # a process killed while it appended may have left half a line
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True
