"""Sending chunks of runs to workers, again if a worker dies."""

import warnings
from collections import Counter

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from skdatamodels.training._execution.clusters import find_cluster, train_on_cluster

# A run whose worker died this often may be the cause, and is sent alone.
_SUSPECT = 2


def train_chunks(work, runs, todo, pace, n_jobs):
    """Train runs, and yield the results of each chunk when it is done.

    If a worker dies (killed, crashed, out of memory), joblib drops all chunks that it
    has sent. They are sent again to new workers. Runs that were lost twice are sent one
    at a time at the end, so that a run that kills its worker affects no other run.

    Parameters
    ----------
    work : ChunkTrainer
        Function to call in the workers. A run that kills its worker when it is alone
        is sent again ``work.retries`` times.
    runs : Runs
        All runs of the call.
    todo : int array
        Positions of the runs to train.
    pace : Pace
        Chooses the size of chunks.
    n_jobs : int
        Number of workers.

    Yields
    ------
    chunk : TrainedChunk
        Results of a chunk.
    """
    backend, _ = get_active_backend()
    cluster = find_cluster(backend)
    if cluster is not None:
        yield from train_on_cluster(cluster, work, runs, todo, pace)
        return
    options = _parallel_options(backend, n_jobs)
    losses, suspects = Counter(), []
    while len(todo):
        sent, back = [], []
        try:
            for chunk in _send(work, runs, todo, pace, options, sent):
                back.append(chunk.which)
                yield chunk
            break
        except Exception as error:
            if not _is_death(error):
                raise
        left = np.setdiff1d(todo, np.concatenate([todo[:0], *back]))
        losses.update(np.intersect1d(left, np.concatenate([todo[:0], *sent])).tolist())
        suspect = np.array([losses[run] >= _SUSPECT for run in left.tolist()], bool)
        suspects += left[suspect].tolist()
        todo = left[~suspect]
    for run in suspects:
        if not pace.stopped:
            yield _train_alone(work, runs.take(np.array([run])), options)


def _parallel_options(backend, n_jobs):
    """Return the parameters of a Parallel that returns results one by one."""
    if backend.supports_return_generator:
        return {"n_jobs": n_jobs}
    n_workers = effective_n_jobs(n_jobs)
    if n_workers == 1:
        return {"n_jobs": 1, "backend": "sequential"}
    warnings.warn(
        f"joblib's {type(backend).__name__} cannot return results one by one, or "
        'detect that a worker died. Runs are trained by "loky" instead, with the same '
        "results.",
        UserWarning,
        stacklevel=8,
    )
    return {"n_jobs": n_workers, "backend": "loky"}


def _send(work, runs, todo, pace, options, sent):
    """Return an iterator over results; appends each chunk that is sent to `sent`."""
    n_workers = effective_n_jobs(options["n_jobs"])

    def tasks():
        for which in pace.chunks(todo, lambda: n_workers):
            sent.append(which)
            yield delayed(work)(runs.take(which))

    return Parallel(return_as="generator_unordered", batch_size=1, **options)(tasks())


def _train_alone(work, run, options):
    for _ in range(work.retries + 1):
        try:
            return Parallel(**options)([delayed(work)(run)])[0]
        except Exception as error:
            if not _is_death(error):
                raise
            death = error
    return work.lost(run, f"The worker that trained this run died: {death}")


def _is_death(error):
    return type(error).__name__ == "TerminatedWorkerError"  # of loky
