"""What belongs to the whole process, where several of its threads want it at a time.

Threads train runs side by side under joblib's threading backend and in dask workers of
more than one thread. Seeded generators, numbers of threads and flags of libraries are
common to all of them: what one sets, the others get, and what was there before is lost
if each puts back what it found.
"""

import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import partial

from threadpoolctl import ThreadpoolController

_generators = threading.RLock()  # held by the thread that draws from torch's
_numbers = threading.Lock()  # held by the thread that sets torch's


class SharedContext:
    """A context of the process that several threads may be in at a time.

    The first to come enters it and the last to leave exits it, so that what was there
    before the first comes back. Call it for the context; it gives what it gave the
    first.

    Parameters
    ----------
    make : callable
        ``make(*args) -> context manager``, with the arguments of the call.
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


_limit_blas = SharedContext(
    lambda libraries: libraries.limit(limits=1, user_api="blas")
)


@contextmanager
def single_threaded():
    """Compute with one thread of BLAS, OpenMP and torch, whatever other threads do.

    Threads change the order of sums, so results would depend on their number.
    """
    with single_torch_thread():
        libraries = ThreadpoolController()
        # BLAS has one number for the process; OpenMP has one for each of its threads.
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
    """Set the number of this thread alone, and return what it was.

    torch sets the number of the calling thread and of those that are yet to come, but
    not of the others that are there.
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
    """Seed torch's own generators, on all devices, and put them back in the end.

    They belong to the process, so that other threads that come here wait. This cannot
    keep out code that draws from them without coming here.

    Parameters
    ----------
    seed : int
    """
    import torch

    on_cuda = torch.cuda.is_initialized()
    devices = range(torch.cuda.device_count()) if on_cuda else []
    with _generators:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield
        if not on_cuda:  # torch keeps our seed for when CUDA starts: give it the user's
            torch.cuda.manual_seed_all(torch.initial_seed())
