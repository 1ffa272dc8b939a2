"""Products of halves against float64."""

import numpy as np
import pytest

from skdatamodels.regression._cuda.products import Halves, product, rough_product, split

torch = pytest.importorskip("torch")


def relative_error(found, expected):
    found = found.double().cpu().numpy()
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e15])
@pytest.mark.parametrize("by_row", [False, True])
def test_halves_hold_the_digits_of_float32(platform, size, by_row):
    a = size * np.random.default_rng(0).standard_normal((5, 300)).astype(np.float32)
    a[2] *= 1e-6 if by_row else 1  # rows of one scale lose digits if they are so small
    a[3] = 0
    high, low, scale = split(platform.ops().asarray(a), by_row)
    found = (high.double() + low.double() / 2048) / scale
    for row, expected in zip(found, a.astype(np.float64), strict=True):
        error = np.abs(row.cpu().numpy() - expected).max()
        assert error <= 2.0**-21 * np.abs(expected).max()
    assert high.dtype == low.dtype == torch.float16


@pytest.mark.parametrize("terms", [64, 4096])
def test_products_are_as_precise_as_in_float32(platform, terms):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((6, 500)), rng.standard_normal((500, 40)) * 1e-4
    a, b = a.astype(np.float32), b.astype(np.float32)
    exact = a.astype(np.float64) @ b
    ops = platform.ops()
    halves = split(ops.asarray(a), by_row=True), split(ops.asarray(b))
    found = product(*halves, terms=terms)
    assert found.dtype == torch.float32
    assert relative_error(found, exact) <= 2e-6
    assert 1e-5 <= relative_error(rough_product(*halves), exact) <= 1e-3


def test_counts_are_exact(platform):
    x = (np.random.default_rng(0).random((5000, 30)) < 0.5).astype(np.float16)
    tensor = platform.ops().asarray(x)
    found = product(Halves(tensor.T, None, None), Halves(tensor, None, None))
    expected = x.astype(np.float64).T @ x.astype(np.float64)
    np.testing.assert_array_equal(found.cpu(), expected)


def test_what_is_not_finite_stays_so(platform):
    a = platform.ops().asarray(np.array([[1.0, np.inf], [1.0, 2.0]], np.float32))
    found = product(split(a, by_row=True), split(a.T.nan_to_num(posinf=3.0)))
    assert not found[0].isfinite().any()
    assert found[1].isfinite().all()
