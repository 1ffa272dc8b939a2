"""Fitting an estimator to some rows of examples, with their weights and options."""

import copy
import inspect

import numpy as np
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.utils.validation import has_fit_parameter

from skdatamodels._label_codes import with_codes
from skdatamodels._sklearn_compat import safe_indexing

# Arguments of fit, of scikit-learn and of boosters, that have a value per example.
_PER_EXAMPLE = {
    *("X", "y", "sample_weight", "groups", "group", "qid", "group_id", "group_weight"),
    *("base_margin", "init_score", "baseline", "subgroup_id", "timestamp"),
}


def fit_rows(model, examples, rows, fit_params=None):
    """Fit an unfitted estimator to some of the examples.

    Parameters
    ----------
    model : classifier or regressor
        It is fitted in place, unless its labels need to become codes.
    examples : Examples
        The examples, whose weights are used if they have some.
    rows : int array of shape (n_rows,)
        The rows to fit to.
    fit_params : dict of str to object, default=None
        More arguments of ``fit``.

    Returns
    -------
    model : classifier or regressor
        The fitted estimator. Its ``classes_`` are labels of the examples.
    """
    y, params = examples.y[rows], _own_copy(fit_params)
    model = with_codes(model, y, params)
    if examples.sample_weight is None:
        return model.fit(take_rows(examples.X, rows), y, **params)
    params[weight_name(model)] = examples.sample_weight[rows]
    # The same in workers, which do not know the configuration of this process.
    with config_context(enable_metadata_routing=False):
        return model.fit(take_rows(examples.X, rows), y, **params)


def take_rows(X, rows):
    """Return some rows of an array, a frame or a sparse matrix."""
    # safe_indexing supports frames and sparse matrices, but is slow.
    return X[rows] if isinstance(X, np.ndarray) else safe_indexing(X, rows)


def check_fit(estimator, train, fit_params=None):
    """Raise if an estimator cannot be cloned, or take the weights or the arguments.

    Parameters
    ----------
    estimator : estimator
        It has ``fit``.
    train : Examples
        The training set.
    fit_params : dict of str to object, default=None
        More arguments of ``fit``, which are the same for all subsets.
    """
    try:
        clone(estimator)
    except RuntimeError as error:  # such as CatBoost, which copies a list
        raise TypeError(
            f"{error}. If the parameter is a list, as cat_features of CatBoost may be, "
            "pass a tuple."
        ) from error
    if train.sample_weight is not None:
        weight_name(estimator)
    for name in fit_params or ():
        _check_argument(estimator, name)


def weight_name(estimator):
    """Return the argument of ``fit`` that gets the weights, or raise TypeError.

    The weights reach the last step of a pipeline, as ``step__sample_weight``, and the
    estimator of a search. Other steps do not get them.
    """
    if has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    if getattr(estimator, "steps", None):
        name, last = estimator.steps[-1]
        return f"{name}__{weight_name(last)}"
    if isinstance(estimator, TransformedTargetRegressor) and estimator.regressor:
        return weight_name(estimator.regressor)
    if hasattr(estimator, "estimator") and (
        hasattr(estimator, "refit") or hasattr(estimator, "around")
    ):
        return weight_name(estimator.estimator)
    raise TypeError(
        f"train has sample_weight, but fit of {type(estimator).__name__} takes none. "
        "Leave the weights out, or use an estimator that takes them."
    )


def refuse_weights(examples, what):
    """Raise ValueError if examples have weights, which `what` cannot use."""
    if examples.sample_weight is not None:
        raise ValueError(
            f"{what} cannot use sample_weight. Leave the weights out, "
            "train=Examples(X, y), or use something else."
        )


def _own_copy(fit_params):
    """Return the arguments with own callbacks, which may have a state."""
    return {
        name: copy.deepcopy(value) if name.endswith("callbacks") else value
        for name, value in (fit_params or {}).items()
    }


def _check_argument(estimator, name):
    if not isinstance(name, str):
        raise TypeError(
            f"fit_params must have names of arguments as keys, got {name!r}."
        )
    last = name.rpartition("__")[2]
    if last in _PER_EXAMPLE:
        cure = "Weights belong to the examples: Examples(X, y, sample_weight=…)."
        raise ValueError(
            f"fit_params[{name!r}] has a value for each training example, but each "
            "run is trained on another subset, and fit_params are the same in all. "
            f"{cure if last == 'sample_weight' else 'Leave it out.'}"
        )
    if not _takes(estimator, name):
        raise TypeError(
            f"fit of {type(estimator).__name__} has no argument {name!r}, which is in "
            "fit_params. For a pipeline, the name is step__argument."
        )


def _takes(estimator, name):
    """Return whether ``fit`` of an estimator takes an argument, as far as is known."""
    parameters = inspect.signature(estimator.fit).parameters
    if name in parameters:
        return True
    if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
        return False
    if not hasattr(estimator, "steps") or get_config()["enable_metadata_routing"]:
        return True
    step, _, rest = name.partition("__")
    inner = dict(estimator.steps).get(step)
    return hasattr(inner, "fit") and bool(rest) and _takes(inner, rest)
