"""LDS by treatment of runs that miss a class, and of probabilities of 0.

The training set has only a few examples of one class, so that about one subset in ten
misses it. The output of such a run on the targets of that class can be

- computed from the probability 2.2e-16, the resolution of floats near 1;
- the smallest output of a run that saw the class;
- computed from the probability 1 / (subset size + number of classes)
  (unseen_class="floor");
- missing (unseen_class="nan", the default).

Datamodels are fitted on each of these, and scored on held-out runs, on which the first
three have the same ranks: on all targets, and on those of the rare class in runs that
saw it.

The second table is for forests on data without a rare class. If all trees agree, a
probability is 0, which is replaced by the first or the third of these values. Both fits
are scored on the margins of the third.
"""

import argparse
import warnings
from dataclasses import replace

import numpy as np
from _machine import describe_machine
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.outputs import OUTPUTS, PROBA_FLOOR

MODELS = {
    "logistic": LogisticRegression(max_iter=1000),
    "forest": RandomForestClassifier(30, min_samples_leaf=3),
}
# loader, training rows, targets, the rare class and how many of its examples to keep
DATA = {"wine": (load_wine, 110, 60, 2, 3), "digits": (load_digits, 400, 100, 8, 4)}


def load(name, seed):
    """Return a training set with a rare class, targets, and the rare class."""
    loader, n_train, n_targets, rare, n_rare = DATA[name]
    X, y = loader(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, targets = order[:n_train], order[n_train : n_train + n_targets]
    few = train[y[train] == rare][:n_rare]
    train = np.r_[train[y[train] != rare], few]
    X = StandardScaler().fit(X[train]).transform(X)
    return Examples(X[train], y[train]), Examples(X[targets], y[targets]), rare


def treatments(runs, missed, of_rare, n_classes):
    """Return outputs by treatment of the runs that missed the rare class."""
    sizes = runs.masks.sum(axis=1, keepdims=True)
    old = runs.outputs + np.log(PROBA_FLOOR) + np.log(sizes + n_classes - 1)
    least = np.where(missed, np.inf, runs.outputs).min(axis=0)
    where = missed & of_rare
    return {
        "2.2e-16": np.where(where, old, runs.outputs),
        "least output": np.where(where, least, runs.outputs),
        "1 / (size + classes)": runs.outputs,
        "missing": np.where(where, np.nan, runs.outputs),
    }


def scores(name, model, n_runs, n_test, seed):
    """Return {treatment: (LDS, LDS of the rare class)}, and the share of such runs."""
    train, targets, rare = load(name, seed)
    trainer = SubsetTrainer(
        model, train, targets, unseen_class="floor", random_state=seed, n_jobs=2
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*saw no example of a class")
        runs = trainer.transform(np.arange(n_runs + n_test))
    missed = ~runs.masks[:, train.y == rare].any(axis=1, keepdims=True)
    of_rare, test = targets.y == rare, runs[n_runs:]
    saw = ~missed[n_runs:, 0]
    found = {}
    for label, outputs in treatments(
        runs, missed, of_rare, len(np.unique(train.y))
    ).items():
        fitted = DatamodelRegressor(random_state=0, n_jobs=2)
        fitted.fit(runs.packed[:n_runs], outputs[:n_runs])
        predicted = fitted.predict(test)
        found[label] = (
            linear_datamodeling_score(test.outputs, predicted),
            linear_datamodeling_score(
                test.outputs[saw][:, of_rare], predicted[saw][:, of_rare]
            ),
        )
    return found, missed.mean()


def votes(name, n_runs, n_test, seed):
    """Return {zero: LDS} of a forest of 20 trees, and the share of outliers."""
    loader, n_train, n_targets, *_ = DATA[name]
    X, y = loader(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, targets = order[:n_train], order[n_train : n_train + n_targets]
    runs = {
        label: SubsetTrainer(
            RandomForestClassifier(20),
            Examples(X[train], y[train]),
            Examples(X[targets], y[targets]),
            output=replace(OUTPUTS["margin"], bounded=bounded),
            random_state=seed,
            n_jobs=2,
        ).transform(np.arange(n_runs + n_test))
        for label, bounded in (("2.2e-16", True), ("1 / (size + classes)", False))
    }
    test = runs["1 / (size + classes)"][n_runs:]
    varies = np.ptp(test.outputs, axis=0) > 0
    found = {}
    for label, those in runs.items():
        fitted = DatamodelRegressor(random_state=0, n_jobs=2).fit(those[:n_runs])
        found[label] = linear_datamodeling_score(
            test.outputs[:, varies], fitted.predict(test)[:, varies]
        )
    return found, (abs(runs["2.2e-16"].outputs) > 30).mean()


def main():
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-runs", type=int, default=400)
    parser.add_argument("--n-test", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print(describe_machine())
    print(
        f"{arguments.n_runs} runs, {arguments.n_test} held out, mean of "
        f"{arguments.seeds} seeds. LDS / LDS of the rare class in runs that saw it\n"
    )
    for data in DATA:
        for model_name, model in MODELS.items():
            seeds = [
                scores(data, model, arguments.n_runs, arguments.n_test, seed)
                for seed in range(arguments.seeds)
            ]
            share = np.mean([share for _, share in seeds])
            print(f"{data}, {model_name}: {share:.1%} of runs miss the class")
            for label in seeds[0][0]:
                both = np.mean([found[label] for found, _ in seeds], axis=0)
                print(f"  {label:<22} {both[0]:.3f} / {both[1]:.3f}", flush=True)
    for data in DATA:
        seeds = [
            votes(data, arguments.n_runs, arguments.n_test, seed)
            for seed in range(arguments.seeds)
        ]
        share = np.mean([share for _, share in seeds])
        print(f"{data}, forest of 20 trees: {share:.0%} of margins beyond 30")
        for label in seeds[0][0]:
            lds = np.mean([found[label] for found, _ in seeds])
            print(f"  {label:<22} {lds:.3f}", flush=True)


if __name__ == "__main__":
    main()
