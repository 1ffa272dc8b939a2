"""Training of one network on images that are augmented on the device."""

from contextlib import closing
from itertools import islice

import numpy as np
import torch
from torch.nn import functional as F

from skdatamodels._process_state import seeded_torch, single_torch_thread
from skdatamodels.training._learners.stacked_modules import make_module
from skdatamodels.training._learners.stacked_training import draw_batches

_TARGET_ROWS = 1024  # targets that are measured together
_SCALE_ROWS = 2000  # images from which the colour scale is computed


class ResidentImages:
    """Images that stay on the device, as bytes.

    Parameters
    ----------
    X : uint8 array of shape (n, height, width, channels)
        The images.
    device : str
        Device on which torch computes.
    """

    def __init__(self, X, device):
        self.X = torch.tensor(X, device=device)

    def __len__(self):
        return len(self.X)

    def batches(self, rows, size):
        """Yield batches (size, height, width, channels) of images, in order of `rows`.

        The last batch may be smaller.
        """
        for part in torch.as_tensor(rows, device=self.X.device).split(size):
            yield self.X[part]


def colour_scale(images):
    """Return the mean and standard deviation (channels,) of a sample of images."""
    rows = np.linspace(0, len(images) - 1, min(len(images), _SCALE_ROWS)).astype(int)
    with closing(images.batches(rows, len(rows))) as batches:
        pixels = next(batches).double().flatten(0, 2)
    deviation, mean = torch.std_mean(pixels, dim=0)
    return mean.float(), deviation.clamp(min=1).float()  # of 256 grey levels


class PixelNetwork(torch.nn.Module):
    """A network that takes images as they are in the examples.

    Parameters
    ----------
    network : torch.nn.Module
        Network that takes images of shape (n, channels, height, width).
    mean, deviation : tensors of shape (channels,)
        Scale of the colours.
    """

    def __init__(self, network, mean, deviation):
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, x):
        """Return the logits of images (n, height, width, channels) from 0 to 255."""
        return self.network(normalize(x, self.mean, self.deviation))


def train_and_measure(settings, images, y, targets, scale, subset, seed):
    """Train a network on a subset of the images and measure it on the targets.

    Parameters
    ----------
    settings : ImageLearner
        Learner with the parameters of the training.
    images, targets : ResidentImages or BetonImages
        Training images and targets.
    y : int64 tensor of shape (n_train,)
        Columns of the classes, on the device.
    scale : (mean, deviation), tensors of shape (channels,)
        Scale of the colours, on the device.
    subset : int array
        Indices of the training images, at least one batch.
    seed : int
        Seed of the run.

    Returns
    -------
    network : torch.nn.Module
        The trained network, on the device.
    logits : float64 array of shape (n_targets, n_classes)
        The logits.
    """
    with (
        single_torch_thread(),
        seeded_torch(seed),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
    ):
        network = make_module(settings.module_factory, seed)
        network = network.to(y.device, memory_format=torch.channels_last)
        _train(network, settings, images, y, scale, subset, seed)
        return network, _measure(network, settings, targets, scale)


