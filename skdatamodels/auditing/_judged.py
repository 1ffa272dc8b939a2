"""The judged rows of an audit: their outputs and weights, and the effects of rows."""

from typing import NamedTuple

import numpy as np

from skdatamodels.applications import mean_weights
from skdatamodels.auditing._effect_check import (
    UNCHECKED,
    EffectCheck,
    half_widths,
    predicted_changes,
)
from skdatamodels.auditing._set_sums import SetSums
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
    """

    task: str
    targets: np.ndarray
    output: np.ndarray
    truth: np.ndarray
    runs: TrainingRuns
    model: DatamodelRegressor
    judges: np.ndarray
    check: EffectCheck = UNCHECKED

    @property
    def weights(self):
        """Attribution matrix, array of shape (n_judged, n_train)."""
        return self.model.coef_

    @property
    def effects(self):
        """Effects of rows alone in models trained on all rows: the scaled weights."""
        return self.check.scale * self.weights

    def standard_errors(self):
        """Return the standard errors of effects by those of the weights, as they are.

        These are of shape (n_judged, n_train). Intervals of sets have other parts, too:
        see :class:`EffectCheck`.
        """
        return self.check.spread * np.sqrt(self.model.posterior_variance(self.runs))

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
        if self.task == "classification":
            return self.effects
        # to first order
        return -2 * (self.output - self.truth)[:, None] * self.effects

    def mean_benefit(self, among=None):
        """Return the mean over rows that can judge, each class with the same weight.

        `among` is an int array of judged rows; None means all that can judge.
        """
        among = np.flatnonzero(self.judges) if among is None else among
        benefit = self.benefit()[among]
        if self.task == "classification":
            return mean_weights(benefit, target_classes=self.truth[among])
        return benefit.mean(axis=0)


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
