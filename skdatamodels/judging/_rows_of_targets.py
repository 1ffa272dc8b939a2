"""A regressor for some of the targets, which keeps the rows of its parameters."""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone

from skdatamodels.regression import AttributionMatrix

# Regressor parameters with a row for each target, and their number of dimensions.
_ROWS = {"prior": 2, "attribution": 2, "penalty_factors": 2, "exclude": 1, "lam": 1}


def draw_targets(n_all, n_targets, rng):
    """Return sorted targets, drawn at random; all if `n_targets` is None or larger."""
    if n_targets is None or n_targets >= n_all:
        return np.arange(n_all)
    return np.sort(rng.choice(n_all, n_targets, replace=False))


def for_targets(regressor, targets, n_all, attributions=None):
    """Return a clone whose parameters have only the rows of some targets.

    Parameters
    ----------
    regressor : estimator
        The regressor, or a pipeline that contains it.
    targets : int array
        The targets.
    n_all : int
        Number of all targets.
    attributions : mapping, default=None
        What prior="cheap" means.
    """
    chosen = {}
    for name, value in regressor.get_params().items():
        key = name.split("__")[-1]
        if key == "prior" and isinstance(value, str) and attributions is not None:
            value = attributions
        if key in _ROWS:
            chosen[name] = _rows(value, _ROWS[key], targets, n_all)
    return clone(regressor).set_params(**chosen)


def _rows(value, n_dimensions, targets, n_all):
    """Return the rows of targets, also of each matrix in a list or a mapping."""
    rest = n_dimensions, targets, n_all
    if isinstance(value, Mapping):
        return {name: _rows(matrix, *rest) for name, matrix in value.items()}
    if isinstance(value, list | tuple) and all(np.ndim(v) == 2 for v in value):
        return [_rows(matrix, *rest) for matrix in value]
    shape = np.shape(value)
    if len(shape) != n_dimensions or shape[0] != n_all:
        return value
    value = value() if callable(value) else value  # an Attribution
    value = AttributionMatrix(value) if issparse(value) else value
    of_matrix = isinstance(value, AttributionMatrix)
    return (value if of_matrix else np.asarray(value))[targets]
