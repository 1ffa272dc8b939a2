import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from skdatamodels.datasets import load_digits_examples, make_linear_runs


@pytest.mark.parametrize("n_train", [1200, 400])
def test_digits(n_train):
    X, y = load_digits(return_X_y=True)
    train, targets = load_digits_examples(n_train)
    assert train.X.shape == (n_train, 64)
    assert targets.X.shape == (1797 - n_train, 64)
    ids = np.concatenate([train.ids, targets.ids])
    assert_array_equal(np.sort(ids), np.arange(1797))  # all, none in both
    for part in (train, targets):
        assert_array_equal(part.y, y[part.ids])
        assert_allclose(part.X, X[part.ids] / 16)
        assert part.X.min() == 0
        assert part.X.max() == 1
        # in proportion, to one example
        share = np.bincount(y) / 1797 * len(part)
        assert abs(np.bincount(part.y) - share).max() < 1.5


def test_digits_depend_on_random_state_alone():
    prints = [part.fingerprint for part in load_digits_examples(1200, random_state=0)]
    again = [part.fingerprint for part in load_digits_examples()]
    assert again == prints
    other, _ = load_digits_examples(random_state=1)
    assert other.fingerprint != prints[0]


@pytest.mark.parametrize("n_train", [5, 1795])
def test_digits_without_a_class(n_train):
    with pytest.raises(ValueError, match="number of classes"):
        load_digits_examples(n_train)


def test_least_squares_recovers_the_weights():
    """Each output is mask · coef + noise: so is the least-squares estimate's error."""
    noise, n_runs = 0.1, 2000
    runs, coef = make_linear_runs(n_runs, 30, 4, alpha=0.4, noise=noise, random_state=3)
    masks, outputs = runs.masks.astype(float), runs.outputs
    assert outputs.dtype == np.float32
    estimate, *_ = np.linalg.lstsq(masks, outputs, rcond=None)
    errors = noise * np.sqrt(np.diag(np.linalg.inv(masks.T @ masks)))
    assert (abs(estimate - coef.T) < 5 * errors[:, None]).all()
    residuals = outputs - masks @ coef.T
    # the standard deviation's own error is σ/√(2·8000)
    assert residuals.std() == pytest.approx(noise, rel=4 / np.sqrt(2 * residuals.size))


def test_without_noise_outputs_are_linear():
    runs, coef = make_linear_runs(50, 40, 2, noise=0, n_informative=40)
    assert_allclose(runs.outputs, runs.masks @ coef.T, rtol=1e-6, atol=1e-6)


def test_shapes_sparsity_and_subset_sizes():
    runs, coef = make_linear_runs(60, 21, 5, alpha=0.3, n_informative=4)
    assert runs.shape == (60, 21)
    assert runs.outputs.shape == (60, 5)
    assert (runs.masks.sum(axis=1) == 6).all()
    assert ((coef != 0).sum(axis=1) == 4).all()
    assert len({tuple(np.flatnonzero(row)) for row in coef}) > 1
    assert not make_linear_runs(n_informative=0)[1].any()


def test_linear_runs_depend_on_random_state():
    first, coef = make_linear_runs(random_state=4)
    again, same = make_linear_runs(random_state=4)
    assert_array_equal(first.masks, again.masks)
    assert_array_equal(first.outputs, again.outputs)
    assert_array_equal(coef, same)
    other, different = make_linear_runs(random_state=5)
    assert (other.masks != first.masks).any()
    assert (different != coef).any()


def test_wrong_parameters():
    with pytest.raises(ValueError, match="n_informative=6 is above n_train=5"):
        make_linear_runs(n_train=5, n_informative=6)
    with pytest.raises(ValueError, match="between 0 and 1"):
        make_linear_runs(alpha=1)
