"""Coverage of the intervals of weights, on generated runs and on real models.

Generated runs have known weights. Of models of digits, the truth is the estimate from
many other runs, whose own error is added to that of the intervals. Rows contain the
share of 95 % intervals that contain the weight, the standard deviation of the errors
in units of their standard errors, the length of intervals relative to those of the
difference of means on the same runs, and the share of runs that the fit has used up.
"""

import argparse
import time
import warnings

import numpy as np
from _machine import describe_machine
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from skdatamodels import (
    DatamodelRegressor,
    Examples,
    SubsetTrainer,
    TrainingRuns,
    sample_masks,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import infer_weights, knockoff_filter
from skdatamodels.inference._false_discovery import distinguishable
from skdatamodels.influence import cheap_attributions

HEAD = f"{'':52}  coverage  sd(z)  length  used"
DESIGNS = {
    "uniform": (0.5, 0.1, (0.3, 0.6)),
    "bernoulli": (0.5, 0.1),
    "stratified": (0.5,),
    "complementary": (0.5,),
    "balanced": (0.5,),
    "orthogonal": (0.5,),
}


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-truth", type=int, default=20_000)
    parser.add_argument("--n-train", type=int, default=300)
    arguments = parser.parse_args()
    print(describe_machine())
    start = time.perf_counter()
    generated_runs()
    selections()
    winners()
    digits(arguments.n_train, arguments.n_truth)
    informed(8000)
    print(f"{time.perf_counter() - start:.0f} s")


def generated_runs():
    """Print coverage on runs with known weights."""
    print(f"\n{'generated runs, 200 examples, 40 targets':52}{HEAD[52:]}")
    for design, alphas in DESIGNS.items():
        for alpha in alphas:
            report(f"{design}, alpha {alpha}", *simulate(design, alpha))
    for m in 60, 100, 200, 1000:
        report(f"uniform, {m} runs, 5 informative", *simulate(m=m, k=5))
        report(f"uniform, {m} runs, all informative", *simulate(m=m))
    report("noise of Student's t, 3 degrees of freedom", *simulate(heavy=True))
    for penalty in "l1", "l2":
        for prior in None, "good", "useless":
            simulated = simulate(prior=prior, penalty=penalty)
            report(f"{penalty}, prior: {prior}", *simulated)


def simulate(
    design="uniform",
    alpha=0.5,
    *,
    m=400,
    d=200,
    k=200,
    n=40,
    heavy=False,
    prior=None,
    penalty="l1",
    seed=0,
):
    """Return the inference on generated runs, the true weights, 0 and the runs."""
    rng, y = np.random.default_rng(0), np.arange(d) % 4
    m = 800 if design == "orthogonal" else m
    masks = sample_masks(m, d, alpha, design=design, y=y, random_state=seed)
    coef = np.zeros((n, d))
    for row in coef:
        row[rng.permutation(d)[:k]] = rng.standard_normal(k)
    rng = np.random.default_rng([seed, 1])
    noise = rng.standard_t(3, (m, n)) if heavy else rng.standard_normal((m, n))
    seeds = np.arange(m)
    if design in ("complementary", "orthogonal"):
        seeds, noise[1::2] = seeds // 2, (noise[::2] + noise[1::2]) / np.sqrt(2)
    outputs = masks.dot(coef.T)
    outputs += outputs.std(axis=0) * noise
    runs = TrainingRuns(masks, outputs, seeds=seeds)
    priors = {
        None: None,
        "good": coef + 0.7 * rng.standard_normal((n, d)),
        "useless": rng.standard_normal((n, d)),
    }
    regressor = DatamodelRegressor(prior=priors[prior], penalty=penalty, random_state=0)
    strata = y if design == "stratified" else None
    inference = infer(regressor, runs, strata=strata)
    return inference, coef, 0.0, runs


def digits(n_train, n_truth):
    """Print coverage on models of digits."""
    train, targets = load_digits_examples(n_train=n_train)
    targets = targets[:40]
    print(f"\n{f'digits, {n_train} examples, 40 targets':52}{HEAD[52:]}")
    learners = {"ridge": RidgeClassifier(), "logistic": LogisticRegression()}
    for (name, learner), alpha in (
        (each, alpha) for each in learners.items() for alpha in (0.5, 0.1)
    ):
        trainer = SubsetTrainer(learner, train, targets, alpha=alpha, random_state=0)
        with warnings.catch_warnings():  # of runs that miss a class
            warnings.simplefilter("ignore")
            runs = trainer.transform(np.arange(1000 + n_truth))
        truth = infer(DatamodelRegressor(0.0, penalty="l2"), runs[1000:])
        for m, penalty in (200, "l1"), (500, "l1"), (500, "l2"), (1000, "l1"):
            regressor = DatamodelRegressor(penalty=penalty, random_state=0)
            inference = infer(regressor, runs[:m])
            title = f"{name}, alpha {alpha}, {m} runs, {penalty}"
            report(title, inference, truth.estimate, truth.standard_error, runs[:m])


def informed(n_truth):
    """Print coverage of posterior intervals, and marks by them, with a cheap prior."""
    title = "informed ridge, 150 runs, posterior intervals"
    print(f"\n{title:52}  all   ten largest  marked  wrong sign")
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    cancer = Examples(X[:400], y[:400]), Examples(X[400:440], y[400:440])
    train, targets = load_digits_examples(n_train=300)
    tables = {
        "digits, ridge": (RidgeClassifier(), train, targets[:40]),
        "medical records, logistic": (LogisticRegression(), *cancer),
    }
    for name, (learner, train, targets) in tables.items():
        trainer = SubsetTrainer(learner, train, targets, keep_models=16, random_state=0)
        with warnings.catch_warnings():  # of runs that miss a class
            warnings.simplefilter("ignore")
            runs = trainer.transform(np.arange(150))
            other = trainer.transform(np.arange(150, 150 + n_truth))
            attributions = cheap_attributions(
                learner,
                train,
                targets,
                output=trainer.output_info.name,
                alpha=0.5,
                models=list(runs.models) or None,
                random_state=0,
            )
        truth = infer(DatamodelRegressor(0.0, penalty="l2"), other)
        part = TrainingRuns(runs.packed, runs.outputs, attributions=attributions)
        model = DatamodelRegressor(prior="cheap", penalty="l2", random_state=0)
        error = np.sqrt(model.fit(part).posterior_variance(part))
        coef = model.coef_ - model.coef_.mean(axis=1, keepdims=True)
        total = np.sqrt(error**2 + truth.standard_error**2)
        inside = abs(coef - truth.estimate) < 1.96 * total
        largest = np.argsort(-abs(model.coef_), axis=1)[:, :10]
        marked = np.array(
            [distinguishable(*rows, 0.1) for rows in zip(coef, error, strict=True)]
        )
        wrong = (np.sign(coef) != np.sign(truth.estimate))[marked].mean()
        print(
            f"{name:52}  {inside.mean():.3f}"
            f"  {np.take_along_axis(inside, largest, 1).mean():11.3f}"
            f"  {marked.sum(axis=1).mean():6.1f}  {wrong:10.4f}"
        )


def selections():
    """Print false discoveries and power of selections."""
    title = "Bernoulli, 200 examples, 20 informative, 40 targets"
    print(f"\n{title:52}  false  power")
    for m in 200, 500, 1000:
        rng = np.random.default_rng(0)
        masks = sample_masks(m, 200, 0.5, design="bernoulli")
        coef = np.zeros((40, 200))
        for row in coef:
            row[rng.permutation(200)[:20]] = rng.choice([-1, 1], 20)
        outputs = masks.dot(coef.T)
        outputs += outputs.std(axis=0) * rng.standard_normal((m, 40))
        runs, regressor = TrainingRuns(masks, outputs), DatamodelRegressor()
        regressor.set_params(random_state=0)
        inference = infer(regressor, runs)
        ways = {
            f"{method}, scope={scope}": inference.select(method=method, scope=scope)
            for method in ("bh", "by")
            for scope in ("target", "all")
        }
        ways["knockoffs"] = knockoff_filter(regressor, runs, random_state=0)
        for way, selected in ways.items():
            false = (selected & (coef == 0)).sum(axis=1)
            share = false / np.maximum(selected.sum(axis=1), 1)
            if "all" in way:  # the rate of all selected together
                share = false.sum() / max(selected.sum(), 1)
            power = selected[coef != 0].mean()
            name = f"{m} runs, FDR 0.1, {way}"
            print(f"{name:52}  {np.mean(share):5.3f}  {power:5.3f}", flush=True)


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


def infer(regressor, runs, **params):
    """Fit and infer, without the warnings that few runs give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return infer_weights(regressor.fit(runs), runs, **params)


def report(title, inference, truth, error, runs):
    """Print a row."""
    strata = np.eye(inference.scale.shape[1])[inference.stratum]
    if inference.n_columns is not None:
        truth = truth - (truth @ strata / inference.n_columns)[:, inference.stratum]
    total = np.sqrt(inference.standard_error**2 + error**2)
    z = (inference.estimate - truth) / total
    quantile = stats.t.ppf(0.975, np.maximum(inference.freedom, 1))[:, None]
    known = np.isfinite(z)
    length = np.nanmean(inference.standard_error / error_of_means(runs))
    print(
        f"{title:52}  {(abs(z) < quantile)[known].mean():8.3f}  {np.nanstd(z):5.3f}"
        f"  {length:6.2f}  {used_up(inference, runs):4.2f}",
        flush=True,
    )


def used_up(inference, runs):
    """Return the share of the runs, or pairs, that fits have used."""
    n = len(np.unique(runs.seeds)) if runs.seeds is not None else len(runs)
    return 1 - inference.freedom.mean() / n


def error_of_means(runs):
    """Return standard errors of differences of means (n_targets, 1)."""
    share = runs.packed.column_counts().mean() / len(runs)
    n_runs = (~np.isnan(runs.outputs)).sum(axis=0)
    spread = np.nanstd(runs.outputs, axis=0)
    return (spread / np.sqrt(n_runs * share * (1 - share)))[:, None]


if __name__ == "__main__":
    main()
