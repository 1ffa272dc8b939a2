"""Predicted and true effects of removing training examples, on digits.

For each target, several heuristics choose sets of training examples. Each set is
removed from the full training set, and retraining gives the true effect. The effects
are predicted by datamodels of random halves, with and without a prior, and by
datamodels of random three quarters. Runs and trainings are kept in the folder
``--store``.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from fidelity import ESTIMATORS, make_trainer
from scipy.stats import pearsonr, spearmanr
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances

from skdatamodels import DatamodelRegressor
from skdatamodels.applications import CounterfactualEvaluation
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans, logistic_influence

SIZES = [2, 5, 10, 15, 20, 30]  # a class has 120 examples


def print_correlations(name, effects):
    """Print correlations overall, by heuristic and by size."""
    groups = {"all": np.ones(len(effects), dtype=bool)}
    for heuristic in dict.fromkeys(effects.heuristic.tolist()):
        groups[heuristic] = effects.heuristic == heuristic
    for size in np.unique(effects.size):
        groups[f"{size} removed"] = effects.size == size
    print(f"\n| {name} | sets | Spearman | Pearson | mean effect | predicted |")
    print("|---|---|---|---|---|---|")
    for group, rows in groups.items():
        predicted, true = effects.predicted[rows], effects.true[rows]
        if len(true) < 3 or np.ptp(predicted) == 0:
            continue
        print(
            f"| {group} | {len(true)} | {spearmanr(predicted, true).statistic:.3f} | "
            f"{pearsonr(predicted, true).statistic:.3f} | {true.mean():+.2f} | "
            f"{predicted.mean():+.2f} |",
            flush=True,
        )
    alone = [
        pearsonr(effects.predicted[rows], effects.true[rows]).statistic
        for rows in (effects.target == target for target in np.unique(effects.target))
    ]
    print(f"Within a target: Pearson {np.mean(alone):.3f}, least {min(alone):.3f}")


def fit_datamodels(runs, prior):
    """Return the weights of datamodels without and with the prior."""
    plain = DatamodelRegressor(n_jobs=-1, random_state=0)
    informed = clone(plain).set_params(prior=prior)
    return [model.fit(runs).coef_ for model in (plain, informed)]


def main():
    """Print correlations overall, by heuristic and by size, and the stress tests."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--targets", type=int, default=30)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--output", choices=["margin", "log_odds"], default="log_odds")
    parser.add_argument("--estimator", choices=["torch", "mlp"], default="torch")
    parser.add_argument("--stress", action="store_true", help="F.7, F.8 besides")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    trainer = make_trainer(
        arguments.estimator, train, targets, arguments.output, arguments.store
    )
    ids = np.arange(arguments.runs)
    runs = trainer.fit_transform(ids)
    more = clone(trainer).set_params(alpha=0.75).fit_transform(ids)
    prior = logistic_influence(LogisticRegression(), train, targets)
    weights = {"prior alone": prior}
    for alpha, subsets in {0.5: runs, 0.75: more}.items():
        names = f"datamodel, alpha = {alpha}", f"with a prior, alpha = {alpha}"
        weights |= zip(names, fit_datamodels(subsets, prior), strict=True)
    chosen = np.random.default_rng(0).permutation(len(targets))[: arguments.targets]
    print(
        f"digits, {len(train)} train, {len(chosen)} targets, sizes {SIZES}, "
        f"{arguments.trials} trainings a set, {arguments.output}"
    )
    evaluation = CounterfactualEvaluation(
        trainer,
        heuristics=["top", "bottom", "random"],
        baselines={
            "nearest pixels": -euclidean_distances(targets.X, train.X),
            "difference of means": DifferenceOfMeans().fit(runs).coef_,
        },
        sizes=SIZES,
        target_indices=chosen,
        n_trials=arguments.trials,
        random_state=0,
    )

    def evaluate(title, **params):
        start = time.perf_counter()
        evaluation.set_params(**params).fit(weights["datamodel, alpha = 0.5"])
        effects = evaluation.effects_
        noise = np.sqrt(np.mean(effects.error**2))
        print(
            f"\n{title}: {len(effects)} sets, effects from {effects.true.min():.1f} to "
            f"{effects.true.max():.1f}, standard error {noise:.2f}; "
            f"{time.perf_counter() - start:.0f} s"
        )
        return effects

    evaluate("full training set")
    for name, matrix in weights.items():
        print_correlations(name, evaluation.effects_by(matrix))
    if arguments.stress:
        evaluation.set_params(baselines=None, target_indices=chosen[:6])
        three, large = ["top", "bottom", "random"], [120, 180, 240]
        for title, params in {
            "half of a class": {"heuristics": three, "sizes": [45, 60]},
            "up to a fifth": {"heuristics": ["top"], "sizes": large},
            "weights of zero": {"heuristics": ["zero"], "sizes": SIZES},
            "control of random halves": {"heuristics": three, "control": "subsets"},
            "logistic regression": {
                "control": "full",
                "trainer__estimator": ESTIMATORS["logistic"],
                "n_trials": 1,
                "n_control_trials": 1,
            },
        }.items():
            effects = evaluate(f"six targets, {title}", **params)
            print(f"mean effect {effects.true.mean():+.2f}")
            if np.ptp(effects.predicted) > 0:
                print_correlations("datamodel", effects)


if __name__ == "__main__":
    main()
