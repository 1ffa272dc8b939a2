"""Predicted against true effects of removing training examples, on digits.

Datamodels of the networks of `fidelity.py` predict what happens to a target when up to
a fifth of the training set is removed, chosen by several heuristics; retraining tells.
Trainings are kept in the folder ``--store``.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from fidelity import ESTIMATORS, make_trainer
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics.pairwise import euclidean_distances

from skdatamodels import DatamodelRegressor
from skdatamodels.applications import CounterfactualEvaluation
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import DifferenceOfMeans

SIZES = [5, 10, 20, 30, 45, 60]


def print_correlations(title, evaluation, seconds):
    """Print a line a heuristic, a line a size, and what holds within a target."""
    effects = evaluation.effects_
    noise = np.sqrt(np.mean(effects.error**2))
    print(
        f"{title}: {len(effects)} sets, effects from {effects.true.min():.1f} to "
        f"{effects.true.max():.1f}, standard error {noise:.2f}; {seconds:.0f} s"
    )
    for name, (spearman, pearson, n) in evaluation.correlations_.items():
        rows = effects.heuristic == name if name != "all" else slice(None)
        means = effects.true[rows].mean(), effects.predicted[rows].mean()
        print(
            f"  {name:<20} {n:>5} sets  Spearman {spearman:.3f}  Pearson {pearson:.3f}"
            f"  mean effect {means[0]:+.2f}, predicted {means[1]:+.2f}"
        )
    if np.ptp(effects.predicted) == 0:  # nothing to correlate
        return
    for size in np.unique(effects.size):
        rows = effects.size == size
        predicted, true = effects.predicted[rows], effects.true[rows]
        print(
            f"  {size:>3} removed          {rows.sum():>5} sets  Spearman "
            f"{spearmanr(predicted, true).statistic:.3f}  Pearson "
            f"{pearsonr(predicted, true).statistic:.3f}"
        )
    alone = [
        pearsonr(effects.predicted[rows], effects.true[rows]).statistic
        for rows in (effects.target == target for target in np.unique(effects.target))
    ]
    print(f"  within a target: Pearson {np.mean(alone):.3f}, least {min(alone):.3f}")


def main():
    """Print correlations overall and by heuristic, and the stress tests."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--targets", type=int, default=30)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--output", choices=["margin", "log_odds"], default="log_odds")
    parser.add_argument("--stress", action="store_true", help="F.7, F.8 besides")
    parser.add_argument("--store", default="benchmarks/runs")
    arguments = parser.parse_args()
    print(describe_machine())
    train, targets = load_digits_examples()
    trainer = make_trainer("mlp", train, targets, arguments.output, arguments.store)
    runs = trainer.fit_transform(np.arange(arguments.runs))
    datamodels = DatamodelRegressor(n_jobs=-1, random_state=0).fit(runs)
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
        evaluation.set_params(**params).fit(datamodels.coef_)
        print_correlations(title, evaluation, time.perf_counter() - start)

    evaluate("full training set")
    if arguments.stress:
        evaluation.set_params(baselines=None, target_indices=chosen[:6])
        large = [120, 180, 240]
        evaluate("six targets, up to a fifth", heuristics=["top"], sizes=large)
        evaluate("weights of zero", heuristics=["zero"], sizes=SIZES)
        three = ["top", "bottom", "random"]
        evaluate("control of random halves", heuristics=three, control="subsets")
        evaluate(
            "logistic regression",
            control="full",
            trainer__estimator=ESTIMATORS["logistic"],
            n_trials=1,
            n_control_trials=1,
        )


if __name__ == "__main__":
    main()
