"""Fits: what a solver found for some targets, and for all of them together."""

from typing import NamedTuple

import numpy as np
from scipy import sparse


class Fit(NamedTuple):
    """Datamodels of some targets, one row a target."""

    coef: sparse.csr_array  # (n_targets, d)
    intercept: np.ndarray  # (n_targets,)
    lam: np.ndarray  # (n_targets,)
    gap: np.ndarray  # (n_targets,), relative
    worst_gap: np.ndarray  # (n_targets,), of all that was solved
    n_iter: np.ndarray  # (n_targets,)
    strength: np.ndarray  # (n_targets, 2), of the prior
    lams: np.ndarray | None  # (n_targets, n_lams), if lam was chosen
    error: np.ndarray | None  # (n_targets, n_lams), held out; NaN if not computed
    coef_path: sparse.csr_array | None  # (n_targets * n_lams, d), if it is kept
    intercept_path: np.ndarray | None  # (n_targets, n_lams)


def computing_dtype(dtype, ops=None):
    """Return the type that outputs of some type are fitted in; float32 on a GPU."""
    return np.dtype(np.float32) if ops else np.promote_types(dtype, np.float32)


def assemble(coefs, intercepts, lams, gaps, n_iter, strength, choice, keep_path):
    """Make a fit of paths.

    Parameters
    ----------
    coefs : sparse.csr_array of shape (n_targets * n_lams, d)
    intercepts, lams, gaps, n_iter : array of shape (n_targets, n_lams)
        Of one lam, unless the path is kept.
    strength : tuple
        Of the prior.
    choice : Choice or None
        How lam was chosen, if it was.
    keep_path : bool

    Returns
    -------
    fit : Fit
    """
    each = np.arange(len(lams))
    k = choice.index if keep_path else 0 * each
    worst = gaps.max(axis=1)
    return Fit(
        coefs[each * lams.shape[1] + k],
        *(a[each, k] for a in (intercepts, lams, gaps)),
        worst if choice is None else np.maximum(worst, choice.gap),
        n_iter[each, k],
        np.tile(strength, (len(lams), 1)),
        None if choice is None else choice.lams,
        None if choice is None else choice.error,
        coefs if keep_path else None,
        intercepts if keep_path else None,
    )


def join(fits, targets_of, n_targets):
    """Put fits of groups of targets into one, in the order of the targets.

    Parameters
    ----------
    fits : list of Fit
    targets_of : list of int array
        The targets of each.
    n_targets : int
        A target that is in none gets NaN, and weights of 0.

    Returns
    -------
    fit : Fit
    """
    order = np.concatenate(targets_of)
    place = np.full(n_targets, len(order))  # the row after the last is for no fit
    place[order] = np.arange(len(order))

    def joined(parts):
        if parts[0] is None:
            return None
        if sparse.issparse(parts[0]):
            stacked = sparse.vstack(parts, "csr")
            each = stacked.shape[0] // len(order)
            nothing = sparse.csr_array((each, stacked.shape[1]), dtype=stacked.dtype)
            rows = place[:, None] * each + np.arange(each)
            return sparse.vstack([stacked, nothing], "csr")[rows.ravel()]
        stacked = np.concatenate(parts)
        nothing = 0 if stacked.dtype.kind == "i" else np.nan
        nothing = np.full((1, *stacked.shape[1:]), nothing, stacked.dtype)
        return np.concatenate([stacked, nothing])[place]

    return Fit(*(joined(parts) for parts in zip(*fits, strict=True)))
