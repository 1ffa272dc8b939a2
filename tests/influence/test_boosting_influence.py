"""Against the definition: trees that stay, leaves that are trained again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.base import is_classifier
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits

from skdatamodels import Examples, SubsetTrainer, sample_masks
from skdatamodels.influence import boosting_influence, same_class_influence
from skdatamodels.influence._boosted_trees import read_boosted_trees
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.outputs import encode_targets, get_output

SMALL = {"max_iter": 4, "max_leaf_nodes": 4, "min_samples_leaf": 3}
SLOW = {"n_estimators": 4, "max_depth": 2, "random_state": 0}
MODELS = {
    "hist classifier": HistGradientBoostingClassifier(**SMALL, learning_rate=0.3),
    "hist classifier, l2": HistGradientBoostingClassifier(
        **SMALL, l2_regularization=2.0
    ),
    "classifier": GradientBoostingClassifier(**SLOW, learning_rate=0.4),
    "classifier from zero": GradientBoostingClassifier(**SLOW, init="zero"),
    "hist regressor": HistGradientBoostingRegressor(**SMALL, l2_regularization=1.0),
    "regressor": GradientBoostingRegressor(**SLOW, learning_rate=0.5),
}
OUTPUTS = {
    True: [(2, "margin"), (2, "confidence"), (3, "margin"), (3, "log_odds")],
    False: [(0, "prediction"), (0, "squared_error")],
}
CASES = [
    (name, n_classes, output)
    for name, model in MODELS.items()
    for n_classes, output in OUTPUTS[is_classifier(model)]
]
EVERY_CASE = pytest.mark.parametrize(("name", "n_classes", "output"), CASES)


@pytest.fixture
def data(n_classes, make_classification, make_regression):
    return make_classification(n_classes) if n_classes else make_regression()


def walk(nodes, x):
    """Leaf of a row of numbers in a tree of HistGradientBoosting."""
    at = 0
    while not nodes[at]["is_leaf"]:
        node, value = nodes[at], x[nodes[at]["feature_idx"]]
        missing = np.isnan(value)
        left = node["missing_go_to_left"] if missing else value <= node["num_threshold"]
        at = node["left"] if left else node["right"]
    return at


def numeric_leaves(model, X):
    """Node of each row in each tree, (n_rounds, n_scores, n)."""
    if hasattr(model, "apply"):
        return (
            model.apply(X).reshape(len(X), len(model.estimators_), -1).T.swapaxes(0, 1)
        )
    return np.array(
        [[[walk(tree.nodes, x) for x in X] for tree in r] for r in model._predictors]
    )


def leaves_by_value(model, X):
    """What each round adds to each row: a name for its leaf, if no two add the same."""
    scores = np.stack([np.reshape(s, (len(X), -1)).T for s in model.staged_predict(X)])
    return np.diff(scores, axis=0, prepend=0).round(9)


class Reference:
    """Boosting with the trees of a fitted model, and a weight for each example."""

    def __init__(self, model, train, targets, leaves_of=numeric_leaves):
        self.model, self.y = model, train.y
        self.leaves = [leaves_of(model, part.X) for part in (train, targets)]
        self.y_targets, self.n_classes = targets.y, 0
        if is_classifier(model):
            self.n_classes = len(model.classes_)
            self.y = encode_targets(train.y, model.classes_)
            self.y_targets = encode_targets(targets.y, model.classes_)
        self.slow = isinstance(model, GradientBoostingClassifier)
        self.l2 = getattr(model, "l2_regularization", 0.0)
        # a tree without a split has the value 0 in HistGradientBoosting, for any weight
        self.fixed = hasattr(model, "_predictors")

    def start(self, weight):
        if getattr(self.model, "init", None) == "zero":
            return np.zeros(1 if self.n_classes < 3 else self.n_classes)
        if not self.n_classes:
            return np.array([np.average(self.y, weights=weight)])
        p = np.bincount(self.y, weight) / weight.sum()
        return np.log(p) if self.n_classes > 2 else np.log([p[1] / p[0]])

    def moments(self, scores):
        """Gradients and Hessians, (n_scores, n_train)."""
        if not self.n_classes:
            return scores - self.y, np.ones_like(scores)
        if self.n_classes == 2:
            p = expit(scores)
            return p - self.y, p * (1 - p)
        p = softmax(scores, axis=0)
        K = self.n_classes
        factor = K / (K - 1) if self.slow else 1.0
        return p - np.eye(K)[self.y].T, factor * p * (1 - p)

    def scores(self, weight, held=None):
        """Scores of the targets; `held` has the moments of each round, if they stay."""
        start = self.start(weight if held is None else np.ones(len(weight)))
        train = np.repeat(start[:, None], len(self.y), axis=1)
        targets = np.repeat(start[:, None], len(self.y_targets), axis=1)
        self.seen = []
        for t, of_round in enumerate(zip(*self.leaves, strict=True)):
            g, h = self.moments(train) if held is None else held[t]
            self.seen.append((g, h))
            for k, (of_train, of_targets) in enumerate(zip(*of_round, strict=True)):
                if self.fixed and (of_train == of_train[0]).all():
                    continue
                for leaf in np.unique(of_train):
                    in_train, in_targets = of_train == leaf, of_targets == leaf
                    w = weight[in_train]
                    G, H = w @ g[k, in_train], w @ h[k, in_train] + self.l2
                    train[k, in_train] -= self.model.learning_rate * G / H
                    targets[k, in_targets] -= self.model.learning_rate * G / H
        return targets

    def output(self, scores, name):
        raw = scores[0]
        if self.n_classes:
            both = np.stack([np.zeros_like(raw), raw])
            raw = (scores if self.n_classes > 2 else both).T
        return get_output(name)(raw, self.y_targets)

    def derivative(self, name, weight, knock_on=True, step=1e-4):
        self.scores(weight)
        held = None if knock_on else self.seen
        effect = np.empty((len(self.y_targets), len(self.y)))
        for i in range(len(self.y)):
            high, low = weight.copy(), weight.copy()
            high[i] += step
            low[i] -= step
            pair = (self.output(self.scores(w, held), name) for w in (high, low))
            effect[:, i] = np.subtract(*pair) / (2 * step)
        return effect


def assert_close(influence, expected):
    assert abs(expected).max() > 1e-4
    assert_allclose(influence, expected, rtol=1e-5, atol=1e-6 * abs(expected).max())


@pytest.fixture(autouse=True)
def one_thread():
    """Threads of OpenMP wait for each other in fits that take a millisecond."""
    with threadpool_limits(1, user_api="openmp"):
        yield


@EVERY_CASE
def test_equals_the_derivative_of_leaves_that_are_trained_again(name, output, data):
    train, targets = data
    influence = boosting_influence(MODELS[name], *data, output=output)
    model = MODELS[name].fit(train.X, train.y)
    reference = Reference(model, train, targets)
    assert_close(influence, reference.derivative(output, np.ones(len(train))))


@pytest.mark.parametrize(
    ("name", "n_classes"),
    [("hist classifier", 3), ("classifier", 2), ("classifier", 3), ("regressor", 0)],
)
def test_with_weights(name, data):
    """What the presence of an example adds is proportional to its weight."""
    train, targets = data
    weight = 0.2 + np.arange(len(train)) % 4
    weighted = Examples(train.X, train.y, sample_weight=weight)
    influence = boosting_influence(MODELS[name], weighted, targets)
    model = MODELS[name].fit(train.X, train.y, sample_weight=weight)
    output = "margin" if is_classifier(model) else "prediction"
    expected = weight * Reference(model, train, targets).derivative(output, weight)
    assert_close(influence, expected)
    with pytest.raises(ValueError, match="with their weights"):
        boosting_influence(FrozenEstimator(model), *data)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["hist classifier", "classifier from zero"])
def test_without_knock_on_gradients_stay(name, data):
    train, targets = data
    influence = boosting_influence(
        MODELS[name], *data, output="log_odds", knock_on=False
    )
    reference = Reference(MODELS[name].fit(train.X, train.y), train, targets)
    expected = reference.derivative("log_odds", np.ones(len(train)), knock_on=False)
    assert_close(influence, expected)


@pytest.mark.parametrize(
    ("name", "n_classes"),
    [("hist classifier", 2), ("classifier", 3), ("hist regressor", 0)],
)
def test_of_models_of_a_subset(name, data):
    train, targets = data
    subset = np.random.default_rng(0).permutation(len(train))[:20]
    model = MODELS[name].fit(train.X[subset], train.y[subset])
    influence = boosting_influence(MODELS[name], *data, subset=subset)
    weight = np.isin(np.arange(len(train)), subset).astype(float)
    output = "margin" if is_classifier(model) else "prediction"
    expected = Reference(model, train, targets).derivative(output, weight)
    assert_close(influence, expected)
    frozen = boosting_influence(FrozenEstimator(model), *data, subset=subset)
    assert_allclose(frozen, influence)


def table(pd, n=80):
    """A frame with a category, some of it missing, and missing numbers; and y."""
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue", "grey"], n)
    X = pd.DataFrame({"size": rng.normal(size=n), "colour": colour, "age": 1.0})
    y = X["size"] + 3 * np.isin(colour, ["red", "grey"]) + rng.normal(size=n)
    X.loc[y > 3, "size"] = np.nan
    X.loc[::11, "colour"] = None
    X["colour"] = X["colour"].astype("category")
    return X, y.to_numpy()


def test_categories_and_missing_values_go_where_the_trees_send_them():
    pd = pytest.importorskip("pandas")
    X, y = table(pd)
    train, targets = (
        Examples(X[rows], y[rows], allow_nan=True)
        for rows in (slice(60), slice(60, None))
    )
    model = HistGradientBoostingRegressor(**SMALL, categorical_features="from_dtype")
    influence = boosting_influence(model, train, targets)
    model = model.fit(train.X, train.y)
    assert any(t.nodes["is_categorical"].any() for r in model._predictors for t in r)
    reference = Reference(model, train, targets, leaves_by_value)
    assert_close(influence, reference.derivative("prediction", np.ones(len(train))))


@pytest.mark.parametrize("name", MODELS)
def test_trees_that_are_read_give_the_scores(
    name, make_classification, make_regression
):
    is_class = is_classifier(MODELS[name])
    for data in [make_classification(3)] if is_class else [make_regression()]:
        model = MODELS[name].fit(data[0].X, data[0].y)
        trees = read_boosted_trees(model, *(part.X for part in data))
        scores = np.repeat(trees.start[:, None], len(data[1]), axis=1)
        for values, leaves in zip(trees.values, trees.target_leaves, strict=True):
            scores += [v[leaf] for v, leaf in zip(values, leaves, strict=True)]
        expected = model.decision_function if is_class else model.predict
        assert_allclose(scores.T.squeeze(), expected(data[1].X))


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_adding_to_all_weights_changes_a_penalised_model_only(seed):
    """Without a penalty, the weights of all examples have no common scale."""
    rng = np.random.default_rng(seed)
    train, targets = (
        Examples(rng.normal(size=(n, 2)), rng.integers(3, size=n)) for n in (40, 4)
    )
    for penalty, is_zero in ((0.0, True), (5.0, False)):
        model = HistGradientBoostingClassifier(**SMALL, l2_regularization=penalty)
        influence = boosting_influence(model, train, targets)
        total = abs(influence.sum(axis=1)).max()
        assert (total < 1e-10) == is_zero


def test_blocks_change_nothing(make_classification, monkeypatch):
    data = make_classification(3)
    expected = boosting_influence(MODELS["hist classifier"], *data)
    monkeypatch.setattr("skdatamodels.influence._boosting_influence._BLOCK", 7)
    in_blocks = boosting_influence(MODELS["hist classifier"], *data)
    assert_allclose(in_blocks, expected)


def test_a_class_that_the_subset_lacks(make_classification):
    train, targets = make_classification(3)
    subset = train.y != "eel"
    influence = boosting_influence(
        MODELS["hist classifier"], train, targets, subset=subset
    )
    assert (influence[:, ~subset] == 0).all()
    assert (influence[targets.y == "eel"] == 0).all()
    others = [part[part.y != "eel"] for part in (train, targets)]
    expected = boosting_influence(MODELS["hist classifier"], *others)
    kept = influence[np.ix_(targets.y != "eel", subset)]
    assert_allclose(kept, expected)


def test_predicts_real_runs():
    X, y = load_breast_cancer(return_X_y=True)
    train, targets = Examples(X[:150], y[:150]), Examples(X[150:190], y[150:190])
    model = HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=10)
    masks = sample_masks(60, len(train), 0.5, random_state=0)
    trainer = SubsetTrainer(model, train, targets)
    outputs = trainer.fit_transform(masks).outputs
    scores = [
        linear_datamodeling_score(outputs, masks.dense() @ influence.T)
        for influence in (
            boosting_influence(model, train, targets),
            same_class_influence(train, targets),
        )
    ]
    assert scores[0] > scores[1] + 0.05


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (RandomForestClassifier(), {}, TypeError, "must be one of HistGradientB"),
        (object(), {}, TypeError, "object has no closed form here"),
        (
            HistGradientBoostingRegressor(loss="poisson"),
            {},
            ValueError,
            r"loss='poisson'\) has no closed form here. It needs loss='log_loss' or",
        ),
        (
            HistGradientBoostingRegressor(monotonic_cst=[1, 0, 0, 0]),
            {},
            ValueError,
            "monotonic_cst",
        ),
        (
            HistGradientBoostingClassifier(class_weight="balanced"),
            {},
            ValueError,
            "class_weight='balanced'",
        ),
        (
            HistGradientBoostingRegressor(early_stopping=True),
            {},
            ValueError,
            "early_stopping=True",
        ),
        (GradientBoostingRegressor(loss="huber"), {}, ValueError, "loss='huber'"),
        (GradientBoostingRegressor(subsample=0.5), {}, ValueError, "subsample=0.5"),
        (
            GradientBoostingRegressor(n_iter_no_change=3),
            {},
            ValueError,
            "n_iter_no_change=3",
        ),
        (GradientBoostingRegressor(init=DummyRegressor()), {}, ValueError, "init=Dum"),
        (GradientBoostingRegressor(), {"output": "margin"}, ValueError, "is for class"),
        (GradientBoostingRegressor(), {"knock_on": 2}, ValueError, "knock_on"),
        (GradientBoostingRegressor(), {"subset": [99]}, ValueError, "from 0 to 24"),
        (
            FrozenEstimator(GradientBoostingRegressor()),
            {},
            NotFittedError,
            "not fitted",
        ),
    ],
)
def test_bad_input(model, options, error, message, make_regression):
    with pytest.raises(error, match=message):
        boosting_influence(model, *make_regression(), **options)


def test_labels_in_a_regression(make_classification):
    with pytest.raises(ValueError, match="needs numbers as y"):
        boosting_influence(GradientBoostingRegressor(), *make_classification(2))


def test_a_subset_of_one_class(make_classification):
    train, targets = make_classification(2)
    with pytest.raises(ValueError, match=r"only the class \['cat'\]"):
        boosting_influence(
            MODELS["classifier"], train, targets, subset=train.y == "cat"
        )


def test_early_stopping_that_the_size_decides():
    rng = np.random.default_rng(0)
    train = Examples(rng.normal(size=(10_001, 1)), rng.normal(size=10_001))
    with pytest.raises(ValueError, match="Set early_stopping=False"):
        boosting_influence(MODELS["hist regressor"], train, train[:2])


@pytest.mark.parametrize("name", ["hist regressor", "regressor"])
def test_a_frozen_model_of_other_examples(name, make_regression):
    train, targets = make_regression()
    for weight in (np.arange(25) < 22, np.arange(25) + 1):
        model = MODELS[name].fit(train.X, train.y, weight.astype(float))
        with pytest.raises(ValueError, match="must have been fitted on exactly these"):
            boosting_influence(FrozenEstimator(model), train, targets)


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@pytest.mark.parametrize("histogram", [True, False])
def test_trees_that_found_no_split(histogram, n_classes, data):
    """Only the start, a mean or the log-odds or log shares of the classes, is left."""
    train, targets = data
    if histogram:
        kinds, options = (
            (HistGradientBoostingRegressor, HistGradientBoostingClassifier),
            {"min_samples_leaf": 30},
        )
    else:
        kinds, options = (
            (GradientBoostingRegressor, GradientBoostingClassifier),
            {"min_impurity_decrease": 1e9, "n_estimators": 5, "random_state": 0},
        )
    model = kinds[n_classes > 0](**options)
    output = "confidence" if n_classes else "prediction"
    influence = boosting_influence(model, train, targets, output=output)
    if n_classes:  # the confidence is the share of the class
        same = targets.y[:, None] == train.y
        expected = same - same.mean(axis=1, keepdims=True)
    else:
        expected = np.tile(train.y - train.y.mean(), (len(targets), 1))
    assert_allclose(influence, expected / len(train), atol=1e-12)


def test_some_trees_found_no_split():
    """Once a class is sure, HistGradientBoosting stops with it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    train, targets = Examples(X, y), Examples(X[:5] + 0.1, y[:5])
    model = HistGradientBoostingClassifier(learning_rate=0.5, max_iter=30)
    influence = boosting_influence(model, train, targets)
    model.fit(X, y)
    n_nodes = [len(tree.nodes) for r in model._predictors for tree in r]
    assert 0 < np.mean(np.equal(n_nodes, 1)) < 1
    reference = Reference(model, train, targets)
    assert_close(influence, reference.derivative("margin", np.ones(60)))
