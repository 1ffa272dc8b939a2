"""ImageLearner: one network per run, on images that stay on the device."""

import os
from functools import cached_property
from numbers import Integral, Real

import numpy as np

from skdatamodels._sklearn_compat import Interval
from skdatamodels.training._learners.network_learner import (
    BoundNetworkLearner,
    NetworkLearner,
)


class ImageLearner(NetworkLearner):
    """Train a network on images for each subset, with the training recipe of the paper.

    Pass it to :class:`SubsetTrainer` as the estimator. Images are kept on the device as
    bytes, and are augmented there: they are shifted, mirrored and partly covered.
    Training uses stochastic gradient descent with one cycle of the learning rate. The
    defaults are the settings for CIFAR-10.

    Parameters
    ----------
    module_factory : callable
        Function ``module_factory() -> torch.nn.Module``. It is called once per run,
        after torch's generator is seeded with the seed of the run. The module maps
        images of shape (batch, channels, height, width) to logits of shape (batch,
        n_classes). It may have buffers, such as those of BatchNorm. Examples are
        :func:`~skdatamodels.training.resnet9` and
        :func:`~skdatamodels.training.resnet18`.
    epochs : int, default=24
        Number of passes over the subset. An epoch has ``subset size // batch_size``
        batches. The few examples that are left over, which differ from epoch to epoch,
        are skipped.
    batch_size : int, default=512
        Number of images in a batch.
    lr : float, default=0.5
        Maximum learning rate.
    peak_epoch : float, default=5
        Epoch at which the learning rate reaches its maximum. It rises linearly from 0,
        and then falls linearly to 0 at the end.
    momentum : float, default=0.9
        Momentum of the gradient descent.
    weight_decay : float, default=5e-4
        Weight decay of the gradient descent.
    label_smoothing : float in [0, 1), default=0.1
        Label smoothing of the cross-entropy.
    crop : int, default=4
        Maximum random shift, in pixels, in each direction. The image is extended by
        reflection at its edge.
    flip : bool, default=True
        Whether to mirror training images at random, with probability ½.
    cutout : int, default=8
        Side, in pixels, of a square at a random place that is replaced by the mean
        colour. 0 means no square.
    flip_targets : bool, default=True
        Whether to measure the mean of the logits of a target and of its mirror image.
    half : bool, default=True
        Whether to compute in half precision. It is used only on CUDA.
    device : str, default="cpu"
        Device on which torch computes.
    beton : (path-like, path-like), default=None
        FFCV files of the training images and of the targets, for images that do not fit
        on the device. FFCV reads each batch from these files, and `train` and `targets`
        of the trainer must come from them by :func:`read_image_beton`.
    n_readers : int, default=1
        Number of threads in which FFCV reads.

    Raises
    ------
    ImportError
        If torch is not installed, or if FFCV is needed and not installed.
    TypeError, ValueError
        If a parameter is invalid, the examples are not images in this format, the
        module does not return logits of this shape, or a subset is smaller than a
        batch.

    Notes
    -----
    Colours are standardised by the mean and standard deviation of 2,000 training
    images, which are the same for all runs. The seed of a run determines everything
    random in it. Runs do not depend on each other. On CUDA they are reproducible except
    for rounding. Since torch has one generator per process, threads train in turns; use
    processes (``n_jobs``).

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022,
    appendix D.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.datasets import load_digits_examples
    >>> from skdatamodels.training import ImageLearner
    >>> train, targets = (
    ...     Examples((16 * part.X).astype(np.uint8).reshape(-1, 8, 8, 1), part.y)
    ...     for part in load_digits_examples()
    ... )
    >>> def network():
    ...     return nn.Sequential(
    ...         nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)
    ...     )
    >>> learner = ImageLearner(
    ...     network, epochs=2, peak_epoch=1, batch_size=100, crop=1, flip=False,
    ...     flip_targets=False, cutout=2,
    ... )
    >>> trainer = SubsetTrainer(learner, train, targets, random_state=0)
    >>> trainer.fit_transform(np.arange(2))
    TrainingRuns(n_runs=2, n_train=1200, n_targets=597)
    """

    _parameter_constraints = {
        "module_factory": [callable],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "peak_epoch": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "crop": [Interval(Integral, 0, None, closed="left")],
        "flip": ["boolean"],
        "cutout": [Interval(Integral, 0, None, closed="left")],
        "flip_targets": ["boolean"],
        "half": ["boolean"],
        "device": [str],
        "beton": [list, tuple, None],
        "n_readers": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        module_factory,
        *,
        epochs=24,
        batch_size=512,
        lr=0.5,
        peak_epoch=5,
        momentum=0.9,
        weight_decay=5e-4,
        label_smoothing=0.1,
        crop=4,
        flip=True,
        cutout=8,
        flip_targets=True,
        half=True,
        device="cpu",
        beton=None,
        n_readers=1,
    ):
        self.module_factory = module_factory
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.peak_epoch = peak_epoch
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.crop = crop
        self.flip = flip
        self.cutout = cutout
        self.flip_targets = flip_targets
        self.half = half
        self.device = device
        self.beton = beton
        self.n_readers = n_readers

    def _bind(self, train, targets, output):
        if self.peak_epoch >= self.epochs:
            raise ValueError(
                f"peak_epoch={self.peak_epoch} must be less than epochs={self.epochs}."
            )
        return BoundImageLearner(self, train, targets, output)


