"""Estimate the size at which a target flips, from trainings at several sizes."""

import numpy as np
from scipy.optimize import isotonic_regression


def zero_of_curves(sizes, means, weights):
    """Return the smallest integer size at which each fitted mean output is negative.

    The mean output is assumed to decrease as more examples are removed. The fit is an
    isotonic regression whose values are joined by straight lines.

    Parameters
    ----------
    sizes : int array of shape (n_sizes,)
        Increasing sizes, starting at 0.
    means : array of shape (n_rows, n_sizes)
        Mean outputs.
    weights : array of shape (n_sizes,)
        Number of trainings for each mean.

    Returns
    -------
    sizes : float64 array of shape (n_rows,)
        The sizes. NaN if the fit is never negative.
    """
    fit = np.array(
        [isotonic_regression(row, weights=weights, increasing=False).x for row in means]
    )
    right = (fit < 0).argmax(axis=1)
    left = np.maximum(right - 1, 0)
    rows = np.arange(len(fit))
    above, below = fit[rows, left], fit[rows, right]
    inside = right > 0
    share = np.divide(above, above - below, out=np.zeros(len(fit)), where=inside)
    crossing = sizes[left] + share * (sizes[right] - sizes[left])
    zeros = np.where(inside, np.floor(crossing) + 1, sizes[0])
    return np.where((fit < 0).any(axis=1), zeros, np.nan)


def fit_support(trials):
    """Return the size of the support from the trials at each size tried.

    Parameters
    ----------
    trials : dict of int to array of shape (n_trials,)
        Outputs by number of removed examples. NaN for a training that failed. The
        number of trials may differ between sizes.

    Returns
    -------
    size : float
        Size of the support. NaN if no size flips.
    """
    sizes = np.array(sorted(trials))
    means = np.array([np.nanmean(trials[size], dtype=np.float64) for size in sizes])
    weights = np.array([(~np.isnan(trials[size])).sum() for size in sizes])
    return zero_of_curves(sizes, means[None], weights)[0]


def bootstrap_support(trials, n_bootstraps, confidence, rng):
    """Return the bootstrap interval of the size, by resampling the trials.

    Returns
    -------
    low, high : float
        Ends of the interval. Infinite if they are at draws that never flip.
    """
    sizes = np.array(sorted(trials))
    draws = np.empty((n_bootstraps, len(sizes)))
    weights = np.empty(len(sizes))
    for column, size in enumerate(sizes):
        known = np.asarray(trials[size], dtype=np.float64)
        known = known[~np.isnan(known)]
        picks = rng.integers(len(known), size=(n_bootstraps, len(known)))
        draws[:, column], weights[column] = known[picks].mean(axis=1), len(known)
    zeros = zero_of_curves(sizes, draws, weights)
    zeros[np.isnan(zeros)] = np.inf
    tail = (1 - confidence) / 2
    # no interpolation between draws, because inf - inf is NaN
    return np.quantile(zeros, [tail, 1 - tail], method="inverted_cdf")
