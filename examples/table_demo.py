"""Audit of a table of patients, from a CSV file to a page for the browser.

The demo writes the breast cancer data of scikit-learn as two CSV files, with the labels
of one of 20 laboratories exchanged and three test rows copied from the training set,
and calls the command ``skdatamodels audit`` on them. ``make demo`` runs it and writes
``demo/audit.html``. Runs are stored in ``demo/table-runs``, so that a second call, also
after an interruption, continues where the first ended.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

from skdatamodels.auditing import run_command

BAD_LABORATORY = "lab 13"


def make_tables():
    """Return training and test rows, and the names of the rows with wrong labels."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    table = X.assign(diagnosis=y.map({0: "malignant", 1: "benign"}))
    table["laboratory"] = [f"lab {k % 20:02}" for k in range(len(table))]
    order = np.random.default_rng(0).permutation(len(table))
    table.index = pd.Index([f"patient {k}" for k in range(len(table))], name="patient")
    train, test = table.iloc[order[:400]].copy(), table.iloc[order[400:]].copy()
    test.iloc[:3] = train.iloc[:3].to_numpy()
    test = test.astype(train.dtypes.to_dict())
    wrong = train.index[train["laboratory"] == BAD_LABORATORY]
    other = {"malignant": "benign", "benign": "malignant"}
    train.loc[wrong, "diagnosis"] = train.loc[wrong, "diagnosis"].map(other)
    return train, test, wrong


def main():
    """Write the files, audit them, and say what was planted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo"))
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    train, test, wrong = make_tables()
    train.to_csv(out / "train.csv")
    test.to_csv(out / "test.csv")
    command = [
        *("audit", str(out / "train.csv"), "--test", str(out / "test.csv")),
        *("--target", "diagnosis", "--index", "patient", "--groups", "laboratory"),
        *("--runs", "100"),
        *("--store", str(out / "table-runs"), "--out", str(out / "audit.html")),
    ]
    print("$ skdatamodels", *command, flush=True)
    code = run_command(command)
    print(
        f"\nPlanted: wrong labels in {BAD_LABORATORY} ({', '.join(wrong[:5])}, ...; "
        f"{len(wrong)} rows), and copies in the test rows {', '.join(test.index[:3])}."
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
