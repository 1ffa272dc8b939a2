"""Fits: the result of a solver for some targets, and for all targets together."""

from typing import NamedTuple

import numpy as np
from scipy import sparse


class Fit(NamedTuple):
    """Datamodels of some targets, one row for each target."""

    coef: sparse.csr_array  # (n_targets, d)
    intercept: np.ndarray  # (n_targets,)
    lam: np.ndarray  # (n_targets,)
    gap: np.ndarray  # (n_targets,), relative
    worst_gap: np.ndarray  # (n_targets,), of all fits, on folds too
    n_iter: np.ndarray  # (n_targets,)
    strength: np.ndarray  # (n_targets, 2), of the prior
    lams: np.ndarray | None = None  # (n_targets, n_lams), if lam was chosen
    error: np.ndarray | None = None  # (n_targets, n_lams), held out; NaN: not computed
    coef_path: sparse.csr_array | None = None  # (n_targets * n_lams, d), if kept
    intercept_path: np.ndarray | None = None  # (n_targets, n_lams)
    left_out_error: np.ndarray | None = None  # (n_targets,), of the ridge
    left_out_error_of_mean: np.ndarray | None = None  # that of a constant, likewise
    noise: np.ndarray | None = None  # (n_targets,), variance; of the ridge


def computing_dtype(dtype, ops=None):
    """Return the type in which outputs of a type are fitted; float32 on a GPU."""
    return np.dtype(np.float32) if ops else np.promote_types(dtype, np.float32)


def assemble(coefs, intercepts, lams, gaps, n_iter, strength, choice, keep_path):
    """Make a Fit from paths.

    Parameters
    ----------
    coefs : sparse.csr_array of shape (n_targets * n_lams, d)
        Weights.
    intercepts, lams, gaps, n_iter : array of shape (n_targets, n_lams)
        Results at each lam; n_lams is 1 unless the path is kept.
    strength : tuple
        Strength of the prior.
    choice : Choice or None
        How lam was chosen; None if it was given.
    keep_path : bool
        Whether the fit keeps the path.

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
    """Join the fits of groups of targets into one, in the order of the targets.

    Parameters
    ----------
    fits : list of Fit
        One for each group.
    targets_of : list of int array
        The targets of each fit.
    n_targets : int
        Number of targets. A target without a fit gets weights of 0, and NaN elsewhere.

    Returns
    -------
    fit : Fit
    """
    order = np.concatenate(targets_of)
    place = np.full(n_targets, len(order))  # targets without a fit: one row more
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
