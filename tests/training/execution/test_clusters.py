"""SubsetTrainer on a dask cluster of two processes: no bit changes, whatever dies."""

import contextlib
import os
import signal
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from skdatamodels import Examples, RunStore, SubsetTrainer

TRAIN = Examples(np.zeros((20, 1)), np.zeros(20))
IDS = np.arange(80)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def alive(client):
    client.wait_for_workers(1, timeout=60)  # a nanny may not survive what we do


def learner(train_indices, seed, seconds=0.0):
    time.sleep(seconds)
    return np.random.default_rng(seed).standard_normal(3) + train_indices[0]


def trainer(learner, **parameters):
    return SubsetTrainer(learner, TRAIN, TRAIN[:3], random_state=0, **parameters)


@pytest.fixture(scope="module")
def expected():
    return trainer(learner).fit_transform(IDS)


def process(train_indices, seed):
    time.sleep(0.02)
    return np.full(3, float(os.getpid()))


def test_both_workers_train_and_the_driver_does_not():
    with parallel_config("dask"):
        pids = set(trainer(process).fit_transform(IDS).outputs.ravel().tolist())
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_no_bit_changes(expected, tmp_path):
    with parallel_config("dask"):
        runs = trainer(learner, store=tmp_path).fit_transform(IDS[::-1])
    np.testing.assert_array_equal(runs.outputs, expected.outputs[::-1])
    np.testing.assert_array_equal(runs.masks, expected.masks[::-1])
    again = trainer(learner, store=tmp_path).fit_transform(IDS)  # reads
    np.testing.assert_array_equal(again.outputs, expected.outputs)


def hangs(folder, bad, train_indices, seed):
    marker = Path(folder, str(seed))
    if seed in bad and not marker.exists():
        marker.touch()
        time.sleep(600)
    return learner(train_indices, seed)


def test_time_limit(expected, tmp_path):
    bad = expected.seeds[[2, 9]].tolist()
    limited = trainer(partial(hangs, str(tmp_path), bad), timeout=2.0, retries=1)
    with parallel_config("dask"):
        runs = limited.fit_transform(IDS)
    assert len(list(tmp_path.iterdir())) == 2
    np.testing.assert_array_equal(runs.outputs, expected.outputs)


def test_an_estimator_with_workers_of_its_own_does_not_wait_for_itself():
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(4, n_jobs=2)
    data = Examples(X[::3], y[::3]), Examples(X[1::30], y[1::30])
    trees = SubsetTrainer(forest, *data, random_state=0)
    plain = trees.fit_transform(IDS[:6])
    with parallel_config("dask"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib: daemons may not have children
        runs = trees.fit_transform(IDS[:6])
    np.testing.assert_array_equal(runs.outputs, plain.outputs)


def test_an_error_in_the_driver_cancels_what_is_sent(client, monkeypatch, tmp_path):
    def full(self, *args):
        raise OSError("no space")

    monkeypatch.setattr(RunStore, "write", full)
    slow = trainer(partial(learner, seconds=0.2), store=tmp_path)
    with parallel_config("dask"), pytest.raises(OSError, match="no space"):
        slow.fit_transform(IDS)
    end = time.monotonic() + 30
    while any(client.processing().values()) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(client.processing().values())


def test_workers_killed_at_random(client, expected, tmp_path):
    slow = trainer(partial(learner, seconds=0.08), store=tmp_path, retries=5)
    rng, killed, stop = np.random.default_rng(0), [], threading.Event()

    def kill():
        while len(killed) < 3 and not stop.wait(rng.uniform(0.2, 1.5)):
            with contextlib.suppress(OSError, ValueError):  # none lives just now
                killed.append(rng.choice(list(client.run(os.getpid).values())))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with parallel_config("dask"):
        runs = slow.fit_transform(IDS)
    stop.set()
    thread.join()
    assert killed
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    np.testing.assert_array_equal(RunStore(folder).runs().outputs, expected.outputs)


def kills(bad, train_indices, seed):
    if seed in bad:
        time.sleep(0.5)  # a nanny gives up a worker that dies while it starts
        os.kill(os.getpid(), signal.SIGKILL)
    return learner(train_indices, seed)


def test_a_run_that_kills_its_workers_fails_and_no_other(expected):
    bad = expected.seeds[[5]].tolist()
    dies = trainer(partial(kills, bad), retries=0, on_failure="nan")
    with (
        parallel_config("dask"),
        pytest.warns(RuntimeWarning, match=r"1 of 80 runs[^$]*cluster gave up the run"),
    ):
        runs = dies.fit_transform(IDS)
    assert np.isnan(runs.outputs[5]).all()
    others = np.delete(IDS, 5)
    np.testing.assert_array_equal(runs.outputs[others], expected.outputs[others])
