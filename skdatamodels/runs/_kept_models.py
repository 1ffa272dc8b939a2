"""KeptModel: a trained model and the subset that it was trained on."""

from typing import NamedTuple

import numpy as np


class KeptModel(NamedTuple):
    """A model that a run has trained, which is kept beside the run's outputs.

    Parameters
    ----------
    model : estimator or torch.nn.Module
        The fitted scikit-learn estimator, or the module, in evaluation mode on the CPU.
    subset : int64 array of shape (n_subset,)
        Indices of the training examples that it was trained on, in the order of
        training: increasing, except that those that ``SubsetTrainer(vary=...)`` varies
        come last.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels.runs import KeptModel
    >>> subset = np.array([0, 2])
    >>> model = Ridge().fit([[0.0], [1.0]], [0.0, 3.0])
    >>> kept = KeptModel(model, subset)
    >>> kept
    KeptModel(Ridge, 2 examples)
    >>> kept.subset
    array([0, 2])
    """

    model: object
    subset: np.ndarray

    def __repr__(self):
        return f"KeptModel({type(self.model).__name__}, {len(self.subset)} examples)"
