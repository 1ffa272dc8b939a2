"""Fit 200,000 runs of 20,000 examples from a mask file as large as the memory, 4 GiB.

The file has type bool, in the layout of the paper's authors, and 4 GB. Another process
makes it. Then RLIMIT_DATA limits the memory that is not a map of a file, and 50 targets
are fitted from memory maps.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time

import numpy as np
from _machine import describe_machine

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import load_released_runs


def make_files(folder, d, m, n_targets):
    """Write masks and margins, a block of runs at a time."""
    rng = np.random.default_rng(0)
    coef = rng.standard_t(3, (d, n_targets)).astype(np.float32)
    coef *= rng.random(coef.shape) < 0.02
    shapes = {"masks": ((m, d), bool), "margins": ((m, n_targets), np.float16)}
    masks, margins = (
        np.lib.format.open_memmap(f"{folder}/{name}.npy", "w+", dtype, shape)
        for name, (shape, dtype) in shapes.items()
    )
    for start in range(0, m, 5000):
        bits = rng.integers(0, 256, (min(5000, m - start), -(-d // 8)), np.uint8)
        block = np.unpackbits(bits, axis=1, count=d)
        rows = slice(start, start + len(block))
        masks[rows] = block
        signal = (block.astype(np.float32) - 0.5) @ coef
        noise = rng.standard_normal(signal.shape, np.float32)
        margins[rows] = signal + signal.std(axis=0) * noise


def main():
    """Print time and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=20_000)
    parser.add_argument("--n-runs", type=int, default=200_000)
    parser.add_argument("--n-targets", type=int, default=50)
    parser.add_argument("--limit", type=float, default=4, help="GiB")
    parser.add_argument("--folder", help="where to write the files; default temporary")
    arguments = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        size = folder, arguments.n_train, arguments.n_runs, arguments.n_targets
        making = multiprocessing.Process(target=make_files, args=size)
        making.start()
        making.join()
        limit = int(arguments.limit * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        start = time.perf_counter()
        runs = load_released_runs(f"{folder}/masks.npy", f"{folder}/margins.npy")
        loaded = time.perf_counter() - start
        model = DatamodelRegressor(sparse=True, n_jobs=2, random_state=0).fit(runs)
        seconds = time.perf_counter() - start
    print(
        f"d={arguments.n_train:,}, m={arguments.n_runs:,}, {arguments.n_targets} "
        f"targets under {arguments.limit} GiB: {seconds:.0f} s, of which {loaded:.0f} s"
        f" to pack the masks; solver {model.solver_}; weights not 0: "
        f"{model.coef_.nnz / arguments.n_targets:.0f} a target; largest gap "
        f"{model.dual_gap_.max():.1e}"
    )


if __name__ == "__main__":
    main()
