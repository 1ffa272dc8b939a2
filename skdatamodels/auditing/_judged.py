"""The judged rows of an audit: their outputs and weights, and the effects of rows."""

from typing import NamedTuple

import numpy as np

from skdatamodels.auditing._effect_check import (
    NORMAL,
    UNCHECKED,
    EffectCheck,
    half_widths,
    predicted_changes,
)
from skdatamodels.auditing._set_sums import SetSums
from skdatamodels.inference import infer_weights
from skdatamodels.inference._named_weights import FDR
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.runs import TrainingRuns

LIKELY = 0.5  # probability of a label error, above which it is counted as one
_MOST_JUDGED = 2000


class Judged(NamedTuple):
    """Rows that are judged: the test rows, or else the training rows.

    Attributes
    ----------
    task : {"classification", "regression"}
    targets : int array of shape (n_judged,)
        Their positions among all targets.
    output : float64 array of shape (n_judged,)
        Mean output of models trained on all other rows, or on half of them.
    truth : array of shape (n_judged,)
        Labels or values.
    runs : TrainingRuns
        Outputs on them. NaN if the row is in the subset.
    model : DatamodelRegressor
        The datamodels.
    judges : bool array of shape (n_judged,)
        Whether the row's own label is likely to be right, so that it can judge others.
    check : EffectCheck
        How the weights compare with effects in models trained on all rows.
    curved : bool
        Whether effects are so large, as those of groups, that a squared error is not
        linear in them.
    """

    task: str
    targets: np.ndarray
    output: np.ndarray
    truth: np.ndarray
    runs: TrainingRuns
    model: DatamodelRegressor
    judges: np.ndarray
    check: EffectCheck = UNCHECKED
    curved: bool = False

    @property
    def weights(self):
        """Attribution matrix, array of shape (n_judged, n_train)."""
        return self.model.coef_

    @property
    def effects(self):
        """Effects of rows alone in models trained on all rows: the scaled weights."""
        return self.check.scale * self.weights

    def standard_errors(self, among=None):
        """Return the standard errors of effects by those of the weights, as they are.

        These are of shape (n_judged, n_train). Intervals of sets have other parts, too:
        see :class:`EffectCheck`. `among` is an int array of judged rows; None means
        all.
        """
        variance = self.model.posterior_variance(self.runs, targets=among)
        return self.check.spread * np.sqrt(variance)

    def predict_removal(self, rows):
        """Return the changes of outputs without some rows, and half of their intervals.

        Both have shape (n_judged,). `rows` is an int array.
        """
        rows = np.unique(rows)
        removed = np.zeros((1, self.weights.shape[1]), dtype=bool)
        removed[0, rows] = True
        each = np.zeros((len(rows), removed.shape[1]))
        each[np.arange(len(rows)), rows] = 1
        variance = self.model.posterior_variance(self.runs, sets=each)
        sums = SetSums.of(self.weights, variance.sum(axis=1, keepdims=True), removed)
        check = self.check
        return predicted_changes(check, sums)[:, 0], half_widths(check, sums)[:, 0]

    def benefit(self):
        """Return what each training row does to each judged row.

        Returns
        -------
        benefit : float array of shape (n_judged, n_train)
            Change of the margin, or minus the change of the squared error, by the
            presence of the training row. Positive is better.
        """
        return self._slopes()[:, None] * self.effects

    def mean_benefit(self, among=None):
        """Return what each training row adds to the score, array (n_train,).

        For classes, it is the change of the mean margin, each class having the same
        weight; for values, minus the change of the root mean squared error, in their
        unit. `among` is an int array of judged rows; None means all that can judge.
        """
        return self._factors(among) @ self.effects + self._curvature(among)

    def mean_intervals(self, strata=None):
        """Return intervals of the mean benefits, float64 array (n_train, 2).

        They are about the noise of the runs, and hold for the most harmful and the most
        helpful rows. They are widened by how far scaled effects were from those of
        retraining, relative to their size. Their level is that of the effects. `strata`
        has the class of each training row, if subsets were stratified.
        """
        factors, scale = self._factors(), self.check.scale
        inference = infer_weights(self.model, self.runs, strata=strata)
        mean = inference.combine(factors).with_level_of((factors @ self.weights)[None])
        harmful, helpful = (
            mean.adjusted_interval(FDR, alternative=side)[0]
            for side in ("less", "greater")
        )
        benefit = self.mean_benefit()
        low, high = np.where(benefit > 0, helpful.T, harmful.T)
        # without a scale, an effect may be 0, but not for sure
        noise = (scale or 1.0) * (high - low) / 2
        half = np.hypot(noise, NORMAL * self.check.relative_error * benefit)
        centre = scale * mean.estimate[0] + self._curvature()
        return np.stack([centre - half, centre + half], axis=1)

    def _factors(self, among=None):
        """Return the factor of each judged row's effects in the mean (n_judged,)."""
        among = self._judging(among)
        factors = np.zeros(len(self.truth))
        if self.task == "classification":
            labels, of_row, counts = np.unique(
                self.truth[among], return_inverse=True, return_counts=True
            )
            factors[among] = 1 / (len(labels) * counts[of_row])
        else:
            factors[among] = 1 / (2 * len(among) * self._rmse(among))
        return factors * self._slopes()

    def _curvature(self, among=None):
        """Return the part of the mean benefits that is quadratic in the effects.

        Without a row, the output f is f - e. So a squared error (f - y)² falls by
        2 (f - y) e - e², and the second term is as large as the first for a group
        without which the output is another one.
        """
        if not self.curved or self.task == "classification":
            return np.zeros(self.weights.shape[1])
        among = self._judging(among)
        return (self.effects[among] ** 2).mean(axis=0) / (2 * self._rmse(among))

    def _rmse(self, among):
        """Return the root mean squared error; 1 if all is exact."""
        error = (self.output - self.truth)[among]
        return np.sqrt(np.mean(error**2)) or 1.0

    def _judging(self, among):
        return np.flatnonzero(self.judges) if among is None else among

    def _slopes(self):
        """Return by how much a judged row gets better if its output rises (n_judged,).

        To first order, for a squared error.
        """
        if self.task == "classification":
            return np.ones(len(self.output))
        return -2 * (self.output - self.truth)


