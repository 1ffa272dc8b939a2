"""train_block: each run as torch's optimizers train it alone, in float64."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from skdatamodels.training import TorchLearner  # noqa: E402
from skdatamodels.training._learners.stacked_modules import StackedModules  # noqa: E402
from skdatamodels.training._learners.stacked_training import (  # noqa: E402
    count_steps,
    draw_batches,
    relative_rate,
    train_block,
)

nn, F = torch.nn, torch.nn.functional
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((90, 6)), RNG.integers(0, 3, 90)
TARGETS = RNG.standard_normal((11, 6))
SUBSETS = [RNG.permutation(90)[:size] for size in (30, 55, 8, 55)]
SEEDS = [11, 12, 13, 2**32 - 1]


def factory(n_out=3):
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, n_out))


def in_float64(settings, make_optimizer, loss, y, subset, seed, n_out):
    """Train a module of the run's seed on the run's batches; return raw outputs."""
    torch.manual_seed(seed)
    module = factory(n_out).double()
    optimizer = make_optimizer(module.parameters())
    n_steps = settings.steps or settings.epochs * (len(subset) // 8)
    batches = draw_batches(subset, 8, seed)
    for step in range(n_steps):
        rate = relative_rate(settings.schedule, step, np.array([n_steps]))[0]
        optimizer.param_groups[0]["lr"] = settings.lr * rate
        batch = next(batches)
        optimizer.zero_grad()
        loss(module(torch.tensor(X[batch])), torch.tensor(y[batch])).backward()
        optimizer.step()
    with torch.no_grad():
        return module(torch.tensor(TARGETS)).numpy()


@pytest.mark.parametrize(
    ("settings", "make_optimizer"),
    [
        (
            {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.02, "epochs": 3},
            partial(torch.optim.SGD, momentum=0.8, weight_decay=0.02),
        ),
        (
            {"lr": 0.01, "optimizer": "adamw", "weight_decay": 0.1, "steps": 15},
            partial(torch.optim.AdamW, weight_decay=0.1),
        ),
    ],
)
@pytest.mark.parametrize("schedule", ["constant", "cosine", "triangle"])
@pytest.mark.parametrize("squared", [False, True])
def test_runs_of_several_lengths(settings, make_optimizer, schedule, squared):
    y, n_out, loss = Y, 3, partial(F.cross_entropy, label_smoothing=0.1)
    if squared:
        y, n_out = Y / 2.0, 1
        settings = settings | {"loss": "squared_error"}

        def loss(outputs, y):
            return F.mse_loss(outputs[:, 0], y)
    else:
        settings = settings | {"label_smoothing": 0.1}
    learner = TorchLearner(factory, schedule=schedule, batch_size=8, **settings)
    modules = StackedModules(partial(factory, n_out), X[:2])
    data = [torch.tensor(a, dtype=torch.float32) for a in (X, y, TARGETS)]
    data[1] = data[1] if squared else data[1].long()
    raw = train_block(modules, learner, data, SUBSETS, SEEDS)
    for row, subset, seed in zip(raw, SUBSETS, SEEDS, strict=True):
        expected = in_float64(learner, make_optimizer, loss, y, subset, seed, n_out)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-4)


def test_batches_cover_a_subset_once_an_epoch():
    subset = RNG.permutation(1000)[:30]
    batches = draw_batches(subset, 8, seed=5)
    epochs = [np.concatenate([next(batches) for _ in range(3)]) for _ in range(40)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 24
        assert np.isin(epoch, subset).all()
    assert (epochs[0] != epochs[1]).any()
    assert np.isin(subset, np.concatenate(epochs)).all()  # the left over take turns


def test_steps():
    by_epochs = TorchLearner(factory, epochs=5, batch_size=8)
    assert [count_steps(by_epochs, size) for size in (8, 15, 16)] == [5, 5, 10]
    assert count_steps(TorchLearner(factory, steps=7), 1000) == 7


@pytest.mark.parametrize("n_steps", [1, 3, 10, 100])
def test_schedules(n_steps):
    def rates(schedule):
        n = np.array([n_steps])
        return np.array([relative_rate(schedule, i, n)[0] for i in range(n_steps)])

    assert (rates("constant") == 1).all()
    expected = (1 + np.cos(np.pi * np.arange(n_steps) / n_steps)) / 2
    np.testing.assert_allclose(rates("cosine"), expected)
    triangle = rates("triangle")
    assert (triangle > 0).all()
    assert triangle.max() <= 1
    if n_steps >= 10:  # the peak is after a fifth of the steps
        assert triangle.argmax() == n_steps // 5 - 1
        assert triangle.max() == 1
        np.testing.assert_allclose(np.diff(triangle, 2)[n_steps // 5 :], 0, atol=1e-12)
