"""The work of a worker: training a chunk of runs and returning the results."""

import threading
import time
import traceback
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels._process_state import SharedContext, single_threaded
from skdatamodels.masks import PackedMasks


class Runs(NamedTuple):
    """Runs to train.

    Parameters
    ----------
    which : int array of shape (n_runs,)
        Positions of the runs among all runs of the call.
    masks : PackedMasks of shape (n_runs, n_players)
        Subsets.
    seeds : int array of shape (n_runs,)
        Seeds of training.
    """

    which: np.ndarray
    masks: PackedMasks
    seeds: np.ndarray

    def take(self, rows):
        """Return the runs in some rows, an int array."""
        return Runs(self.which[rows], self.masks[rows], self.seeds[rows])


@dataclass(frozen=True)
class TrainedChunk:
    """Results of a chunk of runs.

    Parameters
    ----------
    which : int array of shape (n_runs,)
        Positions of the runs among all runs of the call.
    outputs : float32 array of shape (n_runs, n_targets)
        Outputs, which are all finite, or all NaN if a run failed.
    tracebacks : list of str
        Tracebacks of the failed runs, in order.
    warned : list of (type, str)
        For each run, the categories of its warnings, each with the first message.
    seconds : float
        Duration of the chunk.
    models : dict of int to bytes, default={}
        The packed models of the runs whose models are kept, by position.
    """

    which: np.ndarray
    outputs: np.ndarray
    tracebacks: list
    warned: list
    seconds: float
    models: dict = field(default_factory=dict)

    @property
    def finished(self):
        """Whether each run has outputs, bool array of shape (n_runs,)."""
        return ~np.isnan(self.outputs).any(axis=1)

    @property
    def failures(self):
        """Position and traceback of each failed run, list of (int, str)."""
        failed = self.which[~self.finished].tolist()
        return list(zip(failed, self.tracebacks, strict=True))


class ChunkTrainer:
    """Function that trains chunks of runs. It is sent to the workers.

    Parameters
    ----------
    learner : callable
        See :func:`skdatamodels.training._execution.driver.train_runs`.
    n_targets : int
        Number of targets.
    retries : int
        Number of times that a failed run is tried again.
    kept : int array, default=()
        Positions of the runs whose models are kept. They are trained one by one.
    players : Players, default=None
        What the masks switch. None means rows, which learners see in any case.
    order : int array of shape (n_train,), default=None
        Order of the rows of a run that is trained alone. None means increasing.
    """

    def __init__(self, learner, n_targets, retries, kept=(), players=None, order=None):
        self.learner, self.n_targets, self.retries = learner, n_targets, retries
        self.kept, self.players = frozenset(map(int, kept)), players
        self.order = order

    def __call__(self, runs):
        """Train some Runs and return their TrainedChunk."""
        start = time.perf_counter()
        outputs, tracebacks, warned = self._nothing(len(runs.which)), [], []
        kept, models = np.array([i in self.kept for i in runs.which.tolist()]), {}
        with single_threaded(), _warnings_by_run():
            masks = runs.masks.dense()
            masks = masks if self.players is None else self.players.expand(masks)
            warned += self._train_together(masks, runs.seeds, outputs, ~kept)
            for i, row in enumerate(outputs):
                if np.isfinite(row).all():
                    continue
                row[:] = np.nan
                _run.warned = {}
                run = rows_of(masks[i], self.order), int(runs.seeds[i])
                try:
                    row[:], model = self._try(*run, kept[i])
                    if kept[i]:
                        models[int(runs.which[i])] = model
                except (Exception, SystemExit):
                    tracebacks.append(traceback.format_exc())
                warned += _run.warned.items()
                _run.warned = None
        seconds = time.perf_counter() - start
        return TrainedChunk(runs.which, outputs, tracebacks, warned, seconds, models)

    def lost(self, runs, text):
        """Return the TrainedChunk of a run whose worker died."""
        return TrainedChunk(runs.which, self._nothing(1), [text], [], 0.0)

    def _nothing(self, n_runs):
        return np.full((n_runs, self.n_targets), np.nan, dtype=np.float32)

    def _train_together(self, masks, seeds, outputs, together):
        """Set the outputs of runs that the learner can train together."""
        if not hasattr(self.learner, "train_many") or not together.any():
            return []
        _run.warned = {}
        try:
            many = self.learner.train_many(masks[together], seeds[together])
            many = as_real(many, "outputs of runs")
            if many.shape == (together.sum(), self.n_targets):
                with np.errstate(over="ignore"):
                    outputs[together] = many
        except Exception:  # then each run is trained alone, and raises its own error
            _run.warned = {}
        warned, _run.warned = list(_run.warned.items()), None
        return warned

    def _try(self, train_indices, seed, keep):
        """Return the outputs of a run and its model, or raise its last error."""
        for _ in range(self.retries):
            try:
                return self._train(train_indices, seed, keep)
            except (Exception, SystemExit):
                continue
        return self._train(train_indices, seed, keep)

    def _train(self, train_indices, seed, keep):
        """Return the outputs of a run, and its packed model if it is kept."""
        if not keep:
            return self._checked(self.learner(train_indices, seed)), None
        model, outputs = self.learner.train_and_measure(train_indices, seed)
        return self._checked(outputs), self.learner.pack_model(model)

    def _checked(self, outputs):
        """Return the outputs of a run as float32, or raise if they are invalid."""
        outputs = as_real(outputs, "outputs of a run")
        if outputs.shape != (self.n_targets,):
            raise ValueError(
                "A run must give one output per target, shape "
                f"({self.n_targets},); got {outputs.shape}."
            )
        with np.errstate(over="ignore"):
            outputs = outputs.astype(np.float32)
        if not np.isfinite(outputs).all():
            target = np.flatnonzero(~np.isfinite(outputs))[0]
            raise ValueError(f"The output for target {target} is {outputs[target]}.")
        return outputs


def rows_of(mask, order):
    """Return the rows of a subset in an order of all rows; None means increasing."""
    return np.flatnonzero(mask) if order is None else order[mask[order]]


class _Run(threading.local):
    """State of the run that this thread trains."""

    warned = None  # {category: first message}


_run = _Run()


@contextmanager
def _keep_warnings():
    """Collect warnings by run instead of showing them."""
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
