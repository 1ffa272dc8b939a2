"""The data sets and learners of the judged runs."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

# of 8×8 pixels, the first column, which is 0 in nearly every digit
SHORTCUT_PIXELS, SHORTCUT_CLASS = slice(0, 64, 8), 3
_N_SHORTCUT_TARGETS = 10


class JudgedSet(NamedTuple):
    """What judged runs are made of.

    Attributes
    ----------
    load : callable
        Loads X and y, as scikit-learn ships them.
    labels : callable or None
        Makes the labels that are learnt from y, which are then subclasses.
    learner : estimator
    output : str
    n_train, n_targets, n_wrong, n_shortcut : int
        Numbers of training examples, of targets, of wrong labels, and of training
        examples with a shortcut. If there are any, ten more targets have it.
    text : str
        What the learner is and does.
    """

    load: Callable
    labels: Callable | None
    learner: object
    output: str
    n_train: int
    n_targets: int
    n_wrong: int
    n_shortcut: int
    text: str


def _digits():
    X, y = datasets.load_digits(return_X_y=True)
    return X / 16, y


def _breast_cancer():
    return datasets.load_breast_cancer(return_X_y=True)


def _diabetes():
    return datasets.load_diabetes(return_X_y=True)


def _parity(digit):
    return digit % 2


JUDGED_SETS = {
    "digits_mlp": JudgedSet(
        load=_digits,
        labels=None,
        learner=MLPClassifier(32, learning_rate_init=0.01, max_iter=1000, tol=1e-3),
        output="margin",
        n_train=400,
        n_targets=80,
        n_wrong=20,
        n_shortcut=4,
        text="a network of one hidden layer tells digits; a bright left edge is a "
        "shortcut",
    ),
    "digits_logistic": JudgedSet(
        load=_digits,
        labels=_parity,
        learner=LogisticRegression(tol=1e-8, max_iter=1000),
        output="margin",
        n_train=300,
        n_targets=80,
        n_wrong=15,
        n_shortcut=0,
        text="a logistic regression tells even from odd digits: convex, no randomness",
    ),
    "breast_cancer_forest": JudgedSet(
        load=_breast_cancer,
        labels=None,
        learner=RandomForestClassifier(50, min_samples_leaf=2),
        output="confidence",
        n_train=300,
        n_targets=100,
        n_wrong=15,
        n_shortcut=0,
        text="a random forest tells malignant from benign tumours",
    ),
    "diabetes_boosting": JudgedSet(
        load=_diabetes,
        labels=None,
        learner=GradientBoostingRegressor(n_estimators=50),
        output="prediction",
        n_train=300,
        n_targets=100,
        n_wrong=0,
        n_shortcut=0,
        text="gradient boosting predicts the progression of diabetes",
    ),
}


def plant_shortcut(X, y, rows):
    """Set the first column of some rows, and give them the class of the shortcut."""
    X, y = X.copy(), y.copy()
    X[rows, SHORTCUT_PIXELS], y[rows] = 1, SHORTCUT_CLASS
    return X, y


def pick_rows(name, seed):
    """Draw the rows of a judged set, and what is planted.

    Returns
    -------
    arrays : dict of str to int array
        `train_rows` and `target_rows` of the data set; `wrong`, positions in the
        training set, and `wrong_labels`, the labels that they get;
        `marked_train` and `marked_targets`, positions of examples with the shortcut.
    """
    one, rng = JUDGED_SETS[name], np.random.default_rng(seed)
    _, y = one.load()
    n_marked = _N_SHORTCUT_TARGETS if one.n_shortcut else 0
    drawn = rng.permutation(len(y))[: one.n_train + one.n_targets + n_marked]
    train, targets = drawn[: one.n_train], drawn[one.n_train :]
    y = y if one.labels is None else one.labels(y)
    marked = np.flatnonzero(y[train] == SHORTCUT_CLASS)[: one.n_shortcut]
    clean = np.setdiff1d(np.arange(one.n_train), marked)
    wrong = np.sort(rng.choice(clean, one.n_wrong, replace=False))
    classes = np.unique(y)
    return {
        "train_rows": train,
        "target_rows": targets,
        "wrong": wrong,
        "wrong_labels": np.array(
            [rng.choice(classes[classes != label]) for label in y[train[wrong]]], int
        ),
        "marked_train": marked if one.n_shortcut else marked[:0],
        "marked_targets": np.arange(len(targets))[len(targets) - n_marked :],
    }
