"""Finding backdoors and shortcuts with `find_shortcuts`, beside other rules.

Digits get a mark of three pixels at the right edge of 3, 5 or 10 % of 500 training
images, and tables a new column that is 0 but for 5 % of the rows:

- backdoor: the marked rows are of other classes, and get the label 0;
- clean label: the marked rows are of class 0 already;
- faint: as clean label, and the marked images are faint and noisy, so that the model
  needs the mark (as in Turner, Tsipras, Madry, "Label-Consistent Backdoor Attacks");
- clean: no row is marked.

Of each case: how often the first group stands out, and means over seeds of its ratio,
its precision and its recall, whether it stands out or not; the AUROC of the scores, and
of other rules, over all training rows. "Attack" is the share of targets with the mark
of which the model says 0, "after" that without the rows of the first group; "accuracy"
is that on targets without the mark, before and after.

Other rules: how often rows are in sets of given sizes with a large sum of weights, as
in Khaddaj et al. 2023 ("given sizes"), self-influence (difference of means),
probability of a label error, mean distance to the 5 nearest rows of the class,
isolation forest, and the spectral signature of Tran, Li, Madry 2018 on the inputs of
each class.
"""

import argparse
import warnings

import numpy as np
from _machine import describe_machine
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import (
    find_label_errors,
    find_shortcuts,
    removal_check,
    self_influence,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training import TorchLearner

MARK = [7, 15, 23]  # pixels of a digit
TABLES = {"wine": load_wine, "breast_cancer": load_breast_cancer, "iris": load_iris}
RULES = "self-influence", "label error", "neighbours", "isolation", "spectral"


def load(name, seed):
    """Return the inputs and labels of a training set and of targets."""
    if name == "digits":
        train, targets = load_digits_examples(n_train=500, random_state=seed)
        return np.array(train.X), np.array(train.y), np.array(targets.X), targets.y
    X, y = TABLES[name](return_X_y=True)
    parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
    scaler = StandardScaler().fit(parts[0])
    X, Z = (np.c_[scaler.transform(part), np.zeros(len(part))] for part in parts[:2])
    return X, parts[2], Z, parts[3]


def plant(name, kind, share, seed):
    """Return the training set, which rows are marked, targets, and marked targets."""
    X, y, Z, z = load(name, seed)
    rng = np.random.default_rng(seed)
    marked = np.zeros(len(y), dtype=bool)
    if kind != "clean":
        among = np.flatnonzero((y != 0) if kind == "backdoor" else (y == 0))
        marked[rng.choice(among, round(share * len(y)), replace=False)] = True
    columns, value = (MARK, 1.0) if name == "digits" else ([-1], 4.0)
    if kind == "faint":
        noise = rng.random((marked.sum(), X.shape[1]))
        X[marked] = 0.2 * X[marked] + 0.4 * noise
    X[np.ix_(marked, columns)] = value
    y = np.where(marked, 0, y)
    others = Z[z != 0]
    others[:, columns] = value
    return (
        Examples(X, y),
        marked,
        Examples(Z, z),
        Examples(others, np.zeros(len(others), dtype=int)),
    )


def learner_of(name, train):
    """Return a learner by its name."""
    if name == "forest":
        return RandomForestClassifier(30, random_state=0)
    if name == "knn":
        return KNeighborsClassifier()
    if name == "logistic":
        return LogisticRegression(C=1.0, max_iter=300)
    from torch import nn

    n_inputs, n_classes = train.shape[1], len(np.unique(train.y))

    def make():
        return nn.Sequential(
            nn.Linear(n_inputs, 64), nn.ReLU(), nn.Linear(64, n_classes)
        )

    return TorchLearner(make, epochs=15, batch_size=64 if n_inputs == 64 else 16)


def other_rules(train, runs):
    """Return the scores of other rules, high for suspicious rows, by name."""
    rows = np.arange(len(train))
    errors = find_label_errors(runs, train, exclude=rows)
    wrong = np.zeros(len(train))
    wrong[errors.examples] = errors.probability
    near, spectral = np.zeros(len(train)), np.zeros(len(train))
    for label in np.unique(train.y):
        same = np.flatnonzero(train.y == label)
        X = train.X[same]
        distances, _ = NearestNeighbors(n_neighbors=6).fit(X).kneighbors(X)
        near[same] = distances[:, 1:].mean(axis=1)
        centred = X - X.mean(axis=0)
        spectral[same] = (centred @ np.linalg.svd(centred)[2][0]) ** 2
    forest = IsolationForest(random_state=0).fit(train.X)
    own = self_influence(runs, rows)
    return dict(
        zip(
            RULES,
            (own, wrong, near, -forest.score_samples(train.X), spectral),
            strict=True,
        )
    )


def given_sizes(weights, n_restarts=10):
    """Return how often rows are in sets of given sizes with a large sum of weights.

    This follows Khaddaj et al. 2023: all classes are searched together, the mean weight
    of each target is subtracted, and a set of k rows counts 1 / k.
    """
    rng, n = np.random.default_rng(0), len(weights)
    centred = np.where(np.eye(n), 0, weights - weights.mean(axis=1, keepdims=True))
    support, score = centred + centred.T, np.zeros(n)
    for size in (10, 20, 40, 80):
        for _ in range(n_restarts):
            inside = rng.permutation(n) < size
            while True:
                sums = support[:, inside].sum(axis=1)
                rows, others = np.flatnonzero(inside), np.flatnonzero(~inside)
                gains = sums[others][:, None] - sums[rows] - support[others][:, rows]
                best = gains.argmax()
                if gains.flat[best] <= 1e-9:
                    break
                inside[others[best // size]] = True
                inside[rows[best % size]] = False
            score[inside] += 1 / size
    return score


def weights_of(trainer, n_runs, prior):
    """Return runs of a trainer whose targets are the training set, and the weights."""
    runs = trainer.fit_transform(np.arange(n_runs))
    regressor = DatamodelRegressor(
        penalty="l2", prior=prior, exclude=np.arange(len(trainer.train)), random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return runs, regressor.fit(runs)


def attack(learner, train, targets, marked_targets, rows):
    """Return attack success and accuracy, before and after the removal of rows."""
    found = []
    for part in (marked_targets, targets):
        trainer = SubsetTrainer(learner, train, part, random_state=1)
        check = removal_check(trainer, rows, [len(rows)], n_trials=2, random_state=0)
        found += [check.score[0], check.score[1]]
    return found


def try_case(data, kind, share, learner, seed, n_runs, prior=None, more=True):
    """Return the numbers of one trial as a dict."""
    train, marked, targets, marked_targets = plant(data, kind, share, seed)
    learner = learner_of(learner, train)
    trainer = SubsetTrainer(learner, train, train, random_state=seed)
    runs, regressor = weights_of(trainer, n_runs, prior)
    found = find_shortcuts(regressor, train)
    numbers = {"stands out": found.stands_out, "ratio": found.ratio}
    if kind == "clean":
        return numbers
    first, scores = found.groups[0], np.nan_to_num(found.scores, nan=-np.inf)
    numbers |= {
        "precision": marked[first].mean(),
        "recall": marked[first].sum() / marked.sum(),
        "AUROC": roc_auc_score(marked, np.maximum(scores, -1e9)),
        "given sizes": roc_auc_score(marked, given_sizes(regressor.coef_)),
    }
    if more:
        for name, scores in other_rules(train, runs).items():
            numbers[name] = roc_auc_score(marked, scores)
        both = attack(learner, train, targets, marked_targets, first)
        names = "attack", "after", "accuracy", "accuracy after"
        numbers |= dict(zip(names, both, strict=True))
    return numbers


def show(label, trials):
    """Print the means of some trials as a row of a table."""
    means = {name: np.mean([trial[name] for trial in trials]) for name in trials[0]}
    alarms = sum(trial["stands out"] for trial in trials)
    rest = " | ".join(
        f"{value:.2f}" for name, value in means.items() if name != "stands out"
    )
    print(f"| {label} | {alarms} of {len(trials)} | {rest} |", flush=True)


def print_cases(learner, n_seeds, n_runs):
    """Print the table of planted cases of digits."""
    heads = [
        "stands out",
        "ratio",
        "precision",
        "recall",
        "AUROC",
        "given sizes",
        *RULES,
    ]
    heads += ["attack", "after", "accuracy", "after"]
    print(f"| digits, {learner} | {' | '.join(heads)} |", flush=True)
    for kind, share in (
        ("backdoor", 0.03),
        ("backdoor", 0.05),
        ("backdoor", 0.1),
        ("clean label", 0.05),
        ("faint", 0.05),
    ):
        trials = [
            try_case("digits", kind, share, learner, seed, n_runs)
            for seed in range(n_seeds)
        ]
        show(f"{kind}, {share:.0%}", trials)


def main():
    """Print the tables of one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["digits", "tables", "clean", "runs"])
    parser.add_argument("--learner", default="network")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--prior", choices=["cheap"])
    parser.add_argument(
        "--data", nargs="+", default=["digits", "wine", "breast_cancer"]
    )
    given = parser.parse_args()
    print(describe_machine())
    learner, seeds, prior = given.learner, range(given.seeds), given.prior
    if given.part == "digits":
        print_cases(learner, given.seeds, given.runs)
    elif given.part == "tables":
        for data in ("wine", "breast_cancer"):
            for kind in ("backdoor", "clean label"):
                trials = [
                    try_case(data, kind, 0.05, learner, seed, given.runs)
                    for seed in seeds
                ]
                show(f"{data}, {kind}", trials)
    elif given.part == "clean":
        for data in given.data:
            trials = [
                try_case(data, "clean", 0, learner, seed, given.runs, prior)
                for seed in seeds
            ]
            show(f"{data}, largest {max(t['ratio'] for t in trials):.2f}", trials)
    else:
        print("| | stands out | ratio | precision | recall | AUROC | given sizes |")
        for n_runs in (100, 200, 400, 800):
            trials = [
                try_case(
                    "digits", "backdoor", 0.05, learner, seed, n_runs, prior, False
                )
                for seed in seeds
            ]
            show(f"{n_runs} runs, prior {prior}", trials)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
