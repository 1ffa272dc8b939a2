"""What all gradient baselines take: tied weights, half precision, wrappers, regression.

The reference is one backward pass an example, and matrices that are formed.
"""

import copy
import threading
import time
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from skdatamodels import Examples
from skdatamodels.influence import (
    gradient_dot,
    influence_functions,
    last_layer_influence,
    ridge_influence,
    tracin,
    trak,
)

torch = pytest.importorskip("torch")
nn = torch.nn

RNG = np.random.default_rng(0)
TRAIN = Examples(RNG.normal(size=(12, 4)), [0, 1, 2] * 4)
TARGETS = Examples(RNG.normal(size=(5, 4)), [0, 1, 2, 0, 1])
VALUES = tuple(
    Examples(part.X, part.X @ [1, 2, -1, 0] + RNG.normal(size=len(part.X)))
    for part in (TRAIN, TARGETS)
)
ALL = [gradient_dot, tracin, trak, influence_functions]


class Tied(nn.Module):
    """An embedding of a token, which is the first column, and the output layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.inner = nn.Embedding(3, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 3, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        hidden = torch.tanh(self.inner(x))
        return self.head(hidden + self.embedding((x[:, 0] > 0).long()))


class Twice(nn.Sequential):
    """A layer that is there twice."""

    def __init__(self):
        torch.manual_seed(0)
        layer = nn.Linear(4, 4)
        norm = nn.BatchNorm1d(4)
        super().__init__(layer, nn.Tanh(), norm, layer, norm, nn.Linear(4, 3))


class Embedded(nn.Module):
    """Two embeddings with one table; some of its rows no example uses."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.left, self.right = nn.Embedding(9, 3), nn.Embedding(9, 3)
        self.right.weight = self.left.weight

    def forward(self, x):
        tokens = (x.abs() * 2).long().clamp(max=8)
        return self.left(tokens[:, 0]) * self.right(tokens[:, 1])


def plain(n_out=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, n_out))


def call(method, module, data=(TRAIN, TARGETS), **options):
    if method is tracin:
        options |= {"checkpoints": [module.state_dict()], "learning_rates": [0.3]}
    if method in (trak, influence_functions):
        options |= {"damping": 0.5}
    if method is influence_functions:
        options |= {"tol": 1e-10} if module_dtype(module) == torch.float64 else {}
    return method(module, *data, **options)


def module_dtype(module):
    return next(module.parameters()).dtype


def gradients(module, values):
    """Gradients (n, n_parameters) of each of some values."""
    found = []
    for value in values:
        parts = torch.autograd.grad(
            value, [*module.parameters()], retain_graph=True, materialize_grads=True
        )
        found.append(torch.cat([part.flatten() for part in parts]).numpy())
    return np.stack(found)


def naive(method, module, data=(TRAIN, TARGETS), *, regression=False):
    """What a method gives for the margin, or the prediction, in float64."""
    module = copy.deepcopy(module).double().eval()
    (z, y), (raw, columns) = (
        (module(torch.tensor(part.X, dtype=torch.float64)), torch.tensor(part.y))
        for part in data
    )
    if regression:
        z, raw = z[:, 0], raw[:, 0]
        losses, h = (z - y) ** 2, gradients(module, raw)
        phi, pull = gradients(module, z), (y - z).detach().numpy()
        H = 2 * phi.T @ phi
    else:
        losses = nn.functional.cross_entropy(z, y, reduction="none")
        own = nn.functional.one_hot(columns, 3).bool()
        h = gradients(module, raw[own] - raw.masked_fill(own, -np.inf).amax(1))
        own = nn.functional.one_hot(y, 3).bool()
        odds = z[own] - z.masked_fill(own, -np.inf).logsumexp(1)
        phi, pull = gradients(module, odds), 1 - odds.sigmoid().detach().numpy()
        H = 0
        for row, p in zip(z, z.softmax(1).detach().numpy(), strict=True):
            J = gradients(module, row)
            H = H + J.T @ (np.diag(p) - np.outer(p, p)) @ J
    g, eye = gradients(module, losses), np.eye(h.shape[1])
    if method is trak:
        return h @ np.linalg.inv(phi.T @ phi + 0.5 * eye) @ phi.T * pull
    if method is influence_functions:
        return -h @ np.linalg.inv(H + 0.5 * eye) @ g.T
    return -h @ g.T * (0.3 if method is tracin else 1)


