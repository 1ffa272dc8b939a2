"""How much of the outputs of held-out runs the datamodels explain."""

import numpy as np

from skdatamodels.masks._packed import row_blocks


def held_out_r2(problem, fit):
    """Return R² of each target on runs that were not used for its fit.

    The error of the constant that predicts the mean of the fitted runs is that on the
    same held-out runs. The ridge has the errors of runs, or of groups or pairs of runs,
    that are left out one at a time. The LASSO has an error at each lam of the path. The
    smallest error of each target would flatter it: of pure noise, it would be below
    that of the constant. So all targets get the errors at the place on the path that is
    best for all together.

    Parameters
    ----------
    problem : Problem
        What was fitted.
    fit : Fit
        The fit of all targets, in the same units.

    Returns
    -------
    r2 : float64 array of shape (n_targets,)
        NaN if no run was held out, the target has no datamodel, or its outputs do not
        vary.
    """
    if fit.left_out_error is not None:
        return 1 - _over(fit.left_out_error, fit.left_out_error_of_mean)
    if fit.error is None:
        return np.full(len(fit.lam), np.nan)
    left = _over(at_last(fit.error), _held_out_variance(problem)[:, None])
    known = np.isfinite(left).all(axis=1)
    if not known.any():
        return np.full(len(left), np.nan)
    return 1 - left[:, left[known].mean(axis=0).argmin()]


def at_last(errors):
    """Replace the NaN after the end of each path (row) by the last error before."""
    computed = np.where(np.isnan(errors), 0, np.arange(errors.shape[1]))
    last = np.maximum.accumulate(computed, axis=1)
    return np.take_along_axis(errors, last, axis=1)


def _over(error, variance):
    return np.divide(
        error, variance, out=np.full(error.shape, np.nan), where=variance > 0
    )


def _held_out_variance(problem):
    """Return the mean squared error of the mean of the fitted runs, on the others."""
    variance = np.full(problem.Y.shape[1], np.nan)
    for group in problem.groups:
        squares, total = 0.0, 0.0
        for fold in group.folds:
            if not len(fold.held_out):
                continue
            mean = _weighted_mean(problem, fold.train_of(group.rows), group.targets)
            weight = _weights(problem, fold.held_out).sum()
            squares += weight * _mean_square(
                problem, fold.held_out, group.targets, mean
            )
            total += weight
        variance[group.targets] = squares / total if total else np.nan
    return variance


def _weighted_mean(problem, rows, targets):
    """Return the mean outputs of some runs, (n_targets,)."""
    first = np.array(problem.Y[rows[:1]][:, targets], np.float64)[0]
    return first + _mean_of(problem, rows, targets, lambda Y: Y - first)


def _mean_square(problem, rows, targets, centre):
    return _mean_of(problem, rows, targets, lambda Y: (Y - centre) ** 2)


def _mean_of(problem, rows, targets, function):
    """Return the weighted mean of a function of outputs over runs, (n_targets,)."""
    total = np.zeros(len(targets))
    for block in row_blocks(len(rows), 8 * problem.Y.shape[1]):
        values = function(np.array(problem.Y[rows[block]][:, targets], np.float64))
        total += _weights(problem, rows[block]) @ values
    return total / _weights(problem, rows).sum()


def _weights(problem, rows):
    weight = problem.sample_weight
    return np.ones(len(rows)) if weight is None else weight[rows]
