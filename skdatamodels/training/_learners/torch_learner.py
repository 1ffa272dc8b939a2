"""TorchLearner: torch modules of one architecture, trained together."""

import warnings
from functools import cached_property
from numbers import Integral, Real

import numpy as np

from skdatamodels._sklearn_compat import Interval, StrOptions
from skdatamodels.training._learners.block_learner import measure_many
from skdatamodels.training._learners.network_learner import (
    BoundNetworkLearner,
    NetworkLearner,
)


class TorchLearner(NetworkLearner):
    """Train torch modules of one architecture on many subsets at once.

    Pass it to :class:`SubsetTrainer` as the estimator. The parameters of the runs in a
    block are stacked, and each run draws its batches with its own seed. Except for
    rounding, the outputs of a run do not depend on the other runs in its block.

    Parameters
    ----------
    module_factory : callable
        Function ``module_factory() -> torch.nn.Module``. It is called once per run,
        after torch's generator is seeded with the seed of the run. The module maps
        inputs of shape (batch, ...) to logits of shape (batch, n_classes). If the loss
        is "squared_error", it returns predictions of shape (batch,) or (batch, 1).
    loss : {"cross_entropy", "squared_error"}, default="cross_entropy"
        Loss function, "cross_entropy" for classification and "squared_error" for
        regression.
    epochs : int, default=None
        Number of passes over the subset, so that larger subsets take more steps. An
        epoch has ``subset size // batch_size`` batches. The few examples that are left
        over, which differ from epoch to epoch, are skipped.
    steps : int, default=None
        Number of steps, which does not depend on the size of the subset. Exactly one of
        `epochs` and `steps` is required.
    batch_size : int, default=64
        Number of examples in a batch.
    optimizer : {"sgd", "adamw"}, default="sgd"
        Optimizer.
    lr : float, default=0.1
        Maximum learning rate.
    momentum : float, default=0.9
        Momentum of SGD, without dampening. For AdamW it is the first beta; the second
        is 0.999.
    weight_decay : float, default=0.0
        Weight decay, which is coupled for SGD and decoupled for AdamW, as in torch.
    schedule : {"constant", "cosine", "triangle"}, default="cosine"
        Learning rate over the steps of a run. "constant" is always `lr`. "cosine" falls
        from `lr` to 0 along half a cosine. "triangle" rises linearly to `lr` in the
        first fifth of the steps, and then falls linearly to 0.
    label_smoothing : float in [0, 1), default=0.0
        Label smoothing of the cross-entropy.
    mixed_precision : bool, default=False
        Whether to compute in bfloat16 where torch's autocast does so, such as matrix
        products. Parameters, steps and outputs stay in float32. Use this on GPUs; it
        may be slower on CPUs.
    n_together : int, default=None
        Number of runs in a block. By default, as many as fit in memory, up to 64 on a
        CPU and 512 on a GPU.
    device : str, default="cpu"
        Device on which torch computes.

    Raises
    ------
    ImportError
        If torch is not installed.
    TypeError, ValueError
        If a parameter is invalid, the module does not return outputs of this shape, or
        a subset is smaller than a batch.

    Notes
    -----
    A :class:`torch.nn.Sequential` of linear layers and activations is computed by
    batched matrix products, other modules by :func:`torch.vmap`. Modules with buffers
    (BatchNorm) or random numbers (Dropout) are trained one by one, with a warning; if
    there are several threads, they train in turns. Set ``n_together=1`` to train
    modules one by one on a CPU if convolutions take most of the time. Modules are
    always converted to float32, and taken out of ``DataParallel``.

    References
    ----------
    Ilyas et al., "Datamodels: Predicting Predictions from Training Data", 2022, §2.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skdatamodels import SubsetTrainer
    >>> from skdatamodels.datasets import load_digits_examples
    >>> from skdatamodels.training import TorchLearner
    >>> train, targets = load_digits_examples()
    >>> def mlp():
    ...     return torch.nn.Sequential(
    ...         torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
    ...     )
    >>> learner = TorchLearner(mlp, epochs=5)
    >>> trainer = SubsetTrainer(learner, train, targets, random_state=0)
    >>> trainer.fit_transform(np.arange(6))
    TrainingRuns(n_runs=6, n_train=1200, n_targets=597)
    """

    _parameter_constraints = {
        "module_factory": [callable],
        "loss": [StrOptions({"cross_entropy", "squared_error"})],
        "epochs": [Interval(Integral, 1, None, closed="left"), None],
        "steps": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions({"sgd", "adamw"})],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "schedule": [StrOptions({"constant", "cosine", "triangle"})],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "mixed_precision": ["boolean"],
        "n_together": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str],
    }

    def __init__(
        self,
        module_factory,
        *,
        loss="cross_entropy",
        epochs=None,
        steps=None,
        batch_size=64,
        optimizer="sgd",
        lr=0.1,
        momentum=0.9,
        weight_decay=0.0,
        schedule="cosine",
        label_smoothing=0.0,
        mixed_precision=False,
        n_together=None,
        device="cpu",
    ):
        self.module_factory = module_factory
        self.loss = loss
        self.epochs = epochs
        self.steps = steps
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.mixed_precision = mixed_precision
        self.n_together = n_together
        self.device = device

    def _bind(self, train, targets, output):
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("Set either epochs or steps, but not both.")
        return BoundTorchLearner(self, train, targets, output)


