"""Small problems, and refits that the closed forms must agree with."""

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression

from skdatamodels import Examples
from skdatamodels.outputs import encode_targets, get_output, raw_outputs


def classification(n_classes, n_train=30, n_targets=8, n_features=4):
    """Overlapping classes with names, every seventh wrong; a feature hardly varies."""
    rng = np.random.default_rng(n_classes)
    names = np.array(["cat", "dog", "eel"])[:n_classes]
    codes = np.arange(n_train + n_targets) % n_classes
    centres = rng.normal(size=(n_classes, n_features))
    X = centres[codes] + rng.normal(size=(len(codes), n_features))
    X[:, -1] = 3 + 0.1 * X[:, -1]
    codes[::7] = (codes[::7] + 1) % n_classes
    parts = np.split(np.arange(len(codes)), [n_train])
    return tuple(Examples(X[rows], names[codes[rows]]) for rows in parts)


def regression(n_train=25, n_targets=6, n_features=4):
    rng = np.random.default_rng(0)
    X = rng.normal(2, size=(n_train + n_targets, n_features))
    y = 10 + X @ rng.normal(size=n_features) + rng.normal(size=len(X))
    parts = np.split(np.arange(len(X)), [n_train])
    return tuple(Examples(X[rows], y[rows]) for rows in parts)


def measure(estimator, train, targets, output, sample_weight):
    """Outputs (n_targets,) of a refit with weighted examples, by scikit-learn alone."""
    model = clone(estimator).fit(train.X, train.y, sample_weight=sample_weight)
    y = targets.y
    classes = np.unique(train.y) if is_classifier(estimator) else None
    if classes is not None:
        y = encode_targets(y, classes)
    return get_output(output)(raw_outputs(model, targets.X, classes), y)


@pytest.fixture
def derivative_of_refits():
    """Central difference of refits over the weight of each example, at weight 1."""

    def compute(estimator, train, targets, output, step=1e-3):
        effect = np.empty((len(targets), len(train)))
        for i in range(len(train)):
            more, less = np.ones(len(train)), np.ones(len(train))
            more[i] += step
            less[i] -= step
            high, low = (
                measure(estimator, train, targets, output, weight)
                for weight in (more, less)
            )
            effect[:, i] = (high - low) / (2 * step)
        return effect

    return compute


@pytest.fixture
def leave_one_out_refits():
    """Output with all examples less that of a refit without each."""

    def compute(estimator, train, targets, output):
        ones = np.ones(len(train))
        full = measure(estimator, train, targets, output, ones)
        effect = np.empty((len(targets), len(train)))
        for i in range(len(train)):
            rest = train[np.arange(len(train)) != i]
            without = measure(estimator, rest, targets, output, ones[1:])
            effect[:, i] = full - without
        return effect

    return compute


@pytest.fixture
def make_classification():
    return classification


@pytest.fixture
def make_regression():
    return regression


@pytest.fixture
def make_module():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def make(seed=0, dtype=torch.float64):
        torch.manual_seed(seed)
        layers = [nn.Linear(4, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3)]
        return nn.Sequential(*layers).to(dtype)

    return make


@pytest.fixture
def make_linear():
    """A linear module with the weights of a logistic regression without a penalty."""
    torch = pytest.importorskip("torch")

    def make(train):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        model.fit(train.X, train.y)
        module = torch.nn.Sequential(torch.nn.Linear(4, 3)).double()
        with torch.no_grad():
            module[0].weight[:] = torch.tensor(model.coef_)
            module[0].bias[:] = torch.tensor(model.intercept_)
        return module

    return make
