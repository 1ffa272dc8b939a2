"""Training many runs in parallel: chunks of runs out, outputs in, nothing lost."""

import warnings
from collections import Counter
from contextlib import closing, contextmanager

import numpy as np
from tqdm.auto import tqdm

from skdatamodels._process_state import single_threaded
from skdatamodels.training._execution.chunk import ChunkTrainer, Runs
from skdatamodels.training._execution.pace import Pace
from skdatamodels.training._execution.workers import train_chunks


def train_runs(learner, masks, seeds, todo, n_targets, *, n_jobs, retries, verbose):
    """Train some runs, and yield what came of them, a chunk at a time.

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
    n_jobs, retries, verbose : int
        As in :class:`SubsetTrainer`.

    Yields
    ------
    chunk : TrainedChunk
        Close the generator to end the workers before all runs are done.

    Warns
    -----
    Warning
        In the end, of each category that trainings warned of, with the first message.
    """
    if hasattr(learner, "prepare") and len(todo):
        with single_threaded():
            learner.prepare()
    work = ChunkTrainer(learner, n_targets, retries)
    runs = Runs(np.arange(len(masks)), masks, seeds)
    n_done = len(masks) - len(todo)
    pace, told = Pace(getattr(learner, "block_size", 1), n_done), _Warnings()
    with (
        single_threaded(),  # also for chunks that are trained in this process
        _no_error_of_loky(),
        _progress(len(masks), n_done, verbose) as progress,
        closing(train_chunks(work, runs, todo, pace, n_jobs)) as chunks,
    ):
        for chunk in chunks:
            if pace.stopped:  # wait for workers that are still at it, no more
                continue
            n_failed = len(chunk.tracebacks)
            pace.record(len(chunk.which) - n_failed, n_failed, chunk.seconds)
            told.add(chunk.warned)
            yield chunk
            progress.update(len(chunk.which))
    told.tell(len(todo))


def _progress(n_runs, n_done, verbose):
    return tqdm(total=n_runs, initial=n_done, unit="run", disable=not verbose)


class _Warnings:
    """Warnings of trainings: counted by category, and told in the end."""

    def __init__(self):
        self._counts, self._first = Counter(), {}

    def add(self, warned):
        for category, message in warned:
            self._counts[category] += 1
            self._first.setdefault(category, message)

    def tell(self, n_trained):
        for category, message in self._first.items():
            text = f"In {self._counts[category]} of {n_trained} trainings: {message}"
            warnings.warn(text, category, stacklevel=7)


@contextmanager
def _no_error_of_loky():
    """Show the warning that a worker was replaced, even if warnings are errors.

    loky warns in the thread that looks after its workers, and an error would end that
    thread and leave us waiting for ever.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("default", "A worker stopped while some jobs were")
        yield
