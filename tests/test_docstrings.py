"""Docstrings of the public API, checked by numpydoc."""

import importlib
import inspect
import re
from collections import ChainMap

import pytest

import skdatamodels

validate = pytest.importorskip("numpydoc.validate").validate

ROOMS = [*sorted(skdatamodels._SUBPACKAGES), "influence.adapters"]
CHECKS = {
    "GL08",  # there is a docstring
    "PR01",  # each parameter is documented
    "PR02",  # and no other
    "PR04",  # with its type
    "PR07",  # and a description
    "RT03",  # what is returned has a description
}


def public_objects(room):
    """Yield the names of functions, classes and methods."""
    module = importlib.import_module(f"skdatamodels.{room}")
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value):
            yield f"skdatamodels.{room}.{name}"
        if inspect.isclass(value):
            for method, function in members(value).items():
                wrapped = isinstance(function, classmethod | staticmethod | property)
                if not method.startswith("_") and (
                    wrapped or inspect.isfunction(function)
                ):
                    yield f"skdatamodels.{room}.{name}.{method}"


def members(value):
    """Return what a class, or a base class in the package, defines."""
    ours = (
        kind for kind in value.__mro__ if kind.__module__.startswith("skdatamodels")
    )
    return ChainMap(*(vars(kind) for kind in ours))


def faults(name):
    """Yield what numpydoc finds; fields of a result may stand under Attributes."""
    report = validate(name)
    _, _, attributes = report["docstring"].partition("Attributes\n----------\n")
    for code, message in report["errors"]:
        public = r"'([^\W_]\w*)'"
        missing = re.findall(public, message) if code == "PR01" else ()
        if missing and all(re.search(rf"\b{m}\b", attributes) for m in missing):
            continue
        if code in CHECKS:
            yield f"{name}: {code} {message}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_public_api_is_documented(room):
    found = [fault for name in public_objects(room) for fault in faults(name)]
    assert not found, "\n".join(found)
