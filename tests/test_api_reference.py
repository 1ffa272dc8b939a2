"""Every public name has its place in the API reference, and nothing else has."""

import importlib
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


def test_modules_of_rooms_are_private():
    for room in ROOMS:
        package = importlib.import_module(f"skdatamodels.{room}")
        modules = {m.name for m in pkgutil.iter_modules(package.__path__)}
        public = {name for name in modules if not name.startswith("_")}
        assert public <= {r.removeprefix(f"{room}.") for r in ROOMS}, room
