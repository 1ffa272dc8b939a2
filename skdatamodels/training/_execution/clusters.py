"""Sending chunks of runs to a cluster that may grow, shrink and lose workers."""

import warnings
from collections import Counter, deque
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import islice

import numpy as np

_LOOK_SECONDS = 2.0  # how often to see whether there are more workers
_QUEUED = 2  # chunks that a thread of the cluster has at hand


def train_on_cluster(cluster, work, runs, todo, pace):
    """Yield what came of the chunks of some runs, as they come.

    A cluster sends a task again if its worker dies, and gives it up after some deaths.
    The runs of a chunk that is given up are sent one by one; one of them that is given
    up again is sent in the end, with no other at work.

    Parameters
    ----------
    cluster : _Dask or _Ray
    work, runs, todo, pace
        As in :func:`skdatamodels.training._execution.workers.train_chunks`.

    Yields
    ------
    chunk : TrainedChunk
    """
    shared = cluster.share(work)
    fresh = pace.chunks(todo, cluster.count_threads)
    again, suspects, losses, at_work = deque(), deque(), Counter(), {}
    try:
        while True:
            room = max(0, _QUEUED * cluster.count_threads() - len(at_work))
            ready = list(islice(_next(again, fresh), room))
            if not ready and not at_work and suspects and not pace.stopped:
                ready = [suspects.popleft()]
            for which in ready:
                at_work[cluster.submit(shared, runs.take(which))] = which
            if not at_work:
                return
            for task in cluster.wait(list(at_work)):
                which = at_work.pop(task)
                chunk, reason = _fetch(cluster, task)
                if chunk is not None:
                    yield chunk
                elif len(which) > 1:
                    again += np.split(which, len(which))
                elif losses[which[0]] <= work.retries:
                    losses[which[0]] += 1
                    suspects.append(which)
                else:
                    reason = f"The cluster gave up the run: {reason!r}"
                    yield work.lost(runs.take(which), reason)
            if cluster.is_lost(shared):
                shared = cluster.share(work)
    finally:
        cluster.cancel(list(at_work))


def find_cluster(backend):
    """Return the cluster that a backend of joblib stands for, or None."""
    kinds = {"DaskDistributedBackend": _Dask, "RayBackend": _Ray}
    kind = kinds.get(type(backend).__name__)
    return None if kind is None else kind(backend)


class _Dask:
    """Tasks of a dask client.

    The backend of joblib 1.6 keeps to the number of workers at its start, and waits for
    ever for a task that dask has given up.
    """

    def __init__(self, backend):
        self.client = backend.client

    def count_threads(self):
        return max(1, sum(self.client.ncores().values()))

    def share(self, work):
        # The result of a task can be made again if the workers that have it are gone,
        # scattered data cannot.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self.client.submit(_same, work, pure=False)

    def is_lost(self, shared):
        return shared.status == "error"  # a worker died while it was made again

    def submit(self, shared, runs):
        return self.client.submit(_call, shared, runs, pure=False)

    def wait(self, tasks):
        from distributed import CancelledError, TimeoutError, wait

        with suppress(CancelledError, TimeoutError):
            wait(tasks, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")
        return [task for task in tasks if task.done()]

    def result(self, task):
        return task.result()

    def cancel(self, tasks):
        self.client.cancel(tasks)


class _Ray:
    """Tasks of Ray; its backend for joblib cannot give results as they come."""

    def __init__(self, backend):
        import ray

        if not ray.is_initialized():
            ray.init()
        options = {"num_cpus": 1} | (backend.ray_remote_args or {})
        self.ray, self._call = ray, ray.remote(**options)(_call)

    def count_threads(self):
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def share(self, work):
        return self.ray.put(work)

    def is_lost(self, shared):
        return False  # the driver has it

    def submit(self, shared, runs):
        return self._call.remote(shared, runs)

    def wait(self, tasks):
        self.ray.wait(tasks, num_returns=1, timeout=_LOOK_SECONDS)
        return self.ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]

    def result(self, task):
        return self.ray.get(task)

    def cancel(self, tasks):
        for task in tasks:
            self.ray.cancel(task)


def _same(work):
    return work


def _call(work, runs):
    return work(runs)


def _next(again, fresh):
    """Yield chunks: those that were lost come first."""
    while True:
        which = again.popleft() if again else next(fresh, None)
        if which is None:
            return
        yield which


def _fetch(cluster, task):
    """Return the result and None, or None and why there is none."""
    try:
        return cluster.result(task), None
    except (Exception, CancelledError) as error:
        return None, error
