"""Sums over runs on a device against those on the CPU."""

import numpy as np
import pytest

from skdatamodels import PackedMasks
from skdatamodels.regression._cuda import streams
from skdatamodels.regression._gram.moments import moments, pair_sums
from skdatamodels.regression._selection import squared_errors
from skdatamodels.regression._units import ScaledOutputs, Units


@pytest.fixture(params=[3000, 2**30])
def ops(request, monkeypatch, platform):
    monkeypatch.setattr(streams, "_BLOCK_BYTES", request.param)
    return platform.ops()


def masks_and_outputs(d, dtype=np.float64):
    rng = np.random.default_rng(d)
    X = PackedMasks.from_dense(rng.random((90, d)) < 0.4)
    Y = (rng.standard_normal((90, 4)) + 3) * [1, 1e3, 1e-30, 1e30]
    return X, Y.astype(dtype)


@pytest.mark.parametrize("d", [1, 13, 130])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [np.arange(5, 80), np.array([3, 4, 9, 40, 41, 80])])
@pytest.mark.parametrize("targets", [np.array([3, 0]), np.arange(4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments(ops, d, dtype, rows, targets, weighted):
    X, Y = masks_and_outputs(d, dtype)
    X, Y, _ = Units.of(X, Y).scale(X, Y, None, "l1")
    shift = Y[:, targets].mean(axis=0)
    weight = np.random.default_rng(2).random(90) if weighted else None
    data = X, Y, rows, targets, weight
    expected = moments(*data, 0.0, shift)
    found = streams.moments(*data, shift, ops)
    for name in ("n_runs", "weight", "counts", "y_sum", "yy"):
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.x_sum, expected.x_sum, rtol=1e-6)
    np.testing.assert_allclose(found.xy.cpu().T, expected.xy, rtol=1e-5, atol=1e-4)
    for a, b in zip(found.covariances(), expected.covariances(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_pairs(ops, weighted):
    X, _ = masks_and_outputs(130)
    rows, part = np.arange(90), np.arange(30)
    weights = np.random.default_rng(0).standard_normal((2, 130))
    weight = np.random.default_rng(2).random(90) if weighted else None
    Y = ScaledOutputs(np.ones((90, 1)), np.zeros(1, int))
    whole, held_out = (
        streams.moments(X, Y, r, np.array([0]), weight, np.zeros(1), ops)._replace(
            xx=streams.pair_sums(X, r, weight, ops)
        )
        for r in (rows, part)
    )
    sums = pair_sums(X, rows, weight, 0.0)[:130, :130]
    if weighted:
        np.testing.assert_allclose(whole.xx.cpu(), sums, rtol=1e-5)
    else:
        np.testing.assert_array_equal(whole.xx.cpu(), sums)
    rest = whole.without(held_out)
    dense = X.dense(np.arange(30, 90), np.float64)
    gram = np.cov(dense.T, bias=True, aweights=weight[30:] if weighted else None)
    accuracy = 1e-5 if weighted else 1e-7
    np.testing.assert_allclose(
        rest.gram_dot(weights), weights @ gram, atol=100 * accuracy
    )
    np.testing.assert_allclose(rest.into_gram().cpu(), gram, atol=accuracy)


@pytest.mark.parametrize("weighted", [False, True])
def test_squared_errors(ops, weighted):
    rng = np.random.default_rng(0)
    X = PackedMasks.from_dense(rng.random((60, 21)) < 0.5)
    Y = rng.standard_normal((60, 3))
    Y[5:9, 1] = np.nan
    coefs, x_mean, y_mean = rng.standard_normal((3, 4, 21)), *rng.random((2, 21))
    y_mean, weight = y_mean[:3], rng.random(60) if weighted else None
    on_device = ops.asarray(Y), weight, ops.asarray(coefs, np.float32)
    np.testing.assert_allclose(
        streams.squared_errors(X, *on_device, x_mean, y_mean, ops),
        squared_errors(X, Y, weight, coefs, y_mean[:, None] - coefs @ x_mean),
        rtol=1e-4,
    )
