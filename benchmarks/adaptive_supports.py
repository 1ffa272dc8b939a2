"""Data supports by weights that are fixed, and by weights that are estimated again.

``oracle``: 14 training rows, all of whose subsets are trained, so that the smallest
support of each target is known. ``pairs``: planted pairs of rows that stand in for each
other. ``digits``: a logistic regression of 500 digits. ``network`` and ``datamodels``:
a small network of 300 digits, with few targets, ordered by influence and by datamodels.
"""

import argparse
import time
import warnings

import numpy as np
from _machine import describe_machine
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import (
    DataSupportSearch,
    RefittedDatamodels,
    adaptive_order,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import (
    Attribution,
    logistic_influence,
    mlp_influence,
    ridge_influence,
)

LOGISTIC = LogisticRegression(max_iter=1000)


def smallest_flips(trainer):
    """Train on all subsets with two classes.

    Returns
    -------
    sizes : int array of shape (n_targets,)
        Size of the smallest support.
    flips : bool array of shape (2 ** n_train, n_targets)
        Whether the model of each subset is wrong; False if it was not trained.
    """
    y = trainer.train.y
    masks = (np.arange(2 ** len(y))[:, None] >> np.arange(len(y))) % 2 == 1
    trained = np.array([len(np.unique(y[mask])) == 2 for mask in masks])
    flips = np.zeros((len(masks), len(trainer.targets)), dtype=bool)
    flips[trained] = trainer.transform(masks[trained]).outputs < 0
    removed = len(y) - masks.sum(axis=1)
    return np.where(flips, removed[:, None], len(y)).min(axis=0), flips


def size_of_order(order, flips):
    """Return the number of first examples of an order without which a target flips."""
    n = len(order)
    for size in range(n):
        kept = np.delete(np.arange(n), order[:size])
        if flips[np.sum(2**kept)]:
            return size
    return n


def run_oracle(n_train=14, n_draws=5, n_targets=100):
    """Print how often fixed and adaptive orders find the smallest support."""
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)[:, :5]
    print(
        f"{n_draws} draws of {n_train} rows of breast cancer, {n_targets} targets each"
    )
    print("| model | order | smallest | rows too many | rows of smallest |")
    print("|---" * 5 + "|")
    models = {
        "ridge": (RidgeClassifier(1.0), ridge_influence),
        "logistic": (LOGISTIC, logistic_influence),
    }
    for name, (model, function) in models.items():
        excess = {"fixed": [], "adaptive": []}
        smallest = []
        for draw in range(n_draws):
            rows = np.random.default_rng(draw).permutation(len(y))
            train, targets = rows[:n_train], rows[n_train : n_train + n_targets]
            train, targets = (
                Examples(X[train], y[train]),
                Examples(X[targets], y[targets]),
            )
            trainer = SubsetTrainer(model, train, targets, random_state=0)
            sizes, flips = smallest_flips(trainer)
            influence = Attribution(
                function, train, targets, estimator=model, output="margin"
            )
            orders = {
                "fixed": influence(),
                "adaptive": adaptive_order(trainer, influence),
            }
            asked = np.flatnonzero((sizes > 0) & (sizes < n_train))
            smallest += sizes[asked].tolist()
            for order, weights in orders.items():
                found = [
                    size_of_order(np.argsort(-weights[j]), flips[:, j]) for j in asked
                ]
                excess[order] += (found - sizes[asked]).tolist()
        for order, more in excess.items():
            print(
                f"| {name} | {order} | {np.mean(np.array(more) == 0):.2f} | "
                f"{np.mean(more):.2f} | {np.mean(smallest):.2f} ({len(more)} targets) |"
            )


def run_pairs():
    """Print the supports of planted pairs."""
    print("pairs | fixed | adaptive")
    model = RidgeClassifier(1.0, fit_intercept=False)
    for n_pairs in (4, 6, 8, 12):
        x = np.vstack([np.eye(n_pairs), np.eye(n_pairs), np.full((2, n_pairs), 0.4)])
        x = np.c_[x, np.repeat([0, 0.2, 0], [n_pairs, n_pairs, 2])]
        train = Examples(x, np.repeat([1, 0], [2 * n_pairs, 2]))
        target = Examples([np.r_[np.ones(n_pairs), 0]], [1])
        trainer = SubsetTrainer(model, train, target)
        influence = Attribution(
            ridge_influence, train, target, estimator=model, output="margin"
        )
        weights = influence(), adaptive_order(trainer, influence)
        search = DataSupportSearch(
            trainer, search="bisection", sizes=range(1, 2 * n_pairs), n_trials=1
        )
        sizes = [search.fit(w).support_size_[0] for w in weights]
        print(f"{n_pairs} | {sizes[0]:.0f} | {sizes[1]:.0f}")


