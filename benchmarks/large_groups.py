"""Effects of groups on a squared error: to first order, in full, and by retraining.

One group has half of the rows of the diabetes table, 23 others share the rest, and two
of these have wrong values. ``python benchmarks/large_groups.py`` prints a table, in two
minutes.
"""

import numpy as np
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

from skdatamodels import audit

N_TRAIN, N_LARGE = 300, 150
MODELS = {
    "ridge": (Ridge(0.1), 1),
    "forest": (RandomForestRegressor(20, min_samples_leaf=3), 10),
}


def make_tables(seed):
    """Return training and test rows, with the group of each training row."""
    rng = np.random.default_rng(seed)
    X, y = load_diabetes(return_X_y=True)
    order = rng.permutation(len(X))
    X, y = X[order], y[order]
    of_row = np.where(np.arange(N_TRAIN) < N_LARGE, 0, 1 + rng.integers(0, 23, N_TRAIN))
    wrong = y[:N_TRAIN] + 150 * np.isin(of_row, [3, 11])
    return X[:N_TRAIN], wrong, X[N_TRAIN:], y[N_TRAIN:], of_row


def retrained(model, n_seeds, tables, judges, names):
    """Return by how much the error rises without each group."""
    X, y, X_test, y_test, of_row = tables

    def rmse(kept):
        squares = []
        for seed in range(n_seeds):
            fitted = clone(model).set_params(random_state=seed).fit(X[kept], y[kept])
            squares.append((fitted.predict(X_test) - y_test)[judges] ** 2)
        return np.sqrt(np.mean(squares))

    everything = rmse(of_row >= 0)
    return np.array([rmse(of_row != name) for name in names]) - everything


def main():
    """Print a row for each table and model."""
    print("| table, model | effects | rank correlation | effect of the large group |")
    print("|---|---|---|---|")
    for name, (model, n_seeds) in MODELS.items():
        for seed in range(2):
            tables = make_tables(seed)
            *data, of_row = tables
            found = audit(model, *data, groups=of_row, n_runs=50, verbose=0)
            groups, judged = found.group_audit, found._judged
            error = (judged.output - judged.truth)[judged.judges]
            linear = -error @ groups.weights[judged.judges]
            linear /= len(error) * np.sqrt(np.mean(error**2))
            true = retrained(model, n_seeds, tables, judged.judges, groups.names)
            for kind, effect in (
                ("first order", linear),
                ("in full", groups.effect),
                ("retraining", true),
            ):
                correlation = spearmanr(effect, true)[0]
                print(
                    f"| {seed}, {name} | {kind} | {correlation:.2f} | "
                    f"{effect[0]:+.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
