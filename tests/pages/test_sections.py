import base64

import numpy as np
import pandas as pd
import pytest

from skdatamodels import Examples
from skdatamodels.applications import harmful_examples
from skdatamodels.pages._sections import section_data, trust_data

TRAIN = Examples(np.eye(3), [0, 1, 0], ids=["a", "b", "c"])
TARGETS = Examples(np.eye(2), [0, 1], ids=["d", "e"])


def _numbers(data):
    array = data["numbers"]
    return np.frombuffer(base64.b64decode(array["base64"]), array["type"]).tolist()


@pytest.mark.parametrize("package", [None, "pandas", "polars"])
def test_tables_of_any_kind(package):
    frame = dict if package is None else pytest.importorskip(package).DataFrame
    table = frame({"example": np.array([2, -1]), "why": np.array(["x", "y"])})
    data = section_data("name", table, TRAIN, TARGETS)
    assert [column["link"] for column in data["columns"]] == ["train", None]
    assert data["total"] == 2


def test_results_are_tables():
    harmful = harmful_examples([[1.0, -2.0]], 1, higher_is_better=True, balance=False)
    data = section_data("name", harmful, TRAIN, TARGETS)
    assert [c["name"] for c in data["columns"]] == ["example", "mean_weight"]


def test_columns_of_targets_and_of_text_that_is_called_target():
    data = section_data("name", {"target": np.array([0, 1])}, TRAIN, TARGETS)
    assert data["columns"][0]["link"] == "targets"
    data = section_data("name", {"target": np.array(["yes", "no"])}, TRAIN, TARGETS)
    assert data["columns"][0]["link"] is None
    with pytest.raises(ValueError, match="integers from 0 to 1, or -1 for none"):
        section_data("name", {"target": np.array([0, 2])}, TRAIN, TARGETS)


def test_ids_are_links():
    table = pd.DataFrame({"twin": ["a", None], "x": [1, 2]}, index=["c", "b"])
    links = {"index": "train", "twin": "train"}
    row, twin, x = section_data("name", (table, links), TRAIN, TARGETS)["columns"]
    assert [column["name"] for column in (row, twin, x)] == ["row", "twin", "x"]
    assert [column["link"] for column in (row, twin, x)] == ["train", "train", None]
    assert (_numbers(row), _numbers(twin)) == ([2, 1], [0, -1])
    for links, message in (
        ({"index": "targets"}, r"must be ids of targets; these are not: \['c', 'b'\]"),
        ({"y": "train"}, "no link from 'y' to 'train': links lead from one of"),
        ({"x": "test"}, "no link from 'x' to 'test'"),
    ):
        with pytest.raises(ValueError, match=message):
            section_data("name", (table, links), TRAIN, TARGETS)


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_dates_are_ids(zone, unit):
    days = pd.date_range("2020-01-06", periods=3, tz=zone)
    train = Examples(pd.DataFrame({"x": [1.0, 2, 3]}, index=days), [0, 1, 0])
    other = days.as_unit(unit)
    table = pd.DataFrame({"twin": [other[0], pd.NaT]}, index=other[[2, 1]])
    links = {"index": "train", "twin": "train"}
    row, twin = section_data("name", (table, links), train, TARGETS)["columns"]
    assert (_numbers(row), _numbers(twin)) == ([2, 1], [0, -1])
    (shown,) = section_data("name", table, train, TARGETS)["columns"]
    assert any("2020-01-06" in text for text in shown["names"])
    table.index += pd.Timedelta("9D")
    with pytest.raises(ValueError, match=r"these are not: .*2020"):
        section_data("name", (table, links), train, TARGETS)


def test_a_column_may_be_named_index():
    table = pd.DataFrame({"index": [7, 8]}, index=["c", "b"])
    (own,) = section_data("name", table, TRAIN, TARGETS)["columns"]
    assert (own["name"], _numbers(own), own["link"]) == ("index", [7, 8], None)
    pair = table, {"index": "train"}
    row, own = section_data("name", pair, TRAIN, TARGETS)["columns"]
    assert (row["name"], _numbers(row), row["link"]) == ("row", [2, 1], "train")
    assert (own["name"], _numbers(own), own["link"]) == ("index", [7, 8], None)
    pair = {"index": np.array(["c", "b"])}, {"index": "train"}
    (own,) = section_data("name", pair, TRAIN, TARGETS)["columns"]
    assert (own["name"], _numbers(own), own["link"]) == ("index", [2, 1], "train")


def test_long_tables_are_cut():
    data = section_data("name", {"a": np.arange(5000)}, TRAIN, TARGETS)
    assert data["total"] == 5000


def test_facts():
    data = trust_data(
        {"LDS": (0.621, 0.5, 0.75), "runs": 1200, "by": "ridge", "message": "Good."}
    )
    assert data["facts"] == [
        ["LDS", "0.621 (0.500 to 0.750)"],
        ["runs", "1,200"],
        ["by", "ridge"],
    ]
    assert data["message"] == "Good."
    assert trust_data(None) == {"facts": [], "message": None}
