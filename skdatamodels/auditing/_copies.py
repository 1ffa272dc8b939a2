"""Rows that a table has twice: test rows in the training set, and training rows."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from skdatamodels._example_scales import cell_differences, plain_values
from skdatamodels.applications import LeakageDetector
from skdatamodels.applications._row_keys import equal_rows
from skdatamodels.auditing._findings import beside
from skdatamodels.influence._pipeline_tables import split_pipeline
from skdatamodels.influence._surrogate_table import surrogate_table

_N_OUTPUTS = 20  # bounds the columns of the representation
_CERTAIN = 0.8  # leakage score; half of this is common where nothing leaks
_USUAL = 0.99  # share of training rows that have no training row as near
_NEAR = 0.1  # distance of near-duplicates, relative to that of the next row
_MOST_DIFFERENT = 1 / 3  # of the columns of a copy


def representation(model, train, targets):
    """Return both parts as standardised numbers, as a fitted model sees them.

    The steps of a pipeline before the last make the numbers.

    Returns
    -------
    Z_train, Z_targets : float64 array of shape (n, n_features)
    """
    _, train, targets = split_pipeline(model, train, targets)
    return [part.X for part in surrogate_table(train, targets, _N_OUTPUTS)]


def leaks(weights, Z_train, Z_test, train_table, test_table):
    """Return test rows that are also in the training set, the most certain first.

    Rows with equal cells are copies. Others are nearly so if the training row is much
    nearer than all others, more than 99 % of the training rows have one, and two thirds
    of the cells are equal.

    Parameters
    ----------
    weights : array of shape (n_test, n_train) or None
        Positive where a training row is good for a test row. None uses the
        representation alone.
    Z_train, Z_test : float64 arrays of shape (n, n_features)
        Representations.
    train_table, test_table : pandas.DataFrame
        The rows. The first column is the label.

    Returns
    -------
    frame : pandas.DataFrame
        The leaks.
    """
    if weights is None:
        weights = np.zeros((len(Z_test), len(Z_train)))
    threshold = max(_CERTAIN, np.quantile(_closeness(Z_train), _USUAL))
    detector = LeakageDetector(threshold=_CERTAIN, higher_is_better=True)
    detector.fit(weights, train_representation=Z_train, target_representation=Z_test)
    score, twins = detector.leakage_score_, detector.candidates_[:, 0]
    copies = equal_rows(test_table.iloc[:, 1:], train_table.iloc[:, 1:])
    is_copy = copies >= 0
    twins = np.where(is_copy, copies, twins)
    n_differ = count_differences(test_table, train_table.iloc[twins])
    is_near = (
        (score > _CERTAIN)
        & (detector.evidence_[:, 0, 1] > threshold)
        & (n_differ <= _MOST_DIFFERENT * test_table.shape[1])
    )
    found = np.flatnonzero(is_copy | is_near)
    found = found[np.lexsort((-score[found], ~is_copy[found]))]
    facts = {
        "train_row": train_table.index[twins[found]],
        "copy": is_copy[found],
        "n_differ": n_differ[found],
        "score": score[found],
        "evidence": np.where(is_copy, "cells", detector.spoke_)[found],
    }
    return beside(facts, test_table.iloc[found])


def _closeness(Z):
    """Return how much nearer the nearest other row is than the next one, 0 to 1.

    Rows that have an equal row are left out: copies are not what is usual.
    """
    distance = NearestNeighbors(n_neighbors=3).fit(Z).kneighbors(Z)[0][:, 1:]
    distance = distance[distance[:, 0] > 0]
    return 1 - distance[:, 0] / distance[:, 1] if len(distance) else np.zeros(1)


def duplicates(Z, table):
    """Return pairs of training rows that are equal or nearly so, the closest first.

    `Z` is the representation, and the first column of `table` the label. The rule is
    that of :func:`leaks`.
    """
    rows, label = np.arange(len(Z)), table.columns[0]
    distance, near = NearestNeighbors(n_neighbors=3).fit(Z).kneighbors(Z)
    first = np.where(near[:, 0] == rows, 1, 0)  # a copy may come before the row itself
    twin, gap = near[rows, first], distance[rows, first]
    copies = equal_rows(table.iloc[:, 1:], table.iloc[:, 1:])
    is_copy = copies != rows
    twin, gap = np.where(is_copy, copies, twin), np.where(is_copy, 0, gap)
    most = min(_NEAR, 1 - np.quantile(_closeness(Z), _USUAL))
    n_differ = count_differences(table, table.iloc[twin])
    is_near = (gap <= most * distance[:, 2]) & (
        n_differ <= _MOST_DIFFERENT * table.shape[1]
    )
    found = np.flatnonzero(is_copy | is_near)
    pairs = np.sort(np.column_stack([rows[found], twin[found]]), axis=1)
    pairs, at = np.unique(pairs, axis=0, return_index=True)
    order = np.argsort(gap[found[at]], kind="stable")
    one, other = pairs[order].T
    facts = {
        "twin": table.index[other],
        "n_differ": n_differ[found[at[order]]],
        f"{label} of twin": table[label].to_numpy()[other],
    }
    return beside(facts, table.iloc[one])


def share_of_copies(table):
    """Return the share of the rows of a table that equal another one of its rows.

    The first column is the label, which does not count.
    """
    first = equal_rows(table.iloc[:, 1:], table.iloc[:, 1:])
    return float((np.bincount(first)[first] > 1).mean())


def count_differences(table, other):
    """Return in how many columns each row differs from that of another table (n,)."""
    differ = np.zeros(len(table), dtype=int)
    for number in range(table.shape[1]):
        cells = [plain_values(part.iloc[:, number]) for part in (table, other)]
        differ += cell_differences(*cells, np.nan).astype(int)
    return differ
