"""What the package imports is what it declares."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "cuda": "cuda-core", "distributed": "dask"}
# A cluster's own software, which is imported once the user has chosen that cluster.
OF_THE_USER = {"ray"}


def names(requirements):
    """Names of the distributions in a list of requirements."""
    return {re.match(r"[\w-]+", requirement).group() for requirement in requirements}


CORE = names(PROJECT["dependencies"])
EXTRAS = set().union(*map(names, PROJECT["optional-dependencies"].values()))


def imported_by(node):
    """Distributions that a file, or a part of one, imports."""
    for part in ast.walk(node):
        modules = []
        if isinstance(part, ast.Import):
            modules = [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom) and not part.level:
            modules = [part.module]
        for module in modules:
            top = module.split(".")[0]
            if top not in sys.stdlib_module_names and top != "skdatamodels":
                yield DISTRIBUTIONS.get(top, top)


def trees():
    for path in (ROOT / "skdatamodels").rglob("*.py"):
        yield ast.parse(path.read_text("utf-8"))


def test_all_that_is_imported_is_declared():
    imported = {name for tree in trees() for name in imported_by(tree)}
    assert imported - CORE - EXTRAS <= OF_THE_USER
    assert imported >= CORE


def test_what_is_imported_at_once_comes_with_the_package():
    """torch alone is imported by modules, which are themselves imported when used."""
    at_once = {
        name
        for tree in trees()
        for statement in tree.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in imported_by(statement)
    }
    assert at_once <= CORE | {"torch"}
