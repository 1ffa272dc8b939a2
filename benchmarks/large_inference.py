"""Intervals of a large attribution matrix: time and memory.

Masks are random and outputs are noise, which needs the same work as any others. The
ridge is fitted once; then weights of all targets are inferred, a block at a time.
"""

import argparse
import resource
import time

import numpy as np
from _machine import describe_machine

from skdatamodels import DatamodelRegressor, TrainingRuns, sample_masks
from skdatamodels.inference import infer_weights


def main():
    """Print seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=50_000)
    parser.add_argument("--n-runs", type=int, default=2000)
    parser.add_argument("--n-targets", type=int, default=10_000)
    parser.add_argument("--block", type=int, default=1000)
    arguments = parser.parse_args()
    print(describe_machine())
    m, n = arguments.n_runs, arguments.n_targets
    masks = sample_masks(m, arguments.n_train, 0.5, random_state=0)
    rng = np.random.default_rng(0)
    runs = TrainingRuns(masks, rng.standard_normal((m, n)).astype(np.float32))
    print(f"{n:,} targets, {arguments.n_train:,} examples, {m:,} runs")
    start = time.perf_counter()
    model = DatamodelRegressor(1.0, penalty="l2", random_state=0).fit(runs)
    size = model.coef_.nbytes / 1e9
    report("fit", start, f"weights {size:.1f} GB, solver {model.solver_}")
    start, inside = time.perf_counter(), []
    for first in range(0, n, arguments.block):
        targets = np.arange(first, min(first + arguments.block, n))
        inference = infer_weights(model, runs, targets=targets)
        z = inference[:10].z_score
        inside.append((np.abs(z) < 1.96).mean())
    coverage = np.mean(inside)
    report("inference", start, f"{coverage:.3f} of 95 % intervals contain 0")


def report(what, start, more):
    """Print a line."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds = time.perf_counter() - start
    print(
        f"{what}: {seconds:.0f} s, peak memory {peak:.1f} GB so far; {more}", flush=True
    )


if __name__ == "__main__":
    main()
