"""Banzhaf, Shapley and Beta-Shapley values, estimated from runs."""

from collections.abc import Mapping

import numpy as np
from scipy.special import betainc

from skdatamodels.influence._difference_of_means import DifferenceOfMeans
from skdatamodels.masks import as_masks

__all__ = ["banzhaf_values", "shapley_values"]


def banzhaf_values(runs):
    """Banzhaf values from runs on half-subsets.

    The value of an example is its mean marginal contribution to a subset of the
    others drawn by tossing a coin for each. At alpha = ½ the difference of means
    estimates it, from every run for every example: this is
    :class:`~skdatamodels.influence.DifferenceOfMeans` and a check of the design.

    Parameters
    ----------
    runs : TrainingRuns, or pair (masks, outputs)
        Runs at alpha = ½, with masks (n_runs, n_train), outputs (n_runs, n_targets).

    Returns
    -------
    values : float64 array of shape (n_targets, n_train)
        In the output's unit; positive when the example's presence raises it. See
        Notes of :func:`shapley_values` for the design of subsets of one size.

    Raises
    ------
    ValueError
        If the runs were not drawn at alpha = ½, or are not what
        `DifferenceOfMeans` takes.

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
    """Shapley or Beta-Shapley values from runs at several alpha.

    At one alpha the difference of means estimates the mean marginal contribution of
    an example to an alpha-subset. The Shapley value is its integral over alpha from
    0 to 1, and the Beta-Shapley value weighs alpha by a Beta density. Between the
    alphas of the runs the integrand is taken as straight, outside as constant.

    Parameters
    ----------
    runs : dict of float to TrainingRuns or pair (masks, outputs)
        From alpha to the runs at that alpha, on the same training set and targets.
        Five values of alpha, from .1 to .9, suit a smooth integrand.
    beta : pair of positive float, default=(1, 1)
        Parameters of Kwon and Zou: (1, 1) is the Shapley value, (16, 1) stresses
        small subsets, (1, 16) large ones.

    Returns
    -------
    values : float64 array of shape (n_targets, n_train)
        In the output's unit; positive when the example's presence raises it.

    Raises
    ------
    ValueError
        If an alpha is not that of its runs, the runs differ in training set or
        targets, a number of `beta` is not positive, or the runs are not what
        `DifferenceOfMeans` takes.

    Notes
    -----
    Unbiased at each alpha for the "bernoulli" design. In the "uniform" one all
    subsets have one size, and a subset with the example has one other example less
    than a subset without it. That takes the same from every example, exactly so in
    the Shapley value over all sizes: order and LDS stay, while the values sum to 0
    instead of to the output on all examples less that on none.

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
        raise TypeError("runs must be a dict from alpha to the runs at that alpha.")
    if len(beta) != 2 or not all(0 < number < np.inf for number in beta):
        raise ValueError(f"beta must be two positive numbers, got {beta}.")
    alphas = sorted(runs)
    weights = _integration_weights(np.array(alphas, dtype=float), *beta)
    values = [_values_at(alpha, runs[alpha]) for alpha in alphas]
    if len({value.shape for value in values}) > 1:
        shapes = {a: v.shape for a, v in zip(alphas, values, strict=True)}
        raise ValueError(
            f"The runs differ in (n_targets, n_train), by alpha: {shapes}. They must be"
            " on the same training set and targets."
        )
    return np.tensordot(weights, values, axes=1)


def _values_at(alpha, runs):
    masks, outputs = runs if isinstance(runs, tuple) else (runs.packed, runs.outputs)
    masks = as_masks(masks)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be a fraction between 0 and 1, got {alpha}.")
    share = masks.column_counts().mean() / len(masks)
    # Sizes may be rounded to whole examples, or vary by the toss of a coin for each.
    tolerance = 0.5 / masks.n_train + 5 * np.sqrt(
        alpha * (1 - alpha) / (len(masks) * masks.n_train)
    )
    if abs(share - alpha) > tolerance:
        raise ValueError(
            f"The runs said to be at alpha={alpha} see {share:.3f} of the training set."
        )
    coef = DifferenceOfMeans().fit(masks, outputs).coef_
    return np.atleast_2d(coef)


def _integration_weights(alphas, a, b):
    """Return weights (n_alphas,) that integrate what is straight between the alphas.

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
