"""Correlation of two attribution matrices, against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import pearsonr, spearmanr

from skdatamodels.metrics import attribution_correlation

rng = np.random.default_rng(0)
WEIGHTS, OTHERS = rng.normal(size=(2, 5, 30)).round(1)
SCIPY = {"spearman": spearmanr, "pearson": pearsonr}


@pytest.mark.parametrize("method", SCIPY)
def test_is_that_of_scipy_for_each_target(method):
    expected = [
        SCIPY[method](*pair).statistic for pair in zip(WEIGHTS, OTHERS, strict=True)
    ]
    for form in (WEIGHTS, csr_array(WEIGHTS), WEIGHTS.tolist()):
        found = attribution_correlation(form, OTHERS, method=method)
        assert_allclose(found, expected)
    found = attribution_correlation(WEIGHTS, csr_array(OTHERS), method=method)
    assert_allclose(found, expected)


@pytest.mark.parametrize("method", SCIPY)
def test_what_was_not_measured_is_ignored(method):
    others = OTHERS.copy()
    others[0, 10:], others[2, :20], others[3] = np.nan, np.nan, np.nan
    found = attribution_correlation(WEIGHTS, others, method=method)
    assert found[0] == pytest.approx(
        SCIPY[method](WEIGHTS[0, :10], OTHERS[0, :10]).statistic
    )
    assert found[2] == pytest.approx(
        SCIPY[method](WEIGHTS[2, 20:], OTHERS[2, 20:]).statistic
    )
    assert np.isnan(found[3])
    assert found[1] == pytest.approx(SCIPY[method](WEIGHTS[1], OTHERS[1]).statistic)


@pytest.mark.parametrize("method", SCIPY)
def test_equal_weights_score_0_and_equal_truths_nothing(method):
    weights, others = WEIGHTS.copy(), OTHERS.copy()
    weights[0], others[1] = 0.1, 0.1
    found = attribution_correlation(weights, others, method=method)
    assert found[0] == 0
    assert_array_equal(np.isnan(found), [False, True, False, False, False])


@given(
    arrays(np.float64, (1, 6), elements=st.integers(-3, 3).map(float)),
    st.floats(0.01, 100),
    st.floats(-5, 5),
)
def test_scale_and_shift_do_not_matter(weights, scale, shift):
    others = np.arange(6.0)[None]
    for method in SCIPY:
        assert_allclose(
            attribution_correlation(scale * weights + shift, others, method=method),
            attribution_correlation(weights, others, method=method),
            atol=1e-9,
        )
    assert_allclose(
        attribution_correlation(np.exp(weights), others),
        attribution_correlation(weights, others),
    )


@pytest.mark.parametrize(
    ("weights", "others", "message"),
    [
        (WEIGHTS, OTHERS[:, 1:], r"has shape \(5, 30\), but others \(5, 29\)"),
        (WEIGHTS[:, :2], OTHERS[:, :2], "at least three training examples; got 2"),
        (np.where(WEIGHTS > 1, np.nan, 0), OTHERS, "contains NaN"),
        (WEIGHTS, np.where(OTHERS > 1, np.inf, 0), "others is inf at target"),
    ],
)
def test_bad_input(weights, others, message):
    with pytest.raises(ValueError, match=message):
        attribution_correlation(weights, others)
