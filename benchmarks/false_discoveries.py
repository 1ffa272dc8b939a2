"""False discoveries and power of selections, and the winner's curse.

On generated runs the informative examples are known. Beside the selections of
`infer_weights` and `knockoff_filter` stand the test of the difference of means and, if
installed, the desparsified LASSO of hidimstat (pip install hidimstat). Then labels of
digits are changed, and rows are called whose weight on the mean margin is negative.
"""

import argparse
import time
import warnings

import numpy as np
from _machine import describe_machine
from interval_coverage import infer, simulate
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import (
    DatamodelRegressor,
    Examples,
    SubsetTrainer,
    TrainingRuns,
    sample_masks,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import knockoff_filter
from skdatamodels.runs import aggregate_targets


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-targets-hidimstat", type=int, default=4)
    arguments = parser.parse_args()
    print(describe_machine())
    start = time.perf_counter()
    selections()
    beside_hidimstat(arguments.n_targets_hidimstat)
    planted_errors()
    winners()
    print(f"{time.perf_counter() - start:.0f} s")


def make_runs(m, n_train=200, n_informative=20, n_targets=40):
    """Return runs of the Bernoulli design and their weights, most of which are 0."""
    rng = np.random.default_rng(0)
    masks = sample_masks(m, n_train, 0.5, design="bernoulli")
    coef = np.zeros((n_targets, n_train))
    for row in coef:
        row[rng.permutation(n_train)[:n_informative]] = rng.choice(
            [-1, 1], n_informative
        )
    outputs = masks.dot(coef.T)
    outputs += outputs.std(axis=0) * rng.standard_normal((m, n_targets))
    return TrainingRuns(masks, outputs), coef


def selections():
    """Print rates and power on generated runs."""
    print(f"\n{'Bernoulli, 200 examples, 20 informative, 40 targets':52}  false  power")
    for m in 200, 500, 1000:
        runs, coef = make_runs(m)
        regressor = DatamodelRegressor(random_state=0)
        inference = infer(regressor, runs)
        means = p_values_of_means(runs)
        for fdr in 0.05, 0.1, 0.2:
            title = f"{m} runs, FDR {fdr}"
            for method in "bh", "by":
                for scope in "target", "all":
                    selected = inference.select(fdr, method=method, scope=scope)
                    name = f"{title}, {method}, scope={scope}"
                    print_rates(name, selected, coef, scope == "all")
            knockoffs = knockoff_filter(regressor, runs, fdr=fdr, random_state=0)
            print_rates(f"{title}, knockoffs", knockoffs, coef)
            adjusted = stats.false_discovery_control(means, axis=1)
            selected = adjusted <= fdr
            print_rates(f"{title}, difference of means, bh", selected, coef)


def p_values_of_means(runs):
    """Return Welch's p-values of the difference of means (n_targets, n_train)."""
    masks = runs.packed.dense()
    p_values = np.empty((runs.outputs.shape[1], masks.shape[1]))
    for j, column in enumerate(masks.T.astype(bool)):
        present, absent = runs.outputs[column], runs.outputs[~column]
        p_values[:, j] = stats.ttest_ind(present, absent, equal_var=False).pvalue
    return p_values


def print_rates(name, selected, coef, together=False):
    """Print the share of false discoveries and that of the found."""
    false, total = (selected & (coef == 0)).sum(axis=1), selected.sum(axis=1)
    share = (
        false.sum() / max(total.sum(), 1)
        if together
        else (false / np.maximum(total, 1)).mean()
    )
    print(f"{name:52}  {share:5.3f}  {selected[coef != 0].mean():5.3f}", flush=True)


def beside_hidimstat(n_targets):
    """Print selections and seconds of the desparsified LASSO on the same runs."""
    try:
        from hidimstat import DesparsifiedLasso
    except ImportError:
        print("\nhidimstat is not installed")
        return
    runs, coef = make_runs(500)
    few = TrainingRuns(runs.packed, runs.outputs[:, :n_targets])
    title = f"{n_targets} of these targets, 500 runs, FDR 0.1"
    print(f"\n{title:52}  false  power  seconds")
    start = time.perf_counter()
    ours = infer(DatamodelRegressor(random_state=0), few).select(0.1)
    print_rates("infer_weights", ours, coef[:n_targets])
    print(f"{time.perf_counter() - start:74.1f}")
    start = time.perf_counter()
    p_values = []
    masks = few.packed.dense().astype(float)
    for y in few.outputs.T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = DesparsifiedLasso(random_state=0).fit(masks, y)
            fitted.importance()
        p_values.append(np.ravel(fitted.pvalues_))
    theirs = stats.false_discovery_control(np.array(p_values), axis=1) <= 0.1
    print_rates("desparsified LASSO of hidimstat, bh", theirs, coef[:n_targets])
    print(f"{time.perf_counter() - start:74.1f}")


def planted_errors():
    """Print which rows are called harmful at FDR .1, if some labels are wrong.

    A called row is false if its estimate from 5,000 other runs is positive.
    """
    title = "digits, 300 examples, 30 wrong labels, FDR 0.1"
    print(f"\n{title:52}  called  false  wrong  of the largest 30")
    train, targets = load_digits_examples(n_train=300)
    rng = np.random.default_rng(0)
    wrong = rng.permutation(300)[:30]
    y = np.array(train.y)
    y[wrong] = (y[wrong] + rng.integers(1, 10, 30)) % 10
    learners = {"logistic": LogisticRegression(C=0.1), "5 neighbours": None}
    learners["5 neighbours"] = KNeighborsClassifier(5)
    for name, learner in learners.items():
        trainer = SubsetTrainer(learner, Examples(train.X, y), targets, random_state=0)
        runs = aggregate_targets(trainer.fit_transform(np.arange(7000)))
        truth = infer(DatamodelRegressor(0.1, penalty="l2"), runs[2000:]).estimate[0]
        for m in 100, 300, 1000, 2000:
            inference = infer(DatamodelRegressor(random_state=0), runs[:m])
            called = (inference.select(0.1) & (inference.estimate < 0))[0]
            worst = np.argsort(inference.estimate[0])[:30]
            row = f"{name}, {m} runs, mean margin of {len(targets)} targets"
            among = np.isin(worst, wrong).mean()
            print(
                f"{row:52}  {called.sum():6}  {(called & (truth > 0)).sum():5}"
                f"  {called[wrong].sum():5}  {among:.2f}",
                flush=True,
            )


def winners():
    """Print the effect of removing the ten largest weights, by where they are known."""
    print("\nuniform, 200 examples: removal of the ten largest estimates")
    for m in 200, 400, 1000:
        inference, coef, *_ = simulate(m=m)
        fresh = simulate(m=m, seed=1)[0]
        top = np.argsort(-inference.estimate, axis=1)[:, :10]
        truth = coef - coef.mean(axis=1, keepdims=True)
        same, other, true = (
            -np.take_along_axis(weights, top, 1).sum(axis=1).mean()
            for weights in (inference.estimate, fresh.estimate, truth)
        )
        print(f"{m} runs: {same:.1f} on these, {other:.1f} on others, {true:.1f} true")


if __name__ == "__main__":
    main()
