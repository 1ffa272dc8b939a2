import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kstest, normaltest

from skdatamodels.metrics import normality_p_values
from skdatamodels.outputs import confidence, correctness, cross_entropy, margin


def test_each_target_has_the_p_value_of_scipy():
    repeats = np.random.default_rng(0).gamma(9, size=(60, 4, 5))
    p_values = normality_p_values(repeats)
    assert p_values.shape == (4, 5)
    for subset in range(4):
        assert_allclose(normality_p_values(repeats[:, subset]), p_values[subset])
        for target in range(5):
            expected = normaltest(repeats[:, subset, target]).pvalue
            assert p_values[subset, target] == pytest.approx(expected)


def test_p_values_of_normal_outputs_are_uniform():
    """Shift and scale do not matter, in single precision neither."""
    rng = np.random.default_rng(0)
    repeats = rng.normal(rng.normal(size=400), 1e-3, size=(1000, 400)) + 1
    for dtype in (np.float64, np.float32):
        assert (
            kstest(normality_p_values(repeats.astype(dtype)), "uniform").pvalue > 0.01
        )


def test_outputs_of_normal_logits():
    """Two classes with normal logits: the margin is normal, nothing else is."""
    rng = np.random.default_rng(0)
    logits = rng.normal([1.5, 0], 1, size=(300, 200, 2))
    y = np.zeros(200, dtype=int)

    def rejected(output):
        p = normality_p_values([output(raw, y) for raw in logits])
        return np.mean(p < 0.05)

    assert rejected(margin) == pytest.approx(0.05, abs=0.05)
    for output in (confidence, cross_entropy, correctness):
        assert rejected(output) > 0.8


def test_an_output_that_never_varies_has_no_p_value():
    repeats = np.random.default_rng(0).normal(size=(30, 3))
    repeats[:, 1] = 7.1
    assert np.isnan(normality_p_values(repeats)).tolist() == [False, True, False]
    assert np.isnan(normality_p_values(np.ones((30, 2)))).all()


@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        (np.zeros((19, 3)), r"at least 20 repeats; got \(19, 3\)"),
        (np.zeros(40), "repeats must have shape"),
        (np.full((20, 2), np.nan), "repeats is nan at repeat 0, target 0"),
        (np.full((20, 2, 1), np.inf), "repeats is inf at repeat 0, subset 0, target 0"),
    ],
)
def test_bad_input(repeats, message):
    with pytest.raises(ValueError, match=message):
        normality_p_values(repeats)
