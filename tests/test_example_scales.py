import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from skdatamodels._example_scales import cell_differences, plain_values, scales_of

X = np.random.default_rng(0).normal(size=(9, 3)) * [1, 5, 0]


@pytest.mark.parametrize("given", [X, csr_array(X), pd.DataFrame(X)])
def test_standard_deviations(given):
    assert_allclose(scales_of(given), X.std(axis=0), atol=1e-12)


def test_what_is_no_number_has_no_scale():
    frame = pd.DataFrame({"a": ["x", "y"], "b": [1.0, np.nan]})
    assert_allclose(scales_of(frame), [np.nan, 0])
    assert_allclose(scales_of(np.array(["a", "b"])), [np.nan])


def _gaps(one, other, scale):
    one, other = pd.Series(one), pd.Series(other)
    return cell_differences(plain_values(one), plain_values(other), scale).tolist()


def test_differences_of_numbers_are_in_standard_deviations():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 5))
    assert_allclose(_gaps(one, other, 0.5), 2 * np.abs(one - other))
    outer = cell_differences(one[:, None], other, 0.5)
    assert_allclose(outer, 2 * np.abs(np.subtract.outer(one, other)))
    inf = np.inf
    assert _gaps([inf, inf, -inf, inf], [inf, 3, inf, np.nan], 1) == [0, inf, inf, 1]


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_without_a_scale_cells_differ_or_not(scale):
    assert _gaps([7, 7], [7.0, 90.0], scale) == [0, 1]
    assert _gaps([True, True], [True, False], scale) == [0, 1]
    assert _gaps(["a", "a", "1"], ["a", "b", 1], scale) == [0, 1, 0]
    dates = pd.to_datetime(["2020-01-01", "2020-01-01"])
    assert _gaps(dates, pd.to_datetime(["2020-01-01", "2020-01-02"]), scale) == [0, 1]


@pytest.mark.parametrize(
    ("missing", "known", "scale"),
    [
        (np.nan, 5.0, 2.0),
        (np.nan, 5.0, 0.0),
        (None, "text", np.nan),
        (pd.NaT, pd.Timestamp(0), np.nan),
    ],
)
def test_missing_cells_differ_from_known_ones_only(missing, known, scale):
    one, other = [missing, missing, known], [missing, known, missing]
    assert _gaps(one, other, scale) == [0, 1, 1]


def test_gaps_of_all_kinds_are_equal():
    one, other = np.array([[None, np.nan], [np.nan, pd.NA]], dtype=object)
    assert cell_differences(one, other, np.nan).tolist() == [0, 0]
