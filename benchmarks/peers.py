"""CPU time of a lam path per target for this package and other solvers, on one thread.

For each size there are 50 lams down to 1e-2 of the largest, and the relative duality
gap to reach is 1e-4. Each solver runs in a separate process with a time limit, on as
many targets as it solves at once, or as are needed to time it. The gaps are computed
from its coefficients, in float64, on the Gram matrix. A solver whose worst gap is above
the goal would need more time than is printed.

The other solvers are not dependencies of this package. Install them in a separate
environment (adelie requires numpy 1):

    python -m venv peers && peers/bin/pip install -e . celer skglm adelie
    peers/bin/python benchmarks/peers.py

For fewer runs than training examples:

    peers/bin/python benchmarks/peers.py --sizes 2000x250 --n-targets 400
"""

import argparse
import multiprocessing
import time
import warnings

import numpy as np
from _machine import describe_machine
from lasso_path import make_problem, relative_gaps
from threadpoolctl import threadpool_limits

from skdatamodels import lasso_path

TOL = 1e-4


class Problem:
    """Data of one size, in the formats of the solvers."""

    def __init__(self, d, m, n_targets, n_lams):
        self.masks, self.Y, self.gram, self.cov, self.y_var = make_problem(
            m, d, n_targets
        )
        largest = np.abs(self.cov).max(axis=0)[:, None]
        self.lams = largest * np.geomspace(1, 1e-2, n_lams)

    def X(self, dtype):
        """Centred columns, Fortran order."""
        X = np.asfortranarray(self.masks.dense(dtype=dtype))
        return X - X.mean(axis=0)


def ours(problem, dtype):
    """Run the gram solver of this package on all targets."""
    gram = problem.gram.astype(dtype)
    few = slice(0, 16)
    arguments = problem.cov[:, few], problem.y_var[few]
    lasso_path(gram[:9, :9], arguments[0][:9], arguments[1], lams=[1.0])  # compile
    start = time.process_time()
    coefs = lasso_path(gram, problem.cov, problem.y_var, lams=problem.lams, tol=TOL)[0]
    return time.process_time() - start, coefs


def residual(problem):
    """Run the solver of this package for few runs on all targets."""
    from skdatamodels.regression import residual_path

    residual_path(problem.masks[:100], problem.Y[:100, :2], lams=[0.1])  # compile
    start = time.process_time()
    coefs = residual_path(problem.masks, problem.Y, lams=problem.lams, tol=TOL)[0]
    return time.process_time() - start, coefs


def saga(problem, dtype):
    """Run the paper's algorithm, as implemented in this package, on all targets."""
    from skdatamodels.regression import saga_path

    Y = problem.Y.astype(dtype)
    saga_path(problem.masks[:100], Y[:100, :2], lams=[0.1])  # compile
    start = time.process_time()
    coefs = saga_path(problem.masks, Y, lams=problem.lams, tol=TOL, random_state=0)[0]
    return time.process_time() - start, coefs


def sklearn(problem, dtype, precompute):
    """Run scikit-learn's lasso_path, with or without the Gram matrix."""
    from sklearn.linear_model import lasso_path

    X, Y = problem.X(dtype), problem.Y.astype(dtype)
    m, few = len(X), range(4 if precompute else 1)
    gram = np.ascontiguousarray(problem.gram * m, dtype=dtype)
    cov = np.ascontiguousarray(problem.cov.T * m, dtype=dtype)
    lams = problem.lams.astype(dtype)
    start = time.process_time()
    coefs = [
        lasso_path(
            X,
            np.ascontiguousarray(Y[:, j]),
            alphas=lams[j],
            tol=TOL,
            max_iter=10_000,
            precompute=gram if precompute else False,
            Xy=cov[j] if precompute else None,
            check_input=False,
        )[1].T
        for j in few
    ]
    return time.process_time() - start, np.stack(coefs)


