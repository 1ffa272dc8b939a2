"""lasso_path against scikit-learn's Lasso and gaps computed in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from skdatamodels import lasso_path


def problem(n_runs, d, n_targets, seed=0, alpha=0.5):
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, d)).argsort(axis=1) < round(alpha * d)
    Y = X @ (rng.standard_t(3, (d, n_targets)) * (rng.random((d, n_targets)) < 0.3))
    Y = Y + Y.std(axis=0) * rng.standard_normal(Y.shape)
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    gram, cov = X.T @ X / n_runs, X.T @ Y / n_runs
    lams = np.abs(cov).max(axis=0)[:, None] * np.geomspace(1, 0.01, 30)
    return X, Y, gram, cov, (Y**2).mean(axis=0), lams


def true_gap(gram, cov, y_var, lam, w):
    """Relative duality gap in float64 from the definition."""
    w = w.astype(np.float64)
    q = cov - gram @ w
    rest = y_var - 2 * cov @ w + w @ gram @ w
    s = min(1.0, lam / np.abs(q).max()) if np.abs(q).max() > 0 else 1.0
    dual = s * (y_var - cov @ w) - 0.5 * s**2 * rest
    return (0.5 * rest + lam * np.abs(w).sum() - dual) / (0.5 * y_var)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_runs", "d"), [(4000, 300), (200, 90), (90, 120)])
@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_reported_gaps_are_true_along_the_path(dtype, n_runs, d, alpha):
    _, _, gram, cov, y_var, lams = problem(n_runs, d, 5, alpha=alpha)
    coefs, gaps, _ = lasso_path(
        gram.astype(dtype), cov, y_var, lams=lams, max_iter=20_000
    )
    assert gaps.max() <= 1e-4
    for j in range(5):
        for k in range(30):
            gap = true_gap(gram, cov[:, j], y_var[j], lams[j, k], coefs[j, k])
            assert abs(gap - gaps[j, k]) <= 5e-6


@pytest.mark.parametrize(("n_runs", "d"), [(200, 40), (40, 60)])
def test_equals_lasso(n_runs, d):
    X, Y, gram, cov, y_var, lams = problem(n_runs, d, 2)
    lams = lams[:, :15]
    coefs, _, _ = lasso_path(gram, cov, y_var, lams=lams, tol=1e-10, max_iter=200_000)
    for j in range(2):
        for k in (3, 14):
            reference = Lasso(alpha=lams[j, k], tol=1e-12, max_iter=200_000)
            reference.fit(X, Y[:, j])
            np.testing.assert_allclose(coefs[j, k], reference.coef_, atol=2e-4)


@given(st.floats(0.01, 100), st.integers(0, 50))
@settings(max_examples=15)
def test_scale_and_order_of_columns(scale, seed):
    _, _, gram, cov, y_var, lams = problem(150, 20, 3, seed)
    parameters = {"tol": 1e-10, "max_iter": 100_000}
    base = lasso_path(gram, cov, y_var, lams=lams, **parameters)[0]
    scaled = lasso_path(
        gram, scale * cov, scale**2 * y_var, lams=scale * lams, **parameters
    )[0]
    np.testing.assert_allclose(scaled / scale, base, atol=1e-3)
    order = np.random.default_rng(seed).permutation(20)
    permuted = lasso_path(
        gram[np.ix_(order, order)], cov[order], y_var, lams=lams, **parameters
    )[0]
    # Masks of one size leave a constant in the weights free; what they predict is not.
    difference = permuted - base[:, :, order]
    np.testing.assert_allclose(difference @ gram[np.ix_(order, order)], 0, atol=1e-3)


def test_a_target_does_not_depend_on_its_neighbours_or_threads():
    _, _, gram, cov, y_var, lams = problem(400, 70, 40)
    together = lasso_path(gram, cov, y_var, lams=lams)[0]
    threads = lasso_path(gram, cov, y_var, lams=lams, n_jobs=2)[0]
    alone = lasso_path(gram, cov[:, [7]], y_var[[7]], lams=lams[[7]])[0]
    np.testing.assert_array_equal(threads, together)
    np.testing.assert_array_equal(alone[0], together[7])


def test_constant_and_duplicated_columns_and_a_constant_target():
    X, Y, *_ = problem(200, 30, 3)
    X[:, 4], X[:, 5] = 0, X[:, 6]
    Y[:, 1] = 0
    gram, cov, y_var = X.T @ X / 200, X.T @ Y / 200, (Y**2).mean(axis=0)
    lams = np.full((3, 1), 0.05)
    coefs, gaps, _ = lasso_path(gram, cov, y_var, lams=lams)
    assert np.isfinite(coefs).all()
    assert not coefs[:, :, 4].any()
    assert not coefs[1].any()
    for j in (0, 2):
        assert true_gap(gram, cov[:, j], y_var[j], 0.05, coefs[j, 0]) <= 1.01e-4
    assert gaps[1, 0] == 0


@pytest.mark.parametrize("per_target", [False, True])
def test_penalty_factors_are_a_rescaling_of_the_columns(per_target):
    X, Y, gram, cov, y_var, lams = problem(200, 30, 2)
    rng = np.random.default_rng(3)
    factors = rng.uniform(0.5, 2, (2, 30) if per_target else (1, 30))
    factors[:, 8] = np.inf
    coefs, gaps, _ = lasso_path(
        gram,
        cov,
        y_var,
        lams=lams[:, :15],
        tol=1e-9,
        max_iter=100_000,
        penalty_factors=factors if per_target else factors[0],
        coef_init=rng.standard_normal((2, 30)),  # also where the coefficient must be 0
    )
    assert gaps.max() <= 1e-9
    assert not coefs[:, :, 8].any()
    for j in range(2):
        p = factors[j if per_target else 0]
        reference = Lasso(alpha=lams[j, 14], tol=1e-12, max_iter=200_000)
        reference.fit(X / p, Y[:, j])
        np.testing.assert_allclose(coefs[j, 14], reference.coef_ / p, atol=1e-3)


@given(st.integers(0, 500), st.sampled_from([1e-2, 1e-4, 1e-6]))
@settings(max_examples=20)
def test_optimality_conditions_hold_as_far_as_the_gap_says(seed, tol):
    _, _, gram, cov, y_var, lams = problem(120, 25, 2, seed)
    coefs, gaps, _ = lasso_path(gram, cov, y_var, lams=lams, tol=tol, max_iter=100_000)
    assert gaps.max() <= tol
    best = lasso_path(gram, cov, y_var, lams=lams, tol=1e-11, max_iter=100_000)[0]

    def loss(j, k, w):
        return w @ gram @ w / 2 - cov[:, j] @ w + lams[j, k] * np.abs(w).sum()

    for j in range(2):
        for k in range(30):
            excess = loss(j, k, coefs[j, k]) - loss(j, k, best[j, k])
            assert excess <= (gaps[j, k] + 1e-9) * y_var[j] / 2
            # at the optimum |q| is lam where w is not 0, and nowhere more
            q, w = cov[:, j] - gram @ best[j, k], best[j, k]
            assert np.abs(q).max() <= lams[j, k] * (1 + 1e-4)
            far = np.abs(w) > 1e-2 * np.abs(w).max()
            np.testing.assert_allclose(
                q[far], lams[j, k] * np.sign(w[far]), rtol=1e-3, atol=1e-6
            )


def test_no_penalty_is_least_squares_and_a_bad_start_does_no_harm():
    X, Y, *_ = problem(200, 12, 3)
    X = X[:, :11]  # the masks' columns sum to 0: leave one out
    gram, cov, y_var = X.T @ X / 200, X.T @ Y / 200, (Y**2).mean(axis=0)
    with pytest.warns(ConvergenceWarning):
        coefs, gaps, n_iter = lasso_path(
            gram, cov, y_var, lams=[0.0], max_iter=2000, coef_init=np.ones((3, 11))
        )
    np.testing.assert_allclose(coefs[:, 0], np.linalg.solve(gram, cov).T, rtol=1e-6)
    rest = ((Y - X @ coefs[:, 0].T) ** 2).mean(axis=0)
    np.testing.assert_allclose(gaps[:, 0], rest / y_var)
    assert (n_iter == 2000).all()


def test_too_few_passes_are_told():
    _, _, gram, cov, y_var, lams = problem(60, 80, 2)
    with pytest.warns(ConvergenceWarning, match="2 of 2 targets"):
        lasso_path(gram, cov, y_var, lams=lams, max_iter=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gram": np.eye(3)}, "gram must be"),
        ({"y_var": np.ones(3)}, "y_var must be"),
        ({"cov": np.full((4, 2), np.nan)}, "cov contains NaN"),
        ({"lams": [0.1, 0.2]}, "not increase"),
        ({"lams": [-0.1]}, "not be negative"),
        ({"penalty_factors": np.zeros(4)}, "must be positive"),
        ({"coef_init": np.zeros((2, 3))}, "coef_init"),
    ],
)
def test_bad_input(changes, message):
    data = {"gram": np.eye(4), "cov": np.ones((4, 2)), "y_var": np.ones(2)}
    data = {**data, "lams": [0.2, 0.1]} | changes
    with pytest.raises(ValueError, match=message):
        lasso_path(**data)
