import numpy as np
import pandas as pd
import pytest

from skdatamodels.applications._group_columns import group_columns


def largest_gap(one, other):
    """The largest difference of two distribution functions, at all values."""
    values = np.r_[one, other]
    return max(abs((one <= v).mean() - (other <= v).mean()) for v in values)


def test_difference_is_the_smaller_one_of_both_comparisons():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    group, same = np.arange(8), np.arange(8, 25)
    X[group, 0] += 9  # unlike all others
    X[group[0] : 25, 1] += 9  # so is the class
    X[np.r_[group, 25:60], 2] += 9  # unlike the class only
    found = group_columns(X, group, same)
    assert found.column[0] == "x0"
    assert found.difference[0] == 1
    assert found.set_index("column").difference[["x1", "x2"]].max() < 0.6
    others = np.arange(8, 60)
    for name, difference in zip(found.column, found.difference, strict=True):
        x = X[:, int(name[1:])]
        expected = min(largest_gap(x[group], x[rows]) for rows in (same, others))
        assert difference == pytest.approx(expected)
    assert found.in_group[0] == f"{np.median(X[group, 0]):.4g}"


def test_texts_missing_values_and_a_group_that_is_its_class():
    frame = pd.DataFrame(
        {
            "site": ["a"] * 4 + ["b"] * 5 + ["a"],
            "missing": [np.nan] * 4 + [1.0] * 6,
            "on": [True] * 4 + [False] * 6,
        }
    )
    found = group_columns(frame, np.arange(4), np.arange(0)).set_index("column")
    assert found.difference["site"] == pytest.approx(5 / 6)
    assert found.in_group["site"] == "a in 100%"
    assert found.among_others["site"] == "a in 17%"
    assert found.difference["on"] == 1
    assert found.in_group["on"] == "True in 100%"
    assert np.isnan(found.difference["missing"])
    assert found.index[-1] == "missing"
