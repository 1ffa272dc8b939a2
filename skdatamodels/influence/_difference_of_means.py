"""Empirical influence: mean output with an example less that without it."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from skdatamodels._numbers import as_real
from skdatamodels._scaling import exponents, scaled
from skdatamodels._sklearn_compat import fit_context
from skdatamodels.masks import as_masks
from skdatamodels.runs._training_runs import note_targets


class DifferenceOfMeans(RegressorMixin, BaseEstimator):
    """Subsampled empirical influence of each training example on each target.

    The weight of an example is the mean output of the runs that saw it less the
    mean output of the runs that did not. It looks at one example at a time,
    where :class:`~skdatamodels.regression.DatamodelRegressor` weighs them
    against each other: the same runs give it a noisier answer, faster.

    An example that is in every run, or in none, has no difference: its weight
    is 0.

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
    def fit(self, X, y=None):
        """Take the differences of means.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
            Masks, 0/1 or bool: which training examples each run saw.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            Outputs; those of `X` where it is TrainingRuns. NaN stands for a run
            that has no output for the target, and is left out of its means.

        Returns
        -------
        self : DifferenceOfMeans

        Raises
        ------
        ValueError
            If an entry of the masks is neither 0 nor 1, the lengths differ, an
            output is infinite, or a target has no output at all.
        """
        note_targets(self, X)
        masks = _masks_of(X)
        y = _check_outputs(getattr(X, "outputs", None) if y is None else y, masks)
        outputs = y[:, None] if y.ndim == 1 else y
        size = exponents(outputs)
        outputs = scaled(outputs, size)
        known = ~np.isnan(outputs)
        mean = np.nanmean(outputs, axis=0)
        total = masks.T_dot(np.where(known, outputs - mean, 0))
        if known.all():
            n_runs, n_in = len(masks), masks.column_counts()[:, None]
        else:
            n_runs, n_in = known.sum(axis=0), masks.T_dot(known)
        # With the mean taken off, the outputs without an example sum to -total, so
        # total / n_in - (-total) / n_out = total * n_runs / (n_in * n_out).
        pairs = n_in * (n_runs - n_in)
        coef = np.where(pairs > 0, total * n_runs / np.maximum(pairs, 1), 0).T
        intercept = mean - (coef.T * (n_in / n_runs)).sum(axis=0)
        coef, intercept = np.ldexp(coef, size[:, None]), np.ldexp(intercept, size)
        self.coef_ = coef[0] if y.ndim == 1 else coef
        self.intercept_ = float(intercept[0]) if y.ndim == 1 else intercept
        self.n_features_in_ = masks.shape[1]
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
        masks = _masks_of(X)
        if masks.shape[1] != self.n_features_in_:
            raise ValueError(
                f"The masks have {masks.shape[1]} training examples; "
                f"{self.n_features_in_} were fitted."
            )
        predicted = masks.dot(np.atleast_2d(self.coef_).T) + self.intercept_
        return predicted[:, 0] if self.coef_.ndim == 1 else predicted

    def score(self, X, y=None, sample_weight=None):
        """R² of the prediction, averaged over the targets.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            Outputs; those of `X` where it is TrainingRuns.
        sample_weight : array-like of shape (n_runs,), default=None

        Returns
        -------
        score : float
        """
        y = np.asarray(X.outputs if y is None else y)
        size = exponents(y)
        true, predicted = scaled(y, size), scaled(self.predict(X), size)
        return r2_score(true, predicted, sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.target_tags.multi_output = True
        return tags


def _masks_of(X):
    return as_masks(getattr(X, "packed", X))


def _check_outputs(y, masks):
    if y is None:
        raise ValueError(
            "y is missing: pass the outputs of the runs, or TrainingRuns as X."
        )
    y = as_real(y, "outputs y").astype(np.float64, copy=False)
    if y.ndim not in (1, 2) or len(y) != len(masks):
        raise ValueError(
            "Outputs must have shape (n_runs, n_targets) or (n_runs,), with n_runs = "
            f"{len(masks)} as the masks have; got {y.shape}."
        )
    if np.isinf(y).any():
        where = np.argwhere(np.isinf(y))[0]
        raise ValueError(f"The output of run {where[0]} is infinite; leave it out.")
    empty = np.isnan(y).all(axis=0)
    if empty.any():
        raise ValueError(f"Target {np.argmax(empty)} has no output in any run.")
    return y
