"""Data support of digits by method: share certified, and targets flipped by size.

All methods drive the same search: the training examples that a method ranks highest are
removed, and networks are trained without them. The runs behind the datamodels are those
of `fidelity.py`; trainings of the search are kept in the folder ``--store`` too.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from fidelity import ESTIMATORS, make_trainer
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances

from skdatamodels import DatamodelRegressor
from skdatamodels.applications import DataSupportSearch
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans, logistic_influence


def hidden_layer(model, X):
    """Return the representation that a fitted network classifies by."""
    return np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)


def attributions(train, targets, masks, outputs):
    """Return an attribution matrix for each method, by name."""
    network = clone(ESTIMATORS["mlp"]).set_params(random_state=0)
    network.fit(train.X, train.y)
    same_class = targets.y[:, None] == train.y
    plain = DatamodelRegressor(n_jobs=-1, random_state=0)
    informed = clone(plain).set_params(
        prior=logistic_influence(LogisticRegression(), train, targets)
    )
    return {
        "informed datamodel": informed.fit(masks, outputs).coef_,
        "representation distance": -pairwise_distances(
            hidden_layer(network, targets.X), hidden_layer(network, train.X)
        ),
        "difference of means": DifferenceOfMeans().fit(masks, outputs).coef_,
        # one random order a target, of its own class
        "random same class": same_class
        * np.random.default_rng(0).uniform(1, 2, same_class.shape),
        "datamodel": plain.fit(masks, outputs).coef_,
    }


def main():
    """Print, method by method, shares of targets flipped and certified."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--methods", type=int, default=5, help="the first so many")
    parser.add_argument("--figure", help="file for the picture of the shares")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    runs = make_trainer("mlp", train, targets, "margin", arguments.store).fit_transform(
        np.arange(arguments.runs)
    )
    rows = np.random.default_rng(0).choice(
        len(targets), arguments.targets, replace=False
    )
    targets = targets[rows]
    trainer = make_trainer("mlp", train, targets, "margin", arguments.store)
    methods = attributions(train, targets, runs.packed, runs.outputs[:, rows])
    sizes, searches = 10 * 2 ** np.arange(7), {}
    print(f"{'method':<24} certified  flipped by " + " ".join(f"{s:>5}" for s in sizes))
    for name, weights in list(methods.items())[: arguments.methods]:
        start = time.perf_counter()
        search = DataSupportSearch(
            trainer, sizes=sizes, n_trials=arguments.trials, random_state=0
        ).fit(weights)
        searches[name] = search
        found = [(search.support_size_ <= size).mean() for size in sizes]
        print(
            f"{name:<24} {search.certified_.mean():>9.2f}  {'':<10} "
            + " ".join(f"{share:>5.2f}" for share in found)
            + f"   {search.censored_.sum()} censored, {search.n_trained_:,} trainings, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    if arguments.figure:
        from skdatamodels.plotting import DataSupportDisplay

        display = DataSupportDisplay.from_estimator(searches)
        display.figure_.savefig(arguments.figure, dpi=120)


if __name__ == "__main__":
    main()
