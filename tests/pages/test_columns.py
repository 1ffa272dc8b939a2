import base64

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdatamodels.pages._columns import as_numbers, as_texts, column, cut


def _values(data):
    """Return the values of a column as the page reads them."""
    array = data.get("numbers") or data["codes"]
    numbers = np.frombuffer(base64.b64decode(array["base64"]), array["type"])
    return numbers if "numbers" in data else np.array(data["names"])[numbers]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 255], "uint8"),
        ([0.0, 256.0], "uint16"),
        ([-1, 70000], "int32"),
        ([2**40, 0], "float64"),
        ([0.5, np.nan], "float32"),
        ([1e300, 1], "float64"),
        ([np.nan, 3], "float32"),
        ([], "float32"),
    ],
)
def test_numbers_are_short(values, kind):
    data = column("a", np.array(values), most_characters=9)
    assert data["numbers"]["type"] == kind
    assert_allclose(_values(data), values, rtol=1e-6)


def test_texts_are_codes():
    data = column("a", np.array(["b", "a", "b"]), most_characters=9)
    assert data["names"] == ["a", "b"]
    assert_array_equal(_values(data), ["b", "a", "b"])


def test_few_whole_numbers_may_be_classes():
    y = np.array([10, 9, 10, 2])
    assert column("y", y, most_characters=9, classes=True)["names"] == ["2", "9", "10"]
    assert "numbers" in column("y", np.arange(51), most_characters=9, classes=True)
    assert "numbers" in column("y", y + 0.5, most_characters=9, classes=True)


def test_numbers_among_objects():
    assert_array_equal(as_numbers(np.array([1, None, 2.5], object)), [1, np.nan, 2.5])
    assert as_numbers(np.array([1, "a"], object)) is None
    assert as_numbers(np.array([True, False], object)) is None
    assert as_numbers(np.array([None, None], object)) is None
    assert as_numbers(np.array([1, 10**400], object)) is None
    assert as_numbers(np.array([0.5, 2**53 + 1], object)) is None
    assert as_numbers(np.array([1, 2**53 + 1])) is None
    assert as_numbers(np.array([-(2**63)])) is None
    assert as_numbers(np.array([2**53])).tolist() == [2**53]
    nullable = pd.Series([1, None], dtype="Int64").to_numpy()
    assert_array_equal(as_numbers(nullable), [1, np.nan])


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["2020-01-02", None], dtype="datetime64[ns]").to_numpy(),
        np.array(["2020-01-02", None], dtype=object),
    ],
)
def test_texts_of_dates_and_of_what_is_missing(values):
    texts = as_texts(values)
    assert texts[0].startswith("2020-01-02")
    assert texts[1] in ("", "NaT")


def test_values_of_polars():
    pl = pytest.importorskip("polars")
    assert as_texts(pl.Series(["a", None]).to_numpy()) == ["a", ""]
    assert as_texts(pl.Series([[1, 2], None]).to_numpy()) == ["[1 2]", ""]
    assert_array_equal(as_numbers(pl.Series([1, None]).to_numpy()), [1, np.nan])


def test_texts_of_anything():
    values = np.array([None, [1, 2], np.arange(2), {"a": 1}, pd.NA, True], dtype=object)
    assert as_texts(values) == ["", "[1, 2]", "[0 1]", "{'a': 1}", "", "True"]


def test_long_text_is_cut():
    assert cut("abcd", 4) == "abcd"
    assert cut("abcde", 4) == "abc…"
    assert column("abcde", np.array(["abcde"]), most_characters=4)["names"] == ["abc…"]
