"""All methods on all judged runs: scores, tests, controls and cost.

The runs come with the package. What is trained here: the models of the cheap
attributions; models without the highest weights (brittleness), of two learners; and
networks without single examples, to know the noise in their effects.
"""

import argparse
import time
import warnings
from functools import partial

import numpy as np
from _machine import describe_machine
from scipy.stats import spearmanr

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import CounterfactualEvaluation, leave_one_out
from skdatamodels.datasets import load_judged_runs
from skdatamodels.datasets._judged_sets import JUDGED_SETS
from skdatamodels.influence import (
    DifferenceOfMeans,
    cheap_attributions,
    knn_shapley,
    logistic_influence,
    representation_similarity,
)
from skdatamodels.judging import judge

BRITTLE = {"digits_mlp": 10, "digits_logistic": 10}  # examples that are removed


def own_methods(judged, train):
    """Return methods without runs, for the training set or one with other labels."""
    targets, learner = judged.targets, judged.learner
    found = {
        "similar inputs": partial(
            representation_similarity, train.X, targets.X, metric="cosine"
        )
    }
    if judged.output != "prediction":
        found["k-NN Shapley"] = partial(knn_shapley, train, targets, n_neighbors=5)
    if judged.name == "digits_logistic":
        found["influence"] = partial(logistic_influence, learner, train, targets)
    return found


def methods_of(judged):
    """Return all methods of a judged set."""
    fitted = judged.runs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cheap = cheap_attributions(
            judged.learner,
            judged.train,
            judged.targets,
            output=judged.output,
            random_state=0,
        )
    cheap = {k: v for k, v in cheap.items() if k != "same_class_influence"}

    def lasso(n_runs, **params):
        return DatamodelRegressor(random_state=0, **params).fit(fitted[:n_runs])

    of_runs = {
        "datamodel, 1,000 runs": lambda: lasso(1000),
        "datamodel, 200 runs": lambda: lasso(200),
        "with a prior, 200 runs": lambda: lasso(200, prior=dict(cheap)),
        "difference of means": lambda: DifferenceOfMeans().fit(fitted),
    }
    own = own_methods(judged, judged.train)
    return of_runs | own | {f"cheap: {name}": one for name, one in cheap.items()}


def randomised(judged):
    """Return the weights of learners that were given shuffled labels."""
    y = np.random.default_rng(0).permutation(judged.train.y)
    train = Examples(judged.train.X, y, ids=judged.train.ids)
    return {name: method() for name, method in own_methods(judged, train).items()}


def self_influences(judged):
    """Return the effect of each example on its own margin, where it is quick."""
    if judged.name != "digits_logistic":
        return None
    own = logistic_influence(judged.learner, judged.train, judged.train)
    return {"influence": np.diag(own)}


def brittleness(judged):
    """Return the evaluation that removes the highest weights, for some targets."""
    size = BRITTLE.get(judged.name)
    if size is None:
        return None
    trainer = SubsetTrainer(
        judged.learner,
        judged.train,
        judged.targets,
        output=judged.output,
        random_state=0,
        n_jobs=2,
    )
    mean = judged.judging_runs.outputs.mean(axis=0)
    correct = np.flatnonzero(mean > 0)
    return CounterfactualEvaluation(
        trainer,
        heuristics=["top"],
        sizes=[size],
        target_indices=correct[np.argsort(mean[correct])[:20]],  # the least certain
        n_trials=1,
        n_control_trials=5,
        random_state=0,
    )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(JUDGED_SETS))
    arguments = parser.parse_args()
    print(describe_machine())
    for name in arguments.names:
        start = time.perf_counter()
        judged = load_judged_runs(name)
        comparison = judge(
            methods_of(judged),
            judged,
            tests={
                "randomised": randomised(judged),
                "self_influence": self_influences(judged),
            },
            counterfactuals=brittleness(judged),
            random_state=0,
        )
        seconds = time.perf_counter() - start
        print(f"\n{name}: {judged.description} ({seconds:.0f} s)")
        show(comparison)
    show_noise_of_leave_one_out()


def show(comparison):
    """Print all rows: score, then each test."""
    tests = comparison.tests
    print(f"noise ceiling {comparison.ceiling:.3f}")
    heads = ["LDS", *tests.test]
    print(f"{'method':<38}" + "".join(f"{head:>15}" for head in heads))
    for i, method in enumerate(comparison.name):
        low, high = comparison.lds_low[i], comparison.lds_high[i]
        cells = [(comparison.lds[i], low, high)]
        cells += list(zip(tests.score[i], tests.low[i], tests.high[i], strict=True))
        texts = [cell(*one) for one in cells]
        print(f"{method:<38}" + "".join(f"{text:>15}" for text in texts))
    methods = ~comparison.is_control
    ranks = [1.0] + [
        rank_correlation(comparison.lds[methods], scores)
        for scores in tests.score[methods].T
    ]
    texts = [f"{rank:.2f}" if rank == rank else "" for rank in ranks]
    heads = "Spearman correlation with LDS"
    print(f"{heads:<38}" + "".join(f"{text:>15}" for text in texts))


def cell(score, low, high):
    """Return a score with half its interval, where they are known."""
    if np.isnan(score):
        return ""
    return f"{score:.2f}" + ("" if np.isnan(low) else f" ±{(high - low) / 2:.2f}")


def rank_correlation(lds, scores):
    """Correlate over the methods that have a score, of which there must be five."""
    known = ~np.isnan(scores)
    return spearmanr(lds[known], scores[known]).statistic if known.sum() > 4 else np.nan


def show_noise_of_leave_one_out(n_examples=20, n_trials=5):
    """Print how much of the effects of single examples on a network is noise."""
    judged = load_judged_runs("digits_mlp")
    trainer = SubsetTrainer(
        judged.learner, judged.train, judged.targets, random_state=0, n_jobs=2
    )
    found = leave_one_out(trainer, np.arange(n_examples), n_trials=n_trials)
    print(
        f"\ndigits_mlp, {n_examples} examples left out, {n_trials} trainings each: "
        f"mean ceiling of a correlation {found.ceiling.mean():.2f}, 0 for "
        f"{(found.ceiling == 0).mean():.0%} of the targets"
    )


if __name__ == "__main__":
    main()
