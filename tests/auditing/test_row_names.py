"""Names of rows are found, and what is none gets a clear error."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.auditing._row_names import position_of, positions_of

pd = pytest.importorskip("pandas")

TEXTS, NUMBERS = pd.Index(["a", "b", "c"]), pd.Index([7, 3, 5])


def test_names_are_found():
    frame = pd.DataFrame({"effect": [1.0, 2.0]}, index=["c", "a"])
    for names in (["c", "a"], ("c", "a"), np.array(["c", "a"]), frame.index, frame):
        assert_array_equal(positions_of(names, TEXTS), [2, 0])
    assert_array_equal(positions_of(pd.Series([3, 5]), NUMBERS), [1, 2])
    assert len(positions_of([], TEXTS)) == 0
    assert position_of("b", TEXTS) == 1
    assert position_of(5, NUMBERS) == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("b", r"got 'b'. For a single row, pass \['b'\]"),
        (3, r"got 3. For a single row, pass \[3\]"),
        (slice(0, 2), "frame with them as index, got slice"),
        (None, "frame with them as index, got None"),
        ([True, False, True], "not a mask"),
        (np.array([True, False, True]), "not a mask"),
        ([["a"]], "one is a list"),
    ],
)
def test_no_names_of_training_rows(rows, message):
    for index in (TEXTS, NUMBERS):
        with pytest.raises(TypeError, match=message):
            positions_of(rows, index)


def test_unknown_rows():
    with pytest.raises(KeyError, match="no training row 'd'"):
        positions_of(["a", "d"], TEXTS)
    with pytest.raises(KeyError, match=r"no judged row 4; the first are 7, 3, 5"):
        position_of(4, NUMBERS)


def test_no_name_of_a_judged_row():
    days = pd.date_range("2020-01-01", periods=3)
    for row in (slice(0, 2), ["a"], pd.DataFrame({"x": [1]}), {}):
        with pytest.raises(TypeError, match="row must be the name of one judged row"):
            position_of(row, TEXTS)
    assert position_of(days[1], days) == 1
    with pytest.raises(TypeError, match=r"got '2020'. For several, call explain"):
        position_of("2020", days)
