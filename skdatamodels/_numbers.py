"""Checks for numbers that refuse values which NumPy would convert silently."""

import numpy as np
import scipy.sparse as sp
from numpy.ma import MaskedArray, is_masked

_NO_NUMBERS = {"U": "text", "T": "text", "S": "bytes", "M": "dates", "m": "durations"}


def as_real(values, name):
    """Return an array of real numbers; booleans count as 0 and 1.

    Parameters
    ----------
    values : array-like
        Values to check.
    name : str
        Name of the values in errors.

    Returns
    -------
    array : bool, integer or floating-point ndarray
        The values as an array.

    Raises
    ------
    TypeError
        If `values` have another type, such as text, dates, complex numbers or objects.
    ValueError
        If entries of a masked array are masked.
    """
    array = np.asarray(unmasked(values, name))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"Expected real numbers as {name}, got {_what(values, array)}.")
    return array


def refuse_disguised(values, name):
    """Raise if scikit-learn's checks would silently convert values to numbers.

    They read the text "1.5" as 1.5, a date as seconds, and ignore masks. scikit-learn
    checks everything else.

    Parameters
    ----------
    values : array-like, sparse matrix or data frame
        Values to check.
    name : str
        Name of the values in errors.

    Raises
    ------
    TypeError
        If entries are text, dates or durations.
    ValueError
        If entries of a masked array are masked, or lists are ragged.
    """
    unmasked(values, name)
    if sp.issparse(values):
        return
    array = np.asarray(values)
    if array.dtype.kind in _NO_NUMBERS or (
        array.dtype.kind == "O"
        and any(isinstance(entry, str | bytes) for entry in array.ravel().tolist())
    ):
        raise TypeError(f"Expected numbers as {name}, got {_what(values, array)}.")


def is_missing(value):
    """Return whether a value is None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    if np.ndim(value):  # a list of values
        return False
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA has no truth value
        return True


def unmasked(values, name):
    """Return the data of a masked array, and other values unchanged.

    Parameters
    ----------
    values : object
        Any values, including lists with masked arrays or `numpy.ma.masked`.
    name : str
        Name of the values in errors.

    Returns
    -------
    values : object
        The values without a mask.

    Raises
    ------
    ValueError
        If an entry is masked.
    """
    parts = [values]
    if isinstance(values, list | tuple):
        parts = [part for part in values if isinstance(part, MaskedArray)]
    if any(isinstance(part, MaskedArray) and is_masked(part) for part in parts):
        raise ValueError(
            f"Masked entries in {name} have no value. Fill them (.filled(…)) or remove "
            "them."
        )
    return values.data if isinstance(values, MaskedArray) else values


def check_sample_weight(sample_weight, n_runs):
    """Return the weight of each run, float64 of shape (n_runs,).

    A number stands for that weight of each, None for 1.
    """
    if sample_weight is None:
        return np.ones(n_runs)
    weight = as_real(sample_weight, "sample_weight").astype(np.float64)
    if weight.shape not in ((), (n_runs,)):
        raise ValueError(
            f"sample_weight must be one number for each of the {n_runs} runs, got shape"
            f" {weight.shape}."
        )
    if not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
        raise ValueError(
            "sample_weight must be finite, not negative, and not zero for all runs, "
            f"got {weight.min()} to {weight.max()}."
        )
    return np.broadcast_to(weight, n_runs)


def _what(values, array):
    """Describe the values that were given instead of numbers."""
    if array.ndim == 0 and array.dtype.kind == "O":
        return "None" if values is None else f"a {type(values).__name__}"
    if array.dtype.kind != "O":
        return f"{_NO_NUMBERS.get(array.dtype.kind, 'an array')} of dtype {array.dtype}"
    types = {type(entry).__name__: None for entry in array.ravel().tolist()}
    return f"objects ({', '.join(types)}); convert numbers by .astype(float)"
