"""Whether different targets are given the same examples."""

import numpy as np

from skdatamodels.metrics._attributions import check_k, dense_blocks, weights_of
from skdatamodels.metrics._top_k import top_k_shares


def top_k_overlap(attributions, k=10):
    """Compute how many of a target's highest weights are those of other targets too.

    For two targets, the overlap is the number of examples that are among the k highest
    weights of both, divided by k. Ties are broken at random, for each target on its
    own, and the result is the expected overlap.

    Parameters
    ----------
    attributions : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix. High weights are those of examples that raise the output:
        negate the weights of a loss.
    k : int, default=10
        Number of the highest weights of each target.

    Returns
    -------
    overlap : float64 array of shape (n_targets,)
        Mean overlap of each target with the other targets, from 0 to 1. Random weights
        have k / n_train. 1 means that all targets are given the same examples.

    Raises
    ------
    ValueError
        If there are fewer than two targets, a weight is not finite, or `k` is not from
        1 to n_train.

    Notes
    -----
    Barshan et al. count the different examples that all targets get together, which
    depends on the number of targets. The overlap of pairs does not. Targets of one
    class may rightly share some examples. Low overlap alone says nothing: random
    weights have it.

    References
    ----------
    Barshan, Brunet, Dziugaite, "RelatIF: Identifying Explanatory Training Samples via
    Relative Influence", AISTATS 2020, section 5.

    Bareeva et al., "quanda: An Interpretability Toolkit for Training Data Attribution
    Evaluation and Beyond", 2024.

    Examples
    --------
    >>> from skdatamodels.metrics import top_k_overlap
    >>> top_k_overlap([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0], [2.0, 3.0, 1.0]], k=2)
    array([0.75, 0.5 , 0.75])
    """
    weights = weights_of(attributions)
    n_targets, n_train = weights.shape
    check_k(k, n_train)
    if n_targets < 2:
        raise ValueError("An overlap needs at least two targets; got 1.")
    total, own = sums_of_shares(weights, np.ones((1, n_targets)), k)
    with_all = np.empty(n_targets)
    for block, some in dense_blocks(weights):
        with_all[block] = top_k_shares(some, k) @ total[0]
    return (with_all - own) / (k * (n_targets - 1))


def sums_of_shares(weights, counts, k):
    """Return the sums over targets of shares, and each target's squared length.

    Parameters
    ----------
    weights : array or CSR of shape (n_targets, n_train)
    counts : float array of shape (n_draws, n_targets)
        How often each target is counted.
    k : int

    Returns
    -------
    totals : float64 array of shape (n_draws, n_train)
    squares : float64 array of shape (n_targets,)
    """
    totals = np.zeros((len(counts), weights.shape[1]))
    squares = np.empty(weights.shape[0])
    for block, some in dense_blocks(weights):
        shares = top_k_shares(some, k)
        totals += counts[:, block] @ shares
        squares[block] = np.einsum("ij,ij->i", shares, shares)
    return totals, squares
