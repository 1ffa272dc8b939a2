"""Describing what runs were made with, so that equal descriptions mean equal runs."""

import hashlib
import inspect
import json
import math
import pickle
from functools import partial

import joblib
import numpy as np

from skdatamodels.examples import Examples


def describe(value, name):
    """Describe a parameter as flat entries ``{name: JSON value}``.

    Estimators become their class and parameters, at every depth; examples their
    fingerprint; functions their name and a digest of their source (what a function
    reads from its module is not seen); anything else a digest of its pickle.

    Parameters
    ----------
    value : object
    name : str

    Returns
    -------
    entries : dict of str to str, int, float, bool or None

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels.training.configuration import describe
    >>> entries = describe(Ridge(alpha=2.0), "estimator")
    >>> entries["estimator"], entries["estimator__alpha"]
    ('sklearn.linear_model._ridge.Ridge', 2.0)
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {name: repr(value)}  # JSON has no NaN, and NaN equals nothing
    if value is None or isinstance(value, (bool, int, float, str)):
        return {name: value}
    if isinstance(value, Examples):
        return {name: value.fingerprint}
    if hasattr(value, "get_params") and not isinstance(value, type):
        entries = {name: _qualified_name(type(value))}
        for key, parameter in value.get_params(deep=False).items():
            entries |= describe(parameter, f"{name}__{key}")
        return entries
    if isinstance(value, (list, tuple)):
        entries = {name: f"{type(value).__name__} of {len(value)}"}
        for i, item in enumerate(value):
            entries |= describe(item, f"{name}[{i}]")
        return entries
    if isinstance(value, partial):
        entries = {name: "functools.partial"} | describe(value.func, f"{name}.func")
        entries |= describe(list(value.args), f"{name}.args")
        for key, item in value.keywords.items():
            entries |= describe(item, f"{name}.{key}")
        return entries
    if inspect.isfunction(value):
        return _describe_function(value, name)
    if isinstance(value, type) or inspect.isbuiltin(value):
        return {name: _qualified_name(value)}
    if inspect.ismodule(value):
        return {name: value.__name__}
    try:
        value_digest = joblib.hash(value)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise TypeError(
            f"A store cannot tell whether {name} is the same next time, for it does not"
            f" pickle: {error}. Leave out what does not pickle, or the store."
        ) from error
    return {name: f"{_qualified_name(type(value))} {value_digest}"}


def digest(configuration):
    """Return a hexadecimal digest of a configuration."""
    text = json.dumps(configuration, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _describe_function(function, name):
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):  # written at a prompt
        source = ""
    if not source or function.__name__ == "<lambda>":  # two may share their line
        source += repr(_code_parts(function.__code__))
    source_digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    entries = {name: f"{_qualified_name(function)} {source_digest}"}
    for i, cell in enumerate(function.__closure__ or ()):
        if cell.cell_contents is not function:  # which may call itself
            entries |= describe(cell.cell_contents, f"{name}.closure[{i}]")
    for i, default in enumerate(function.__defaults__ or ()):
        entries |= describe(default, f"{name}.default[{i}]")
    for key, default in (function.__kwdefaults__ or {}).items():
        entries |= describe(default, f"{name}.default[{key}]")
    return entries


def _code_parts(code):
    constants = [
        _code_parts(constant) if inspect.iscode(constant) else constant
        for constant in code.co_consts
    ]
    return code.co_code, code.co_names, constants


def _qualified_name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"
