"""ImageLearner: a plain loop over torch's SGD, and augmentation by hand with numpy."""

import copy
import pickle
import sys
import time

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.training import ImageLearner

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

from skdatamodels.training._learners import image_training  # noqa: E402
from skdatamodels.training._learners.image_training import (  # noqa: E402
    Augmentation,
    colour_scale,
    learning_rates,
)

SMALL = {
    "epochs": 3,
    "peak_epoch": 1.5,
    "batch_size": 8,
    "lr": 0.05,
    "crop": 2,
    "cutout": 3,
}


@pytest.fixture(scope="module")
def images():
    """Images of noise with a bright corner that tells the class."""
    rng = np.random.default_rng(0)
    y = np.arange(66) % 3
    X = rng.integers(0, 120, (66, 9, 7, 2), dtype=np.uint8)
    for x, label in zip(X, y, strict=True):
        x[3 * label : 3 * label + 3, :, label % 2] += 100
    names = np.array(["a", "b", "c"])[y]
    return Examples(X[:48], names[:48]), Examples(X[48:], names[48:])


def network(norm=nn.BatchNorm2d):
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        norm(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(36, 3),
    )


def with_dropout():
    return network(lambda _: nn.Dropout(0.2))


def bound(images, factory=network, output="margin", **settings):
    return ImageLearner(factory, **(SMALL | settings)).make_learner(*images, output)


def augment_by_hand(x, draws, crop, cutout, mean, deviation):
    """Pad, cut out, mirror, scale, and cover a square; images one by one."""
    changed = []
    for image, (down, right, mirrored, top, left) in zip(x, draws.T, strict=True):
        height, width, _ = image.shape
        padded = np.pad(image, ((crop, crop), (crop, crop), (0, 0)), mode="reflect")
        rows = slice(crop + down, crop + down + height)
        image = padded[rows, crop + right : crop + right + width]
        if mirrored:
            image = image[:, ::-1]
        image = (image.astype(float) - mean) / deviation
        covered = slice(max(top, 0), top + cutout), slice(max(left, 0), left + cutout)
        image[covered] = 0 if cutout else image[covered]
        changed.append(image)
    return np.stack(changed)


def by_hand(images, factory, subset, seed, **changes):
    settings = ImageLearner(factory, **(SMALL | changes))
    train, targets = images
    mean, deviation = train.X.mean(axis=(0, 1, 2)), train.X.std(axis=(0, 1, 2), ddof=1)
    labels = torch.tensor(np.searchsorted(["a", "b", "c"], train.y))
    torch.manual_seed(seed)
    module = factory()
    torch.manual_seed(seed)  # what a module draws while it is trained
    optimizer = torch.optim.SGD(
        module.parameters(),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    order, rng = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    size, crop, cutout = settings.batch_size, settings.crop, settings.cutout
    per_epoch, step = len(subset) // size, 0
    for _ in range(settings.epochs):
        epoch = order.permutation(subset)[: per_epoch * size].reshape(-1, size)
        for batch in epoch:
            when = (step + 0.5) / per_epoch
            peak = settings.peak_epoch
            up, down = when / peak, (settings.epochs - when) / (settings.epochs - peak)
            optimizer.param_groups[0]["lr"] = settings.lr * min(up, down)
            low = [-crop, -crop, 0, -(cutout // 2), -(cutout // 2)]
            high = [crop + 1, crop + 1, 1 + settings.flip]
            high += [9 - cutout // 2, 7 - cutout // 2]
            draws = rng.integers(np.c_[low], np.c_[high], (5, size))
            x = augment_by_hand(train.X[batch], draws, crop, cutout, mean, deviation)
            x = torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float32)
            optimizer.zero_grad()
            F.cross_entropy(
                module(x), labels[batch], label_smoothing=settings.label_smoothing
            ).backward()
            optimizer.step()
            step += 1
    x = ((targets.X - mean) / deviation).transpose(0, 3, 1, 2)
    x = torch.tensor(x, dtype=torch.float32)
    module.eval()
    with torch.no_grad():
        raw = module(x)
        if settings.flip_targets:
            raw = (raw + module(x.flip(3))) / 2
    raw = raw.numpy()
    columns = np.searchsorted(["a", "b", "c"], targets.y)
    true = raw[np.arange(len(raw)), columns].copy()
    raw[np.arange(len(raw)), columns] = -np.inf
    return true - raw.max(axis=1)


@pytest.mark.parametrize("factory", [network, with_dropout])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"crop": 0, "cutout": 0, "flip": False, "flip_targets": False},
        {"epochs": 5, "label_smoothing": 0.0, "momentum": 0.0, "weight_decay": 0.1},
        {"flip": False, "crop": 5, "cutout": 6},
    ],
)
def test_equals_a_loop_by_hand(images, factory, settings):
    subset = np.random.default_rng(1).permutation(48)[:30]  # six are left over
    for seed in 3, 2**32 - 1:
        outputs = bound(images, factory, **settings)(subset, seed)
        expected = by_hand(images, factory, subset, seed, **settings)
        np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("crop", "cutout"), [(0, 0), (2, 0), (0, 3), (4, 4), (6, 1)])
