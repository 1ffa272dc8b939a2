"""Shapley values of training examples for a nearest-neighbour classifier, exactly."""

from numbers import Integral

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances

from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.influence._checks import check_embeddings, check_same_examples
from skdatamodels.masks._packed import row_blocks

__all__ = ["knn_shapley"]


@validate_params(
    {"n_neighbors": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def knn_shapley(train, targets, *, n_neighbors=5):
    """Shapley value of each training example in a k-nearest-neighbour vote.

    The output is the share of the k votes that go to the target's class, where a
    subset of fewer than k examples leaves votes uncast. Its Shapley values need
    no sum over subsets: a sort by distance suffices. Training nothing, they stand
    in for those of a model whose embeddings they are given.

    Parameters
    ----------
    train, targets : Examples
        X of shape (n, n_features): embeddings, or inputs. Equally distant examples
        count in their order, rounding aside.
    n_neighbors : int, default=5
        Number of neighbours k.

    Returns
    -------
    values : float64 array of shape (n_targets, n_train)
        Share of the votes for the target's class that the example brings, positive
        for most of its class and negative for most others. A row sums to the share
        that the whole training set gives.

    Raises
    ------
    ValueError
        If X is not a finite matrix, train and targets differ in n_features, or a
        target has a class that no training example has.

    References
    ----------
    Jia, Dao, Wang, Hubis, Gurel, Li, Zhang, Spanos, Song, "Efficient task-specific
    data valuation for nearest neighbor algorithms", VLDB 2019, theorem 1.

    Examples
    --------
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import knn_shapley
    >>> train = Examples([[0.0], [1.0], [2.0]], ["a", "b", "a"])
    >>> values = knn_shapley(train, Examples([[0.1]], ["a"]), n_neighbors=1)
    >>> values.round(3)
    array([[ 0.833, -0.167,  0.333]])
    """
    y_train, y_targets, _ = check_same_examples(train, targets, classes=True)
    X, Z = check_embeddings(train.X, targets.X)
    X, Z = X - X.mean(axis=0), Z - X.mean(axis=0)
    n = len(X)
    values = np.empty((len(Z), n))
    nearest = np.arange(1, n + 1)
    weights = np.minimum(nearest, n_neighbors) / (n_neighbors * nearest)
    for rows in row_blocks(len(Z), 8 * n):
        order = np.argsort(euclidean_distances(Z[rows], X), axis=1, kind="stable")
        votes = (y_train[order] == y_targets[rows, None]).astype(np.float64)
        # Farthest first: its value is its vote times the last weight; each nearer
        # one's is that of its successor plus the difference of their votes, weighted.
        steps = weights * (votes - np.c_[votes[:, 1:], np.zeros(len(votes))])
        sorted_values = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
        np.put_along_axis(values[rows], order, sorted_values, axis=1)
    return values
