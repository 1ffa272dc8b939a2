"""Turn what the user passes as a method into an attribution matrix and its cost."""

from inspect import signature
from time import perf_counter
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from skdatamodels._last_step import last_step
from skdatamodels.metrics import linear_datamodeling_score


class Method(NamedTuple):
    """An attribution matrix, its cost and its origin.

    Attributes
    ----------
    weights : array or CSR of shape (n_targets, n_train)
        The attribution matrix.
    seconds : float
        Time of all settings together, measured for callables. NaN for the rest.
    record : dict
        Source and parameters of the matrix, and the tuning scores of the settings.
    """

    weights: object
    seconds: float
    record: dict


def by_setting(name, given):
    """Return the settings of a method as a list of (key, full name, matrix)."""
    if not isinstance(given, dict):
        return [("", name, given)]
    return [(str(key), f"{name}, {key}", one) for key, one in given.items()]


def choose(name, given, shape, tuning):
    """Return the Method; of several settings, the best on the tuning part."""
    methods = {
        setting: resolve(full_name, one, shape)
        for setting, full_name, one in by_setting(name, given)
    }
    best, scores = next(iter(methods)), {}
    if len(methods) > 1:
        scores = {
            setting: linear_datamodeling_score(
                tuning.outputs, predict(method.weights[tuning.targets], tuning.masks)
            )
            for setting, method in methods.items()
        }
        best = max(scores, key=scores.get)
    record = methods[best].record | {"setting": best, "tuning_lds": scores}
    seconds = sum(method.seconds for method in methods.values())
    return Method(methods[best].weights, seconds, record)


def resolve(name, given, shape):
    """Return the Method of a matrix, a fitted estimator or a callable.

    Raises
    ------
    ValueError
        If the matrix is not finite or has another shape, or if an estimator has no
        ``coef_``.
    """
    seconds = np.nan
    if callable(given) and not hasattr(given, "coef_"):
        start = perf_counter()
        given = given()
        seconds = perf_counter() - start
    estimator = last_step(given)
    if hasattr(estimator, "fit") and not hasattr(estimator, "coef_"):
        raise ValueError(
            f"{name!r} is a {type(given).__name__} without coef_. Give an attribution "
            "matrix (n_targets, n_train), a regressor that was fitted on runs, such as "
            "DatamodelRegressor, or a function that returns either, whose time is then "
            "measured."
        )
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    weights = _check_weights(name, getattr(estimator, "coef_", estimator), shape)
    record = {"source": type(estimator).__name__, "params": params}
    return Method(weights, seconds, record)


def check_callable(name, given):
    """Raise if a function cannot be called without arguments."""
    if not callable(given) or hasattr(given, "coef_"):
        return
    try:
        parameters = signature(given).parameters.values()
    except ValueError:  # some functions of C tell none
        return
    needed = [
        one.name
        for one in parameters
        if one.default is one.empty
        and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if needed:
        raise TypeError(
            f"{name!r} is called without arguments, but needs {', '.join(needed)}. "
            f"Pass lambda: your_function({', '.join(needed)})."
        )


def check_shape(name, given, shape):
    """Raise if a matrix that is already computed is not (n_targets, n_train)."""
    given = getattr(last_step(given), "coef_", given)
    got = getattr(given, "shape", shape)
    got = got if len(got) > 1 else (1, *got)
    if got == shape:
        return
    hint = "It belongs to other targets or to another training set."
    if got[::-1] == shape:
        hint = "It seems to be transposed: pass its transpose."
    raise ValueError(
        f"{name!r} has shape {tuple(got)}; the runs have {shape[0]} targets and "
        f"{shape[1]} training examples, so it must be {shape}. {hint}"
    )


def predict(weights, masks):
    """Sum the weights of the examples of each run: float64 (n_runs, n_targets)."""
    return np.asarray(masks.dot(weights.T), dtype=np.float64)


def _check_weights(name, weights, shape):
    sparse = issparse(weights)
    weights = csr_array(weights) if sparse else np.atleast_2d(np.asarray(weights))
    if weights.dtype.kind not in "fiub":
        raise ValueError(
            f"{name!r} must give a numeric attribution matrix, got dtype "
            f"{weights.dtype}."
        )
    check_shape(name, weights, shape)
    if not np.isfinite(weights.data if sparse else weights).all():
        dense = weights.toarray() if sparse else weights
        target, example = np.argwhere(~np.isfinite(dense))[0]
        raise ValueError(
            f"{name!r} has the weight {dense[target, example]} at target {target}, "
            f"training example {example}. All weights must be finite."
        )
    return weights if weights.dtype.kind == "f" else weights.astype(np.float64)
