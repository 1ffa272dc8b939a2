"""Kill processes by SIGKILL at random times, then compare the store bit by bit.

In most rounds the driver trains the runs, and is killed. In the other rounds there are
two workers, and one of the three processes is killed. If it is a worker, the driver
finishes.
"""

import argparse
import filecmp
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _machine import describe_machine

from skdatamodels import Examples, RunStore, SubsetTrainer

EXAMPLES = Examples(np.zeros((20, 1)), np.zeros(20))


def learner(train_indices, seed):
    """Return numbers that depend on everything that defines a run.

    The duration is read from the environment, which is not part of the fingerprint.
    """
    time.sleep(float(os.environ["SECONDS_OF_A_RUN"]))
    return np.random.default_rng(seed).standard_normal(4) + train_indices[0]


def make_trainer(root, n_jobs=1):
    """Return the trainer; all rounds share one store."""
    return SubsetTrainer(
        learner, EXAMPLES, EXAMPLES[:4], store=root, random_state=0, n_jobs=n_jobs
    )


def folder_of(root):
    """Return the folder of the store, or None."""
    return next((path for path in Path(root).iterdir() if path.is_dir()), None)


def start(root, ids, n_jobs):
    """Train in a new process, the leader of a process group."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        make_trainer(root, n_jobs).fit_transform(ids)
        os._exit(0)
    return pid


def workers_of(leader):
    """Return the training processes of the group, without its leader."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            group = int((path / "stat").read_text().rsplit(")")[-1].split()[2])
            command = (path / "cmdline").read_text()
        except OSError:  # the process has ended
            continue
        if group == leader and "popen_loky" in command:
            found.append(int(path.name))
    return found


def kill_one(leader, rng):
    """Kill a worker, or the leader if there is none; return whether it was a worker."""
    workers = workers_of(leader)
    victim = rng.choice([leader, *workers])
    os.kill(victim, signal.SIGKILL)
    return victim != leader


def play(root, first, two_workers, rng):
    """Play a round; return what was killed, or None if training ended before."""
    ids = np.arange(first, first + (400 if two_workers else 150))
    pid = start(root, ids, 2 if two_workers else 1)
    time.sleep(rng.uniform(0, 5 if two_workers else 0.5))
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        assert status == 0, "it failed by itself"
        return None
    killed_worker = kill_one(pid, rng)
    _, status = os.waitpid(pid, 0)
    assert status == (0 if killed_worker else signal.SIGKILL), f"ended with {status}"
    for worker in workers_of(pid):
        os.kill(worker, signal.SIGKILL)
    return "worker" if killed_worker else "driver"


def check(root, expected, n_before):
    """Compare the finished runs with the expected ones; return their number."""
    folder = folder_of(root)
    if folder is None or not (folder / "meta.json").exists():
        return 0
    store = RunStore(folder)
    rows = np.flatnonzero(store.done())
    assert len(rows) >= n_before, "runs were lost"
    if len(rows):
        runs = store.runs(rows)
        assert (runs.outputs == expected.outputs[rows]).all()
        assert (runs.seeds == expected.seeds[rows]).all()
    return len(rows)


def main():
    """Print how often each process was killed, and whether the stores are equal."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--every", type=int, default=8, help="with two workers")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(describe_machine())
    rng = np.random.default_rng(arguments.seed)
    n_runs = 120 * arguments.rounds
    counts, n_done = {"driver": 0, "worker": 0, None: 0}, 0
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder, "calm"), Path(folder, "killed")
        killed.mkdir()
        os.environ["SECONDS_OF_A_RUN"] = "0"
        expected = make_trainer(calm).fit_transform(np.arange(n_runs))
        os.environ["SECONDS_OF_A_RUN"] = "0.004"
        for i in range(arguments.rounds):
            first = min(n_done, n_runs - 400)
            what = play(killed, first, i % arguments.every == 0, rng)
            counts[what] += 1
            n_done = check(killed, expected, n_done)
            if sys.stderr.isatty():
                print(f"\rround {i + 1}, {n_done} runs", end="", file=sys.stderr)
        os.environ["SECONDS_OF_A_RUN"] = "0"
        make_trainer(killed).fit_transform(np.arange(n_runs))
        names = [path.name for path in folder_of(calm).glob("*.npy")]
        same, other, errors = filecmp.cmpfiles(
            folder_of(calm), folder_of(killed), [*names, "meta.json"], shallow=False
        )
    print(
        f"{arguments.rounds} rounds: driver killed {counts['driver']}, a worker "
        f"{counts['worker']}, finished before {counts[None]}; {n_done} runs kept of "
        f"those, {n_runs} in the end. Equal bit by bit: {sorted(same)}; not: "
        f"{other + errors}"
    )


if __name__ == "__main__":
    main()
