"""Empirical influence: mean output with an example less that without it."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skdatamodels._numbers import as_real, check_sample_weight
from skdatamodels._scaling import exponents, scaled
from skdatamodels._scores import mean_r2
from skdatamodels._sklearn_compat import fit_context
from skdatamodels.masks import as_masks
from skdatamodels.runs._training_runs import note_targets, outputs_of


class DifferenceOfMeans(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Subsampled empirical influence of each training example on each target.

    The weight of an example is the mean output of the runs that saw it less the
    mean output of the runs that did not. It looks at one example at a time,
    where :class:`~skdatamodels.regression.DatamodelRegressor` weighs them
    against each other: the same runs give it a noisier answer, faster.

    An example that is in every run, or in none, has no difference: its weight
    is 0. Each target's means are over the runs that have an output for it.

    Attributes
    ----------
    coef_ : float64 array of shape (n_targets, n_train), or (n_train,) for 1-d `y`
        Attribution matrix, in the output's unit; positive when the example's
        presence raises the output.
    intercept_ : float64 array of shape (n_targets,), or float for 1-d `y`
        Such that the mean prediction over the fitted runs is the mean output.
    output_info_ : OutputInfo
        What the outputs measure, if X was TrainingRuns that knew it.
    target_classes_ : array of shape (n_targets,) or None
        Class of each target, if X was TrainingRuns that knew it.
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    skdatamodels.regression.DatamodelRegressor : Sparse regression on the same runs.

    Notes
    -----
    For half-subsets it is, in the limit of many runs, a multiple of the least
    squares fit on the masks. With fewer runs than examples the prediction, the
    sum of the weights of the examples present, ranks the runs but spreads too
    wide: judge it by its rank correlation.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 6.1 and appendix K.1.

    Feldman and Zhang, "What Neural Networks Memorize and Why", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.influence import DifferenceOfMeans
    >>> masks = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]])
    >>> influence = DifferenceOfMeans().fit(masks, 2.0 * masks[:, 0] + 1)
    >>> influence.coef_
    array([2., 0., 0.])
    >>> influence.predict(masks)
    array([3., 1., 3., 1.])
    """

    _parameter_constraints = {}

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, sample_weight=None):
        """Take the differences of means.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
            Masks, 0/1 or bool: which training examples each run saw.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            Outputs. TrainingRuns bring their own; y is then fitted in place of them,
            and what the runs know of their outputs is not taken over. NaN stands for a
            run that has no output for the target, and is left out of its means.
        sample_weight : array-like of shape (n_runs,), default=None
            Weight of each run in the means, not negative.

        Returns
        -------
        self : DifferenceOfMeans

        Raises
        ------
        ValueError
            If an entry of the masks is neither 0 nor 1, the lengths differ, an
            output is infinite, no target has an output, or weights are negative or all
            0.

        Warns
        -----
        UserWarning
            If some targets have no output. Their weights are 0, their intercepts NaN.
        """
        note_targets(self, X, y)
        masks = self._masks_of(X, reset=True)
        y = _check_outputs(outputs_of(X, y), masks)
        weight = check_sample_weight(sample_weight, len(masks))[:, None]
        outputs = y[:, None] if y.ndim == 1 else y
        size = exponents(outputs)
        outputs = scaled(outputs, size)
        missing = np.isnan(outputs)
        known = weight * ~missing if missing.any() else weight  # one for all targets
        n_runs, outputs = known.sum(axis=0), np.nan_to_num(outputs)
        _check_enough(n_runs)
        mean = (known * outputs).sum(axis=0) / np.where(n_runs > 0, n_runs, 1)
        total = masks.T_dot(known * (outputs - mean))
        n_in = masks.T_dot(known)
        # With the mean taken off, the outputs without an example sum to -total, so
        # total / n_in - (-total) / n_out = total * n_runs / (n_in * n_out).
        pairs = n_in * (n_runs - n_in)
        # of weights, rounding leaves something where all runs saw an example
        seen = masks.T_dot(known > 0)
        differs = (seen > 0) & (seen < (known > 0).sum(axis=0))
        coef = np.where(differs, total * n_runs, 0) / np.where(differs, pairs, 1)
        coef = coef.T
        share = n_in / np.where(n_runs > 0, n_runs, np.nan)
        intercept = mean - (coef.T * share).sum(axis=0)
        coef, intercept = np.ldexp(coef, size[:, None]), np.ldexp(intercept, size)
        self.coef_ = coef[0] if y.ndim == 1 else coef
        self.intercept_ = float(intercept[0]) if y.ndim == 1 else intercept
        return self

    def predict(self, X):
        """Predict the outputs of runs from their masks.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns

        Returns
        -------
        outputs : float64 array of shape (n_runs, n_targets), or (n_runs,)

        Raises
        ------
        ValueError
            If an entry is neither 0 nor 1, or `n_train` is not that of ``fit``.
        """
        check_is_fitted(self)
        masks = self._masks_of(X, reset=False)
        predicted = masks.dot(np.atleast_2d(self.coef_).T) + self.intercept_
        return predicted[:, 0] if self.coef_.ndim == 1 else predicted

    def score(self, X, y=None, sample_weight=None):
        """R² of the prediction, averaged over the targets.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            Outputs; by default those of `X`, if it is TrainingRuns. NaN are left out,
            and so are targets that had no output.
        sample_weight : array-like of shape (n_runs,), default=None

        Returns
        -------
        score : float
        """
        return mean_r2(outputs_of(X, y), self.predict(X), sample_weight)

    def _masks_of(self, X, reset):
        """Return masks; keep, or check, the number and the names of their columns."""
        X = getattr(X, "packed", X)
        masks = as_masks(X)
        named = X if hasattr(X, "columns") else masks
        validate_data(self, named, reset=reset, skip_check_array=True)
        return masks


def _check_outputs(y, masks):
    y = as_real(y, "outputs y").astype(np.float64, copy=False)
    if y.ndim not in (1, 2) or len(y) != len(masks):
        raise ValueError(
            "Outputs must have shape (n_runs, n_targets) or (n_runs,), with n_runs = "
            f"{len(masks)} as the masks have; got {y.shape}."
        )
    if np.isinf(y).any():
        where = np.argwhere(np.isinf(y))[0]
        raise ValueError(f"The output of run {where[0]} is infinite; leave it out.")
    return y


def _check_enough(n_runs):
    """Warn of targets that have no runs; raise if none has any."""
    empty = np.flatnonzero(n_runs == 0)
    if len(empty) == len(n_runs):
        raise ValueError("No target has an output in any run.")
    if len(empty):
        warnings.warn(
            f"{len(empty)} of {len(n_runs)} targets have no output in any run and get "
            f"weights 0, intercept NaN: {empty[:10].tolist()}"
            f"{' and more' if len(empty) > 10 else ''}.",
            UserWarning,
            stacklevel=4,
        )
