"""Where the time of a run goes for forests and boosters on tables of the audit.

The targets are the training and the test rows, as in an audit. Times are those of the
processor, so that they depend little on the load of the machine. The last step's own
encoding of categories is part of its fit. The bound is the gain if all but the fit were
free. The column "2 workers" has the processor time of a run in two workers over that
in one process: more than 1 means that they are in each other's way.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _audit_tables import load
from _machine import describe_machine
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils import all_estimators

from skdatamodels import Examples, SubsetTrainer
from skdatamodels._fitting import take_rows
from skdatamodels._label_codes import with_codes
from skdatamodels._process_state import single_threaded
from skdatamodels._random import set_seeds
from skdatamodels.masks import sample_masks
from skdatamodels.outputs import raw_outputs
from skdatamodels.training._learners.learners import EstimatorLearner

TEXTS = make_column_selector(dtype_exclude="number")
NUMBERS = make_column_selector(dtype_include="number")
PARTS, FIT = ("slice", "encode", "fit", "predict", "rest"), 2


def encoded(encoder, learner):
    """Return a pipeline that encodes categories and fills gaps in numbers."""
    columns = (encoder, TEXTS), (SimpleImputer(strategy="median"), NUMBERS)
    return make_pipeline(make_column_transformer(*columns), learner)


def learners(task, X):
    """Return learners as users write them, by name."""
    import catboost
    import lightgbm
    import xgboost

    kind = {"classification": "Classifier", "regression": "Regressor"}[task]
    own = dict(all_estimators(kind.lower()))
    one_hot = OneHotEncoder(handle_unknown="ignore")
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    light = getattr(lightgbm, f"LGBM{kind}")
    cat = getattr(catboost, f"CatBoost{kind}")
    quiet = {"verbose": 0, "allow_writing_files": False, "iterations": 100}
    return {
        "forest, one-hot": encoded(one_hot, own[f"RandomForest{kind}"]()),
        "forest, n_jobs=-1": encoded(one_hot, own[f"RandomForest{kind}"](n_jobs=-1)),
        "extra trees, ordinal": encoded(codes, own[f"ExtraTrees{kind}"]()),
        "boosting, one-hot": encoded(one_hot, own[f"GradientBoosting{kind}"]()),
        "hist boosting": own[f"HistGradientBoosting{kind}"](),
        "LightGBM": light(verbose=-1),
        "LightGBM, n_jobs=2": light(verbose=-1, n_jobs=2),
        "XGBoost": getattr(xgboost, f"XGB{kind}")(enable_categorical=True),
        "CatBoost": cat(cat_features=tuple(TEXTS(X)), **quiet),
        "CatBoost, ordinal": encoded(codes, cat(**quiet)),
    }


def tables(name):
    """Return training set and targets; gaps in categories are texts, for CatBoost."""
    table = load(name)
    X = pd.concat([table.X, table.X_test], ignore_index=True)
    texts = TEXTS(X)
    X[texts] = X[texts].astype(object).fillna("none").astype("category")
    y = np.concatenate([table.y, table.y_test])
    both = Examples(X, y, allow_nan=True)
    return both[: len(table.X)], both


def spent(function, *args):
    """Return the processor time of a call in milliseconds, and its result."""
    start = time.process_time()
    result = function(*args)
    return 1e3 * (time.process_time() - start), result


def time_parts(learner, rows, seed):
    """Return the milliseconds of a run, and of its parts one after another."""
    run, _ = spent(learner, rows, seed)
    names = learner.seeded
    rest, model = spent(lambda: set_seeds(clone(learner.estimator), names, seed))
    (X, y), Z = (learner.train.X, learner.train.y[rows]), learner.targets.X
    slicing, X = spent(take_rows, X, rows)
    encoding = 0.0
    if hasattr(model, "steps"):
        first, model = model[:-1], model[-1]
        encoding, (X, Z) = spent(lambda: (first.fit_transform(X), first.transform(Z)))
    fitting, model = spent(with_codes(model, y).fit, X, y)
    predicting, _ = spent(lambda: learner.output(raw_outputs(model, Z), learner.y))
    return [run, slicing, encoding, fitting, predicting, rest]


def compare(estimator, train, targets, n_runs):
    """Return the median milliseconds of parts, and of a run in two workers."""
    learner = EstimatorLearner(estimator, train, targets, None)
    masks = sample_masks(n_runs + 1, len(train), 0.5, random_state=0).dense()
    with single_threaded():
        parts = [time_parts(learner, np.flatnonzero(m), i) for i, m in enumerate(masks)]

    def time_run(rows, seed):
        return np.full(len(targets), spent(learner, rows, seed)[0])

    trainer = SubsetTrainer(time_run, train, targets, n_jobs=2)
    trainer.fit_transform(np.arange(4))  # imports
    start = time.perf_counter()
    in_workers = np.median(trainer.fit_transform(np.arange(2 * n_runs)).outputs[:, 0])
    wall = 1e3 * (time.perf_counter() - start) / n_runs  # each worker trains half
    return np.median(parts[1:], axis=0), in_workers, wall


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", nargs="+", default=["credit", "churn", "houses"])
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(describe_machine())
    columns = "table", "learner", "ms", *PARTS, "bound", "2 workers", "wall, ms"
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name in arguments.tables:
        train, targets = tables(name)
        task = "regression" if train.y.dtype.kind == "f" else "classification"
        for called, estimator in learners(task, train.X).items():
            times, busy, wall = compare(estimator, train, targets, arguments.runs)
            run, *parts = times
            print(
                f"| {name} | {called} | {run:.0f} |",
                *(f"{100 * part / run:.0f} % |" for part in parts),
                f"{run / parts[FIT]:.2f} | {busy / run:.2f} | {wall:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
