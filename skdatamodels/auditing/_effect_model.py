"""Fit of the effects of removing sets of rows, and of how far off they are.

A set changes an output by scale * (alone + growth * joint), see `SetSums`: each row by
its scaled weight, and by more if rows with much of the weight are removed with it. The
error has the variance

    noise² + spread² * variance + scale² * ((error * joint)² + (shared * strength)²)

of training, of the weights, of the growth, and of what the set does to all judged
rows. Its factors are those of largest Gaussian likelihood. At each size, intervals
are then widened until they hold, as in conformal prediction.
"""

import numpy as np

_LEVEL = 0.95
_MOST_GROWTH = 5.0
_N_STEPS = 300  # of the fit of the variances


def fit_changes(sums, true, weight):
    """Return scale and growth, by weighted least squares.

    Parameters
    ----------
    sums : SetSums
        Sums of pairs, each of shape (n_pairs,).
    true : float array of shape (n_pairs,)
        True effects.
    weight : float array of shape (n_pairs,)
        Weights of the pairs.

    Returns
    -------
    scale, growth : float
        At least 0, and `growth` at most 5, because noise can trade the one for the
        other.
    """
    root = np.sqrt(weight)
    table = root[:, None] * np.stack([sums.alone, sums.joint], axis=1)
    scale, joint = np.linalg.lstsq(table, root * true, rcond=None)[0]
    growth = float(np.clip(joint / scale, 0, _MOST_GROWTH)) if scale > 0 else 0.0
    both = table @ [1, growth]
    return float(max(0, both @ (root * true)) / (both @ both)), growth


def fit_variances(parts, errors, weight):
    """Return the factors of the parts of a variance, those of largest likelihood.

    The errors are normal with variance ``factors @ parts``. Factors are updated by
    ratios that keep them positive and never lower the likelihood.

    Parameters
    ----------
    parts : float array of shape (n_parts, n_pairs)
        Not negative.
    errors : float array of shape (n_pairs,)
        Errors.
    weight : float array of shape (n_pairs,)
        Weights of the pairs.

    Returns
    -------
    factors : float64 array of shape (n_parts,)
        Not negative; 0 for a part that is 0 everywhere.

    References
    ----------
    Févotte and Idier, "Algorithms for nonnegative matrix factorization with the
    beta-divergence", Neural Computation 23, 2011, for the Itakura-Saito divergence.
    """
    size = parts @ weight / weight.sum()
    known = size > 0
    square = errors**2
    mean = np.average(square, weights=weight)
    factors = np.zeros(len(parts))
    if mean == 0 or not known.any():
        return factors
    table = parts[known] / size[known, None]
    square = square / mean
    found = np.full(len(table), 1 / len(table))
    for _ in range(_N_STEPS):
        variance = found @ table + 1e-9
        raised = table @ (weight * square / variance**2)
        found = found * np.sqrt(raised / (table @ (weight / variance)))
    factors[known] = found * mean / size[known]
    return factors


def conformal_quantile(scores):
    """Return what a further score, drawn alike, does not exceed in 95 % of all cases.

    Reference: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-free
    predictive inference for regression", Journal of the American Statistical
    Association 113, 2018.
    """
    rank = min(len(scores), int(np.ceil(_LEVEL * (len(scores) + 1))))
    return np.sort(scores)[rank - 1]
