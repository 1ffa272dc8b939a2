"""Checks: what is good passes unchanged, what is bad is named."""

import numpy as np
import pytest

from skdatamodels.regression import _checks


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_outputs_stay_where_they_are(tmp_path, dtype):
    np.save(tmp_path / "y.npy", np.array([[1, np.nan], [2, 3]], dtype))
    y = np.load(tmp_path / "y.npy", mmap_mode="r")
    assert _checks.check_outputs(y) is y
    assert _checks.check_outputs([1, 2]).dtype == np.float64


def test_infinite_outputs_are_told_with_their_runs(monkeypatch):
    y = np.zeros((10, 2), np.float32)
    y[7, 1] = -np.inf
    blocks = [slice(0, 4), slice(4, 8), slice(8, 10)]
    monkeypatch.setattr(_checks, "row_blocks", lambda *_: blocks)
    with pytest.raises(ValueError, match="y contains infinity, in runs 4 to 7"):
        _checks.check_outputs(y)


def test_lam_is_one_for_each_target():
    assert _checks.check_lam(0.5, 3).tolist() == [0.5] * 3
    assert _checks.check_lam([0, 1, 2], 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("lam", "message"),
    [
        ([1, 2], r"one for each of the 3 targets, got shape \(2,\)"),
        (-1, "not negative, got -1.0"),
        ([1, np.nan, 1], "must be finite"),
        ([1, np.inf, 1], "must be finite"),
    ],
)
def test_bad_lam(lam, message):
    with pytest.raises(ValueError, match=message):
        _checks.check_lam(lam, 3)


def test_no_prior_treats_all_alike():
    weights, factors = _checks.check_prior(None, None, 2, 3)
    assert weights is None
    assert factors.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("weights", "factors", "message"),
    [
        (np.ones((3, 2)), None, r"\(n_targets, n_train\) = \(2, 3\), got \(3, 2\)"),
        (np.full((2, 3), np.nan), None, "prior contains NaN"),
        (None, np.ones(2), r"of shape \(3,\) or \(2, 3\), got shape \(2,\)"),
        (None, [1, 0, 1], "must be positive"),
        (None, [1, np.nan, 1], "must be positive"),
    ],
)
def test_bad_prior(weights, factors, message):
    with pytest.raises(ValueError, match=message):
        _checks.check_prior(weights, factors, 2, 3)


def test_exclude_is_an_example_for_each_target():
    assert _checks.check_exclude(None, 2, 3) is None
    assert _checks.check_exclude([2, -1], 2, 3).tolist() == [2, -1]


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ([0], r"2 integers, one for each target, got int64 of shape \(1,\)"),
        ([0.0, 1.0], "2 integers, one for each target, got float64"),
        ([0, 3], "examples 0 to 2, or -1 for none, got 0 to 3"),
        ([-2, 0], "got -2 to 0"),
    ],
)
def test_bad_exclude(exclude, message):
    with pytest.raises(ValueError, match=message):
        _checks.check_exclude(exclude, 2, 3)
