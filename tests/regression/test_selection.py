"""Selection of lam: the grid and the held-out error against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from skdatamodels.regression.moments import moments
from skdatamodels.regression.selection import (
    centred_problem,
    held_out_error,
    lam_grid,
    target_blocks,
)

RNG = np.random.default_rng(0)
X, Y = RNG.random((50, 7)) < 0.5, RNG.standard_normal((50, 3)) + 4


@pytest.mark.parametrize("factors", [np.ones(7), RNG.uniform(0.5, 2, (3, 7))])
def test_the_first_lam_of_the_grid_is_the_least_that_leaves_nothing(factors):
    _, cov, _ = centred_problem(moments(X.astype(float), Y), np.float64)
    lams = lam_grid(cov, factors, 6, 0.01)
    assert lams.shape == (3, 6)
    np.testing.assert_allclose(lams[:, -1], 0.01 * lams[:, 0])
    np.testing.assert_allclose(lams[:, 1:] / lams[:, :-1], 0.01**0.2)
    for j, p in enumerate(np.broadcast_to(factors, (3, 7))):
        centred = (X - X.mean(axis=0)) / p  # weights w·p have the plain penalty
        above, below = (
            Lasso(factor * lams[j, 0], tol=1e-12).fit(centred, Y[:, j])
            for factor in (1 + 1e-9, 0.99)
        )
        assert not above.coef_.any()
        assert below.coef_.any()


def test_held_out_error_is_that_of_the_intercept_fitted_on_the_others():
    train, out = np.arange(35), np.arange(35, 50)
    coefs = RNG.standard_normal((3, 4, 7))
    fitted, held = (moments(X[rows].astype(float), Y[rows]) for rows in (train, out))
    about = held.centred(fitted.x_mean, fitted.y_mean, np.float64)
    error = held_out_error(coefs, *about)
    for j, paths in enumerate(coefs):
        for k, w in enumerate(paths):
            intercept = np.mean(Y[train, j] - X[train] @ w)
            residual = Y[out, j] - X[out] @ w - intercept
            assert error[j, k] == pytest.approx(np.mean(residual**2))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e8])
def test_constant_targets_have_no_variance_left(constant):
    data = np.column_stack([Y[:, 0], np.full(50, constant)])
    _, cov, y_var = centred_problem(moments(X.astype(float), data), np.float64)
    assert y_var[1] == 0
    assert not cov[:, 1].any()
    np.testing.assert_allclose(y_var[0], Y[:, 0].var())


@given(*[st.integers(1, 5000)] * 3)
def test_blocks_cover_all_targets(n_targets, n_lams, d):
    blocks = [range(n_targets)[b] for b in target_blocks(n_targets, n_lams, d, 8)]
    assert [target for block in blocks for target in block] == list(range(n_targets))
