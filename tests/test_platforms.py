"""The package works without what only POSIX has: a stand-in for Windows."""

import subprocess
import sys

ONLY_POSIX = {
    "os": """
        chown fchmod fchown fdatasync fork forkpty geteuid getgid getgroups getpgid
        getsid getuid killpg lchown lockf mkfifo nice pathconf posix_fadvise
        posix_fallocate posix_spawn pread preadv pwrite pwritev register_at_fork
        sched_getaffinity sendfile setpgid setsid sync sysconf sysconf_names
        wait waitid P_PID
        WEXITED WNOHANG WNOWAIT
    """,
    "signal": """
        SIGALRM SIGCHLD SIGHUP SIGKILL SIGSTOP SIGUSR1 SIGXFSZ alarm pause
        pthread_kill pthread_sigmask setitimer sigwait
    """,
}
MODULES = ["fcntl", "grp", "pwd", "resource", "termios"]

# The libraries that the package stands on choose what they use when they are imported.
STAND_IN = f"""
import contextlib, importlib, pkgutil, sys, tempfile
import cloudpickle, filelock, joblib, numba, scipy, sklearn, threadpoolctl, tqdm
import multiprocessing.connection, subprocess
import numpy as np
from sklearn.linear_model import RidgeClassifier

with contextlib.suppress(ImportError):
    import torch
for module, names in {ONLY_POSIX}.items():
    for name in names.split():
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
sys.modules |= dict.fromkeys({MODULES})

import skdatamodels
for module in pkgutil.walk_packages(skdatamodels.__path__, "skdatamodels."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:  # of modules that are imported when used
        if error.name != "torch":
            raise

from skdatamodels.datasets import load_digits_examples

train, targets = load_digits_examples(n_train=40)
alone = skdatamodels.SubsetTrainer(
    RidgeClassifier(), train, targets[:3], random_state=0
)
with tempfile.TemporaryDirectory() as folder:
    for n_runs in (30, 60):  # the second time from a store that has grown
        trainer = skdatamodels.SubsetTrainer(
            RidgeClassifier(), train, targets[:3], store=folder, random_state=0
        )
        runs = trainer.fit_transform(np.arange(n_runs))
    expected = alone.fit_transform(np.arange(60))
    np.testing.assert_array_equal(runs.outputs, expected.outputs)
    assert skdatamodels.DatamodelRegressor().fit(runs).coef_.shape == (3, 40)
print("works")
"""


def test_modules_import_and_runs_are_kept_and_read():
    command = [sys.executable, "-c", STAND_IN]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.stdout == "works\n", answer.stderr
