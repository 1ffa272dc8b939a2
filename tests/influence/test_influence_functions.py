import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skdatamodels import Examples
from skdatamodels.influence import (
    influence_functions,
    last_layer_influence,
    logistic_influence,
)

torch = pytest.importorskip("torch")
nn = torch.nn

from skdatamodels.influence import _gauss_newton  # noqa: E402


def _module(dtype=torch.float64):
    torch.manual_seed(0)
    layers = [nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(3, 3)).to(dtype)


def _linear(train, **options):
    """A linear module with the weights of a logistic regression."""
    model = LogisticRegression(tol=1e-10, max_iter=1000, **options)
    model.fit(train.X, train.y)
    module = nn.Linear(4, 3).double()
    with torch.no_grad():
        module.weight[:] = torch.tensor(model.coef_)
        module.bias[:] = torch.tensor(model.intercept_)
    return module, model


def _square(logits, y):
    return torch.where(torch.arange(3) == y, logits**2, 0).sum()


@pytest.fixture
def naive(naive_influence):
    """The influence by all parameters, their curvature formed."""

    def compute(module, train, targets, *, curvature, **options):
        module = module.eval()
        sizes = [p.numel() for p in module.parameters()]
        flat = torch.cat([p.detach().flatten() for p in module.parameters()])

        def logits(flat, X):
            named = zip(
                module.named_parameters(), torch.split(flat, sizes), strict=True
            )
            state = {name: value.reshape(old.shape) for (name, old), value in named}
            return torch.func.functional_call(module, state, (X,))

        gauss_newton = curvature == "gauss_newton"
        return naive_influence(
            logits, flat, train, targets, gauss_newton=gauss_newton, **options
        )

    return compute


