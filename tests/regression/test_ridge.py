"""The informed ridge, compared with refits by scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge

from skdatamodels import DatamodelRegressor, PackedMasks, TrainingRuns
from skdatamodels.datasets import make_linear_runs

WIDE, TALL = (30, 45), (60, 20)  # fewer and more runs than training examples
DEVICES = "cpu", "shim", "gpu"  # the shim is torch on the CPU


def make(shape, n_targets=3, random_state=0):
    n_runs, n_train = shape
    runs, coef = make_linear_runs(
        n_runs, n_train, n_targets, noise=0.5, random_state=random_state
    )
    noise = np.random.default_rng(random_state).standard_normal(coef.shape)
    return runs.masks, runs.outputs.astype(float), coef + 0.3 * noise


def variances_of(offset):
    return np.abs(offset) / np.abs(offset).mean() + 0.1


def refit(X, y, lam, offset, variances, sample_weight=None, rows=slice(None)):
    """Return weights and intercept, fitted to some rows by scikit-learn."""
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    root, rest = np.sqrt(variances), y - X @ offset
    ridge = Ridge(alpha=weight.sum() * lam, solver="cholesky")
    ridge.fit((X * root)[rows], rest[rows], sample_weight=weight[rows])
    return offset + root * ridge.coef_, ridge.intercept_


def left_out_error(X, y, lam, offset, variances, unit, sample_weight=None):
    """Refit without the runs of each unit; return the mean squared error on them."""
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    squares = np.zeros(len(X))
    for u in np.unique(unit):
        data = X, y, lam, offset, variances, weight
        coef, intercept = refit(*data, rows=unit != u)
        squares[unit == u] = ((y - X @ coef - intercept)[unit == u]) ** 2
    return np.average(squares, weights=weight)


@pytest.mark.parametrize("shape", [WIDE, TALL])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("informed", [False, True])
@pytest.mark.parametrize("form", [PackedMasks.from_dense, np.float64])
@pytest.mark.parametrize("device", DEVICES)
def test_weights_and_left_out_errors_are_those_of_refits(
    shape, weighted, informed, form, device, on_device
):
    masks, Y, prior = make(shape)
    weight = np.random.default_rng(1).uniform(0.2, 3, len(Y)) if weighted else None
    model = DatamodelRegressor(
        0.05, penalty="l2", prior=prior if informed else None, random_state=0
    )
    model.set_params(device=on_device(device))
    model.fit(form(masks), Y, sample_weight=weight)
    atol, rel = (1e-8, 1e-6) if device == "cpu" else (1e-5, 1e-4)
    assert model.solver_ == ("dual" if shape == WIDE else "primal")
    X = masks.astype(float)
    for j, y in enumerate(Y.T):
        offset = model.prior_coef_[j] if informed else np.zeros(X.shape[1])
        variances = variances_of(offset) if informed else np.ones(X.shape[1])
        data = X, y, 0.05, offset, variances
        coef, intercept = refit(*data, weight)
        np.testing.assert_allclose(model.coef_[j], coef, atol=atol)
        assert model.intercept_[j] == pytest.approx(intercept, rel=rel)
        expected = left_out_error(*data, np.arange(len(y)), weight)
        assert model.loo_error_[j] == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize("shape", [WIDE, TALL])
@pytest.mark.parametrize("device", DEVICES)
def test_groups_are_left_out_together(shape, device, on_device):
    masks, Y, prior = make(shape)
    unit = np.random.default_rng(2).permutation(len(Y)) // 3
    unit[unit == 4] = 5  # of two sizes
    model = DatamodelRegressor(penalty="l2", prior=prior, random_state=0)
    model.set_params(device=on_device(device)).fit(masks, Y, groups=unit)
    for j, y in enumerate(Y.T):
        offset = model.prior_coef_[j]
        data = masks.astype(float), y, model.lam_[j], offset, variances_of(offset)
        expected = left_out_error(*data, unit)
        rel = 1e-6 if device == "cpu" else 1e-4
        assert model.loo_error_[j] == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize("shape", [WIDE, TALL])
def test_lam_has_the_smallest_left_out_error_of_all_targets(shape):
    masks, Y, _ = make(shape, n_targets=4)
    chosen = DatamodelRegressor(penalty="l2", random_state=0).fit(masks, Y)
    assert (chosen.lam_ == chosen.lam_[0]).all()  # without a prior, D = 1 for all

    def error(lam):
        model = DatamodelRegressor(lam, penalty="l2").fit(masks, Y)
        return (model.loo_error_ / Y.var(axis=0)).mean()

    others = chosen.lam_[0] * np.geomspace(0.01, 100, 9)
    assert error(chosen.lam_[0]) <= min(error(lam) for lam in others) + 1e-12


def test_runs_without_an_output_are_left_out_of_the_fit():
    masks, Y, prior = make(TALL)
    Y[::4, 1] = np.nan
    model = DatamodelRegressor(
        0.1, penalty="l2", prior=prior, exclude=[-1, -1, 7], random_state=0
    ).fit(masks, Y)
    for j, rows in ((1, ~np.isnan(Y[:, 1])), (2, ~masks[:, 7])):
        offset = model.prior_coef_[j]
        data = masks[rows].astype(float), Y[rows, j], 0.1, offset, variances_of(offset)
        np.testing.assert_allclose(model.coef_[j], refit(*data)[0], atol=1e-8)
        expected = left_out_error(*data, np.arange(rows.sum()))
        assert model.loo_error_[j] == pytest.approx(expected)
    assert model.coef_[2, 7] == 0
    assert model.prior_coef_[2, 7] == 0


def test_penalty_factors_divide_the_variances():
    masks, Y, prior = make(WIDE)
    factors = np.random.default_rng(0).uniform(0.3, 3, 45)
    factors[:5] = np.inf
    model = DatamodelRegressor(
        0.05, penalty="l2", prior=prior, penalty_factors=factors
    ).fit(masks, Y)
    np.testing.assert_allclose(model.coef_[:, :5], model.prior_coef_[:, :5])
    for j, offset in enumerate(model.prior_coef_):
        data = (
            masks.astype(float),
            Y[:, j],
            0.05,
            offset,
            variances_of(offset) / factors,
        )
        np.testing.assert_allclose(model.coef_[j], refit(*data)[0], atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(
    shape=st.sampled_from([WIDE, TALL]),
    scale=st.sampled_from([1e-30, 1e-3, 1e5, 1e30]),
    shift=st.floats(-2, 2),
    seed=st.integers(0, 100),
)
def test_outputs_in_other_units_give_weights_in_these_units(shape, scale, shift, seed):
    masks, Y, prior = make(shape, random_state=seed)
    one, other = (
        DatamodelRegressor(penalty="l2", prior=prior, random_state=0).fit(masks, y)
        for y in (Y, scale * (Y + shift))
    )
    np.testing.assert_allclose(other.coef_, scale * one.coef_, atol=1e-6 * scale)
    np.testing.assert_allclose(other.lam_, one.lam_)
    np.testing.assert_allclose(other.loo_error_, scale**2 * one.loo_error_, rtol=1e-5)


def test_float32_outputs_interpolate_without_a_wrong_error():
    """Nearly all of 1 - H is cancelled where lam is small."""
    masks, Y, _ = make((40, 300))
    models = [
        DatamodelRegressor(1e-2, penalty="l2").fit(masks, Y.astype(dtype))
        for dtype in (np.float64, np.float32)
    ]
    np.testing.assert_allclose(models[0].loo_error_, models[1].loo_error_, rtol=1e-3)
    assert models[1].coef_.dtype == np.float32


def test_many_runs_are_judged_by_some_of_them():
    masks, Y, _ = make((1500, 10))
    model = DatamodelRegressor(1e-3, penalty="l2", random_state=0).fit(masks, Y)
    data = masks.astype(float), Y[:, 0], 1e-3, np.zeros(10), np.ones(10)
    expected = left_out_error(*data, np.arange(1500))
    assert model.loo_error_[0] != expected
    assert model.loo_error_[0] == pytest.approx(expected, rel=0.05)


def test_noise_variance_is_that_of_the_outputs():
    masks, Y, _ = make((400, 20))
    model = DatamodelRegressor(penalty="l2", random_state=0).fit(masks, Y)
    np.testing.assert_allclose(model.noise_variance_, 0.25, rtol=0.25)


@pytest.mark.parametrize("shape", [WIDE, TALL])
def test_threads_and_blocks_do_not_change_the_result(shape, monkeypatch):
    masks, Y, prior = make(shape, n_targets=40)
    fitted = []
    for n_jobs, block in ((1, 16), (2, 16), (1, 7)):
        monkeypatch.setattr("skdatamodels.regression._ridge._BLOCK", block)
        model = DatamodelRegressor(
            penalty="l2", prior=prior, random_state=0, n_jobs=n_jobs
        )
        fitted.append(model.fit(masks, Y).coef_)
    np.testing.assert_array_equal(fitted[0], fitted[1])
    np.testing.assert_allclose(fitted[0], fitted[2], rtol=1e-9)


def test_one_target_sparse_and_constant_outputs():
    masks, Y, _ = make(WIDE)
    model = DatamodelRegressor(0.1, penalty="l2").fit(masks, Y[:, 0])
    assert model.coef_.shape == (45,)
    sparse = DatamodelRegressor(0.1, penalty="l2", sparse=True).fit(masks, Y)
    np.testing.assert_allclose(sparse.coef_.toarray()[0], model.coef_)
    Y[:, 1] = 7
    model = DatamodelRegressor(penalty="l2", random_state=0).fit(masks, Y)
    assert not model.coef_[1].any()
    assert model.intercept_[1] == 7
    assert model.loo_error_[1] == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"keep_path": True}, "does not use keep_path, which is for the LASSO"),
        ({"solver": "gram", "one_standard_error": True}, "one_standard_error, solver"),
        ({"cv": [([0, 1], [2])]}, "does not use cv"),
    ],
)
def test_parameters_of_the_lasso_are_refused(parameters, message):
    masks, Y, _ = make(WIDE)
    with pytest.raises(ValueError, match=message):
        DatamodelRegressor(penalty="l2", **parameters).fit(masks, Y)
    with pytest.raises(ValueError, match="has enough"):
        DatamodelRegressor(penalty="l2").fit(masks[:6], Y[:6], groups=np.zeros(6))


@pytest.mark.parametrize(
    ("device", "memory"),
    [("cpu", "_algebra.available_memory"), ("shim", "_cuda.algebra.free_memory")],
)
def test_columns_that_do_not_fit_into_memory_are_refused(
    device, memory, on_device, monkeypatch
):
    masks, Y, prior = make(WIDE)
    name = f"skdatamodels.regression.{memory}"
    monkeypatch.setattr(name, lambda *device: 1)
    model = DatamodelRegressor(n_lams=3, lam_min_ratio=0.5, random_state=0)
    model.set_params(device=on_device(device))
    with pytest.raises(MemoryError, match="penalty='l2' needs"):
        clone(model).set_params(penalty="l2").fit(masks, Y)
    model.set_params(prior=prior).fit(masks, Y)
    assert model.penalty_ == "l1"


@pytest.mark.parametrize("shape", [WIDE, TALL])
@pytest.mark.parametrize("device", DEVICES)
def test_posterior_variances_are_those_of_the_normal_model(shape, device, on_device):
    masks, Y, prior = make(shape)
    Y[::5, 1] = np.nan
    weight = np.random.default_rng(1).uniform(0.2, 3, len(Y))
    factors = np.random.default_rng(2).uniform(0.5, 2, shape[1])
    model = DatamodelRegressor(
        0.05, penalty="l2", prior=prior, penalty_factors=factors, random_state=0
    )
    model.set_params(device=on_device(device)).fit(masks, Y, sample_weight=weight)
    rtol = 1e-7 if device == "cpu" else 1e-4
    sets = np.random.default_rng(0).random((4, shape[1])) < 0.5
    single = model.posterior_variance(masks, Y, sample_weight=weight)
    sums = model.posterior_variance(masks, Y, sets=sets, sample_weight=weight)
    for j in range(3):
        rows = ~np.isnan(Y[:, j])
        s, m = weight[rows], weight[rows].sum()
        X = masks[rows] - np.average(masks[rows], axis=0, weights=s)
        noise = model.noise_variance_[j]
        variances = variances_of(model.prior_coef_[j]) / factors * noise / (0.05 * m)
        precision = np.diag(1 / variances) + (X.T * s) @ X / noise
        covariance = np.linalg.inv(precision)
        np.testing.assert_allclose(single[j], np.diagonal(covariance), rtol)
        of_sets = np.diagonal(sets @ covariance @ sets.T)
        np.testing.assert_allclose(sums[j], of_sets, rtol)


@pytest.mark.parametrize("shape", [WIDE, TALL])
def test_posterior_variance_of_an_excluded_example_is_zero(shape):
    masks, Y, prior = make(shape)
    model = DatamodelRegressor(
        0.1, penalty="l2", prior=prior, exclude=[3, -1, 5], random_state=0
    ).fit(masks, Y)
    sets = np.ones((1, shape[1]))
    single = model.posterior_variance(masks, Y)
    (total,) = model.posterior_variance(masks, Y, sets=sets).T
    assert single[0, 3] == single[2, 5] == 0
    for j, example in ((0, 3), (2, 5)):
        rows, rest = ~masks[:, example], np.arange(shape[1]) != example
        variances = variances_of(model.prior_coef_[j])[rest]
        X = masks[rows][:, rest] - masks[rows][:, rest].mean(axis=0)
        noise = model.noise_variance_[j]
        precision = np.diag(0.1 * len(X) / variances) + X.T @ X
        covariance = noise * np.linalg.inv(precision)
        np.testing.assert_allclose(single[j, rest], np.diagonal(covariance))
        assert total[j] == pytest.approx(covariance.sum())


def test_posterior_variance_of_bad_input():
    masks, Y, _ = make(WIDE)
    with pytest.raises(ValueError, match="The LASSO has no posterior variances"):
        DatamodelRegressor(0.1).fit(masks, Y).posterior_variance(masks, Y)
    model = DatamodelRegressor(0.1, penalty="l2").fit(masks, Y)
    with pytest.raises(ValueError, match="a column for each of the 45"):
        model.posterior_variance(masks, Y, sets=np.ones((1, 44)))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="sets must be finite"):
            model.posterior_variance(masks, Y, sets=np.full((1, 45), bad))
    for runs in ((masks[:20], Y[:20]), (masks, Y[:, :2])):
        with pytest.raises(ValueError, match="was fitted to 30 runs of 3 targets"):
            model.posterior_variance(*runs)
    one = DatamodelRegressor(0.1, penalty="l2").fit(masks, Y[:, 0])
    found = one.posterior_variance(masks, Y[:, 0])
    np.testing.assert_allclose(found, model.posterior_variance(masks, Y)[0])
    some = model.posterior_variance(masks, Y, targets=[2, 0])
    np.testing.assert_array_equal(some, model.posterior_variance(masks, Y)[[2, 0]])


@pytest.mark.parametrize("scale", [1e-3, 1 / 60, 1.0])
def test_weights_that_sum_to_little_give_the_same_noise(scale):
    masks, Y, prior = make(TALL)
    one, other = (
        DatamodelRegressor(penalty="l2", prior=prior, random_state=0).fit(
            masks, Y, sample_weight=np.full(len(Y), s)
        )
        for s in (1.0, scale)
    )
    np.testing.assert_allclose(other.noise_variance_, one.noise_variance_)
    np.testing.assert_allclose(other.coef_, one.coef_, atol=1e-9)


def test_without_a_penalty_the_posterior_is_that_of_least_squares():
    masks, Y, _ = make((90, 20))
    masks = np.random.default_rng(0).random((90, 20)) < 0.5  # of all sizes
    model = DatamodelRegressor(0.0, penalty="l2").fit(masks, Y)
    X = masks - masks.mean(axis=0)
    expected = np.diagonal(np.linalg.inv(X.T @ X)) * model.noise_variance_[:, None]
    np.testing.assert_allclose(model.posterior_variance(masks, Y), expected, rtol=1e-6)


def test_pairs_are_left_out_together_with_a_given_lam():
    runs, _ = make_linear_runs(30, 45, 2, random_state=0)
    masks = np.concatenate([runs.masks, ~runs.masks])
    noise = 3 * np.random.default_rng(0).standard_normal((30, 2))
    Y = masks[:, :2] + np.concatenate([noise, noise])
    pairs = TrainingRuns(masks, Y, seeds=np.tile(np.arange(30), 2))
    model = DatamodelRegressor(0.1, penalty="l2").fit(pairs)
    for j, y in enumerate(Y.T):
        data = masks.astype(float), y, 0.1, np.zeros(45), np.ones(45)
        expected = left_out_error(*data, np.tile(np.arange(30), 2))
        assert model.loo_error_[j] == pytest.approx(expected)


@pytest.mark.parametrize("lam", [1e-8, 1e-6])
def test_a_small_lam_keeps_its_digits(lam):
    masks, Y, _ = make((30, 50))
    model = DatamodelRegressor(lam, penalty="l2").fit(masks, Y)
    data = masks.astype(float), Y[:, 0], lam, np.zeros(50), np.ones(50)
    expected = left_out_error(*data, np.arange(30))
    assert model.loo_error_[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.filterwarnings("ignore:All runs saw the same training examples")
@pytest.mark.parametrize("shape", [WIDE, TALL])
@pytest.mark.parametrize("parameters", [{}, {"lam": 0.1}])
def test_identical_runs_give_the_mean_and_the_variance_of_outputs(shape, parameters):
    _, Y, prior = make(shape)
    X = np.tile(np.random.default_rng(0).standard_normal(shape[1]), (shape[0], 1))
    weight = np.random.default_rng(1).uniform(0.2, 3, len(Y))
    for s in (None, weight):
        model = DatamodelRegressor(
            penalty="l2", prior=prior, random_state=0, **parameters
        ).fit(X, Y, sample_weight=s)
        assert not model.coef_.any()
        np.testing.assert_allclose(model.intercept_, np.average(Y, 0, weights=s))
        if s is None:
            np.testing.assert_allclose(model.noise_variance_, Y.var(axis=0, ddof=1))
            left_out = Y.var(axis=0, ddof=1) * len(Y) / (len(Y) - 1)
            np.testing.assert_allclose(model.loo_error_, left_out)


@pytest.mark.parametrize("shape", [WIDE, TALL])
def test_infinite_penalty_factors_keep_the_prior(shape):
    masks, Y, prior = make(shape)
    factors = np.ones((3, shape[1]))
    factors[1] = np.inf
    for p in (factors, np.inf * factors[0]):
        model = DatamodelRegressor(
            penalty="l2", prior=prior, penalty_factors=p, random_state=0
        ).fit(masks, Y)
        kept = np.isinf(p).all(axis=-1) | np.zeros(3, bool)
        np.testing.assert_allclose(model.coef_[kept], model.prior_coef_[kept])
        rest = (Y - masks @ model.prior_coef_.T)[:, kept]
        np.testing.assert_allclose(model.intercept_[kept], rest.mean(axis=0))
        np.testing.assert_allclose(model.noise_variance_[kept], rest.var(0, ddof=1))
        assert not model.posterior_variance(masks, Y)[kept].any()


@pytest.mark.parametrize("shape", [WIDE, TALL])
@pytest.mark.parametrize("device", ["shim", "gpu"])
def test_a_device_chooses_the_same_lam(shape, device, on_device):
    masks, Y, prior = make(shape)
    Y[::4, 1] = np.nan
    model = DatamodelRegressor(
        penalty="l2", prior=prior, exclude=[-1, -1, 7], random_state=0
    )
    expected = clone(model).fit(masks, Y)
    model.set_params(device=on_device(device)).fit(masks, Y)
    np.testing.assert_allclose(model.lam_, expected.lam_, rtol=1e-5)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)
    for name in ("loo_error_", "noise_variance_", "held_out_r2_"):
        found, wanted = getattr(model, name), getattr(expected, name)
        np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert model.coef_[2, 7] == 0
