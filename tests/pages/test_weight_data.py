import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import DatamodelRegressor
from skdatamodels.pages._weight_data import (
    LargestWeights,
    check_errors,
    check_weights,
    choose_n_weights,
    make_map,
)

WEIGHTS = arrays(np.float64, (3, 7), elements=st.integers(-4, 4).map(float))


@given(WEIGHTS, st.integers(1, 8), st.booleans())
def test_the_largest_are_kept(weights, n_weights, is_sparse):
    kept = LargestWeights.of(csr_array(weights) if is_sparse else weights, n_weights)
    starts = np.cumsum([0, *kept.counts])
    for target, row in enumerate(weights):
        part = slice(starts[target], starts[target + 1])
        size = np.abs(row)
        order = np.sort(size)[::-1]
        assert_array_equal(
            np.abs(kept.values[part]), order[:n_weights][order[:n_weights] > 0]
        )
        assert_array_equal(row[kept.columns[part]], kept.values[part])
        rest = np.delete(row, kept.columns[part])
        assert kept.cutoff[target] == np.abs(rest).max(initial=0)
        if len(rest):
            assert_allclose(kept.left_out[target], np.sqrt((rest**2).mean()))
        share = np.abs(kept.values[part]).sum() / size.sum() if size.any() else 1
        assert_allclose(kept.share[target], share)
    whole = np.abs(weights).sum()
    assert_allclose(kept.total_share, np.abs(kept.values).sum() / whole if whole else 1)


def test_errors_follow_the_weights():
    weights = np.array([[0.0, 3.0, -5.0], [1.0, 0.0, 0.0]])
    errors = np.arange(6.0).reshape(2, 3)
    for given_ in (errors, csr_array(errors)):
        for some in (weights, csr_array(weights)):
            kept = LargestWeights.of(some, 2, given_)
            assert_array_equal(kept.columns, [2, 1, 0, 2])
            assert_array_equal(kept.values, [-5, 3, 1, 0])
            assert_array_equal(kept.errors, [2, 1, 3, 5])
            assert_array_equal(kept.cutoff, [0, 0])
            assert_allclose(kept.left_out, [0, 4])
            assert_array_equal(kept.largest_columns(2), [0, 1, 2])
            assert_array_equal(LargestWeights.of(some[1:], 2).columns, [0])


def test_columns_of_zero_weights_are_not_needed():
    kept = LargestWeights.of(np.array([[0.0, 3.0, 0.0]]), 3, np.ones((1, 3)))
    assert_array_equal(kept.columns, [1, 0, 2])
    assert_array_equal(kept.largest_columns(3), [1])


def test_columns_of_the_largest():
    kept = LargestWeights.of(np.array([[1.0, 3.0, -5.0], [1.0, 0.0, 0.0]]), 3)
    assert_array_equal(kept.largest_columns(1), [0, 2])
    assert_array_equal(kept.largest_columns(2), [0, 1, 2])


def test_weights_of_an_estimator():
    X = np.random.default_rng(0).normal(size=(9, 4))
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, X[:, 0])
    weights, info, quality = check_weights(model)
    assert_array_equal(weights, model[-1].coef_[None])
    assert info is None
    assert quality is None
    X, Y = X > 0, np.random.default_rng(1).normal(size=(9, 2))
    datamodels = DatamodelRegressor(lam=0.1, penalty="l2").fit(X.astype(float), Y)
    assert check_weights(datamodels)[2] is datamodels.held_out_r2_
    with pytest.raises(ValueError, match="weights contains NaN"):
        check_weights([[np.nan]])


def test_errors_of_targets_or_of_weights():
    one = np.ones(3)
    for given_, expected in ((None, (0, 0)), (one, (1, 0)), (np.ones((3, 2)), (0, 1))):
        found = check_errors(given_, (3, 2))
        assert tuple(part is not None for part in found) == tuple(map(bool, expected))


def test_number_of_weights_follows_the_room():
    few = choose_n_weights(np.empty((2000, 10000)), 0, 15_000_000)
    assert 0.9 * 7_500_000 < 2000 * few * 6 * 4 / 3 <= 7_500_000
    assert choose_n_weights(np.empty((20, 100)), 4, 15_000_000) == 100


def test_map_puts_together_what_hangs_on_the_same_rows():
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1], 10)
    weights = rng.normal(size=(2, 50))[kind] * rng.uniform(1, 9, size=(20, 1))
    weights += 0.1 * rng.normal(size=weights.shape)
    places = make_map(weights)
    for given_ in (csr_array(weights), weights):
        assert_allclose(make_map(given_), places, atol=1e-6)
    centres = np.array([places[kind == k].mean(axis=0) for k in (0, 1)])
    gap = np.linalg.norm(centres[0] - centres[1])
    assert np.linalg.norm(places - centres[kind], axis=1).max() < 0.2 * gap


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (2, 5), (1, 1)])
def test_map_of_few_targets(shape):
    places = make_map(np.zeros(shape))
    assert places.shape == (shape[0], 2)
    assert np.isfinite(places).all()
