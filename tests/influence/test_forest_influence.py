"""Against the definition: splits that stay, leaves that are averaged again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.stats import binom
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from skdatamodels import Examples, SubsetTrainer, sample_masks
from skdatamodels.influence import forest_influence, same_class_influence
from skdatamodels.metrics import linear_datamodeling_score

FEW = {"n_estimators": 4, "random_state": 0}
LEAF = {**FEW, "min_samples_leaf": 6}
TREE = {"max_depth": 2, "random_state": 0}
CLASSIFIERS = {
    "forest": RandomForestClassifier(**LEAF),
    "forest of few draws": RandomForestClassifier(**LEAF, max_samples=0.6),
    "extra": ExtraTreesClassifier(**LEAF, criterion="entropy"),
    "tree": DecisionTreeClassifier(**TREE, min_samples_leaf=6),
    "bag": BaggingClassifier(
        ExtraTreeClassifier(min_samples_leaf=6), **FEW, max_features=0.7
    ),
    "bag without repetition": BaggingClassifier(
        DecisionTreeClassifier(max_depth=1), **FEW, max_samples=0.7, bootstrap=False
    ),
}
REGRESSORS = {
    "forest": RandomForestRegressor(**FEW),
    "extra": ExtraTreesRegressor(**FEW, bootstrap=True, max_samples=9),
    "grown": DecisionTreeRegressor(random_state=0),
    "stump": ExtraTreeRegressor(**TREE, criterion="squared_error"),
    "bag": BaggingRegressor(**FEW, bootstrap_features=True),
}
OUTPUTS = {  # a tree has ties between classes, where the margin has no derivative
    "forest": [(2, "margin"), (3, "margin")],
    "forest of few draws": [(2, "cross_entropy"), (3, "log_odds")],
    "extra": [(2, "margin"), (3, "confidence")],
    "tree": [(2, "cross_entropy"), (3, "log_odds")],
    "bag": [(2, "log_odds"), (3, "margin")],
    "bag without repetition": [(2, "confidence"), (3, "cross_entropy")],
}
CASES = [
    (CLASSIFIERS[name], n_classes, output)
    for name, cases in OUTPUTS.items()
    for n_classes, output in cases
] + [
    (model, 0, output)
    for model in REGRESSORS.values()
    for output in ("prediction", "squared_error")
]


@pytest.fixture
def data(n_classes, make_classification, make_regression):
    return make_classification(n_classes) if n_classes else make_regression()


def members(model, train, targets, subset):
    """For each tree: rows that it drew, and nodes on the path of each example."""
    n = len(subset)
    bag = isinstance(model, BaggingClassifier | BaggingRegressor)
    trees = getattr(model, "estimators_", [model])
    drawn = [np.arange(n)] * len(trees)
    if bag or getattr(model, "bootstrap", False):
        drawn = model.estimators_samples_
    features = model.estimators_features_ if bag else [slice(None)] * len(trees)
    for tree, rows, columns in zip(trees, drawn, features, strict=True):
        paths = [
            tree.decision_path(np.float32(part.X[:, columns])).toarray() > 0
            for part in (train, targets)
        ]
        yield subset[rows], *paths


def mean_of_leaf(sums, size, parent_mean, parent_weight):
    """Mean of a leaf that counts its parent's mean; an empty leaf takes that."""
    if size + parent_weight == 0:
        return parent_mean
    return (sums + parent_weight * parent_mean) / (size + parent_weight)


def change_of_mean(model, train, targets, y, parent_weight, chances, subset):
    """Effect on the mean over trees, (n_targets, n_train, n_columns), one by one."""
    total = np.zeros((len(targets), len(train), y.shape[1]))
    trees = list(members(model, train, targets, subset))
    for drawn, paths, target_paths in trees:
        for j, i in np.ndindex(*total.shape[:2]):
            nodes = np.flatnonzero(target_paths[j])  # from the root, parents first
            if not paths[i, nodes[-1]]:
                continue
            others = drawn[drawn != i]
            leaf, parent = (
                y[others[paths[others, node]]] for node in nodes[-2:][[-1, 0]]
            )
            prior = parent.mean(axis=0), parent_weight
            before = mean_of_leaf(leaf.sum(axis=0), len(leaf), *prior)
            for times in np.flatnonzero(chances > 1e-15):
                with_i = leaf.sum(axis=0) + times * y[i], len(leaf) + times
                total[j, i] += chances[times] * (mean_of_leaf(*with_i, *prior) - before)
    return total / len(trees)


