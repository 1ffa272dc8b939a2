"""A training that is killed at any moment loses nothing and corrupts nothing."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest

from skdatamodels import Examples, RunStore, SubsetTrainer

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
trainer.fit_transform(np.arange(800))
"""


def learner(train_indices, seed):
    """Do as the script's, without delay."""
    return np.random.default_rng(seed).standard_normal(4) + train_indices[0]


def start(root, n_jobs):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(root), str(n_jobs)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def opened(root):
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return RunStore(folder)


def rows_done(root):
    """Rows that are done in the store below root, if there is one yet."""
    with suppress(FileNotFoundError, ValueError):
        return np.flatnonzero(opened(root).done())
    return np.arange(0)


def test_killed_again_and_again(tmp_path):
    train = Examples(np.zeros((20, 1)), np.zeros(20))
    undisturbed = SubsetTrainer(learner, train, train[:4], random_state=0)
    expected = undisturbed.fit_transform(np.arange(800))
    rng, root, n_done = np.random.default_rng(0), tmp_path / "killed", 0
    for n_jobs in (1, 2, 1):
        with start(root, n_jobs) as process:
            process.stdout.readline()
            end = time.monotonic() + 60
            while len(rows_done(root)) == n_done and time.monotonic() < end:
                time.sleep(0.005)  # until it trains
            time.sleep(rng.uniform(0.0, 0.1))
            assert process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
        rows = rows_done(root)
        assert len(rows) > n_done
        n_done = len(rows)
        runs = opened(root).runs(rows)
        np.testing.assert_array_equal(runs.outputs, expected.outputs[rows])
        np.testing.assert_array_equal(runs.masks, expected.masks[rows])
    with start(root, 1) as process:
        assert process.wait(60) == 0
    runs = opened(root).runs()
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    np.testing.assert_array_equal(runs.masks, expected.masks)
    np.testing.assert_array_equal(runs.seeds, expected.seeds)
