"""Training of many runs in parallel, with progress and warnings."""

import warnings
from collections import Counter
from contextlib import closing, contextmanager

import numpy as np

from skdatamodels._process_state import single_threaded
from skdatamodels._progress import progress_bar
from skdatamodels.training._execution.chunk import ChunkTrainer, Runs
from skdatamodels.training._execution.pace import Pace
from skdatamodels.training._execution.workers import train_chunks


def train_runs(
    learner,
    masks,
    seeds,
    todo,
    n_targets,
    *,
    n_jobs,
    retries,
    verbose,
    kept=(),
    players=None,
    order=None,
):
    """Train runs, and yield the results chunk by chunk.

    Parameters
    ----------
    learner : callable
        ``(train_indices, seed) -> outputs (n_targets,)``. If it has a method
        ``train_many(masks, seeds) -> outputs (n_runs, n_targets)``, this is called
        first; runs that get NaN, or all runs if it fails, are then trained one by one.
        If it has a method ``prepare()``, this is called once, in the main process,
        before training. If it has an int ``block_size``, chunks are multiples of it if
        possible.
    masks : PackedMasks of shape (n_runs, n_players)
        Subsets of all runs.
    seeds : int array of shape (n_runs,)
        Seeds of all runs.
    todo : int array
        Positions of the runs to train.
    n_targets : int
        Number of targets.
    n_jobs, retries, verbose : int
        As in :class:`SubsetTrainer`.
    kept : int array, default=()
        Positions of the runs whose models are returned with the outputs. The learner
        must be a `ModelLearner`.
    players : Players, default=None
        What the masks switch. None means rows, which the learner sees in any case.
    order : int array of shape (n_train,), default=None
        Order of the rows of a run that is trained alone. None means increasing.

    Yields
    ------
    chunk : TrainedChunk
        Results of a chunk. Close the generator to stop training early.

    Warns
    -----
    Warning
        At the end, once for each category of warnings, with the first message.
    """
    if hasattr(learner, "prepare") and len(todo):
        with single_threaded():
            learner.prepare()
    work = ChunkTrainer(learner, n_targets, retries, kept, players, order)
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
            if pace.stopped:  # only wait for the workers to finish
                continue
            n_failed = len(chunk.tracebacks)
            pace.record(len(chunk.which) - n_failed, n_failed, chunk.seconds)
            told.add(chunk.warned)
            yield chunk
            progress.update(len(chunk.which))
    told.tell(len(todo))


def _progress(n_runs, n_done, verbose):
    return progress_bar(total=n_runs, initial=n_done, unit="run", verbose=verbose)


class _Warnings:
    """Counts of warnings by category, which are shown at the end."""

    def __init__(self):
        self._counts, self._first = Counter(), {}

    def add(self, warned):
        for category, message in warned:
            self._counts[category] += 1
            self._first.setdefault(category, message)

    def tell(self, n_trained):
        for category, message in self._first.items():
            text = f"In {self._counts[category]} of {n_trained} runs: {message}"
            warnings.warn(text, category, stacklevel=7)


@contextmanager
def _no_error_of_loky():
    """Keep loky's warning that a worker was replaced from becoming an error.

    loky warns in the thread that manages its workers. If warnings are errors, this
    would end the thread, and we would wait forever.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("default", "A worker stopped while some jobs were")
        yield
