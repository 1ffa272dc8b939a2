"""load_state: the states that other programs write, and those that are none."""

from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

from skdatamodels.influence._checkpoints import load_state  # noqa: E402


class _Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(3, 4), nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 3)
        self.head.weight = self.embedding.weight


def _state(seed=1):
    torch.manual_seed(seed)
    return _Tied().state_dict()


def _check(found, state):
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert torch.equal(found[name], value), name


def _with_prefix(state, prefix):
    return {prefix + name: value for name, value in state.items()}


OTHERS = {"epoch": 3, "optimizer_states": [{"lr": 0.1}], "hyper_parameters": {}}


@pytest.mark.parametrize(
    "checkpoint",
    [
        OrderedDict(_state()),
        nn.DataParallel(_Tied()).state_dict() | _with_prefix(_state(), "module."),
        _with_prefix(_state(), "_orig_mod.module."),
        OTHERS | {"state_dict": _state()},
        OTHERS | {"model_state_dict": _state()},
        OTHERS
        | {
            "state_dict": _with_prefix(_state(), "net.")
            | {"loss.weight": torch.ones(3), "embedding.weight": torch.ones(1)}
        },
        {name: value for name, value in _state().items() if name != "head.weight"},
        {name: v for name, v in _state().items() if name != "embedding.weight"},
        _state() | {"_extra_state": {"scale": 3}},
    ],
    ids=[
        "state",
        "DataParallel",
        "compiled",
        "Lightning",
        "tutorial",
        "Lightning with prefix",
        "tied by the first name",
        "tied by the second name",
        "extra state",
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_states_of_other_programs(checkpoint, as_file, tmp_path):
    if as_file:
        torch.save(checkpoint, tmp_path / "state.ckpt")
        checkpoint = tmp_path / "state.ckpt"
    _check(load_state(checkpoint, 0, _Tied()), _state())


def test_dtype_is_that_of_the_module():
    halved = _Tied().half().state_dict()
    found = load_state(halved, 0, _Tied())
    assert found["head.weight"].dtype == torch.float32
    assert found["norm.num_batches_tracked"].dtype == torch.int64


def _without(name):
    return {key: value for key, value in _state().items() if key != name}


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (_without("head.bias"), "Checkpoint 4 does not match the module: head.bias is"),
        (_state() | {"tail.bias": torch.ones(3)}, "module: tail.bias is in only one"),
        (
            _with_prefix(_state() | {"tail.bias": torch.ones(3)}, "net."),
            "module: tail.bias is in only one",
        ),
        (
            _state() | {"head.bias": torch.ones(4)},
            r"head.bias has shape \(4,\), but in the module \(3,\)",
        ),
        (
            _state() | {"head.weight": torch.ones(3, 4)},
            "embedding.weight and head.weight differ, but they are the same tensor",
        ),
        (
            _with_prefix(_state(), "net.") | _with_prefix(_state(), "ema."),
            "several states of this module, with the prefixes 'ema.', 'net.'",
        ),
        (OTHERS, "its entry 'epoch' is a int, not a tensor. Pass the result"),
        (_state() | {"head.bias": [1.0] * 3}, "its entry 'head.bias' is a list"),
    ],
)
def test_what_is_not_a_state_of_the_module(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        load_state(checkpoint, 4, _Tied())


def test_file_that_holds_more_says_what_to_do(tmp_path):
    torch.save({"state_dict": _state(), "config": _Tied}, tmp_path / "all.ckpt")
    with pytest.raises(ValueError, match=r"weights_only=False\) and pass the state"):
        load_state(tmp_path / "all.ckpt", 0, _Tied())
