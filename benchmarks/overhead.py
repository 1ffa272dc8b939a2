"""What SubsetTrainer adds to fits of some milliseconds: alone, with a store, on dask.

On dask there are two local workers of one thread, so that half the time of the loop is
free.
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
    """Take some time to fit, then predict at once.

    It sleeps, so that the time is the same however busy the machine is, and what is
    measured beyond it is overhead.
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
    """Fit and predict, and nothing else."""
    for mask in masks:
        model = clone(estimator).fit(train.X[mask], train.y[mask])
        model.decision_function(targets.X)


def compare(ways, n_runs, repeats):
    """Print the seconds a run of each way, the best of some rounds in turn."""
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
    """Add a cluster of two workers to what is compared."""
    from distributed import Client, LocalCluster
    from joblib import parallel_config

    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
        parallel_config("dask"),
    ):
        trainer.fit_transform(np.arange(4))  # the workers import what they need
        ways["SubsetTrainer, dask, 2 workers"] = trainer.fit_transform
        compare(ways, n_runs, repeats)


def main():
    """Print the seconds a run of the plain loop and of SubsetTrainer."""
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
