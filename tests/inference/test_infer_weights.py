"""Debiased weights, compared with least squares, refits and known weights."""

import numpy as np
import pytest
from scipy import stats

from skdatamodels import DatamodelRegressor, TrainingRuns, sample_masks
from skdatamodels.inference import infer_weights
from skdatamodels.influence import DifferenceOfMeans


def make(m, d, design="uniform", alpha=0.5, n=5, k=None, heavy=False, seed=0):
    """Return runs with noise as large as the signal, and the true weights."""
    rng, y = np.random.default_rng(seed), np.arange(d) % 3
    masks = sample_masks(m, d, alpha, design=design, y=y, random_state=seed)
    coef = np.zeros((n, d))
    for row in coef:
        row[rng.permutation(d)[: k or d]] = rng.standard_normal(k or d)
    noise = rng.standard_t(3, (m, n)) if heavy else rng.standard_normal((m, n))
    seeds = np.arange(m)
    if design in ("complementary", "orthogonal"):
        seeds, noise[1::2] = seeds // 2, (noise[::2] + noise[1::2]) / 2
    outputs = masks.dot(coef.T)
    outputs += outputs.std(axis=0) * noise
    return TrainingRuns(masks, outputs, seeds=seeds), coef


def centred(coef, groups=None):
    groups = np.zeros(coef.shape[1], int) if groups is None else groups
    found = coef.copy()
    for g in np.unique(groups):
        found[:, groups == g] -= coef[:, groups == g].mean(axis=1, keepdims=True)
    return found


def least_squares(X, y):
    """Return weights, standard errors and degrees of freedom of OLS on columns X."""
    coef = np.linalg.lstsq(X, y, rcond=None)[0]
    freedom = len(X) - X.shape[1]
    variance = ((y - X @ coef) ** 2).sum(axis=0) / freedom
    diagonal = np.diagonal(np.linalg.inv(X.T @ X))
    return coef, np.sqrt(diagonal[:, None] * variance), freedom


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_without_a_penalty_it_is_least_squares(penalty):
    runs, _ = make(3000, 12, "bernoulli", 0.4)
    model = DatamodelRegressor(1e-9, penalty=penalty, tol=1e-8).fit(runs)
    inference = infer_weights(model, runs)
    X = np.column_stack([runs.masks, np.ones(3000)])
    coef, error, freedom = least_squares(X, runs.outputs)
    np.testing.assert_allclose(inference.estimate, coef[:12].T, atol=1e-3)
    np.testing.assert_allclose(inference.standard_error, error[:12].T, rtol=0.06)
    np.testing.assert_allclose(inference.freedom, freedom, atol=0.1)
    p_value = 2 * stats.t.sf(abs(coef / error), freedom)[:12].T
    small = p_value < 0.9  # the rest depends on the last digits of weights near 0
    np.testing.assert_allclose(inference.p_value[small], p_value[small], atol=0.06)


def test_pairs_are_regressions_of_differences():
    runs, _ = make(4000, 12, "complementary")
    inference = infer_weights(DatamodelRegressor(1e-9, penalty="l2").fit(runs), runs)
    first, second = runs[::2], runs[1::2]
    Z = first.masks - 0.5
    # the sum of a mask is constant: OLS of minimal norm is centred
    y = (first.outputs - second.outputs) / 2
    coef = np.linalg.pinv(Z) @ y
    np.testing.assert_allclose(inference.estimate, coef.T, atol=1e-3)
    variance = ((y - Z @ coef) ** 2).sum(axis=0) / (2000 - 11)
    error = np.sqrt(np.diagonal(np.linalg.pinv(Z.T @ Z))[:, None] * variance)
    np.testing.assert_allclose(inference.standard_error, error.T, rtol=0.08)


def test_complete_orthogonal_blocks_are_differences_of_means():
    runs, _ = make(80, 15, "orthogonal")  # two blocks of a matrix of order 20
    inference = infer_weights(DatamodelRegressor(random_state=0).fit(runs), runs)
    means = DifferenceOfMeans().fit(runs).coef_
    np.testing.assert_allclose(inference.estimate, means, atol=1e-6)
    y = (runs.outputs[::2] - runs.outputs[1::2]) / 2
    _, error, freedom = least_squares(runs.masks[::2] - 0.5, y)
    np.testing.assert_allclose(inference.standard_error, error.T, rtol=1e-5)
    np.testing.assert_array_equal(inference.freedom, freedom)


