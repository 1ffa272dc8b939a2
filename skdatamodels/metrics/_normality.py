"""Test whether retraining the same subset gives normally distributed outputs."""

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import validate_params
from skdatamodels.metrics._lds import check_finite

_MIN_REPEATS = 20  # the statistic's asymptotic distribution does not hold for fewer


@validate_params({"repeats": ["array-like"]}, prefer_skip_nested_validation=True)
def normality_p_values(repeats):
    """Test for each target whether retrained outputs are normally distributed.

    Least squares works best if the output, given the subset, is normally distributed.
    This helps to choose an output (margin, log-odds, confidence, loss or correctness):
    train one subset many times, measure each output, and compare the p-values. For a
    normal output they are uniform between 0 and 1; for other outputs most of them are
    close to 0.

    Parameters
    ----------
    repeats : array-like of shape (n_repeats, n_targets) or (n_repeats, n_subsets, \
n_targets)
        Outputs of `n_repeats` trainings of one subset, or of each of several subsets,
        with different seeds. At least 20 repeats are needed.

    Returns
    -------
    p_values : float64 array of shape (n_targets,) or (n_subsets, n_targets)
        P-values of D'Agostino and Pearson's test of skewness and kurtosis. NaN if the
        output is the same in every training; such an output is saturated and cannot
        be modelled.

    Raises
    ------
    ValueError
        If the shape is wrong, there are fewer than 20 repeats, or an entry is not
        finite.

    See Also
    --------
    skdatamodels.plotting.NormalityDisplay : Plot the p-values of several outputs.

    Notes
    -----
    The test is only a hint: a normal output is neither necessary nor sufficient for
    good datamodels. With more repeats, the test detects smaller deviations.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix C, figure 17.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.metrics import normality_p_values
    >>> margins = np.random.default_rng(0).normal(size=(200, 500))
    >>> bool(abs(np.mean(normality_p_values(margins) < 0.1) - 0.1) < 0.05)
    True
    >>> losses = np.logaddexp(0, -margins)
    >>> bool(np.mean(normality_p_values(losses) < 0.1) > 0.9)
    True
    """
    from scipy.stats import normaltest  # slow to load

    repeats = as_real(repeats, "repeats").astype(np.float64, copy=False)
    if repeats.ndim not in (2, 3) or len(repeats) < _MIN_REPEATS:
        raise ValueError(
            "repeats must have shape (n_repeats, n_targets) or (n_repeats, n_subsets, "
            f"n_targets), with at least {_MIN_REPEATS} repeats; got {repeats.shape}."
        )
    axes = ("repeat", "subset", "target")
    check_finite(repeats, "repeats", axes if repeats.ndim == 3 else axes[::2])
    p_values = np.full(repeats.shape[1:], np.nan)
    varies = np.ptp(repeats, axis=0) > 0
    if varies.any():
        # The test would magnify rounding errors of nearly constant outputs.
        values = repeats[:, varies] - repeats[0, varies]
        p_values[varies] = normaltest(values / values.std(axis=0), axis=0).pvalue
    return p_values
