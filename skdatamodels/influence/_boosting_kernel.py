"""Compiled sums of boosting influence: the effect of a few examples on all scores."""

import numpy as np

from skdatamodels._numba import njit

__all__ = ["carry_effects"]


@njit(nogil=True, error_model="numpy")
def carry_effects(
    direct, own_leaves, follow, share, leaves, target_leaves, others, own, step
):
    """Carry the effect of a block of examples through all rounds.

    Parameters
    ----------
    direct : float64 array of shape (n_rounds, n_scores, n_block)
        What the presence of an example adds to its leaf by its own gradient.
    own_leaves : int32 array of shape (n_rounds, n_scores, n_block)
        Leaves of these examples.
    follow : float64 array of shape (n_rounds, n_scores, n_fitted)
        What a leaf loses if the score of a fitted example rises by one above the
        mean of its scores. n_fitted is 0 if the leaves do not follow the scores.
    share : float64 array of shape (n_rounds, n_scores, n_fitted)
        Weights of the scores in that mean. All are 0 if it is not to be subtracted.
    leaves, target_leaves : int32 arrays of shape (n_rounds, n_scores, n)
        Leaves of the fitted examples and of the targets.
    others : float64 array of shape (n_scores, n_fitted, n_block)
        Effect on the scores of the fitted examples before the first round. Overwritten.
    own : float64 array of shape (n_scores, n_targets, n_block)
        The same of the targets. The result is added to it.
    step : float64 array of shape (n_scores, n_leaves, n_block)
        Workspace.
    """
    n_rounds, n_scores, n_block = direct.shape
    mean = np.empty(n_block)
    for t in range(n_rounds):
        step[:] = 0.0
        _pull(follow[t], share[t], leaves[t], others, step, mean)
        for k in range(n_scores):
            for i in range(n_block):
                step[k, own_leaves[t, k, i], i] += direct[t, k, i]
        _add(step, leaves[t], others)
        _add(step, target_leaves[t], own)


@njit(nogil=True, error_model="numpy")
def _pull(follow, share, leaves, others, step, mean):
    """Subtract from the leaves what the changed scores of the others take away."""
    n_scores, n_fitted, n_block = others.shape
    for a in range(n_fitted):
        mean[:] = 0.0
        for k in range(n_scores):
            weight = share[k, a]
            if weight:
                for i in range(n_block):
                    mean[i] += weight * others[k, a, i]
        for k in range(n_scores):
            factor, leaf = follow[k, a], leaves[k, a]
            for i in range(n_block):
                step[k, leaf, i] -= factor * (others[k, a, i] - mean[i])


@njit(nogil=True)
def _add(step, leaves, effects):
    """Add to each example what its leaves add."""
    n_scores, n, n_block = effects.shape
    for k in range(n_scores):
        for a in range(n):
            leaf = leaves[k, a]
            for i in range(n_block):
                effects[k, a, i] += step[k, leaf, i]
