"""Which runs each target can be fitted on."""

import warnings

import numpy as np

from skdatamodels.masks import PackedMasks
from skdatamodels.masks.packed import row_blocks


def same_runs(X, Y, exclude, order, n_min):
    """Group targets that have the same usable runs.

    Parameters
    ----------
    X : PackedMasks or array of shape (n_runs, n_train)
    Y : array of shape (n_runs, n_targets)
        NaN where a run has no output for a target.
    exclude : int array of shape (n_targets,) or None
        The training example that each target is, -1 for none: runs that saw it are not
        usable (eq. 9 of the paper).
    order : int array of shape (n_runs,)
        Permutation of the runs.
    n_min : int
        A target with fewer usable runs is in no group, and there is a warning.

    Returns
    -------
    groups : list of (rows, targets)
        Usable runs, in the order of `order`, and the targets.

    Raises
    ------
    ValueError
        If no target has enough usable runs.
    """
    if exclude is None and not any(
        np.isnan(Y[rows]).any() for rows in row_blocks(len(Y), Y[:1].nbytes)
    ):
        _check_enough(np.full(Y.shape[1], len(Y)), len(Y), n_min)
        return [(order, np.arange(Y.shape[1]))]
    usable = ~np.isnan(Y)
    if exclude is not None:
        usable &= _without(X, exclude)
    enough = _check_enough(usable.sum(axis=0), len(Y), n_min)
    patterns = np.packbits(usable, axis=0)
    _, pattern_of = np.unique(patterns, axis=1, return_inverse=True)
    pattern_of = np.where(enough, pattern_of.ravel(), -1)
    groups = []
    for p in np.unique(pattern_of[enough]):
        targets = np.flatnonzero(pattern_of == p)
        groups.append((order[usable[order, targets[0]]], targets))
    return groups


def _without(X, exclude):
    """Say which runs did not see the example that a target is: (n_runs, n_targets)."""
    example, target = np.unique(exclude, return_inverse=True)
    if isinstance(X, PackedMasks):
        bits = X.bits[:, example // 8] << (example % 8).astype(np.uint8)
        seen = (bits & 0x80).astype(bool)
    else:
        seen = X[:, example] != 0
    return ~(seen & (example >= 0))[:, target]


def _check_enough(n_usable, n_runs, n_min):
    """Say which targets have enough runs; some must."""
    enough = n_usable >= n_min
    if not enough.any():
        raise ValueError(
            f"Target 0 has n_samples = {n_usable[0]} usable runs of {n_runs}, no "
            f"target has more; a minimum of {n_min} is required "
            "with these parameters."
        )
    if not enough.all():
        few = np.flatnonzero(~enough)
        warnings.warn(
            f"{len(few)} of {len(enough)} targets have fewer than {n_min} usable runs "
            f"and get no datamodel (weights 0, intercept NaN): {few[:10].tolist()}"
            f"{' and more' if len(few) > 10 else ''}.",
            UserWarning,
            stacklevel=4,
        )
    return enough
