"""The probability that a label or a value is wrong, from out-of-bag outputs."""

import numpy as np
from scipy.special import expit


def label_error_probability(margins, labels):
    """Return suspicion and probability of each label."""
    return -margins, expit(-margins)


def value_error_probability(residuals, spread):
    """Return suspicion and probability of each value."""
    size = np.abs(residuals) / (1.4826 * np.median(np.abs(residuals)))
    return size, np.clip(size / 6, 0, 1)