def chances_of(model, n):
    draws = getattr(model, "max_samples", None)
    draws = n if draws is None else draws
    draws = int(max(1, round(draws * n) if isinstance(draws, float) else draws))
    bag = isinstance(model, BaggingClassifier | BaggingRegressor)
    if bag and isinstance(model.max_samples, float):
        draws = int(model.max_samples * n)
    if getattr(model, "bootstrap", False):
        return binom.pmf(np.arange(n + 1), draws, 1 / n)
    return np.array([1 - draws / n, draws / n]) if bag else np.array([0.0, 1.0])


def measure(output, mean, y):
    """The output of one target, from its probabilities or its prediction."""
    if output == "prediction":
        return mean[0]
    if output == "squared_error":
        return (mean[0] - y) ** 2
    own, others = mean[y], np.delete(mean, y)
    return {
        "margin": np.log(own / others.max()),
        "log_odds": np.log(own / others.sum()),
        "confidence": own,
        "cross_entropy": -np.log(own),
    }[output]


def reference(model, train, targets, output, parent_weight=1.0, subset=None):
    """Influence of one example after the other; NaN where the model is sure."""
    subset = np.arange(len(train)) if subset is None else subset
    model = model.fit(train.X[subset], train.y[subset])
    if is_classifier(model):
        y = (train.y[:, None] == model.classes_).astype(float)
        mean = model.predict_proba(targets.X)
        y_targets = np.searchsorted(model.classes_, targets.y)
    else:
        y, mean, y_targets = (
            train.y[:, None],
            model.predict(targets.X)[:, None],
            targets.y,
        )
    chances = chances_of(model, len(subset))
    change = change_of_mean(model, train, targets, y, parent_weight, chances, subset)
    effect, step = np.full(change.shape[:2], np.nan), 1e-6
    for j, i in np.ndindex(*effect.shape):
        if not is_classifier(model) or 0 < mean[j, y_targets[j]] < 1:
            high, low = (
                measure(output, mean[j] + sign * step * change[j, i], y_targets[j])
                for sign in (1, -1)
            )
            effect[j, i] = (high - low) / (2 * step)
    return effect


def assert_close(influence, expected):
    known = np.isfinite(expected)
    assert known.mean() > 0.3
    assert abs(expected[known]).max() > 1e-3
    influence, expected = influence[known], expected[known]
    assert_allclose(influence, expected, rtol=1e-5, atol=1e-7 * abs(expected).max())


@pytest.mark.parametrize("parent_weight", [0.0, 1.5])
@pytest.mark.parametrize(("model", "n_classes", "output"), CASES, ids=repr)
def test_equals_leaves_that_are_averaged_again(model, output, data, parent_weight):
    influence = forest_influence(
        model, *data, output=output, parent_weight=parent_weight
    )
    assert_close(influence, reference(model, *data, output, parent_weight))


@pytest.mark.parametrize("n_classes", [3])
@pytest.mark.parametrize("name", ["forest", "tree", "bag without repetition"])
def test_of_models_of_a_subset(name, data):
    model, output = CLASSIFIERS[name], "log_odds"
    train = data[0]
    subset = np.random.default_rng(0).permutation(len(train))[:22]
    expected = reference(model, *data, output, subset=subset)
    influence = forest_influence(model, *data, output=output, subset=subset)
    assert_close(influence, expected)
    frozen = FrozenEstimator(model.fit(train.X[subset], train.y[subset]))
    assert_allclose(
        forest_influence(frozen, *data, output=output, subset=subset), influence
    )
    mask = np.isin(np.arange(len(train)), subset)
    assert_allclose(
        forest_influence(model, *data, output=output, subset=mask),
        forest_influence(model, *data, output=output, subset=np.sort(subset)),
    )


def test_equals_refits_where_the_split_stays():
    """Two clusters far apart: scikit-learn's own trees without each example."""
    rng = np.random.default_rng(0)
    X = np.repeat([[0.0], [100.0]], 6, axis=0) + rng.normal(size=(12, 1))
    train = Examples(X, X[:, 0] + 5 * rng.normal(size=12))
    targets = Examples([[0.0], [100.0]], [0.0, 100.0])
    model = DecisionTreeRegressor(max_depth=1)
    full = model.fit(train.X, train.y).predict(targets.X)
    expected = np.empty((2, 12))
    for i in range(12):
        rest = np.arange(12) != i
        without = model.fit(train.X[rest], train.y[rest]).predict(targets.X)
        expected[:, i] = full - without
    assert_allclose(
        forest_influence(model, train, targets, parent_weight=0.0),
        expected,
        atol=1e-12 * abs(expected).max(),
    )


