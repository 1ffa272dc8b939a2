"""Time and memory of what is done with a store, as it grows.

A store of the largest size is written first, in appends of 1,000 runs; the time of the
last appends is compared with that of the first. Then each action runs in a process of
its own, on a store of a tenth of the runs and on the whole one: to open it, to append
a chunk, to read some runs, to resume (a trainer asks for all runs and a few new ones),
to compare all checksums, and to fit a datamodel of a few targets. Reported are seconds
and how much resident memory grew beyond that of the imports; pages of mapped files that
the kernel may drop are shown apart. Files are in the page cache if they fit there.
"""

import argparse
import multiprocessing
import re
import tempfile
import time
from pathlib import Path

import numpy as np
from _machine import describe_machine

from skdatamodels import DatamodelRegressor, Examples, RunStore, SubsetTrainer

CHUNK = 1000


class Learner:
    """Outputs without a training, so that only the store takes time."""

    def __init__(self, n_targets):
        self.n_targets = n_targets

    def __call__(self, train_indices, seed):
        """Return numbers that depend on the subset and the seed."""
        values = np.random.default_rng(seed).standard_normal(self.n_targets)
        return values + train_indices[0]


def make_trainer(folder, n_train, n_targets):
    """Return a trainer of the learner."""
    train = Examples(np.zeros((n_train, 1)), np.zeros(n_train))
    targets = Examples(np.zeros((n_targets, 1)), np.zeros(n_targets))
    return SubsetTrainer(
        Learner(n_targets), train, targets, store=folder, random_state=0
    )


def open_only(trainer, path, n_runs):
    """Open the store."""
    RunStore(path)


def append(trainer, path, n_runs):
    """Append a chunk of runs."""
    trainer.fit_transform(np.arange(n_runs, n_runs + CHUNK))


def read(trainer, path, n_runs):
    """Read a chunk of runs from the middle."""
    runs = RunStore(path).runs(slice(n_runs // 2, n_runs // 2 + CHUNK))
    np.array(runs.outputs)


def resume(trainer, path, n_runs):
    """Ask for all runs; all are there."""
    trainer.fit_transform(np.arange(n_runs))


def checksums(trainer, path, n_runs):
    """Compare all runs with their checksums."""
    assert RunStore(path).damaged().size == 0


def fit(trainer, path, n_runs):
    """Fit datamodels of ten targets at one lam to a tenth of the runs."""
    runs = RunStore(path).runs(slice(0, n_runs // 10))
    model = DatamodelRegressor(lam=0.05, solver="residual", sparse=True)
    model.fit(runs.packed, np.array(runs.outputs[:, :10]))


ACTIONS = open_only, read, append, resume, checksums, fit


def memory():
    """Return resident bytes that are private, and those of mapped files."""
    status = Path("/proc/self/status").read_text()
    return [
        1024 * int(re.search(rf"{name}:\s+(\d+)", status)[1])
        for name in ("RssAnon", "RssFile")
    ]


class Peak:
    """Largest memory during a block, looked at every few milliseconds."""

    def __enter__(self):
        import threading

        self.start, self.most = memory(), [0, 0]
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.ended.wait(0.005):
            grown = np.subtract(memory(), self.start)
            self.most = np.maximum(self.most, grown)

    def __exit__(self, *exception):
        self.ended.set()
        self.thread.join()


def measure(action, folder, path, n_runs, n_train, n_targets, results):
    """Time an action, in a new process."""
    trainer = make_trainer(folder, n_train, n_targets)
    start = time.perf_counter()
    with Peak() as peak:
        action(trainer, path, n_runs)
    results.put((time.perf_counter() - start, *peak.most))


def fill(folder, n_runs, n_train, n_targets):
    """Write runs in appends, print the pace, and return the path of the store."""
    trainer = make_trainer(folder, n_train, n_targets)
    seconds = []
    for start in range(0, n_runs, CHUNK):
        begin = time.perf_counter()
        trainer.fit_transform(np.arange(start, start + CHUNK))
        seconds.append(time.perf_counter() - begin)
    (path,) = (entry for entry in Path(folder).iterdir() if entry.is_dir())
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    few = max(1, len(seconds) // 10)
    print(
        f"{n_runs:,} runs of {n_train:,} examples and {n_targets:,} targets: "
        f"{size / 1e9:.2f} GB, {sum(seconds):.0f} s; {CHUNK:,} runs took "
        f"{np.median(seconds[:few]):.2f} s at the start and "
        f"{np.median(seconds[-few:]):.2f} s at the end",
        flush=True,
    )
    return path


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-runs", type=int, default=200_000)
    parser.add_argument("--n-train", type=int, default=10_000)
    parser.add_argument("--n-targets", type=int, default=500)
    arguments = parser.parse_args()
    sizes = arguments.n_train, arguments.n_targets
    print(describe_machine())
    context = multiprocessing.get_context("spawn")
    rows = {}
    for n_runs in arguments.n_runs // 10, arguments.n_runs:
        with tempfile.TemporaryDirectory() as folder:
            path = fill(folder, n_runs, *sizes)
            for action in ACTIONS:
                results = context.Queue()
                process = context.Process(
                    target=measure,
                    args=(action, folder, path, n_runs, *sizes, results),
                )
                process.start()
                rows.setdefault(action.__name__, []).append(results.get())
                process.join()
    print("| action | seconds | MB private | MB of mapped files |")
    print("|---|---|---|---|")
    for name, (small, large) in rows.items():
        pairs = [f"{small[0]:.3f} → {large[0]:.3f}"]
        pairs += [
            f"{a / 1e6:.0f} → {b / 1e6:.0f}"
            for a, b in zip(small[1:], large[1:], strict=True)
        ]
        print(f"| {name} | {' | '.join(pairs)} |")


if __name__ == "__main__":
    main()
