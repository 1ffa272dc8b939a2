"""TorchLearner: a loop over one module with torch's own optimizers, many at a time."""

import pickle
import sys
import time
import warnings
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone

from skdatamodels import Examples, SubsetTrainer, sample_masks
from skdatamodels.training import TorchLearner

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = np.arange(140) % 3
    X = rng.standard_normal((140, 5)) + 1.5 * np.eye(5)[y]
    names = np.array(["a", "b", "c"])[y]
    return Examples(X[:120], names[:120]), Examples(X[120:], names[120:])


def mlp(*middle, width=8, n_out=3):
    return nn.Sequential(
        nn.Linear(5, width), *middle, nn.ReLU(), nn.Linear(width, n_out)
    )


class Residual(nn.Module):
    """Not a chain of layers."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.last(x + torch.tanh(self.first(x)))


def subsets(sizes, n_train=120):
    masks = np.zeros((len(sizes), n_train), dtype=bool)
    for i, size in enumerate(sizes):
        masks[i, np.random.default_rng(i).permutation(n_train)[:size]] = True
    return masks


def bound(blobs, factory=mlp, output="margin", **settings):
    settings = {"epochs": 3, "batch_size": 16} | settings
    return TorchLearner(factory, **settings).make_learner(*blobs, output)


def by_hand(
    blobs,
    factory,
    mask,
    seed,
    *,
    epochs,
    make_optimizer,
    rate,
    smoothing=0.0,
    mixed=False,
):
    """Train one module as torch's tutorials do, with the batches of the run."""
    train, targets = blobs
    X = torch.tensor(train.X, dtype=torch.float32)
    y = torch.tensor(np.searchsorted(["a", "b", "c"], train.y))
    torch.manual_seed(seed)
    module = factory()
    torch.manual_seed(seed)  # what a module draws while it is trained
    optimizer = make_optimizer(module.parameters())
    rng, subset = np.random.default_rng(seed), np.flatnonzero(mask)
    n_steps, step = epochs * (len(subset) // 16), 0
    for _ in range(epochs):
        order = rng.permutation(subset)[: len(subset) // 16 * 16]
        for batch in order.reshape(-1, 16):
            optimizer.param_groups[0]["lr"] = rate(step, n_steps)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                loss = F.cross_entropy(
                    module(X[batch]), y[batch], label_smoothing=smoothing
                )
            loss.backward()
            optimizer.step()
            step += 1
    with torch.no_grad():
        raw = module.eval()(torch.tensor(targets.X, dtype=torch.float32)).numpy()
    columns = np.searchsorted(["a", "b", "c"], targets.y)
    true = raw[np.arange(len(raw)), columns].copy()
    raw[np.arange(len(raw)), columns] = -np.inf
    return true - raw.max(axis=1)


@pytest.mark.parametrize("factory", [mlp, Residual])
@pytest.mark.parametrize(
    ("settings", "make_optimizer", "rate"),
    [
        (
            {"lr": 0.2, "momentum": 0.5, "weight_decay": 0.01, "schedule": "constant"},
            partial(torch.optim.SGD, lr=1, momentum=0.5, weight_decay=0.01),
            lambda step, n: 0.2,
        ),
        (
            {"lr": 0.3, "label_smoothing": 0.2},
            partial(torch.optim.SGD, lr=1, momentum=0.9),
            lambda step, n: 0.15 * (1 + np.cos(np.pi * step / n)),
        ),
        (
            {"optimizer": "adamw", "lr": 0.02, "weight_decay": 0.1},
            partial(torch.optim.AdamW, weight_decay=0.1),
            lambda step, n: 0.01 * (1 + np.cos(np.pi * step / n)),
        ),
        (
            {"lr": 0.4, "schedule": "triangle"},
            partial(torch.optim.SGD, lr=1, momentum=0.9),
            lambda step, n: 0.4 * min((step + 1) / (n / 5), (n - step) / (0.8 * n)),
        ),
    ],
)
def test_equals_a_loop_by_hand(blobs, factory, settings, make_optimizer, rate):
    masks, seeds = subsets([60, 41, 60, 100, 16]), np.array([5, 6, 7, 8, 2**32 - 1])
    outputs = bound(blobs, factory, epochs=5, **settings).train_many(masks, seeds)
    options = {"make_optimizer": make_optimizer, "rate": rate, "epochs": 5}
    options["smoothing"] = settings.get("label_smoothing", 0.0)
    for mask, seed, row in zip(masks, seeds.tolist(), outputs, strict=True):
        expected = by_hand(blobs, factory, mask, seed, **options)
        np.testing.assert_allclose(row, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("factory", [mlp, Residual])
def test_mixed_precision_is_that_of_autocast(blobs, factory):
    masks, seeds = subsets([60, 41, 60]), np.arange(3)
    plain, mixed = (
        bound(blobs, factory, epochs=5, mixed_precision=m).train_many(masks, seeds)
        for m in (False, True)
    )
    options = {"make_optimizer": partial(torch.optim.SGD, lr=1, momentum=0.9)}
    options["rate"] = lambda step, n: 0.05 * (1 + np.cos(np.pi * step / n))
    expected = [
        by_hand(blobs, factory, mask, seed, epochs=5, mixed=True, **options)
        for mask, seed in zip(masks, seeds.tolist(), strict=True)
    ]
    np.testing.assert_allclose(mixed, expected, atol=0.02)  # sums in another order
    assert np.abs(mixed - plain).max() > 1e-3  # float32 agrees within 1e-5


@pytest.mark.parametrize("factory", [mlp, Residual])
def test_a_run_does_not_depend_on_its_block(blobs, factory):
    sizes = np.random.default_rng(1).integers(30, 90, 20)
    masks, seeds = subsets(sizes), np.arange(20)
    expected = bound(blobs, factory, n_together=1).train_many(masks, seeds)
    for n_together in (3, 20):
        learner = bound(blobs, factory, n_together=n_together)
        order = np.random.default_rng(n_together).permutation(20)
        outputs = learner.train_many(masks[order], seeds[order])
        np.testing.assert_allclose(outputs, expected[order], rtol=1e-3, atol=1e-3)
    alone = learner(np.flatnonzero(masks[4]), 4)
    np.testing.assert_allclose(alone, expected[4], rtol=1e-3, atol=1e-3)


def test_steps_are_the_same_for_all_sizes_or_grow_with_them(blobs):
    masks = subsets([16, 64])
    kept = {"make_optimizer": partial(torch.optim.SGD, lr=1, momentum=0.9)}
    kept["rate"] = lambda step, n: 0.1
    by_steps = bound(blobs, epochs=None, steps=8, schedule="constant")
    by_epochs = bound(blobs, epochs=8, schedule="constant")
    small, large = by_steps.train_many(masks, [0, 1])
    expected = by_hand(blobs, mlp, masks[0], 0, epochs=8, **kept)
    np.testing.assert_allclose(small, expected, atol=1e-3)
    expected = by_hand(blobs, mlp, masks[1], 1, epochs=2, **kept)
    np.testing.assert_allclose(large, expected, atol=1e-3)
    expected = by_hand(blobs, mlp, masks[1], 1, epochs=8, **kept)
    np.testing.assert_allclose(
        by_epochs.train_many(masks, [0, 1])[1], expected, atol=1e-3
    )


@pytest.mark.parametrize(
    ("layer", "why"),
    [(partial(nn.BatchNorm1d, 8), "buffers"), (partial(nn.Dropout, 0.3), "Dropout")],
)
def test_what_cannot_be_stacked_is_trained_one_by_one(blobs, layer, why):
    def factory():
        return mlp(layer())

    with pytest.warns(UserWarning, match=f"{why}.*one by one"):
        learner = bound(blobs, factory, schedule="constant")
    assert learner.block_size == 1
    masks, seeds = subsets([60, 40, 60]), np.array([3, 4, 5])
    kept = {"make_optimizer": partial(torch.optim.SGD, lr=1, momentum=0.9), "epochs": 3}
    outputs = learner.train_many(masks, seeds)
    for mask, seed, row in zip(masks, seeds.tolist(), outputs, strict=True):
        expected = by_hand(blobs, factory, mask, seed, rate=lambda step, n: 0.1, **kept)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-3)


def test_a_module_that_vmap_refuses_is_trained_by_itself(blobs):
    class Branches(Residual):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else super().forward(-x)

    with pytest.warns(UserWarning, match=r"cannot be stacked by torch.vmap"):
        learner = bound(blobs, Branches)
    assert learner.block_size == 1


class GivesDict(Residual):
    def forward(self, x):
        return {"logits": super().forward(x)}


class Slow(nn.Sequential):
    """Made and computed so slowly that another thread is sure to come between."""

    def __init__(self, layer):
        first = nn.Linear(5, 8)
        time.sleep(1e-3)
        super().__init__(first, layer(), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        for part in self:
            time.sleep(1e-4)
            x = part(x)
        return x


@pytest.mark.parametrize(
    "layer", [nn.Identity, partial(nn.Dropout, 0.3), partial(nn.BatchNorm1d, 8)]
)
def test_threads_change_nothing(blobs, layer):
    learner = TorchLearner(partial(Slow, layer), epochs=1, batch_size=16, n_together=1)
    trainer = SubsetTrainer(learner, *blobs, random_state=0)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that they are not stacked
        expected = trainer.fit_transform(np.arange(16)).outputs
        with parallel_config("threading", n_jobs=4):
            outputs = trainer.fit_transform(np.arange(16)).outputs
    np.testing.assert_array_equal(outputs, expected)
    assert torch.equal(torch.get_rng_state(), state)


class Tied(nn.Module):
    """The embedding of what is largest is the output layer, too."""

    def __init__(self):
        super().__init__()
        self.embedding, self.inner = nn.Embedding(3, 5), nn.Linear(5, 5)
        self.last = nn.Linear(5, 3, bias=False)
        self.last.weight = self.embedding.weight

    def forward(self, x):
        return self.last(torch.tanh(self.inner(x)) + self.embedding(x.argmax(1) % 3))


def with_a_layer_twice():
    layer = nn.Linear(5, 5)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(5, 3))


def with_a_weight_twice():
    first, second = nn.Linear(5, 5), nn.Linear(5, 5)
    second.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Linear(5, 3))


def with_a_frozen_layer():
    first = nn.Linear(5, 5).requires_grad_(False)
    return nn.Sequential(first, nn.Tanh(), nn.Linear(5, 3))


@pytest.mark.parametrize(
    "factory", [Tied, with_a_layer_twice, with_a_weight_twice, with_a_frozen_layer]
)
@pytest.mark.parametrize("n_together", [1, 3])
def test_shared_parameters_equal_a_loop_by_hand(blobs, factory, n_together):
    learner = bound(blobs, factory, n_together=n_together, schedule="constant")
    masks, seeds = subsets([60, 41, 60]), np.arange(3)
    kept = {"make_optimizer": partial(torch.optim.SGD, lr=1, momentum=0.9), "epochs": 3}
    outputs = learner.train_many(masks, seeds)
    for mask, seed, row in zip(masks, seeds.tolist(), outputs, strict=True):
        expected = by_hand(blobs, factory, mask, seed, rate=lambda step, n: 0.1, **kept)
        np.testing.assert_allclose(row, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    "change",
    [nn.Module.double, nn.Module.half, nn.DataParallel],
    ids=["double", "half", "DataParallel"],
)
def test_modules_are_computed_in_float32_and_alone(blobs, change):
    masks, seeds = subsets([60, 41]), np.arange(2)
    outputs = bound(blobs, lambda: change(Residual())).train_many(masks, seeds)
    expected = bound(blobs, Residual).train_many(masks, seeds)
    np.testing.assert_allclose(outputs, expected, atol=0.02)  # half rounds the start


def test_the_same_module_again_starts_anew(blobs):
    norm = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))
    with pytest.warns(UserWarning, match="keeps buffers"):
        again, copied = bound(blobs, lambda: norm), bound(blobs, lambda: deepcopy(norm))
    masks, seeds = subsets([60, 41]), np.arange(2)
    expected = copied.train_many(masks, seeds)
    np.testing.assert_array_equal(again.train_many(masks, seeds), expected)