@pytest.mark.parametrize("design", ["uniform", "bernoulli"])
def test_fractions_have_intercepts_of_their_own(design):
    runs, _ = make(4000, 12, design, (0.3, 0.7))
    jump = 20 if design == "uniform" else 1
    Y = runs.outputs + jump * (np.arange(4000) % 2)[:, None]  # not linear in the size
    model = DatamodelRegressor(1e-9, penalty="l2").fit(runs, Y)
    alpha = np.resize([0.3, 0.7], 4000) if design == "bernoulli" else None
    inference = infer_weights(model, runs, Y, alpha=alpha)
    X = np.column_stack([runs.masks, np.eye(2)[np.arange(4000) % 2]])
    coef = (np.linalg.pinv(X) @ Y)[:12].T
    coef = centred(coef) if design == "uniform" else coef
    error = inference.standard_error
    assert abs(inference.estimate - coef).max() < error.max()
    residuals = Y - X @ np.linalg.pinv(X) @ Y
    closed = residuals.std(axis=0) / np.sqrt(4000 * 0.21)
    if design == "uniform":
        np.testing.assert_allclose(error.mean(axis=1), closed, rtol=0.2)


DESIGNS = {
    "uniform": {},
    "uniform, sparse": {"k": 5},
    "uniform, 0.1": {"alpha": 0.1},
    "uniform, heavy tails": {"heavy": True},
    "bernoulli": {"design": "bernoulli"},
    "stratified": {"design": "stratified"},
    "complementary": {"design": "complementary"},
    "balanced": {"design": "balanced"},
    "few runs": {"m": 50},
    "ridge": {"penalty": "l2"},
    "good prior": {"prior": 0.5, "penalty": "l2"},
    "good prior, lasso": {"prior": 0.5, "penalty": "l1"},
    "useless prior": {"prior": 100.0, "penalty": "l2"},
}


@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_cover_and_errors_are_standard_normal(name):
    params = {"m": 200, "design": "uniform", **DESIGNS[name]}
    prior, penalty = params.pop("prior", None), params.pop("penalty", "auto")
    runs, coef = make(d=100, n=40, **params)
    if prior is not None:
        noise = np.random.default_rng(1).standard_normal(coef.shape)
        prior = coef + prior * noise
    model = DatamodelRegressor(prior=prior, penalty=penalty, random_state=0).fit(runs)
    strata = np.arange(100) % 3 if params["design"] == "stratified" else None
    inference = infer_weights(model, runs, strata=strata)
    truth = coef if params["design"] == "bernoulli" else centred(coef, strata)
    low, high = np.moveaxis(inference.interval(0.9), -1, 0)
    # 4,000 weights: the share that is covered varies by .005 if they are independent
    assert abs(((low < truth) & (truth < high)).mean() - 0.9) < 0.02
    z = (inference.estimate - truth) / inference.standard_error
    assert abs(z.mean()) < 0.08
    assert 0.95 < z.std() < 1.1  # Student's t is wider


def test_p_values_without_effects_are_uniform():
    runs, coef = make(300, 100, n=20, k=10)
    coef -= coef.mean(axis=1, keepdims=True)
    noise = np.random.default_rng(3).standard_normal(runs.outputs.shape)
    model = DatamodelRegressor(0.02).fit(runs, noise)
    inference = infer_weights(model, runs, noise)
    assert stats.kstest(inference.p_value.ravel(), "uniform").pvalue > 0.01


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("design", ["uniform", "bernoulli", "complementary"])
def test_unknown_outputs_equal_fewer_runs(design, penalty):
    runs, _ = make(120, 40, design)
    usable = np.random.default_rng(0).random(runs.outputs.shape) < 0.8
    Y = np.where(usable, runs.outputs, np.nan)
    inference = infer(runs, Y, penalty)
    for j in range(2):
        rows = usable[:, j]
        alone = infer(runs[rows], Y[rows][:, [j]], penalty)
        # the fraction of the Bernoulli design is estimated from all runs
        tol = {"rtol": 1e-3 if design == "bernoulli" else 1e-6}
        np.testing.assert_allclose(inference.estimate[j], alone.estimate[0], **tol)
        np.testing.assert_allclose(inference.scale[j], alone.scale[0], **tol)
        np.testing.assert_allclose(inference.freedom[j], alone.freedom[0], **tol)


