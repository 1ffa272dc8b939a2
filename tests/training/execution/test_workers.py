"""Workers that die: their runs are trained again, and no other run is hurt."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from joblib import effective_n_jobs, parallel_config

from skdatamodels import Examples, SubsetTrainer, sample_masks
from skdatamodels.training._execution.chunk import ChunkTrainer, Runs, TrainedChunk
from skdatamodels.training._execution.workers import train_chunks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
TRAIN = Examples(np.zeros((20, 1)), np.zeros(20))


def learner(train_indices, seed):
    time.sleep(0.005)
    return np.random.default_rng(seed).standard_normal(3) + train_indices[0]


def once(folder, bad, train_indices, seed):
    """Kill this worker, the first time that it trains one of some runs."""
    marker = Path(folder, str(seed))
    if seed in bad and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return learner(train_indices, seed)


def always(bad, train_indices, seed):
    """Kill this worker each time that it trains one of some runs."""
    if seed in bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return learner(train_indices, seed)


def trainer(learner, **parameters):
    parameters = {"random_state": 0, "n_jobs": 2} | parameters
    return SubsetTrainer(learner, TRAIN, TRAIN[:3], **parameters)


@pytest.fixture(scope="module")
def expected():
    return trainer(learner, n_jobs=1).fit_transform(np.arange(60))


def test_runs_lost_with_a_worker_are_trained_again(expected, tmp_path):
    bad = expected.seeds[[0, 31]].tolist()
    dies = partial(once, str(tmp_path), bad)
    runs = trainer(dies, store=tmp_path / "runs").fit_transform(np.arange(60))
    assert {int(path.name) for path in tmp_path.glob("[0-9]*")} == set(bad)
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    np.testing.assert_array_equal(runs.masks, expected.masks)


@pytest.mark.slow
def test_a_run_that_always_kills_its_worker_fails_alone(expected):
    dies = trainer(partial(always, expected.seeds[[7, 8]].tolist()), retries=0)
    dies.set_params(on_failure="nan")
    with pytest.warns(
        RuntimeWarning, match=r"2 of 60 runs failed[^$]*died[^$]*SIGKILL"
    ):
        runs = dies.fit_transform(np.arange(60))
    lost = np.isin(np.arange(60), [7, 8])
    assert np.isnan(runs.outputs[lost]).all()
    np.testing.assert_array_equal(runs.outputs[~lost], expected.outputs[~lost])


def slow(folder, train_indices, seed):
    """Say which process this is, and take a while."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(0.05)
    return learner(train_indices, seed)


@pytest.mark.slow
def test_workers_killed_from_outside_at_random(expected, tmp_path):
    """Three times, a worker that has begun to train is killed a little later."""
    stop, killed, rng = threading.Event(), set(), np.random.default_rng(0)

    def kill():
        while len(killed) < 3 and not stop.wait(rng.uniform(0.0, 0.6)):
            for path in sorted(tmp_path.iterdir())[:1]:
                path.unlink()
                killed.add(path.name)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(path.name), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        runs = trainer(partial(slow, str(tmp_path)), retries=5).fit_transform(range(60))
    finally:
        stop.set()
        thread.join()
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    assert killed


LEAKING = """
import sys, time
import numpy as np
from skdatamodels import Examples, SubsetTrainer

def leak(train_indices, seed):
    time.sleep(0.6)
    # 160 MB; loky looks each second, and replaces a worker that has grown by 300
    sys.kept = getattr(sys, "kept", []) + [np.ones(20_000_000)]
    return np.zeros(1)

train = Examples(np.zeros((20, 1)), np.zeros(20))
trainer = SubsetTrainer(leak, train, train[:1], n_jobs=2, random_state=0)
print(len(trainer.fit_transform(np.arange(12))))
"""


@pytest.mark.slow
def test_a_worker_that_is_replaced_does_not_stop_us_if_warnings_are_errors():
    pytest.importorskip("psutil")  # loky asks it how workers grow
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", LEAKING],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "12\n"
    assert "A worker stopped while" in done.stderr


def test_multiprocessing_becomes_loky(expected):
    """joblib's pool has no results as they come, and hangs if a worker dies."""
    with (
        parallel_config("multiprocessing", n_jobs=2),
        pytest.warns(UserWarning, match='MultiprocessingBackend cannot .* "loky"'),
    ):
        runs = trainer(learner, n_jobs=None).fit_transform(np.arange(60))
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    np.testing.assert_array_equal(runs.masks, expected.masks)


def test_a_worker_may_die_under_multiprocessing(expected, tmp_path):
    dies = trainer(partial(once, str(tmp_path), expected.seeds[[5]].tolist()))
    with (
        parallel_config("multiprocessing"),
        pytest.warns(UserWarning, match='"loky" instead'),
    ):
        runs = dies.fit_transform(np.arange(60))
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(runs.outputs, expected.outputs)


@pytest.mark.parametrize("backend", ["multiprocessing", "sequential"])
def test_one_job_needs_no_workers_whatever_the_backend(expected, backend):
    here = os.getpid()

    def local(train_indices, seed):
        assert os.getpid() == here
        return learner(train_indices, seed)

    with parallel_config(backend):
        runs = trainer(local, n_jobs=1).fit_transform(np.arange(60))
    np.testing.assert_array_equal(runs.outputs, expected.outputs)


def test_errors_that_are_no_deaths_are_not_retried():
    class Unpicklable:
        def __call__(self, train_indices, seed):
            return np.zeros(3)

        def __reduce__(self):
            raise TypeError("this stays here")

    with pytest.raises(Exception, match="pickle"):
        trainer(Unpicklable()).fit_transform(np.arange(4))


class Steady:
    """A pace of chunks of three."""

    stopped = False

    def chunks(self, todo, count_workers):
        for start in range(0, len(todo), 3):
            yield todo[start : start + 3]


class TerminatedWorkerError(Exception):
    """Known by its name."""


class DiesOfFour(ChunkTrainer):
    """In one process, where "death" is an error by name: notes who is sent."""

    def __call__(self, runs):
        self.learner.append(runs.which.tolist())
        if 4 in runs.which:
            raise TerminatedWorkerError("of four")
        outputs = np.zeros((len(runs.which), 1), np.float32)
        return TrainedChunk(runs.which, outputs, [], [], 1.0)


def test_suspects_are_sent_alone():
    sent, todo = [], np.arange(9)
    work = DiesOfFour(sent, n_targets=1, retries=1)
    runs = Runs(todo, sample_masks(9, n_train=4, alpha=0.5), todo)
    assert effective_n_jobs(1) == 1
    chunks = list(train_chunks(work, runs, todo, Steady(), n_jobs=1))
    ((run, text),) = [failure for chunk in chunks for failure in chunk.failures]
    assert run == 4
    assert text.endswith("died: of four")
    finished = np.concatenate([chunk.which[chunk.finished] for chunk in chunks])
    assert sorted(finished.tolist()) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert sent[:3] == [[0, 1, 2], [3, 4, 5], [3, 4, 5]]
    assert sent[3:] == [[6, 7, 8], [3], [4], [4], [5]]