def compare(trainer, methods, n_trials, sizes):
    """Print the supports of several methods; each is a function that makes weights.

    Only targets that are right at first count. A size that was not found is infinite.
    """
    base = None
    print(
        "| order | censored | certified | median size | mean | below, above first | s |"
    )
    print("|---" * 7 + "|")
    for name, make in methods.items():
        start = time.perf_counter()
        weights = make()
        seconds = time.perf_counter() - start
        search = DataSupportSearch(
            trainer, search="bisection", sizes=sizes, n_trials=n_trials, random_state=0
        ).fit(weights)
        right = search.control_ > 0
        size = np.where(search.censored_, np.inf, search.support_size_)[right]
        base = size if base is None else base
        print(
            f"| {name} | {np.isinf(size).sum()} of {len(size)} | "
            f"{search.certified_[right].mean():.2f} | {np.median(size):.0f} | "
            f"{size.mean():.1f} | {np.sum(size < base)}, {np.sum(size > base)} | "
            f"{seconds:.0f} |",
            flush=True,
        )


def run_digits(n_targets=30, n_runs=1000):
    """Print the supports of digits by a logistic regression."""
    train, targets = load_digits_examples(n_train=500)
    targets = targets[:n_targets]
    trainer = SubsetTrainer(LOGISTIC, train, targets, random_state=0)
    influence = Attribution(
        logistic_influence, train, targets, estimator=LOGISTIC, output="margin"
    )
    fixed, start = influence(), time.perf_counter()
    runs = trainer.fit_transform(np.arange(n_runs))
    regressor = DatamodelRegressor(prior=fixed, random_state=0)
    datamodels = regressor.fit(runs).coef_
    print(f"{n_runs:,} runs and datamodels: {time.perf_counter() - start:.0f} s")
    own_class = (targets.y[:, None] == train.y) * 2 * np.abs(fixed).max()
    methods = {
        "influence, fixed": lambda: fixed,
        "influence, fixed, own class first": lambda: fixed + own_class,
        "datamodels with a prior, fixed": lambda: datamodels,
        "influence, adaptive, step 5": lambda: adaptive_order(
            trainer, influence, step=5, max_size=120
        ),
        "influence, adaptive": lambda: adaptive_order(trainer, influence, max_size=120),
    }
    compare(trainer, methods, 1, [1, 2, 4, 8, 16, 32, 64, 120])


def network_trainer(n_targets):
    """Return a trainer of a small network on 300 digits."""
    train, targets = load_digits_examples(n_train=300)
    network = MLPClassifier((16,), alpha=1.0, max_iter=100, solver="lbfgs")
    return SubsetTrainer(network, train, targets[:n_targets], random_state=0)


def run_network(n_targets=12, n_trials=5):
    """Print the supports of digits by a small network, ordered by influence."""
    trainer = network_trainer(n_targets)
    seeded = MLPClassifier(**trainer.estimator.get_params() | {"random_state": 0})
    params = {"train": trainer.train, "targets": trainer.targets, "output": "margin"}
    own = Attribution(mlp_influence, estimator=seeded, **params)
    surrogate = Attribution(logistic_influence, estimator=LOGISTIC, **params)
    each = {"step": 5, "max_size": 60, "n_trials": n_trials}
    methods = {
        "network influence, fixed": own,
        "network influence, adaptive": lambda: adaptive_order(trainer, own, **each),
        "logistic influence, fixed": surrogate,
        "logistic influence, adaptive": lambda: adaptive_order(
            trainer, surrogate, **each
        ),
    }
    compare(trainer, methods, n_trials, [1, 2, 4, 8, 16, 32, 60])


def run_datamodels(n_targets=4, n_trials=5):
    """Print the supports of digits by a small network, ordered by datamodels."""
    trainer = network_trainer(n_targets)
    datamodels = RefittedDatamodels(
        trainer, DatamodelRegressor(penalty="l2"), n_runs=150, random_state=0
    )
    everything = np.arange(len(trainer.train))
    methods = {
        "datamodels of 150 runs, fixed": lambda: datamodels(
            np.arange(n_targets), everything
        ),
        "datamodels of 150 runs, adaptive": lambda: adaptive_order(
            trainer, datamodels, step=10, max_size=60, n_trials=n_trials
        ),
    }
    compare(trainer, methods, n_trials, [1, 2, 4, 8, 16, 32, 60])


PARTS = {
    "oracle": run_oracle,
    "pairs": run_pairs,
    "digits": run_digits,
    "network": run_network,
    "datamodels": run_datamodels,
}


def main():
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    print(describe_machine())
    warnings.simplefilter("ignore")
    for name in parser.parse_args().parts:
        start = time.perf_counter()
        print(f"\n{name}")
        PARTS[name]()
        print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
