"""Checks of attribution matrices and of the labels beside them."""

from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels._last_step import last_step

_BLOCK_ENTRIES = 2**22  # 32 MiB of float64


def weights_of(attributions, name="attributions"):
    """Return an attribution matrix, or that of a fitted estimator, dense or CSR."""
    given = getattr(last_step(attributions), "coef_", attributions)
    if np.ndim(given) == 1:
        raise ValueError(
            f"{name} must have shape (n_targets, n_train), got 1-d weights of shape "
            f"{np.shape(given)}: for a single target give weights[[0]]."
        )
    return AttributionMatrix.weights_of(given, name)


def dense_blocks(weights):
    """Yield slices of targets, and their weights as an array."""
    n_targets, n_train = weights.shape
    for block in gen_batches(n_targets, max(1, _BLOCK_ENTRIES // n_train)):
        some = weights[block]
        yield block, some.toarray() if issparse(some) else some


def check_k(k, n_train):
    """Raise unless k is a number of training examples."""
    if isinstance(k, bool) or not (isinstance(k, Integral) and 1 <= k <= n_train):
        raise ValueError(
            f"k must be an integer from 1 to {n_train}, the number of columns of the "
            f"attribution matrix; got {k!r}."
        )


def check_labels(labels, n, name):
    """Return labels as an array of shape (n,)."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(
            f"{name} must have shape ({n},), to match the attribution matrix; "
            f"got shape {labels.shape}."
        )
    return labels


def check_mask(mask, n, name):
    """Return a bool mask of shape (n,) that is neither True nor False everywhere."""
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (n,):
        raise ValueError(
            f"{name} must be a bool mask of shape ({n},), with a value for each column "
            f"of the attribution matrix; got {mask.dtype} of shape {mask.shape}."
        )
    if mask.all() or not mask.any():
        raise ValueError(
            f"{name} is {bool(mask[0])} for all training examples: there is nothing to "
            "tell apart."
        )
    return mask
