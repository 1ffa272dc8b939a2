"""Small problems, and refits that the closed forms must agree with."""

import joblib
import numpy as np
import pytest
from scipy.special import expit, logit, softmax
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


_refits = {}


def refit(estimator, train, sample_weight):
    """Fit weighted examples by scikit-learn alone, once for all tests."""
    model = clone(estimator)
    key = joblib.hash((model, train.fingerprint, sample_weight))
    if key not in _refits:
        _refits[key] = model.fit(train.X, train.y, sample_weight=sample_weight)
    return _refits[key]


def measure(estimator, train, targets, output, sample_weight):
    """Outputs (n_targets,) of a refit with weighted examples."""
    model = refit(estimator, train, sample_weight)
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
def derivative_of_additions():
    """Forward difference of refits over the weight of an example that joins a subset.

    For those in the subset, the central difference at weight 1.
    """

    def compute(estimator, train, targets, output, subset, step=1e-4):
        effect = np.empty((len(targets), len(train)))
        for i in range(len(train)):
            weights = np.zeros((2, len(train)))
            weights[:, subset] = 1
            weights[:, i] += [step, -step if i in subset else 0]
            high, low = (
                measure(estimator, train, targets, output, weight) for weight in weights
            )
            effect[:, i] = (high - low) / (2 * step if i in subset else step)
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


def table(n_classes, categories=False, n_train=40, n_targets=6):
    """A data frame with missing values; y are codes of unequal classes, or numbers.

    With `categories`, it has a column of 3 categories and one of 12.
    """
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(n_classes)
    X = pd.DataFrame(rng.normal(size=(n_train + n_targets, 3)), columns=list("abc"))
    y = X["a"] + X["b"] * X["c"] + 0.3 * rng.normal(size=len(X))
    if categories:
        for name, n_values in (("few", 3), ("many", 12)):
            codes = rng.integers(n_values, size=len(X))
            X[name] = pd.Categorical(codes)
            y += codes % 3
        X.loc[::11, "many"] = np.nan
    X.loc[::7, "b"] = np.nan
    y = np.array(10 * y)
    if n_classes:
        shares = {2: [0.4], 3: [0.25, 0.6]}[n_classes]
        y = np.digitize(y, np.quantile(y, shares))
    parts = np.split(np.arange(len(X)), [n_train])
    return tuple(Examples(X.iloc[rows], y[rows], allow_nan=True) for rows in parts)


@pytest.fixture
def make_table():
    return table


@pytest.fixture
def refit_leaves():
    """Scores (n, n_scores) by trees whose splits stay and whose leaves are refitted.

    The first examples, as many as rows in z (one-hot classes or values), are fitted on,
    with weights; leaves (n_rounds, n_scores, n) are those of all examples. start None
    is the constant with the least loss.
    """

    best_constant = {"squared_error": np.array, "log_loss": logit, "softmax": np.log}
    expected = {
        "squared_error": np.array,
        "log_loss": expit,
        "softmax": lambda scores: softmax(scores, axis=1),
    }

    def compute(leaves, z, weight, *, loss, rate, l2, scale=1.0, start=None):
        n = len(z)
        if start is None:
            start = best_constant[loss](np.average(z, axis=0, weights=weight))
        scores = np.tile(np.asarray(start, dtype=float), (leaves.shape[2], 1))
        for of_round in leaves:
            p = expected[loss](scores[:n])
            hessian = np.ones_like(p) if loss == "squared_error" else p * (1 - p)
            for k, leaf in enumerate(of_round):
                sums = [
                    np.bincount(leaf[:n], weight * part[:, k], minlength=max(leaf) + 1)
                    for part in (z - p, scale * hessian)
                ]
                scores[:, k] += rate * (sums[0] / (sums[1] + l2))[leaf]
        return scores

    return compute


@pytest.fixture
def derivative_by_weights():
    """Central difference of a function of the weights of examples, at weight 1."""

    def compute(function, n_train, step=1e-4, every=1):
        columns = []
        for i in range(0, n_train, every):
            change = step * (np.arange(n_train) == i)
            columns.append((function(1 + change) - function(1 - change)) / (2 * step))
        return np.array(columns).T

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


@pytest.fixture
def naive_influence():
    """The definition: derivatives of autograd, a curvature that is formed, an inverse.

    ``logits(flat, X)`` gives logits of a network for the vector of its parameters.
    """
    torch = pytest.importorskip("torch")
    of = torch.autograd.functional

    def compute(logits, flat, train, targets, *, output, damping, gauss_newton=False):
        names = np.unique(train.y).tolist()

        def column(y):
            return names.index(y)

        def loss(flat, X, y):
            columns = torch.tensor([column(label) for label in y])
            z = logits(flat, torch.tensor(X))
            return torch.nn.functional.cross_entropy(z, columns, reduction="sum")

        def measured(flat, x, y):
            return _measure(torch, logits(flat, torch.tensor(x[None]))[0], y, output)

        if gauss_newton:
            H = _gauss_newton(torch, logits, flat, train.X)
        else:
            H = of.hessian(lambda w: loss(w, train.X, train.y), flat).detach().numpy()
        pairs = zip(train.X, train.y, strict=True)
        g = [
            of.jacobian(lambda w, x=x, y=y: loss(w, x[None], [y]), flat)
            for x, y in pairs
        ]
        pairs = zip(targets.X, map(column, targets.y), strict=True)
        h = [of.jacobian(lambda w, x=x, y=y: measured(w, x, y), flat) for x, y in pairs]
        inverse = np.linalg.inv(H + damping * np.eye(len(H)))
        return -np.stack(h) @ inverse @ np.stack(g).T

    return compute


def _measure(torch, z, column, output):
    """Return the output of logits z of one target."""
    if callable(output):
        return output(z, column)
    others = torch.cat([z[:column], z[column + 1 :]])
    return {
        "margin": z[column] - others.max(),
        "log_odds": z[column] - torch.logsumexp(others, 0),
        "cross_entropy": -torch.log_softmax(z, 0)[column],
        "confidence": torch.softmax(z, 0)[column],
    }[output]


def _gauss_newton(torch, logits, flat, X):
    """Sum of JᵀCJ, with C the covariance of the classes and J the Jacobian."""
    total = np.zeros((len(flat), len(flat)))
    for x in torch.tensor(X):
        J = torch.autograd.functional.jacobian(
            lambda w, x=x: logits(w, x[None])[0], flat
        )
        p = torch.softmax(logits(flat, x[None])[0], 0).detach().numpy()
        total += J.numpy().T @ (np.diag(p) - np.outer(p, p)) @ J.numpy()
    return total
