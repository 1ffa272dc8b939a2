"""CPU time of the whole job per target, compared to scikit-learn.

The job is a path, the choice of lam, and a fit on all runs, with one thread. This
package reads packed masks and shares the work on them among the targets; scikit-learn
gets centred dense columns in float32, one target at a time. The errors of the chosen
models on new runs are printed too. (LassoCV of celer 0.7.4 does not work with
scikit-learn 1.9.)
"""

import argparse
import time
import warnings

import numpy as np
from _machine import describe_machine
from big_job import simulate
from sklearn.linear_model import LassoCV
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor


def main():
    """Print times per target."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=1000)
    parser.add_argument("--n-runs", type=int, default=10_000)
    parser.add_argument("--n-targets", type=int, default=256)
    parser.add_argument("--n-lams", type=int, default=50)
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(describe_machine())
    m, n_targets = arguments.n_runs, arguments.n_targets
    masks, Y = simulate(arguments.n_train, m + 1000, n_targets)
    fresh = masks[m:].dense(dtype=np.float32), Y[m:]
    masks, Y = masks[:m], Y[:m]
    times = {}
    with threadpool_limits(1):
        for lam in ("validation", "cv"):
            model = DatamodelRegressor(
                lam, n_lams=arguments.n_lams, cv=arguments.folds, random_state=0
            )
            model.fit(masks[:500], Y[:500, :2])  # compile
            start = time.process_time()
            model.fit(masks, Y)
            times[lam] = (time.process_time() - start) / n_targets
            error = np.mean((fresh[1] - model.predict(fresh[0])) ** 2, axis=0)
            print(
                f'ours, lam="{lam}": {1e3 * times[lam]:.1f} ms a target; error on fresh'
                f" runs {error.mean():.3f}, of the first target {error[0]:.3f}"
            )
        X = np.asfortranarray(masks.dense(dtype=np.float32))
        model = LassoCV(eps=1e-2, alphas=arguments.n_lams, cv=arguments.folds, tol=1e-4)
        start = time.process_time()
        model.fit(X, np.ascontiguousarray(Y[:, 0]))
        seconds = time.process_time() - start
    error = np.mean((fresh[1][:, 0] - model.predict(fresh[0])) ** 2)
    print(
        f"LassoCV, {arguments.folds} folds: {1e3 * seconds:.0f} ms a target, "
        f"{seconds / times['cv']:.0f} times ours by folds, "
        f"{seconds / times['validation']:.0f} times ours by validation; error "
        f"of the first target {error:.3f}"
    )


if __name__ == "__main__":
    main()
