"""Against finite differences of scikit-learn's predictions, and torch's functions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.influence import (
    _mlp_influence,
    influence_functions,
    last_layer_influence,
    logistic_influence,
    mlp_influence,
    over_subsets,
    ridge_influence,
    same_class_influence,
)
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.outputs import encode_targets, get_output, raw_outputs

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
FEW = {"max_iter": 20, "random_state": 0}


@pytest.fixture
def data(n_classes, make_classification, make_regression):
    if n_classes:
        return make_classification(n_classes)
    train, targets = make_regression()
    return tuple(Examples(p.X - 2, p.y / 10) for p in (train, targets))


def _network(n_classes, sizes=(5,), activation="tanh", **params):
    kind = MLPClassifier if n_classes else MLPRegressor
    options = {"hidden_layer_sizes": sizes, "activation": activation}
    return kind(**options | FEW | params)


def _fitted(model, train):
    return model.fit(train.X, train.y)


def _naive(model, train, targets, output, layers, damping, penalty, subset):
    """The definition, from derivatives of predictions by each parameter."""
    classes = getattr(model, "classes_", None)
    y = targets.y if classes is None else encode_targets(targets.y, classes)
    arrays = [*zip(model.coefs_, model.intercepts_, strict=True)]
    arrays = arrays[-1:] if layers == "last" else arrays
    arrays = [part for pair in arrays for part in pair]
    compute = (
        lambda: raw_outputs(model, train.X),
        lambda: _losses(model, train),
        lambda: get_output(output)(raw_outputs(model, targets.X), y),
    )
    J, g, h = (_differences(arrays, function) for function in compute)
    raw, H = compute[0](), 0
    for i in subset:
        if classes is None:
            H = H + np.outer(J[:, i], J[:, i])
        else:
            p = np.exp(raw[i])
            p /= p.sum()
            H = H + J[:, i] @ (np.diag(p) - np.outer(p, p)) @ J[:, i].T
    diagonal = [np.full(part.size, penalty * (part.ndim == 2)) for part in arrays]
    H = H + np.diag(np.concatenate(diagonal) + damping)
    return -h.T @ np.linalg.solve(H, g)


def _losses(model, train):
    raw = raw_outputs(model, train.X)
    if raw.ndim == 1:
        return (raw - train.y) ** 2 / 2
    return get_output("cross_entropy")(raw, encode_targets(train.y, model.classes_))


def _differences(arrays, function, step=1e-5):
    result = []
    for part in arrays:
        for index in np.ndindex(part.shape):
            given, ends = part[index], []
            for sign in (1, -1):
                part[index] = given + sign * step
                ends.append(function())
            part[index] = given
            result.append((ends[0] - ends[1]) / (2 * step))
    return np.array(result)


@pytest.mark.parametrize("layers", ["all", "last"])
@pytest.mark.parametrize(
    ("n_classes", "output", "sizes", "activation"),
    [
        (3, "margin", (5,), "tanh"),
        (3, "log_odds", (4, 3), "relu"),
        (3, "confidence", (50,), "identity"),
        (2, "margin", (4, 3), "logistic"),
        (2, "cross_entropy", (5,), "relu"),
        (0, "prediction", (3, 4), "tanh"),
        (0, "squared_error", (5,), "relu"),
    ],
)
def test_equals_the_definition(layers, data, n_classes, output, sizes, activation):
    """With batches of 10: the penalty counts twice in each pass over the subset."""
    train, _ = data
    subset = np.random.default_rng(0).permutation(len(train))[:18]
    model = _network(
        n_classes, sizes, activation, alpha=0.3, batch_size=10, learning_rate_init=0.02
    )
    options = {"output": output, "layers": layers, "damping": 0.5, "subset": subset}
    influence = mlp_influence(model, *data, **options, share=1)
    model = _fitted(model, train[subset])
    expected = _naive(model, *data, output, layers, 0.5, 0.6, subset)
    size = abs(expected).max()
    assert size > 1e-3
    assert_allclose(influence, expected, rtol=1e-5, atol=1e-6 * size)
    frozen = mlp_influence(FrozenEstimator(model), *data, **options, share=1)
    assert_allclose(frozen, influence, atol=1e-10 * size)


def _module(torch, model):
    """A torch module with the weights of a network of tanh units."""
    layers = []
    for coef, intercept in zip(model.coefs_, model.intercepts_, strict=True):
        linear = torch.nn.Linear(*coef.shape).double()
        with torch.no_grad():
            linear.weight[:] = torch.tensor(coef.T)
            linear.bias[:] = torch.tensor(intercept)
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("n_classes", [0, 3])
@pytest.mark.parametrize("sizes", [(3,), (30,)])
def test_equals_the_functions_of_torch(n_classes, sizes, data):
    torch = pytest.importorskip("torch")
    train, _ = data
    model = _fitted(_network(n_classes, sizes, alpha=0), train)
    module, subset = _module(torch, model), np.r_[3:20]
    options = {"output": "margin" if n_classes else "prediction", "subset": subset}
    given = (FrozenEstimator(model), *data)
    # the loss of a regression in torch is not halved
    damping = {"damping": 0.7 if n_classes else 1.4, "solver": "direct"}
    expected = influence_functions(module, *data, **options, **damping)
    influence = mlp_influence(*given, **options, damping=0.7, share=1)
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-9)
    if n_classes:
        expected = last_layer_influence(module, *data, **options, damping=0.7)
        influence = mlp_influence(
            *given, **options, layers="last", damping=0.7, share=1
        )
        assert_allclose(influence, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("layers", ["all", "last"])
@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_without_hidden_layer_it_is_a_linear_model(layers, n_classes, data):
    """By the closed forms of other models; a damping leaves no direction free."""
    model = _network(n_classes, (), alpha=0.5, solver="lbfgs", tol=1e-14)
    model.set_params(max_iter=10000, max_fun=10**6)
    if n_classes:
        function, linear = logistic_influence, LogisticRegression(C=2, max_iter=10000)
    else:
        function, linear = ridge_influence, Ridge(alpha=0.5)
    options = {"output": "log_odds" if n_classes else "prediction", "damping": 0.2}
    expected = function(linear.set_params(tol=1e-10), *data, **options)
    influence = mlp_influence(model, *data, layers=layers, share=1, **options)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())


@pytest.mark.parametrize("n_classes", [3])
@pytest.mark.parametrize("sizes", [(3,), (30,)])
def test_blocks_change_nothing(data, sizes, monkeypatch):
    model = _network(3, sizes)
    expected = mlp_influence(model, *data)
    monkeypatch.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 5000)
    assert_allclose(mlp_influence(model, *data), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("n_classes", [3])
def test_a_share_is_nearly_all(data):
    """Of a network that is sure of most examples."""
    model = FrozenEstimator(_fitted(_network(3, (30,), max_iter=300), data[0]))
    every, most = (mlp_influence(model, *data, share=share) for share in (1, 0.99))
    assert np.corrcoef(every.ravel(), most.ravel())[0, 1] > 0.999
    assert abs(every - most).max() > 1e-9


@pytest.mark.parametrize("n_classes", [3])
def test_a_network_that_is_certain(data):
    """Without curvature, it is the product of gradients over the damping."""
    train, targets = data
    model = _fitted(_network(3, (), alpha=0), train)
    model.coefs_[0] = model.coefs_[0] * 1e6
    model = FrozenEstimator(model)
    influence = mlp_influence(model, train, targets, damping=0.5)
    wrong = model.predict(train.X) != train.y
    assert not influence[:, ~wrong].any()
    inner = (targets.X @ train.X.T + 1)[:, wrong]
    possible = np.array([-2, -1, 0, 1, 2]) / 0.5  # gradients by logits are -1, 0 or 1
    factors = influence[:, wrong] / inner
    assert_allclose(abs(factors[..., None] - possible).min(axis=-1), 0, atol=1e-9)
    assert wrong.any()


@pytest.mark.parametrize("layers", ["all", "last"])
@pytest.mark.parametrize("n_classes", [3])
def test_a_class_that_the_subset_lacks(layers, data):
    train, targets = data
    seen, judged = train.y != "eel", targets.y != "eel"
    options = {"layers": layers, "share": 1}
    model = _network(3)
    influence = mlp_influence(model, *data, subset=seen, **options)
    two = mlp_influence(model, train[seen], targets[judged], **options)
    assert_allclose(influence[np.ix_(judged, seen)], two, rtol=1e-6)
    assert not influence[:, ~seen].any()
    assert not influence[~judged].any()


@pytest.mark.parametrize("n_classes", [2])
def test_tables_of_other_kinds(data):
    pd = pytest.importorskip("pandas")
    model = _network(2)
    expected = mlp_influence(model, *data)
    for kind in (csr_matrix, lambda X: pd.DataFrame(X, columns=[*"abcd"])):
        parts = [Examples(kind(part.X), part.y) for part in data]
        assert_allclose(mlp_influence(model, *parts), expected, rtol=1e-6)


def test_predicts_real_runs():
    """The sign and the order of the effects, over models that runs keep."""
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    rows = np.random.default_rng(0).permutation(len(y))
    data = [Examples(X[part], y[part]) for part in np.split(rows[:100], [60])]
    model = MLPClassifier(8, max_iter=30, batch_size=10, learning_rate_init=0.01)
    trainer = SubsetTrainer(model, *data, random_state=0, keep_models=8)
    runs = trainer.fit_transform(np.arange(80))

    def score(matrix):
        return linear_datamodeling_score(runs.outputs, runs.masks.dot(matrix.T))

    whole, last = (
        score(over_subsets(mlp_influence, *data, models=runs.models, layers=layers))
        for layers in ("all", "last")
    )
    assert whole > score(same_class_influence(*data))
    assert last > 0.1


@pytest.mark.parametrize("n_classes", [2])
@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (LogisticRegression(), {}, TypeError, "LogisticRegression is not a neural net"),
        (
            make_pipeline(StandardScaler(), MLPClassifier()),
            {},
            TypeError,
            "Pipeline has no .*Transform X first",
        ),
        (MLPRegressor(), {}, ValueError, "needs numbers as y"),
        (MLPRegressor(loss="poisson"), {}, ValueError, "loss='poisson'.*'squared_err"),
        (MLPClassifier(), {"output": "correctness"}, ValueError, "no known derivative"),
        (MLPClassifier(), {"layers": "first"}, ValueError, "'layers' parameter"),
        (MLPClassifier(), {"damping": -1}, ValueError, "'damping' parameter"),
        (MLPClassifier(), {"share": 0}, ValueError, "'share' parameter"),
        (MLPClassifier(), {"subset": [3, 3]}, ValueError, "an example twice"),
        (MLPClassifier(), {"subset": [2, 4, 6]}, ValueError, "only the class"),
        (
            MLPClassifier(4, max_iter=2, alpha=0),
            {"damping": 0},
            ValueError,
            "matrix of the 25 parameters is singular.*set damping above 0",
        ),
    ],
)
def test_bad_input(model, options, error, message, data):
    with pytest.raises(error, match=message):
        mlp_influence(model, *data, **options)


@pytest.mark.parametrize("n_classes", [2])
def test_several_labels_or_outputs(data):
    X, y = data[0].X, np.random.default_rng(0).integers(2, size=(len(data[0]), 3))
    for kind, many in ((MLPClassifier, "3 labels"), (MLPRegressor, "3 outputs")):
        model = FrozenEstimator(kind(max_iter=1).fit(X, y))
        with pytest.raises(ValueError, match=f"{kind.__name__} has {many} for each"):
            mlp_influence(model, *data)


@pytest.mark.parametrize("n_classes", [2])
def test_a_matrix_that_is_too_large(data, monkeypatch):
    monkeypatch.setattr(_mlp_influence, "_MOST_BYTES", 100)
    with pytest.raises(ValueError, match=r"matrix of the 25 parameters.*layers='last'"):
        mlp_influence(MLPClassifier(4, max_iter=1), *data, share=1)
    with pytest.raises(ValueError, match=r"of the \d+ outputs of the subset takes"):
        mlp_influence(MLPClassifier(40, max_iter=1), *data)


@pytest.mark.parametrize("n_classes", [0])
def test_a_network_that_has_diverged(data):
    train, targets = data
    model = _fitted(_network(0, activation="identity"), train)
    model.coefs_[0] = np.full_like(model.coefs_[0], 1e200)
    X = np.array(train.X)
    X[4] = 1e300
    with pytest.raises(ValueError, match="train example 4: training may have diverged"):
        mlp_influence(FrozenEstimator(model), Examples(X, train.y), targets)
