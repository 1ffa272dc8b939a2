"""Checks of the inputs of a regression, before any work is done."""

import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.utils import check_array

from skdatamodels._attribution_matrix import AttributionMatrix
from skdatamodels._numbers import as_real, refuse_disguised, unmasked
from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.runs._copied_runs import copied_runs
from skdatamodels.runs._training_runs import check_no_infinity

# Random subsets of more examples are all different.
_MANY_EXAMPLES = 64

# Indices: rows are that long, without repetition. So many rows are looked at.
_FEWEST_INDICES, _SOME_RUNS = 8, 100


def warn_if_constant(X):
    """Warn if all rows of X, PackedMasks or an array, are the same."""
    rows = X.bits if isinstance(X, PackedMasks) else X
    blocks = row_blocks(len(rows), rows[:1].nbytes)
    if all((rows[block] == rows[0]).all() for block in blocks):
        warnings.warn(
            "All runs saw the same training examples, so the effect of a single "
            "example cannot be estimated: all weights are 0. Pass masks that differ "
            "between runs.",
            UserWarning,
            stacklevel=5,
        )


def warn_if_copies(X, Y):
    """Warn if runs have the masks and the outputs of other runs.

    Masks of few columns repeat by chance, and a learner may be deterministic.
    """
    if not isinstance(X, PackedMasks) or X.shape[1] <= _MANY_EXAMPLES:
        return
    copies, originals = copied_runs(X, Y)
    if len(copies):
        warnings.warn(
            f"{len(copies)} of {len(Y)} runs are copies: run {copies[0]} has the "
            f"training examples and the outputs of run {originals[0]}. They make "
            "held-out errors and intervals too small. Keep one run of each subset. "
            "Rows of a file that were never written are copies of each other, too.",
            UserWarning,
            stacklevel=5,
        )


def is_binary(X):
    """Return whether all entries of an array are 0 or 1, a block of rows at a time."""
    blocks = row_blocks(len(X), X[:1].nbytes)
    return all(((X[block] == 0) | (X[block] == 1)).all() for block in blocks)


def refuse_indices(X):
    """Raise if rows of integers look like lists of the examples that runs saw."""
    if X.ndim != 2 or X.shape[1] < _FEWEST_INDICES or X.min() < 0:
        return
    first = np.sort(X[:_SOME_RUNS], axis=1)
    if (np.diff(first, axis=1) > 0).all() and len(np.unique(first, axis=0)) > 1:
        raise ValueError(
            "X holds integers, and no row has one twice: these look like the indices "
            "of the training examples of each run. Pack them by "
            "PackedMasks.from_indices(X, n_train). If they are numbers of another "
            "kind, pass X.astype(float)."
        )


def warn_if_few(weight):
    """Warn if weights of runs sum to far less than the number of the runs."""
    if weight.sum() < 0.1 * len(weight):
        warnings.warn(
            f"The weights of the {len(weight)} runs sum to {weight.sum():.3g}. Weights "
            "count runs, so one_standard_error takes the standard error of so few runs "
            "and chooses too large a lam. Multiply the weights so that their mean is "
            "about 1.",
            UserWarning,
            stacklevel=5,
        )


def check_outputs(y):
    """Check outputs; floating-point arrays are returned without a copy."""
    refuse_disguised(y, "outputs y")
    y = unmasked(y, "outputs y")
    if 0 in getattr(y, "shape", (1,))[1:]:
        raise ValueError("outputs y has no target: at least one is required.")
    if not isinstance(y, np.ndarray) or y.dtype.kind != "f" or not 0 < y.ndim < 3:
        return check_array(
            y,
            ensure_2d=False,
            ensure_all_finite="allow-nan",
            dtype=[np.float64, np.float32],
            input_name="y",
        )
    check_no_infinity(y.reshape(len(y), -1), "Input y")
    return y


def check_lam(lam, n_targets):
    """Return lam for each target, an array of shape (n_targets,)."""
    lam = as_real(lam, "lam").astype(np.float64)
    if lam.shape not in ((), (n_targets,)):
        raise ValueError(
            f"lam must be a number or one for each of the {n_targets} targets, got "
            f"shape {lam.shape}."
        )
    if not (lam >= 0).all() or np.isinf(lam).any():
        raise ValueError(f"lam must be finite and not negative, got {lam.min()}.")
    return np.broadcast_to(lam, n_targets)