def celer(problem, dtype):
    """Run celer's path on X."""
    from celer import celer_path

    X, y = problem.X(dtype), problem.Y[:, 0].astype(dtype)
    celer_path(X[:50, :20], y[:50], "lasso", alphas=[0.1])  # compile
    lams = problem.lams[0].astype(dtype)
    start = time.process_time()
    coefs = celer_path(X, y, "lasso", alphas=lams, tol=TOL, max_iter=100)[1].T
    return time.process_time() - start, coefs[None]


def skglm(problem, dtype):
    """Run skglm's path on X."""
    from skglm import Lasso

    X, y = problem.X(dtype), problem.Y[:, 0].astype(dtype)
    model = Lasso(fit_intercept=False, tol=TOL)
    model.path(X[:50, :20], y[:50], np.array([0.1], dtype))  # compile
    start = time.process_time()
    coefs = model.path(X, y, problem.lams[0].astype(dtype))[1].T
    return time.process_time() - start, coefs[None]


def adelie(problem, dtype):
    """Run adelie's covariance method, which stops on the size of a step."""
    from adelie.solver import gaussian_cov

    d = len(problem.gram)
    gram = np.asfortranarray(problem.gram, dtype=dtype)
    start = time.process_time()
    state = gaussian_cov(
        gram,
        problem.cov[:, 0].astype(dtype),
        penalty=np.ones(d, dtype),
        lmda_path=problem.lams[0].astype(dtype),
        tol=1e-7,
        early_exit=False,
        progress_bar=False,
    )
    seconds = time.process_time() - start
    return seconds, state.betas.toarray()[None]


SOLVERS = {
    "gram, float32": lambda p: ours(p, np.float32),
    "gram, float64": lambda p: ours(p, np.float64),
    "residual, float64": residual,
    "saga, float32": lambda p: saga(p, np.float32),
    "scikit-learn with Gram, float32": lambda p: sklearn(p, np.float32, True),
    "scikit-learn with Gram, float64": lambda p: sklearn(p, np.float64, True),
    "adelie gaussian_cov, float64": lambda p: adelie(p, np.float64),
    "scikit-learn on X, float32": lambda p: sklearn(p, np.float32, False),
    "celer on X, float32": lambda p: celer(p, np.float32),
    "skglm on X, float32": lambda p: skglm(p, np.float32),
}


def timed(name, problem, queue):
    """Put the seconds per target and the worst gap of a few targets into a queue."""
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        seconds, coefs = SOLVERS[name](problem)
    few = range(min(2, len(coefs)))
    gaps = [
        relative_gaps(
            problem.gram, problem.cov[:, j], problem.y_var[j], problem.lams[j], coefs[j]
        ).max()
        for j in few
    ]
    queue.put((seconds / len(coefs), max(gaps)))


def main():
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sizes = ["1000x10000", "5000x40000", "10000x20000"]
    parser.add_argument("--sizes", nargs="+", default=sizes, help="d x m")
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS))
    parser.add_argument("--n-targets", type=int, default=128)
    parser.add_argument("--n-lams", type=int, default=50)
    parser.add_argument("--limit", type=float, default=300, help="seconds a solver")
    arguments = parser.parse_args()
    print(describe_machine())
    context = multiprocessing.get_context("fork")  # the problem is not copied
    for size in arguments.sizes:
        d, m = map(int, size.split("x"))
        problem = Problem(d, m, arguments.n_targets, arguments.n_lams)
        print(f"\nd = {d:,}, m = {m:,}, {arguments.n_lams} lams\n")
        print("| solver | a target | worst gap | over the first |\n|---|---|---|---|")
        first = None
        for name in arguments.solvers:
            queue = context.SimpleQueue()
            process = context.Process(target=timed, args=(name, problem, queue))
            process.start()
            process.join(arguments.limit)
            if process.is_alive():
                process.kill()
                print(f"| {name} | not in {arguments.limit:.0f} s | | |", flush=True)
            elif queue.empty():
                print(f"| {name} | failed | | |", flush=True)
            else:
                seconds, gap = queue.get()
                first = first or seconds
                print(
                    f"| {name} | {1e3 * seconds:.1f} ms | {gap:.1e} | "
                    f"{seconds / first:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
