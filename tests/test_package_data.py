"""Files beside the code are declared, so that wheels have them."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_all_files_of_the_package_are_declared():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    declared = set()
    for package, patterns in settings["tool"]["setuptools"]["package-data"].items():
        folder = ROOT.joinpath(*package.split("."))
        for pattern in patterns:
            found = set(folder.glob(pattern))
            assert found, f"{package} has no {pattern}"
            declared |= found
    files = {
        path
        for path in (ROOT / "skdatamodels").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in files if path.suffix != ".py"} == declared
