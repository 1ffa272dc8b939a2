"""The warning about targets that have not converged."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skdatamodels import DatamodelRegressor


def test_least_squares_by_the_lasso_says_that_its_gap_does_not_tell():
    rng = np.random.default_rng(0)
    X, y = rng.random((100, 8)) < 0.5, rng.normal(size=100)
    expected = np.linalg.lstsq(np.c_[X, np.ones(100)], y, rcond=None)[0][:-1]
    with pytest.warns(ConvergenceWarning, match="use penalty='l2' for least squares"):
        lasso = DatamodelRegressor(lam=0.0).fit(X, y).coef_
    ridge = DatamodelRegressor(lam=0.0, penalty="l2").fit(X, y).coef_
    for coef in (lasso, ridge):
        np.testing.assert_allclose(coef, expected, atol=1e-5)


def test_other_fits_are_told_to_go_on():
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 40)) < 0.5, rng.normal(size=30)
    with pytest.warns(ConvergenceWarning, match="Increase max_iter, tol or lam"):
        DatamodelRegressor(lam=0.001, max_iter=1).fit(X, y)
