"""What is common to the threads of a process is as it was, whoever leaves last."""

import sys
import threading
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skdatamodels._process_state import SharedContext, seeded_torch, single_threaded


def overlap(context):
    """Enter a context in one thread, in another; leave the first, then the second."""
    inside = [threading.Event() for _ in range(2)]
    leave, left = ([threading.Event() for _ in range(2)] for _ in range(2))

    def stay(number):
        with context():
            inside[number].set()
            leave[number].wait(10)
        left[number].set()
        left[1].wait(10)  # as threads of a pool, which live on

    threads = [threading.Thread(target=stay, args=(number,)) for number in range(2)]
    for number, thread in enumerate(threads):
        thread.start()
        assert inside[number].wait(10)
    for number in range(2):
        yield number
        leave[number].set()
        assert left[number].wait(10)
    for thread in threads:
        thread.join()


def test_first_enters_and_last_leaves():
    events = []

    @contextmanager
    def make():
        events.append("in")
        yield "given"
        events.append("out")

    shared = SharedContext(make)
    for _ in overlap(shared):
        assert events == ["in"]
    assert events == ["in", "out"]
    with shared() as given, shared():
        assert given == "given"
    with pytest.raises(KeyError), shared():
        raise KeyError
    assert events == ["in", "out"] * 3


def blas_threads():
    libraries = threadpool_info()
    return [part["num_threads"] for part in libraries if part["user_api"] == "blas"]


def set_blas_threads(number):
    """In a thread that ends, because threadpoolctl obeys only the first one alive."""
    limit = partial(threadpool_limits, number, user_api="blas")
    thread = threading.Thread(target=limit)
    thread.start()
    thread.join()


@pytest.fixture
def two_blas_threads():
    before = max(blas_threads())
    set_blas_threads(2)
    yield
    set_blas_threads(before)


@pytest.mark.usefixtures("two_blas_threads")
@pytest.mark.parametrize("limited", [False, True])
def test_threads_of_blas(limited):
    """Also while this thread has set a limit, which others cannot change."""
    before = blas_threads()
    limits = threadpool_limits(2, user_api="blas") if limited else nullcontext()
    with limits:
        for _ in overlap(single_threaded):
            assert set(blas_threads()) <= {1}
        assert blas_threads() == before
        with single_threaded():
            assert set(blas_threads()) <= {1}
    assert blas_threads() == before


def torch_threads_of_a_new_thread():
    torch, found = sys.modules["torch"], []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def test_threads_of_torch():
    """Each thread has its own number, and what new ones get is a third thing."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for _ in overlap(single_threaded):
            assert torch.get_num_threads() == 3
            with single_threaded(), single_threaded():
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 3
        assert torch_threads_of_a_new_thread() == 3
    finally:
        torch.set_num_threads(before)


def test_generator_of_torch_is_of_one_thread_at_a_time():
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    state, drawn = torch.get_rng_state(), {}

    def draw(seed):
        with seeded_torch(seed):
            values = []
            for _ in range(20):
                values.append(torch.rand(()).item())
                threading.Event().wait(1e-3)  # others would draw meanwhile
            with seeded_torch(seed):  # by the same thread
                again = torch.rand(()).item()
            drawn[seed] = values, again

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, (values, again) in drawn.items():
        generator = torch.Generator().manual_seed(seed)
        expected = [torch.rand((), generator=generator).item() for _ in range(20)]
        np.testing.assert_array_equal(values, expected)
        assert again == expected[0]
    assert len(drawn) == 4
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("started", [False, True])
def test_generators_of_cuda_are_put_back(started):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    if started:
        torch.zeros(1, device="cuda")
    torch.manual_seed(7)
    with seeded_torch(3):
        first = torch.rand(2, device="cuda")
    after = torch.rand(2, device="cuda")
    torch.manual_seed(3)
    assert torch.equal(first, torch.rand(2, device="cuda"))
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(2, device="cuda"))
