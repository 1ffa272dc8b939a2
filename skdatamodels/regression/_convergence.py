"""What is said of solvers that stop before they are done."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning


def warn_unless_converged(gaps, tol, max_iter):
    """Warn of targets whose gap (n_targets, n_lams) is above `tol` anywhere, or NaN."""
    above = np.flatnonzero(~(gaps <= tol).all(axis=1))
    if not len(above):
        return
    worst = gaps.max(axis=1)
    warnings.warn(
        f"{len(above)} of {len(gaps)} targets did not reach a relative duality gap of "
        f"{tol:g} within max_iter={max_iter}: {above[:10].tolist()}"
        f"{' and more' if len(above) > 10 else ''}; the worst gap is "
        f"{worst.max():.2g}, at target {worst.argmax()}. Raise max_iter, or tol, or "
        "lam; with many more examples than runs, use solver='residual'.",
        ConvergenceWarning,
        stacklevel=3,
    )