def test_missing_values_go_where_the_trees_send_them():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] + np.where(rng.random(60) < 0.3, 3, 0)
    X[y > 2, 1] = np.nan
    train, targets = (
        Examples(X[rows], y[rows], allow_nan=True)
        for rows in (slice(40), slice(40, None))
    )
    model = RandomForestRegressor(**FEW, min_samples_leaf=3)
    influence = forest_influence(model, train, targets)
    assert_close(influence, reference(model, train, targets, "prediction"))
    assert np.isnan(targets.X).any()


@pytest.mark.parametrize("n_classes", [2])
@pytest.mark.parametrize("name", ["forest", "bag"])
def test_tables_of_other_kinds(name, data):
    pd = pytest.importorskip("pandas")
    model, expected = CLASSIFIERS[name], forest_influence(CLASSIFIERS[name], *data)
    for kind in (sparse.csr_matrix, lambda X: pd.DataFrame(X, columns=[*"abcd"])):
        parts = [Examples(kind(part.X), part.y) for part in data]
        assert_allclose(forest_influence(model, *parts), expected)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_examples_of_a_leaf_pull_against_each_other(seed, min_samples_leaf):
    """Leave-one-out effects on a mean sum to 0, and follow the order of the rows."""
    rng = np.random.default_rng(seed)
    train, targets = (
        Examples(rng.normal(size=(n, 2)), rng.normal(size=n)) for n in (30, 4)
    )
    model = DecisionTreeRegressor(min_samples_leaf=min_samples_leaf)
    model = FrozenEstimator(model.fit(train.X, train.y))
    influence = forest_influence(model, train, targets, parent_weight=0.0)
    assert_allclose(influence.sum(axis=1), 0, atol=1e-12)
    order = rng.permutation(30)
    shuffled = forest_influence(model, train[order], targets, parent_weight=0.0)
    assert_allclose(shuffled, influence[:, order], atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_model_that_is_sure_has_finite_influence(data):
    """Probabilities of 0 are raised, as in runs."""
    n = len(data[0])
    for output in ("margin", "log_odds", "cross_entropy", "confidence"):
        influence = forest_influence(DecisionTreeClassifier(), *data, output=output)
        assert abs(influence).max() <= 2 * n
        assert abs(influence).max() > 0


def test_a_class_that_the_subset_lacks(make_classification):
    train, targets = make_classification(3)
    subset = train.y != "eel"
    model = RandomForestClassifier(**LEAF)
    influence = forest_influence(
        model, train, targets, output="confidence", subset=subset
    )
    own = influence[np.ix_(targets.y == "eel", ~subset)]
    assert (own >= 0).all()
    assert (own > 0).any()


def test_one_example_and_one_class(make_classification):
    train, targets = make_classification(2)
    for subset in ([0], np.flatnonzero(train.y == "cat")):
        influence = forest_influence(
            RandomForestClassifier(**FEW), train, targets, subset=subset
        )
        assert np.isfinite(influence).all()


def test_blocks_change_nothing(make_regression, monkeypatch):
    data = make_regression()
    expected = forest_influence(REGRESSORS["forest"], *data)
    monkeypatch.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 1000)
    assert_allclose(forest_influence(REGRESSORS["forest"], *data), expected)


