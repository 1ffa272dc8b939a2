"""Weights of datamodels that are fitted again on some of the training examples."""

from copy import deepcopy
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone

from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import HasMethods, Interval
from skdatamodels.applications._attributions import (
    check_target_indices,
    check_weights,
    weights_of,
)
from skdatamodels.masks import sample_masks
from skdatamodels.training import ComponentAblation, SubsetTrainer
from skdatamodels.training._players import players_of


class RefittedDatamodels(BaseEstimator):
    """Weights of datamodels that are fitted on new runs of the remaining examples.

    It is an `attribution` for :func:`adaptive_order`.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        Makes the runs, on random subsets of what remains; its `alpha` is the fraction
        of it, and its `design` is not used.
    regressor : estimator
        Fitted on masks and outputs, such as
        :class:`~skdatamodels.regression.DatamodelRegressor`. It is cloned.
    n_runs : int, default=200
        Number of runs for each estimate: for each step of each target.
    random_state : int, RandomState instance or None, default=None
        Seed of the subsets, which is the same for each call. With None, each call draws
        others. The trainer has its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skdatamodels import DatamodelRegressor, SubsetTrainer
    >>> from skdatamodels.applications import RefittedDatamodels
    >>> from skdatamodels.datasets import load_digits_examples
    >>> train, targets = load_digits_examples(n_train=100)
    >>> trainer = SubsetTrainer(RidgeClassifier(), train, targets[:2])
    >>> ridge = DatamodelRegressor(penalty="l2")
    >>> datamodels = RefittedDatamodels(trainer, ridge, n_runs=50, random_state=0)
    >>> datamodels([1], np.arange(90)).shape  # without the last ten
    (1, 100)
    """

    _parameter_constraints = {
        "trainer": [SubsetTrainer, ComponentAblation],
        "regressor": [HasMethods("fit")],
        "n_runs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, trainer, regressor, *, n_runs=200, random_state=None):
        self.trainer = trainer
        self.regressor = regressor
        self.n_runs = n_runs
        self.random_state = random_state

    def __call__(self, targets, remaining):
        """Return the weights (len(targets), n_train) of the remaining columns.

        Parameters
        ----------
        targets : int array-like of shape (n_some,)
            Rows of the trainer's targets.
        remaining : int array-like of shape (n_remaining,)
            Columns of the masks that subsets are drawn from.

        Returns
        -------
        weights : float array of shape (n_some, n_train)
            0 for columns that do not remain.

        Raises
        ------
        ValueError, TypeError
            Before any training, if a parameter is wrong, or a target or a column does
            not exist or is there twice.
        """
        self._validate_params()
        n_train = len(players_of(self.trainer))
        targets = check_target_indices(targets, len(self.trainer.targets), "targets")
        remaining = check_target_indices(remaining, n_train, "remaining")
        regressor = clone(self.regressor)  # or raises, before any training
        drawn = sample_masks(
            self.n_runs,
            len(remaining),
            self.trainer.alpha,
            # the same for each call, in this process or in a worker
            random_state=entropy_from(deepcopy(self.random_state)),
        ).dense()
        masks = np.zeros((self.n_runs, n_train), dtype=bool)
        masks[:, remaining] = drawn
        outputs = self.trainer.transform(masks).outputs[:, targets]
        coef = check_weights(weights_of(regressor.fit(drawn, outputs)))
        weights = np.zeros((len(targets), n_train))
        weights[:, remaining] = coef.toarray() if issparse(coef) else coef
        return weights
