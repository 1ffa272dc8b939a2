"""Weights over alpha: Shapley values, and rows that are redundant or need others.

Games of ten players, whose multilinear extension is known: errors of the Shapley values
by estimator of the weights and fit over alpha, coverage of their intervals, and false
and found trends. Learners with planted copies and a planted rare group: whether trends
find them, beside nearness to the target. Digits: how well the curves
predict runs at fractions that they were not fitted to.
"""

import argparse
import time
import warnings
from math import comb

import numpy as np
from _machine import describe_machine
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.datasets import load_digits_examples
from skdatamodels.inference import compare_alphas
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.influence._semivalues import _integration_weights
from skdatamodels.metrics import linear_datamodeling_score

N = 10
ALPHAS = (0.1, 0.5, 0.9)
SUBSETS = (np.arange(2**N)[:, None] >> np.arange(N) & 1).astype(bool)


def games(seed):
    """Yield names and outputs (2**N,) of all subsets."""
    rng, s = np.random.default_rng(seed), SUBSETS * 1.0
    copies = np.maximum(s[:, 0], s[:, 1]) + 0.7 * s[:, 5:8].max(axis=1)
    yield "or, and, sum", copies + s[:, 2] * s[:, 3] + 0.5 * s[:, 4]
    yield "logistic", 1 / (1 + np.exp(-3 * (s @ rng.normal(size=N))))
    X = rng.normal(size=(N, 3))
    X[1:3] = X[0]
    y = X @ [1, 2, -1.0] + 1
    target = rng.normal(size=(1, 3))
    outputs = np.zeros(2**N)
    for i, mask in enumerate(SUBSETS[1:], 1):
        outputs[i] = Ridge(0.5).fit(X[mask], y[mask]).predict(target)[0]
    yield "ridge", outputs


def exact(outputs):
    """Return the Shapley values (N,), and a function of alpha: the weights (N,)."""
    effect = np.array(
        [
            np.where(~SUBSETS[:, i], outputs[np.arange(2**N) | 1 << i] - outputs, 0)
            for i in range(N)
        ]
    )  # of adding i to a subset without it
    size = SUBSETS.sum(axis=1)
    shapley = effect @ (
        1 / (N * np.array([comb(N - 1, k) for k in np.minimum(size, N - 1)]))
    )

    def weights(alpha):
        return effect @ (alpha**size * (1 - alpha) ** np.maximum(N - 1 - size, 0))

    return shapley, weights


def simulate(n_runs, n_repeats):
    """Print errors of Shapley values, coverage and trends in games."""
    for name, outputs in games(1):
        shapley, weights = exact(outputs)
        assert np.isclose(shapley.sum(), outputs[-1] - outputs[0])
        slope = np.polyfit(ALPHAS, [weights(a) for a in ALPHAS], 1)[0]
        truth = np.where(abs(slope) > 1e-9, np.sign(slope * shapley), 0)
        errors, covered, decided = {}, [], []
        for repeat in range(n_repeats):
            rng = np.random.default_rng([2, repeat])
            alpha = np.resize(ALPHAS, n_runs)
            masks = rng.random((n_runs, N)) < alpha[:, None]
            Y = outputs[masks @ (1 << np.arange(N))][:, None]
            found = compare_alphas(
                (masks, Y), alpha=alpha, regressor=DatamodelRegressor(lam=1e-4)
            )
            means = np.array(
                [
                    DifferenceOfMeans().fit(masks[alpha == a], Y[alpha == a]).coef_[0]
                    for a in ALPHAS
                ]
            )
            debiased, error = found.weights[:, 0], found.standard_error[:, 0, 0]
            for kind, w in ("debiased", debiased), ("means", means):
                for degree in 1, 2:
                    P = found._factors(degree)
                    c = 1 / np.arange(1, degree + 2) @ P
                    errors.setdefault(f"{kind}, degree {degree}", []).append(c @ w)
                line = np.vander(ALPHAS, 2, increasing=True) / error[:, None]
                c = [1, 0.5] @ np.linalg.pinv(line) / error
                errors.setdefault(f"{kind}, degree 1, by precision", []).append(c @ w)
                c = _integration_weights(np.array(ALPHAS), 1, 1)
                errors.setdefault(f"{kind}, interpolated", []).append(c @ w)
            low, high = np.moveaxis(found.shapley_interval(0.95)[0], -1, 0)
            covered.append((low < shapley) & (shapley < high))
            decided.append(found.trends(0.1)[0])
        decided = np.array(decided)
        wrong = ((decided != 0) & (decided != truth)).sum(axis=1)
        share = wrong / np.maximum((decided != 0).sum(axis=1), 1)
        right = (decided == truth)[:, truth != 0].mean()
        print(
            f"{name}, {n_runs} runs: coverage {np.mean(covered):.2f}, false trends "
            f"{share.mean():.3f}, found {right:.2f}"
        )
        for kind, values in errors.items():
            root = np.sqrt(np.mean((np.array(values) - shapley) ** 2))
            print(f"  {kind:32} error {root:.3f}")


