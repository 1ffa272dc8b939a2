import numpy as np
import pandas as pd
import polars as pl
import pytest

from skdatamodels.applications import harmful_examples
from skdatamodels.pages._sections import section_data, trust_data


@pytest.mark.parametrize("frame", [dict, pd.DataFrame, pl.DataFrame])
def test_tables_of_any_kind(frame):
    table = frame({"example": np.array([2, -1]), "why": np.array(["x", "y"])})
    data = section_data("name", table, 3, 1)
    assert [column["link"] for column in data["columns"]] == ["train", None]
    assert data["total"] == 2


def test_results_are_tables():
    harmful = harmful_examples([[1.0, -2.0]], 1, higher_is_better=True, balance=False)
    data = section_data("name", harmful, 2, 1)
    assert [c["name"] for c in data["columns"]] == ["example", "mean_weight"]


def test_columns_of_targets_and_of_text_that_is_called_target():
    data = section_data("name", {"target": np.array([0, 1])}, 1, 2)
    assert data["columns"][0]["link"] == "targets"
    data = section_data("name", {"target": np.array(["yes", "no"])}, 1, 2)
    assert data["columns"][0]["link"] is None
    with pytest.raises(ValueError, match="integers from 0 to 1, or -1 for none"):
        section_data("name", {"target": np.array([0, 2])}, 1, 2)


def test_long_tables_are_cut():
    data = section_data("name", {"a": np.arange(5000)}, 1, 1)
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
