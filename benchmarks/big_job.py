"""Time and peak memory of a whole job that must fit on a laptop.

Another process makes the runs. This one reads them, fits datamodels (a path that stops
early on some of the runs, choice of lam, fit on all runs), and scores them on new runs.
Memory must stay below 4·d² bytes, one matrix of counts, plus 2 GiB. With ``--gaps``, a
share of the outputs is NaN; with ``--exclude``, target j is training example j. Both
need a matrix for each target.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time

import numpy as np
from _machine import describe_machine

from skdatamodels import DatamodelRegressor, PackedMasks, sample_masks
from skdatamodels.metrics import linear_datamodeling_score


def true_weights(rng, d, n_targets):
    """Draw weights (d, n_targets), of which a tenth are not 0."""
    coef = rng.standard_t(3, (d, n_targets)).astype(np.float32)
    coef *= rng.random(coef.shape) < 0.1
    return coef


def simulate(d, m, n_targets):
    """Make masks of half-subsets, and outputs of half signal and half noise."""
    rng = np.random.default_rng(0)
    masks = sample_masks(m, d, 0.5, random_state=0)
    Y = masks.dot(true_weights(rng, d, n_targets))
    Y += Y.std(axis=0) * rng.standard_normal(Y.shape, np.float32)
    return masks, Y


def make_runs(folder, *size):
    """Write packed masks and outputs."""
    masks, Y = simulate(*size)
    np.save(f"{folder}/bits.npy", masks.bits)
    np.save(f"{folder}/outputs.npy", Y)


def main():
    """Print time, memory and results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=10_000)
    parser.add_argument("--n-runs", type=int, default=60_000)
    parser.add_argument("--n-targets", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--gaps", type=float, default=0, help="share of the outputs")
    parser.add_argument("--exclude", action="store_true")
    arguments = parser.parse_args()
    d, n_targets = arguments.n_train, arguments.n_targets
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        size = folder, d, arguments.n_runs + 1000, n_targets
        making = multiprocessing.Process(target=make_runs, args=size)
        making.start()
        making.join()
        bits, Y = np.load(f"{folder}/bits.npy"), np.load(f"{folder}/outputs.npy")
    masks, m = PackedMasks(bits, d), arguments.n_runs
    gaps = np.random.default_rng(1).random((m, n_targets)) < arguments.gaps
    Y[:m][gaps] = np.nan
    exclude = np.arange(n_targets) if arguments.exclude else None
    start = time.perf_counter()
    model = DatamodelRegressor(
        sparse=True, exclude=exclude, n_jobs=arguments.jobs, random_state=0
    )
    model.fit(masks[:m], Y[:m])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    bound = 4 * d**2 + 2 * 2**30
    followed = np.isfinite(model.validation_error_).sum(axis=1)
    score = linear_datamodeling_score(Y[m:], model.predict(masks[m:]))
    print(
        f"d={d:,}, m={m:,}, {n_targets} targets, {arguments.jobs} jobs: "
        f"{seconds:.0f} s; peak memory {peak / 2**30:.2f} GiB of {bound / 2**30:.2f}; "
        f"lams followed {followed.mean():.1f} of {model.n_lams}; "
        f"weights not 0: {model.coef_.nnz / n_targets:.0f} a target; LDS {score:.3f}"
    )


if __name__ == "__main__":
    main()