def test_regression():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    train, targets = Examples(X[:80], X[:80, 0]), Examples(X[80:], X[80:, 0])

    def linear():
        return nn.Linear(5, 1)

    settings = {
        "loss": "squared_error",
        "schedule": "constant",
        "epochs": 200,
        "lr": 0.05,
    }
    learner = bound((train, targets), linear, "prediction", **settings)
    outputs = learner.train_many(subsets([40, 70], 80), [0, 1])
    np.testing.assert_allclose(outputs, [targets.y, targets.y], atol=1e-3)


def test_a_run_that_diverges_is_nan_and_the_others_are_not(blobs):
    train = blobs[0].X.copy()
    train[0] = 1e30
    masks = subsets([60, 60])
    masks[:, 0] = [False, True]
    learner = bound((Examples(train, blobs[0].y), blobs[1]))
    outputs = learner.train_many(masks, [0, 1])
    assert np.isnan(outputs).all(axis=1).tolist() == [False, True]


def test_in_a_subset_trainer(blobs, tmp_path):
    learner = TorchLearner(mlp, epochs=3, batch_size=16)
    trainer = SubsetTrainer(learner, *blobs, random_state=0)
    expected = trainer.fit_transform(np.arange(12))
    np.testing.assert_array_equal(
        expected.masks, sample_masks(12, 120, 0.5, random_state=0).dense()
    )
    stored = clone(trainer).set_params(store=tmp_path, n_jobs=2)
    stored.fit_transform([7, 2, 5])
    outputs = clone(stored).fit_transform(np.arange(12)).outputs
    np.testing.assert_allclose(outputs, expected.outputs, rtol=1e-3, atol=1e-3)
    clone(stored).set_params(estimator__lr=0.05, n_jobs=1).fit_transform([0])
    clone(stored).set_params(output="log_odds", n_jobs=1).fit_transform([0])
    assert len(list(tmp_path.glob("TorchLearner-*/meta.json"))) == 3


