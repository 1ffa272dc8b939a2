"""Check what `collect_runs` says when it stops, and count the runs that it uses.

Simulations have a known truth: the share of false stops, and the coverage, false
discoveries and agreement after stopping. On digits, the runs that were used are
compared with the least number whose datamodels have the score, on 1,000 fresh runs, and
with what `plan_runs` would have bought after 100 runs.
"""

import argparse
import time

import numpy as np
from _machine import describe_machine
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import infer_weights
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.judging import collect_runs, plan_runs
from skdatamodels.metrics import linear_datamodeling_score

N_TRAIN, N_TARGETS = 60, 20
DENSE = np.random.default_rng(0).normal(size=(N_TARGETS, N_TRAIN))
SPARSE = DENSE * (abs(DENSE) > 1.3)
LASSO = DatamodelRegressor(0.1, tol=1e-2)
MEANS = DifferenceOfMeans()


def trainer_of(effects, noise, seed, design="uniform"):
    """Return a trainer whose outputs are sums of effects, and noise."""

    def learner(subset, run_seed):
        errors = np.random.default_rng(run_seed).normal(size=len(effects))
        return effects[:, subset].sum(axis=1) + noise * errors

    train = Examples(np.zeros((N_TRAIN, 1)), np.zeros(N_TRAIN))
    targets = train[: len(effects)]
    return SubsetTrainer(learner, train, targets, design=design, random_state=seed)


def lds_of(regressor, runs, fresh):
    """Return the LDS on fresh runs of a fit on all runs."""
    return linear_datamodeling_score(fresh.outputs, regressor.fit(runs).predict(fresh))


def false_scores(n, n_targets):
    """Print how often a score counts as reached that no number of runs has."""
    effects, most = DENSE[:n_targets], 507
    fresh = trainer_of(effects, 6.0, 10**6).fit_transform(np.arange(2000))
    runs = [
        trainer_of(effects, 6.0, seed).fit_transform(np.arange(most))
        for seed in range(10**5, 10**5 + 20)
    ]
    truth = np.mean([lds_of(MEANS, some, fresh) for some in runs])
    found = [
        collect_runs(
            trainer_of(effects, 6.0, seed),
            {"lds": truth},
            max_runs=most,
            regressor=MEANS,
            give_up=False,
            random_state=seed,
            verbose=0,
        )
        for seed in range(n)
    ]
    naive = np.mean([(one.history["lds"] >= truth).any() for one in found])
    print(
        f"lds, {n_targets} targets, wanted {truth:.3f}, the mean score of {most} runs:"
        f" reached falsely in {np.mean([one.reached for one in found]):.3f} of {n}; "
        f"the estimate alone would be in {naive:.3f}",
        flush=True,
    )


def coverage(n):
    """Print the coverage of intervals after stopping."""
    centred = SPARSE - SPARSE.mean(axis=1, keepdims=True)
    for wanted in (4.0, 2.0):
        covered, sizes = [], []
        for seed in range(n):
            collected = collect_runs(
                trainer_of(SPARSE, 4.0, seed),
                {"interval_width": wanted},
                max_runs=5000,
                regressor=LASSO,
                growth=1.2,
                first=60,
                random_state=seed,
                verbose=0,
            )
            ends = infer_weights(collected.model, collected.runs).interval()
            covered.append(((ends[..., 0] < centred) & (centred < ends[..., 1])).mean())
            sizes.append(len(collected.runs))
        print(
            f"interval_width {wanted}: {min(sizes)} to {max(sizes)} runs, coverage "
            f"{np.mean(covered):.4f} ± {np.std(covered) / np.sqrt(n):.4f}",
            flush=True,
        )


def sets(n):
    """Print the false discoveries and the agreement after stopping."""
    for name, wanted, effects in (("selected", 0.1, SPARSE), ("top_k", 5, DENSE)):
        sizes, false, agreements = [], [], []
        for seed in range(n):
            collected = collect_runs(
                trainer_of(effects, 2.0, seed, "bernoulli"),
                {name: wanted},
                max_runs=20_000,
                regressor=LASSO,
                random_state=seed,
                verbose=0,
            )
            n_runs = len(collected.runs)
            other = trainer_of(effects, 2.0, seed + 10**5, "bernoulli")
            other = other.fit_transform(np.arange(n_runs))
            A, B = (_chosen(name, wanted, runs) for runs in (collected.runs, other))
            sizes.append(n_runs)
            agreements.append(2 * (A & B).sum() / (A.sum() + B.sum()))
            false.append((A & (effects == 0)).sum() / A.sum())
        print(
            f"{name} {wanted}, stability 0.8: {min(sizes)} to {max(sizes)} runs; "
            f"agreement with as many other runs {np.mean(agreements):.3f}, at least "
            f"{min(agreements):.3f}; false {np.mean(false):.3f}",
            flush=True,
        )


def _chosen(name, wanted, runs):
    model = clone(LASSO).fit(runs)
    if name == "selected":
        return infer_weights(model, runs).select(wanted)
    size = abs(model.coef_)
    return size >= np.sort(size, axis=1)[:, [-wanted]]


def digits(n_seeds, most=1000):
    """Print how many runs were used on digits, and how many would have done."""
    train, targets = load_digits_examples(n_train=200)
    learner = make_pipeline(Nystroem(gamma=0.1, n_components=60), RidgeClassifier(0.1))
    regressor = DatamodelRegressor(tol=1e-2, random_state=0)
    sizes = np.array([100, 115, 130, 150, 175, 200, 250, 300, 400, 500, 650, 800, most])
    for seed in range(n_seeds):
        trainer = SubsetTrainer(learner, train, targets[:40], random_state=seed)
        runs = trainer.fit_transform(np.arange(most + 1000))
        runs, fresh = runs[:most], runs[most:]
        scores = np.array([lds_of(regressor, runs[:size], fresh) for size in sizes])
        for wanted in (0.5, 0.6, 0.7, 0.75, 0.9):
            start = time.perf_counter()
            collected = collect_runs(
                trainer, {"lds": wanted}, max_runs=most, random_state=0, verbose=0
            )
            seconds = time.perf_counter() - start
            enough = sizes[scores >= wanted]
            plan = plan_runs(runs[:100], wanted=wanted, random_state=0)
            print(
                f"digits, seed {seed}, lds {wanted}: "
                f"{'reached' if collected.reached else 'given up'} with "
                f"{len(collected.runs)} runs in {seconds:.1f} s; score on fresh runs "
                f"{lds_of(regressor, collected.runs, fresh):.3f}; least number that "
                f"does {min(enough, default=np.inf)}; plan_runs of the first 100: "
                f"{plan.n_needed}",
                flush=True,
            )


PARTS = "scores", "coverage", "sets", "digits"


def main():
    """Print all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--simulations", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    print(describe_machine(), flush=True)
    if "scores" in arguments.parts:
        for n_targets in (2, 20):
            false_scores(arguments.simulations, n_targets)
    if "coverage" in arguments.parts:
        coverage(arguments.simulations)
    if "sets" in arguments.parts:
        sets(arguments.simulations // 4)
    if "digits" in arguments.parts:
        digits(arguments.seeds)


if __name__ == "__main__":
    main()
