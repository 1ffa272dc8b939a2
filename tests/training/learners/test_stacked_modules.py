"""StackedModules: outputs and gradients of each module, as it gives them in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from skdatamodels.training._learners.stacked_modules import StackedModules  # noqa: E402

nn = torch.nn
X = np.random.default_rng(0).standard_normal((2, 3, 4))
SEEDS = [3, 4, 5]


def flat():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 9),
        nn.ReLU(),
        nn.Linear(9, 5, bias=False),
        nn.Tanh(),
    )


def wide():
    return nn.Sequential(nn.ELU(), nn.Flatten(), nn.Linear(12, 300), nn.Linear(300, 1))


def rows_first():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2))


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.flat, self.inner = nn.Flatten(), nn.Linear(12, 12)

    def forward(self, x):
        x = self.flat(x)
        return x + self.inner(x).sigmoid()


@pytest.mark.parametrize(
    ("factory", "is_mlp"),
    [(flat, True), (wide, True), (rows_first, False), (Skip, False)],
)
@pytest.mark.parametrize("seeds", [SEEDS, SEEDS[:1]])
def test_outputs_and_gradients_are_those_of_each_module(factory, is_mlp, seeds):
    modules = StackedModules(factory, X)
    assert modules.obstacle is None
    assert modules.is_mlp == is_mlp
    x = torch.randn(len(seeds), 6, 3, 4, generator=torch.Generator().manual_seed(0))
    parameters = modules.initial(seeds, "cpu")
    leaves = {name: p.requires_grad_() for name, p in parameters.items()}
    _, forward = modules.forward_for(seeds, "cpu")
    outputs = forward(leaves, x)
    outputs.square().sum().backward()
    assert outputs.shape == (len(seeds), 6, *modules.output_shape)
    for i, seed in enumerate(seeds):
        torch.manual_seed(seed)
        alone = factory().double()
        expected = alone(x[i].double())
        expected.square().sum().backward()
        np.testing.assert_allclose(
            outputs[i].detach(), expected.detach(), rtol=1e-4, atol=1e-5
        )
        for name, p in alone.named_parameters():
            np.testing.assert_allclose(
                leaves[name].grad[i], p.grad, rtol=1e-3, atol=1e-4
            )


def test_counts():
    modules = StackedModules(flat, X)
    assert modules.n_parameters == 12 * 9 + 9 + 9 * 5
    # the input, and what each layer gives
    assert modules.n_activations == 12 + 12 + 9 + 9 + 5 + 5
    assert modules.output_shape == (5,)


def test_factories_leave_torchs_generator_alone():
    state = torch.get_rng_state()
    StackedModules(flat, X).initial(SEEDS, "cpu")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([nn.BatchNorm1d(12)], "buffers"),
        ([nn.Dropout(0.5)], "random numbers"),
    ],
)
def test_obstacles(layers, why):
    modules = StackedModules(
        lambda: nn.Sequential(nn.Flatten(), *layers, nn.Linear(12, 2)), X
    )
    assert why in modules.obstacle
    assert not modules.is_mlp


def test_a_layer_that_is_there_twice_has_one_set_of_parameters():
    def twice():
        layer = nn.Linear(12, 12)
        return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer)

    modules = StackedModules(twice, X)
    assert not modules.is_mlp
    assert modules.n_parameters == 12 * 12 + 12