def test_predicts_real_runs():
    X, y = load_breast_cancer(return_X_y=True)
    train, targets = Examples(X[:120], y[:120]), Examples(X[120:160], y[120:160])
    model = ExtraTreesClassifier(15, max_depth=4, random_state=0)
    masks = sample_masks(50, len(train), 0.5, random_state=0)
    trainer = SubsetTrainer(model, train, targets, output="confidence")
    outputs = trainer.fit_transform(masks).outputs
    matters = outputs.std(axis=0) > 0.01
    scores = [
        linear_datamodeling_score(
            outputs[:, matters], (masks.dense() @ influence.T)[:, matters]
        )
        for influence in (
            forest_influence(model, train, targets, output="confidence"),
            same_class_influence(train, targets),
        )
    ]
    assert scores[0] > scores[1] + 0.1


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (
            make_pipeline(StandardScaler(), RandomForestClassifier()),
            {},
            TypeError,
            "Pipeline has no closed form here. Transform X first",
        ),
        (LogisticRegression(), {}, TypeError, "LogisticRegression has no closed form"),
        (
            HistGradientBoostingRegressor(),
            {},
            TypeError,
            "must be one of RandomForest",
        ),
        (
            BaggingClassifier(LogisticRegression()),
            {},
            TypeError,
            "BaggingClassifier of LogisticRegression has no closed form",
        ),
        (
            RandomForestClassifier(class_weight="balanced"),
            {},
            ValueError,
            r"class_weight='balanced'\) has no closed form here. It needs .*=None",
        ),
        (
            BaggingClassifier(DecisionTreeClassifier(class_weight={"cat": 2})),
            {},
            ValueError,
            "DecisionTreeClassifier.class_weight=",
        ),
        (
            ExtraTreesClassifier(monotonic_cst=[1, 0, 0, 0]),
            {},
            ValueError,
            "monotonic_cst",
        ),
        (
            DecisionTreeRegressor(criterion="absolute_error"),
            {},
            ValueError,
            "criterion='absolute_error'.* has no closed form",
        ),
        (RandomForestRegressor(), {}, ValueError, "needs numbers as y"),
        (
            RandomForestClassifier(),
            {"output": "correctness"},
            ValueError,
            "no known derivative",
        ),
        (
            RandomForestClassifier(),
            {"output": "prediction"},
            ValueError,
            "is for regre",
        ),
        (RandomForestClassifier(), {"parent_weight": -1}, ValueError, "parent_weight"),
        (
            RandomForestClassifier(),
            {"subset": [0.5]},
            TypeError,
            "1-d array of indices",
        ),
        (RandomForestClassifier(), {"subset": [0, 30]}, ValueError, "from 0 to 29"),
        (RandomForestClassifier(), {"subset": [-1]}, ValueError, "from 0 to 29"),
        (RandomForestClassifier(), {"subset": [3, 3]}, ValueError, "an example twice"),
        (RandomForestClassifier(), {"subset": np.zeros(30, bool)}, ValueError, "empty"),
        (
            RandomForestClassifier(),
            {"subset": [True]},
            ValueError,
            "mask of 1 examples",
        ),
        (
            FrozenEstimator(RandomForestClassifier()),
            {},
            NotFittedError,
            "is not fitted yet",
        ),
    ],
)
def test_bad_input(model, options, error, message, make_classification):
    with pytest.raises(error, match=message):
        forest_influence(model, *make_classification(2), **options)


def test_a_frozen_model_of_other_examples(make_classification):
    train, targets = make_classification(2)
    model = RandomForestClassifier(**LEAF).fit(train.X[:20], train.y[:20])
    with pytest.raises(ValueError, match="must have been fitted on exactly these"):
        forest_influence(FrozenEstimator(model), train, targets, subset=range(5, 25))
    weighted = DecisionTreeClassifier().fit(train.X, train.y, np.arange(30) + 1.0)
    with pytest.raises(ValueError, match="without sample weights"):
        forest_influence(FrozenEstimator(weighted), train, targets)


@pytest.mark.parametrize("kind", ["forest", "extra", "bag"])
def test_a_frozen_model_of_weighted_draws(kind, make_classification):
    """From scikit-learn 1.9, weights are probabilities of a draw; before, factors."""
    train, targets = make_classification(2)
    kinds = {"extra": ExtraTreesClassifier(**FEW, bootstrap=True)}
    model = kinds.get(kind, CLASSIFIERS[kind])
    weight = np.where(np.arange(len(train)) < 10, 5.0, 0.1)
    model.fit(train.X, train.y, sample_weight=weight)
    with pytest.raises(ValueError, match="sample weights"):
        forest_influence(FrozenEstimator(model), train, targets)


@pytest.mark.parametrize("name", ["forest", "extra", "bag", "grown"])
def test_a_frozen_model_of_other_labels(name, make_classification, make_regression):
    for models, data in (
        (CLASSIFIERS, make_classification(3)),
        (REGRESSORS, make_regression()),
    ):
        if name not in models:
            continue
        train, targets = data
        model = models[name].fit(train.X, np.roll(train.y, 1))
        with pytest.raises(ValueError, match="exactly these examples"):
            forest_influence(FrozenEstimator(model), train, targets)


@pytest.mark.parametrize("name", ["forest", "tree"])
def test_a_frozen_model_of_several_outputs(name, make_classification):
    train, targets = make_classification(2)
    model = CLASSIFIERS[name].fit(train.X, np.stack([train.y, train.y], axis=1))
    with pytest.raises(ValueError, match="was fitted to 2 outputs"):
        forest_influence(FrozenEstimator(model), train, targets)
