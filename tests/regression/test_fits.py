"""Joining the fits of groups of targets."""

import numpy as np
from scipy import sparse

from skdatamodels.regression._fits import Fit, join


def test_groups_come_back_in_the_order_of_the_targets():
    coef = np.arange(1.0, 25).reshape(6, 4)
    path = np.arange(1.0, 49).reshape(12, 4)  # two lams a target
    error = np.arange(12.0).reshape(6, 2)

    def of(targets):
        rows = (2 * targets[:, None] + np.arange(2)).ravel()
        numbers = (targets.astype(float) for _ in range(4))
        return Fit(
            sparse.csr_array(coef[targets]),
            *numbers,
            targets,
            error[targets],
            None,
            error[targets],
            sparse.csr_array(path[rows]),
            error[targets],
        )

    groups = [np.array([3, 0]), np.array([5]), np.array([4, 1])]  # not 2
    fit = join([of(targets) for targets in groups], groups, 6)
    there = np.array([0, 1, 3, 4, 5])
    np.testing.assert_array_equal(fit.coef.toarray()[there], coef[there])
    np.testing.assert_array_equal(
        fit.coef_path.toarray().reshape(6, 2, 4)[there],
        path.reshape(6, 2, 4)[there],
    )
    np.testing.assert_array_equal(fit.intercept[there], there)
    np.testing.assert_array_equal(fit.n_iter, [0, 1, 0, 3, 4, 5])
    np.testing.assert_array_equal(fit.error[there], error[there])
    assert fit.lams is None
    assert not fit.coef.toarray()[2].any()
    assert not fit.coef_path.toarray()[4:6].any()
    assert np.isnan(fit.intercept[2])
    assert np.isnan(fit.error[2]).all()
