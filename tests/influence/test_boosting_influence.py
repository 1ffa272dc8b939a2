"""Against the definition: trees that stay, leaves that are trained again."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.base import is_classifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from skdatamodels.influence import boosting_influence
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
CASES = [
    (name, n_classes, output)
    for name, model in MODELS.items()
    for n_classes, output in (
        [(2, "margin"), (2, "confidence"), (3, "log_odds"), (3, "cross_entropy")]
        + [(3, "margin")]
        if is_classifier(model)
        else [(0, "prediction"), (0, "squared_error")]
    )
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


@pytest.mark.parametrize("knock_on", [True, False])
@EVERY_CASE
def test_equals_the_derivative_of_leaves_that_are_trained_again(
    name, output, data, knock_on
):
    influence = boosting_influence(
        MODELS[name], *data, output=output, knock_on=knock_on
    )
    train, targets = data
    model = MODELS[name].fit(train.X, train.y)
    reference = Reference(model, train, targets)
    expected = reference.derivative(output, np.ones(len(train)), knock_on)
    assert_close(influence, expected)
