"""How often retraining is in the intervals of predicted removals.

Sets of 1 to 30 of 300 rows are removed: the rows for and against a test row, the most
harmful and the most helpful ones, and random ones. The audit itself has removed the
most harmful 1, 3, 10 and 30, so `--sizes 2 5 20` is the harder test of these. Coverage
is that of 95 % intervals on one retraining: for the test row that the set was chosen
for, or for all test rows. The width is half of an interval, by the root mean square of
the true changes.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _machine import describe_machine
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import audit

N_TRAIN, N_TEST = 300, 60
SIZES = 1, 3, 10, 30
N_ROWS, N_RANDOM = 8, 4
LEARNERS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "ridge": Ridge(),
    "boosting": GradientBoostingClassifier(n_estimators=25, max_depth=2),
    "forest": RandomForestRegressor(n_estimators=25, min_samples_leaf=2),
}


def tables(name, seed):
    """Return training and test rows; one label of twelve is wrong."""
    values = name in ("ridge", "forest")
    load = load_diabetes if values else load_breast_cancer
    X, y = load(return_X_y=True, as_frame=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))[: N_TRAIN + N_TEST]
    X, y = X.iloc[order, :10], y.iloc[order].copy()
    if not values:
        wrong = rng.choice(N_TRAIN, N_TRAIN // 12, replace=False)
        y.iloc[wrong] = 1 - y.iloc[wrong]
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]


def choose_sets(found, sizes, rng):
    """Return sets of rows as tuples of kind, test row (-1 for all) and rows."""
    for size in sizes:
        for row in rng.choice(N_TEST, N_ROWS, replace=False):
            order = np.argsort(found.weights[row], kind="stable")
            yield "for", row, order[-size:]
            yield "against", row, order[:size]
        yield "harmful", -1, found.rows.index[:size].to_numpy()
        yield "helpful", -1, found.rows.index[-size:].to_numpy()
        for _ in range(N_RANDOM):
            yield "random", -1, rng.choice(N_TRAIN, size, replace=False)


def measure(name, sizes, seed):
    """Return rows of learner, kind, size, coverage, half width and true change."""
    X, y, X_test, y_test = tables(name, seed)
    X = X.reset_index(drop=True)  # names are positions
    data = X, y.to_numpy(), X_test, y_test.to_numpy()
    found = audit(LEARNERS[name], *data, random_state=seed, verbose=0, n_jobs=1)
    sets = list(choose_sets(found, sizes, np.random.default_rng([seed, 9])))
    kept = np.ones((len(sets), N_TRAIN), dtype=bool)
    for one, (_, _, rows) in zip(kept, sets, strict=True):
        one[rows] = False
    outputs = found.trainer.transform(kept).outputs[:, N_TRAIN:]
    for (kind, row, rows), retrained in zip(sets, outputs, strict=True):
        frame = found.predict_removal(rows)
        true = (retrained - frame["now"]).to_numpy()
        held = (
            (frame["change_low"] <= true) & (true <= frame["change_high"])
        ).to_numpy()
        half = (frame["change_high"] - frame["change"]).to_numpy()
        of = slice(None) if row < 0 else [row]
        for values in zip(held[of], half[of], true[of], strict=True):
            yield name, kind, len(rows), *values


def main():
    """Print a table of coverages and widths."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2, help="audits of each learner")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS))
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    arguments = parser.parse_args()
    sizes, seeds = arguments.sizes, range(arguments.seeds)
    print(describe_machine())
    for name in arguments.learners:
        start = time.perf_counter()
        rows = [one for seed in seeds for one in measure(name, sizes, seed)]
        names = ["learner", "kind", "size", "coverage", "half", "true"]
        groups = pd.DataFrame(rows, columns=names).groupby(["kind", "size"])
        coverage = groups["coverage"].mean().unstack()
        true = groups["true"].agg(lambda change: np.sqrt(np.mean(change**2)))
        width = (groups["half"].mean() / true).unstack()
        print(f"\n### {name}, {time.perf_counter() - start:.0f} s\n")
        print(f"| rows removed | {' | '.join(f'{size}' for size in sizes)} |")
        print("|---" * (1 + len(sizes)) + "|")
        for kind in ("for", "against", "harmful", "helpful", "random"):
            cells = [
                f"{coverage.loc[kind, size]:.2f} (width {width.loc[kind, size]:.2f})"
                for size in sizes
            ]
            print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
