"""Checks of the values of examples: lengths, kinds, missing values and weights."""

import numpy as np
import scipy.sparse as sp

from skdatamodels._digests import blocks
from skdatamodels._frames import columns_of, is_frame
from skdatamodels._frozen import frozen_array


def checked_weight(sample_weight, n):
    """Return weights as float64 (n,), or raise ValueError."""
    weight = frozen_array(sample_weight, "sample_weight")
    if weight.ndim != 1 or weight.dtype.kind not in "iufb":
        raise ValueError(
            "sample_weight must have one number per example, got "
            f"{weight.dtype} of shape {weight.shape}."
        )
    check_length("sample_weight", weight, n)
    check_finite("sample_weight", weight)
    if not (weight >= 0).all() or not weight.any():
        raise ValueError(
            "sample_weight must be at least 0, and above 0 for some example; the least "
            f"is {weight.min()}, the greatest {weight.max()}."
        )
    return weight.astype(np.float64)


def check_1d(y):
    """Raise if y has several columns."""
    if y.ndim == 1:
        return
    if y.ndim == 2 and y.shape[1] == 1:
        cure = "Flatten the single column with np.ravel(y)."
    else:
        cure = (
            "For several outputs, make Examples of each: y[:, 0], y[:, 1] and so on. "
            "Convert one-hot labels by y.argmax(axis=1)."
        )
    raise ValueError(
        f"y must be 1-d, with one value per example, got shape {y.shape}. {cure}"
    )


def check_one_kind(y, given):
    """Raise if labels mix text and numbers, which an array of a list may hide."""
    labels = given if isinstance(given, list | tuple) else y.ravel().tolist()
    if y.dtype.kind == "O" or (labels is given and y.dtype.kind in "UT"):
        text = [isinstance(label, str) for label in labels]
        if any(text) and not all(text):
            first = labels[text.index(True)], labels[text.index(False)]
            raise TypeError(
                f"y mixes text with other values, such as {first[0]!r} and "
                f"{first[1]!r}. Use only text or only numbers."
            )


def check_length(name, values, n):
    """Raise if there is not one value for each row."""
    if len(values) != n:
        raise ValueError(
            f"X has {n} rows but {name} has {len(values)}: the numbers must be equal."
        )


def check_unique(ids):
    """Raise if ids are not 1-d, or one is there twice."""
    if ids.ndim != 1:
        raise ValueError(f"ids must be 1-d, got shape {ids.shape}.")
    seen, twice = set(), []
    for name in ids.tolist():
        if name in seen:
            twice.append(name)
        seen.add(name)
    if twice:
        raise ValueError(f"ids must be unique, these are repeated: {_some(twice)}.")


def check_finite(name, values, allow_nan=False):
    """Raise if an array, CSR matrix or frame has infinite or missing values."""
    if sp.issparse(values):
        row_of_entry = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
        rows = np.unique(row_of_entry[_is_bad(values.data, allow_nan)])
    elif is_frame(values):
        bad = np.zeros(len(values), dtype=bool)
        for _, column in columns_of(values):
            bad |= _is_bad(column.to_numpy(), allow_nan)
        rows = np.flatnonzero(bad)
    else:
        bad = [
            _is_bad(block, allow_nan).reshape(len(block), -1).any(axis=1)
            for block in blocks(values)
        ]
        rows = np.flatnonzero(np.concatenate(bad))
    if rows.size:
        what = "infinite" if allow_nan else "missing (NaN) or infinite"
        cure = ", or pass allow_nan=True if the estimator accepts NaN"
        raise ValueError(
            f"{name} has {what} values in rows {_some(rows.tolist())}. Fill or drop"
            f" them{cure if name == 'X' and not allow_nan else ''}."
        )


def _is_bad(values, allow_nan):
    kind = values.dtype.kind
    if kind == "f":
        return np.isinf(values) if allow_nan else ~np.isfinite(values)
    if kind in "mM" and not allow_nan:
        return np.isnat(values)
    if kind in "OT":
        flat = (_is_bad_object(value, allow_nan) for value in values.ravel().tolist())
        return np.fromiter(flat, dtype=bool, count=values.size).reshape(values.shape)
    return np.zeros(values.shape, dtype=bool)


def _is_bad_object(value, allow_nan):
    if isinstance(value, float | np.floating) and np.isinf(value):
        return True
    if allow_nan or isinstance(value, str):
        return False
    try:  # NaN and NaT are not equal to themselves; of an array, all entries must be so
        unequal = np.asarray(value != value)
        return value is None or bool(unequal.size and unequal.all())
    except TypeError:  # pandas.NA has no truth value
        return True


def _some(values, most=5):
    listed = ", ".join(map(repr, values[:most]))
    more = len(values) - most
    return f"{listed} and {more} more" if more > 0 else listed
