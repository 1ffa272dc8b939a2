"""residual_path against scikit-learn's Lasso, gaps by definition, and plain numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._popcount import pack_columns
from skdatamodels.regression import residual_path
from skdatamodels.regression._residual.kernels import (
    _order_statistic,
    columns_of,
    correlate,
    enlarge,
)


def problem(n_runs, d, n_targets=3, *, seed=0, lowest=0.02):
    """Masks, outputs of which a third are missing, and grids of lam."""
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, d)) < 0.5
    Y = 5 + X[:, :8] @ rng.standard_normal((min(d, 8), n_targets))
    Y += 0.3 * rng.standard_normal(Y.shape)
    Y[rng.random(Y.shape) < 0.3] = np.nan
    lams = []
    for y in Y.T:
        known = np.isfinite(y)
        centred = X[known] - X[known].mean(axis=0)
        lams.append(np.abs(centred.T @ (y[known] - y[known].mean())).max())
        lams[-1] /= known.sum()
    return X, Y, np.outer(lams, np.geomspace(1, lowest, 8))


def objective(X, y, w, b, lam, p=1.0):
    return 0.5 * np.mean((y - X @ w - b) ** 2) + lam * np.sum(p * np.abs(w))


def true_gap(X, y, w, lam):
    """Relative duality gap by the dual problem, as `test_dual_gap` derives it."""
    X, y = X - X.mean(axis=0), y - y.mean()
    m, residual = len(y), y - X @ w
    s = min(1.0, m * lam / np.abs(X.T @ residual).max())
    dual = (y @ y - (y - s * residual) @ (y - s * residual)) / (2 * m)
    primal = residual @ residual / (2 * m) + lam * np.abs(w).sum()
    return (primal - dual) / (y.var() / 2)


def assert_solves(X, Y, lams, found, tol, factors=None):
    coefs, intercepts, gaps, _ = found
    assert (gaps <= tol).all()
    for j, y in enumerate(Y.T):
        known = np.isfinite(y)
        x, y = X[known].astype(float), y[known].astype(float)
        p = np.ones(X.shape[1]) if factors is None else factors[j]
        free = p < np.inf
        x, p = x[:, free], p[free]
        for k in range(lams.shape[1]):
            w, lam = coefs[j, k, free].astype(float), lams[j, k]
            best = Lasso(lam, tol=1e-10, max_iter=100_000).fit(x / p, y)
            optimum = objective(x / p, y, best.coef_, best.intercept_, lam)
            excess = objective(x, y, w, intercepts[j, k], lam, p) - optimum
            assert excess <= (gaps[j, k] + 1e-6) * y.var() / 2
            if factors is None:
                assert true_gap(x, y, w, lam) == pytest.approx(gaps[j, k], abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_runs", "d"), [(20, 90), (60, 200), (90, 30), (30, 3)])
def test_equals_lasso_along_the_path(n_runs, d, dtype):
    X, Y, lams = problem(n_runs, max(d, 8))
    X, Y = X[:, :d], Y.astype(dtype)
    found = residual_path(X, Y, lams=lams, max_iter=20_000)
    assert found[0].dtype == found[1].dtype == dtype
    assert_solves(X, Y, lams, found, 1e-4)


def test_working_sets_grow_to_what_is_needed():
    X, Y, lams = problem(120, 900, 1)  # more violate their bound than are let in
    for grid in (lams, lams[:, 5:6]):  # of a path, and all at once
        found = residual_path(X, Y, lams=grid, tol=1e-6, max_iter=20_000)
        assert_solves(X, Y, grid, found, 1e-6)


def test_columns_that_are_constant_or_the_same_and_a_constant_target():
    X, Y, lams = problem(40, 60)
    X[:, 3], X[:, 4], X[:, 6] = False, True, X[:, 5]
    X[np.isfinite(Y[:, 2]), 9] = True  # constant where target 2 is known
    Y[:, 1] = np.where(np.isnan(Y[:, 1]), np.nan, 0.1)
    coefs, intercepts, gaps, n_iter = residual_path(X, Y, lams=lams)
    assert not coefs[:, :, 3:5].any()
    assert not coefs[2, :, 9].any()
    assert not coefs[1].any()
    np.testing.assert_allclose(intercepts[1], 0.1)
    assert not gaps[1].any()
    assert not n_iter[1].any()
    others = [0, 2]
    found = coefs[others], intercepts[others], gaps[others], n_iter[others]
    assert_solves(X, Y[:, others], lams[others], found, 1e-4)


@pytest.mark.parametrize("per_target", [False, True])
def test_penalty_factors_and_a_bad_start(per_target):
    X, Y, lams = problem(40, 60)
    rng = np.random.default_rng(3)
    factors = rng.uniform(0.5, 2, (3, 60) if per_target else (1, 60))
    factors[:, 8] = np.inf
    found = residual_path(
        X,
        Y,
        lams=lams / 2,
        penalty_factors=factors if per_target else factors[0],
        coef_init=rng.standard_normal((3, 60)),  # also where it must be 0
        max_iter=20_000,
    )
    assert not found[0][:, :, 8].any()
    assert_solves(X, Y, lams / 2, found, 1e-4, np.broadcast_to(factors, (3, 60)))


def test_a_solution_is_a_start_that_takes_no_pass():
    X, Y, lams = problem(40, 60)
    coefs, *_ = residual_path(X, Y, lams=lams[:, -1:])
    again = residual_path(X, Y, lams=lams[:, -1:], coef_init=coefs[:, 0])
    assert not again[3].any()
    np.testing.assert_allclose(again[0], coefs, rtol=1e-9)


def test_no_penalty_interpolates():
    X, Y, _ = problem(20, 90)
    coefs, intercepts, gaps, _ = residual_path(X, Y, lams=[0.0], tol=1e-8)
    assert gaps.max() <= 1e-8
    fitted = X @ coefs[:, 0].T + intercepts[:, 0]
    known = np.isfinite(Y)
    np.testing.assert_allclose(fitted[known], Y[known], atol=1e-3)


def test_threads_and_neighbours_do_not_matter(tmp_path, monkeypatch):
    monkeypatch.setattr("skdatamodels.regression._residual.residual_path._LITTLE", 0)
    X, Y, lams = problem(40, 60)
    together = residual_path(X, Y, lams=lams)
    np.save(tmp_path / "masks.npy", PackedMasks.from_dense(X).bits)
    packed = PackedMasks(np.load(tmp_path / "masks.npy", mmap_mode="r"), 60)
    threads = residual_path(packed, Y, lams=lams, n_jobs=2)
    alone = residual_path(X, Y[:, [1]], lams=lams[[1]])
    for whole, other, one in zip(together, threads, alone, strict=True):
        np.testing.assert_array_equal(other, whole)
        np.testing.assert_allclose(one[0], whole[1], rtol=1e-6)


def test_a_path_ends_where_its_gap_is_not_reached():
    X, Y, lams = problem(60, 200, lowest=1e-4)
    with pytest.warns(ConvergenceWarning, match=r"3 of 3 targets .* \[0, 1, 2\]"):
        coefs, _, gaps, n_iter = residual_path(X, Y, lams=lams, max_iter=7)
    assert n_iter.max() == 7
    for j in range(3):
        end = (gaps[j] > 1e-4).argmax()
        assert n_iter[j, end] == 7
        assert not n_iter[j, end + 1 :].any()
        assert (coefs[j, end:] == coefs[j, end]).all()
        for k in range(end, 8):
            known = np.isfinite(Y[:, j])
            gap = true_gap(X[known], Y[known, j], coefs[j, k], lams[j, k])
            assert gap == pytest.approx(gaps[j, k])


@given(st.integers(1, 300), st.integers(1, 30), st.integers(0, 99))
@settings(max_examples=30)
def test_correlations_by_bytes(n_runs, d, seed):
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, d)) < 0.5
    words = pack_columns(PackedMasks.from_dense(X).bits, d)
    residual = np.zeros(64 * words.shape[1])
    residual[:n_runs] = rng.standard_normal(n_runs)
    share, out = X.mean(axis=0), np.empty(d)
    correlate(words, residual, n_runs, share, out)
    expected = (X - share).T @ residual[:n_runs] / n_runs
    np.testing.assert_allclose(out, expected, atol=1e-12)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.data())
@settings(max_examples=100)
def test_order_statistic_with_ties(values, data):
    place = data.draw(st.integers(0, len(values) - 1))
    found = _order_statistic(np.array(values, float), place)
    assert found == sorted(values)[place]


@given(st.integers(2, 200), st.booleans(), st.integers(0, 99))
@settings(max_examples=30)
def test_gram_matrix_of_a_working_set_that_grows(n_runs, weighted, seed):
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, 40)) < 0.5
    weight = rng.integers(0, 2, n_runs).astype(float)  # 0: not usable
    weight[0] = 1.0
    weight *= rng.uniform(0.5, 3, n_runs) if weighted else 1
    words = pack_columns(PackedMasks.from_dense(X).bits, 40)
    root = np.zeros(64 * words.shape[1])
    root[:n_runs] = np.sqrt(weight)
    columns, constant = columns_of(words, root)
    usable = X[weight > 0]
    np.testing.assert_array_equal(constant, (usable == usable[0]).all(axis=0))
    centred = X - np.average(X, axis=0, weights=weight)
    members, gram = np.empty(0, np.int64), np.empty((0, 0))
    for size in (3, 5, 30):
        chosen = np.sort(rng.choice(40, size, replace=False))
        members, gram = enlarge(columns, chosen, members, gram)
        assert set(chosen) <= set(members)
        assert len(set(members)) == len(members)
        Z, n = centred[:, members], len(members)
        expected = (Z * weight[:, None]).T @ Z / weight.sum()
        np.testing.assert_allclose(gram[:n, :n], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.ones((5, 2))}, "y must be"),
        ({"y": np.full((6, 2), np.inf)}, "y contains infinity"),
        ({"y": np.c_[np.arange(6.0), np.full(6, np.nan)]}, "Target 1 has no usable"),
        ({"lams": [0.1, 0.2]}, "not increase"),
        ({"penalty_factors": np.zeros(4)}, "must be positive"),
        ({"coef_init": np.zeros((2, 3))}, "coef_init"),
        ({"tol": 0}, "tol must be"),
        ({"max_iter": 0}, "max_iter"),
    ],
)
def test_bad_input(changes, message):
    data = {"masks": np.eye(6, 4, dtype=bool), "y": np.arange(12.0).reshape(6, 2)}
    data = {**data, "lams": [0.2, 0.1]} | changes
    with pytest.raises(ValueError, match=message):
        residual_path(**data)
