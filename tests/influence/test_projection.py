import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch")

from skdatamodels.influence import _projection  # noqa: E402
from skdatamodels.influence._projection import Projection  # noqa: E402

KINDS = pytest.mark.parametrize("kind", ["sign", "gaussian"])


def matrix(*, n_in=60, n_out=400, kind="sign", entropy=0, key=0):
    projection = Projection(n_in, n_out, kind, entropy, key)
    return projection(torch.eye(n_in, dtype=torch.float64)).numpy()


def test_signs():
    assert_array_equal(np.unique(matrix() * 20), [-1, 1])


@KINDS
def test_moments(kind):
    """Of 24,000 independent entries of mean 0 and variance 1/n_out."""
    entries = matrix(kind=kind).ravel() * 20
    assert abs(entries.mean()) < 4 / 24_000**0.5
    assert abs((entries**2).mean() - 1) < 4 * 2**0.5 / 24_000**0.5
    fourth = {"sign": 1, "gaussian": 3}[kind]
    assert abs((entries**4).mean() - fourth) < 4 * 96**0.5 / 24_000**0.5


@KINDS
def test_keeps_products(kind):
    """Rows of the projection are near orthogonal: P·Pᵀ is near the identity."""
    P = matrix(n_out=4000, kind=kind)
    assert abs(P @ P.T - np.eye(60)).max() < 6 / 4000**0.5


@KINDS
def test_is_linear_and_a_function_of_entropy_and_key(kind, monkeypatch):
    rows = torch.tensor(np.random.default_rng(0).normal(size=(7, 60)))
    project = Projection(60, 400, kind, 3, 5)
    P = matrix(kind=kind, entropy=3, key=5)
    assert_allclose(project(rows), rows.numpy() @ P, atol=1e-12)
    assert_allclose(project(rows[2:4]), rows[2:4].numpy() @ P, atol=1e-12)
    for other in ({"entropy": 4, "key": 5}, {"entropy": 3, "key": 6}):
        assert abs(np.corrcoef(P.ravel(), matrix(kind=kind, **other).ravel())[0, 1]) < (
            4 / 24_000**0.5
        )


@KINDS
def test_pieces_differ(kind, monkeypatch):
    """A projection made in pieces does not repeat itself."""
    monkeypatch.setattr(_projection, "_ENTRIES", 20 * 400)
    P = matrix(kind=kind)
    pieces = P.reshape(3, -1)
    assert abs(np.corrcoef(pieces) - np.eye(3)).max() < 4 / 8000**0.5
    assert abs(P @ P.T - np.eye(60)).max() < 6 / 400**0.5
