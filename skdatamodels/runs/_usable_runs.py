"""Which runs each target can be fitted on."""

import numpy as np

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import pick_columns, row_blocks


def usable_runs(X, Y, exclude):
    """Say which runs each target can be fitted on.

    Parameters
    ----------
    X : PackedMasks or array of shape (n_runs, n_train)
    Y : array of shape (n_runs, n_targets)
        NaN where a run has no output for a target.
    exclude : int array of shape (n_targets,) or None
        The training example that each target is, -1 for none: runs that saw it are not
        usable (eq. 9 of the paper).

    Returns
    -------
    usable : bool array of shape (n_runs, n_targets), or None if all are
    """
    blocks = row_blocks(len(Y), Y[:1].nbytes)
    if exclude is None and not any(np.isnan(Y[rows]).any() for rows in blocks):
        return None
    usable = ~np.isnan(Y)
    if exclude is not None:
        example, target = np.unique(exclude, return_inverse=True)
        if isinstance(X, PackedMasks):
            seen = pick_columns(X, example)
        else:
            seen = X[:, example] != 0
        usable &= ~(seen & (example >= 0))[:, target]
    return usable


def check_exclude(exclude, n_targets, n_train):
    """Return the training example that each target is, or None."""
    if exclude is None:
        return None
    exclude = np.asarray(exclude)
    if exclude.shape != (n_targets,) or exclude.dtype.kind not in "iu":
        raise ValueError(
            f"exclude must be {n_targets} integers, one a target, got "
            f"{exclude.dtype} of shape {exclude.shape}."
        )
    if not ((exclude >= -1) & (exclude < n_train)).all():
        raise ValueError(
            f"exclude must hold training examples 0 to {n_train - 1}, or -1 for none, "
            f"got {exclude.min()} to {exclude.max()}."
        )
    return exclude
