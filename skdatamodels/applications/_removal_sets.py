"""Which training examples to remove: sets chosen by weights, or at random."""

from numbers import Integral

import numpy as np
from scipy.sparse import issparse

# From weights (n_train,) to a score: the examples of highest score are removed.
HEURISTICS = {
    "top": lambda weights: weights,
    "bottom": lambda weights: -weights,
    "zero": lambda weights: -abs(weights),
    "random": np.zeros_like,
}


def dense_row(weights, target):
    """Return a row of a dense or sparse matrix as an array (n_train,)."""
    row = weights[[target]]
    return (row.toarray() if issparse(row) else np.asarray(row))[0]


def order_by(score, rng):
    """Return training examples from the highest score to the lowest, ties shuffled."""
    return np.lexsort((rng.random(len(score)), -score))


def check_sizes(sizes, n_train):
    """Return sizes, numbers of examples or fractions of them, as an int array."""
    counts = [
        size if isinstance(size, Integral) else max(1, round(size * n_train))
        for size in sizes
        if isinstance(size, Integral) or 0 < size < 1
    ]
    if len(counts) < max(1, len(sizes)) or not all(0 < n < n_train for n in counts):
        raise ValueError(
            f"sizes must be numbers of examples from 1 to n_train - 1 = {n_train - 1}, "
            f"or fractions between 0 and 1; got {sizes}."
        )
    return np.unique(counts)
