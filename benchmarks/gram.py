"""Time to count pairs in masks: table lookups, popcounts, and float32 BLAS.

All run alternately on the same cores; the smallest time of several rounds counts. The
dense matrix for BLAS is made before the timing. Its product is exact only for counts
below 2²⁴. With ``--cpu haswell``, both numba and OpenBLAS do without AVX-512.
"""

import argparse
import os
import sys
import time

import numpy as np
from _machine import describe_machine
from threadpoolctl import threadpool_limits

from skdatamodels import sample_masks
from skdatamodels.masks import _pair_counts

# numba would otherwise take the name from the variable, and the features from the host
CPUS = {
    "haswell": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx2",
        "OPENBLAS_CORETYPE": "Haswell",
    }
}


def main():
    """Print times for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sizes", nargs="+", default=["1000x10000", "4000x40000"], help="d x m"
    )
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", choices=CPUS, help="processor to compile for")
    parser.add_argument(
        "--lanes", type=int, help="bytes looked up at once, if not what gram chooses"
    )
    parser.add_argument(
        "--busy", action="store_true", help="count CPU time, as others use the machine"
    )
    arguments = parser.parse_args()
    clock = time.process_time if arguments.busy else time.perf_counter
    wanted = CPUS.get(arguments.cpu, {})
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        # numpy and numba read these variables when they are imported
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})
    print(describe_machine() + (f", as {arguments.cpu}" if arguments.cpu else ""))
    kernels = [("popcounts", _pair_counts.pair_counter(None))]
    lanes = arguments.lanes or _pair_counts.lookup_lanes(*_pair_counts.target())
    if lanes:
        start = clock()
        kernels.append(("lookups", _pair_counts.pair_counter(lanes)))
        print(f"Lookups ready after {clock() - start:.1f} s.")
    names = [name for name, _ in kernels]
    print(f"| d | m | threads | float32 BLAS | {' | | '.join(names)} | |")
    print("|---|---|---|---|" + "---|---|" * len(kernels))
    for size in arguments.sizes:
        d, m = map(int, size.split("x"))
        masks = sample_masks(m, d, 0.5, random_state=0)
        dense = masks.dense(dtype=np.float32)
        for n_jobs in arguments.jobs:
            times = np.empty((arguments.rounds, 1 + len(kernels)))
            for round_ in times:
                with threadpool_limits(n_jobs, user_api="blas"):
                    start = clock()
                    product = dense.T @ dense
                    round_[0] = clock() - start
                for k, (_, kernel) in enumerate(kernels, start=1):
                    start = clock()
                    counts = gram_by(kernel, masks, n_jobs)
                    round_[k] = clock() - start
                    assert (counts == product).all()
            blas, *ours = times.min(axis=0)
            cells = [f"{1e3 * t:.0f} ms | {blas / t:.1f}" for t in ours]
            print(f"| {d:,} | {m:,} | {n_jobs} | {1e3 * blas:.0f} ms | ", end="")
            print(" | ".join(cells), "|", flush=True)


def gram_by(kernel, masks, n_jobs):
    """Count pairs by a kernel that need not be the one that gram would choose."""
    _pair_counts.fastest_pair_counter = lambda: kernel
    return masks.gram(n_jobs=n_jobs)


if __name__ == "__main__":
    main()
