"""Telling numbers from what NumPy would turn into numbers without a word."""

import numpy as np
import scipy.sparse as sp
from numpy.ma import MaskedArray, is_masked

_NO_NUMBERS = {"U": "text", "T": "text", "S": "bytes", "M": "dates", "m": "durations"}


def as_real(values, name):
    """Return an array of real numbers; booleans count as 0 and 1.

    Parameters
    ----------
    values : array-like
    name : str
        What the values are, for the error.

    Returns
    -------
    array : bool, integer or floating-point ndarray

    Raises
    ------
    TypeError
        If `values` are of any other type: text, dates, complex numbers, objects.
    ValueError
        If entries of a masked array are masked.
    """
    array = np.asarray(unmasked(values, name))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"Expected real numbers as {name}, got {_what(values, array)}.")
    return array


def refuse_disguised(values, name):
    """Raise if scikit-learn's checks would make numbers of what are none.

    They read the text "1.5" as 1.5, a date as seconds, and what lies under a mask as
    data. All else is left to them.

    Parameters
    ----------
    values : array-like, sparse matrix or data frame
    name : str
        What the values are, for the error.

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


def unmasked(values, name):
    """Return `values`, a masked array without its mask; raise if an entry is masked.

    Parameters
    ----------
    values : object
        Also a list of masked arrays, or of numbers and `numpy.ma.masked`.
    name : str
        What the values are, for the error.

    Raises
    ------
    ValueError
        If there are masked entries.
    """
    parts = [values]
    if isinstance(values, list | tuple):
        parts = [part for part in values if isinstance(part, MaskedArray)]
    if any(isinstance(part, MaskedArray) and is_masked(part) for part in parts):
        raise ValueError(
            f"Masked entries in {name} hold no value. Fill them (.filled(…)) or leave "
            "them out."
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
    """Describe what was given instead of numbers."""
    if array.ndim == 0 and array.dtype.kind == "O":
        return "None" if values is None else f"a {type(values).__name__}"
    if array.dtype.kind != "O":
        return f"{_NO_NUMBERS.get(array.dtype.kind, 'an array')} of dtype {array.dtype}"
    types = {type(entry).__name__: None for entry in array.ravel().tolist()}
    return f"objects ({', '.join(types)}); for numbers, .astype(float) does"
