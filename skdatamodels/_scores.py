"""R² of predicted outputs, some of which may be missing."""

import numpy as np
from sklearn.metrics import r2_score

from skdatamodels._numbers import as_real, check_sample_weight
from skdatamodels._scaling import exponents, scaled


def mean_r2(y_true, y_pred, sample_weight=None):
    """Return R², averaged over targets, each on the runs without NaN.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_runs, n_targets) or (n_runs,)
        True and predicted outputs. NaN is ignored: runs without an output, targets
        without a datamodel.
    sample_weight : array-like of shape (n_runs,), optional
        Weight of each run.

    Returns
    -------
    score : float
        Mean R².
    """
    y_true = as_real(y_true, "outputs y")
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, len(y_true))
    size = exponents(y_true)
    y_true, y_pred = scaled(y_true, size), scaled(y_pred, size)
    if not (np.isnan(y_true).any() or np.isnan(y_pred).any()):
        return r2_score(y_true, y_pred, sample_weight=sample_weight)
    columns = (y.reshape(len(y), -1).T for y in (y_true, y_pred))
    weight, scores = check_sample_weight(sample_weight, len(y_true)), []
    for true, pred in zip(*columns, strict=True):
        usable = ~np.isnan(true) & ~np.isnan(pred)
        if usable.any():
            scores.append(
                r2_score(true[usable], pred[usable], sample_weight=weight[usable])
            )
    return float(np.mean(scores))
