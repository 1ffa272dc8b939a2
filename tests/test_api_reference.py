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


@pytest.mark.parametrize("room", ROOMS)
def test_reference_lists_the_public_names(room):
    listed = re.findall(rf"^   {room}\.(\w+)$", REFERENCE.read_text("utf-8"), re.M)
    public = importlib.import_module(f"skdatamodels.{room}").__all__
    assert sorted(listed) == sorted(public)
