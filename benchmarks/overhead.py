"""What SubsetTrainer adds to fits of 10 ms, with and without a store."""

import tempfile
import time

import numpy as np
from _machine import describe_machine
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from threadpoolctl import threadpool_limits

from skdatamodels import SubsetTrainer
from skdatamodels.datasets import load_digits_examples

N_RUNS = 300


class TenMilliseconds(ClassifierMixin, BaseEstimator):
    """Compute something for 10 ms, then predict at once."""

    def fit(self, X, y):
        """Keep the processor busy."""
        self.classes_ = np.unique(y)
        end = time.perf_counter() + 0.01
        while time.perf_counter() < end:
            pass
        return self

    def decision_function(self, X):
        """Return zeros."""
        return np.zeros((len(X), len(self.classes_)))


def plain_loop(train, targets, masks):
    """Fit and predict, and nothing else."""
    for mask in masks:
        model = clone(TenMilliseconds()).fit(train.X[mask], train.y[mask])
        model.decision_function(targets.X)


def main():
    """Print the seconds a run of the plain loop and of SubsetTrainer, n_jobs=1."""
    print(describe_machine())
    train, targets = load_digits_examples()
    trainer = SubsetTrainer(TenMilliseconds(), train, targets, random_state=0)
    ids = np.arange(N_RUNS)
    masks = trainer.fit_transform(ids).masks
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        stored = clone(trainer).set_params(store=folder)
        times = {"plain loop": [], "SubsetTrainer": [], "SubsetTrainer, store": []}
        for repeat in range(3):
            ways = (
                lambda: plain_loop(train, targets, masks),
                lambda: trainer.fit_transform(ids),
                lambda r=repeat: stored.fit_transform(ids + (r + 1) * N_RUNS),
            )
            for name, way in zip(times, ways, strict=True):
                start = time.perf_counter()
                way()
                times[name].append((time.perf_counter() - start) / N_RUNS)
    base = min(times["plain loop"])
    for name, seconds in times.items():
        over = 100 * (min(seconds) / base - 1)
        print(f"{name:<22} {1e3 * min(seconds):.2f} ms a run, {over:+.1f} %")


if __name__ == "__main__":
    main()