@pytest.mark.parametrize("kind", [Tied, Twice, Embedded])
@pytest.mark.parametrize("method", ALL)
def test_shared_parameters_have_the_sum_of_their_gradients(method, kind):
    module = kind().double()
    before = dict(module.named_parameters())
    influence = call(method, module)
    assert_allclose(influence, naive(method, module), rtol=1e-6, atol=1e-9)
    for name, parameter in module.named_parameters():
        assert parameter is before[name]


@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian"])
def test_last_layer_that_is_used_before_too(curvature):
    """The other use counts as held fixed: as in a module that has the weight twice."""
    tied = Tied().double()
    untied = copy.deepcopy(tied).requires_grad_(False)
    untied.head.weight = nn.Parameter(tied.head.weight.detach().clone())
    influence = last_layer_influence(tied, TRAIN, TARGETS, damping=0.5)
    options = {"damping": 0.5, "tol": 1e-10, "curvature": curvature}
    expected = influence_functions(untied, TRAIN, TARGETS, **options)
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-9)


def test_last_layer_that_is_called_twice():
    layer = nn.Linear(4, 4)
    module = nn.Sequential(layer, nn.Tanh(), layer).double()
    data = Examples(TRAIN.X, [0, 1, 2, 3] * 3), Examples(TARGETS.X, [0, 1, 2, 3, 0])
    other = nn.Sequential(*copy.deepcopy(module[:2]), copy.deepcopy(layer))
    influence = last_layer_influence(module, *data, damping=0.5)
    assert_allclose(influence, last_layer_influence(other, *data, damping=0.5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", ALL)
def test_half_precision(method, dtype):
    """Products, and gradients themselves, that only a wider format holds."""
    scale = 30 if method is trak else 400  # its damping is to count for something
    data = [Examples(scale * part.X, part.y) for part in (TRAIN, TARGETS)]
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)).to(dtype)
    expected = naive(method, module, data)
    if method is not trak:  # which has no unit
        assert abs(expected).max() > torch.finfo(torch.float16).max
    influence = call(method, module, data)
    assert_allclose(influence, expected, atol=5e-3 * abs(expected).max())
    assert module_dtype(module) == dtype


def test_half_precision_with_statistics_and_last_layer():
    torch.manual_seed(0)
    layers = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)
    module = nn.Sequential(*layers).half()
    expected = last_layer_influence(
        copy.deepcopy(module).double(), TRAIN, TARGETS, damping=0.1
    )
    influence = last_layer_influence(module, TRAIN, TARGETS, damping=0.1)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", [gradient_dot, trak])
def test_product_that_is_not_finite_names_target_and_example(method):
    X = np.array(TRAIN.X)
    X[7] = 1e30  # in float32 it is finite and its square is not
    torch.manual_seed(0)
    module, train = nn.Linear(4, 3), Examples(X, TRAIN.y)
    targets = train[[0, 7]] if method is gradient_dot else TARGETS
    with torch.no_grad():
        module.weight *= 1e-30
    named = "target 1" if method is gradient_dot else "train example 7"
    with pytest.raises(ValueError, match=f"{named} and train example 7 is not finite"):
        call(method, module, (train, targets))
    if method is gradient_dot:  # which needs no more than room
        assert np.isfinite(call(method, module.double(), (train, targets))).all()


@pytest.mark.parametrize("n_out", [None, 6])
def test_projection_that_is_not_finite(n_out):
    X = np.array(TRAIN.X)
    X[7] = 3.3e38
    module = nn.Linear(4, 3)
    with torch.no_grad():
        module.weight *= 1e-38
    with pytest.raises(ValueError, match=r"train example 7 .*is not finite"):
        trak(module, Examples(X, TRAIN.y), TARGETS, projection_dim=n_out)


class CastsItself(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x.half())


class GivesDict(nn.Linear):
    def forward(self, x):
        return {"logits": super().forward(x)}


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (CastsItself().half(), ValueError, "does not accept an example, torch.float32"),
        (nn.Linear(3, 3), ValueError, r"does not accept an example.* shape \(1, 4\)"),
        (GivesDict(4, 3), TypeError, "must return a tensor, got dict"),
        (plain(1), ValueError, "output to 'prediction' or 'squared_error'"),
    ],
)
@pytest.mark.parametrize("method", [*ALL, partial(last_layer_influence, damping=1)])
def test_modules_that_cannot_be_used(method, module, error, message):
    with pytest.raises(error, match=message):
        call(method, module)


