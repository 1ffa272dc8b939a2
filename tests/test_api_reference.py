"""Every public name is in the API reference, and the training set comes first."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import skdatamodels

REFERENCE = Path(__file__).resolve().parents[1] / "doc" / "api.rst"
ROOMS = [
    module.name
    for module in pkgutil.iter_modules(skdatamodels.__path__)
    if not module.name.startswith("_")
]
ROOMS.append("influence.adapters")


def names_of(room):
    return importlib.import_module(f"skdatamodels.{room}").__all__


@pytest.mark.parametrize("room", ROOMS)
def test_reference_lists_the_public_names(room):
    listed = re.findall(rf"^   {room}\.(\w+)$", REFERENCE.read_text("utf-8"), re.M)
    assert sorted(listed) == sorted(names_of(room))


def test_reference_lists_the_names_that_no_room_has():
    listed = re.findall(r"^   (\w+)$", REFERENCE.read_text("utf-8"), re.M)
    public = {name for name in skdatamodels.__all__ if not name.startswith("_")}
    assert sorted(listed) == sorted(
        public - {n for room in ROOMS for n in names_of(room)}
    )


def test_reference_says_which_names_are_main():
    start = REFERENCE.read_text("utf-8").partition("are private.")[0]
    main = {name for name in skdatamodels.__all__ if not name.startswith("_")}
    assert set(re.findall(r"``(\w+)``", start)) - {"skdatamodels"} == main


def test_modules_of_rooms_are_private():
    for room in ROOMS:
        package = importlib.import_module(f"skdatamodels.{room}")
        modules = {m.name for m in pkgutil.iter_modules(package.__path__)}
        public = {name for name in modules if not name.startswith("_")}
        assert public <= {r.removeprefix(f"{room}.") for r in ROOMS}, room


# Parameters of the training set and the like of the targets.
PAIRS = [
    ("train", "targets"),
    ("n_train", "n_targets"),
    ("train_representation", "target_representation"),
]


def public_callables():
    """Yield the name and the signature of each public function and method."""
    for room in ROOMS:
        for name in names_of(room):
            given = getattr(importlib.import_module(f"skdatamodels.{room}"), name)
            yield f"{room}.{name}", given
            if inspect.isclass(given):
                for method in dir(given):
                    if not method.startswith("_"):
                        yield f"{room}.{name}.{method}", getattr(given, method)


def test_training_set_comes_before_targets():
    n_found = 0
    for name, given in public_callables():
        # requests of scikit-learn's metadata routing are in alphabetical order
        if not callable(given) or name.endswith("_request"):
            continue
        try:
            parameters = list(inspect.signature(given).parameters)
        except ValueError:  # of C
            continue
        for train, targets in PAIRS:
            if train in parameters and targets in parameters:
                n_found += 1
                assert parameters.index(train) < parameters.index(targets), name
            assert f"{targets}, {train} :" not in (given.__doc__ or ""), name
    assert n_found > 30


def test_several_results_have_names():
    """As CONTRIBUTING says; data sets and paths return tuples, as scikit-learn's do."""
    for name, given in public_callables():
        if re.search(r"\.(load|make)_|_path$", name):
            continue
        doc = inspect.getdoc(given) or ""
        returns = re.search(r"^Returns\n-+\n(.*?)(\n\n[A-Z]|\Z)", doc, re.S | re.M)
        if returns:
            lines = returns[1].splitlines()
            heads = [line for line in lines if re.match(r"\w[^.]* : ", line)]
            assert len(heads) < 2, name


def classes_of_the_package():
    """Return the names of all classes in the source of the package."""
    source = Path(skdatamodels.__file__).parent.rglob("*.py")
    texts = (path.read_text("utf-8") for path in source)
    return {name for text in texts for name in re.findall(r"^class (\w+)", text, re.M)}


def test_what_results_are_made_of_is_public():
    """Classes that are returned, or that attributes have, are in the reference."""
    public = {name for room in ROOMS for name in names_of(room)} | {
        *skdatamodels.__all__
    }
    private, n_found = classes_of_the_package() - public, 0
    for name, given in public_callables():
        doc = inspect.getdoc(given) or ""
        sections = re.findall(
            r"^(?:Returns|Attributes)\n-+\n(.*?)(?=\n\n[A-Z]|\Z)", doc, re.S | re.M
        )
        types = re.findall(r"^\w+ : (.*)$", "\n".join(sections), re.M)
        n_found += len(types)
        named = set(re.findall(r"\b[A-Z]\w+", " ".join(types)))
        assert not named & private, name
    assert n_found > 100
