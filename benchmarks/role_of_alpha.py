"""Role of alpha: a simulation with groups of known size, and digits.

Simulation (appendix B, algorithm 4): minimum-norm linear regression on binary features.
The examples with a feature are removed, and the correlation of predicted and true
effects is printed by frequency of the feature and alpha. Digits: datamodels of a
logistic regression show how many examples help a target, and how near they are to it;
their score is on halves.
"""

import argparse

import numpy as np
from _machine import describe_machine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import predict_counterfactual
from skdatamodels.datasets import load_digits_examples
from skdatamodels.metrics import linear_datamodeling_score

FREQUENCIES = [0.02, 0.05, 0.1, 0.2, 0.4]


def simulate(alphas, n_runs, seed, n_train=100, n_features=300):
    """Return correlations (n_alphas, n_frequencies) of one simulated data set."""
    rng = np.random.default_rng(seed)
    frequency = np.repeat(FREQUENCIES, n_features // len(FREQUENCIES))
    X = (rng.random((2 * n_train, n_features)) < frequency).astype(float)
    y = X @ rng.normal(size=n_features) + 0.1 * rng.normal(size=len(X))
    train, targets = (
        Examples(X[:n_train], y[:n_train]),
        Examples(X[n_train:], y[n_train:]),
    )
    present = train.X.any(axis=0)
    groups, frequency = train.X.T[present] == 1, frequency[present]
    trainer = SubsetTrainer(
        LinearRegression(fit_intercept=False),
        train,
        targets,
        output="prediction",
        random_state=seed,
    )
    masks = np.concatenate([np.ones((1, n_train), dtype=bool), ~groups])
    outputs = trainer.fit_transform(masks).outputs
    true = (outputs[1:] - outputs[0]).T
    table = []
    for alpha in alphas:
        runs = trainer.set_params(alpha=alpha).fit_transform(np.arange(n_runs))
        weights = LinearRegression().fit(runs.masks, runs.outputs).coef_
        predicted = predict_counterfactual(weights, groups)
        pairs = (
            (predicted[:, frequency == f].ravel(), true[:, frequency == f].ravel())
            for f in FREQUENCIES
        )
        table.append([np.corrcoef(*pair)[0, 1] for pair in pairs])
    return np.array(table)


def look_at_digits(alphas, n_runs, every):
    """Print the examples that help a target, by alpha."""
    train, targets = load_digits_examples()
    trainer = SubsetTrainer(LogisticRegression(), train, targets, random_state=0)
    columns = slice(None, None, every)
    nearness = euclidean_distances(targets.X[columns], train.X).argsort(axis=1)
    rank = nearness.argsort(axis=1)
    same_class = targets.y[columns, None] == train.y
    halves = trainer.fit_transform(np.arange(n_runs, n_runs + 300))
    for alpha in alphas:
        runs = trainer.set_params(alpha=alpha).fit_transform(np.arange(n_runs))
        runs = TrainingRuns(runs.packed, np.asarray(runs.outputs)[:, columns])
        model = DatamodelRegressor(random_state=0).fit(runs)
        helps = np.maximum(model.coef_, 0)
        number = helps.sum(axis=1) ** 2 / (helps**2).sum(axis=1)
        weight = helps / helps.sum(axis=1, keepdims=True)
        score = linear_datamodeling_score(
            halves.outputs[:, columns], model.predict(halves)
        )
        print(
            f"digits, alpha {alpha}: {np.median(number):.0f} examples help a target, "
            f"{(weight * same_class).sum(axis=1).mean():.0%} of their weight in its "
            f"class, mean rank by distance {(weight * rank).sum(axis=1).mean():.0f}; "
            f"LDS on halves {score:.3f}",
            flush=True,
        )


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--alphas", type=float, nargs="+", default=[0.1, 0.25, 0.5, 0.75, 0.9]
    )
    parser.add_argument("--runs", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=6, help="take every k-th target")
    arguments = parser.parse_args()
    print(describe_machine())
    tables = [
        simulate(arguments.alphas, arguments.runs, seed)
        for seed in range(arguments.seeds)
    ]
    print("simulation, features in " + "".join(f"{f:>9.0%}" for f in FREQUENCIES))
    for alpha, row, spread in zip(
        arguments.alphas, np.mean(tables, axis=0), np.std(tables, axis=0), strict=True
    ):
        cells = zip(row, spread, strict=True)
        print(f"alpha {alpha:<17} " + "".join(f" {m:.2f}±{s:.2f}" for m, s in cells))
    look_at_digits(arguments.alphas, arguments.runs, arguments.every)


if __name__ == "__main__":
    main()
