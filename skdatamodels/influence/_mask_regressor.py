"""MaskRegressor: base class of the estimators, with prediction and scoring."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skdatamodels._numbers import as_real, check_sample_weight
from skdatamodels._scores import mean_r2
from skdatamodels.masks import as_masks
from skdatamodels.runs._training_runs import note_targets, outputs_of
from skdatamodels.runs._usable_runs import check_exclude, usable_runs


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

    def _check_runs(self, X, y, sample_weight, exclude=None):
        """Check what `fit` is given; note what is known of the outputs.

        Returns
        -------
        masks : PackedMasks
        outputs : float64 array of shape (n_runs, n_targets)
            0 where there is none.
        known : float64 array of shape (n_runs, n_targets), or (n_runs, 1) for all
            Weight of each run, 0 where a target has no output or is seen.
        one : bool
            Whether the outputs were 1-d.
        """
        note_targets(self, X, y)
        masks = self._masks_of(X, reset=True)
        y = _check_outputs(outputs_of(X, y), masks)
        known = check_sample_weight(sample_weight, len(masks))[:, None]
        outputs = y[:, None] if y.ndim == 1 else y
        exclude = check_exclude(exclude, outputs.shape[1], masks.shape[1])
        usable = usable_runs(masks, outputs, exclude)
        known = known if usable is None else known * usable
        _check_enough(known.sum(axis=0))
        return masks, np.nan_to_num(outputs), known, y.ndim == 1

    def _set_weights(self, coef, intercept, one):
        """Set the fitted attributes; of the first target alone if `one`."""
        self.coef_ = coef[0] if one and not sparse.issparse(coef) else coef
        self.intercept_ = float(intercept[0]) if one else intercept

    def _masks_of(self, X, reset):
        """Return masks; store or check the number and the names of their columns."""
        X = getattr(X, "packed", X)
        masks = as_masks(X)
        named = X if hasattr(X, "columns") else masks
        validate_data(self, named, reset=reset, skip_check_array=True)
        return masks


def _check_outputs(y, masks):
    """Return outputs as float64, NaN among them; one row for each of the masks."""
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


def _check_enough(n_runs):
    """Warn of targets that have no runs; raise if none has any."""
    empty = np.flatnonzero(n_runs == 0)
    if len(empty) == len(n_runs):
        raise ValueError("No target has an output in any run.")
    if len(empty):
        warnings.warn(
            f"{len(empty)} of {len(n_runs)} targets have no output in any run and get "
            f"weights 0 and intercept NaN: {empty[:10].tolist()}"
            f"{' and more' if len(empty) > 10 else ''}.",
            UserWarning,
            stacklevel=5,
        )
