"""Knockoffs: the threshold by its definition, few false discoveries, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdatamodels import DatamodelRegressor, TrainingRuns, sample_masks
from skdatamodels.inference import knockoff_filter
from skdatamodels.inference._knockoffs import knockoff_selection


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=40), st.sampled_from([0.1, 0.3])
)
def test_threshold_is_the_least_that_keeps_the_rate(values, fdr):
    W = np.array(values, float)
    expected = np.zeros(len(W), bool)
    for t in np.unique(abs(W[W != 0])):
        if (1 + (-t >= W).sum()) / max((t <= W).sum(), 1) <= fdr:
            expected = t <= W
            break
    np.testing.assert_array_equal(knockoff_selection(W[None], fdr)[0], expected)


def make(m=300, d=60, n=10, design="bernoulli"):
    rng, masks = np.random.default_rng(0), sample_masks(m, d, 0.5, design=design)
    coef = np.zeros((n, d))
    coef[:, ::3] = rng.choice([-1, 1], (n, 20))
    outputs = masks.dot(coef.T) + rng.standard_normal((m, n))
    return TrainingRuns(masks, outputs), coef


@pytest.mark.parametrize("sparse", [False, True])
def test_false_discoveries_are_few(sparse):
    runs, coef = make()
    regressor = DatamodelRegressor(sparse=sparse, random_state=0)
    selected = knockoff_filter(regressor, runs, fdr=0.2, random_state=0)
    false = (selected & (coef == 0)).sum(axis=1) / np.maximum(selected.sum(axis=1), 1)
    assert false.mean() < 0.25
    assert selected[coef != 0].mean() > 0.9
    again = knockoff_filter(regressor, runs, fdr=0.2, random_state=0)
    np.testing.assert_array_equal(selected, again)


def test_noise_selects_nothing():
    runs, _ = make()
    noise = np.random.default_rng(1).standard_normal((300, 10))
    regressor = DatamodelRegressor(random_state=0)
    selected = knockoff_filter(regressor, runs.masks, noise, random_state=0)
    assert selected.any(axis=1).sum() <= 3


def test_what_has_no_knockoffs_is_refused():
    runs, coef = make(m=60)
    uniform, pairs = make(60, design="uniform")[0], make(60, design="orthogonal")[0]
    for wrong in (uniform, pairs):
        with pytest.raises(ValueError, match="need subsets of the Bernoulli design"):
            knockoff_filter(DatamodelRegressor(), wrong)
    with pytest.raises(ValueError, match="Set prior=None"):
        knockoff_filter(DatamodelRegressor(prior=coef), runs)
    with pytest.raises(ValueError, match="fdr"):
        knockoff_filter(DatamodelRegressor(), runs, fdr=2)