@pytest.mark.parametrize("design", ["uniform", "stratified", "complementary"])
def test_excluded_examples_equal_fewer_columns(design, monkeypatch):
    runs, _ = make(150, 40, design)
    exclude, strata = np.array([3, -1, 5, -1, 3]), None
    if design == "stratified":
        strata = np.arange(40) % 3
    inference = infer(runs, runs.outputs, "l1", exclude, strata)
    for j in (0, 2):
        e = exclude[j]
        rows, rest = ~runs.masks[:, e], np.arange(40) != e
        part = TrainingRuns(
            runs.masks[rows][:, rest],
            runs.outputs[rows][:, [j]],
            seeds=runs.seeds[rows],
        )
        own = None if strata is None else strata[rest]
        alone = infer(part, part.outputs, "l1", strata=own)
        for name in ("estimate", "standard_error", "p_value"):
            found, wanted = getattr(inference, name), getattr(alone, name)
            np.testing.assert_allclose(found[j, rest], wanted[0], rtol=1e-6)
        sets = np.random.default_rng(0).random((20, 40)) < 0.5
        found = inference.effect_of_removal(sets).standard_error[j]
        wanted = alone.effect_of_removal(sets[:, rest]).standard_error[0]
        with monkeypatch.context() as small:
            small.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 2000)
            by_blocks = inference.effect_of_removal(sets).standard_error[j]
        np.testing.assert_allclose(by_blocks, found, rtol=1e-12)
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
        assert inference.estimate[j, e] == 0
        assert np.isnan(inference.standard_error[j, e])
        assert np.isnan(inference.interval()[j, e]).all()
        assert not inference.select(0.9)[j, e]
    assert np.isfinite(inference.standard_error[[1, 3]]).all()


def infer(runs, Y, penalty, exclude=None, strata=None):
    """Infer the weights of a fit with a given lam."""
    model = DatamodelRegressor(0.3, penalty=penalty, exclude=exclude, tol=1e-9)
    runs = TrainingRuns(runs.packed, Y, seeds=runs.seeds)
    return infer_weights(model.fit(runs), runs, strata=strata)


def test_some_targets_and_sparse_weights():
    runs, _ = make(100, 30, n=6)
    model = DatamodelRegressor(random_state=0).fit(runs)
    inference = infer_weights(model, runs)
    some = infer_weights(model, runs, targets=[4, 1])
    part = inference[[4, 1]]
    for name in ("estimate", "standard_error", "p_value"):
        np.testing.assert_allclose(getattr(some, name), getattr(part, name), rtol=1e-9)
    sparse = DatamodelRegressor(sparse=True, random_state=0).fit(runs)
    found = infer_weights(sparse, runs)
    np.testing.assert_array_equal(found.estimate, inference.estimate)
    arrays = infer_weights(model, runs.masks, runs.outputs)
    np.testing.assert_array_equal(arrays.estimate, inference.estimate)


def test_one_target_may_be_1d():
    runs, _ = make(100, 30, n=2)
    y = runs.outputs[:, 1]
    found = infer_weights(DatamodelRegressor(0.2).fit(runs.masks, y), runs.masks, y)
    both = infer_weights(DatamodelRegressor(0.2).fit(runs), runs, targets=[1])
    np.testing.assert_allclose(found.estimate, both.estimate, rtol=1e-9)


def test_single_precision_counts_the_same_degrees_of_freedom():
    runs, coef = make(200, 60)
    model = DatamodelRegressor(1.0, prior=coef, penalty="l1")
    inferences = [
        infer_weights(model.fit(runs, Y), runs, Y)
        for Y in (runs.outputs, runs.outputs.astype(np.float32))
    ]
    double, single = inferences
    assert double.freedom.max() > 150
    np.testing.assert_allclose(single.freedom, double.freedom, atol=2)
    np.testing.assert_allclose(single.estimate, double.estimate, atol=0.01)


def test_blocks_of_targets_make_no_difference(monkeypatch):
    runs, _ = make(100, 30, n=7)
    model = DatamodelRegressor(random_state=0).fit(runs)
    whole = infer_weights(model, runs)
    monkeypatch.setattr("skdatamodels.inference._infer_weights._LEAST_BLOCK", 2)
    monkeypatch.setattr("skdatamodels.inference._infer_weights._BLOCK_ENTRIES", 0)
    parts = infer_weights(model, runs)
    np.testing.assert_allclose(parts.estimate, whole.estimate, rtol=1e-9)
    np.testing.assert_allclose(parts.scale, whole.scale, rtol=1e-9)


