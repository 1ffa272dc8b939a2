"""Warning for solvers that stop before they have converged."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning


def warn_unless_converged(gaps, tol, max_iter, unpenalised=False):
    """Warn if a target has a gap above `tol`, or NaN, at any of its lams.

    Parameters
    ----------
    gaps : float array of shape (n_targets, n_lams)
        Relative duality gaps.
    tol : float
        Gap to reach.
    max_iter : int
        Limit that the solver had; the message names it.
    unpenalised : bool, default=False
        Whether lam is 0. The gap is then large at the solution, too.
    """
    above = np.flatnonzero(~(gaps <= tol).all(axis=1))
    if not len(above):
        return
    worst = gaps.max(axis=1)
    advice = (
        "Increase max_iter, tol or lam; with many more examples than runs, use "
        "solver='residual'."
    )
    if unpenalised:
        advice = (
            "With lam=0 the gap cannot tell, for it is large at the solution, too: use "
            "penalty='l2' for least squares."
        )
    warnings.warn(
        f"{len(above)} of {len(gaps)} targets did not reach a relative duality gap of "
        f"{tol:g} within max_iter={max_iter}: {above[:10].tolist()}"
        f"{' and more' if len(above) > 10 else ''}; the worst gap is "
        f"{worst.max():.2g}, at target {worst.argmax()}. {advice}",
        ConvergenceWarning,
        stacklevel=3,
    )
