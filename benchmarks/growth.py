"""How the time of a fit grows with training examples, runs and targets.

One of the three is doubled while the others are fixed. The exponent is the slope of a
line through the logarithms of the times, each the smallest of several rounds.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from big_job import simulate

from skdatamodels import DatamodelRegressor

SIZES = {
    "n_train": [(d, 20_000, 64) for d in (500, 1000, 2000, 4000)],
    "n_runs": [(1000, m, 64) for m in (10_000, 20_000, 40_000, 80_000)],
    "n_targets": [(1000, 10_000, n) for n in (64, 128, 256, 512)],
}


def seconds(size, rounds):
    """Return the smallest time of a fit with lam chosen on held-out runs."""
    masks, Y = simulate(*size)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        DatamodelRegressor(sparse=True, n_jobs=2, random_state=0).fit(masks, Y)
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    """Print times and exponents."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(describe_machine())
    seconds((100, 1000, 64), 1)  # compile
    print("| growing | n_train | n_runs | n_targets | s | exponent |")
    print("|---|---|---|---|---|---|")
    for axis, (name, sizes) in enumerate(SIZES.items()):
        times = [seconds(size, rounds) for size in sizes]
        along = [size[axis] for size in sizes]
        exponent = np.polyfit(np.log(along), np.log(times), 1)[0]
        for size, spent in zip(sizes, times, strict=True):
            d, m, n = size
            last = f"{exponent:.2f}" if size == sizes[-1] else ""
            print(f"| {name} | {d:,} | {m:,} | {n} | {spent:.2f} | {last} |")


if __name__ == "__main__":
    main()
