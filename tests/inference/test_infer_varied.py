"""infer_varied, against known weights, enumeration and least squares."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.inference import infer_varied, infer_weights
from skdatamodels.masks._varied import sample_varied_masks

VARY = np.array([2, 3, 7])


def make_runs(n_runs=60, n_train=30, columns=VARY, *, noise=1.0, shared=3.0, seed=0):
    """Return runs of linear outputs, whose pairs share noise, and their weights."""
    rng = np.random.default_rng(seed)
    masks = sample_varied_masks(n_runs, n_train, columns, 0.5, random_state=seed)
    coef = np.random.default_rng(1).standard_normal((4, n_train))
    outputs = masks.dot(coef.T) + noise * rng.standard_normal((n_runs, 4))
    outputs += shared * rng.standard_normal((n_runs // 2, 4)).repeat(2, axis=0)
    return TrainingRuns(masks, outputs, seeds=np.arange(n_runs) // 2), coef[:, columns]


def test_weights_of_linear_outputs_are_exact_whatever_the_pairs_share():
    runs, coef = make_runs(noise=0.0)
    inference = infer_varied(runs)
    assert_allclose(inference.estimate, coef, atol=1e-10)
    assert_allclose(inference.standard_error, 0, atol=1e-10)


def test_estimates_and_errors_are_those_of_least_squares():
    runs, _ = make_runs(50)
    inference = infer_varied(runs)
    masks, outputs = runs.masks.astype(float), runs.outputs
    Z, d = (masks[::2] - masks[1::2])[:, VARY], outputs[::2] - outputs[1::2]
    for target in range(4):
        coef, squares = np.linalg.lstsq(Z, d[:, target], rcond=None)[:2]
        covariance = squares / (25 - 3) * np.linalg.inv(Z.T @ Z)
        assert_allclose(inference.estimate[target], coef)
        error = np.sqrt(np.diagonal(covariance))
        assert_allclose(inference.standard_error[target], error)
    assert_array_equal(inference.freedom, 22)
    assert_array_equal(inference.player_ids, VARY)


@pytest.mark.filterwarnings("ignore:4 of 4 targets have no standard errors")
@pytest.mark.parametrize("n_runs", [14, 60])
def test_intervals_cover_as_often_as_they_say(n_runs):
    covered = []
    for seed in range(300):
        runs, coef = make_runs(n_runs, seed=seed)
        low, high = np.moveaxis(infer_varied(runs).interval(0.9), -1, 0)
        if not np.isnan(low).any():  # the signs of two rows agree by chance
            covered.append((low < coef) & (coef < high))
    assert len(covered) > 200
    # weights of one simulation are nearly independent
    assert abs(np.mean(covered) - 0.9) < 4 * np.sqrt(0.09 / np.size(covered))


def test_the_weight_is_the_mean_effect_over_subsets():
    # of all subsets of the design, by enumeration, with outputs of high order
    n, vary = 6, [1, 4]
    rng = np.random.default_rng(0)
    table = rng.standard_normal((2,) * n)
    truth = []
    for column in vary:
        effects = []
        for mask in product((0, 1), repeat=n):
            others = [mask[i] for i in range(n) if i not in vary]
            if sum(others) == 2 and mask[column] == 1:
                without = list(mask)
                without[column] = 0
                effects.append(table[mask] - table[tuple(without)])
        truth.append(np.mean(effects))

    def learner(rows, seed):
        return [table[tuple(np.isin(np.arange(n), rows).astype(int))]]

    train, targets = Examples(np.eye(n), np.zeros(n)), Examples(np.eye(n)[:1], [0])
    trainer = SubsetTrainer(learner, train, targets, vary=vary, random_state=0)
    inference = infer_varied(trainer.fit_transform(np.arange(8000)))
    z = (inference.estimate[0] - truth) / inference.standard_error[0]
    assert abs(z).max() < 4
    assert inference.standard_error.max() < 0.04


def test_intervals_cover_if_the_varying_rows_interact():
    columns = np.arange(4)
    covered = []
    for seed in range(300):
        masks = sample_varied_masks(60, 12, columns, 0.5, random_state=seed).dense()
        S, rest = masks[:, :4].astype(float), masks[:, 4:8].astype(float)
        signs = 2 * S - 1
        outputs = S @ [1.0, -1.0, 0.5, 0.0] + signs[:, :3].prod(axis=1)
        outputs += 2 * signs[:, 2] * signs[:, 3]  # cancels
        outputs += (signs * (2 * rest - 1)).sum(axis=1)
        runs = TrainingRuns(masks, outputs[:, None], seeds=np.arange(60) // 2)
        low, high = np.moveaxis(infer_varied(runs).interval(0.9), -1, 0)
        truth = [1.0, -1.0, 0.5, 0.0]
        covered.append((low < truth) & (truth < high))
    assert abs(np.mean(covered) - 0.9) < 4 * np.sqrt(0.09 / np.size(covered))


@pytest.mark.parametrize("n_pairs", [20, 60])
def test_intervals_cover_the_weight_of_a_row_if_three_others_interact(n_pairs):
    covered = []
    for seed in range(500):
        masks = sample_varied_masks(
            2 * n_pairs, 12, np.arange(4), 0.5, random_state=seed
        )
        signs = np.where(masks.dense()[:, :4], 1.0, -1.0)
        outputs = signs[:, :3].prod(axis=1, keepdims=True)
        runs = TrainingRuns(masks, outputs, seeds=np.arange(2 * n_pairs) // 2)
        low, high = infer_varied(runs).interval(0.95)[0, 3]
        covered.append(low <= 0 <= high)
    assert abs(np.mean(covered) - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / 500)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_effect_without_noise_is_certain(dtype):
    masks = sample_varied_masks(40, 12, np.arange(3), 0.5)
    first = masks.dense()[:, 0]
    shared = np.random.default_rng(0).standard_normal(20).repeat(2)
    outputs = np.stack([0.0 - first, shared - 0.1 * first, shared], axis=1)
    runs = TrainingRuns(masks, outputs.astype(dtype), seeds=np.arange(40) // 2)
    inference = infer_varied(runs)
    assert_allclose(inference.estimate[:2, 0], [-1, -0.1], rtol=1e-6)
    assert_array_equal(inference.estimate[:, 1:], 0)
    assert_array_equal(inference.standard_error[:, 1:], 0)
    assert_allclose(inference.p_value[:2, 0], 0, atol=1e-12)
    only = [[True, False, False], [True, False, False], [False] * 3]
    for scope in ("target", "all"):
        assert_array_equal(inference.select(scope=scope), only)
    less = inference.select(alternative="less")
    assert_array_equal(less, only)
    assert not inference.select(alternative="greater").any()
    assert_allclose(inference.adjusted_interval()[0, 0], [-1, -1])
    assert "2 weights of 2 of 3 targets are distinguishable" in repr(inference)
    # an effect of 0 without noise is not tested
    assert np.isnan(inference.p_value[:, 1:]).all()


def test_errors_are_smaller_than_those_of_ordinary_runs_if_pairs_share_noise():
    runs, _ = make_runs(200, 20)
    varied = infer_varied(runs).standard_error
    masks = runs.masks.copy()
    rng = np.random.default_rng(0)
    masks = np.array([rng.permutation(row) for row in masks])
    coef = np.random.default_rng(1).standard_normal((4, 20))
    outputs = masks @ coef.T + np.sqrt(10) * rng.standard_normal((200, 4))
    model = DatamodelRegressor(random_state=0).fit(masks, outputs)
    ordinary = infer_weights(model, masks, outputs).standard_error
    # noise of variance 1 instead of 1 + 3², on pairs that are as many observations
    assert varied.mean() < 0.5 * ordinary.mean()


def test_order_of_the_runs_does_not_matter():
    runs, _ = make_runs()
    shuffled = runs[np.random.default_rng(0).permutation(60)]
    one, other = infer_varied(runs), infer_varied(shuffled)
    assert_allclose(one.estimate, other.estimate)
    assert_allclose(one.standard_error, other.standard_error)


def test_pairs_without_an_output_and_pairs_that_saw_the_target_do_not_count():
    runs, _ = make_runs()
    outputs = runs.outputs.copy()
    outputs[5, 1] = np.nan
    outputs[40:, 2] = np.nan
    runs = TrainingRuns(runs.packed, outputs, seeds=runs.seeds)
    exclude = np.array([-1, -1, -1, 9])
    inference = infer_varied(runs, exclude=exclude)
    saw = runs.masks[:, 9]
    assert_array_equal(inference.freedom, [27, 26, 17, 30 - saw[::2].sum() - 3])
    alone = infer_varied(
        TrainingRuns(
            runs.packed[np.flatnonzero(~saw)],
            outputs[~saw][:, [3]],
            seeds=runs.seeds[~saw],
        )
    )
    assert_allclose(inference.estimate[3], alone.estimate[0])
    assert_allclose(inference.standard_error[3], alone.standard_error[0])


def test_a_target_that_varies_has_no_weights():
    runs, coef = make_runs(noise=0.0)
    with pytest.warns(UserWarning, match="1 of 4 targets have no standard errors"):
        inference = infer_varied(runs, exclude=[-1, 3, -1, -1])
    assert np.isnan(inference.standard_error[1]).all()
    assert np.isnan(inference.p_value[1]).all()
    assert_array_equal(inference.estimate[1], 0)
    assert not inference.select()[1].any()
    assert_allclose(inference.estimate[[0, 2, 3]], coef[[0, 2, 3]], atol=1e-10)
    assert "No interval for 1 targets" in repr(inference)


def test_effect_of_removal_of_some_of_them():
    runs, coef = make_runs(400)
    effects = infer_varied(runs).effect_of_removal([[1, 1, 0]])
    truth = -coef[:, :2].sum(axis=1)
    assert (
        abs(effects.estimate[:, 0] - truth) < 4 * effects.standard_error[:, 0]
    ).all()
    z = stats.norm.ppf(0.975)
    half = np.diff(effects.interval(0.95)[:, 0])[:, 0] / 2
    assert_allclose(half, z * effects.standard_error[:, 0], rtol=0.02)


def test_other_runs_are_refused():
    runs, _ = make_runs()
    with pytest.raises(TypeError, match="must be TrainingRuns, got ndarray"):
        infer_varied(runs.masks)
    with pytest.raises(ValueError, match="These runs are not pairs"):
        infer_varied(runs[:-1])
    with pytest.raises(ValueError, match="These runs are not pairs"):
        infer_varied(TrainingRuns(runs.packed, runs.outputs))
    with pytest.raises(ValueError, match=r"3 examples vary in 4 pairs .* 10 runs"):
        infer_varied(runs[:8])
    with pytest.raises(ValueError, match="exclude must be 4 integers"):
        infer_varied(runs, exclude=[1])


def test_infer_weights_refuses_them():
    runs, _ = make_runs(200)
    model = DatamodelRegressor(0.1).fit(runs)
    with pytest.raises(ValueError, match=r"Use infer_varied\(runs\) instead"):
        infer_weights(model, runs)
