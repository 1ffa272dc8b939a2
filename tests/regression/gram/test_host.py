"""Counts of all runs, from which those of groups of targets are made."""

import numpy as np
import pytest

from skdatamodels import DatamodelRegressor
from skdatamodels.datasets import make_linear_runs
from skdatamodels.masks import PackedMasks
from skdatamodels.regression._gram import host, solver

RUNS, _ = make_linear_runs(200, 30, 4)


def _with_gaps(share):
    gaps = np.random.default_rng(0).random(RUNS.outputs.shape) < share
    return np.where(gaps, np.nan, RUNS.outputs)


@pytest.mark.parametrize("n_rows", [20, 100, 110, 200])
def test_counts_of_some_runs(n_rows):
    X, rows = RUNS.packed, np.random.default_rng(0).permutation(200)[:n_rows]
    whole = host.pair_sums(X, np.arange(200), None, 0.0)
    data = X, RUNS.outputs, None, rows, np.arange(4)
    found = host.HostRuns(*data, whole=whole).pair_sums(rows)
    masks = RUNS.masks[rows].astype(int)
    np.testing.assert_array_equal(found[:30, :30], masks.T @ masks)
    assert not found[30:].any()
    assert not found[:, 30:].any()


@pytest.mark.parametrize("lam", ["validation", "cv", 0.05])
def test_few_gaps_cost_one_count_of_all_runs(monkeypatch, lam):
    counted, gram = [], PackedMasks.gram

    def counting(masks, *args, **kwargs):
        counted.append(len(masks))
        return gram(masks, *args, **kwargs)

    y = _with_gaps(0.05)
    monkeypatch.setattr(PackedMasks, "gram", counting)
    model = DatamodelRegressor(lam, random_state=0).fit(RUNS.packed, y)
    assert [n for n in counted if n > 60] == [200]
    monkeypatch.setattr(solver, "counts_of_all", lambda *_: None)
    expected = DatamodelRegressor(lam, random_state=0).fit(RUNS.packed, y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize("why", ["half", "weights", "memory", "columns", "one group"])
def test_all_runs_are_not_counted_in_vain(monkeypatch, why):
    X, y = RUNS.packed, _with_gaps({"half": 0.6, "one group": 0}.get(why, 0.05))
    weight = np.r_[2, np.ones(199)] if why == "weights" else None
    if why == "memory":
        monkeypatch.setattr(host, "available_memory", lambda: 2 * 4 * 30**2 - 1)
    if why == "columns":
        X = RUNS.masks + 0.5
    results, counts_of_all = [], host.counts_of_all
    monkeypatch.setattr(
        solver, "counts_of_all", lambda *a: results.append(counts_of_all(*a))
    )
    DatamodelRegressor(0.1).fit(X, y, sample_weight=weight)
    assert results == [None]
