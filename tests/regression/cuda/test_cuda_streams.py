"""Sums over runs on a device against those on the CPU."""

import numpy as np
import pytest

from skdatamodels import PackedMasks
from skdatamodels.regression.cuda import streams
from skdatamodels.regression.moments import moments, pair_sums
from skdatamodels.regression.selection import squared_errors


@pytest.mark.parametrize("block_bytes", [3000, 2**30])
@pytest.mark.parametrize("d", [1, 13, 130])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments(monkeypatch, platform, d, block_bytes, weighted):
    monkeypatch.setattr(streams, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(d)
    X = PackedMasks.from_dense(rng.random((90, d)) < 0.4)
    Y = rng.standard_normal((90, 4)) + 3
    rows, targets = np.sort(rng.permutation(90)[:70]), np.array([3, 0])
    shift, weight = Y[:, targets].mean(axis=0), rng.random(90) if weighted else None
    arguments = X, Y, rows, targets, weight
    expected = moments(*arguments, 0.0, shift)[:7]
    found = streams.moments(*arguments, shift, platform.ops())[:7]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)
    xx = streams.pair_sums(X, rows, weight, platform.ops())
    if weighted:
        np.testing.assert_allclose(xx, pair_sums(X, rows, weight, 0.0), rtol=1e-5)
    else:
        assert xx.dtype == np.int32
        np.testing.assert_array_equal(xx, pair_sums(X, rows, None, 0.0))


@pytest.mark.parametrize("block_bytes", [3000, 2**30])
@pytest.mark.parametrize("weighted", [False, True])
def test_squared_errors(monkeypatch, platform, block_bytes, weighted):
    monkeypatch.setattr(streams, "_BLOCK_BYTES", block_bytes)
    rng = np.random.default_rng(0)
    X = PackedMasks.from_dense(rng.random((60, 21)) < 0.5)
    Y = rng.standard_normal((60, 3))
    Y[5:9, 1] = np.nan
    coefs, intercepts = rng.standard_normal((3, 4, 21)), rng.standard_normal((3, 4))
    arguments = X, Y, rng.random(60) if weighted else None, coefs, intercepts
    np.testing.assert_allclose(
        streams.squared_errors_on_device(*arguments, platform.ops()),
        squared_errors(*arguments),
        rtol=1e-4,
    )
