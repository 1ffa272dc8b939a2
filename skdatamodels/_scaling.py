"""Powers of two that scale numbers to about 1.

Squares and products of outputs overflow or underflow long before the outputs do: in
float32 above 2e19 or below 1e-23. Scaling by a power of two is exact, so results of
scaled outputs have the same digits as without overflow.
"""

import numpy as np


def exponents(outputs):
    """Return, for each column, the smallest k with ``abs(column) < 2**k``.

    Parameters
    ----------
    outputs : float array of shape (n_runs,) or (n_runs, n_targets)
        Outputs of runs. NaN is ignored. May be a memory map.

    Returns
    -------
    exponents : int array of shape () or (n_targets,)
        The exponents k; 0 for columns of zeros.
    """
    highest = np.fmax.reduce(outputs, axis=0, initial=0)
    lowest = np.fmin.reduce(outputs, axis=0, initial=0)
    return np.frexp(np.maximum(highest, -lowest))[1]


def scaled(numbers, exponents):
    """Divide numbers by ``2**exponents``, in float64."""
    return np.ldexp(np.asarray(numbers, np.float64), -exponents)
