"""Exact Shapley values of training examples for a nearest-neighbour classifier."""

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
    """Shapley values of the training examples for a k-nearest-neighbour classifier.

    The output is the fraction of the k votes for the target's class. In a subset of
    fewer than k examples, some votes are missing. The exact Shapley values are computed
    by sorting the examples by distance, without a sum over subsets. No model is
    trained. With the embeddings of a model as inputs, they can approximate the Shapley
    values of that model.

    Parameters
    ----------
    train, targets : Examples
        The training set and the targets, with X of shape (n, n_features): embeddings or
        inputs. Among equally distant examples, those that come first are closer, up to
        rounding.
    n_neighbors : int, default=5
        Number of neighbours k.

    Returns
    -------
    values : float64 array of shape (n_targets, n_train)
        Contribution of the example to the fraction of votes for the target's class. It
        is positive for most examples of this class and negative for most others. Each
        row sums to the fraction with the full training set.

    Raises
    ------
    ValueError
        If X is not a finite matrix, `train` and `targets` have different n_features, or
        a target has a class that no training example has.

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
        # The value of the farthest example is its vote times the last weight. Each
        # nearer one adds the weighted difference of votes to that of its successor.
        steps = weights * (votes - np.c_[votes[:, 1:], np.zeros(len(votes))])
        sorted_values = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
        np.put_along_axis(values[rows], order, sorted_values, axis=1)
    return values
