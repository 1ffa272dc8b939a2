"""Banzhaf, Shapley and Beta-Shapley values, estimated from runs."""

from collections.abc import Mapping

import numpy as np
from scipy.special import betainc

from skdatamodels.influence._difference_of_means import DifferenceOfMeans
from skdatamodels.masks import as_masks

__all__ = ["banzhaf_values", "shapley_values"]


def banzhaf_values(runs):
    """Banzhaf values from runs on subsets of half the training set.

    The value of an example is its mean marginal contribution to a random subset that
    contains each other example with probability ½. The difference of means at
    alpha = ½ estimates it, using every run for every example. So this function is
    :class:`~skdatamodels.influence.DifferenceOfMeans` with a check of the design.

    Parameters
    ----------
    runs : TrainingRuns, or pair (masks, outputs)
        Runs at alpha = ½, with masks (n_runs, n_train) and outputs (n_runs,
        n_targets).

    Returns
    -------
    values : float64 array of shape (n_targets, n_train)
        Banzhaf values in the output's unit. Positive if the presence of the example
        raises the output. For designs in which all subsets have the same size, see the
        Notes of :func:`shapley_values`.

    Raises
    ------
    ValueError
        If the runs were not drawn at alpha = ½, or `DifferenceOfMeans` does not accept
        them.

    References
    ----------
    Wang and Jia, "Data Banzhaf: a robust data valuation framework for machine
    learning", AISTATS 2023.

    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix K.4.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.influence import banzhaf_values
    >>> masks = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> both_needed = masks.all(axis=1, keepdims=True)
    >>> banzhaf_values((masks, both_needed))
    array([[0.5, 0.5]])
    """
    return _values_at(0.5, runs)


def shapley_values(runs, *, beta=(1, 1)):
    """Shapley or Beta-Shapley values from runs at several values of alpha.

    At one alpha, the difference of means estimates the mean marginal contribution of an
    example to a subset with this fraction of the training set. The Shapley value is its
    integral over alpha from 0 to 1. The Beta-Shapley value weights alpha by a Beta
    density. The integrand is interpolated linearly between the given alphas and
    constant outside.

    Parameters
    ----------
    runs : dict of float to TrainingRuns or pair (masks, outputs)
        Runs by alpha, on the same training set and targets. Five values of alpha, from
        .1 to .9, are enough for a smooth integrand.
    beta : pair of positive float, default=(1, 1)
        Parameters of Kwon and Zou. (1, 1) gives the Shapley value, (16, 1) emphasises
        small subsets, and (1, 16) emphasises large ones.

    Returns
    -------
    values : float64 array of shape (n_targets, n_train)
        Values in the output's unit. Positive if the presence of the example raises the
        output.

    Raises
    ------
    TypeError
        If `runs` is not a dict.
    ValueError
        If an alpha does not match its runs, the runs have different training sets or
        targets, a number of `beta` is not positive, or `DifferenceOfMeans` does not
        accept the runs.

    See Also
    --------
    skdatamodels.inference.compare_alphas : Shapley values with intervals.

    Notes
    -----
    The estimate at each alpha is unbiased for the "bernoulli" design. In the "uniform"
    design, all subsets have the same size, so a subset with the example has one other
    example less than a subset without it. This lowers the values of all examples by
    the same amount (exactly so for the Shapley value over all sizes). The order and
    the LDS do not change, but the values sum to 0 instead of the output on all examples
    minus the output on none.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix K.4.

    Kwon and Zou, "Beta Shapley: a unified and noise-reduced data valuation
    framework for machine learning", AISTATS 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.influence import shapley_values
    >>> rng = np.random.default_rng(0)
    >>> runs = {}
    >>> for alpha in (0.2, 0.5, 0.8):
    ...     masks = rng.random((20_000, 3)) < alpha
    ...     runs[alpha] = masks, masks @ [[2.0], [1.0], [0.0]]
    >>> shapley_values(runs).round(1) + 0.0
    array([[2., 1., 0.]])
    """
    if not isinstance(runs, Mapping) or not runs:
        raise TypeError("runs must be a dict from alpha to the runs at this alpha.")
    if len(beta) != 2 or not all(0 < number < np.inf for number in beta):
        raise ValueError(f"beta must be two positive numbers, got {beta}.")
    alphas = sorted(runs)
    weights = _integration_weights(np.array(alphas, dtype=float), *beta)
    values = [_values_at(alpha, runs[alpha]) for alpha in alphas]
    if len({value.shape for value in values}) > 1:
        shapes = {a: v.shape for a, v in zip(alphas, values, strict=True)}
        raise ValueError(
            f"The runs have different (n_targets, n_train), by alpha: {shapes}. They "
            "must have the same training set and targets."
        )
    return np.tensordot(weights, values, axes=1)


def _values_at(alpha, runs):
    masks, outputs = runs if isinstance(runs, tuple) else (runs.packed, runs.outputs)
    masks = as_masks(masks)
    check_share(masks, alpha)
    coef = DifferenceOfMeans().fit(masks, outputs).coef_
    return np.atleast_2d(coef)


def check_share(masks, alpha):
    """Raise ValueError if PackedMasks do not have a fraction alpha of the columns."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be a fraction between 0 and 1, got {alpha}.")
    share = masks.column_counts().mean() / len(masks)
    # Sizes may be rounded to whole examples, or random.
    tolerance = 0.5 / masks.n_train + 5 * np.sqrt(
        alpha * (1 - alpha) / (len(masks) * masks.n_train)
    )
    if abs(share - alpha) > tolerance:
        raise ValueError(
            f"The runs at alpha={alpha} use {share:.3f} of the training set."
        )


def _integration_weights(alphas, a, b):
    """Return weights (n_alphas,) that integrate functions linear between the alphas.

    In Beta(a, b)-Shapley, alpha has the density t^(b-1)·(1-t)^(a-1) / B(b, a).
    """
    mean = b / (a + b)
    edges = np.r_[0, alphas, 1]
    mass = np.diff(betainc(b, a, edges))
    moment = mean * np.diff(betainc(b + 1, a, edges))  # of t, over each interval
    weights = np.zeros(len(alphas))
    weights[0] += mass[0]
    weights[-1] += mass[-1]
    width = np.diff(alphas)
    rising = (moment[1:-1] - alphas[:-1] * mass[1:-1]) / width
    weights[1:] += rising
    weights[:-1] += mass[1:-1] - rising
    return weights
