"""Training examples in the order in which weights would remove them."""

import numpy as np
from scipy.sparse import issparse

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


def order_by(score, rng=None):
    """Return examples from the highest score to the lowest; rng shuffles ties."""
    ties = np.arange(len(score)) if rng is None else rng.random(len(score))
    return np.lexsort((ties, -score))
