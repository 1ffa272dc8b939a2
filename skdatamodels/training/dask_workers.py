"""Sending chunks of runs to a dask cluster that may grow, shrink and lose workers."""

import warnings
from collections import Counter, deque
from contextlib import suppress
from itertools import islice

import numpy as np

_LOOK_SECONDS = 2.0  # how often to see whether there are more workers
_QUEUED = 2  # chunks that a thread of the cluster has at hand


def train_on_dask(client, work, arguments, pace, todo, retries, on_death):
    """Yield the results of the chunks of some runs, as they come.

    joblib's own dask backend keeps to the number of workers at its start, runs all here
    if that is one, and waits for ever for a task that dask has given up (joblib 1.6).
    So tasks are submitted to dask itself. dask sends a task again if its worker dies,
    and gives it up after some deaths (``distributed.scheduler.allowed-failures``). The
    runs of a chunk that is given up are sent one by one; one of them that is given up
    again is sent in the end, with no other at work.

    Parameters
    ----------
    client : distributed.Client
    work, arguments, pace, todo, retries, on_death
        As in :func:`skdatamodels.training.workers.train_chunks`.

    Yields
    ------
    result : tuple
    """
    shared = _share(client, work)
    fresh = pace.chunks(todo, lambda: _count_threads(client))
    again, suspects, losses, at_work = deque(), deque(), Counter(), {}
    try:
        while True:
            room = max(0, _QUEUED * _count_threads(client) - len(at_work))
            ready = list(islice(_next(again, fresh), room))
            if not ready and not at_work and suspects and not pace.stopped:
                ready = [suspects.popleft()]  # with no other at work
            for which in ready:
                future = client.submit(_call, shared, *arguments(which), pure=False)
                at_work[future] = which
            if not at_work:
                return
            _wait_for_one(list(at_work))
            for future in [future for future in at_work if future.done()]:
                which = at_work.pop(future)
                result, reason = _fetch(future)
                if result is not None:
                    yield result
                elif len(which) > 1:
                    again += np.split(which, len(which))
                elif losses[which[0]] <= retries:
                    losses[which[0]] += 1
                    suspects.append(which)
                else:
                    yield on_death(which, f"dask gave up the run: {reason!r}")
            if shared.status == "error":  # a worker died while it was made again
                shared = _share(client, work)
    finally:
        client.cancel(list(at_work))


def _call(work, *args):
    return work(*args)


def _count_threads(client):
    return max(1, sum(client.ncores().values()))


def _next(again, fresh):
    """Yield chunks: those that were lost come first."""
    while True:
        which = again.popleft() if again else next(fresh, None)
        if which is None:
            return
        yield which


def _share(client, work):
    """Send what all tasks need to the cluster.

    As the result of a task dask can make it again if all workers that had it are gone,
    which it cannot with scattered data.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        return client.submit(_same, work, pure=False)


def _same(work):
    return work


def _wait_for_one(futures):
    from distributed import CancelledError, TimeoutError, wait

    with suppress(CancelledError, TimeoutError):  # its status tells
        wait(futures, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")


def _fetch(future):
    """Return result and None, or None and why there is no result."""
    from distributed import CancelledError

    try:
        return future.result(), None
    except (Exception, CancelledError) as error:
        return None, error
