"""Time of LASSO paths compared to scikit-learn, on the same Gram matrix.

Both run alternately with one thread; the smallest time of several rounds counts. For
equal gaps, `tol` of scikit-learn is chosen so that its largest gap along the path is
close to ours. The gaps of both are computed from the coefficients in float64.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from sklearn.linear_model import lasso_path as sklearn_path
from threadpoolctl import threadpool_limits

from skdatamodels import lasso_path, sample_masks


def make_problem(n_runs, n_train, n_targets):
    """Return masks, outputs and moments; outputs are half signal, half noise."""
    rng = np.random.default_rng(0)
    masks = sample_masks(n_runs, n_train, 0.5, random_state=0)
    coef = rng.standard_t(3, (n_train, n_targets)) * (
        rng.random((n_train, n_targets)) < 0.3
    )
    Y = masks.dot(coef)
    Y += Y.std(axis=0) * rng.standard_normal(Y.shape)
    Y -= Y.mean(axis=0)
    p = masks.column_counts() / n_runs
    gram = masks.gram() / n_runs - np.outer(p, p)
    cov = masks.T_dot(Y) / n_runs
    return masks, Y, gram, cov, Y.var(axis=0)


def relative_gaps(gram, cov, y_var, lams, coefs):
    """Return the duality gaps (n_lams,) of a path of one target, over y_var / 2."""
    gaps = []
    for lam, w in zip(lams, coefs.astype(np.float64), strict=True):
        q = cov - gram @ w
        cw, rest = cov @ w, y_var - cov @ w - q @ w
        scale = min(1.0, lam / np.abs(q).max())
        dual = scale * (y_var - cw) - 0.5 * scale**2 * rest
        gaps.append((0.5 * rest + lam * np.abs(w).sum() - dual) / (0.5 * y_var))
    return np.array(gaps)


class Theirs:
    """scikit-learn's path of one target at a time, with precomputed products."""

    def __init__(self, masks, Y, gram, cov, lams, dtype):
        n_runs = len(Y)
        X = masks.dense(dtype=dtype)
        self.X = np.asfortranarray(X - X.mean(axis=0))
        self.Y, self.lams = Y.astype(dtype), lams.astype(dtype)
        self.gram = np.ascontiguousarray(gram * n_runs, dtype=dtype)
        self.cov = np.ascontiguousarray(cov.T * n_runs, dtype=dtype)

    def path(self, target, tol):
        """Return coefficients (n_lams, d) of one target."""
        return sklearn_path(
            self.X,
            self.Y[:, target],
            alphas=self.lams[target],
            precompute=self.gram,
            Xy=self.cov[target],
            tol=tol,
            max_iter=10_000,
            check_input=False,
        )[1].T


def main():
    """Print times for each dtype."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=1000)
    parser.add_argument("--n-runs", type=int, default=10_000)
    parser.add_argument("--n-targets", type=int, default=64)
    parser.add_argument("--n-lams", type=int, default=50)
    parser.add_argument("--tol", type=float, default=1e-4)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    n_targets, rounds = arguments.n_targets, range(arguments.rounds)
    few = range(min(4, n_targets))  # targets on which scikit-learn is timed
    print(describe_machine())
    data = make_problem(arguments.n_runs, arguments.n_train, n_targets)
    masks, Y, gram, cov, y_var = data
    lams = np.abs(cov).max(axis=0)[:, None] * np.geomspace(1, 1e-2, arguments.n_lams)

    def worst_gap(coefs):
        return max(
            relative_gaps(gram, cov[:, j], y_var[j], lams[j], coefs[j]).max()
            for j in few
        )

    def timed(function):
        start = time.perf_counter()
        result = function()
        return time.perf_counter() - start, result

    for dtype in (np.float32, np.float64):
        theirs = Theirs(masks, Y, gram, cov, lams, dtype)
        typed = gram.astype(dtype)

        def ours(n, typed=typed):
            return lasso_path(
                typed, cov[:, :n], y_var[:n], lams=lams[:n], tol=arguments.tol
            )[0]

        def reference(tol, theirs=theirs):
            return [theirs.path(j, tol) for j in few]

        with threadpool_limits(1):
            gap = worst_gap(ours(n_targets))
            tols = [1e-4, 2e-4, 3e-4, 5e-4, 7e-4, 1e-3]
            gaps = [worst_gap(reference(tol)) for tol in tols]
            # the largest tol whose gap is about as small as ours
            equal = max(
                (tol for tol, g in zip(tols, gaps, strict=True) if g <= 1.1 * gap),
                default=tols[0],
            )
            times = {name: [] for name in ("ours", "default", "equal")}
            for _ in rounds:
                times["ours"].append(timed(lambda: ours(n_targets))[0] / n_targets)
                times["default"].append(timed(lambda: reference(1e-4))[0] / len(few))
                times["equal"].append(timed(lambda e=equal: reference(e))[0] / len(few))
        best = {name: 1e3 * min(values) for name, values in times.items()}
        print(
            f"{dtype.__name__}: ms a target, largest gap\n"
            f"  lasso_path                      {best['ours']:8.2f}  {gap:.1e}\n"
            f"  scikit-learn, tol=1e-4          {best['default']:8.2f}  {gaps[0]:.1e}"
            f"  ratio {best['default'] / best['ours']:.1f}\n"
            f"  scikit-learn, equal gap ({equal:g}) {best['equal']:8.2f}  "
            f"{gaps[tols.index(equal)]:.1e}  ratio {best['equal'] / best['ours']:.1f}"
        )


if __name__ == "__main__":
    main()
