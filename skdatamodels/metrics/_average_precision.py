"""Average precision of many rankings at once."""

import numpy as np


def average_precision(scores, marked):
    """Return the average precision of each row of scores.

    Scores that are tied are taken together, as :func:`average_precision_score` of
    scikit-learn does, so that the result does not depend on positions.

    Parameters
    ----------
    scores : array of shape (n_rows, n_columns)
    marked : bool array of shape (n_columns,)
        The columns to find.

    Returns
    -------
    precision : float64 array of shape (n_rows,)
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    values = np.take_along_axis(scores, order, axis=1)
    hits, n = marked[order], scores.shape[1]
    precision = hits.cumsum(axis=1) / np.arange(1, n + 1)
    # where the ties of each place end
    ends = np.full(scores.shape, n - 1)
    ends[:, :-1] = np.where(values[:, :-1] != values[:, 1:], np.arange(n - 1), n - 1)
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    at_ends = np.take_along_axis(precision, ends, axis=1)
    return (at_ends * hits).sum(axis=1) / marked.sum()