@pytest.mark.parametrize("method", ALL)
def test_inputs_that_are_no_numbers(method):
    X = [{"input_ids": [1, 2]}, {"input_ids": [3, 4]}, {"input_ids": [5, 6]}]
    with pytest.raises(
        TypeError, match=r"targets.X must be an array of numbers.* dict"
    ):
        call(method, plain(), (TRAIN, Examples(X, [0, 1, 2])))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("method", [*ALL, partial(last_layer_influence, damping=0.1)])
def test_wrappers_are_taken_off(method):
    module = plain().double()
    expected = call(method, module)
    for wrapped in nn.DataParallel(module), torch.compile(module):
        assert_allclose(call(method, wrapped), expected)


def test_weight_norm_of_old():
    """Its weights are computed, and no copy is made of such."""
    torch.manual_seed(0)
    with pytest.warns(FutureWarning):
        first = nn.utils.weight_norm(nn.Linear(4, 5))
    module = nn.Sequential(first, nn.Tanh(), nn.Linear(5, 3)).double()
    module(torch.zeros(1, 4, dtype=torch.float64))
    with torch.no_grad():
        first.weight_g *= 2
    influence = gradient_dot(module, TRAIN, TARGETS)
    first = nn.utils.parametrizations.weight_norm(nn.Linear(4, 5).double())
    with torch.no_grad():
        first.bias.copy_(module[0].bias)
        first.parametrizations.weight.original0.copy_(module[0].weight_g)
        first.parametrizations.weight.original1.copy_(module[0].weight_v)
    module[0] = first
    assert_allclose(influence, naive(gradient_dot, module))


@pytest.mark.parametrize("method", ALL)
def test_regression(method):
    module = plain(1).double()
    influence = call(method, module, VALUES, output="prediction")
    expected = naive(method, module, VALUES, regression=True)
    assert_allclose(influence, expected, rtol=1e-6, atol=1e-9)
    flat = nn.Sequential(module, nn.Flatten(0))  # gives (n,) rather than (n, 1)
    assert_allclose(call(method, flat, VALUES, output="prediction"), influence)
    with torch.no_grad():
        left = module(torch.tensor(VALUES[1].X))[:, 0].numpy() - VALUES[1].y
    squared = call(method, module, VALUES, output="squared_error")
    assert_allclose(squared, 2 * left[:, None] * influence, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("output", ["prediction", "squared_error"])
def test_regression_by_a_linear_module_is_ridge_regression(output):
    """Its loss is the sum of squares plus alpha times the squared weights."""
    train, targets = VALUES
    model = Ridge(alpha=2.0, fit_intercept=False).fit(train.X, train.y)
    module = nn.Linear(4, 1, bias=False).double()
    with torch.no_grad():
        module.weight[:] = torch.tensor(model.coef_)
    expected = ridge_influence(model, train, targets, output=output)
    assert_allclose(
        trak(module, *VALUES, output=output, damping=2.0), expected, rtol=1e-6
    )
    for curvature in "gauss_newton", "hessian":
        options = {"damping": 4.0, "tol": 1e-10, "curvature": curvature}
        influence = influence_functions(module, *VALUES, output=output, **options)
        assert_allclose(influence, expected, rtol=1e-6)


def test_regression_where_it_cannot_be():
    with pytest.raises(ValueError, match="is for classifiers, but output"):
        last_layer_influence(plain(1), *VALUES, output="prediction")
    with pytest.raises(ValueError, match=r"shape \(1, 3\) for one .* a predict"):
        gradient_dot(plain(3), *VALUES, output="prediction")
    names = Examples(TRAIN.X, list("abc" * 4)), Examples(TARGETS.X, list("abcab"))
    with pytest.raises(TypeError, match="needs numbers as y"):
        trak(plain(1), *names, output="prediction")


class Slow(nn.Sequential):
    def forward(self, x):
        time.sleep(1e-3)  # another thread is sure to come between
        return super().forward(x)


@pytest.mark.parametrize("method", ALL)
def test_threads_that_share_a_module(method):
    torch.manual_seed(0)
    layers = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3)
    module = Slow(*layers).double()
    expected, found = call(method, module), {}

    def work(number):
        found[number] = call(method, module)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for influence in found.values():
        assert_array_equal(influence, expected)
    assert all(part.training for part in module.modules())
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()
