"""A training that is killed at any moment loses nothing and corrupts nothing."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from skdatamodels import RunStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
SCRIPT = """
import sys, time
import numpy as np
from skdatamodels import Examples, SubsetTrainer

def learner(train_indices, seed):
    time.sleep(0.002)
    return np.random.default_rng(seed).standard_normal(4) + train_indices[0]

train = Examples(np.zeros((20, 1)), np.zeros(20))
root, n_jobs = sys.argv[1], int(sys.argv[2])
trainer = SubsetTrainer(
    learner, train, train[:4], store=root, random_state=0, n_jobs=n_jobs
)
print("begun", flush=True)
trainer.fit_transform(np.arange(400))
"""


def start(root, n_jobs):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(root), str(n_jobs)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def opened(root):
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return RunStore(folder)


def test_killed_again_and_again(tmp_path):
    with start(tmp_path / "undisturbed", 1) as process:
        assert process.wait(60) == 0
    expected = opened(tmp_path / "undisturbed").runs()
    rng = np.random.default_rng(0)
    n_done, n_kills = 0, 0
    for round_number in range(6):
        with start(tmp_path / "killed", 1 + round_number % 2) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0.02, 0.3))
            n_kills += process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
        store = opened(tmp_path / "killed")
        rows = np.flatnonzero(store.done())
        assert len(rows) >= n_done
        n_done = len(rows)
        if n_done:
            runs = store.runs(rows)
            np.testing.assert_array_equal(runs.outputs, expected.outputs[rows])
            np.testing.assert_array_equal(runs.masks, expected.masks[rows])
    assert n_kills >= 3
    with start(tmp_path / "killed", 2) as process:
        assert process.wait(60) == 0
    runs = opened(tmp_path / "killed").runs()
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    np.testing.assert_array_equal(runs.masks, expected.masks)
    np.testing.assert_array_equal(runs.seeds, expected.seeds)
