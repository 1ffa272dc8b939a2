"""Scales of an attribution matrix by target, shrunk towards a common scale."""

import numpy as np

# Relative rounding error of a sum of squares.
_ROUNDING = 1e-24
# A fit without residuals would have infinite weight.
_LEAST_NOISE = np.finfo(np.float64).eps


def centred_sums(known, x, y):
    """Return weighted sums of squares and products about the means, by target.

    Parameters
    ----------
    known : array of shape (n_runs, n_targets), or (n_runs, 1) for all
        Weight of each run, 0 where it does not count.
    x, y : arrays of shape (n_runs, n_targets)
        The two variables.

    Returns
    -------
    n_runs, x_mean, y_mean, xx, xy, yy : arrays of shape (n_targets,)
        Numbers of runs, means, and sums of squares and products. The number of runs is
        the sum of the weights, but at least (Σw)²/Σw², the number of equal weights
        that would give means of the same variance. So weights that sum to little, such
        as 1/n, do not make the runs too few to tell.
    """
    total = np.broadcast_to(known.sum(axis=0), x.shape[1:])
    divisor = np.where(total > 0, total, 1)
    share = known / divisor
    squares = (share**2).sum(axis=0)
    n_runs = np.maximum(total, (total > 0) / np.where(squares > 0, squares, 1))
    x_mean, y_mean = ((known * values).sum(axis=0) / divisor for values in (x, y))
    x, y = x - x_mean, y - y_mean
    xx, xy, yy = ((known * a * b).sum(axis=0) for a, b in ((x, x), (x, y), (y, y)))
    xx[xx <= _ROUNDING * total * x_mean**2] = 0
    yy[yy <= _ROUNDING * total * y_mean**2] = 0
    return n_runs, x_mean, y_mean, xx, xy, yy


def shrunken_scales(n_runs, xx, xy, yy):
    """Return non-negative scales by target, shrunk towards the pooled scale.

    Parameters
    ----------
    n_runs, xx, xy, yy : arrays of shape (n_targets,)
        Result of `centred_sums`, where x is the prediction of the attributions.

    Returns
    -------
    scale : array of shape (n_targets,)
        The shrunken scales.
    pooled : float
        The pooled scale, 0 if it would be negative.
    z : float
        The pooled scale, before it is set to 0, divided by its standard error.
    """
    own = np.divide(xy, xx, out=np.zeros_like(xy), where=xx > 0)
    tells = (n_runs > 2) & (xx > 0) & (yy > 0)
    variance = np.full_like(own, np.inf)  # of `own` around the true scale
    residual = np.maximum(yy - own * xy, _LEAST_NOISE * yy)[tells]
    variance[tells] = residual / (n_runs[tells] - 2) / xx[tells]
    pooled, error, spread = _pool(own[tells], variance[tells])
    z, pooled = pooled / error, max(pooled, 0.0)
    scale = pooled + spread / (spread + variance) * (own - pooled)
    return np.where(yy > 0, np.maximum(scale, 0), 0), pooled, z


def _pool(own, variance):
    """Return the mean of the true scales, its standard error, and their variance.

    The formulas are those of DerSimonian and Laird.
    """
    if not len(own):
        return 0.0, np.inf, 0.0
    weight = 1 / variance
    mean = weight @ own / weight.sum()
    excess = weight @ (own - mean) ** 2 - (len(own) - 1)
    freedom = weight.sum() - weight @ weight / weight.sum()
    spread = max(excess / freedom, 0.0) if freedom > 0 else 0.0
    weight = 1 / (variance + spread)
    return weight @ own / weight.sum(), weight.sum() ** -0.5, spread
