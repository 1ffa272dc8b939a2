"""Moments against their definitions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skdatamodels import PackedMasks
from skdatamodels.regression.moments import moments


def problem(n_runs, d, n_targets, seed, masks):
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, d)) < 0.4 if masks else rng.standard_normal((n_runs, d))
    return X, rng.standard_normal((n_runs, n_targets)) + 3


cases = st.tuples(
    st.integers(2, 90), st.integers(1, 20), st.integers(1, 4), st.integers(0, 99)
)


@given(cases, st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_centred_moments_of_parts_sum_and_rest(case, masks, data):
    X, Y = problem(*case, masks)
    cut = data.draw(st.integers(1, len(X) - 1))
    form = PackedMasks.from_dense if masks else np.asarray
    first, second = (moments(form(X[s]), Y[s]) for s in (slice(cut), slice(cut, None)))
    whole = first + second
    mu, nu = X[:cut].mean(axis=0), Y[:cut].mean(axis=0)
    for part, rows in ((whole, slice(None)), (whole - first, slice(cut, None))):
        gram, cov, y_var = part.centred(mu, nu, np.float64)
        A, B = X[rows] - mu, Y[rows] - nu
        np.testing.assert_allclose(gram, A.T @ A / len(A), atol=1e-9)
        np.testing.assert_allclose(cov, A.T @ B / len(A), atol=1e-9)
        np.testing.assert_allclose(y_var, (B**2).mean(axis=0), atol=1e-9)
    if masks:
        np.testing.assert_array_equal(whole.xx, X.T.astype(int) @ X.astype(int))
