"""TimeLimited: whatever a run does, it ends, and the next one does not notice."""

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import joblib
import numpy as np
import pytest

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.training._execution.time_limit import TimeLimited

needs_process_groups = pytest.mark.skipif(
    sys.platform == "win32", reason="no time limit there"
)
LIMIT = 1.0  # far more than a run here takes when all is well
HANG, DEAF, CRASH, RAISE, QUIT, WARN, PRINT, KEEP = range(1, 9)


def learner(train_indices, seed):
    """Do what the seed says."""
    if seed == HANG:
        time.sleep(600)
    if seed == DEAF:  # no signal and no thread of Python gets through
        ctypes.PyDLL(None).sleep(600)
    if seed == CRASH:
        os.kill(os.getpid(), signal.SIGSEGV)
    if seed == RAISE:
        raise LookupError("nothing there")
    if seed == QUIT:
        sys.exit("had enough")
    if seed == WARN:
        warnings.warn("somewhat off", RuntimeWarning, stacklevel=1)
    if seed == PRINT:
        print("a line that is no answer", flush=True)
    if seed == KEEP:  # a child of its own that holds all pipes open
        subprocess.Popen(["sleep", "600"], close_fds=False)
        os._exit(7)
    return np.array([seed, *train_indices[:2]], dtype=float)


@pytest.fixture(scope="module")
def limited():
    if sys.platform == "win32":
        pytest.skip("no time limit there")
    limited = TimeLimited(learner, LIMIT)
    yield limited
    limited.close()


def usual(limited):
    np.testing.assert_array_equal(limited(np.array([4, 9]), 100), [100, 4, 9])


@pytest.mark.parametrize("seed", [HANG, DEAF])
def test_what_hangs_is_stopped_and_tells_where(limited, seed):
    with pytest.raises(TimeoutError, match=r"longer than timeout=1.0 s[^$]*in learner"):
        limited([0], seed)
    usual(limited)


@pytest.mark.parametrize(
    ("seed", "message"),
    [(CRASH, "ended by SIGSEGV"), (KEEP, "exit code 7")],
)
def test_what_ends_its_process_is_an_error(limited, seed, message):
    with pytest.raises(RuntimeError, match=message):
        limited([0], seed)
    usual(limited)


@pytest.mark.parametrize("seed", [CRASH, KEEP])
def test_the_end_of_a_process_is_seen_without_waitid(limited, seed, monkeypatch):
    monkeypatch.delattr(os, "waitid", raising=False)  # as on macOS before Python 3.13
    with pytest.raises(RuntimeError, match="was ended"):
        limited([0], seed)
    usual(limited)


def test_without_process_groups_it_says_so_before_a_run(monkeypatch):
    monkeypatch.delattr(os, "killpg", raising=False)  # as on Windows
    examples = Examples(np.zeros((4, 1)), np.zeros(4))
    trainer = SubsetTrainer(process, examples, examples[:2], timeout=2)
    with pytest.raises(NotImplementedError, match=r"timeout=2 needs Linux or macOS"):
        trainer.fit_transform(np.arange(3))


@pytest.mark.parametrize(
    ("seed", "message"),
    [(RAISE, "LookupError: nothing there"), (QUIT, "SystemExit: had enough")],
)
def test_errors_come_with_their_traceback(limited, seed, message):
    with pytest.raises(RuntimeError, match=f"in learner[^$]*{message}"):
        limited([0], seed)
    usual(limited)


def test_warnings_and_prints(limited, capfd):
    with pytest.warns(RuntimeWarning, match="somewhat off"):
        outputs = limited([0, 1], WARN)
    np.testing.assert_array_equal(outputs, [WARN, 0, 1])
    limited([0, 1], PRINT)
    usual(limited)


def test_it_offers_what_its_learner_has(limited):
    class Many:
        block_size = 8

        def __call__(self, train_indices, seed):
            return np.zeros(1)

        def train_many(self, masks, seeds):
            time.sleep(0.3 * len(seeds))
            return seeds[:, None]

    many = TimeLimited(Many(), 1.0)
    assert many.block_size == 8
    assert not hasattr(many, "prepare")
    assert not hasattr(limited, "train_many")
    outputs = many.train_many(np.ones((4, 2), bool), np.arange(4))  # 1.2 s of 4
    np.testing.assert_array_equal(outputs[:, 0], range(4))
    many.close()


def process(train_indices, seed):
    return [os.getpid()]


@needs_process_groups
def test_each_thread_has_a_process_and_a_learner_its_own():
    first, other = TimeLimited(process, LIMIT), TimeLimited(process, LIMIT)
    (alone,) = first([], 0)
    assert alone != os.getpid()
    assert first([], 0) == pickle.loads(pickle.dumps(first))([], 0) == [alone]
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(first([], 0)))
    thread.start()
    thread.join()
    assert seen[0] != alone
    assert other([], 0) != [alone]
    assert not is_running(alone)
    other.close()
    other.close()


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


SCRIPT = """
import os, signal, time
from skdatamodels.training._execution.time_limit import TimeLimited

def learner(train_indices, seed):
    if seed:
        time.sleep(600)
    return [os.getpid()]

limited = TimeLimited(learner, 5)
print(*limited([], 0), flush=True)
limited([], 1)
"""


@needs_process_groups
def test_no_process_is_left_behind_by_one_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=-1) as process:
        child = int(process.stdout.readline())
        process.kill()
    end = time.monotonic() + 60
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not is_running(child)


@needs_process_groups
def test_a_learner_that_does_not_load_is_an_error_of_its_runs():
    class Broken:
        def __call__(self, train_indices, seed):
            return [0.0]

        def __reduce__(self):
            return int, ("not a number",)

    limited = TimeLimited(Broken(), LIMIT)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="invalid literal"):
            limited([], 0)
    limited.close()


def hangs_at_times(train_indices, seed):
    if seed % 10 == 0:
        time.sleep(600)
    return np.array([float(seed), train_indices[0]])


@needs_process_groups
@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_jobs", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")]
)
def test_in_a_trainer_the_other_runs_are_what_they_would_be(n_jobs, backend):
    examples = Examples(np.zeros((20, 1)), np.zeros(20))
    kept = {"random_state": 0, "retries": 0, "on_failure": "nan", "n_jobs": n_jobs}
    trainer = SubsetTrainer(hangs_at_times, examples, examples[:2], timeout=1, **kept)
    with joblib.parallel_config(backend), pytest.warns(RuntimeWarning, match="timeout"):
        runs = trainer.fit_transform(np.arange(12))
    hung = runs.seeds % 10 == 0
    assert 0 < hung.sum() < 6
    assert np.isnan(runs.outputs[hung]).all()
    expected = [
        hangs_at_times(np.flatnonzero(runs.masks[i]), runs.seeds[i])
        for i in np.flatnonzero(~hung)
    ]
    np.testing.assert_array_equal(runs.outputs[~hung], np.float32(expected))