class BoundImageLearner(BoundNetworkLearner):
    """An :class:`ImageLearner` with its training images and targets.

    Parameters
    ----------
    settings, train, targets, output
        As for :class:`BoundNetworkLearner`.
    """

    def __init__(self, settings, train, targets, output):
        super().__init__(settings, train, targets, output)
        self._check_images(self._image_shape())
        self._check_module()

    def train_and_measure(self, train_indices, seed):
        """Train a network on these images, and return it with its outputs.

        The model takes images (n, height, width, channels), with values from 0 to 255.
        """
        import torch

        from skdatamodels.training._learners.image_training import (
            PixelNetwork,
            train_and_measure,
        )

        self.check_subset_size(len(train_indices))
        images, y, targets, scale = self._data
        network, logits = train_and_measure(
            self.settings, images, y, targets, scale, np.asarray(train_indices), seed
        )
        if not np.isfinite(logits).all():
            raise ValueError("Logits are not finite: training diverged. Lower lr.")
        outputs = self.output(logits, self.y)
        network = network.to("cpu", memory_format=torch.contiguous_format)
        return PixelNetwork(network, *(part.cpu() for part in scale)).eval(), outputs

    def make_model(self, seed):
        """Return the module of a run before its training, on the CPU."""
        import torch

        from skdatamodels.training._learners.image_training import PixelNetwork
        from skdatamodels.training._learners.stacked_modules import make_module

        blank = torch.zeros(self.image_shape[-1])
        network = make_module(self.settings.module_factory, seed)
        return PixelNetwork(network, blank, blank.clone())

    @cached_property
    def _data(self):
        """Images, labels, targets and colour scale, on the device."""
        import torch

        from skdatamodels.training._learners.image_training import colour_scale

        device = self.settings.device
        images, targets = self._open(self.train, 0), self._open(self.targets, 1)
        y = torch.tensor(np.searchsorted(self.classes, self.train.y), device=device)
        return images, y, targets, colour_scale(images)

    def _open(self, examples, which):
        """Return the images of the training set (0) or of the targets (1)."""
        if self.settings.beton is None:
            from skdatamodels.training._learners.image_training import ResidentImages

            return ResidentImages(examples.X, self.settings.device)
        from skdatamodels.training._learners.image_beton import BetonImages

        path = os.fspath(self.settings.beton[which])
        return BetonImages(path, examples, self.settings)

    def _image_shape(self):
        """Return (height, width, channels)."""
        if self.settings.beton is not None:
            from skdatamodels.training._learners.image_beton import check_pair

            return check_pair(self.settings.beton, self.train, self.targets)
        for name, examples in (("train", self.train), ("targets", self.targets)):
            X = examples.X
            dtype = getattr(X, "dtype", type(X).__name__)
            if not (isinstance(X, np.ndarray) and dtype == np.uint8 and X.ndim == 4):
                raise TypeError(
                    f"{name}.X must be images, uint8 of shape (n, height, width, "
                    f"channels) with values from 0 to 255; got {dtype} of shape "
                    f"{X.shape}."
                )
        return self.train.shape[1:]

    def _check_images(self, shape):
        """Raise if the images are too small for the augmentation."""
        self.image_shape = shape
        for name in ("crop", "cutout"):
            if getattr(self.settings, name) >= min(shape[:2]):
                raise ValueError(
                    f"{name}={getattr(self.settings, name)} is too large for images of "
                    f"{shape[0]} by {shape[1]} pixels."
                )

    def _check_module(self):
        """Raise if the module does not map images to logits."""
        import torch

        from skdatamodels.training._learners.stacked_modules import make_module

        height, width, channels = self.image_shape
        module = make_module(self.settings.module_factory, 0).eval()
        images = torch.zeros(2, channels, height, width)
        try:
            with torch.no_grad():
                found = tuple(module(images).shape)
        except RuntimeError as error:
            raise ValueError(
                f"The module cannot take images of shape {tuple(images.shape)}: {error}"
            ) from error
        if found != (2, len(self.classes)):
            raise ValueError(
                f"The module gives outputs of shape {found} for two images. With "
                f"{len(self.classes)} classes, it must be (2, {len(self.classes)})."
            )
