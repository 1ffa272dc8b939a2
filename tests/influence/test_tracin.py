import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdatamodels import Examples
from skdatamodels.influence import gradient_dot, tracin
from skdatamodels.outputs import get_output

torch = pytest.importorskip("torch")
nn = torch.nn

TRAIN = Examples(np.random.default_rng(0).normal(size=(9, 1, 4)), list("abcabcabc"))
TARGETS = Examples(np.random.default_rng(1).normal(size=(5, 1, 4)), list("abcab"))


def _module(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv1d(1, 2, 2),
        nn.BatchNorm1d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Tanh(),
        nn.Linear(6, 3),
    ).to(dtype)


def _naive(module, output):
    """One backward pass for each example and target, no vmap, no blocks."""

    def gradient(X, y, output):
        module.zero_grad()
        column = "abc".index(y)
        logits = module(torch.tensor(X[None], dtype=torch.float64))[0]
        others = torch.cat([logits[:column], logits[column + 1 :]])
        value = {
            "cross_entropy": -torch.log_softmax(logits, 0)[column],
            "margin": logits[column] - others.max(),
            "log_odds": logits[column] - torch.logsumexp(others, 0),
            "square": logits[column] ** 2,
        }[output]
        value.backward()
        return torch.cat([p.grad.flatten() for p in module.parameters()]).numpy()

    module = module.eval()
    g = [gradient(*z, "cross_entropy") for z in zip(TRAIN.X, TRAIN.y, strict=True)]
    h = [gradient(*z, output) for z in zip(TARGETS.X, TARGETS.y, strict=True)]
    return -np.array(h) @ np.array(g).T


def _square(logits, y):
    return torch.where(torch.arange(3) == y, logits**2, 0).sum()


OUTPUTS = ["margin", "log_odds", "cross_entropy", _square]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("block_bytes", [1, 3000, 2**28])
def test_equals_one_backward_pass_an_example(output, block_bytes):
    influence = gradient_dot(
        _module(), TRAIN, TARGETS, output=output, block_bytes=block_bytes
    )
    expected = _naive(_module(), "square" if output is _square else output)
    assert_allclose(influence, expected, rtol=1e-10)


