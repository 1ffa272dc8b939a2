"""How often intervals of few groups hold the effects on many judged rows and seeds.

Each of four groups has another share of the rows and another mean, and one follows
another rule. The truth is the mean over many trainings, on 4,000 other rows. Without
test rows, it is that of models trained on random four fifths of the rows.
``python benchmarks/few_groups.py`` prints a table, in a quarter of an hour.
"""

import warnings
from types import SimpleNamespace

import numpy as np
from scipy import stats
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.auditing._few_groups import N_FOLDS, leave_out_each, make_few_trainer

N_TRAIN, N_TEST, N_MORE, N_GROUPS = 200, 300, 4000, 4
LINEAR, FOREST = (100, 1, 100), (25, 5, 25)  # tables, seeds, trainings of the truth
MODELS = {
    "logistic regression": (LogisticRegression(), *LINEAR),
    "ridge": (Ridge(), *LINEAR),
    "forest of classes": (RandomForestClassifier(20, min_samples_leaf=3), *FOREST),
    "forest of values": (RandomForestRegressor(20, min_samples_leaf=3), *FOREST),
}


def draw(rng, n, slopes, classifies):
    """Return rows, labels or values, and groups."""
    group = rng.choice(N_GROUPS, n, p=[0.4, 0.3, 0.2, 0.1])
    X = rng.normal(size=(n, 5)) + 0.2 * (group[:, None] - 1.5)
    f = X @ slopes[0] + (group == 2) * (X @ slopes[1]) + 0.5 * X[:, 0] * X[:, 1]
    y = rng.random(n) < 1 / (1 + np.exp(-f)) if classifies else f + rng.normal(size=n)
    return X, y, group


def score(outputs, y, classifies):
    """Return the mean margin by class, or minus the root mean squared error."""
    if classifies:
        return np.mean([outputs[:, y == label].mean() for label in (False, True)])
    return -np.sqrt(np.mean((outputs - y) ** 2))


def true_effects(model, train, of_row, more, has_test, n, rng):
    """Return the effects of n trainings with and without each group."""
    X, y, group = more
    kept = np.ones((n, 1, len(train)), dtype=bool)
    if not has_test:
        kept = rng.random(kept.shape) >= 1 / N_FOLDS
    without = of_row != np.arange(N_GROUPS)[:, None]
    masks = np.concatenate([kept, kept & without], axis=1)
    trainer = SubsetTrainer(
        model, train, Examples(X, y), random_state=0, unseen_class="floor"
    )
    runs = trainer.fit_transform(masks.reshape(-1, len(train)))
    outputs = runs.outputs.reshape(*masks.shape[:2], -1).swapaxes(0, 1)
    classifies, effects = y.dtype == bool, []
    for k in range(N_GROUPS):
        among = np.full(len(y), True) if has_test else group != k
        pair = [score(outputs[i][:, among], y[among], classifies) for i in (0, k + 1)]
        effects.append(pair[0] - pair[1])
    return np.array(effects)


def one_table(model, has_test, n_seeds, n_true, seed):
    """Return what was found in a table, and the true effects."""
    rng = np.random.default_rng(seed)
    slopes = 0.7 * rng.normal(size=(2, 5))
    classifies = is_classifier(model)
    X, y, of_row = draw(rng, N_TRAIN, slopes, classifies)
    train, rows = Examples(X, y), np.arange(N_TRAIN)
    if has_test:
        X, y, _ = draw(rng, N_TEST, slopes, classifies)
        rows = np.full(N_TEST, -1)
    judged = SimpleNamespace(
        task="classification" if classifies else "regression",
        truth=y,
        judges=np.ones(len(y), dtype=bool),
    )
    trainer = SubsetTrainer(model, train, Examples(X, y), random_state=seed)
    few = make_few_trainer(trainer, np.arange(len(y)))
    found = leave_out_each(few, of_row, judged, rows, n_seeds, seed)
    more = draw(rng, N_MORE, slopes, classifies)
    return found, true_effects(model, train, of_row, more, has_test, n_true, rng)


def main():
    """Print a row for each model, with test rows and without."""
    warnings.simplefilter("ignore")
    print("| model | judged by | tables | 95 % intervals hold | wrong signs |")
    print("|---|---|---|---|---|")
    for name, (model, n_tables, n_seeds, n_true) in MODELS.items():
        for has_test in (True, False):
            inside, wrong = [], []
            for seed in range(n_tables):
                found, true = one_table(model, has_test, n_seeds, n_true, seed)
                known = np.isfinite(found.effect)
                half = stats.t.ppf(0.975, found.freedom) * found.error
                inside.extend((abs(found.effect - true) < half)[known])
                sure = found.interval[:, 0] * found.interval[:, 1] > 0
                wrong.extend((np.sign(true) != np.sign(found.effect))[sure])
            judges = "test rows" if has_test else "training rows"
            print(
                f"| {name} | {judges} | {n_tables} | {np.mean(inside):.2f} | "
                f"{sum(wrong)} of {len(wrong)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
