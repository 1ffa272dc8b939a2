"""How sets of rows differ from sums of their weights, for a page."""

from numbers import Real

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels.pages._page import embed

_NUMBERS = "growth", "growth_error", "shared_error"


def removal_data(removal, weights):
    """Return the data of the page on sets of rows, or None.

    Parameters
    ----------
    removal : dict or None
        As given to :func:`write_explorer`.
    weights : float array or CSR of shape (n_targets, n_columns)
        The weights.
    """
    if removal is None:
        return None
    known = {*_NUMBERS, "noise", "sizes", "widths"}
    if not (isinstance(removal, dict) and set(removal) <= known):
        raise ValueError(
            f"removal must be a dict with keys among {sorted(known)}; got {removal!r}."
        )
    numbers = {name: removal.get(name, 0.0) for name in _NUMBERS}
    for name, value in numbers.items():
        if not isinstance(value, Real) or not 0 <= value < np.inf:
            raise ValueError(
                f"removal[{name!r}] must be a finite number from 0, got {value!r}."
            )
    noise = as_real(removal.get("noise", 0.0), "removal['noise']")
    if (
        noise.shape not in ((), weights.shape[:1])
        or not (np.isfinite(noise) & (noise >= 0)).all()
    ):
        raise ValueError(
            "removal['noise'] must be a finite number from 0, or one for each of the "
            f"{weights.shape[0]} targets; got shape {noise.shape}."
        )
    size = abs(weights)
    vectors = {
        "noise": np.broadcast_to(noise, weights.shape[:1]),
        "total": np.asarray(size.sum(axis=1)).ravel(),
        "strength": np.asarray(size.mean(axis=0)).ravel(),
    }
    embedded = {name: embed(np.array(v, np.float32)) for name, v in vectors.items()}
    numbers = {name: float(value) for name, value in numbers.items()}
    return numbers | embedded | _check_widths(removal)


def _check_widths(removal):
    """Return sizes and widths as lists, each None if they are not given."""
    sizes, widths = removal.get("sizes"), removal.get("widths")
    if sizes is None and widths is None:
        return {"sizes": None, "widths": None}
    sizes, widths = np.asarray(sizes), np.asarray(widths)
    if not (
        sizes.dtype.kind in "iu"
        and sizes.ndim == 1
        and sizes.shape == widths.shape
        and len(sizes)
        and (np.diff(sizes, prepend=0) > 0).all()
        and widths.dtype.kind in "iuf"
        and (np.isfinite(widths) & (widths >= 0)).all()
    ):
        raise ValueError(
            "removal['sizes'] must be increasing integers from 1, and "
            "removal['widths'] as many finite numbers from 0; got "
            f"{sizes.tolist()} and {widths.tolist()}."
        )
    return {"sizes": sizes.tolist(), "widths": widths.astype(float).tolist()}
