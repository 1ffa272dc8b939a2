"""Training many runs in parallel: chunks of runs out, outputs in, nothing lost."""

import threading
import time
import traceback
import warnings
from collections import Counter
from contextlib import closing, contextmanager
from functools import partial

import numpy as np
from tqdm.auto import tqdm

from skdatamodels._numbers import as_real
from skdatamodels._process_state import SharedContext, single_threaded
from skdatamodels.training._execution.workers import train_chunks

# A chunk is as many runs as keep a worker busy for about so long.
_CHUNK_SECONDS = 1.0
# So many failures without one success, and the rest is not tried.
_HOPELESS = 20


def train_runs(
    learner, masks, seeds, todo, n_targets, save, *, n_jobs, retries, verbose
):
    """Train some runs and hand their outputs over as they come.

    Parameters
    ----------
    learner : callable
        ``(train_indices, seed) -> outputs (n_targets,)``. It may also have a method
        ``train_many(masks, seeds) -> outputs (n_runs, n_targets)``, which is tried
        first; runs that get NaN there, or all if it fails, are trained one by one. If
        it has ``prepare()``, this is called once, here, before anything else. If it
        has a number ``block_size``, chunks are multiples of it where they can be.
    masks : PackedMasks of shape (n_runs, n_train)
    seeds : int array of shape (n_runs,)
    todo : int array
        Which of the runs to train.
    n_targets : int
    save : callable
        ``save(which, outputs)`` is called in this process, for a chunk at a time, with
        float32 outputs (n, n_targets), all finite.
    n_jobs, retries, verbose : int
        As in :class:`SubsetTrainer`.

    Returns
    -------
    failures : list of (int, str)
        Run and traceback of each run that failed for good, in order of run.
    """
    pace = _Pace(getattr(learner, "block_size", 1))
    if hasattr(learner, "prepare") and len(todo):
        with single_threaded():
            learner.prepare()

    def arguments(which):
        return which, masks[which], seeds[which]

    work = partial(_train_chunk, learner, n_targets, retries)
    on_death = partial(_lost, n_targets)
    n_done = len(masks) - len(todo)
    failures, n_warned, first = [], Counter(), {}
    with (
        single_threaded(),  # also for chunks that are trained in this process
        _no_error_of_loky(),
        tqdm(
            total=len(masks), initial=n_done, unit="run", disable=not verbose
        ) as progress,
        closing(
            train_chunks(work, arguments, pace, todo, n_jobs, retries, on_death)
        ) as chunks,
    ):
        for which, outputs, tracebacks, warned, seconds in chunks:
            if pace.stopped:  # wait for workers that are still at it, no more
                continue
            pace.record(len(which), seconds)
            finished = ~np.isnan(outputs).any(axis=1)
            if finished.any():
                save(which[finished], outputs[finished])
            failures += zip(which[~finished].tolist(), tracebacks, strict=True)
            for category, message in warned:
                n_warned[category] += 1
                first.setdefault(category, message)
            n_done += finished.sum()
            progress.update(len(which))
            pace.stopped = n_done == 0 and len(failures) >= _HOPELESS
    for category, message in first.items():
        text = f"In {n_warned[category]} of {len(todo)} trainings: {message}"
        warnings.warn(text, category, stacklevel=3)
    return sorted(failures)


@contextmanager
def _no_error_of_loky():
    """Show the warning that a worker was replaced, even if warnings are errors.

    loky warns in the thread that looks after its workers, and an error would end that
    thread and leave us waiting for ever.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("default", "A worker stopped while some jobs were")
        yield


class _Pace:
    """Chunk size, from the time that runs have taken so far."""

    def __init__(self, block_size=1):
        self.size = self.block_size = block_size
        self.stopped = False

    def chunks(self, todo, count_workers):
        """Yield stretches of `todo`, small ones last: workers end together."""
        start = 0
        while start < len(todo) and not self.stopped:
            n_workers = count_workers()
            # not too small: a chunk has a cost of its own
            fair = max((len(todo) - start) // (2 * n_workers), self.size // 10)
            size = self.size if n_workers == 1 else min(self.size, fair)
            if size > self.block_size:
                size -= size % self.block_size
            yield todo[start : start + max(1, size)]
            start += max(1, size)

    def record(self, n_runs, seconds):
        size = int(_CHUNK_SECONDS * n_runs / max(seconds, 1e-9))
        self.size = max(self.block_size, size)


def _lost(n_targets, which, text):
    """Return the result of a run that took its worker with it."""
    outputs = np.full((1, n_targets), np.nan, dtype=np.float32)
    return which, outputs, [text], [], 0.0


def _train_chunk(learner, n_targets, retries, which, masks, seeds):
    """Train a few runs in a worker; NaN outputs and a traceback for each that fails."""
    start = time.perf_counter()
    outputs = np.full((len(which), n_targets), np.nan, dtype=np.float32)
    tracebacks, warned = [], []
    with single_threaded(), _warnings_by_run():
        dense = masks.dense()
        warned += _train_together(learner, dense, seeds, outputs)
        for row, mask, seed in zip(outputs, dense, seeds, strict=True):
            if np.isfinite(row).all():
                continue
            row[:] = np.nan
            _run.warned = {}
            train_indices = np.flatnonzero(mask)
            for attempt in range(retries + 1):
                try:
                    row[:] = _measure(learner, train_indices, int(seed), n_targets)
                    break
                except (Exception, SystemExit):
                    if attempt == retries:
                        tracebacks.append(traceback.format_exc())
            warned += _run.warned.items()
            _run.warned = None
    return which, outputs, tracebacks, warned, time.perf_counter() - start


def _train_together(learner, masks, seeds, outputs):
    """Fill in the outputs of the runs that the learner can train together."""
    if not hasattr(learner, "train_many"):
        return []
    _run.warned = {}
    try:
        many = as_real(learner.train_many(masks, seeds), "outputs of runs")
        if many.shape == outputs.shape:
            with np.errstate(over="ignore"):
                outputs[:] = many
    except Exception:  # each run is tried by itself then, and tells what is wrong
        _run.warned = {}
    warned, _run.warned = list(_run.warned.items()), None
    return warned


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


def _measure(learner, train_indices, seed, n_targets):
    """Return the outputs of one run as float32, or raise if they are no outputs."""
    outputs = as_real(learner(train_indices, seed), "outputs of a run")
    if outputs.shape != (n_targets,):
        raise ValueError(
            f"A run must give one output a target, shape ({n_targets},); got "
            f"{outputs.shape}."
        )
    with np.errstate(over="ignore"):
        outputs = outputs.astype(np.float32)
    if not np.isfinite(outputs).all():
        target = np.flatnonzero(~np.isfinite(outputs))[0]
        raise ValueError(f"The output for target {target} is {outputs[target]}.")
    return outputs
