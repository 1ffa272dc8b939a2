"""Order training examples by weight, for removal."""

from numbers import Integral, Real

import numpy as np

from skdatamodels._dense_row import dense_row
from skdatamodels.applications._likeness import like_first

# Map weights (n_train,) to scores. The examples with the highest scores come first.
HEURISTICS = {
    "top": lambda weights: weights,
    "bottom": lambda weights: -weights,
    "zero": lambda weights: -abs(weights),
    "random": np.zeros_like,
}


def order_by(*scores):
    """Order examples by descending score; the next scores break ties."""
    return np.lexsort([-score for score in scores[::-1]])


def removal_orders(weights, players, train, targets, fallback, labels=None):
    """Order the training examples, or groups of them, by weight, for each target.

    Parameters
    ----------
    weights : array or CSR of shape (n_targets, n_train)
        Attribution matrix.
    players : Players
        What its columns are: training examples or groups.
    train, targets : Examples
        The training set and the targets.
    fallback : array or CSR of shape (n_targets, n_train), "random" or None
        How to order examples of equal weight. Remaining ties, and all for None, are
        ordered by :func:`like_first`, unless they are groups or components. Ties that
        remain then are in a fixed random order, so that a store finds the sets again.
    labels : array of shape (n_targets,), optional
        Labels to assign. Examples that already have the label of the target are left
        out, and groups all of whose examples have it.

    Returns
    -------
    orders : list of int array
        For each target, the training examples in order.
    """
    keys = [weights]
    if fallback is not None and not isinstance(fallback, str):
        keys.append(fallback)
    by_likeness = players.are_examples and not isinstance(fallback, str)
    if by_likeness and _has_ties(weights):
        keys += like_first(train, targets)
    orders = [
        order_by(
            *(dense_row(key, target) for key in keys),
            np.random.default_rng(target).random(len(players)),
        )
        for target in range(len(targets))
    ]
    if labels is None:
        return orders
    return [
        order[players.have(train.y != label)[order]]
        for order, label in zip(orders, labels, strict=True)
    ]


def _has_ties(weights):
    n_targets, n_train = weights.shape
    return any(
        len(np.unique(dense_row(weights, target))) < n_train
        for target in range(n_targets)
    )


def n_ranked(weights):
    """Count the examples that weights (n_train,) rank; all if few are zero."""
    return len(weights) if (weights == 0).sum() < 2 else (weights > 0).sum()


def check_sizes(sizes, n_train):
    """Convert sizes, numbers or fractions of examples, to an int array."""
    counts = [
        size if isinstance(size, Integral) else max(1, round(size * n_train))
        for size in sizes
        if isinstance(size, Integral) or (isinstance(size, Real) and 0 < size < 1)
    ]
    if len(counts) < max(1, len(sizes)) or not all(0 < n < n_train for n in counts):
        raise ValueError(
            f"sizes must be numbers of examples from 1 to n_train - 1 = {n_train - 1}, "
            f"or fractions between 0 and 1; got {sizes}."
        )
    return np.unique(counts)
