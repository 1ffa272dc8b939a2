"""Base classes of learners that train torch modules."""

from functools import cached_property

import numpy as np
from sklearn.base import BaseEstimator

from skdatamodels._examples import check_same_shape
from skdatamodels.outputs import DEFAULT_OUTPUTS, encode_targets
from skdatamodels.training._learners.learners import (
    output_for,
    true_values,
)


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


class BoundNetworkLearner:
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

    @cached_property
    def _data(self):
        """Return the examples as tensors on the device."""
        raise NotImplementedError

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_data", None)  # faster to make again than to send to a worker
        return state
