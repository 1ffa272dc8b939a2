"""SubsetTrainer on two processes of Ray, where it is installed."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from joblib import parallel_config

from skdatamodels import Examples, SubsetTrainer

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

TRAIN = Examples(np.zeros((20, 1)), np.zeros(20))


@pytest.fixture(scope="module", autouse=True)
def cluster():
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False)
    register_ray()
    yield
    ray.shutdown()


def trainer(learner):
    return SubsetTrainer(learner, TRAIN, TRAIN[:3], random_state=0)


def test_no_bit_changes_though_a_worker_is_killed(tmp_path):
    def learner(train_indices, seed):
        (tmp_path / str(os.getpid())).touch()
        time.sleep(0.03)
        return np.random.default_rng(seed).standard_normal(3) + train_indices[0]

    expected = trainer(learner).fit_transform(np.arange(100)).outputs
    (tmp_path / str(os.getpid())).unlink()
    killed = []

    def kill():
        while not killed:
            time.sleep(0.2)
            killed.extend(int(path.name) for path in list(tmp_path.iterdir())[:1])
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with parallel_config("ray"):
        runs = trainer(learner).fit_transform(np.arange(100))
    thread.join()
    np.testing.assert_array_equal(runs.outputs, expected)
    assert len(list(tmp_path.iterdir())) >= 3  # another took the place of the dead one


def test_options_of_tasks(tmp_path):
    def learner(train_indices, seed):
        return np.full(3, ray.get_runtime_context().get_assigned_resources()["CPU"])

    with parallel_config("ray", ray_remote_args={"num_cpus": 2}):
        outputs = trainer(learner).fit_transform(np.arange(3)).outputs
    assert (outputs == 2).all()
