"""The examples of the highest weights, with ties."""

import numpy as np


def top_k_shares(weights, k):
    """Return how likely each example is among the k of the highest weights.

    Ties are broken at random: if three examples are tied for the last two places, each
    of them has 2/3.

    Parameters
    ----------
    weights : array of shape (n_targets, n_train)
    k : int

    Returns
    -------
    shares : float64 array of shape (n_targets, n_train)
        Rows sum to k.
    """
    n_train = weights.shape[1]
    last = np.partition(weights, n_train - k, axis=1)[:, n_train - k, None]
    above, tied = weights > last, weights == last
    n_left = k - above.sum(axis=1, keepdims=True)
    return above + tied * (n_left / tied.sum(axis=1, keepdims=True))
