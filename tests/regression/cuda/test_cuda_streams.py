"""Sums over runs on a device against those on the CPU."""

import numpy as np
import pytest

from skdatamodels import PackedMasks
from skdatamodels.regression._cuda import streams
from skdatamodels.regression._gram.moments import moments, pair_sums
from skdatamodels.regression._selection import squared_errors


@pytest.mark.parametrize("block_bytes", [3000, 2**30])
@pytest.mark.parametrize("d", [1, 13, 130])
def test_moments(monkeypatch, platform, d, block_bytes):
    monkeypatch.setattr(streams, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(d)
    X = PackedMasks.from_dense(rng.random((90, d)) < 0.4)
    Y = rng.standard_normal((90, 4)) + 3
    rows, targets = np.sort(rng.permutation(90)[:70]), np.array([3, 0])
    shift = Y[:, targets].mean(axis=0)
    expected = moments(X, Y, rows, targets, 0.0, shift)[:5]
    found = streams.moments(X, Y, rows, targets, shift, platform.ops())[:5]
    for a, b in zip(found, expected, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)
    xx = streams.pair_sums(X, rows, platform.ops())
    assert xx.dtype == np.int32
    np.testing.assert_array_equal(xx, pair_sums(X, rows, 0.0))


@pytest.mark.parametrize("block_bytes", [3000, 2**30])
def test_squared_errors(monkeypatch, platform, block_bytes):
    monkeypatch.setattr(streams, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(0)
    X = PackedMasks.from_dense(rng.random((60, 21)) < 0.5)
    Y = rng.standard_normal((60, 3))
    Y[5:9, 1] = np.nan
    coefs, intercepts = rng.standard_normal((3, 4, 21)), rng.standard_normal((3, 4))
    np.testing.assert_allclose(
        streams.squared_errors_on_device(X, Y, coefs, intercepts, platform.ops()),
        squared_errors(X, Y, coefs, intercepts),
        rtol=1e-4,
    )
