"""Effects of supports: sums of weights, and the winner's curse by simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdatamodels import DatamodelRegressor, sample_masks
from skdatamodels.applications import support_effects
from skdatamodels.datasets import make_linear_runs
from skdatamodels.inference import infer_weights


def halves(seed, m=200, d=60, n=8):
    """Return inferences on two halves of the runs, and the true weights."""
    rng = np.random.default_rng(seed)
    masks = sample_masks(2 * m, d, 0.5, random_state=seed)
    coef = rng.standard_normal((n, d))
    outputs = masks.dot(coef.T)
    outputs += 2 * outputs.std(axis=0) * rng.standard_normal(outputs.shape)
    found = []
    for part in (slice(m), slice(m, 2 * m)):
        model = DatamodelRegressor(10.0, penalty="l2")
        model.fit(masks[part], outputs[part])
        found.append(infer_weights(model, masks[part], outputs[part]))
    return *found, coef - coef.mean(axis=1, keepdims=True)


def test_effects_are_those_of_removal():
    inference, *_ = halves(0)
    supports = [[3, 1], [], None, [7], [0, 2, 4], [5], [1], [59]]
    effects = support_effects(supports, inference)
    for target, support in enumerate(supports):
        if support is None:
            assert np.isnan(effects.estimate[target]).all()
            assert np.isnan(effects.interval()[target]).all()
            continue
        sets = np.isin(np.arange(60), support)
        expected = inference.effect_of_removal(sets)
        assert_allclose(effects.interval()[target], expected.interval()[target])
    assert effects.centred


def test_other_runs_are_honest_and_the_same_are_not():
    inside = {"same": [], "other": []}
    for seed in range(40):
        same, other, true = halves(seed)
        supports = list(np.argsort(-same.estimate, axis=1)[:, :6])
        effect = -np.take_along_axis(true, np.array(supports), 1).sum(axis=1)
        for name, inference in (("same", same), ("other", other)):
            low, high = support_effects(supports, inference).interval()[:, 0].T
            inside[name].append((low < effect) & (effect < high))
    assert 0.92 < np.mean(inside["other"]) < 0.98
    assert np.mean(inside["same"]) < 0.5


def test_wrong_supports():
    inference, *_ = halves(0)
    with pytest.raises(TypeError, match="inference must be a WeightInference"):
        support_effects([None], inference.estimate)
    with pytest.raises(ValueError, match="There are 2 supports"):
        support_effects([None, None], inference)
    with pytest.raises(ValueError, match="support of target 1 must be training"):
        support_effects([None, [60], *[None] * 6], inference)


@pytest.mark.parametrize("support", [np.arange(30) < 3, [1.5], [[0, 1]], [99]])
def test_supports_are_positions(support):
    runs, _ = make_linear_runs(100, n_train=30, n_targets=2)
    inference = infer_weights(DatamodelRegressor(0.1, penalty="l2").fit(runs), runs)
    with pytest.raises(ValueError, match="support of target 1 must be training ex"):
        support_effects([[0, 1], support], inference)
