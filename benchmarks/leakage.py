"""Planted leakage on digits: precision and recall of flags, by kind and difficulty.

Near-duplicates of training images (with noise, a shift by one pixel, or another
brightness) are added to the targets. Half of them copy hard images, whose labels are
the least probable for a network trained without them; half copy others. The runs are
networks, kept in the folder ``--store``.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from fidelity import ESTIMATORS, make_trainer
from sklearn.base import clone
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

from skdatamodels import DatamodelRegressor, Examples
from skdatamodels.applications import LeakageDetector
from skdatamodels.datasets import load_digits_examples

KINDS = {
    "noise": lambda images, rng: images + rng.normal(0, 0.15, images.shape),
    "shift": lambda images, rng: np.roll(images.reshape(-1, 8, 8), 1, 2).reshape(
        -1, 64
    ),
    "brightness": lambda images, rng: 0.6 * images,
}


def plant(train, targets, n_each, seed=0):
    """Return targets followed by plants, the source of each (or -1), and strata.

    Strata are "clean", or kind and difficulty.
    """
    rng = np.random.default_rng(seed)
    network = clone(ESTIMATORS["mlp"]).set_params(random_state=seed)
    scores = cross_val_predict(network, train.X, train.y, cv=5, method="predict_proba")
    hard = scores[np.arange(len(train)), train.y].argsort()
    hard, easy = hard[: 3 * n_each], rng.permutation(hard[6 * n_each :])
    X, y = [targets.X], [targets.y]
    source, strata = [np.full(len(targets), -1)], ["clean"] * len(targets)
    for difficulty, pool in (("hard", rng.permutation(hard)), ("easy", easy)):
        for part, (kind, change) in enumerate(KINDS.items()):
            rows = pool[part * n_each : (part + 1) * n_each]
            X.append(change(train.X[rows], rng).clip(0, 1))
            y.append(train.y[rows])
            source.append(rows)
            strata += [f"{kind}, {difficulty}"] * n_each
    planted = Examples(np.concatenate(X), np.concatenate(y))
    return planted, np.concatenate(source), np.array(strata)


def representations(train, targets):
    """Return the hidden layer of one network, for the training set and the targets."""
    model = clone(ESTIMATORS["mlp"]).set_params(random_state=0).fit(train.X, train.y)
    weights, bias = model.coefs_[0], model.intercepts_[0]
    return [np.maximum(part.X @ weights + bias, 0) for part in (train, targets)]


def unit_length(X):
    """Scale each row to length 1, so that brightness does not matter."""
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)


def report(name, detector, weights, representation, source, strata):
    """Print a row of the table: how well one kind of evidence finds the plants."""
    flags = detector.fit_predict(weights, **representation) == -1
    leaks = source >= 0
    scores = detector.leakage_score_
    found = (detector.candidates_ == source[:, None]).any(axis=1)
    precision = leaks[flags].mean() if flags.any() else np.nan
    cells = [
        f"{average_precision_score(leaks, scores):.3f}",
        f"{precision:.2f}",
        f"{flags[leaks].mean():.2f}, {found[leaks].mean():.2f}",
    ]
    for stratum in dict.fromkeys(strata[leaks].tolist()):
        rows = strata == stratum
        cells.append(f"{flags[rows].mean():.2f}, {found[rows].mean():.2f}")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main():
    """Print a row for each kind of evidence, alone and together with weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=2500)
    parser.add_argument(
        "--each", type=int, default=20, help="plants a kind and stratum"
    )
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    start = time.perf_counter()
    train, targets = load_digits_examples()
    planted, source, strata = plant(train, targets, arguments.each)
    trainer = make_trainer("torch", train, planted, "margin", arguments.store)
    runs = trainer.fit_transform(np.arange(arguments.runs))
    weights = DatamodelRegressor(n_jobs=-1, random_state=0).fit(runs).coef_
    hidden = representations(train, planted)
    spaces = {
        "pixels": (train.X, planted.X),
        "pixels of unit length": (unit_length(train.X), unit_length(planted.X)),
        "hidden layer": hidden,
        "hidden layer of unit length": [unit_length(part) for part in hidden],
    }
    n_plants = (source >= 0).sum()
    print(
        f"digits, {len(train)} train, {len(targets)} targets and {n_plants} plants; "
        f"{arguments.runs} runs; {time.perf_counter() - start:.0f} s. As many targets "
        "are flagged as there are plants. Average precision; precision of flags; then "
        "recall of flags, and share of sources among ten candidates, of all plants and "
        "by kind and difficulty."
    )
    kinds = list(dict.fromkeys(strata[source >= 0].tolist()))
    print(f"| evidence | AP | precision | all | {' | '.join(kinds)} |")
    print("|---" * (4 + len(kinds)) + "|")
    detector = LeakageDetector(
        contamination=n_plants / len(planted), higher_is_better=True
    )
    report("weights", detector, weights, {}, source, strata)
    for name, (of_train, of_targets) in spaces.items():
        space = {
            "train_representation": of_train,
            "target_representation": of_targets,
        }
        report(name, detector, np.zeros_like(weights), space, source, strata)
        report(f"{name} + weights", detector, weights, space, source, strata)


if __name__ == "__main__":
    main()