def test_threads_and_torchs_generator_are_left_as_they_were(blobs):
    torch.set_num_threads(3)
    state = torch.get_rng_state()
    bound(blobs).train_many(subsets([30]), [0])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 3


def test_it_travels_light(blobs):
    learner = bound(blobs)
    size = len(pickle.dumps(learner))
    outputs = learner.train_many(subsets([30]), [0])
    assert len(pickle.dumps(learner)) == size
    again = pickle.loads(pickle.dumps(learner)).train_many(subsets([30]), [0])
    np.testing.assert_array_equal(again, outputs)


def test_blocks_are_as_large_as_memory_allows(blobs, monkeypatch):
    from skdatamodels.training._learners import stacked_modules

    assert bound(blobs).block_size == 64
    monkeypatch.setattr(stacked_modules, "available_memory", lambda: 2e5)
    assert 1 <= bound(blobs).block_size < 10
    monkeypatch.setattr(stacked_modules, "available_memory", lambda: 1.0)
    assert bound(blobs).block_size == 1
    assert bound(blobs, n_together=5).block_size == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "either epochs or steps"),
        ({"epochs": 1, "steps": 1}, "either epochs or steps"),
        ({"epochs": 1, "batch_size": 61}, "60 examples, fewer than a batch"),
        ({"epochs": 1, "lr": -1.0}, "lr"),
        ({"epochs": 1, "optimizer": "lion"}, "optimizer"),
        ({"epochs": 1, "module_factory": partial(mlp, n_out=4)}, r"shape \(4,\)"),
        ({"epochs": 1, "module_factory": nn.ReLU}, "no parameters"),
        ({"epochs": 1, "loss": "squared_error"}, "output='log_odds' is for classif"),
    ],
)
def test_bad_settings_are_told_before_any_training(blobs, settings, message):
    learner = TorchLearner(**({"module_factory": mlp} | settings))
    with pytest.raises(ValueError, match=message):
        SubsetTrainer(learner, *blobs, output="log_odds", random_state=0).fit([0])


def test_without_torch_it_says_what_to_install(blobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(
        sys.modules, "skdatamodels.training._learners.stacked_modules", False
    )
    with pytest.raises(ImportError, match=r'pip install "skdatamodels\[torch\]"'):
        bound(blobs)


def test_bad_masks_and_modules_are_told_before_any_training(blobs):
    masks = subsets([60, 15])
    trainer = SubsetTrainer(TorchLearner(mlp, epochs=1, batch_size=16), *blobs)
    with pytest.raises(ValueError, match="15 examples, fewer than a batch"):
        trainer.fit(masks)
    trainer.set_params(estimator__module_factory=GivesDict)
    with pytest.raises(TypeError, match="gives a dict, and a tensor is needed"):
        trainer.fit([0])
    trainer.set_params(estimator__module_factory=dict)
    with pytest.raises(TypeError, match=r"must return a torch\.nn\.Module, got dict"):
        trainer.fit([0])
