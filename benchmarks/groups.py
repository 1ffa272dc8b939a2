"""Weights of groups: runs of groups, summed weights of rows, Shapley by permutations.

Thirty sources of a real data set, of which two have shuffled labels. All methods train
the same number of models. For each method: how many of the two bad sources are among
the two lowest weights; by how many standard deviations of the good sources the better
one of the bad lies below their mean; and the correlation of weights with the true
effects of leaving single sources out. Means over repetitions.

Shapley values are estimated by permutations of the sources, as pyDVL does for its
grouped data sets: each permutation adds one source after another, and stops when the
utility is as near to that of all sources as its truncation allows. The utility is the
mean margin of the targets, as for the other methods; the empty set has utility 0. Each
permutation depends on its last utility, so its models are trained one at a time, and
its seconds are not comparable.
"""

import argparse
import time
import warnings

import numpy as np
from _machine import describe_machine
from scipy.stats import spearmanr
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.runs import aggregate_targets

N_SOURCES, N_BAD = 30, 2
CASES = {
    "digits, logistic regression": (load_digits, 900, LogisticRegression(C=0.1)),
    "breast cancer, logistic regression": (
        load_breast_cancer,
        420,
        LogisticRegression(C=0.1),
    ),
    "breast cancer, random forest": (
        load_breast_cancer,
        420,
        RandomForestClassifier(30),
    ),
}


class Sources:
    """A data set in sources of unequal size, some of them with shuffled labels."""

    def __init__(self, load, n_train, model, seed):
        X, y = load(return_X_y=True)
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(X))
        X, y = StandardScaler().fit_transform(X)[order], y[order]
        self.source = rng.integers(N_SOURCES, size=n_train)
        self.bad = rng.choice(N_SOURCES, N_BAD, replace=False)
        labels, rows = y[:n_train].copy(), np.isin(self.source, self.bad)
        labels[rows] = rng.permutation(labels[rows])
        self.train = Examples(X[:n_train], labels)
        self.targets = Examples(X[n_train : n_train + 300], y[n_train : n_train + 300])
        self.model, self.seed = model, seed

    def trainer(self, **parameters):
        """Return a trainer; a class that is missing counts as unlikely."""
        return SubsetTrainer(
            self.model,
            self.train,
            self.targets,
            unseen_class="floor",
            random_state=self.seed,
            **parameters,
        )

    def utilities(self, masks):
        """Return the mean margin of models of given sources, (n_masks,)."""
        runs = self.trainer(groups=self.source).transform(np.asarray(masks))
        return aggregate_targets(runs).outputs[:, 0]

    def true_effects(self, n_trials=5):
        """Return the mean margin with all sources minus that without each."""
        without = ~np.eye(N_SOURCES, dtype=bool)
        everything = np.ones((1, N_SOURCES), dtype=bool)
        masks = np.repeat(np.r_[everything, without], n_trials, axis=0)
        means = self.utilities(masks).reshape(-1, n_trials).mean(axis=1)
        return means[0] - means[1:]


def fitted(sources, n_models, groups, **parameters):
    """Fit the mean margin to runs of sources, or to runs of rows, summed."""
    trainer = sources.trainer(groups=sources.source if groups else None)
    runs = aggregate_targets(trainer.fit_transform(np.arange(n_models)))
    coef = DatamodelRegressor(random_state=0, **parameters).fit(runs).coef_
    summed = sources.trainer(groups=sources.source).sum_over_groups
    return (coef if groups else summed(coef))[0]


def with_prior(sources, n_models):
    """Fit runs of sources with their summed cheap attributions as the prior."""
    return fitted(sources, n_models, True, prior="cheap")


def shapley(sources, n_models, truncation=0.01):
    """Average marginal contributions over permutations, with that many trainings."""
    rng = np.random.default_rng(sources.seed)
    total, n_seen = np.zeros(N_SOURCES), np.zeros(N_SOURCES)
    full = sources.utilities(np.ones((1, N_SOURCES), dtype=bool))[0]
    n_left = n_models - 1
    while n_left > 0:
        before, mask = 0.0, np.zeros((1, N_SOURCES), dtype=bool)
        for source in rng.permutation(N_SOURCES):
            near = abs(full - before) < truncation * abs(full)
            after = before
            if not near:
                if n_left == 0:
                    break
                mask[0, source] = True
                after, n_left = sources.utilities(mask)[0], n_left - 1
            total[source] += after - before
            n_seen[source] += 1
            before = after
    return total / np.maximum(n_seen, 1)


METHODS = {
    "runs of sources": lambda s, n: fitted(s, n, True),
    "runs of sources, ridge": lambda s, n: fitted(s, n, True, penalty="l2"),
    "runs of sources, cheap prior": with_prior,
    "runs of rows, summed": lambda s, n: fitted(s, n, False),
    "runs of rows, ridge, summed": lambda s, n: fitted(s, n, False, penalty="l2"),
    "Shapley by permutations": shapley,
}


def judge(sources, weights, truth):
    """Return bad sources found, their distance, and the rank correlation."""
    lowest = np.argsort(weights)[:N_BAD]
    good = np.delete(weights, sources.bad)
    distance = (good.mean() - weights[sources.bad].max()) / max(good.std(), 1e-12)
    known = np.delete(np.arange(N_SOURCES), sources.bad)
    rank = spearmanr(weights[known], truth[known]).statistic
    return np.isin(lowest, sources.bad).sum(), distance, rank


def main():
    """Print a table for each case."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(describe_machine())
    for case in arguments.cases:
        print(f"\n{case}; {N_BAD} bad sources of {N_SOURCES}")
        print(f"{'method':<30} models  found  distance  rank of good  seconds")
        problems = [
            Sources(*CASES[case], seed) for seed in range(arguments.repetitions)
        ]
        truths = [sources.true_effects() for sources in problems]
        for n_models in arguments.models:
            for name, method in METHODS.items():
                start = time.perf_counter()
                rows = [
                    judge(sources, method(sources, n_models), truth)
                    for sources, truth in zip(problems, truths, strict=True)
                ]
                seconds = (time.perf_counter() - start) / len(problems)
                found, distance, rank = np.nanmean(rows, axis=0)
                print(
                    f"{name:<30} {n_models:>6}  {found:>5.1f}  {distance:>8.1f}  "
                    f"{rank:>12.2f}  {seconds:>7.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
