"""Checks: what is good passes unchanged, what is bad is named."""

import numpy as np
import pytest

from skdatamodels.regression import _checks
from skdatamodels.runs import _training_runs


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_outputs_stay_where_they_are(tmp_path, dtype):
    np.save(tmp_path / "y.npy", np.array([[1, np.nan], [2, 3]], dtype))
    y = np.load(tmp_path / "y.npy", mmap_mode="r")
    assert _checks.check_outputs(y) is y
    assert _checks.check_outputs([1, 2]).dtype == np.float64


@pytest.mark.parametrize("one", [False, True])
def test_an_infinite_output_is_told_with_its_run_and_target(monkeypatch, one):
    y = np.zeros((10, 2), np.float32)
    y[7, 1] = -np.inf
    blocks = [slice(0, 4), slice(4, 8), slice(8, 10)]
    monkeypatch.setattr(_training_runs, "row_blocks", lambda *_: blocks)
    target = 0 if one else 1
    message = f"Input y contains infinity: -inf at run 7, target {target}"
    with pytest.raises(ValueError, match=message):
        _checks.check_outputs(y[:, 1] if one else y)


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
    assert _checks.check_prior(None, None, 2, 3) == {}
    assert _checks.check_factors(None, 2, 3).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (np.ones((3, 2)), r"\(n_targets, n_train\) = \(2, 3\), got \(3, 2\)"),
        (np.full((2, 3), np.nan), "prior contains NaN"),
        ([np.ones((2, 3)), np.ones((3, 2))], "prior 1 must have shape"),
        ([], "prior contains no matrix"),
        ("cheap", "needs TrainingRuns that know attributions"),
    ],
)
def test_bad_prior(prior, message):
    with pytest.raises(ValueError, match=message):
        _checks.check_prior(prior, None, 2, 3)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (np.ones(2), r"of shape \(3,\) or \(2, 3\), got shape \(2,\)"),
        ([1, 0, 1], "must be positive"),
        ([1, np.nan, 1], "must be positive"),
    ],
)
def test_bad_penalty_factors(factors, message):
    with pytest.raises(ValueError, match=message):
        _checks.check_factors(factors, 2, 3)


def test_rows_of_numbers_are_one_matrix_and_matrices_are_several():
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    one = _checks.check_prior(rows, None, 2, 3)
    np.testing.assert_array_equal(one["prior"], rows)
    assert list(_checks.check_prior([rows, np.eye(2, 3)], None, 2, 3)) == [0, 1]
    named = _checks.check_prior("cheap", {"a": rows}, 2, 3)
    assert list(named) == ["a"]
