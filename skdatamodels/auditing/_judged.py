"""The judged rows of an audit: their outputs and weights, and the effects of rows."""

from typing import NamedTuple

import numpy as np

from skdatamodels.applications import mean_weights
from skdatamodels.influence import cheap_attributions
from skdatamodels.regression import DatamodelRegressor
from skdatamodels.runs import TrainingRuns

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
    """

    task: str
    targets: np.ndarray
    output: np.ndarray
    truth: np.ndarray
    runs: TrainingRuns
    model: DatamodelRegressor

    @property
    def weights(self):
        """Attribution matrix, array of shape (n_judged, n_train)."""
        return self.model.coef_

    def benefit(self):
        """Return what each training row does to each judged row.

        Returns
        -------
        benefit : float array of shape (n_judged, n_train)
            Change of the margin, or minus the change of the squared error, by the
            presence of the training row. Positive is better.
        """
        if self.task == "classification":
            return self.weights
        # to first order
        return -2 * (self.output - self.truth)[:, None] * self.weights

    def mean_benefit(self, among=slice(None)):
        """Return the mean over judged rows, each class with the same weight."""
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


def fit_judged(trained, targets, task, *, seed, n_jobs):
    """Fit the datamodels of the judged rows.

    Parameters
    ----------
    trained : AuditRuns
        What was trained.
    targets : int array of shape (n_judged,)
        Positions of the judged rows.
    task : {"classification", "regression"}
    seed : int
    n_jobs : int

    Returns
    -------
    judged : Judged
    regressor : DatamodelRegressor
        The same regressor, not fitted.
    """
    trainer, all_runs = trained.trainer, trained.runs
    exclude = trained.rows[targets]
    outputs = np.asarray(all_runs.outputs[:, targets])
    own = np.flatnonzero(exclude >= 0)
    if own.size:  # a row says nothing about itself
        seen = all_runs.masks[:, exclude[own]]
        outputs[:, own] = np.where(seen, np.nan, outputs[:, own])
    known = all_runs.target_classes
    runs = TrainingRuns(
        all_runs.packed,
        outputs,
        seeds=all_runs.seeds,
        output=all_runs.output_info,
        target_classes=None if known is None else known[targets],
        n_missed_classes=all_runs.n_missed_classes,
        attributions=cheap_attributions(
            trainer.estimator,
            trainer.train,
            trainer.targets[targets],
            output=trainer.output_info.name,
            alpha=trainer.alpha,
            models=list(all_runs.models) or None,
            random_state=seed,
            n_jobs=n_jobs,
        ),
    )
    regressor = DatamodelRegressor(
        prior="cheap", penalty="l2", exclude=exclude, n_jobs=n_jobs, random_state=0
    )
    full = trained.full[targets]
    output = np.where(exclude >= 0, np.nanmean(outputs, axis=0), full)
    judged = Judged(
        task, targets, output, trainer.targets.y[targets], runs, regressor.fit(runs)
    )
    return judged, regressor
