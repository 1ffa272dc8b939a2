"""Groups of targets by their usable runs, against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdatamodels import PackedMasks
from skdatamodels.regression._target_groups import check_enough, group_targets
from skdatamodels.runs._usable_runs import usable_runs


@given(st.integers(1, 40), st.integers(1, 20), st.booleans(), st.integers(0, 99))
def test_groups(m, n, packed, seed):
    rng = np.random.default_rng(seed)
    X, Y = rng.random((m, 13)) < 0.5, rng.standard_normal((m, n))
    Y[rng.random((m, n)) < 0.1 * rng.integers(0, 2, n)] = np.nan
    form = PackedMasks.from_dense(X) if packed else X.astype(float)
    usable = usable_runs(form, Y, rng.integers(-1, 13, n))
    some = np.flatnonzero(rng.random(n) < 0.8)
    order = rng.permutation(m)
    groups = group_targets(usable, some, order, None) if len(some) else []
    together = np.concatenate([g.targets for g in groups]) if groups else some
    np.testing.assert_array_equal(np.sort(together), some)
    for group in groups:
        for j in group.targets:
            np.testing.assert_array_equal(group.rows, order[usable[order, j]])
    assert len({group.rows.tobytes() for group in groups}) == len(groups)


def test_without_exclusions_or_gaps_all_targets_are_one_group():
    groups = group_targets(None, np.arange(3), np.arange(5)[::-1], None)
    assert len(groups) == 1
    np.testing.assert_array_equal(groups[0].targets, [0, 1, 2])
    np.testing.assert_array_equal(groups[0].rows, [4, 3, 2, 1, 0])
    assert groups[0].folds == []


def test_too_few_runs():
    n_usable = np.array([5, 1, 5])
    with pytest.warns(UserWarning, match=r"1 of 3 targets .* 2 usable .* \[1\]"):
        enough = check_enough(n_usable, 5, 2)
    np.testing.assert_array_equal(enough, [True, False, True])
    with pytest.raises(ValueError, match="n_samples = 5 usable runs of 5"):
        check_enough(n_usable, 5, 6)


def test_runs_that_cannot_be_split():
    n_usable = np.array([5, 1, 5])
    with pytest.warns(UserWarning, match=r"2 of 3 .* or none to hold out,.* \[0, 1\]"):
        enough = check_enough(n_usable, 5, 2, np.array([False, True, True]))
    np.testing.assert_array_equal(enough, [False, False, True])
    with pytest.raises(ValueError, match="No target has enough runs to hold some out"):
        check_enough(n_usable, 5, 2, False)
