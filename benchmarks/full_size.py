"""The paper's full size on a GPU: time and peak memory, beside a roofline estimate.

d = 50,000 training examples, m = 300,000 runs, 10,000 targets, 100 lams. Masks and
outputs are generated; the time of that is not counted. Peak memory is that of the GPU.

The roofline counts floating-point operations: for the pairs 2·m·d² by tensor cores in
TF32, for the covariances 2·m·d·n, and for each iteration of the path 2·d²·n in full
float32. Give the peak rates of the card; the defaults are those of an H100 (SXM).
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from big_job import simulate

from skdatamodels import DatamodelRegressor


def main():
    """Print times and memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=50_000)
    parser.add_argument("--n-runs", type=int, default=300_000)
    parser.add_argument("--n-targets", type=int, default=10_000)
    parser.add_argument("--n-lams", type=int, default=100)
    parser.add_argument("--tf32", type=float, default=495, help="peak TFLOP/s")
    parser.add_argument("--float32", type=float, default=67, help="peak TFLOP/s")
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    import torch

    d, m, n = arguments.n_train, arguments.n_runs, arguments.n_targets
    print(describe_machine())
    if arguments.device.startswith("cuda"):
        print(torch.cuda.get_device_name(arguments.device))
    masks, Y = simulate(d, m, n)
    model = DatamodelRegressor(
        n_lams=arguments.n_lams,
        sparse=True,
        solver="gram",
        device=arguments.device,
        random_state=0,
    )
    model.fit(masks[:500], Y[:500, :2])  # compile
    start = time.perf_counter()
    model.fit(masks, Y)
    seconds = time.perf_counter() - start
    followed = np.isfinite(model.validation_error_).sum(axis=1).mean()
    pairs = 2 * m * d**2 / arguments.tf32 / 1e12
    covariances = 2 * m * d * n / arguments.float32 / 1e12
    iteration = 2 * d**2 * n / arguments.float32 / 1e12
    print(
        f"d={d:,}, m={m:,}, {n:,} targets: {seconds:.0f} s; lams followed "
        f"{followed:.1f}; iterations of the last fit {model.n_iter_.mean():.1f}; "
        f"largest gap {model.dual_gap_.max():.1e}\n"
        f"roofline: pairs {pairs:.2f} s, covariances {covariances:.2f} s, an iteration "
        f"{iteration:.3f} s"
    )
    if arguments.device.startswith("cuda"):
        peak = torch.cuda.max_memory_allocated(arguments.device)
        print(f"peak memory of the GPU {peak / 2**30:.1f} GiB")


if __name__ == "__main__":
    main()
