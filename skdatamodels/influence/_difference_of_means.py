"""Empirical influence: mean output with an example minus mean output without it."""

import numpy as np

from skdatamodels._scaling import exponents, scaled
from skdatamodels._sklearn_compat import fit_context
from skdatamodels.influence._mask_regressor import MaskRegressor
from skdatamodels.masks._packed import row_blocks


class DifferenceOfMeans(MaskRegressor):
    """Subsampled empirical influence of each training example on each target.

    The weight of an example is the mean output of the runs that used it minus the mean
    output of the runs that did not. Each example is considered separately, whereas
    :class:`~skdatamodels.regression.DatamodelRegressor` fits all weights jointly. So it
    is faster, but noisier with the same runs.

    An example that is in every run, or in none, has weight 0. The means of each target
    are over the runs that have an output for it.

    Attributes
    ----------
    coef_ : float64 array of shape (n_targets, n_train), or (n_train,) for 1-d `y`
        Attribution matrix, in the output's unit. Positive if the presence of the
        example raises the output.
    intercept_ : float64 array of shape (n_targets,), or float for 1-d `y`
        Intercepts. The mean prediction over the fitted runs equals the mean output.
    output_info_ : OutputInfo
        What the outputs measure, if X was TrainingRuns with this information.
    target_classes_ : array of shape (n_targets,) or None
        Class of each target, if X was TrainingRuns with this information.
    player_ids_ : array of shape (n_train,) or None
        Names of the columns, ids of training examples or labels of groups, if X was
        TrainingRuns with this information.
    target_ids_ : array of shape (n_targets,) or None
        Names of the targets, if X was TrainingRuns with this information.
    n_features_in_ : int
        Number of training examples.

    See Also
    --------
    skdatamodels.regression.DatamodelRegressor : Sparse regression on the same runs.

    Notes
    -----
    For subsets of half the training set and many runs, the weights converge to a
    multiple of the least-squares fit on the masks. With fewer runs than examples, the
    predictions (sums of the weights of the examples present) rank the runs well, but
    their spread is too large. Evaluate them by rank correlation.

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
    def fit(self, X, y=None, *, groups=None, sample_weight=None):
        """Compute the differences of means.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_train), PackedMasks or TrainingRuns
            Masks, 0/1 or bool: which training examples each run used.
        y : array-like of shape (n_runs, n_targets) or (n_runs,), default=None
            Outputs. Not needed if X is TrainingRuns. If given, y is fitted instead of
            the outputs of the runs, and their output information is ignored. NaN means
            that a run has no output for the target; such runs are left out of its
            means.
        groups : Ignored
            Not used, present for searches that hand groups to each of their candidates.
        sample_weight : array-like of shape (n_runs,), default=None
            Weight of each run in the means. Must not be negative.

        Returns
        -------
        self : DifferenceOfMeans
            The fitted regressor.

        Raises
        ------
        ValueError
            If an entry of the masks is neither 0 nor 1, the lengths differ, an
            output is infinite, no target has an output, or weights are negative or all
            0.

        Warns
        -----
        UserWarning
            If some targets have no output. Their weights are 0 and their intercepts
            NaN.
        """
        masks, outputs, known, one = self._check_runs(X, y, sample_weight)
        largest = known.max(axis=0)  # products of huge or tiny weights would overflow
        known = known / np.where(largest > 0, largest, 1)
        size = exponents(outputs)
        outputs, n_runs = scaled(outputs, size), known.sum(axis=0)
        mean = (known * outputs).sum(axis=0) / np.where(n_runs > 0, n_runs, 1)
        n_in, n_out = _two_sides(masks, known)
        sum_in, sum_out = _two_sides(masks, known * (outputs - mean))
        differs = (n_in > 0) & (n_out > 0)
        means = (
            total / np.where(differs, n, 1)
            for total, n in ((sum_in, n_in), (sum_out, n_out))
        )
        coef = np.where(differs, np.subtract(*means), 0).T
        share = n_in / np.where(n_runs > 0, n_runs, np.nan)
        intercept = mean - (coef.T * share).sum(axis=0)
        coef, intercept = np.ldexp(coef, size[:, None]), np.ldexp(intercept, size)
        self._set_weights(coef, intercept, one)
        return self


def _two_sides(masks, values):
    """Sum values over the runs with each example, and over those without it.

    Both are summed: if a run with the example weighs much more than all without it, the
    difference between the total and one side loses the other side.
    """
    sides = np.zeros((2, masks.shape[1], values.shape[1]))
    for rows in row_blocks(len(masks), 8 * max(sides.shape)):
        block = masks.dense(rows, np.float64)
        sides[0] += block.T @ values[rows]
        sides[1] += (1 - block).T @ values[rows]
    return sides