def _train(network, settings, images, y, scale, subset, seed):
    per_epoch = len(subset) // settings.batch_size
    n_steps = settings.epochs * per_epoch
    # Batches have equal lengths, and the same order as in a stacked run with this seed.
    rows = np.stack(
        list(islice(draw_batches(subset, settings.batch_size, seed), n_steps))
    )
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        fused=y.is_cuda or None,  # avoids waiting for the scaler's check
    )
    scaler = torch.amp.GradScaler(y.device.type, enabled=_is_half(settings))
    augment = Augmentation(settings, np.random.default_rng([seed, 1]))
    rates = settings.lr * learning_rates(settings, per_epoch)
    labels = y[torch.as_tensor(rows, device=y.device)]
    network.train()
    with closing(images.batches(rows.ravel(), settings.batch_size)) as batches:
        for x, label, rate in zip(batches, labels, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            with _precision(settings):  # caches the rounded weights
                logits = network(augment(x, *scale))
                loss = F.cross_entropy(
                    logits, label, label_smoothing=settings.label_smoothing
                )
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()


def _is_half(settings):
    return settings.half and settings.device.startswith("cuda")


def _precision(settings):
    device = torch.device(settings.device).type
    return torch.autocast(device, torch.float16, enabled=_is_half(settings))


def learning_rates(settings, per_epoch):
    """Return the learning rate of each step, relative to the maximum.

    It rises linearly from 0 to the peak, and then falls linearly to 0. A step has the
    rate of its middle.

    Parameters
    ----------
    settings : ImageLearner
        Learner with the parameters of the training.
    per_epoch : int
        Number of steps in an epoch.

    Returns
    -------
    rates : float64 array of shape (n_steps,)
        Relative learning rates, from 0 to 1.
    """
    epoch = (np.arange(settings.epochs * per_epoch) + 0.5) / per_epoch
    return np.interp(epoch, [0, settings.peak_epoch, settings.epochs], [0, 1, 0])


class Augmentation:
    """Random shifts, mirroring and covered squares, drawn for each image.

    Parameters
    ----------
    settings : ImageLearner
        Learner with the parameters of the augmentation.
    rng : numpy Generator
        Source of randomness.
    """

    def __init__(self, settings, rng):
        self.crop, self.flip = settings.crop, settings.flip
        self.cutout, self.rng = settings.cutout, rng

    def __call__(self, x, mean, deviation):
        """Return augmented images, a tensor of shape (n, channels, height, width).

        Parameters
        ----------
        x : uint8 tensor of shape (n, height, width, channels)
            Images.
        mean, deviation : tensors of shape (channels,)
            Scale of the colours.
        """
        n, height, width, _ = x.shape
        draws = self.draw(n, height, width)
        draws = torch.as_tensor(draws, device=x.device).unsqueeze(-1)
        down, right, mirrored, top, left = draws
        rows = torch.arange(height, device=x.device)
        columns = torch.arange(width, device=x.device)
        if self.crop or self.flip:
            from_row = _reflect(rows + down, height)
            from_column = torch.where(mirrored > 0, width - 1 - columns, columns)
            from_column = _reflect(from_column + right, width)
            image = torch.arange(n, device=x.device)[:, None, None]
            x = x[image, from_row[:, :, None], from_column[:, None, :]]
        x = normalize(x, mean, deviation)
        if self.cutout:
            covered_rows = (rows >= top) & (rows < top + self.cutout)
            covered_columns = (columns >= left) & (columns < left + self.cutout)
            covered = covered_rows[:, :, None] & covered_columns[:, None, :]
            x = x.masked_fill(covered[:, None], 0)
        return x

    def draw(self, n, height, width):
        """Return int array (5, n): shifts down and right, mirrored, top, left."""
        half = self.cutout // 2
        low = np.array([-self.crop, -self.crop, 0, -half, -half])
        high = np.array(
            [self.crop + 1, self.crop + 1, 1 + self.flip, height - half, width - half]
        )
        return self.rng.integers(low[:, None], high[:, None], (5, n))


def normalize(x, mean, deviation):
    """Return images (n, height, width, channels) in the format of the network.

    They are in half precision if autocast is enabled.
    """
    half = torch.is_autocast_enabled(x.device.type)
    dtype = torch.float16 if half else torch.float32
    x = (x.to(dtype) - mean.to(dtype)) / deviation.to(dtype)
    return x.permute(0, 3, 1, 2)  # channels stay last in memory


def _reflect(index, size):
    """Reflect indices beyond an edge at the pixel on the edge."""
    index = index.abs()
    return torch.where(index < size, index, 2 * (size - 1) - index)


@torch.no_grad()
def _measure(network, settings, targets, scale):
    network.eval()
    logits = []
    rows = np.arange(len(targets))
    with (
        closing(targets.batches(rows, _TARGET_ROWS)) as batches,
        _precision(settings),
    ):
        for part in batches:
            x = normalize(part, *scale)
            part_logits = network(x).double()
            if settings.flip_targets:
                part_logits = (part_logits + network(x.flip(3)).double()) / 2
            logits.append(part_logits)
    return torch.cat(logits).cpu().numpy()
