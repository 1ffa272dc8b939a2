"""Time to count pairs in masks: population count on packed bits, and float32 BLAS.

Both run alternately on the same cores; the smallest time of several rounds counts. The
dense matrix for BLAS is made before the timing. Its product is exact only for counts
below 2²⁴.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from threadpoolctl import threadpool_limits

from skdatamodels import sample_masks


def main():
    """Print times for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sizes", nargs="+", default=["1000x10000", "4000x40000"], help="d x m"
    )
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(describe_machine())
    print("| d | m | threads | popcount | float32 BLAS | ratio |")
    print("|---|---|---|---|---|---|")
    for size in arguments.sizes:
        d, m = map(int, size.split("x"))
        masks = sample_masks(m, d, 0.5, random_state=0)
        dense = masks.dense(dtype=np.float32)
        masks.gram()  # compile
        for n_jobs in arguments.jobs:
            times = np.empty((arguments.rounds, 2))
            for round_ in times:
                start = time.perf_counter()
                counts = masks.gram(n_jobs=n_jobs)
                round_[0] = time.perf_counter() - start
                with threadpool_limits(n_jobs, user_api="blas"):
                    start = time.perf_counter()
                    product = dense.T @ dense
                    round_[1] = time.perf_counter() - start
            assert (counts == product).all()
            ours, blas = times.min(axis=0)
            print(
                f"| {d:,} | {m:,} | {n_jobs} | {1e3 * ours:.0f} ms | {1e3 * blas:.0f} "
                f"ms | {blas / ours:.1f} |"
            )


if __name__ == "__main__":
    main()
