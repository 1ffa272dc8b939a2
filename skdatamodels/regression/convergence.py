"""What is said of solvers that stop before they are done."""

import warnings

from sklearn.exceptions import ConvergenceWarning


def warn_unless_converged(gaps, tol, max_iter):
    """Warn of targets whose gap (n_targets, n_lams) is above `tol` anywhere."""
    above = ~(gaps <= tol).all(axis=1)  # NaN is not converged
    if above.any():
        warnings.warn(
            f"{above.sum()} of {len(gaps)} targets did not reach a relative duality gap"
            f" of {tol:g} within max_iter={max_iter}; the worst gap is {gaps.max():.2g}"
            f", at target {gaps.max(axis=1).argmax()}. Raise max_iter, or tol, or lam.",
            ConvergenceWarning,
            stacklevel=3,
        )
