"""Importing the package is light, and each public name is where it is promised."""

import importlib
import pkgutil
import subprocess
import sys
from importlib.metadata import version

import pytest

import skdatamodels

PUBLIC_MODULES = ["skdatamodels"] + [
    f"skdatamodels.{module.name}"
    for module in pkgutil.iter_modules(skdatamodels.__path__)
    if not module.name.startswith("_")
]
# Compiling, plotting, tables and networks: seconds at import, or an extra that a user
# need not have.
HEAVY = {"matplotlib", "numba", "pandas", "torch"}


def heavy_modules_loaded_by(*modules):
    """Heavy modules that a fresh interpreter holds after importing some modules."""
    code = f"import sys, {', '.join(modules)}\nprint(*{HEAVY} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())


def test_import_loads_nothing_heavy():
    # scikit-learn is the control: what it loads by itself is not ours to avoid.
    allowed = heavy_modules_loaded_by("sklearn.linear_model", "sklearn.model_selection")
    assert heavy_modules_loaded_by(*PUBLIC_MODULES) <= allowed


def test_a_heavy_import_would_be_seen():
    assert heavy_modules_loaded_by("numba") == {"numba"}


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_public_names_exist_and_are_documented(module):
    module = importlib.import_module(module)
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        assert not callable(value) or value.__doc__, f"{name} has no docstring"


def test_subpackages_and_names_are_found_without_importing_them():
    code = (
        "import skdatamodels as package\n"
        "assert package.judging.plan_runs and package.metrics.lds_scorer\n"
        "assert {'judging', 'plotting', 'DatamodelEmbedding'} <= set(dir(package))\n"
        "from skdatamodels import *\n"
        "assert callable(compare_attributions)\n"
        "try:\n    package.nonsense\n"
        "except AttributeError as error:\n    assert 'nonsense' in str(error)\n"
        "else:\n    raise AssertionError\n"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_every_subpackage_is_named():
    assert set(PUBLIC_MODULES[1:]) == {
        f"skdatamodels.{name}" for name in skdatamodels._SUBPACKAGES
    }


def test_the_version_is_that_of_the_distribution():
    assert skdatamodels.__version__ == version("skdatamodels")


def test_names_of_the_package_are_those_of_its_subpackages():
    for name in skdatamodels.__all__:
        value = getattr(skdatamodels, name)
        if not hasattr(value, "__module__"):  # a plain value such as __version__
            continue
        home = importlib.import_module(".".join(value.__module__.split(".")[:2]))
        assert name in home.__all__
        assert getattr(home, name) is value