def choose_judged(train, test, seed):
    """Return the positions of the judged rows among all targets.

    They are the test rows, or without them the training rows; at most 2,000 at random.
    """
    first, n = (0, len(train)) if test is None else (len(train), len(test))
    rows = np.arange(n)
    if n > _MOST_JUDGED:
        rng = np.random.default_rng([seed, 1])
        rows = np.sort(rng.choice(n, _MOST_JUDGED, replace=False))
    return first + rows


def fit_judged(task, targets, runs, truth, exclude, full, attributions, judges, n_jobs):
    """Fit the datamodels of the judged rows.

    Parameters
    ----------
    task : {"classification", "regression"}
    targets : int array of shape (n_judged,)
        Positions of the judged rows among all targets.
    runs : TrainingRuns
        Runs with outputs on all targets.
    truth : array of shape (n_judged,)
        Labels or values of the judged rows.
    exclude : int array of shape (n_judged,)
        Column of the masks that each judged row is in, -1 for none.
    full : float array of shape (n_judged,)
        Mean output of models trained on all rows.
    attributions : mapping of str to array of shape (n_judged, n_columns)
        The prior.
    judges : bool array of shape (n_judged,)
        See :class:`Judged`.
    n_jobs : int
        Number of threads.

    Returns
    -------
    judged : Judged
    """
    outputs = np.array(runs.outputs[:, targets])
    own = np.flatnonzero(exclude >= 0)
    if own.size:  # what a model has seen says nothing about it
        outputs[:, own] = np.where(runs.masks[:, exclude[own]], np.nan, outputs[:, own])
        full = np.where(exclude >= 0, np.nanmean(outputs, axis=0), full)
    part = TrainingRuns(
        runs.packed,
        outputs,
        seeds=runs.seeds,
        output=runs.output_info,
        target_classes=truth if task == "classification" else None,
        n_missed_classes=runs.n_missed_classes,
        attributions=attributions,
        models=runs.models,
    )
    regressor = DatamodelRegressor(
        prior="cheap", penalty="l2", exclude=exclude, n_jobs=n_jobs, random_state=0
    )
    return Judged(task, targets, full, truth, part, regressor.fit(part), judges)
