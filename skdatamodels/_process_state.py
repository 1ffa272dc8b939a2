"""Safe changes of global state of the process, when several threads make them.

With joblib's threading backend, and in dask workers with several threads, threads train
runs at the same time. They share seeded generators, numbers of threads and flags of
libraries. If each thread saved and restored these settings itself, threads would
overwrite each other's settings, and the original values could be lost.
"""

import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import partial

from threadpoolctl import ThreadpoolController

_generators = threading.RLock()  # held while a thread uses torch's generators
_numbers = threading.Lock()  # held while torch's numbers of threads are set


class SharedContext:
    """A context manager of the process that several threads can share.

    The first thread enters the context and the last one exits it, which restores the
    original state. Call an instance to get the context manager. All threads get the
    value that the first one got.

    Parameters
    ----------
    make : callable
        ``make(*args)`` returns the context manager, for the arguments of the call.
    """

    def __init__(self, make):
        self._make, self._lock = make, threading.Lock()
        self._n_inside, self._undo = 0, ExitStack()

    @contextmanager
    def __call__(self, *args):
        with self._lock:
            if self._n_inside == 0:
                self._given = self._undo.enter_context(self._make(*args))
            self._n_inside += 1
            given = self._given
        try:
            yield given
        finally:
            with self._lock:
                self._n_inside -= 1
                if self._n_inside == 0:
                    self._undo.close()


@contextmanager
def _one_blas_thread(libraries):
    """Set the number of threads of BLAS in any thread, and restore it in any other.

    OpenBLAS has one setting for the process. From version 3.8, limits of threadpoolctl
    do nothing in a thread while another one that has set a limit is alive.
    """
    setters = [
        (getattr(part, "_real_set_num_threads", part.set_num_threads), part.num_threads)
        for part in libraries.lib_controllers
        if part.user_api == "blas"
    ]
    for set_number, _ in setters:
        set_number(1)
    try:
        yield
    finally:
        for set_number, before in setters:
            set_number(before)


_limit_blas = SharedContext(_one_blas_thread)


@contextmanager
def single_threaded():
    """Compute with one thread of BLAS, OpenMP and torch, whatever other threads do.

    The number of threads changes the order of sums, and therefore the results. If
    another thread leaves a limit of threadpoolctl meanwhile, it restores that of BLAS.
    """
    with single_torch_thread():
        libraries = ThreadpoolController()
        # BLAS has one setting per process; OpenMP has one per thread.
        with (
            _limit_blas(libraries),
            libraries.limit(limits=1, user_api="openmp"),
        ):
            yield


@contextmanager
def single_torch_thread():
    """Compute with one thread of torch, whatever other threads do; cheap."""
    if "torch" not in sys.modules:
        yield
        return
    before = _set_torch_threads(1)
    try:
        yield
    finally:
        _set_torch_threads(before)


def _set_torch_threads(number):
    """Set torch's number of threads for this thread only; return the old number.

    torch sets the number for the calling thread and for threads that start later, but
    not for other threads that are running.
    """
    import torch

    with _numbers:
        of_new = _in_new_thread(torch.get_num_threads)
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        _in_new_thread(partial(torch.set_num_threads, of_new))
    return before


def _in_new_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


@contextmanager
def seeded_torch(seed):
    """Seed torch's global generators on all devices, and restore them at the end.

    The generators belong to the process, so only one thread at a time can be in this
    context. Code that uses the generators outside of it is not stopped.

    Parameters
    ----------
    seed : int
        Seed of the generators.
    """
    import torch

    on_cuda = torch.cuda.is_initialized()
    devices = range(torch.cuda.device_count()) if on_cuda else []
    with _generators:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield
        if not on_cuda:  # torch would use our seed when CUDA starts: restore the user's
            torch.cuda.manual_seed_all(torch.initial_seed())