def rows_with_copies(learner, noise, *, n_copied=10, n_each=3):
    """Return a trainer of 80 rows of digits, of which ten have copies, on these 80."""
    rng = np.random.default_rng(0)
    X, y = load_digits(return_X_y=True)
    rows = rng.permutation(len(X))[:80]
    X, y = X[rows] / 16, y[rows] % 2
    of_copy = np.r_[np.arange(80), np.repeat(np.arange(n_copied), n_each)]
    moved = noise * rng.normal(size=(len(of_copy), X.shape[1]))
    moved[:80] = 0
    return SubsetTrainer(
        learner,
        Examples(X[of_copy] + moved, y[of_copy]),
        Examples(X, y),
        alpha=ALPHAS,
        design="bernoulli",
        unseen_class="floor",
        on_failure="nan",
        random_state=0,
    )


def with_copies(learner, noise, n_runs):
    """Tell rows that have copies from others, by the weights of each for itself."""
    trainer = rows_with_copies(learner, noise)
    runs = trainer.fit_transform(np.arange(n_runs))
    found = compare_alphas(runs, alpha=np.resize(ALPHAS, n_runs))
    own, copied = np.arange(80), np.arange(80) < 10
    weights, trends = abs(found.weights[:, own, own]), found.trends(0.1)[own, own]
    near = euclidean_distances(trainer.train.X)
    np.fill_diagonal(near, np.inf)
    scores = {
        "share left at 0.9": -weights[2] / weights.max(axis=0),
        **{f"weight at {a}": -w for a, w in zip(ALPHAS, weights, strict=True)},
        "nearest other row": -near.min(axis=1)[:80],
    }
    aucs = [f"{name} {roc_auc_score(copied, v):.2f}" for name, v in scores.items()]
    means = [weights[:, rows].mean(axis=1).round(2) for rows in (copied, ~copied)]
    print(
        f"{type(learner).__name__}, copies moved by {noise}: weights at {ALPHAS} for "
        f"itself {means[0]}, without copies {means[1]}\n  called redundant "
        f"{(trends[copied] < 0).mean():.2f}, {(trends[~copied] < 0).mean():.2f}; "
        f"AUC of {', '.join(aucs)}"
    )


