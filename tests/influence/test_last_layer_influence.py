import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression

from skdatamodels import Examples
from skdatamodels.influence import last_layer_influence, logistic_influence

torch = pytest.importorskip("torch")
nn = torch.nn


def _module(n_classes=3, bias=True):
    torch.manual_seed(0)
    layers = [nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(5, n_classes, bias=bias)).double()


@pytest.fixture
def naive(naive_influence):
    """The influence by the parameters of the last layer."""

    def compute(module, train, targets, **options):
        module, last = module.eval(), module[-1]
        parameters = [p.detach() for p in last.parameters()]
        sizes = [p.numel() for p in parameters]

        def logits(flat, X):
            weights = torch.split(flat, sizes)
            W = weights[0].reshape(last.weight.shape)
            bias = weights[1] if len(weights) > 1 else None
            return nn.functional.linear(module[:-1](X), W, bias)

        flat = torch.cat([p.flatten() for p in parameters])
        return naive_influence(logits, flat, train, targets, **options)

    return compute


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "output", ["margin", "log_odds", "cross_entropy", "confidence"]
)
def test_equals_the_definition(n_classes, bias, output, make_classification, naive):
    data = make_classification(n_classes)
    influence = last_layer_influence(
        _module(n_classes, bias), *data, output=output, damping=0.3, batch_size=7
    )
    module = _module(n_classes, bias)
    expected = naive(module, *data, output=output, damping=0.3)
    assert_allclose(influence, expected, rtol=1e-7, atol=1e-9)


def test_equals_that_of_a_logistic_regression(make_classification):
    """A linear network with the weights of the optimum, without a penalty."""
    train, targets = make_classification(3)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(train.X, train.y)
    module = nn.Linear(4, 3).double()
    with torch.no_grad():
        module.weight[:] = torch.tensor(model.coef_)
        module.bias[:] = torch.tensor(model.intercept_)
    influence = last_layer_influence(module, train, targets, output="log_odds")
    expected = logistic_influence(model, train, targets, output="log_odds")
    assert_allclose(influence, expected, rtol=1e-6)


def test_module_is_left_as_it_was(make_classification):
    module = _module()
    last_layer_influence(module, *make_classification(3), damping=1)
    assert module.training
    assert not module[-1]._forward_hooks


def test_singular_hessian_names_damping(make_classification):
    train, targets = make_classification(3)
    few = train[:5], targets  # fewer examples than the layer has parameters
    with pytest.raises(ValueError, match=r"singular.*set damping above 0"):
        last_layer_influence(_module(), *few)
    assert np.isfinite(last_layer_influence(_module(), *few, damping=1e-3)).all()


def test_non_finite_embedding(make_classification):
    module = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)).double()
    train, targets = make_classification(3)
    X = np.array(train.X)
    X[4] = 1e308
    with torch.no_grad():
        module[0].weight.fill_(2.0)
    with pytest.raises(ValueError, match="non-finite values on train example 4"):
        last_layer_influence(module, Examples(X, train.y), targets, damping=1)


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (_module(), {"layer": "7"}, "layer='7' is not a torch.nn.Linear .* '0', '3'"),
        (_module(), {"layer": "0"}, "'0' does not compute the logits"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Tanh()).double(),
            {},
            "'0' does not compute the logits",
        ),
        (_module(), {"output": "correctness"}, "no known derivative"),
        (_module(), {"damping": -1.0}, "'damping' parameter"),
        (_module(4), {}, "logits of the 3 classes"),
    ],
)
def test_bad_input(module, options, message, make_classification):
    with pytest.raises(ValueError, match=message):
        last_layer_influence(module, *make_classification(3), **options)


@pytest.mark.parametrize("output", ["margin", "cross_entropy"])
def test_subset(output, make_classification):
    """Inside as without the others; outside the Hessian does not count them."""
    train, targets = make_classification(3)
    options = {"output": output, "damping": 0.3}
    subset, rows = np.r_[3:20], np.r_[3:20, 25]
    influence = last_layer_influence(
        _module(), train, targets, **options, subset=subset
    )
    inside = last_layer_influence(_module(), train[subset], targets, **options)
    assert_allclose(influence[:, subset], inside, rtol=1e-8)
    both = last_layer_influence(_module(), train[rows], targets, **options)
    one = last_layer_influence(
        _module(), train[rows], targets, **options, subset=np.arange(17)
    )
    assert_allclose(influence[:, 25], one[:, 17], rtol=1e-8)
    assert abs(both[:, 17] / one[:, 17] - 1).max() > 1e-3


def test_a_module_that_is_random_in_evaluation_mode(make_classification):
    class Random(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            return self.last(nn.functional.dropout(x, 0.5))  # training=True by default

    with pytest.raises(ValueError, match="must not be random in evaluation mode"):
        last_layer_influence(Random(), *make_classification(2), damping=0.1)
