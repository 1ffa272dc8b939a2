"""Rank training examples by similarity to a target, by class and inputs."""

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics.pairwise import euclidean_distances, nan_euclidean_distances
from sklearn.preprocessing import StandardScaler

from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.masks._packed import row_blocks


def like_first(train, targets):
    """Score training examples by similarity to each target.

    Examples of the target's class come first, except one: many learners cannot be
    trained without a class, so its farthest example comes after all others. Within a
    class, the closest examples come first.

    Parameters
    ----------
    train, targets : Examples
        The training set and the targets.

    Returns
    -------
    classes : int8 array of shape (n_targets, n_train)
        1 for the class of the target, 0 for others, -1 for the last of the class.
    closeness : float32 array of shape (n_targets, n_train)
        Minus the distance. Random numbers if inputs are not numeric.
    """
    closeness = _closeness(train, targets)
    if closeness is None:
        rng = np.random.default_rng(0)
        closeness = rng.random((len(targets), len(train)), dtype=np.float32)
    same = targets.y[:, None] == train.y
    last = np.where(same, closeness, np.inf).argmin(axis=1)
    classes = same.astype(np.int8)
    classes[np.arange(len(targets)), last] = np.where(same.any(axis=1), -1, 0)
    return classes, closeness


def _closeness(train, targets):
    """Return minus the distances of standardized inputs, or None if not numeric."""
    Z = _as_numbers(targets.X)
    if Z is None or train.shape[1:] != targets.shape[1:]:
        return None
    blocks = list(row_blocks(len(train), 8 * Z.shape[1]))
    scaler = StandardScaler(with_mean=False)
    for rows in blocks:  # in blocks, so that a memory map stays on disk
        X = _as_numbers(safe_indexing(train.X, rows))
        if X is None:
            return None
        scaler.partial_fit(X)
    Z = scaler.transform(Z)
    distances = euclidean_distances if issparse(Z) else nan_euclidean_distances
    closeness = np.empty((len(targets), len(train)), dtype=np.float32)
    for rows in blocks:
        apart = distances(
            Z, scaler.transform(_as_numbers(safe_indexing(train.X, rows)))
        )
        # NaN if no feature is known for both: infinitely far
        closeness[:, rows] = -np.where(np.isnan(apart), np.inf, apart)
    return closeness


def _as_numbers(X):
    """Return inputs as floats (n, n_values), dense or sparse, or None."""
    if issparse(X):
        return X.astype(np.float64)
    X = np.asarray(X)
    return X.reshape(len(X), -1).astype(float) if X.dtype.kind in "buif" else None
