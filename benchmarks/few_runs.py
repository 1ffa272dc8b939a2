"""Time of a path compared to scikit-learn, with many more examples than runs.

Both reach the same gaps with one thread. `residual_path` reads packed masks;
scikit-learn gets centred dense columns, one target at a time. Then the whole job is
timed for each requested solver, without a prior and with one: the true weights and as
much noise.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from big_job import simulate, true_weights
from sklearn import linear_model
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor
from skdatamodels.regression import residual_path


def main():
    """Print times."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=5000)
    parser.add_argument("--n-runs", type=int, default=50)
    parser.add_argument("--n-targets", type=int, default=20)
    parser.add_argument("--n-lams", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--solvers", nargs="*", default=["residual", "gram"])
    arguments = parser.parse_args()
    print(describe_machine())
    m, n_targets = arguments.n_runs, arguments.n_targets
    masks, Y = simulate(arguments.n_train, m, n_targets)
    Y = Y.astype(np.float64)
    X = np.asfortranarray(masks.dense(dtype=np.float64))
    X -= X.mean(axis=0)
    centred = Y - Y.mean(axis=0)
    lams = np.abs(X.T @ centred / m).max(axis=0)[:, None]
    lams = lams * np.geomspace(1, 1e-2, arguments.n_lams)
    with threadpool_limits(1):
        residual_path(masks[:20], Y[:20], lams=lams[:, :2])  # compile
        start = time.perf_counter()
        _, _, gaps, _ = residual_path(masks, Y, lams=lams, max_iter=5000)
        ours = time.perf_counter() - start
        start, theirs = time.perf_counter(), []
        for y, grid in zip(centred.T, lams, strict=True):
            path = linear_model.lasso_path(X, y, alphas=grid, tol=5e-5, max_iter=5000)
            theirs.append((path[2] / (y.var() / 2)).max())
        seconds = time.perf_counter() - start
        print(
            f"d={arguments.n_train}, m={m}, {n_targets} targets: residual_path "
            f"{ours:.2f} s, worst gap {gaps.max():.1e}; scikit-learn {seconds:.2f} s, "
            f"worst gap {max(theirs):.1e}; ratio {seconds / ours:.1f}"
        )
    for solver in arguments.solvers:
        for prior in None, noisy_weights(arguments.n_train, n_targets):
            time_job(solver, masks, Y, prior, arguments.jobs)


def noisy_weights(d, n_targets):
    """Return the weights of `simulate` (n_targets, d) with as much noise."""
    coef = true_weights(np.random.default_rng(0), d, n_targets)
    noise = np.random.default_rng(1).standard_normal(coef.shape, np.float32)
    return (coef + coef.std() * noise).T


def time_job(solver, masks, Y, prior, n_jobs):
    """Print the time of a fit, of the wall clock and of the processor."""
    how = {"solver": solver, "random_state": 0, "sparse": True, "n_jobs": n_jobs}
    few = None if prior is None else prior[:2]
    DatamodelRegressor(prior=few, **how).fit(masks[:20], Y[:20, :2])  # compile
    start, cpu = time.perf_counter(), time.process_time()
    DatamodelRegressor(prior=prior, **how).fit(masks, Y)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
    informed = "without a prior" if prior is None else "with a prior"
    print(f"the whole job, {solver}, {informed}: {seconds:.1f} s ({cpu:.1f} s of CPU)")


if __name__ == "__main__":
    main()
