"""Fit and invert the curve of a score against the number of runs.

Assume that a datamodel is the best linear model plus an error of its weights, and that
the variance of this error is proportional to 1/m, where m is the number of runs. The
error lowers the correlation r between prediction and output. Let S be the variance of
the best prediction, e/m that of the error and V that of the output. Then

    r² = S² / (V·(S + e/m)), so 1/r² = a + b/m with a = V/S and b = V·e/S².

This holds for the difference of means. The LASSO sets more weights to zero when there
are fewer runs; for it, a power of m near 1 fits about as well.
"""

import numpy as np

POWERS = 0.8, 1.2  # range of plausible powers; the estimate uses 1


def fit_curves(n_runs, squares, power, least=1.0):
    """Fit 1/r² = a + b·m^(-power), curve by curve.

    Parameters
    ----------
    n_runs : array of shape (n_sizes,)
        Numbers of runs m.
    squares : array of shape (n_curves, n_sizes)
        r². NaN where there is no score.
    power : array of shape (n_curves,)
        Power of m for each curve.
    least : float
        Lower bound of a: 1/r² at the noise ceiling.

    Returns
    -------
    a, b : arrays of shape (n_curves,)
        Coefficients. NaN for a curve with fewer than two points.
    """
    x = n_runs ** -power[:, None]
    known = squares > 0
    r2 = np.where(known, squares, 1)
    y = 1 / r2
    # an error of r is 2/r³ times as large in 1/r²: weight by the inverse square
    weight = np.where(known, r2**3, 0)
    weight /= weight.sum(axis=1, keepdims=True) + (weight.sum(axis=1) == 0)[:, None]
    x_mean, y_mean = ((weight * v).sum(axis=1) for v in (x, y))
    dx, dy = x - x_mean[:, None], y - y_mean[:, None]
    b = (weight * dx * dy).sum(axis=1) / np.maximum(
        (weight * dx**2).sum(axis=1), 1e-300
    )
    a = y_mean - b * x_mean
    # a falling curve means that more runs do not help
    flat, high = b < 0, (a < least) & (b >= 0)
    a, b = np.where(flat, y_mean, a), np.where(flat, 0, b)
    through = (weight * x * (y - least)).sum(axis=1)
    through /= np.maximum((weight * x**2).sum(axis=1), 1e-300)
    a, b = np.where(high, least, a), np.where(high, np.maximum(through, 0), b)
    enough = known.sum(axis=1) >= 2
    return np.where(enough, a, np.nan), np.where(enough, b, np.nan)


def square_at(n_runs, a, b, power):
    """Return r² at the given numbers of runs (n_sizes,), as (n_curves, n_sizes)."""
    n_runs = np.asarray(n_runs, dtype=np.float64)
    return 1 / (a[:, None] + b[:, None] * n_runs ** -power[:, None])


def runs_for(square, a, b, power):
    """Return the number of runs needed to reach r²; infinite if it is out of reach."""
    gap = 1 / square - a
    with np.errstate(divide="ignore", invalid="ignore"):
        n_runs = (b / gap) ** (1 / power)
    return np.where(gap > 0, n_runs, np.inf)