@pytest.mark.parametrize(
    ("curvature", "solver"),
    [
        ("gauss_newton", "direct"),
        ("gauss_newton", "conjugate_gradient"),
        ("hessian", "conjugate_gradient"),
    ],
)
@pytest.mark.parametrize("output", ["margin", "log_odds", "cross_entropy", _square])
def test_equals_the_definition(output, curvature, solver, make_classification, naive):
    damping = 0.3 if curvature == "gauss_newton" else 60.0
    options = {"output": output, "curvature": curvature, "damping": damping}
    data, module = make_classification(3), _module()
    expected = naive(_module(), *data, **options)
    influence = influence_functions(module, *data, **options, solver=solver, tol=1e-10)
    assert module.training
    assert_allclose(influence, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("solver", ["direct", "conjugate_gradient"])
@pytest.mark.parametrize("block_bytes", [1, 3000, 30_000])
def test_blocks_change_nothing(block_bytes, solver, make_classification):
    train, targets = make_classification(3)
    data = train[:5], targets[:3]
    options = {"damping": 0.5, "tol": 1e-10, "solver": solver}
    whole = influence_functions(_module(), *data, **options)
    blocks = influence_functions(_module(), *data, **options, block_bytes=block_bytes)
    assert_allclose(blocks, whole, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("n_train", [9, 30])  # 33 parameters, 27 or 90 outputs
def test_both_forms_are_blocks_of_float64(n_train, make_classification, monkeypatch):
    """The matrix, and its dual with blocks smaller than the number of outputs."""
    monkeypatch.setattr(_gauss_newton, "_ROWS", 7)
    train, targets = make_classification(3)
    data, options = (train[:n_train], targets), {"damping": 1e-4, "tol": 1e-13}
    by_products = influence_functions(
        _module(), *data, **options, solver="conjugate_gradient"
    )
    direct = influence_functions(_module(), *data, **options, solver="direct")
    assert_allclose(direct, by_products, rtol=1e-6, atol=1e-7)


def test_regression_equals_numpy(make_regression):
    """The residual of a linear module times the inverse of XᵀX, by the loss (f-y)²."""
    train, targets = make_regression()
    module = nn.Linear(4, 1).double()
    A, Z = (np.c_[part.X, np.ones(len(part))] for part in (train, targets))
    with torch.no_grad():
        residual = train.y - module(torch.tensor(train.X)).numpy()[:, 0]
    for damping in (0.0, 0.5):
        inverse = np.linalg.inv(2 * A.T @ A + damping * np.eye(5))
        influence = influence_functions(
            module,
            train,
            targets,
            output="prediction",
            damping=damping,
            solver="direct",
        )
        assert_allclose(influence, Z @ inverse @ A.T * 2 * residual, rtol=1e-8)


@pytest.mark.parametrize(
    "options",
    [
        {"solver": "direct"},
        {"solver": "conjugate_gradient"},
        {"solver": "conjugate_gradient", "curvature": "hessian"},
    ],
)
def test_subset(options, make_classification):
    """Inside as without the others; outside the curvature does not count them."""
    train, targets = make_classification(3)
    options = options | {"damping": 60.0, "tol": 1e-12}
    subset, rows = np.r_[3:20], np.r_[3:20, 25]
    influence = influence_functions(_module(), train, targets, **options, subset=subset)
    inside = influence_functions(_module(), train[subset], targets, **options)
    assert_allclose(influence[:, subset], inside, rtol=1e-6)
    swapped = influence_functions(
        _module(), train[rows], targets, **options, subset=np.arange(17)
    )
    assert_allclose(influence[:, 25], swapped[:, 17], rtol=1e-6)
    both = influence_functions(_module(), train[rows], targets, **options)
    assert abs(both[:, 17] / influence[:, 25] - 1).max() > 1e-3


def test_auto_is_direct_where_it_fits(make_classification, monkeypatch):
    data, options = make_classification(3), {"damping": 0.1}
    monkeypatch.setattr(_gauss_newton, "_MOST_BYTES", 8 * 33**2)
    influence_functions(_module(), *data, **options, max_iter=1)
    monkeypatch.setattr(_gauss_newton, "_MOST_BYTES", 8 * 33**2 - 1)
    with pytest.warns(ConvergenceWarning):
        influence_functions(_module(), *data, **options, max_iter=1)


class _Transformer(nn.Module):
    """Four numbers as four tokens; torch has fused kernels for all of it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.TransformerEncoderLayer(2, 1, 2, batch_first=True)
        self.last = nn.Linear(2, 3)
        self.double()

    def forward(self, X):
        return self.last(self.encoder(torch.stack([X, X**2], 2)).mean(1))


@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian"])
def test_attention(curvature, make_classification, naive):
    train, targets = make_classification(3)
    options = {"output": "margin", "curvature": curvature, "damping": 60.0}
    data = train[:9], targets[:2]
    influence = influence_functions(_Transformer(), *data, **options, tol=1e-10)
    attention = nn.attention  # whose fused kernel has no second derivative
    with attention.sdpa_kernel(attention.SDPBackend.MATH):
        expected = naive(_Transformer(), *data, **options)
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-10)
    assert torch.backends.mha.get_fastpath_enabled()


def test_float32(make_classification, naive):
    data, options = make_classification(3), {"output": "log_odds", "damping": 0.5}
    expected = naive(_module(), *data, curvature="gauss_newton", **options)
    single = influence_functions(_module(torch.float32), *data, **options, tol=1e-5)
    assert single.dtype == np.float64
    assert_allclose(single, expected, rtol=1e-3, atol=1e-4)


def test_tol_bounds_the_error(make_classification):
    """A residual r of the system moves each influence by r·gᵢ/damping at most."""
    data, damping, tol = make_classification(3), 0.5, 0.05
    exact = influence_functions(_module(), *data, damping=damping, tol=1e-10)
    rough = influence_functions(
        _module(), *data, damping=damping, tol=tol, solver="conjugate_gradient"
    )
    g = _norms(_module().eval(), data[0], "loss")
    h = _norms(_module().eval(), data[1], "margin")
    assert abs(rough - exact).max() > 1e-6
    assert (abs(rough - exact) <= tol * np.outer(h, g) / damping).all()


def _norms(module, examples, kind):
    norms = []
    for x, y in zip(examples.X, examples.y, strict=True):
        module.zero_grad()
        z, column = module(torch.tensor(x[None]))[0], ["cat", "dog", "eel"].index(y)
        margin = z[column] - torch.cat([z[:column], z[column + 1 :]]).max()
        loss = -torch.log_softmax(z, 0)[column]
        (margin if kind == "margin" else loss).backward()
        squares = sum((p.grad**2).sum() for p in module.parameters())
        norms.append(float(squares) ** 0.5)
    return norms


@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian"])
def test_of_a_linear_module_is_that_of_its_last_layer(curvature, make_classification):
    data = make_classification(3)
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()
    influence = influence_functions(module, *data, curvature=curvature, tol=1e-10)
    assert_allclose(influence, last_layer_influence(module, *data), rtol=1e-6)


def test_equals_that_of_a_logistic_regression(make_classification):
    train, targets = make_classification(3)
    module, model = _linear(train, C=np.inf)
    data = {"train": train, "targets": targets, "output": "log_odds"}
    influence = influence_functions(module, **data, tol=1e-10)
    assert_allclose(influence, logistic_influence(model, **data), rtol=1e-5)


def test_frozen_layers_take_no_part(make_classification):
    data = make_classification(3)
    module = _module()
    module[:4].requires_grad_(False)
    influence = influence_functions(module, *data, damping=0.1, tol=1e-10)
    expected = last_layer_influence(module, *data, damping=0.1)
    assert_allclose(influence, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_singular_without_damping(dtype, make_classification):
    train, targets = make_classification(3)
    with pytest.raises(ValueError, match=r"gauss_newton .* singular.* Set damping"):
        influence_functions(_module(dtype), train[:4], targets)


def test_negative_direction_names_the_remedies(make_classification):
    train, targets = make_classification(3)
    options = {"curvature": "hessian", "damping": 1e-3}
    with pytest.raises(ValueError, match=r"hessian .* higher, or .*'gauss_newton'"):
        influence_functions(_module(), train, targets, **options)


def test_unsolved_is_told(make_classification):
    data = make_classification(3)
    with pytest.warns(ConvergenceWarning, match=r"After 2 iterations.* residual"):
        influence_functions(
            _module(),
            *data,
            damping=1e-3,
            max_iter=2,
            solver="conjugate_gradient",
        )


@pytest.mark.parametrize(
    ("value", "solver", "message"),
    [
        (1e200, "direct", r"gradient of train example 7 by the parameter '0.weight'"),
        # Where the gradient is finite and its square is not.
        (
            1e100,
            "conjugate_gradient",
            "curvature at train examples 0 to 29 is not finite",
        ),
    ],
)
def test_non_finite_numbers_are_named(value, solver, message, make_classification):
    train, targets = make_classification(3)
    X = np.array(train.X)
    X[7] = value
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)).double()
    with torch.no_grad():
        module[1].weight[:] = torch.arange(9).double().reshape(3, 3) * 1e120
    with pytest.raises(ValueError, match=message):
        influence_functions(
            module, Examples(X, train.y), targets, damping=1.0, solver=solver
        )


def test_overflow_of_the_matrix_is_told(make_classification):
    train, targets = make_classification(3)
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)).double()
    with torch.no_grad():
        module[0].bias[:] = 1e160
        module[1].weight[:] = 0
    with pytest.raises(ValueError, match="gauss_newton matrix is not finite"):
        influence_functions(module, train, targets, damping=1.0)


def test_progress(make_classification, capsys):
    influence_functions(_module(), *make_classification(3), damping=0.1, verbose=1)
    assert "8/8" in capsys.readouterr().err
    influence_functions(_module(), *make_classification(3), damping=0.1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "accuracy"}, "output must be one of margin"),
        ({"damping": -1.0}, "'damping' parameter"),
        ({"curvature": "fisher"}, "'curvature' parameter"),
        ({"tol": 0.0}, "'tol' parameter"),
        ({"solver": "lu"}, "'solver' parameter"),
        ({"solver": "direct", "curvature": "hessian"}, "is for curvature='gauss_n"),
        ({"solver": "direct", "damping": 0.0}, "gauss_newton .* singular.* damping"),
        ({"subset": [0, 0]}, "an example twice"),
        ({"module": nn.Linear(4, 4)}, "logits of the 3 classes"),
    ],
)
def test_bad_input(options, message, make_classification):
    train, targets = make_classification(3)
    given = {"module": _module(), "train": train, "targets": targets, "damping": 1.0}
    with pytest.raises(ValueError, match=message):
        influence_functions(**given | options)
