"""Data support of digits by method: certified share, and flipped targets by size.

All methods are used in the same search: the training examples that a method ranks
highest are removed, and networks are trained without them. "Own class" ranks the
examples of the target's class first, in the order of the method. The datamodels are
fitted on the runs of `counterfactuals.py`; the search measures margins. All trainings
are kept in the folder ``--store``.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from counterfactuals import fit_datamodels
from fidelity import ESTIMATORS, make_trainer
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances

from skdatamodels.applications import DataSupportSearch
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans, logistic_influence


def hidden_layer(model, X):
    """Return the hidden representation of a fitted network."""
    return np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)


def attributions(train, targets, n_runs, store):
    """Return an attribution matrix for each method, by name."""
    runs = make_trainer("torch", train, targets, "log_odds", store).fit_transform(
        np.arange(n_runs)
    )
    plain, informed = fit_datamodels(
        runs, logistic_influence(LogisticRegression(), train, targets)
    )
    network = clone(ESTIMATORS["mlp"]).set_params(random_state=0)
    network.fit(train.X, train.y)
    same_class = targets.y[:, None] == train.y

    def own_class(weights):
        return weights + same_class * (1 + 2 * np.abs(weights).max())

    return {
        "datamodel": plain,
        "datamodel, own class": own_class(plain),
        "datamodel with a prior": informed,
        "representation distance": -pairwise_distances(
            hidden_layer(network, targets.X), hidden_layer(network, train.X)
        ),
        "difference of means": DifferenceOfMeans().fit(runs).coef_,
        "random same class": own_class(
            np.random.default_rng(0).uniform(size=same_class.shape)
        ),
    }


def main():
    """Print the shares of flipped and certified targets for each method."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--figure", help="file for the picture of the shares")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    methods = attributions(train, targets, arguments.runs, arguments.store)
    rows = np.random.default_rng(0).choice(
        len(targets), arguments.targets, replace=False
    )
    trainer = make_trainer("torch", train, targets[rows], "margin", arguments.store)
    trainer.set_params(verbose=0)
    sizes, searches = 10 * 2 ** np.arange(6), {}
    print(f"| method | certified | ≤{' | ≤'.join(map(str, sizes))} | censored |")
    print("|---" * (len(sizes) + 3) + "|")
    for name, weights in methods.items():
        start = time.perf_counter()
        searches[name] = search = DataSupportSearch(
            trainer, sizes=sizes, n_trials=arguments.trials, random_state=0
        ).fit(weights[rows])
        found = [(search.support_size_ <= size).mean() for size in sizes]
        print(
            f"| {name} | {search.certified_.mean():.2f} | "
            + " | ".join(f"{share:.2f}" for share in found)
            + f" | {search.censored_.sum()} |  {search.n_trained_:,} trainings, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    if arguments.figure:
        from skdatamodels.plotting import DataSupportDisplay

        display = DataSupportDisplay.from_estimator(searches)
        display.figure_.savefig(arguments.figure, dpi=120)


if __name__ == "__main__":
    main()
