"""MaskRegressor: base class of the estimators, with prediction and scoring."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skdatamodels._numbers import as_real
from skdatamodels._scores import mean_r2
from skdatamodels.masks import as_masks
from skdatamodels.runs._training_runs import outputs_of


class MaskRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Base class that predicts outputs by sums of weights of the examples of a run.

    Subclasses set ``coef_`` and ``intercept_`` in ``fit``.
    """

    def predict(self, X):
        """Predict the outputs of runs from their masks.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
            Masks, 0/1 or bool.

        Returns
        -------
        outputs : float array of shape (n_runs, n_targets), or (n_runs,)
            Predicted outputs.

        Raises
        ------
        ValueError
            If an entry is neither 0 nor 1, or `n_train` differs from that in ``fit``.
        """
        check_is_fitted(self)
        masks = self._masks_of(X, reset=False)
        coef = self.coef_.T if self.coef_.ndim == 2 else self.coef_[:, None]
        predicted = masks.dot(coef) + self.intercept_
        return predicted[:, 0] if np.ndim(self.intercept_) == 0 else predicted

    def score(self, X, y=None, sample_weight=None):
        """Return the R² of the prediction, averaged over the targets.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
            Masks, 0/1 or bool.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            Outputs. Not needed if X is TrainingRuns. NaN are left out, and so are
            targets that had no output in ``fit``.
        sample_weight : array-like of shape (n_runs,), default=None
            Weight of each run.

        Returns
        -------
        score : float
            Mean R² over the targets.
        """
        return mean_r2(outputs_of(X, y), self.predict(X), sample_weight)

    def _masks_of(self, X, reset):
        """Return masks; store or check the number and the names of their columns."""
        X = getattr(X, "packed", X)
        masks = as_masks(X)
        named = X if hasattr(X, "columns") else masks
        validate_data(self, named, reset=reset, skip_check_array=True)
        return masks


def check_outputs(y, masks):
    """Validate outputs, which may have NaN, and return them as float64."""
    y = as_real(y, "outputs y").astype(np.float64, copy=False)
    if y.ndim not in (1, 2) or len(y) != len(masks):
        raise ValueError(
            "Outputs must have shape (n_runs, n_targets) or (n_runs,), and the masks "
            f"have n_runs = {len(masks)}; got shape {y.shape}."
        )
    if np.isinf(y).any():
        where = np.argwhere(np.isinf(y))[0]
        raise ValueError(f"The output of run {where[0]} is infinite. Leave it out.")
    return y


def check_enough(n_runs):
    """Warn if some targets have no output; raise if all have none."""
    empty = np.flatnonzero(n_runs == 0)
    if len(empty) == len(n_runs):
        raise ValueError("No target has an output in any run.")
    if len(empty):
        warnings.warn(
            f"{len(empty)} of {len(n_runs)} targets have no output in any run and get "
            f"weights 0 and intercept NaN: {empty[:10].tolist()}"
            f"{' and more' if len(empty) > 10 else ''}.",
            UserWarning,
            stacklevel=4,
        )
