"""How much training rows support each other, and the group that does so most."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from scipy.stats import rankdata
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import MaxAbsScaler

from skdatamodels._example_scales import plain_values
from skdatamodels._frames import columns_of, is_frame


class MutualSupport(NamedTuple):
    """Mutual support of the rows of one class.

    Attributes
    ----------
    weights : float64 array of shape (n, n)
        Weights of the rows on each other without the mean of each target, so that it
        is about which rows support it more than the others do. Zeros on the diagonal.
    excess : float64 array of shape (n, n)
        The same, without what likeness explains: the mean of both directions.
    """

    weights: np.ndarray
    excess: np.ndarray


def mutual_support(weights, distances=None):
    """Return the mutual support of the rows of a class.

    Parameters
    ----------
    weights : float array of shape (n, n)
        Weights of the rows (columns) on themselves as targets (rows).
    distances : float array of shape (n, n), default=None
        Distances of their inputs. None compares without likeness.

    Returns
    -------
    support : MutualSupport
    """
    n = len(weights)
    others = ~np.eye(n, dtype=bool)
    centred = np.where(others, weights, 0).astype(np.float64)
    centred = np.where(
        others, centred - centred.sum(axis=1, keepdims=True) / (n - 1), 0
    )
    excess = centred
    if distances is not None:
        excess = centred - _explained(centred, distances, others)
    excess = (excess + excess.T) / 2
    # what is left of equal weights is rounding
    if np.abs(excess).max() <= 1e-9 * np.abs(weights[others]).max():
        excess = np.zeros((n, n))
    return MutualSupport(centred, excess)


def noise_scale(support, group):
    """Return the unit of the strength of a group, 1 if there is no support at all.

    The strength is `h' S h / h'h` for the indicator h of the group. In noise of
    standard deviation s, its maximum over groups of n rows grows as s times the root of
    n. The deviation is taken from the rows outside the group, for those inside raise
    it. It is at least half of that of all rows, in case that there are few others, or
    sparse weights.

    Parameters
    ----------
    support : float array of shape (n, n)
        Zeros on the diagonal.
    group : int array
        Rows of the group.
    """
    n = len(support)
    rest = np.delete(np.delete(support, group, axis=0), group, axis=1)
    scale = max(_deviation(rest), _deviation(support) / 2) * np.sqrt(n)
    return scale or 1.0


def _deviation(support):
    n_pairs = len(support) * (len(support) - 1)
    return np.sqrt((support**2).sum() / n_pairs) if n_pairs else 0.0


def _explained(weights, distances, others):
    """Return the mean weight by rank of the distance, which never rises with it."""
    ranks = rankdata(np.where(others, distances, np.inf), axis=1)
    explained = np.zeros_like(weights)
    by_rank = IsotonicRegression(increasing=False)
    explained[others] = by_rank.fit_transform(ranks[others], weights[others])
    return explained


def strongest_group(support, min_size, starts):
    """Find a group of rows with a large sum of mutual support per row.

    Parameters
    ----------
    support : float array of shape (n, n)
        Symmetric, with zeros on the diagonal.
    min_size : int
        Least size of a group.
    starts : iterable of int
        A search begins from each of these rows.

    Returns
    -------
    group : int array
        Rows of the best local optimum: adding, removing or exchanging a row does not
        raise the strength.
    strength : float
        Sum over all pairs of different rows of the group, divided by its size.
    """
    best, strongest = np.arange(0), -np.inf
    for start in starts:
        inside = _local_optimum(support, min_size, start)
        strength = strength_of(support, inside)
        if strength > strongest:
            best, strongest = inside, strength
    return best, strongest


def strength_of(support, group):
    """Return the sum over pairs of different rows of a group, divided by its size."""
    return support[np.ix_(group, group)].sum() / len(group)


def strength_without_one(support, group):
    """Return the least strength of a group without one of its rows.

    If a group hangs on one row, which supports all others, little is left without it.
    """
    of_rows = support[np.ix_(group, group)].sum(axis=1)
    return (of_rows.sum() - 2 * of_rows.max()) / (len(group) - 1)


def support_beyond(weights, group):
    """Return how much more a group supports its rows than as many other rows do.

    This is the mean over its rows of the sum of their weights on the rest of the group,
    minus that of as many rows that are not in it; NaN if there are none.
    """
    inside, n = weights[np.ix_(group, group)], len(group)
    outside = np.delete(weights[group], group, axis=1)
    if not outside.size:
        return np.nan
    own = (inside.sum() - np.trace(inside)) / n
    return own - (n - 1) * outside.mean()


def _local_optimum(support, min_size, start):
    inside = np.zeros(len(support), dtype=bool)
    inside[start] = True
    sums = support[start].copy()  # of each row's support by the group
    while True:
        size, total = inside.sum(), sums[inside].sum()
        added = np.where(inside, -np.inf, sums).argmax()
        removed = np.where(inside, sums, np.inf).argmin()
        with_one = (total + 2 * sums[added]) / (size + 1)
        without = (
            (total - 2 * sums[removed]) / (size - 1) if size > min_size else -np.inf
        )
        enough = total / size + 1e-12
        if not inside.all() and (size < min_size or with_one > max(without, enough)):
            removed = None
        elif without > enough:
            added = None
        else:
            gain, added, removed = _best_exchange(support, inside, sums)
            if gain <= size * 1e-12:
                return np.flatnonzero(inside)
        if added is not None:
            inside[added] = True
            sums += support[added]
        if removed is not None:
            inside[removed] = False
            sums -= support[removed]


def _best_exchange(support, inside, sums):
    """Return the gain of the best exchange, and the rows to add and to remove."""
    rows, others = np.flatnonzero(inside), np.flatnonzero(~inside)
    if not len(others):
        return 0, None, None
    gains = sums[others][:, None] - sums[rows] - support[np.ix_(others, rows)]
    best = gains.argmax()
    return gains.flat[best], others[best // len(rows)], rows[best % len(rows)]


def comparable_inputs(X):
    """Return inputs as a table in which each column counts alike, or None.

    The Manhattan distance of two rows is Gower's: a number counts by its difference as
    a share of the range of its column, and a category as 0 or 1. So a value that few
    rows have makes them no more alike than any other. None if there are no such
    columns.
    """
    if issparse(X):
        return MaxAbsScaler().fit_transform(X.astype(np.float64))
    if not is_frame(X):
        X = np.asarray(X)
        if X.dtype.kind in "biuf":
            return _in_range(X.reshape(len(X), -1).astype(np.float64))
        columns = X.reshape(len(X), -1).T
    else:
        columns = [plain_values(column) for _, column in columns_of(X)]
    tables = [_table(column) for column in columns]
    tables = [table for table in tables if table is not None]
    return np.hstack(tables) if tables else None


def input_distances(table, rows):
    """Return the distances of some rows of `comparable_inputs`."""
    return pairwise_distances(table[rows], metric="manhattan")


def _table(column):
    if column.dtype.kind in "biuf":
        return _in_range(column[:, None].astype(np.float64))
    values, codes = np.unique(column.astype(str), return_inverse=True)
    if len(values) > len(column) / 2:  # names or free text, equal for hardly any two
        return None
    return np.eye(len(values))[codes] / 2


def _in_range(values):
    values = np.where(np.isfinite(values), values, np.nan)
    least, most = (
        edge(values, axis=0, initial=limit, where=~np.isnan(values))
        for edge, limit in ((np.min, np.inf), (np.max, -np.inf))
    )
    width = np.where(most > least, most - least, 1)
    scaled = (values - np.where(np.isfinite(least), least, 0)) / width
    return np.where(np.isnan(scaled), 0.5, scaled)