def check_groups(groups, n_runs, kept=slice(None)):
    """Return the group of each kept run as an integer from 0, or None without groups.

    `kept` selects runs; by default all are kept.
    """
    if groups is None:
        return None
    labels = np.asarray(unmasked(groups, "groups"))
    if labels.shape != (n_runs,):
        raise ValueError(
            f"groups must be one label for each of the {n_runs} runs, got shape "
            f"{labels.shape}."
        )
    if labels.dtype == object:  # None, pandas' NA, which equals nothing, or NaN
        missing = [v is None or str(v) == "<NA>" or v != v for v in labels]
    else:
        missing = labels != labels
    if np.any(missing):
        raise ValueError(
            f"groups has no label for run {np.argmax(missing)} (NaN or None). Give each"
            " run a label, its own if it belongs to no other."
        )
    return np.unique(labels[kept], return_inverse=True)[1]


def check_prior(prior, attributions, n_targets, n_train):
    """Check the matrices of a prior.

    Parameters
    ----------
    prior : object
        The parameter of :class:`DatamodelRegressor`.
    attributions : mapping or None
        What "cheap" means.
    n_targets, n_train : int
        Shape of a matrix.

    Returns
    -------
    members : dict of name to float array or CSR of shape (n_targets, n_train)
        Empty if there is no prior.
    """
    if prior is None:
        return {}
    if isinstance(prior, str):
        if attributions is None:
            raise ValueError(
                f"prior={prior!r} needs TrainingRuns that know attributions, as "
                "SubsetTrainer returns them for scikit-learn estimators, boosters and "
                "networks. Compute some by skdatamodels.influence.cheap_attributions, "
                "and pass them as prior."
            )
        prior = attributions
    if isinstance(prior, Mapping):
        given = {name: (f"prior {name!r}", prior[name]) for name in prior}
    elif isinstance(prior, list | tuple) and all(map(_is_matrix, prior)):
        given = {k: (f"prior {k}", matrix) for k, matrix in enumerate(prior)}
    else:
        given = {"prior": ("prior", prior)}
    if not given:
        raise ValueError("prior contains no matrix. Use None for no prior.")
    return {
        name: _check_member(label, matrix, n_targets, n_train)
        for name, (label, matrix) in given.items()
    }


def _is_matrix(value):
    known = isinstance(value, AttributionMatrix) or callable(value)
    return known or getattr(value, "ndim", np.ndim(value)) == 2


def _check_member(label, weights, n_targets, n_train):
    if weights is None:
        raise ValueError(f"{label} is None: leave it out.")
    weights = weights() if callable(weights) else weights
    weights = AttributionMatrix.weights_of(weights, label)
    if weights.shape != (n_targets, n_train):
        raise ValueError(
            f"{label} must have shape (n_targets, n_train) = ({n_targets}, {n_train})"
            f", got {weights.shape}."
        )
    return weights


def check_factors(factors, n_targets, n_train):
    """Return penalty factors of shape (n_train,) or (n_targets, n_train)."""
    factors = np.ones(n_train) if factors is None else factors
    factors = as_real(factors, "penalty_factors")
    factors = factors if factors.dtype.kind == "f" else factors.astype(np.float64)
    shapes = (n_train,), (1, n_train), (n_targets, n_train)
    if factors.shape not in shapes or not (factors > 0).all():
        raise ValueError(
            f"penalty_factors must be positive, of shape ({n_train},) or ({n_targets}, "
            f"{n_train}), got shape {factors.shape}."
        )
    return factors


def check_path(n_targets, n_train, lams, penalty, w0):
    """Check the lams of a path, the penalty factors and the initial weights.

    Returns
    -------
    lams : float64 array of shape (n_targets, n_lams)
    penalty : float array of shape (1, n_train) or (n_targets, n_train)
    w0 : array of shape (n_targets, n_train) or None
    """
    lams = np.atleast_2d(np.asarray(lams, np.float64))
    lams = np.repeat(lams, n_targets, axis=0) if len(lams) == 1 else lams
    w0 = w0 if w0 is None else np.asarray(w0)
    start = (n_targets, n_train) if w0 is None else w0.shape
    if lams.ndim != 2 or len(lams) != n_targets or start != (n_targets, n_train):
        raise ValueError(
            f"For {n_targets} targets and d={n_train}, lams must be ({n_targets}, "
            f"n_lams) or (n_lams,), coef_init ({n_targets}, {n_train}); got "
            f"{lams.shape}, {np.shape(w0)}."
        )
    for name, array in {"lams": lams, "coef_init": w0}.items():
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"{name} contains NaN or infinity.")
    if (lams < 0).any() or (np.diff(lams) > 0).any():
        raise ValueError("lams must not be negative and must not increase.")
    return lams, np.atleast_2d(check_factors(penalty, n_targets, n_train)), w0


def check_limits(tol, max_iter):
    """Check the stopping criteria of a solver."""
    if not tol > 0 or max_iter < 1:
        raise ValueError(
            f"tol must be positive, max_iter at least 1; got {tol} and {max_iter}."
        )
