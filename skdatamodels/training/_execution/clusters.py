"""Training on a cluster that may grow, shrink and lose workers."""

import warnings
from collections import Counter, deque
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import islice

import numpy as np

_LOOK_SECONDS = 2.0  # interval of checks for new workers
_QUEUED = 2  # chunks that are sent ahead for each thread of the cluster


def train_on_cluster(cluster, work, runs, todo, pace):
    """Train runs on a cluster, and yield the results of each chunk when it is done.

    If a worker dies, the cluster sends its task to another worker, and gives up after a
    few deaths. Then the runs of the chunk are sent one by one. Runs that are given up
    again are sent at the end, while no other run is being trained.

    Parameters
    ----------
    cluster : _Dask or _Ray
        The cluster.
    work, runs, todo, pace
        As in :func:`skdatamodels.training._execution.workers.train_chunks`.

    Yields
    ------
    chunk : TrainedChunk
        Results of a chunk.
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
    """Return the cluster of a joblib backend, or None if it has none."""
    kinds = {"DaskDistributedBackend": _Dask, "RayBackend": _Ray}
    kind = kinds.get(type(backend).__name__)
    return None if kind is None else kind(backend)


class _Dask:
    """Tasks of a dask client.

    The dask backend of joblib 1.6 is not used, because it ignores workers that join
    later and waits forever for a task that dask has given up.
    """

    def __init__(self, backend):
        self.client = backend.client

    def count_threads(self):
        return max(1, sum(self.client.ncores().values()))

    def share(self, work):
        # If the workers that have it are lost, dask can compute the result of a task
        # again. Scattered data would be lost.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self.client.submit(_same, work, pure=False)

    def is_lost(self, shared):
        return shared.status == "error"  # a worker died during recomputation

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
    """Tasks of Ray, whose joblib backend cannot return results one by one."""

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
        return False  # the driver holds it

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
    """Yield chunks, starting with those that were lost."""
    while True:
        which = again.popleft() if again else next(fresh, None)
        if which is None:
            return
        yield which


def _fetch(cluster, task):
    """Return the result and None, or None and the error."""
    try:
        return cluster.result(task), None
    except (Exception, CancelledError) as error:
        return None, error