class BoundTorchLearner(BoundNetworkLearner):
    """A :class:`TorchLearner` with its training examples and targets.

    Parameters
    ----------
    settings, train, targets, output
        As for :class:`BoundNetworkLearner`.
    """

    def __init__(self, settings, train, targets, output):
        super().__init__(settings, train, targets, output)
        from skdatamodels.training._learners.stacked_modules import StackedModules

        for name, examples in (("train", train), ("targets", targets)):
            if not isinstance(examples.X, np.ndarray) or examples.X.dtype.kind in "OUS":
                raise TypeError(f"{name}.X must be an array of numbers for torch.")
        self._modules = StackedModules(settings.module_factory, train.X[:2])
        self._check_width()
        if self._modules.obstacle:
            warnings.warn(
                f"{self._modules.obstacle}: runs are trained one by one, not stacked.",
                UserWarning,
                stacklevel=7,
            )
        self.block_size = self._choose_block_size()

    def train_and_measure(self, train_indices, seed):
        """Train a module on these examples, and return it with its outputs."""
        from skdatamodels.training._learners.stacked_training import train_module

        self.check_subset_size(len(train_indices))
        subset = np.asarray(train_indices)
        module, raw = train_module(
            self._modules, self.settings, self._data, subset, int(seed)
        )
        return module, self._outputs(raw)[0]

    def __call__(self, train_indices, seed):
        """Train a model on these examples, and return its outputs (n_targets,)."""
        return self._train_block([np.asarray(train_indices)], [seed])[0]

    def make_model(self, seed):
        """Return the module of a run before its training, on the CPU."""
        return self._modules.make(seed)

    def train_many(self, masks, seeds):
        """Train several runs in blocks, and return outputs (n_runs, n_targets)."""
        subsets = [np.flatnonzero(mask) for mask in masks]
        blocks = [
            self._train_block(
                subsets[start : start + self.block_size],
                seeds[start : start + self.block_size],
            )
            for start in range(0, len(subsets), self.block_size)
        ]
        return np.concatenate(blocks)

    def _train_block(self, subsets, seeds):
        from skdatamodels.training._learners.stacked_training import train_block

        for subset in subsets:
            self.check_subset_size(len(subset))
        raw = train_block(
            self._modules,
            self.settings,
            self._data,
            subsets,
            [int(seed) for seed in seeds],
        )
        return self._outputs(raw)

    def _outputs(self, raw):
        """Return the outputs (n_runs, n_targets); NaN if raw ones are not finite."""
        raw = raw if self.classes is not None else raw.reshape(raw.shape[:2])
        outputs = np.full((len(raw), len(self.y)), np.nan)
        finite = np.isfinite(raw.reshape(len(raw), -1)).all(axis=1)
        if finite.any():
            outputs[finite] = measure_many(self.output, raw[finite], self.y)
        return outputs

    @cached_property
    def _data(self):
        """Examples, labels and targets on the device."""
        from skdatamodels.training._learners.stacked_modules import as_tensor

        device, y = self.settings.device, self.train.y
        if self.classes is not None:
            y = np.searchsorted(self.classes, y)
        y = as_tensor(y, device)
        y = y if self.classes is None else y.long()
        return as_tensor(self.train.X, device), y, as_tensor(self.targets.X, device)

    def _check_width(self):
        width = tuple(self._modules.output_shape)
        allowed = [(), (1,)] if self.classes is None else [(len(self.classes),)]
        if width not in allowed:
            raise ValueError(
                f"The module gives outputs of shape {width} for an example, but "
                f"loss={self.settings.loss!r} needs {allowed[-1]}."
            )

    def _choose_block_size(self):
        if self._modules.obstacle:
            return 1
        if self.settings.n_together is not None:
            return self.settings.n_together
        rows = max(self.settings.batch_size, min(len(self.targets), 1024))
        fits = self._modules.fitting(rows, self.settings.device)
        most = 64 if self.settings.device == "cpu" else 512
        return int(np.clip(fits, 1, most))
