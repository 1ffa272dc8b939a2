"""Recall of train-test leakage, measured by metadata."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import haversine_distances
from sklearn.utils import gen_batches

from skdatamodels._examples import swap_hint
from skdatamodels._numbers import as_real
from skdatamodels._tables import MOST_ROWS, Table, table_html, table_text

EARTH_RADIUS = 6371.0088  # mean radius in kilometres
_BLOCK_ENTRIES = 2**22


def metadata_distances(*, train, targets, metric="haversine"):
    """Compute distances between the metadata of targets and training examples.

    Parameters
    ----------
    train : array-like of shape (n_train, n_values)
        Metadata of the training examples, such as latitude and longitude in degrees.
    targets : array-like of shape (n_targets, n_values)
        Metadata of the targets.
    metric : str or callable, default="haversine"
        "haversine" takes latitude and longitude in degrees and returns kilometres.
        Other names are those of :func:`sklearn.metrics.pairwise_distances`. A
        callable gets the arrays of the targets and of the training examples, and
        returns an array of shape (n_targets, n_train).

    Returns
    -------
    distances : array of shape (n_targets, n_train)
        Distance of each target to each training example, in the metric's unit.

    Raises
    ------
    ValueError
        If the numbers of columns differ, an entry is not finite, coordinates are out
        of range, or a callable returns another shape.

    Examples
    --------
    >>> from skdatamodels.metrics import metadata_distances
    >>> train = [[0.0, 0.0], [0.0, 90.0]]
    >>> metadata_distances(train=train, targets=[[0.0, 0.0]]).round()
    array([[    0., 10008.]])
    """
    if callable(metric):
        distances = as_real(metric(targets, train), "distances")
        if distances.shape != (len(targets), len(train)):
            raise ValueError(
                "The metric must return a distance for each pair, an array of shape "
                f"({len(targets)}, {len(train)}); got {distances.shape}."
            )
        return distances
    if metric != "haversine":
        return pairwise_distances(targets, train, metric=metric)
    targets, train = (as_real(part, "coordinates") for part in (targets, train))
    for part in (targets, train):
        if part.ndim != 2 or part.shape[1] != 2:
            raise ValueError(
                "haversine needs two columns, latitude and longitude in degrees; got "
                f"shape {part.shape}. Give such metadata, or pass metric='euclidean'."
            )
        if not (abs(part) <= [90, 360]).all():  # NaN too
            raise ValueError(
                "Latitudes must be from -90 to 90 degrees, longitudes from -360 to 360."
            )
    return EARTH_RADIUS * haversine_distances(np.radians(targets), np.radians(train))


class LeakageRecall(NamedTuple):
    """Number of leaked targets and fraction of them that is found, by threshold.

    Attributes
    ----------
    recall : float64 array of shape (n_thresholds,)
        Fraction of the leaked targets whose leak is found, from 0 to 1; NaN where no
        target is leaked.
    n_leaks : int array of shape (n_thresholds,)
        Number of leaked targets.
    """

    recall: np.ndarray
    n_leaks: np.ndarray

    def _table(self):
        columns = {"recall": self.recall[:MOST_ROWS], "leaks": self.n_leaks[:MOST_ROWS]}
        title = "Recall of leaked targets, one row a threshold"
        return Table(title, columns, len(self.recall))

    __repr__ = table_text
    _repr_html_ = table_html


def leakage_recall(candidates, *, train, targets, thresholds, metric="haversine"):
    """Compute the fraction of leaked targets that their candidates reveal.

    At a threshold, a target is leaked if a training example lies within that distance.
    The leak is found if one of the target's candidates lies within it.

    Parameters
    ----------
    candidates : int array-like of shape (n_targets, n_candidates)
        Rows of the training examples that are proposed for each target, for example
        by :class:`~skdatamodels.applications.LeakageDetector`; -1 for none.
    train : array-like of shape (n_train, n_values)
        Metadata of the training examples, such as latitude and longitude in degrees.
    targets : array-like of shape (n_targets, n_values)
        Metadata of the targets.
    thresholds : array-like of shape (n_thresholds,)
        Distances up to which a pair counts as a leak, in the metric's unit
        (kilometres by default).
    metric : str or callable, default="haversine"
        Distance between metadata; see :func:`metadata_distances`.

    Returns
    -------
    found : LeakageRecall
        Recall and number of leaked targets for each threshold.

    Raises
    ------
    ValueError
        If lengths differ or candidates are not rows of the training set.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.2.2, figure 12.

    Examples
    --------
    >>> from skdatamodels.metrics import leakage_recall
    >>> places = {"train": [[0.1], [5.3], [9.0]], "targets": [[0.0], [5.0]]}
    >>> leakage_recall(
    ...     [[0], [2]], **places, thresholds=[0.2, 1.0], metric="euclidean"
    ... )
    Recall of leaked targets, one row a threshold
    recall  leaks
      1.00      1
      0.50      2
    """
    n_targets, n_train = len(targets), len(train)
    candidates = check_candidates(candidates, n_train, n_targets)
    thresholds = as_real(thresholds, "thresholds")
    nearest, proposed = np.empty(n_targets), np.empty(n_targets)
    for block in gen_batches(n_targets, max(1, _BLOCK_ENTRIES // n_train)):
        distances = metadata_distances(
            train=train, targets=targets[block], metric=metric
        )
        nearest[block] = distances.min(axis=1)
        rows = candidates[block]
        of_candidates = np.take_along_axis(distances, np.maximum(rows, 0), axis=1)
        proposed[block] = np.where(rows >= 0, of_candidates, np.inf).min(axis=1)
    n_leaks = (nearest <= thresholds[:, None]).sum(axis=1)
    n_found = (proposed <= thresholds[:, None]).sum(axis=1)
    recall = np.full(len(thresholds), np.nan)
    np.divide(n_found, n_leaks, out=recall, where=n_leaks > 0)
    return LeakageRecall(recall, n_leaks)


def check_candidates(candidates, n_train, n_targets):
    """Return candidates (n_targets, n_candidates), if they are rows of train or -1."""
    candidates = as_real(candidates, "candidates")
    if candidates.ndim != 2 or len(candidates) != n_targets:
        hint = swap_hint((n_train, n_targets), (n_targets, *candidates.shape[:1]))
        raise ValueError(
            f"candidates must have a row for each of the {n_targets} targets; got "
            f"shape {candidates.shape}.{hint}"
        )
    if (
        candidates.dtype.kind not in "iu"
        or not ((candidates >= -1) & (candidates < n_train)).all()
    ):
        raise ValueError(
            f"candidates must be rows of the {n_train} training examples, or -1."
        )
    return candidates