def with_rare(learner, output, n_runs):
    """Judge the trends of three rows of a class that has no others, and are alike."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    rare = X[y == 8][:1] / 16 + 0.1 * rng.normal(size=(23, X.shape[1]))
    common = rng.permutation(np.flatnonzero((y == 1) | (y == 0)))[:60]
    trainer = SubsetTrainer(
        learner,
        Examples(np.vstack([rare[:3], X[common] / 16]), np.r_[[8] * 3, y[common]]),
        Examples(rare[3:], [8] * 20),
        output=output,
        alpha=ALPHAS,
        design="bernoulli",
        unseen_class="floor",
        on_failure="nan",
        random_state=0,
    )
    runs = trainer.fit_transform(np.arange(n_runs))
    found = compare_alphas(runs, alpha=np.resize(ALPHAS, n_runs))
    near = -euclidean_distances(trainer.targets.X, trainer.train.X)
    name = f"{type(learner).__name__}, {output}, three of a rare class"
    return judge(name, found, np.tile(np.arange(63) < 3, (20, 1)), near, 1)


def judge(name, found, planted, rule, sign):
    """Print how well trends find planted rows (n_targets, n_train)."""
    size = sign * found.slope * np.sign(found.shapley)
    called = found.trends(0.1) == sign
    aucs = [
        np.mean([roc_auc_score(p, s) for p, s in zip(planted, score, strict=True)])
        for score in (size, rule)
    ]
    print(
        f"{name}: called {called[planted].mean():.2f} of the planted, "
        f"{called[~planted].mean():.3f} of the others; "
        f"AUC {aucs[0]:.2f}, of nearness to the target {aucs[1]:.2f}"
    )
    for what, rows in ("planted", planted), ("others", ~planted):
        sizes = np.array([abs(w[rows]).mean() for w in found.weights])
        print(f"  mean size of the weights of {what} at {ALPHAS}: {sizes.round(3)}")


def planted(n_runs):
    """Find copies, and rows of a rare group that need each other."""
    for noise in 0.0, 0.2:
        for learner in Ridge(0.1), LogisticRegression(), KNeighborsClassifier(3):
            with_copies(learner, noise, n_runs)
    with_rare(KNeighborsClassifier(5), "correctness", n_runs)
    with_rare(KNeighborsClassifier(5), "confidence", n_runs)
    with_rare(LogisticRegression(), "margin", n_runs)


def digits(n_runs):
    """Predict runs at fractions between those of the fit, and compare two pools."""
    train, targets = load_digits_examples(n_train=200)
    targets = targets[:100]
    trainer = SubsetTrainer(
        LogisticRegression(),
        train,
        targets,
        alpha=ALPHAS,
        design="bernoulli",
        unseen_class="floor",
        random_state=0,
    )
    pools = [
        trainer.set_params(random_state=seed).fit_transform(np.arange(n_runs))
        for seed in (0, 1)
    ]
    one, two = (compare_alphas(pool, alpha=np.resize(ALPHAS, n_runs)) for pool in pools)
    trends = one.trends(0.1)
    both = (trends != 0) & (two.trends(0.1) != 0)
    again = np.sign(two.slope * two.shapley)[trends != 0] == trends[trends != 0]
    print(
        f"digits, {n_runs} runs: redundant {np.mean(trends < 0):.3f} of weights, work "
        f"with others {np.mean(trends > 0):.3f}; "
        f"same sign in other runs {again.mean():.2f}, "
        f"decided in both {both.sum()}, of these alike "
        f"{(trends == two.trends(0.1))[both].mean():.3f}"
    )
    for alpha in 0.2, 0.3, 0.7, 0.95:
        fresh = trainer.set_params(alpha=alpha, random_state=2).fit_transform(
            np.arange(300)
        )
        scores = {"curve": one.curve([alpha])[0], "mean": one.weights.mean(axis=0)}
        scores |= {
            f"weights at {a}": w for a, w in zip(ALPHAS, one.weights, strict=True)
        }
        text = "  ".join(
            f"{name} {linear_datamodeling_score(fresh.outputs, fresh.masks @ w.T):.3f}"
            for name, w in scores.items()
        )
        print(f"  LDS at alpha {alpha}: {text}")


def main():
    """Run the simulation, the planted rows and digits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true")
    fast = parser.parse_args().fast
    print(describe_machine())
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n_runs in (300,) if fast else (300, 1500):
            simulate(n_runs, 10 if fast else 40)
        planted(600 if fast else 3000)
        digits(600 if fast else 3000)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
