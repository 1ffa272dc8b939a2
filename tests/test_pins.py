"""A tool pinned in two files is pinned to one version."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pins_in(text):
    """Map each tool to the set of versions that ``tool==version`` pins it to."""
    pins = {}
    for tool, version in re.findall(r"([\w-]+)==([\w.]+)", text):
        pins.setdefault(tool, set()).add(version)
    return pins


@pytest.mark.parametrize("tool", ["ruff", "import-linter"])
def test_pre_commit_uses_the_version_of_pyproject(tool):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lint_extra = project["project"]["optional-dependencies"]["lint"]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()

    expected = pins_in("\n".join(lint_extra))[tool]

    assert len(expected) == 1
    assert pins_in(hooks)[tool] == expected
    assert pins_in((ROOT / "constraints.txt").read_text())[tool] == expected


def test_constraints_name_what_development_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    used = [project["dependencies"]]
    used += [extras[name] for name in ("test", "lint", "doc", "plot", "torch", "bench")]
    names = {re.match(r"[\w-]+", line).group() for lines in used for line in lines}
    pinned = {
        name.replace("_", "-").lower()
        for name in pins_in((ROOT / "constraints.txt").read_text())
    }
    assert names - {"skdatamodels"} <= pinned


def test_constraints_name_the_packages_of_the_adapters():
    makefile = (ROOT / "Makefile").read_text()
    (peers,) = re.findall(r"^PEERS := (.*)$", makefile, flags=re.MULTILINE)
    names = set(re.findall(r"([\w-]+)==", peers))
    assert {"captum", "catboost", "lightgbm", "traker"} <= names
    (xgboost, _) = re.findall(r"^XGBOOST := (.*)$", makefile, flags=re.MULTILINE)
    assert names | {xgboost} <= set(pins_in((ROOT / "constraints.txt").read_text()))
