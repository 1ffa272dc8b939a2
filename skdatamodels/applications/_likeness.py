"""Which training examples are like a target, by their classes and inputs."""

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics.pairwise import euclidean_distances, nan_euclidean_distances
from sklearn.preprocessing import StandardScaler

from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.masks._packed import row_blocks


def like_first(train, targets):
    """Score training examples by how early one would look at them for each target.

    Those of the target's class come first, all but one: many learners cannot be
    trained without a class, so its farthest example comes after all others. Within a
    class the closest come first.

    Parameters
    ----------
    train, targets : Examples

    Returns
    -------
    classes : int8 array of shape (n_targets, n_train)
        1 in the class of the target, 0 outside, -1 for the last of the class.
    closeness : float32 array of shape (n_targets, n_train)
        Distance, negated; a random number where inputs are not numbers.
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
    """Distances of inputs in standard deviations of each, negated; None without."""
    Z = _as_numbers(targets.X)
    if Z is None or train.shape[1:] != targets.shape[1:]:
        return None
    blocks = list(row_blocks(len(train), 8 * Z.shape[1]))
    scaler = StandardScaler(with_mean=False)
    for rows in blocks:  # a memory map stays on disk
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
        # NaN where no value is known of both: as far as can be
        closeness[:, rows] = -np.where(np.isnan(apart), np.inf, apart)
    return closeness


def _as_numbers(X):
    """Return inputs as floats (n, n_values), sparse ones as they are, or None."""
    if issparse(X):
        return X.astype(np.float64)
    X = np.asarray(X)
    return X.reshape(len(X), -1).astype(float) if X.dtype.kind in "buif" else None
