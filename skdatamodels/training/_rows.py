"""Validation of the input of a trainer: run ids or masks."""

import hashlib
from collections import Counter

import numpy as np

from skdatamodels._examples import describe_kind
from skdatamodels._numbers import unmasked
from skdatamodels.masks import PackedMasks, as_masks
from skdatamodels.masks._designs import check_run_ids
from skdatamodels.runs import TrainingRuns

_ELSEWHERE = (
    " The examples do not belong in X. Pass them to the constructor: "
    "SubsetTrainer(estimator, train=Examples(X_train, y_train), "
    "targets=Examples(X_test, y_test))."
)


def check_rows(X, n_train, noun="training example"):
    """Return X as run ids (int64 array) or as PackedMasks.

    Parameters
    ----------
    X : array-like of shape (n_runs,) or (n_runs, n_train)
        Run ids or masks.
    n_train : int
        Number of columns of masks: training examples, groups of them, or components.
    noun : str, default="training example"
        What a column is, for errors.

    Returns
    -------
    rows : int64 array or PackedMasks
        The run ids or masks.

    Raises
    ------
    TypeError
        If X is TrainingRuns, which are already trained.
    ValueError
        If X is neither, run ids repeat or are negative, or masks are not 0/1.

    Examples
    --------
    >>> from skdatamodels.training._rows import check_rows
    >>> check_rows(range(3), n_train=4)
    array([0, 1, 2])
    >>> check_rows([[1, 0, 1, 1]], n_train=4).shape
    (1, 4)
    """
    if isinstance(X, TrainingRuns):
        raise TypeError(
            "X is TrainingRuns, which are trained already. To train on their subsets "
            "again, pass their masks: X.packed."
        )
    if not isinstance(X, PackedMasks):
        rows = _as_array(unmasked(X, "X"))
        if rows.ndim == 1:
            return check_run_ids(rows)
        if rows.ndim == 2 and rows.shape[1] == n_train:
            X = as_masks(rows)
    what = f" (the number of {noun}s)" * (noun != "training example")
    if not isinstance(X, PackedMasks) or X.shape[1] != n_train or len(X) == 0:
        raise ValueError(
            "X must be run ids (n_runs,), such as np.arange(1000), or 0/1 masks "
            f"(n_runs, n_train) with n_train={n_train}{what} and at least one run, got "
            f"{describe_kind(X)}." + _ELSEWHERE * (noun != "component")
        )
    return X


def mask_keys(masks):
    """Return a key for each mask: its digest, and how often it occurred before."""
    seen, keys = Counter(), []
    for row in masks.bits:
        mask = row.tobytes()
        words = np.frombuffer(hashlib.blake2b(mask, digest_size=16).digest(), "<u4")
        keys.append((*words, seen[mask]))
        seen[mask] += 1
    return keys


def _as_array(X):
    """Return X as an array, or a 0-d array if X cannot be converted."""
    try:
        return np.asarray(X)
    except (ValueError, TypeError):  # a pair of X and y; Examples
        return np.asarray(None)