@pytest.mark.parametrize("output", ["margin", "log_odds", "cross_entropy"])
def test_is_the_effect_of_a_step(output):
    """Sign and scale: what gradient descent on one example does to the outputs."""
    influence = gradient_dot(_module(), TRAIN, TARGETS, output=output)

    def measure(module):
        logits = module(torch.tensor(TARGETS.X)).detach().numpy()
        return get_output(output)(logits, np.array([0, 1, 2, 0, 1]))

    for i in range(len(TRAIN)):
        changed = []
        for rate in (1e-5, -1e-5):
            module = _module().eval()
            logits = module(torch.tensor(TRAIN.X[i : i + 1]))
            nn.functional.cross_entropy(logits, torch.tensor([i % 3])).backward()
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter -= rate * parameter.grad
            changed.append(measure(module))
        effect = (changed[0] - changed[1]) / 2e-5
        assert_allclose(influence[:, i], effect, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("as_files", [False, True])
def test_tracin_sums_over_checkpoints(as_files, tmp_path):
    rates, modules = [0.3, 0.1, 0.05], [_module(seed) for seed in (1, 2, 3)]
    # Statistics of batch norm belong to the state as parameters do.
    for seed, module in enumerate(modules):
        module[1].running_mean += seed
    states = [module.state_dict() for module in modules]
    if as_files:
        paths = [tmp_path / f"{seed}.pt" for seed in range(3)]
        for state, path in zip(states, paths, strict=True):
            torch.save(state, path)
        states = paths
    module = _module()
    influence = tracin(module, TRAIN, TARGETS, checkpoints=states, learning_rates=rates)
    expected = sum(
        rate * _naive(part, "margin") for rate, part in zip(rates, modules, strict=True)
    )
    assert_allclose(influence, expected, rtol=1e-10)
    for name, value in _module().state_dict().items():
        assert_allclose(module.state_dict()[name], value)


def test_float32_module_and_frozen_layer():
    module = _module(dtype=torch.float32)
    assert module.training
    single = gradient_dot(module, TRAIN, TARGETS)
    assert module.training  # left as it was
    assert single.dtype == np.float64
    assert_allclose(single, _naive(_module(), "margin"), rtol=1e-3, atol=1e-5)
    for parameter in module[0].parameters():
        parameter.requires_grad_(False)
    frozen = gradient_dot(module, TRAIN, TARGETS)
    module[0].requires_grad_(True)
    assert abs(frozen - single).max() > 1e-3


def test_non_finite_gradient_names_example_and_parameter():
    X = np.array(TRAIN.X)
    X[7] = 1e300  # squares overflow
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        module[1].weight[:] = torch.arange(12.0).reshape(3, 4) * 1e10
    with pytest.raises(ValueError, match=r"of train example 7 by .*'1.weight'"):
        gradient_dot(module, Examples(X, TRAIN.y), TARGETS, block_bytes=400)


def test_progress(capsys):
    """Gradients of the 9 training examples, twice for two blocks of targets."""
    size = sum(p.numel() for p in _module().parameters()) * 8
    gradient_dot(_module(), TRAIN, TARGETS, block_bytes=6 * size, verbose=1)
    assert "18/18" in capsys.readouterr().err
    states = {"checkpoints": [STATE] * 2, "learning_rates": [0.1] * 2}
    tracin(_module(), TRAIN, TARGETS, **states, verbose=1)
    assert "18/18" in capsys.readouterr().err
    tracin(_module(), TRAIN, TARGETS, **states)
    assert capsys.readouterr().err == ""


STATE = _module().state_dict()
WIDER = nn.Sequential(nn.Flatten(), nn.Linear(4, 4)).double()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rates": [0.1, 0.2]}, r"1 checkpoints, learning_rates of shape \(2"),
        ({"checkpoints": [], "learning_rates": []}, "one or more checkpoints"),
        ({"learning_rates": [np.nan]}, "must be finite"),
        ({"checkpoints": [WIDER.state_dict()]}, "Checkpoint 0 does not match"),
        (
            {"checkpoints": [STATE | {"5.bias": torch.zeros(4)}]},
            r"5.bias has shape \(4,\), but in the module \(3,\)",
        ),
        ({"output": "accuracy"}, "output must be one of margin"),
        ({"block_bytes": 0}, "'block_bytes' parameter"),
        ({"module": WIDER}, r"shape \(1, 4\) for one .* logits of the 3 classes"),
        ({"targets": Examples(TARGETS.X, list("abcdz"))}, "not in the training set"),
    ],
)
def test_bad_input(options, message):
    defaults = {
        "module": _module(),
        "train": TRAIN,
        "targets": TARGETS,
        "checkpoints": [STATE],
        "learning_rates": [0.1],
    }
    with pytest.raises(ValueError, match=message):
        tracin(**defaults | options)


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "skdatamodels\[torch\]"'):
        gradient_dot(_square, TRAIN, TARGETS)


def test_checkpoint_that_does_not_load(tmp_path):
    whole, cut, number = (
        tmp_path / f"{name}.pt" for name in ("whole", "cut", "number")
    )
    torch.save(_module(), whole)
    torch.save(STATE, cut)
    cut.write_bytes(cut.read_bytes()[:500])
    torch.save(3, number)
    for path, message in (
        (whole, "Checkpoint 1 cannot be loaded: .*whole.pt is damaged, or contains"),
        (cut, "Checkpoint 1 cannot be loaded: .*cut.pt is damaged"),
        (number, "Checkpoint 1 is not the state .*number.pt contains a int"),
    ):
        with pytest.raises(ValueError, match=message):
            tracin(
                _module(),
                TRAIN,
                TARGETS,
                checkpoints=[STATE, path],
                learning_rates=[0.1, 0.1],
            )


class _Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.GRU(4, 3), nn.Linear(3, 3)

    def forward(self, X):
        return self.last(self.layer(X.transpose(0, 1))[0][0])


def test_layer_that_torch_cannot_differentiate_for_many():
    with pytest.raises(RuntimeError, match=r"(?s)vmap cannot .* recurrent layers"):
        gradient_dot(_Recurrent(), TRAIN, TARGETS)


def test_bad_module():
    with pytest.raises(TypeError, match=r"torch.nn.Module, got function"):
        gradient_dot(_square, TRAIN, TARGETS)
    with pytest.raises(ValueError, match="No parameter of the module requires"):
        gradient_dot(_module().requires_grad_(False), TRAIN, TARGETS)
