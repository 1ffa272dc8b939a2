"""Training examples in the order in which weights would remove them."""

import numpy as np
from scipy.sparse import issparse

from skdatamodels.applications._likeness import like_first

# From weights (n_train,) to a score: the examples of highest score come first.
HEURISTICS = {
    "top": lambda weights: weights,
    "bottom": lambda weights: -weights,
    "zero": lambda weights: -abs(weights),
    "random": np.zeros_like,
}


def dense_row(weights, row):
    """Return a row of a dense or sparse matrix as an array (n_columns,)."""
    values = weights[[row]]
    return (values.toarray() if issparse(values) else np.asarray(values))[0]


def order_by(*scores):
    """Return examples from the highest score to the lowest; ties by the next score."""
    return np.lexsort([-score for score in scores[::-1]])


def removal_orders(weights, train, targets, fallback, labels=None):
    """Order the training examples by weight, for each target.

    Parameters
    ----------
    weights : array or CSR of shape (n_targets, n_train)
    train, targets : Examples
    fallback : array or CSR of shape (n_targets, n_train), "random" or None
        What orders examples of equal weight. Where this ties too, and for None, they
        are ordered by :func:`like_first`. What ties then is in random order, always
        the same: a store then knows the sets again.
    labels : array of shape (n_targets,), optional
        Leave out what bears the label of the target: it cannot be given it.

    Returns
    -------
    orders : list of int array
    """
    keys = [weights]
    if fallback is not None and not isinstance(fallback, str):
        keys.append(fallback)
    if (fallback is None or len(keys) == 2) and _has_ties(weights):
        keys += like_first(train, targets)
    orders = [
        order_by(
            *(dense_row(key, target) for key in keys),
            np.random.default_rng(target).random(len(train)),
        )
        for target in range(len(targets))
    ]
    if labels is None:
        return orders
    pairs = zip(orders, labels, strict=True)
    return [order[train.y[order] != label] for order, label in pairs]


def _has_ties(weights):
    n_targets, n_train = weights.shape
    return any(
        len(np.unique(dense_row(weights, target))) < n_train
        for target in range(n_targets)
    )


def n_ranked(weights):
    """Count the examples before weights (n_train,) are all zero, and say nothing."""
    return len(weights) if (weights == 0).sum() < 2 else (weights > 0).sum()