def test_a_target_without_freedom_has_no_interval():
    runs, _ = make(40, 60)
    outputs = runs.outputs.copy()
    outputs[2:, 1] = np.nan  # two runs
    runs = TrainingRuns(runs.packed, outputs)
    model = DatamodelRegressor(1e-9, penalty="l2").fit(runs)
    with pytest.warns(UserWarning, match="as many degrees of freedom as runs"):
        inference = infer_weights(model, runs)
    unknown = np.isnan(inference.p_value).all(axis=1)
    assert unknown[1]
    np.testing.assert_allclose(
        inference.estimate[unknown], centred(model.coef_)[unknown], atol=1e-9
    )
    assert not inference.select(0.5)[unknown].any()


def test_wrong_arguments():
    runs, _ = make(60, 20)
    model = DatamodelRegressor(0.3).fit(runs)
    cases = [
        (TypeError, "must be a DatamodelRegressor", (DifferenceOfMeans(), runs), {}),
        (ValueError, "mean 0", (model, make(60, 20, seed=1)[0]), {}),
        (ValueError, "weights of 20 examples", (model, make(60, 21)[0]), {}),
        (ValueError, "between 0 and 4", (model, runs), {"targets": [5]}),
        (ValueError, "list of target numbers", (model, runs), {"targets": [0.5]}),
        (ValueError, "strata must have one", (model, runs), {"strata": [0, 1]}),
        (ValueError, "two examples", (model, runs), {"strata": np.arange(20)}),
        (ValueError, "alpha must be", (model, runs), {"alpha": [0.5]}),
    ]
    for error, message, arguments, params in cases:
        with pytest.raises(error, match=message):
            infer_weights(*arguments, **params)


def test_weighted_fits_are_refused():
    runs, _ = make(60, 20)
    weight = np.resize([1.0, 4.0], 60)
    model = DatamodelRegressor(0.3).fit(runs, sample_weight=weight)
    with pytest.raises(ValueError, match="sample_weight"):
        infer_weights(model, runs)


def test_orthogonal_blocks_need_all_outputs():
    runs, _ = make(80, 15, "orthogonal")
    outputs = runs.outputs.copy()
    outputs[3, 1] = np.nan
    model = DatamodelRegressor(0.3).fit(runs, outputs)
    with pytest.raises(ValueError, match="orthogonal block has no output"):
        infer_weights(model, runs, outputs)
    infer_weights(model, runs, outputs, targets=[0, 2])


COMBINED = "uniform", "stratified", "bernoulli", "complementary"


@pytest.mark.parametrize("design", COMBINED)
def test_a_combination_is_the_inference_of_the_combined_outputs(design):
    runs, _ = make(200, 30, design, n=4)
    factors = np.array([[0.25, 0.25, 0.25, 0.25], [1.0, -2.0, 0.0, 0.5]])
    regressor = DatamodelRegressor(0.05, penalty="l2")  # one lam: linear in outputs
    strata = np.arange(30) % 3 if design == "stratified" else None
    summed = TrainingRuns(runs.packed, runs.outputs @ factors.T, seeds=runs.seeds)
    expected = infer_weights(regressor.fit(summed), summed, strata=strata)
    inference = infer_weights(regressor.fit(runs), runs, strata=strata)
    found = inference.combine(factors)
    np.testing.assert_allclose(found.estimate, expected.estimate, atol=1e-6)
    np.testing.assert_allclose(found.standard_error, expected.standard_error, rtol=1e-4)
    np.testing.assert_allclose(found.freedom, expected.freedom, rtol=1e-6)
    again = found.combine([1.0, 0.0])  # a mean of sums
    np.testing.assert_allclose(again.standard_error, found.standard_error[:1])
    # one target is its own sum
    one = inference.combine(np.eye(4))
    np.testing.assert_allclose(one.standard_error, inference.standard_error, rtol=1e-5)


