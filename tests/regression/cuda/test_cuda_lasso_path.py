"""lasso_path on a GPU, or its kernels on the CPU, against float64 and other solvers."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from skdatamodels import lasso_path as cpu_lasso_path
from skdatamodels.regression import _cuda
from skdatamodels.regression._cuda.lasso_path import (
    _largest_eigenvalue,
    _secant_steps,
    targets_in_memory,
)


@pytest.fixture
def lasso_path(platform):
    def solve(*args, **parameters):
        place = {"device": platform.device, "launcher": platform.launcher}
        return _cuda.lasso_path(*args, **place, **parameters)

    return solve


def problem(n_runs, d, n_targets, seed=0, alpha=0.5):
    """Masks of one size and noisy outputs, centred, and their moments."""
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, d)).argsort(axis=1) < round(alpha * d)
    Y = X @ (rng.standard_t(3, (d, n_targets)) * (rng.random((d, n_targets)) < 0.3))
    Y = Y + Y.std(axis=0) * rng.standard_normal(Y.shape)
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    return X, Y, X.T @ X / n_runs, X.T @ Y / n_runs, (Y**2).mean(axis=0)


def grid(cov, n_lams, least=0.01):
    return np.abs(cov).max(axis=0)[:, None] * np.geomspace(1, least, n_lams)


def true_gaps(X, Y, lams, coefs, penalty=1):
    """Relative duality gaps in float64, from the data: primal minus dual objective."""
    gaps = np.empty(lams.shape)
    for j, k in np.ndindex(lams.shape):
        w, y, lam = coefs[j, k].astype(np.float64), Y[:, j], lams[j, k]
        r = y - X @ w
        primal = r @ r / 2 + len(y) * lam * np.abs(penalty * w).sum()
        dual_norm = np.abs(X.T @ r / penalty).max() / len(y)
        u = r * min(1, lam / dual_norm)
        dual = y @ y / 2 - (y - u) @ (y - u) / 2
        gaps[j, k] = (primal - dual) / (y @ y / 2)
    return gaps


# The most iterations a path are a tenth above what it took; without secants or restarts
# it takes more.
@pytest.mark.parametrize(
    ("n_runs", "d", "alpha", "most"),
    [(2000, 150, 0.5, 78), (200, 90, 0.25, 220), (60, 70, 0.5, 745)],
)
def test_gaps_are_reached_and_true(lasso_path, n_runs, d, alpha, most):
    X, Y, gram, cov, y_var = problem(n_runs, d, 5, alpha=alpha)
    lams = grid(cov, 12)
    coefs, gaps, n_iter = lasso_path(gram, cov, y_var, lams=lams, max_iter=5000)
    assert coefs.dtype == np.float32
    assert gaps.max() <= 1e-4
    assert n_iter.sum(axis=1).mean() <= most
    np.testing.assert_allclose(gaps, true_gaps(X, Y, lams, coefs), atol=3e-6)


def test_equals_the_path_of_the_cpu_and_of_scikit_learn(lasso_path):
    X, Y, gram, cov, y_var = problem(300, 40, 3)
    lams = grid(cov, 8, least=0.05)
    parameters = {"lams": lams, "max_iter": 20_000}
    coefs = lasso_path(gram, cov, y_var, tol=2e-6, **parameters)[0]
    expected = cpu_lasso_path(gram, cov, y_var, tol=1e-10, **parameters)[0]
    np.testing.assert_allclose(coefs, expected, atol=5e-3)
    for j in range(3):
        reference = Lasso(alpha=lams[j, 5], tol=1e-12, max_iter=200_000)
        reference.fit(X, Y[:, j])
        np.testing.assert_allclose(coefs[j, 5], reference.coef_, atol=5e-3)


def test_targets_in_blocks_and_alone(lasso_path):
    _, _, gram, cov, y_var = problem(400, 50, 7)
    lams = grid(cov, 10)
    lams[3] *= 0.3  # paths of unequal length, so that lanes come to rest
    together, _, n_iter = lasso_path(gram, cov, y_var, lams=lams)
    blocks = lasso_path(gram, cov, y_var, lams=lams, block_size=3)
    np.testing.assert_allclose(blocks[0], together, atol=1e-3)
    alone = lasso_path(gram, cov[:, [3]], y_var[[3]], lams=lams[[3]])
    np.testing.assert_allclose(alone[0][0], together[3], atol=1e-3)
    assert abs(alone[2].sum() - n_iter[3].sum()) <= 3


def test_lanes_at_rest_leave(lasso_path, monkeypatch):
    module = sys.modules[_cuda.lasso_path.__module__]  # its name is the function's too
    iterate, n_lanes = module._iterate, []

    def counting(ops, gram, lanes):
        n_lanes.append(len(lanes.target))
        return iterate(ops, gram, lanes)

    monkeypatch.setattr(module, "_iterate", counting)
    _, _, gram, cov, y_var = problem(400, 50, 7)
    lams = grid(cov, 4) * np.linspace(0.5, 3, 7)[:, None]
    lasso_path(gram, cov, y_var, lams=lams)
    assert n_lanes == sorted(n_lanes, reverse=True)
    assert n_lanes[0] == 7
    assert n_lanes[-1] <= 2


@pytest.mark.parametrize("per_target", [False, True])
def test_penalty_factors_are_a_rescaling_of_the_columns(lasso_path, per_target):
    X, Y, gram, cov, y_var = problem(200, 30, 4)
    rng = np.random.default_rng(3)
    factors = rng.uniform(0.5, 2, (4, 30) if per_target else (1, 30))
    factors[:, 8] = np.inf
    lams = grid(cov, 10)
    lams[2] *= 3  # so that some lanes rest before others
    coefs, gaps, _ = lasso_path(
        gram,
        cov,
        y_var,
        lams=lams,
        penalty_factors=factors if per_target else factors[0],
        coef_init=rng.standard_normal((4, 30)),  # also where the coefficient must be 0
    )
    assert not coefs[:, :, 8].any()
    X, coefs, factors = (np.delete(a, 8, axis=-1) for a in (X, coefs, factors))
    for j in range(4):
        p = factors[j if per_target else 0]
        true = true_gaps(X, Y[:, [j]], lams[[j]], coefs[[j]], p)
        np.testing.assert_allclose(gaps[[j]], true, atol=3e-6)
        assert true.max() <= 1.03e-4


def test_constant_columns_and_targets(lasso_path):
    X, Y, *_ = problem(200, 30, 3)
    X[:, 4], X[:, 5], Y[:, 1] = 0, X[:, 6], 0
    gram, cov, y_var = X.T @ X / 200, X.T @ Y / 200, (Y**2).mean(axis=0)
    lams = np.full((3, 2), [0.1, 0.05])
    start = np.ones((3, 30))
    start[:, 4] = 1000
    coefs, gaps, n_iter = lasso_path(gram, cov, y_var, lams=lams, coef_init=start)
    assert not coefs[:, :, 4].any()
    assert not coefs[1].any()
    assert not gaps[1].any()
    assert not n_iter[1].any()
    assert n_iter.max() < 100  # of steps: too few to bring 1000 to 0
    assert (start[:, 4] == 1000).all()
    rest = [0, 2]
    assert true_gaps(X, Y[:, rest], lams[rest], coefs[rest]).max() <= 1.03e-4


def test_no_penalty_is_least_squares(lasso_path):
    X, Y, *_ = problem(200, 12, 3)
    X = X[:, :11]  # the masks' columns sum to 0: leave one out
    gram, cov, y_var = X.T @ X / 200, X.T @ Y / 200, (Y**2).mean(axis=0)
    with pytest.warns(ConvergenceWarning, match="3 of 3 targets"):
        coefs, gaps, n_iter = lasso_path(gram, cov, y_var, lams=[0.0], max_iter=300)
    np.testing.assert_allclose(
        coefs[:, 0], np.linalg.solve(gram, cov).T, rtol=1e-3, atol=1e-3
    )
    rest = ((Y - X @ coefs[:, 0].T) ** 2).mean(axis=0)
    np.testing.assert_allclose(gaps[:, 0], rest / y_var, rtol=1e-4)
    assert (n_iter == 300).all()


def test_divergence_is_told(lasso_path, monkeypatch):
    _, _, gram, cov, y_var = problem(200, 30, 2)
    module = sys.modules[_cuda.lasso_path.__module__]
    monkeypatch.setattr(module, "_largest_eigenvalue", lambda gram: 1e-3)
    with pytest.warns(ConvergenceWarning, match="worst gap is inf"):
        _, gaps, _ = lasso_path(gram, cov, y_var, lams=[0.01], max_iter=40)
    assert not (gaps <= 1e-4).any()


@pytest.mark.parametrize(("n_runs", "d"), [(4000, 100), (300, 280), (50, 400), (9, 2)])
def test_largest_eigenvalue_is_bounded_closely(platform, n_runs, d):
    gram = problem(n_runs, d, 1)[2]
    bound = _largest_eigenvalue(platform.ops().asarray(gram, np.float32))
    assert 1 <= bound / np.linalg.eigvalsh(gram)[-1] <= 1.06


def test_gram_of_nothing(lasso_path):
    coefs, gaps, _ = lasso_path(np.zeros((3, 3)), np.zeros((3, 2)), [1, 0], lams=[0.1])
    assert not coefs.any()
    assert not gaps.any()


def test_as_many_targets_as_there_is_memory_for(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5e6, 9e9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2e6)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1e6)
    device = torch.device("cuda", 0)
    assert targets_in_memory(device, 10**6, d=1000, n_lams=6) == 4.8e6 // 88_000
    assert targets_in_memory(device, 30, d=1000, n_lams=6) == 30
    assert targets_in_memory(device, 10**6, d=10**9, n_lams=1) == 1


def test_secant_steps():
    lams = np.array([[8, 4, 2, 2, 1, 0], [9, 8, 5, 5, 4, 4]], np.float32)
    expected = [[0, 0, 0.5, 0, 0, 1], [0, 0, 1, 0, 0, 0]]
    np.testing.assert_array_equal(_secant_steps(lams), expected)


PRECISION = """
import torch
from skdatamodels.regression._cuda.precision import precision

matmul = torch.backends.cuda.matmul
for told in (False, True):
    matmul.allow_tf32 = told
    with precision('highest'):
        assert not matmul.allow_tf32
    assert matmul.allow_tf32 == told
if hasattr(matmul, "fp32_precision"):  # since torch 2.9; does not mix with the other
    matmul.allow_tf32 = False
    matmul.fp32_precision = "tf32"
    with precision('highest'):
        assert matmul.fp32_precision == "ieee"
    assert matmul.fp32_precision == "tf32"
"""


def test_products_are_in_full_precision():
    pytest.importorskip("torch")
    subprocess.run([sys.executable, "-c", PRECISION], check=True)  # these are global


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gram": np.eye(3)}, "gram must be"),
        ({"cov": np.full((4, 2), np.nan)}, "cov contains NaN"),
        ({"lams": [0.1, 0.2]}, "not increase"),
        ({"penalty_factors": np.zeros(4)}, "must be positive"),
    ],
)
def test_bad_input(changes, message):
    data = {"gram": np.eye(4), "cov": np.ones((4, 2)), "y_var": np.ones(2)}
    data = {**data, "lams": [0.2, 0.1]} | changes
    with pytest.raises(ValueError, match=message):
        _cuda.lasso_path(**data)
