"""Grouping of targets by usable runs, against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdatamodels import PackedMasks
from skdatamodels.regression.usable_runs import same_runs


@given(st.integers(1, 40), st.integers(1, 20), st.booleans(), st.integers(0, 99))
def test_each_target_is_in_one_group_with_the_runs_it_can_use(m, n, packed, seed):
    rng = np.random.default_rng(seed)
    X, Y = rng.random((m, 13)) < 0.5, rng.standard_normal((m, n))
    Y[rng.random((m, n)) < 0.1 * rng.integers(0, 2, n)] = np.nan
    exclude = rng.integers(-1, 13, n)
    order = rng.permutation(m)
    usable = ~np.isnan(Y) & ~np.where(exclude >= 0, X[:, exclude], False)
    usable[0] = True  # at least one run
    Y[0], X[0] = 0, False
    groups = same_runs(
        PackedMasks.from_dense(X) if packed else X.astype(float), Y, exclude, order, 1
    )
    together = np.concatenate([targets for _, targets in groups])
    np.testing.assert_array_equal(np.sort(together), np.arange(n))
    for rows, targets in groups:
        for j in targets:
            np.testing.assert_array_equal(rows, order[usable[order, j]])
    assert len({rows.tobytes() for rows, _ in groups}) == len(groups)


def test_without_exclusions_or_gaps_all_are_one_group():
    groups = same_runs(np.ones((5, 2)), np.ones((5, 3)), None, np.arange(5)[::-1], 2)
    assert len(groups) == 1
    np.testing.assert_array_equal(groups[0][0], [4, 3, 2, 1, 0])
    np.testing.assert_array_equal(groups[0][1], [0, 1, 2])


def test_too_few_runs():
    Y = np.ones((5, 3))
    Y[1:, 1] = np.nan
    with pytest.warns(UserWarning, match=r"1 of 3 targets .* 2 usable .* \[1\]"):
        groups = same_runs(np.ones((5, 2)), Y, None, np.arange(5), 2)
    np.testing.assert_array_equal(groups[0][1], [0, 2])
    with pytest.raises(ValueError, match="n_samples = 5 usable runs of 5"):
        same_runs(np.ones((5, 2)), Y, None, np.arange(5), 6)
