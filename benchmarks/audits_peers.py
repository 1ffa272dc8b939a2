"""The tables of `audits.py` by other packages: cleanlab's Datalab and pyDVL.

Each needs an environment of its own, for pyDVL wants numpy below 2:

    python benchmarks/audits_peers.py --save tables   # with skdatamodels
    datalab/bin/python benchmarks/audits_peers.py --datalab tables
    pydvl/bin/python benchmarks/audits_peers.py --pydvl tables

Datalab gets out-of-fold probabilities and standardised features; pyDVL values the
sources by Shapley permutations, ten of them.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

_N_PERMUTATIONS = 10
_NAMES = "credit", "spam", "churn", "houses"


def save(folder):
    """Write the tables with what is planted."""
    from _audit_tables import load

    folder.mkdir(parents=True, exist_ok=True)
    for name in _NAMES:
        table = load(name)
        train = table.X.assign(y_=table.y, source_=table.sources, wrong_=table.wrong)
        test = table.X_test.assign(y_=table.y_test)
        test["leak_"] = test.index.isin(table.leaks)
        train.to_csv(folder / f"{name}.csv")
        test.to_csv(folder / f"{name}_test.csv")


def read(folder, name):
    """Return training and test rows, with the features as numbers."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    parts = [
        pd.read_csv(folder / f"{name}{end}.csv", index_col=0) for end in ("", "_test")
    ]
    encoder = make_pipeline(
        make_column_transformer(
            (SimpleImputer(), make_column_selector(dtype_include="number")),
            (
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_exclude="number"),
            ),
        ),
        StandardScaler(),
    )
    tables = [part.drop(columns=[c for c in part if c.endswith("_")]) for part in parts]
    encoder.fit(tables[0])
    return parts, [encoder.transform(table) for table in tables]


def model_of(y):
    """Return a booster."""
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    kind = HistGradientBoostingClassifier
    if y.dtype.kind == "f":
        kind = HistGradientBoostingRegressor
    return kind(max_iter=50, random_state=0)


def by_datalab(folder, name):
    """Print label errors and near-duplicates of test rows by Datalab."""
    from cleanlab import Datalab
    from sklearn.model_selection import cross_val_predict

    (train, test), (Z, Z_test) = read(folder, name)
    start, y = time.perf_counter(), train["y_"]
    wrong = train["wrong_"].to_numpy()
    if y.dtype.kind == "f":
        lab = Datalab(
            {"y": y.to_numpy()}, task="regression", label_name="y", verbosity=0
        )
        lab.find_issues(pred_probs=cross_val_predict(model_of(y), Z, y, cv=5))
    else:
        codes = np.unique(y, return_inverse=True)[1]
        proba = cross_val_predict(model_of(y), Z, codes, cv=5, method="predict_proba")
        lab = Datalab({"y": codes}, label_name="y", verbosity=0)
        lab.find_issues(pred_probs=proba, features=Z)
    issues = lab.get_issues("label")
    order = np.argsort(issues["label_score"].to_numpy(), kind="stable")[: wrong.sum()]
    both = Datalab(
        {"y": np.zeros(len(Z) + len(Z_test), int)}, label_name="y", verbosity=0
    )
    both.find_issues(
        features=np.concatenate([Z, Z_test]), issue_types={"near_duplicate": {}}
    )
    near = both.get_issues("near_duplicate")["is_near_duplicate_issue"].to_numpy()
    near = near[len(Z) :]
    leaks = test["leak_"].to_numpy()
    seconds = time.perf_counter() - start
    print(
        f"| {name} | Datalab | {wrong[order].mean():.2f} of the first {wrong.sum()}; "
        f"{int(issues['is_label_issue'].sum())} flagged | - | {near[leaks].sum()} of "
        f"{leaks.sum()} leaks, {near.sum()} flagged | {seconds:.0f} |",
        flush=True,
    )


def by_pydvl(folder, name):
    """Print the rank of the bad source by pyDVL's Shapley values of groups."""
    from pydvl.valuation import (
        Dataset,
        GroupedDataset,
        MinUpdates,
        ModelUtility,
        PermutationSampler,
        ShapleyValuation,
        SupervisedScorer,
    )

    (train, test), (Z, Z_test) = read(folder, name)
    y, y_test = train["y_"], test["y_"]
    if y.dtype.kind != "f":
        classes = np.unique(y)
        y, y_test = (pd.Series(np.searchsorted(classes, part)) for part in (y, y_test))
    sources, group = np.unique(train["source_"], return_inverse=True)
    data = Dataset(Z, y.to_numpy())
    grouped = GroupedDataset.from_dataset(data, group)
    # of no training set: else whichever source comes first gets all the credit
    nothing = 0.0 if y.dtype.kind == "f" else np.bincount(y_test).max() / len(y_test)
    test_data = Dataset(Z_test, y_test.to_numpy())
    scorer = SupervisedScorer(model_of(y), test_data, default=nothing)
    start = time.perf_counter()
    valuation = ShapleyValuation(
        ModelUtility(model_of(y), scorer, show_warnings=False),
        PermutationSampler(seed=0),
        is_done=MinUpdates(_N_PERMUTATIONS),
        progress=False,
    ).fit(grouped)
    values = valuation.result.values
    seconds = time.perf_counter() - start
    bad = train.loc[train["wrong_"]].groupby("source_").size().idxmax()
    rank = int((values < values[sources.tolist().index(bad)]).sum()) + 1
    print(
        f"| {name} | pyDVL | - | source {bad}: number {rank} of {len(sources)} | - | "
        f"{seconds:.0f} |",
        flush=True,
    )


def main():
    """Save the tables, or print what a package finds in them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for option in ("--save", "--datalab", "--pydvl"):
        parser.add_argument(option, type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.save:
        save(arguments.save)
    for folder, find in (
        (arguments.datalab, by_datalab),
        (arguments.pydvl, by_pydvl),
    ):
        if folder:
            print("| table | package | wrong labels | bad source | leaks | seconds |")
            print("|---|---|---|---|---|---|")
            for name in _NAMES:
                find(folder, name)


if __name__ == "__main__":
    main()