@pytest.mark.parametrize("flip", [False, True])
def test_augmentation_by_hand(images, crop, cutout, flip):
    x, mean, deviation = images[0].X, np.array([50.0, 70.0]), np.array([20.0, 30.0])
    settings = ImageLearner(network, crop=crop, cutout=cutout, flip=flip)
    augment = Augmentation(settings, np.random.default_rng(0))
    again = copy.deepcopy(augment)
    scale = [torch.tensor(part) for part in (mean, deviation)]
    changed = augment(torch.tensor(x), *scale).permute(0, 2, 3, 1)
    draws = again.draw(len(x), 9, 7)
    expected = augment_by_hand(x, draws, crop, cutout, mean, deviation)
    np.testing.assert_allclose(changed, expected, atol=1e-5)


def test_what_is_drawn():
    settings = ImageLearner(network, crop=2, cutout=4)
    draws = Augmentation(settings, np.random.default_rng(0)).draw(20_000, 9, 7)
    for drawn, low, high in zip(
        draws, [-2, -2, 0, -2, -2], [2, 2, 1, 6, 4], strict=True
    ):
        values, counts = np.unique(drawn, return_counts=True)
        np.testing.assert_array_equal(values, np.arange(low, high + 1))
        assert counts.max() / counts.min() < 1.25
    assert abs(np.corrcoef(draws) - np.eye(5)).max() < 0.05


def test_learning_rates():
    settings = ImageLearner(network, epochs=4, peak_epoch=1)
    expected = [1 / 4, 3 / 4, 11 / 12, 9 / 12, 7 / 12, 5 / 12, 3 / 12, 1 / 12]
    np.testing.assert_allclose(learning_rates(settings, 2), expected)


def test_scale_of_many_images_is_that_of_some():
    class Images:
        def __len__(self):
            return 5001

        def batches(self, rows, size):
            assert (rows[0], rows[-1], len(rows), size) == (0, 5000, 2000, 2000)
            yield torch.arange(2000, dtype=torch.uint8)[:, None, None, None]

    mean, deviation = colour_scale(Images())
    values = np.arange(2000) % 256
    np.testing.assert_allclose(
        [mean, deviation], [[values.mean()], [values.std(ddof=1)]]
    )


def test_it_learns(images):
    outputs = bound(images, epochs=25, peak_epoch=5, crop=0, lr=0.2)(np.arange(48), 0)
    assert (outputs > 0).mean() > 0.9


@pytest.mark.slow
def test_in_a_subset_trainer(images, tmp_path):
    learner = ImageLearner(network, **SMALL)
    trainer = SubsetTrainer(learner, *images, random_state=0)
    expected = trainer.fit_transform(np.arange(6))
    stored = clone(trainer).set_params(store=tmp_path, n_jobs=2)
    stored.fit_transform([4, 1])
    outputs = clone(stored).fit_transform(np.arange(6)).outputs
    np.testing.assert_array_equal(outputs, expected.outputs)
    assert len(np.unique(outputs[:, 0])) == 6
    clone(stored).set_params(estimator__cutout=0, n_jobs=1).fit_transform([0])
    assert len(list(tmp_path.glob("ImageLearner-*/meta.json"))) == 2


def test_a_run_follows_from_its_seed_and_leaves_torch_as_it_was(images):
    learner, subset = bound(images, with_dropout), np.arange(40)
    expected = learner(subset, 1)
    torch.set_num_threads(3)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    np.testing.assert_array_equal(learner(subset, 1), expected)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 3
    assert not torch.is_autocast_enabled()
    assert (learner(subset, 2) != expected).all()


