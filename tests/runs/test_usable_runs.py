"""Usable runs of each target, against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdatamodels import PackedMasks
from skdatamodels.runs._usable_runs import check_exclude, usable_runs


@given(st.integers(1, 40), st.integers(1, 20), st.booleans(), st.integers(0, 99))
def test_usable_runs(m, n, packed, seed):
    rng = np.random.default_rng(seed)
    X, Y = rng.random((m, 13)) < 0.5, rng.standard_normal((m, n))
    Y[rng.random((m, n)) < 0.1 * rng.integers(0, 2, n)] = np.nan
    exclude = rng.integers(-1, 13, n)
    expected = np.array(
        [
            [np.isfinite(y) and not (e >= 0 and x[e]) for y, e in zip(row, exclude)]  # noqa: B905
            for x, row in zip(X, Y, strict=True)
        ]
    )
    form = PackedMasks.from_dense(X) if packed else X.astype(float)
    np.testing.assert_array_equal(usable_runs(form, Y, exclude), expected)


def test_without_exclusions_or_gaps_all_runs_are_usable():
    assert usable_runs(np.ones((5, 2)), np.ones((5, 3)), None) is None


def test_exclude_is_an_example_for_each_target():
    assert check_exclude(None, 2, 3) is None
    assert check_exclude([2, -1], 2, 3).tolist() == [2, -1]


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ([0], r"2 integers, one a target, got int64 of shape \(1,\)"),
        ([0.0, 1.0], "2 integers, one a target, got float64"),
        ([0, 3], "examples 0 to 2, or -1 for none, got 0 to 3"),
        ([-2, 0], "got -2 to 0"),
    ],
)
def test_bad_exclude(exclude, message):
    with pytest.raises(ValueError, match=message):
        check_exclude(exclude, 2, 3)
