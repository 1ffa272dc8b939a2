"""How many of the leaks that metadata prove are among the candidates."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import haversine_distances
from sklearn.utils import gen_batches

from skdatamodels._examples import swap_hint
from skdatamodels._numbers import as_real

EARTH_RADIUS = 6371.0088  # mean radius in kilometres
_BLOCK_ENTRIES = 2**22


def metadata_distances(*, train, targets, metric="haversine"):
    """Distances between targets and training examples by what is known of them.

    Parameters
    ----------
    train : array-like of shape (n_train, n_values)
    targets : array-like of shape (n_targets, n_values)
    metric : str or callable, default="haversine"
        "haversine" takes latitude and longitude in degrees and gives kilometres.
        Other names are those of :func:`sklearn.metrics.pairwise_distances`. A
        callable is one of pairs of rows, as those of :mod:`sklearn.metrics.pairwise`:
        ``metric(targets, train)`` returns (n_targets, n_train).

    Returns
    -------
    distances : array of shape (n_targets, n_train)

    Raises
    ------
    ValueError
        If widths differ, an entry is not finite, or coordinates are out of range.

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
                "The metric must return a distance for each pair, shape "
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
                f"shape {part.shape}."
            )
        if not (abs(part) <= [90, 360]).all():  # NaN too
            raise ValueError(
                "Latitudes must be from -90 to 90 degrees, longitudes from -360 to 360."
            )
    return EARTH_RADIUS * haversine_distances(np.radians(targets), np.radians(train))


class LeakageRecall(NamedTuple):
    """How many leaks there are, and which share of them is found, by threshold.

    Attributes
    ----------
    recall : float64 array of shape (n_thresholds,)
        From 0 to 1; NaN where no target leaks.
    n_leaks : int array of shape (n_thresholds,)
        Targets that leak.
    """

    recall: np.ndarray
    n_leaks: np.ndarray


def leakage_recall(candidates, *, train, targets, thresholds, metric="haversine"):
    """Share of the leaks that are found among each target's candidates.

    A target leaks, at a threshold, if some training example is within that distance
    of it; it is found if one of its candidates is.

    Parameters
    ----------
    candidates : int array-like of shape (n_targets, n_candidates)
        Training examples proposed for each target, as
        :class:`~skdatamodels.applications.LeakageDetector` does; -1 for none.
    train : array-like of shape (n_train, n_values)
        Metadata of the training examples, such as latitude and longitude in degrees.
    targets : array-like of shape (n_targets, n_values)
        Metadata of the targets.
    thresholds : array-like of shape (n_thresholds,)
        In the metric's unit; kilometres by default.
    metric : str or callable, default="haversine"
        See :func:`metadata_distances`.

    Returns
    -------
    found : LeakageRecall

    Raises
    ------
    ValueError
        If lengths differ or candidates are no training examples.

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
    LeakageRecall(recall=array([1. , 0.5]), n_leaks=array([1, 2]))
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
