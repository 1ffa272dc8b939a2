"""What the learners that train torch modules have in common."""

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
    """Settings of a training; :class:`SubsetTrainer` gives it the examples.

    A subclass gives ``_bind(train, targets, output)``, which returns what trains.
    """

    @property
    def task(self):
        """What modules are trained for: "classification" or "regression"."""
        squared = getattr(self, "loss", None) == "squared_error"
        return "regression" if squared else "classification"

    @property
    def default_output(self):
        """Name of the output that is measured if none is asked for."""
        return DEFAULT_OUTPUTS[self.task]

    def make_learner(self, train, targets, output):
        """Return what trains runs on these examples; checks all that can be checked.

        Parameters
        ----------
        train, targets : Examples
        output : str or callable

        Returns
        -------
        learner : callable
            ``(train_indices, seed) -> outputs``, perhaps with ``train_many``.
        """
        self._validate_params()
        return self._bind(train, targets, output)


class BoundNetworkLearner:
    """A :class:`NetworkLearner` with the examples that it trains and is measured on.

    Parameters
    ----------
    settings : NetworkLearner
    train, targets : Examples
    output : str or callable
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
                f"batch_size={self.settings.batch_size}: take a larger alpha or a "
                "smaller batch_size."
            )

    @cached_property
    def _data(self):
        """Return the examples as they are computed with, on the device."""
        raise NotImplementedError

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_data", None)  # sooner made than sent to a worker
        return state