@pytest.mark.parametrize("exclude", [False, True])
def test_means_of_correlated_targets_are_covered(exclude):
    m, d, n, found = 200, 60, 10, []
    rng = np.random.default_rng(0)
    for seed in range(20):
        masks = sample_masks(m, d, 0.5, random_state=seed)
        coef = rng.standard_normal((n, d)) + rng.standard_normal(d)
        own = np.arange(n) if exclude else None
        if exclude:
            coef[own, own] = 0
        shared = rng.standard_normal((m, 1))  # by run: the same for all targets
        outputs = masks.dot(coef.T) + 5 * shared + 5 * rng.standard_normal((m, n))
        model = DatamodelRegressor(penalty="l2", random_state=0, exclude=own)
        mean = infer_weights(model.fit(masks, outputs), masks, outputs).combine(
            np.full(n, 1 / n)
        )
        free = coef.copy()
        if exclude:
            free[own, own] = np.nan
        free -= np.nanmean(free, axis=1, keepdims=True)
        found.append((mean.estimate - np.nan_to_num(free).mean(axis=0))[0])
        found[-1] /= mean.standard_error[0]
    z = np.concatenate(found)
    assert 0.93 < (abs(z) < 1.97).mean() < 0.97
    assert 0.94 < z.std() < 1.06


@pytest.mark.parametrize("alpha", [0.1, 0.9])
def test_intervals_of_rows_that_interact(alpha):
    # An effect that two rows have together only: with a small alpha the outputs of the
    # few subsets with a row vary more than those of the many without it.
    rng, d, inside = np.random.default_rng(0), 12, []
    for seed in range(30):
        masks = sample_masks(600, d, alpha, design="bernoulli", random_state=seed)
        both = masks.dense()[:, :2].all(axis=1)
        outputs = 4.0 * both[:, None] + 0.5 * rng.standard_normal((600, 4))
        runs = TrainingRuns(masks, outputs)
        model = DatamodelRegressor(lam=0.02, random_state=0).fit(runs)
        inference = infer_weights(model, runs)
        low, high = inference.interval(0.95)[:, :2].transpose(2, 0, 1)
        inside.append((low < 4 * alpha) & (4 * alpha < high))  # d E[output] / d alpha_i
        others = inference.variance_ratio[:, 2:]
        assert others.mean() < 1.2
    assert 0.88 < np.mean(inside) < 0.99  # .77 by residuals of one size

    # The same in what is made from it
    error, ratio = inference.standard_error, inference.variance_ratio
    assert (ratio[:, :2] > 1.5).all()
    np.testing.assert_allclose(
        inference.effect_of_removal(np.eye(d)).standard_error, error
    )
    np.testing.assert_array_equal(inference[1:3].standard_error, error[1:3])
    one = inference.combine(np.eye(4)[:1])
    np.testing.assert_allclose(one.standard_error, error[:1], rtol=1e-5)


def test_half_subsets_need_no_ratio():
    runs, _ = make(100, 20)
    model = DatamodelRegressor(random_state=0).fit(runs)
    assert infer_weights(model, runs).variance_ratio is None


@pytest.mark.parametrize("design", ["bernoulli", "uniform"])
def test_ratios_of_a_mean_of_targets_are_those_of_mean_outputs(design):
    # An effect of two rows together that noise hides in each target, not in the mean.
    masks = sample_masks(500, 12, 0.2, design=design, random_state=0)
    both = masks.dense()[:, :2].all(axis=1, keepdims=True)
    outputs = 4.0 * both + 3 * np.random.default_rng(0).standard_normal((500, 50))
    runs = TrainingRuns(masks, outputs)
    mean = TrainingRuns(masks, outputs.mean(axis=1, keepdims=True))
    model = DatamodelRegressor(1e-9, penalty="l2")
    combined = infer_weights(model.fit(runs), runs).combine(np.full(50, 1 / 50))
    expected = infer_weights(model.fit(mean), mean)
    assert (expected.variance_ratio[0, :2] > 1.5).all()
    for name in ("estimate", "standard_error", "variance_ratio"):
        found = getattr(combined, name)
        np.testing.assert_allclose(found, getattr(expected, name), atol=0.01)


def test_errors_of_pairs_do_not_depend_on_the_size_of_one():
    # 7 or 8 of 15 rows: of a pair, only the difference counts, with or without a row
    masks = sample_masks(400, 15, 0.5, design="complementary", random_state=0)
    row = masks.dense()[:, :1]
    noise = np.repeat(np.random.default_rng(0).standard_normal((200, 3)), 2, axis=0)
    noise *= np.where(np.arange(400) % 2, -1, 1)[:, None]
    runs = TrainingRuns(masks, 1.0 * row + noise, seeds=np.arange(400) // 2)
    model = DatamodelRegressor(0.02, random_state=0).fit(runs)
    ratio = infer_weights(model, runs).variance_ratio
    assert (ratio == 1).all()
