"""Coverage of the intervals of weights, on generated runs and on real models.

Generated runs have known weights. Of real models, the truth is the estimate from many
other runs, whose own error is added to that of the intervals. Rows contain the share
of 95 % intervals that contain the weight, the standard deviation of the errors in
units of their standard errors, the length of intervals relative to those of the
difference of means on the same runs, and the share of runs that the fit has used up.
The last tables split the variance of outputs into that by subset and by training.
"""

import argparse
import time
import warnings
from dataclasses import replace
from itertools import product

import numpy as np
from _machine import describe_machine
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.preprocessing import StandardScaler
from training import make_mlp

from skdatamodels import (
    DatamodelRegressor,
    Examples,
    SubsetTrainer,
    TrainingRuns,
    sample_masks,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import infer_weights
from skdatamodels.inference._false_discovery import distinguishable
from skdatamodels.influence import cheap_attributions
from skdatamodels.metrics import variance_components

HEAD = f"{'':52}  coverage  sd(z)  length  used"
DESIGNS = {
    "uniform": (0.5, 0.1, (0.3, 0.6)),
    "bernoulli": (0.5, 0.1),
    "stratified": (0.5,),
    "complementary": (0.5,),
    "balanced": (0.5,),
    "orthogonal": (0.5,),
}


PARTS = "generated", "interactions", "linear", "slow"
N_MOST = 1000  # runs that weights are inferred from


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-truth", type=int, default=20_000, help="of linear models")
    parser.add_argument("--n-truth-slow", type=int, default=3000, help="of others")
    parser.add_argument("--n-train", type=int, default=300)
    parser.add_argument("--parts", nargs="*", default=PARTS)
    arguments = parser.parse_args()
    print(describe_machine())
    start = time.perf_counter()
    if "generated" in arguments.parts:
        generated_runs()
    if "interactions" in arguments.parts:
        interactions()
        removals()
    if "linear" in arguments.parts:
        linear_models(arguments.n_train, arguments.n_truth)
        informed(8000)
    if "slow" in arguments.parts:
        slow_models(arguments.n_train, arguments.n_truth_slow)
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
    report("noise of Student's t, 3 degrees of freedom", *simulate(noise="t"))
    report("noise that targets share", *simulate(noise="shared"))
    report("noise of small subsets is larger", *simulate(noise="size"))
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
    noise="normal",
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
    errors = rng.standard_t(3, (m, n)) if noise == "t" else rng.standard_normal((m, n))
    if noise == "shared":
        errors = 0.5 * errors + np.sqrt(0.75) * rng.standard_normal((m, 1))
    if noise == "size":  # larger where fewer of the first half are present
        errors *= np.exp(-(masks.dense()[:, : d // 2].mean(axis=1) - 0.5) * 20)[:, None]
    seeds = np.arange(m)
    if design in ("complementary", "orthogonal"):
        seeds, errors[1::2] = seeds // 2, (errors[::2] + errors[1::2]) / np.sqrt(2)
    outputs = masks.dot(coef.T)
    outputs += outputs.std(axis=0) * errors
    runs = TrainingRuns(masks, outputs, seeds=seeds)
    priors = {
        None: None,
        "good": coef + 0.7 * rng.standard_normal((n, d)),
        "useless": rng.standard_normal((n, d)),
    }
    regressor = DatamodelRegressor(prior=priors[prior], penalty=penalty, random_state=0)
    strata = y if design == "stratified" else None
    inference = infer(regressor, runs, strata=strata)
    return [inference], coef, 0.0, [runs]


def interactions(n_train=20, n_targets=40, n_samples=40):
    """Print coverage of the weights of two examples that only act together."""
    title = f"two of {n_train} examples act together only, Bernoulli"
    print(f"\n{title:52}  of the two  by `scale` alone  of others")
    for alpha in 0.1, 0.25, 0.5, 0.9:
        for m in 200, 1000:
            found = []
            for seed in range(n_samples):
                rng = np.random.default_rng(seed)
                masks = sample_masks(
                    m, n_train, alpha, design="bernoulli", random_state=seed
                )
                both = masks.dense()[:, :2].all(axis=1, keepdims=True)
                outputs = 4 * both + 0.5 * rng.standard_normal((m, n_targets))
                model = DatamodelRegressor(0.02, random_state=0)
                inference = infer(model, TrainingRuns(masks, outputs))
                z = inference.estimate - np.where(np.arange(n_train) < 2, 4 * alpha, 0)
                z = abs(z) / stats.t.ppf(0.975, inference.freedom)[:, None]
                alone = inference.scale[:, inference.stratum]
                inside = z < inference.standard_error
                found.append((inside[:, :2], (z < alone)[:, :2], inside[:, 2:]))
            shares = [np.mean(part) for part in zip(*found, strict=True)]
            print(
                f"{f'alpha {alpha}, {m} runs':52}  {shares[0]:10.3f}  {shares[1]:16.3f}"
                f"  {shares[2]:9.3f}"
            )


def removals(n_train=20, n_targets=20, n_samples=100):
    """Print coverage of the removal of examples that only act together, or are alike.

    Masks are shared by the targets, so that samples are what counts.
    """
    print(f"\n{f'sets of {n_train} examples, Bernoulli':52}  of the set  independent")
    cases = "two act together only", "one of five is enough"
    for case, alpha in product(cases, (0.1, 0.25, 0.5, 0.75, 0.9)):
        k = 2 if case == cases[0] else 5
        weight = 4 * (alpha if k == 2 else (1 - alpha) ** 4)  # of each of them
        for m in 200, 1000:
            found = []
            for seed in range(n_samples):
                rng = np.random.default_rng(seed)
                masks = sample_masks(
                    m, n_train, alpha, design="bernoulli", random_state=seed
                )
                few = masks.dense()[:, :k]
                effect = few.all(axis=1) if k == 2 else few.any(axis=1)
                outputs = 4 * effect[:, None] + 0.5 * rng.standard_normal(
                    (m, n_targets)
                )
                model = DatamodelRegressor(0.02, random_state=0)
                inference = infer(model, TrainingRuns(masks, outputs))
                for one in inference, replace(inference, _spread=None):
                    effects = one.effect_of_removal(np.arange(n_train) < k)
                    low, high = effects.interval()[:, 0].T
                    found.append(((low < -k * weight) & (-k * weight < high)).mean())
            shares = np.mean(found[::2]), np.mean(found[1::2])
            title = f"{case}, alpha {alpha}, {m} runs"
            print(f"{title:52}  {shares[0]:10.3f}  {shares[1]:11.3f}", flush=True)


def linear_models(n_train, n_truth):
    """Print coverage on linear models of digits, with rows and with groups of rows."""
    train, targets = load_digits_examples(n_train=n_train)
    groups = np.arange(n_train) // 10
    learners = {"ridge": RidgeClassifier(), "logistic": LogisticRegression()}
    print(f"\n{f'digits, {n_train} examples, 40 targets':52}{HEAD[52:]}")
    for name, learner in learners.items():
        for alpha, by in (0.5, None), (0.1, None), (0.5, groups):
            trainer = SubsetTrainer(
                learner, train, targets[:40], alpha=alpha, groups=by, random_state=0
            )
            title = f"{name}, alpha {alpha}" + ("" if by is None else ", groups of 10")
            # 30 groups are too few to count in one sample of runs
            against_other_runs(title, trainer, n_truth, 1 if by is None else 10)


def slow_models(n_train, n_truth):
    """Print coverage and variances for forests, boosting and networks."""
    from skdatamodels.training import TorchLearner

    digits, targets = load_digits_examples(n_train=n_train)
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    cells = Examples(X[order[:n_train]], y[order[:n_train]])
    others = Examples(X[order[n_train:]], y[order[n_train:]])
    many, _ = load_digits_examples()
    cases = {
        "forest": (RandomForestClassifier(20), digits, targets),
        "boosting": (HistGradientBoostingClassifier(max_iter=30), cells, others),
        "network": (TorchLearner(make_mlp, epochs=15), many, targets),
    }
    for name, (learner, train, tested) in cases.items():
        print(f"\n{f'{name}, {len(train)} examples, 40 targets':52}{HEAD[52:]}")
        trainer = SubsetTrainer(learner, train, tested[:40], random_state=0, n_jobs=2)
        against_other_runs(name, trainer, n_truth)
        masks = sample_masks(200, len(train), 0.5, random_state=1).dense()
        twice = trainer.transform(np.concatenate([masks] * 2)).outputs
        parts = variance_components(twice.reshape(2, 200, -1))
        shared = np.nan_to_num(np.median(parts.shared_noise))
        print(
            f"median target: variance by subset {np.median(parts.subset):.2f}, "
            f"by training {np.median(parts.training):.2f}, "
            f"of which other targets predict {shared:.2f}"
        )


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


def against_other_runs(title, trainer, n_truth, n_samples=1):
    """Print coverage of what other runs say, mean over disjoint samples of runs."""
    n_most = N_MOST * n_samples
    with warnings.catch_warnings():  # of runs that miss a class
        warnings.simplefilter("ignore")
        runs = trainer.fit_transform(np.arange(n_most + n_truth))
    truth = infer(DatamodelRegressor(0.1, penalty="l2"), runs[n_most:])
    for m, penalty in (200, "l1"), (500, "l1"), (500, "l2"), (1000, "l1"):
        regressor = DatamodelRegressor(penalty=penalty, random_state=0)
        samples = [runs[start : start + m] for start in range(0, n_most, N_MOST)]
        inferred = [infer(regressor, sample) for sample in samples]
        report(
            f"{title}, {m} runs, {penalty}",
            inferred,
            truth.estimate,
            truth.standard_error,
            samples,
        )


def infer(regressor, runs, **params):
    """Fit and infer, without the warnings that few runs give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return infer_weights(regressor.fit(runs), runs, **params)


def report(title, inferred, truth, error, samples):
    """Print a row: means over samples of runs."""
    rows = [
        figures(inference, truth, error, runs)
        for inference, runs in zip(inferred, samples, strict=True)
    ]
    covered, deviation, length, used = np.mean(rows, axis=0)
    print(
        f"{title:52}  {covered:8.3f}  {deviation:5.3f}  {length:6.2f}  {used:4.2f}",
        flush=True,
    )


def figures(inference, truth, error, runs):
    """Return coverage, deviation of z, relative length, and the share used up."""
    strata = np.eye(inference.scale.shape[1])[inference.stratum]
    if inference.n_columns is not None:
        truth = truth - (truth @ strata / inference.n_columns)[:, inference.stratum]
    total = np.sqrt(inference.standard_error**2 + error**2)
    z = (inference.estimate - truth) / total
    quantile = stats.t.ppf(0.975, np.maximum(inference.freedom, 1))[:, None]
    known = np.isfinite(z)
    return (
        (abs(z) < quantile)[known].mean(),
        np.nanstd(z),
        np.nanmean(inference.standard_error / error_of_means(runs)),
        used_up(inference, runs),
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
