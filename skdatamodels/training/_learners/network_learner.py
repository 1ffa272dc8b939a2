"""Base classes of learners that train torch modules."""

import io
from functools import cached_property

import numpy as np
from sklearn.base import BaseEstimator

from skdatamodels._examples import check_same_shape
from skdatamodels._fitting import refuse_weights
from skdatamodels.outputs import DEFAULT_OUTPUTS, encode_targets
from skdatamodels.training._learners.learners import output_for, true_values
from skdatamodels.training._learners.model_learner import ModelLearner


class NetworkLearner(BaseEstimator):
    """Base class of settings, without examples, which :class:`SubsetTrainer` adds.

    A subclass defines ``_bind(train, targets, output)``, which returns a learner.
    """

    @property
    def task(self):
        """Task of the modules: "classification" or "regression"."""
        squared = getattr(self, "loss", None) == "squared_error"
        return "regression" if squared else "classification"

    @property
    def default_output(self):
        """Name of the default output."""
        return DEFAULT_OUTPUTS[self.task]

    def make_learner(self, train, targets, output):
        """Check the parameters, and return a learner for these examples.

        Parameters
        ----------
        train, targets : Examples
            Training set and targets.
        output : str or callable
            Output to measure.

        Returns
        -------
        learner : callable
            ``(train_indices, seed) -> outputs``. It may have ``train_many``.
        """
        self._validate_params()
        return self._bind(train, targets, output)


class BoundNetworkLearner(ModelLearner):
    """A :class:`NetworkLearner` with its training examples and targets.

    Parameters
    ----------
    settings : NetworkLearner
        Parameters of the training.
    train, targets : Examples
        Training set and targets.
    output : str or callable
        Output to measure.
    """

    def __init__(self, settings, train, targets, output):
        name = type(settings).__name__
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f'{name} needs torch: pip install "skdatamodels[torch]"'
            ) from error
        check_same_shape(train, targets)
        refuse_weights(train, name)
        self.settings, self.train, self.targets = settings, train, targets
        described = f"loss={settings.loss!r}" if hasattr(settings, "loss") else name
        self.output = output_for(output, settings.task, described)
        if settings.task == "classification":
            self.classes = np.unique(train.y)
            self.y = encode_targets(targets.y, self.classes)
        else:
            self.classes, self.y = None, true_values(train, targets)

    def check_subset_size(self, size):
        """Raise if a subset of this size does not fill a batch."""
        if size < self.settings.batch_size:
            raise ValueError(
                f"A subset has {size} examples, fewer than a batch of "
                f"batch_size={self.settings.batch_size}. Use a larger alpha or a "
                "smaller batch_size."
            )

    def make_model(self, seed):
        """Return the module of a run before its training, on the CPU."""
        raise NotImplementedError

    def pack_model(self, model):
        """Return the parameters and buffers of a module as bytes."""
        import torch

        file = io.BytesIO()
        torch.save(_tensors(model), file)
        return file.getvalue()

    def unpack_model(self, content, seed):
        """Return the module in the result of :meth:`pack_model`; no code is run."""
        import torch

        model = self.make_model(seed)
        stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        tensors = _tensors(model)
        if {name: value.shape for name, value in stored.items()} != {
            name: value.shape for name, value in tensors.items()
        }:
            raise ValueError("The module has other parameters than the stored one.")
        with torch.no_grad():
            for name, value in tensors.items():
                value.copy_(stored[name])
        return model.eval()

    @cached_property
    def _data(self):
        """Return the examples as tensors on the device."""
        raise NotImplementedError

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_data", None)  # faster to make again than to send to a worker
        return state


def _tensors(module):
    """Return the parameters and buffers of a module by name."""
    return {
        name: value.detach()
        for of_kind in (module.named_parameters(), module.named_buffers())
        for name, value in of_kind
    }
