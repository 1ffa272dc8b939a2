"""Overhead of SubsetTrainer for fits of milliseconds: alone, with a store, on dask.

On dask there are two local workers with one thread each, so without overhead the time
would be half that of the loop.
"""

import argparse
import tempfile
import time

import numpy as np
from _machine import describe_machine
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from threadpoolctl import threadpool_limits

from skdatamodels import SubsetTrainer
from skdatamodels.datasets import load_digits_examples


class Takes(ClassifierMixin, BaseEstimator):
    """Classifier that needs some time to fit, and predicts at once.

    It sleeps, so that the time of a fit does not depend on the load of the machine. The
    rest of the measured time is overhead.
    """

    def __init__(self, seconds=0.01):
        self.seconds = seconds

    def fit(self, X, y):
        """Wait."""
        self.classes_ = np.unique(y)
        time.sleep(self.seconds)
        return self

    def decision_function(self, X):
        """Return zeros."""
        return np.zeros((len(X), len(self.classes_)))


def plain_loop(estimator, train, targets, masks):
    """Only fit and predict."""
    for mask in masks:
        model = clone(estimator).fit(train.X[mask], train.y[mask])
        model.decision_function(targets.X)


def compare(ways, n_runs, repeats):
    """Print the time per run of each way, the best of some alternating rounds."""
    times = {name: [] for name in ways}
    for repeat in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way(np.arange(repeat * n_runs, (repeat + 1) * n_runs))
            times[name].append((time.perf_counter() - start) / n_runs)
    base = min(times["plain loop"])
    for name, seconds in times.items():
        part = base / 2 if "dask" in name else base
        over = 100 * (min(seconds) / part - 1)
        print(f"{name:<30} {1e3 * min(seconds):.2f} ms a run, {over:+.1f} %")


def compare_on_dask(ways, trainer, n_runs, repeats):
    """Compare with a cluster of two workers too."""
    from distributed import Client, LocalCluster
    from joblib import parallel_config

    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
        parallel_config("dask"),
    ):
        trainer.fit_transform(np.arange(4))  # lets the workers do their imports
        ways["SubsetTrainer, dask, 2 workers"] = trainer.fit_transform
        compare(ways, n_runs, repeats)


def main():
    """Print the time per run of the plain loop and of SubsetTrainer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--milliseconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dask", action="store_true")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    estimator = Takes(arguments.milliseconds / 1e3)
    trainer = SubsetTrainer(estimator, train, targets, random_state=0)
    masks = trainer.fit_transform(np.arange(2)).masks
    masks = np.resize(masks, (arguments.runs, len(train)))
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        ways = {"plain loop": lambda ids: plain_loop(estimator, train, targets, masks)}
        if arguments.dask:
            stored = clone(trainer).set_params(store=folder)
            compare_on_dask(ways, stored, arguments.runs, arguments.repeats)
            return
        ways["SubsetTrainer"] = trainer.fit_transform
        ways["SubsetTrainer, store"] = (
            clone(trainer).set_params(store=folder).fit_transform
        )
        compare(ways, arguments.runs, arguments.repeats)


if __name__ == "__main__":
    main()
