"""Intervals, selections and effects of removal, compared with scipy and algebra."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_matrix

from skdatamodels import DatamodelRegressor, TrainingRuns, sample_masks
from skdatamodels.datasets import make_linear_runs
from skdatamodels.inference import WeightInference, infer_weights


def make(n=6, d=40, fixed=True, seed=0):
    """Return an inference with some large weights, strata and excluded examples."""
    rng = np.random.default_rng(seed)
    stratum = np.arange(d) % 2
    estimate = rng.standard_normal((n, d)) * (1 + 4 * (rng.random((n, d)) < 0.2))
    exclude = np.resize([-1, 3, 8], n)
    return WeightInference(
        estimate,
        rng.uniform(0.8, 1.2, (n, 2)),
        rng.uniform(5, 100, n),
        stratum,
        np.array([d / 2, d / 2]) if fixed else None,
        exclude,
    )


def selected_by_scipy(p, fdr, method):
    known = ~np.isnan(p)
    found = np.zeros(p.shape, bool)
    found[known] = stats.false_discovery_control(p[known], method=method) <= fdr
    return found


@pytest.mark.parametrize("method", ["bh", "by"])
@pytest.mark.parametrize("fdr", [0.01, 0.1, 0.5])
def test_selections_are_those_of_scipy(method, fdr):
    inference = make()
    p = inference.p_value
    expected = np.array([selected_by_scipy(row, fdr, method) for row in p])
    np.testing.assert_array_equal(inference.select(fdr, method=method), expected)
    found = inference.select(fdr, method=method, scope="all")
    np.testing.assert_array_equal(found, selected_by_scipy(p, fdr, method))
    assert fdr < 0.1 or found.any()


def test_blocks_of_a_selection_make_no_difference(monkeypatch):
    inference = make()
    whole = inference.select(scope="all"), inference.select()
    monkeypatch.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 1)
    np.testing.assert_array_equal(inference.select(scope="all"), whole[0])
    np.testing.assert_array_equal(inference.select(), whole[1])


def test_intervals_contain_zero_where_p_values_are_large():
    inference = make()
    low, high = np.moveaxis(inference.interval(0.8), -1, 0)
    known = np.isfinite(low)
    assert known.sum() == 6 * 40 - 4
    contains = (low < 0) & (high > 0)
    np.testing.assert_array_equal(contains[known], (inference.p_value > 0.2)[known])
    expected = stats.t.interval(
        0.8, inference.freedom[0], inference.estimate[0, 0], inference.scale[0, 0]
    )
    plain = make(fixed=False)
    np.testing.assert_allclose(plain.interval(0.8)[0, 0], expected)
    ratio = inference.standard_error[:2, 1] / inference.scale[:2, 1]
    np.testing.assert_allclose(ratio**2, [19 / 20, 18 / 19])  # 3 is in its stratum


@pytest.mark.parametrize("fixed", [True, False])
def test_effects_of_removal_have_the_variance_of_the_sum(fixed):
    inference, rng = make(fixed=fixed), np.random.default_rng(1)
    estimate = inference.estimate.copy()
    estimate[np.isnan(inference.standard_error)] = 0
    inference = WeightInference(estimate, *list(vars(inference).values())[1:6])
    sets = rng.random((5, 40)) < 0.3
    sets[0] = np.arange(40) == 7
    effects = inference.effect_of_removal(sets)
    np.testing.assert_allclose(effects.estimate, -estimate @ sets.T)
    for j, row in enumerate(sets.astype(float)):
        for t in range(len(inference)):
            present = np.arange(40) != inference.exclude[t]
            covariance = np.zeros((40, 40))
            for c in range(2):
                own = np.flatnonzero((inference.stratum == c) & present)
                block = np.eye(len(own)) - fixed / len(own)
                covariance[np.ix_(own, own)] = block * inference.scale[t, c] ** 2
            expected = np.sqrt(row @ covariance @ row)
            np.testing.assert_allclose(effects.standard_error[t, j], expected)
    np.testing.assert_allclose(
        effects.standard_error[:, 0], inference.standard_error[:, 7]
    )
    np.testing.assert_allclose(effects.p_value[:, 0], inference.p_value[:, 7])
    np.testing.assert_allclose(
        effects.interval()[:, 0, 0], -inference.interval()[:, 7, 1]
    )


def test_intervals_of_removal_cover():
    runs, coef = make_linear_runs(300, 60, 30, noise=1.0, n_informative=20)
    inference = infer_weights(DatamodelRegressor(random_state=0).fit(runs), runs)
    sets = np.random.default_rng(0).random((20, 60)) < 0.2
    effects = inference.effect_of_removal(sets)
    truth = -(coef - coef.mean(axis=1, keepdims=True)) @ sets.T
    low, high = np.moveaxis(effects.interval(0.9), -1, 0)
    assert abs(((low < truth) & (truth < high)).mean() - 0.9) < 0.05


def white_errors(Z, y, sums):
    """Return errors of sums of least-squares weights, residuals of any size (HC3)."""
    inverse = np.linalg.pinv(Z)
    residual = (y - Z @ inverse @ y) / (1 - (Z * inverse.T).sum(axis=1))
    return np.sqrt(((sums @ inverse * residual) ** 2).sum(axis=1))


@pytest.mark.parametrize(
    ("design", "alpha"),
    [
        *product(["bernoulli", "uniform", "stratified"], [0.25, 0.5]),
        ("complementary", 0.5),
    ],
)
def test_errors_of_removals_of_rows_that_interact(design, alpha):
    # One of the first four rows is enough: without them all, residuals are large.
    m, d = 2000, 12
    strata = np.arange(d) % 2 if design == "stratified" else np.zeros(d, int)
    masks = sample_masks(m, d, alpha, design=design, y=strata, random_state=0)
    Z, seeds = masks.dense().astype(float), np.arange(m)
    y = 4 * Z[:, :4].any(axis=1) + np.random.default_rng(0).standard_normal(m) / 2
    sets = np.arange(d) < np.array([[4], [6]])
    if design == "complementary":
        seeds, Z_of_runs, y_of_runs = seeds // 2, Z[::2] - Z[1::2], y[::2] - y[1::2]
    else:
        Z_of_runs, y_of_runs = Z - Z.mean(axis=0), y - y.mean()
    sums = sets.astype(float)
    if design != "bernoulli":  # compared with typical rows
        for own in (strata == c for c in np.unique(strata)):
            sums[:, own] -= sums[:, own].mean(axis=1, keepdims=True)
    expected = white_errors(Z_of_runs, y_of_runs, sums)

    runs = TrainingRuns(masks, y[:, None], seeds=seeds)
    model = DatamodelRegressor(1e-6, penalty="l2").fit(runs)
    of = strata if design == "stratified" else None
    inference = infer_weights(model, runs, strata=of)
    effects = inference.effect_of_removal(sets)
    np.testing.assert_allclose(effects.standard_error[0], expected, rtol=0.12)


@pytest.mark.parametrize(
    ("design", "alpha"), [("bernoulli", 0.25), ("uniform", 0.25), ("uniform", 0.5)]
)
def test_the_error_of_one_removal_is_that_of_the_weight(design, alpha):
    masks = sample_masks(200, 16, alpha, design=design, random_state=0)
    outputs = np.random.default_rng(0).standard_normal((200, 20))
    outputs[:, ::2] *= 1 + masks.dense()[:, :10]  # some residuals depend on the mask
    model = DatamodelRegressor(1e-6, penalty="l2").fit(masks, outputs)
    inference = infer_weights(model, masks, outputs)
    found = inference.effect_of_removal(np.eye(16)).standard_error
    np.testing.assert_allclose(found, inference.standard_error, rtol=1e-6)


@pytest.mark.parametrize("design", ["uniform", "stratified", "complementary"])
def test_errors_of_removals_beside_an_excluded_row(design, monkeypatch):
    # the same as on runs without this row, whose masks lack its column
    m, d = 400, 12
    strata = np.arange(d) % 2 if design == "stratified" else None
    masks = sample_masks(m, d, 0.5, design=design, y=strata, random_state=0)
    Z, rng = masks.dense(), np.random.default_rng(0)
    y = 4 * Z[:, :4].any(axis=1)[:, None] + rng.standard_normal((m, 3)) / 2
    seeds = np.arange(m) // 2
    sets = np.vstack([np.eye(d)[5], np.ones(d), np.arange(d) < 4, rng.random(d)])
    exclude = np.array([5, -1, 2])
    model = DatamodelRegressor(1e-6, penalty="l2", exclude=exclude)
    inference = infer_weights(
        model.fit(Z, y), TrainingRuns(masks, y, seeds=seeds), strata=strata
    )
    found = inference.effect_of_removal(sets).standard_error
    with monkeypatch.context() as patch:
        patch.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 1)
        in_blocks = inference.effect_of_removal(sets).standard_error
    np.testing.assert_allclose(in_blocks, found, rtol=1e-12, atol=1e-12)
    for target, column in enumerate(exclude):
        rows, others = ~Z[:, column] | (column < 0), np.arange(d) != column
        runs = TrainingRuns(
            Z[rows][:, others], y[rows, target, None], seeds=seeds[rows]
        )
        alone = DatamodelRegressor(1e-6, penalty="l2").fit(runs)
        of = None if strata is None else strata[others]
        expected = infer_weights(alone, runs, strata=of).effect_of_removal(
            sets[:, others]
        )
        np.testing.assert_allclose(found[target], expected.standard_error[0], rtol=1e-4)


def test_intervals_of_removals_of_rows_that_interact_cover():
    d, inside, sets = 12, [], np.arange(12) < 5
    for seed in range(60):
        masks = sample_masks(400, d, 0.5, design="bernoulli", random_state=seed)
        any_of_five = 4.0 * masks.dense()[:, :5].any(axis=1)
        noise = np.random.default_rng(seed).standard_normal(400) / 2
        runs = TrainingRuns(masks, (any_of_five + noise)[:, None])
        inference = infer_weights(DatamodelRegressor(0.02).fit(runs), runs)
        low, high = inference.effect_of_removal(sets).interval()[0, 0]
        truth = -5 * 4 * 0.5**4  # five times minus d E[output] / d alpha_i
        inside.append(low < truth < high)
    assert 0.88 < np.mean(inside) < 1  # .68 if errors of weights were independent


def test_false_discoveries_are_few():
    runs, coef = make_linear_runs(400, 100, 30, noise=1.0, n_informative=10)
    inference = infer_weights(DatamodelRegressor(random_state=0).fit(runs), runs)
    selected = inference.select(fdr=0.1, scope="all")
    assert (selected & (coef == 0)).sum() < 0.15 * selected.sum()
    assert selected[abs(coef) > 1].mean() > 0.9


def test_it_says_how_many_are_distinguishable():
    runs, _ = make_linear_runs(200, 30, 12, noise=0.3)
    model = DatamodelRegressor(random_state=0).fit(runs)
    inference = infer_weights(model, runs)
    n = inference.select(0.1, scope="all").sum()
    text = f"{n} weights of 12 of 12 targets are distinguishable from a typical one at"
    assert text in repr(inference)
    noise = np.random.default_rng(0).standard_normal((200, 12))
    nothing = infer_weights(DatamodelRegressor(0.05).fit(runs, noise), runs, noise)
    assert not nothing.select(0.1, scope="all").any()
    assert "No training example is distinguishable from a typical one at FDR 0.1" in (
        repr(nothing)
    )


def test_wrong_arguments():
    inference = make()
    for params in ({"fdr": 0}, {"method": "bonferroni"}, {"scope": "row"}):
        with pytest.raises(ValueError, match=next(iter(params))):
            inference.select(**params)
    with pytest.raises(ValueError, match="confidence"):
        inference.interval(95)
    with pytest.raises(ValueError, match="a column for each of the 40"):
        inference.effect_of_removal(np.ones((1, 5)))


def test_adjusted_intervals_exclude_zero_where_selected():
    inference = make()
    low, high = np.moveaxis(inference.adjusted_interval(0.1), -1, 0)
    np.testing.assert_array_equal((low > 0) | (high < 0), inference.select(0.1))
    # Benjamini and Yekutieli: the level of the selected ones is 1 - fdr k / n
    selected = selected_by_scipy(inference.p_value[0], 0.1, "bh").sum()
    assert selected > 1
    expected = inference.interval(1 - 0.1 * selected / 40)
    np.testing.assert_allclose(low[0], expected[0, :, 0])
    none = make_noise()
    assert not none.select(0.1).any()
    expected = none.interval(1 - 0.1 / 40)
    np.testing.assert_allclose(none.adjusted_interval(0.1), expected)


def make_noise():
    estimate = np.linspace(-1.5, 1.5, 40)[None]
    return WeightInference(
        estimate, np.ones((1, 1)), np.full(1, 50.0), np.zeros(40, int)
    )


def test_factors_are_checked():
    inference = replace(make(), noise=np.ones((6, 9)))
    with pytest.raises(ValueError, match="not known how the errors"):
        make().combine(np.ones(6))
    for factors in (np.ones(5), np.full(6, np.nan)):
        with pytest.raises(ValueError, match="factors must have one finite number"):
            inference.combine(factors)


@pytest.mark.parametrize("scope", ["target", "all"])
def test_one_side_is_selected_by_one_sided_p_values(scope):
    inference = make()
    z, freedom = inference.z_score, inference.freedom[:, None]
    for side, p in (
        ("greater", stats.t.sf(z, freedom)),
        ("less", stats.t.cdf(z, freedom)),
    ):
        rows = [p] if scope == "all" else p
        expected = np.reshape(
            [selected_by_scipy(row, 0.1, "bh") for row in rows], z.shape
        )
        found = inference.select(0.1, scope=scope, alternative=side)
        np.testing.assert_array_equal(found, expected)
        assert found.any()
        if scope == "target":
            low, high = np.moveaxis(
                inference.adjusted_interval(0.1, alternative=side), -1, 0
            )
            np.testing.assert_array_equal(
                low > 0 if side == "greater" else high < 0, found
            )


@pytest.mark.parametrize("fixed", [True, False])
def test_the_level_is_that_of_the_weights(fixed):
    inference, weights = make(fixed=fixed), 3 + np.arange(240.0).reshape(6, 40)
    own = inference.exclude >= 0
    weights[own, inference.exclude[own]] = 0
    found = inference.with_level_of(csr_matrix(weights)).estimate
    known = np.isfinite(inference.standard_error)
    for row, was, now, there in zip(
        weights, inference.estimate, found, known, strict=True
    ):
        for stratum in range(2):
            of_stratum = there & (np.arange(40) % 2 == stratum)
            level = row[of_stratum].mean() if fixed else 0
            np.testing.assert_allclose(now[of_stratum], was[of_stratum] + level)
