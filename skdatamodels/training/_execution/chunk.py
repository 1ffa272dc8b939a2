"""What a worker does: train a chunk of runs, and tell what came of each."""

import threading
import time
import traceback
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels._process_state import SharedContext, single_threaded
from skdatamodels.masks import PackedMasks


class Runs(NamedTuple):
    """Runs to be trained.

    Parameters
    ----------
    which : int array of shape (n_runs,)
        Positions among all runs that are asked for.
    masks : PackedMasks of shape (n_runs, n_train)
    seeds : int array of shape (n_runs,)
    """

    which: np.ndarray
    masks: PackedMasks
    seeds: np.ndarray

    def take(self, rows):
        """Return some of the runs, by an int array of rows."""
        return Runs(self.which[rows], self.masks[rows], self.seeds[rows])


@dataclass(frozen=True)
class TrainedChunk:
    """What came of a chunk of runs.

    Parameters
    ----------
    which : int array of shape (n_runs,)
    outputs : float32 array of shape (n_runs, n_targets)
        All finite, or all NaN for a run that failed.
    tracebacks : list of str
        Of the runs that failed, in their order.
    warned : list of (type, str)
        Category and first message, for each run and each category that it warned of.
    seconds : float
        How long the chunk took.
    """

    which: np.ndarray
    outputs: np.ndarray
    tracebacks: list
    warned: list
    seconds: float

    @property
    def finished(self):
        """Which runs have outputs, bool array of shape (n_runs,)."""
        return ~np.isnan(self.outputs).any(axis=1)

    @property
    def failures(self):
        """Run and traceback of each run that failed, list of (int, str)."""
        failed = self.which[~self.finished].tolist()
        return list(zip(failed, self.tracebacks, strict=True))


class ChunkTrainer:
    """Train chunks of runs; is sent to the workers.

    Parameters
    ----------
    learner : callable
        See :func:`skdatamodels.training._execution.driver.train_runs`.
    n_targets : int
    retries : int
        How often a run that fails is tried again.
    """

    def __init__(self, learner, n_targets, retries):
        self.learner, self.n_targets, self.retries = learner, n_targets, retries

    def __call__(self, runs):
        """Return the TrainedChunk of some Runs."""
        start = time.perf_counter()
        outputs, tracebacks, warned = self._nothing(len(runs.which)), [], []
        with single_threaded(), _warnings_by_run():
            masks = runs.masks.dense()
            warned += self._train_together(masks, runs.seeds, outputs)
            for row, mask, seed in zip(outputs, masks, runs.seeds, strict=True):
                if np.isfinite(row).all():
                    continue
                row[:] = np.nan
                _run.warned = {}
                try:
                    row[:] = self._try(np.flatnonzero(mask), int(seed))
                except (Exception, SystemExit):
                    tracebacks.append(traceback.format_exc())
                warned += _run.warned.items()
                _run.warned = None
        seconds = time.perf_counter() - start
        return TrainedChunk(runs.which, outputs, tracebacks, warned, seconds)

    def lost(self, runs, text):
        """Return the TrainedChunk of a run that took its worker with it."""
        return TrainedChunk(runs.which, self._nothing(1), [text], [], 0.0)

    def _nothing(self, n_runs):
        return np.full((n_runs, self.n_targets), np.nan, dtype=np.float32)

    def _train_together(self, masks, seeds, outputs):
        """Fill in the outputs of the runs that the learner can train together."""
        if not hasattr(self.learner, "train_many"):
            return []
        _run.warned = {}
        try:
            many = as_real(self.learner.train_many(masks, seeds), "outputs of runs")
            if many.shape == outputs.shape:
                with np.errstate(over="ignore"):
                    outputs[:] = many
        except Exception:  # each run is tried by itself then, and tells what is wrong
            _run.warned = {}
        warned, _run.warned = list(_run.warned.items()), None
        return warned

    def _try(self, train_indices, seed):
        """Return the outputs of one run; raise what it raised the last time."""
        for _ in range(self.retries):
            try:
                return self._measure(train_indices, seed)
            except (Exception, SystemExit):
                continue
        return self._measure(train_indices, seed)

    def _measure(self, train_indices, seed):
        """Return the outputs of one run as float32, or raise if they are no outputs."""
        outputs = as_real(self.learner(train_indices, seed), "outputs of a run")
        if outputs.shape != (self.n_targets,):
            raise ValueError(
                f"A run must give one output a target, shape ({self.n_targets},); got "
                f"{outputs.shape}."
            )
        with np.errstate(over="ignore"):
            outputs = outputs.astype(np.float32)
        if not np.isfinite(outputs).all():
            target = np.flatnonzero(~np.isfinite(outputs))[0]
            raise ValueError(f"The output for target {target} is {outputs[target]}.")
        return outputs


class _Run(threading.local):
    """The run that this thread is training."""

    warned = None  # {category: first message}


_run = _Run()


@contextmanager
def _keep_warnings():
    """Keep warnings with the run that they come from."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def keep(message, category, *args, **kwargs):
            if _run.warned is None:  # from a thread that does not train
                show(message, category, *args, **kwargs)
            else:
                _run.warned.setdefault(category, str(message))

        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield


_warnings_by_run = SharedContext(_keep_warnings)
