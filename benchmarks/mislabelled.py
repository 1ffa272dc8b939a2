"""Finding wrong labels: average precision of several scores, on digits.

A fraction of the training labels is changed to another class at random. Every training
example is also a target. The scores, each lower if a label is suspicious:

- harm: mean weight of the example over all targets, where each datamodel is fitted on
  the runs that did not see its target (eq. 9);
- harm by other targets: the same over the clean test examples;
- out-of-bag margin: mean output of the example over the runs that did not see it;
- confidence: cross-validated probability of the given label;
- cleanlab's label quality score (normalized margin) on the same probabilities, if
  cleanlab is installed.
"""

import argparse

import numpy as np
from _machine import describe_machine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import mean_weights
from skdatamodels.datasets import load_digits_examples


def flip(y, share, rng):
    """Return labels, a fraction of them wrong, and which ones are wrong."""
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.choice(len(y), round(share * len(y)), replace=False)] = True
    given = y.copy()
    given[wrong] = (y[wrong] + rng.integers(1, 10, wrong.sum())) % 10
    return given, wrong


def scores_of(train, targets, n_runs, model):
    """Return the scores of the training examples by name, low if suspicious."""
    n = len(train)
    both = Examples(np.r_[train.X, targets.X], np.r_[train.y, targets.y])
    trainer = SubsetTrainer(model, train, both, random_state=0)
    runs = trainer.fit_transform(np.arange(n_runs))
    own = np.r_[np.arange(n), np.full(len(targets), -1)]
    inside = DatamodelRegressor(exclude=own[:n], n_jobs=2, random_state=0)
    inside.fit(runs.packed, runs.outputs[:, :n])
    outside = DatamodelRegressor(n_jobs=2, random_state=0)
    outside.fit(runs.packed, runs.outputs[:, n:])
    unseen = ~runs.masks
    margins = (runs.outputs[:, :n] * unseen).sum(axis=0) / unseen.sum(axis=0)
    probability = cross_val_predict(model, train.X, train.y, method="predict_proba")
    scores = {
        "harm": mean_weights(inside, target_classes=train.y),
        "harm by other targets": mean_weights(outside, target_classes=targets.y),
        "out-of-bag margin": margins,
        "confidence": probability[np.arange(n), train.y],
    }
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return scores
    scores["cleanlab"] = get_label_quality_scores(
        train.y, probability, method="normalized_margin"
    )
    return scores


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-train", type=int, default=600)
    parser.add_argument("--n-runs", type=int, default=3000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.02, 0.05])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples(arguments.n_train)
    model = LogisticRegression()
    for share in arguments.shares:
        found = {}
        for seed in range(arguments.seeds):
            given, wrong = flip(train.y, share, np.random.default_rng(seed))
            mislabelled = Examples(train.X, given)
            scores = scores_of(mislabelled, targets, arguments.n_runs, model)
            for name, score in scores.items():
                found.setdefault(name, []).append(
                    average_precision_score(wrong, -score)
                )
        print(f"\n{share:.0%} wrong labels\n\n| score | average precision |\n|---|---|")
        for name, values in found.items():
            print(f"| {name} | {np.mean(values):.3f} ± {np.std(values):.3f} |")


if __name__ == "__main__":
    main()
