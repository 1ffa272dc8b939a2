"""Moments against their definitions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skdatamodels import PackedMasks
from skdatamodels.regression._gram.moments import moments, pair_sums


def problem(n_runs, d, n_targets, seed, masks):
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, d)) < 0.4 if masks else rng.standard_normal((n_runs, d)) + 2
    return X, rng.standard_normal((n_runs, n_targets)) + 3


cases = st.tuples(
    st.integers(2, 190), st.integers(1, 140), st.integers(1, 4), st.integers(0, 99)
)


# few different weights are counted, many are multiplied
WEIGHTS = {
    "none": lambda rng, m: None,
    "few": lambda rng, m: rng.integers(1, 3, m) / 4,
    "many": lambda rng, m: rng.random(m) + 0.1,
}


@given(
    cases,
    st.booleans(),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(sorted(WEIGHTS)),
    st.data(),
)
@settings(max_examples=90)
def test_moments_of_all_runs_and_without_a_part(case, masks, dtype, weights, data):
    X, Y = problem(*case, masks)
    form = PackedMasks.from_dense(X) if masks else X
    rows = np.random.default_rng(0).permutation(len(X))
    cut = data.draw(st.integers(1, len(X) - 1))
    targets = np.arange(Y.shape[1])[::-1]
    shift = 0.0 if masks else X.mean(axis=0)
    weight = WEIGHTS[weights](np.random.default_rng(2), len(X))
    whole, part = (
        moments(form, Y, r, targets, weight, shift, 3.0) for r in (rows, rows[:cut])
    )
    rest = whole.without(part)
    xx, xx_part = (pair_sums(form, r, weight, shift) for r in (rows, rows[:cut]))
    whole, rest = whole._replace(xx=xx), rest._replace(xx=xx - xx_part)
    weights = np.random.default_rng(1).standard_normal((2, X.shape[1]))
    for part, of in ((rest, rows[cut:]), (whole, rows)):
        w = np.ones(len(of)) if weight is None else weight[of]
        w = (w / w.sum())[:, None]
        x_mean, y_mean = (w * X[of]).sum(axis=0), (w * Y[of]).sum(axis=0)
        A, B = X[of] - x_mean, (Y[of] - y_mean)[:, ::-1]
        assert part.n_runs == len(of)
        np.testing.assert_allclose(part.x_mean + shift, x_mean, atol=1e-9)
        np.testing.assert_allclose(part.y_mean + 3, y_mean[::-1])
        cov, y_var = part.covariances()
        expected = A.T @ (w * A)
        np.testing.assert_allclose(cov, B.T @ (w * A), atol=1e-9)
        np.testing.assert_allclose(y_var, (w * B**2).sum(axis=0), atol=1e-9)
        np.testing.assert_allclose(
            part.gram_dot(weights), weights @ expected, atol=1e-9
        )
        gram, d = part.into_gram(dtype), X.shape[1]
        assert gram.dtype == dtype
        assert np.shares_memory(gram, part.xx) == (gram.itemsize == part.xx.itemsize)
        np.testing.assert_allclose(gram[:d, :d], expected, atol=1e-5)
        assert not gram[d:].any()
        assert not gram[:, d:].any()


def test_constant_targets_have_no_variance_left():
    X, Y = problem(50, 7, 1, 0, masks=True)
    for constant in (0.0, 0.1, 1e8):
        data = np.column_stack([Y[:, 0], np.full(50, constant)])
        whole = moments(
            PackedMasks.from_dense(X), data, np.arange(50), np.arange(2), None, 0, 0
        )
        cov, y_var = whole.covariances()
        assert y_var[1] == 0
        assert not cov[1].any()
        np.testing.assert_allclose(y_var[0], Y[:, 0].var())