def slow_with_dropout():
    layers = [*with_dropout()]
    time.sleep(1e-3)  # another thread is sure to come between
    return nn.Sequential(*layers[:-1], nn.Linear(36, 3))


@pytest.mark.parametrize("factory", [network, slow_with_dropout])
def test_threads_change_nothing(images, factory):
    learner = ImageLearner(factory, **(SMALL | {"epochs": 2, "peak_epoch": 1}))
    trainer = SubsetTrainer(learner, *images, random_state=0)
    expected = trainer.fit_transform(np.arange(12)).outputs
    with parallel_config("threading", n_jobs=4):
        outputs = trainer.fit_transform(np.arange(12)).outputs
    np.testing.assert_array_equal(outputs, expected)


def test_the_same_module_again_starts_anew(images):
    torch.manual_seed(0)
    module = network()
    learner = bound(images, lambda: module)
    subset = np.arange(40)
    np.testing.assert_array_equal(learner(subset, 3), learner(subset, 3))


def test_it_travels_light(images):
    learner = bound(images)
    size = len(pickle.dumps(learner))
    outputs = learner(np.arange(20), 0)
    assert len(pickle.dumps(learner)) == size
    again = pickle.loads(pickle.dumps(learner))(np.arange(20), 0)
    np.testing.assert_array_equal(again, outputs)


def test_half_precision_as_on_cuda_learns_the_same(images, monkeypatch):
    learner, subset = bound(images, epochs=20, lr=0.1), np.arange(48)
    expected = learner(subset, 0)
    monkeypatch.setattr(image_training, "_is_half", lambda settings: True)
    outputs = learner(subset, 0)
    assert np.corrcoef(outputs, expected)[0, 1] > 0.98
    assert 0 < abs(outputs - expected).max() < 0.2 * abs(expected).max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("half", "tolerance"), [(False, 0.01), (True, 0.1)])
def test_on_cuda(images, half, tolerance):
    subset = np.arange(40)
    learner = bound(images, device="cuda", half=half)
    outputs = learner(subset, 1)
    np.testing.assert_allclose(outputs, bound(images)(subset, 1), atol=tolerance)
    np.testing.assert_allclose(learner(subset, 1), outputs, atol=tolerance / 10)


def test_a_run_that_diverges_says_so(images):
    with pytest.raises(ValueError, match="training diverged"):
        bound(images, lr=1e30, label_smoothing=0.0)(np.arange(40), 0)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"peak_epoch": 3}, ValueError, r"peak_epoch=3 must be less than epochs=3"),
        ({"crop": 7}, ValueError, r"crop=7 is too large for images of 9 by 7 pixels"),
        ({"cutout": 8}, ValueError, r"cutout=8 is too large"),
        ({"lr": 0}, ValueError, r"'lr' parameter of ImageLearner must be"),
        ({"output": "prediction"}, ValueError, r"ImageLearner is for classification"),
        ({"factory": lambda: nn.Conv2d(3, 1, 1)}, ValueError, r"cannot take images"),
        ({"factory": lambda: nn.Flatten()}, ValueError, r"of shape \(2, 126\) for two"),
        ({"factory": lambda: 3}, TypeError, r"must return a torch.nn.Module, got int"),
    ],
)
def test_bad_settings(images, settings, error, message):
    with pytest.raises(error, match=message):
        bound(images, **settings)


def test_bad_examples(images):
    train, targets = images
    for X in (train.X / 255, train.X[..., 0], train.X.astype(np.int64)):
        wrong = Examples(X, train.y)
        with pytest.raises(TypeError, match=r"train.X must be images, uint8 of shape"):
            bound((wrong, wrong))
    with pytest.raises(TypeError, match=r"targets.X must be images.*got float64"):
        bound((train, Examples(targets.X / 255, targets.y)))
    with pytest.raises(ValueError, match=r"shape \(9, 7, 2\), one of targets.X"):
        bound((train, Examples(targets.X[:, :-1], targets.y)))
    trainer = SubsetTrainer(ImageLearner(network, **SMALL), *images, alpha=0.1)
    with pytest.raises(ValueError, match=r"5 examples, fewer than a batch"):
        trainer.fit([0])


def test_without_torch(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "skdatamodels\[torch\]"'):
        bound(images)
