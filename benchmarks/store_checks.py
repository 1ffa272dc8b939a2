"""Time to check the runs of a store, and to compare their masks and seeds.

Times are processor times, the smallest of several rounds. Files stay in the page cache,
so the disk is not measured.
"""

import argparse
import tempfile
import time

import numpy as np
from _machine import describe_machine

from skdatamodels.masks import PackedMasks
from skdatamodels.runs import RunStore

SIZES = [  # n_runs, n_train, n_targets
    (100_000, 1000, 100),
    (20_000, 1000, 1000),
    (10_000, 50_000, 10_000),
]


def seconds(rounds, function, *arguments):
    """Return the smallest time of some calls."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function(*arguments)
        times.append(time.process_time() - start)
    return min(times)


def measure(n_runs, n_train, n_targets, rounds):
    """Return the seconds to check runs, without and with their masks and seeds."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 256, (n_runs, n_train // 8), dtype=np.uint8)
    masks, seeds = PackedMasks(bits, n_train), np.arange(n_runs, dtype=np.uint32)
    outputs = rng.standard_normal((n_runs, n_targets), dtype=np.float32)
    rows = np.arange(n_runs)
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore.create(folder, n_train, n_targets)
        store.write(rows, masks, seeds, outputs)
        alone = seconds(rounds, store.check, rows)
        return alone, seconds(rounds, store.check, rows, masks, seeds)


def main():
    """Print runs and bytes per second."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(describe_machine())
    print("| n_train | n_targets | kB a run | runs/s | GB/s | with masks, runs/s |")
    print("|---|---|---|---|---|---|")
    for n_runs, n_train, n_targets in SIZES:
        row_bytes = n_train // 8 + 4 * n_targets + 8
        alone, both = measure(n_runs, n_train, n_targets, rounds)
        print(
            f"| {n_train:,} | {n_targets:,} | {row_bytes / 1e3:.2g} | "
            f"{n_runs / alone:,.0f} | {n_runs * row_bytes / alone / 1e9:.2f} | "
            f"{n_runs / both:,.0f} |"
        )


if __name__ == "__main__":
    main()
