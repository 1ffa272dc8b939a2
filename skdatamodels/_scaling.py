"""Powers of two that bring numbers of any size to about 1.

Squares and products of outputs overflow or vanish long before the outputs do: in
float32 from 2e19, or below 1e-23. A power of two changes no digit, so what is computed
of scaled outputs is, digit for digit, what it would be without bounds.
"""

import numpy as np


def exponents(outputs):
    """Return, for each column, the least k with ``abs(column) < 2**k``, 0 for zeros.

    Parameters
    ----------
    outputs : float array of shape (n_runs,) or (n_runs, n_targets)
        NaN is left out; may be a memory map.

    Returns
    -------
    exponents : int array of shape () or (n_targets,)
    """
    highest = np.fmax.reduce(outputs, axis=0, initial=0)
    lowest = np.fmin.reduce(outputs, axis=0, initial=0)
    return np.frexp(np.maximum(highest, -lowest))[1]


def scaled(numbers, exponents):
    """Divide by powers of two, in float64."""
    return np.ldexp(np.asarray(numbers, np.float64), -exponents)
