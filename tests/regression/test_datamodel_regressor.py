"""DatamodelRegressor against scikit-learn's Lasso and selection by hand."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from skdatamodels import DatamodelRegressor, PackedMasks, TrainingRuns
from skdatamodels.datasets import make_linear_runs
from skdatamodels.regression._choose_solver import choose_solver


def objective(X, y, w, b, lam):
    return 0.5 * np.mean((y - X @ w - b) ** 2) + lam * np.abs(w).sum()


def reference(X, y, lam):
    return Lasso(alpha=lam, tol=1e-12, max_iter=200_000).fit(X.astype(float), y)


def assert_solves(model, X, Y, lam):
    """The objective is above the optimum by no more than the gap that is claimed."""
    X = X.astype(np.float64)
    for w, b, y, gap, lam_j in zip(
        np.atleast_2d(model.coef_).astype(float),
        np.atleast_1d(model.intercept_).astype(float),
        np.asarray(Y, float).reshape(len(X), -1).T,
        model.dual_gap_,
        np.broadcast_to(lam, len(model.dual_gap_)),
        strict=True,
    ):
        best = reference(X, y, lam_j)
        optimum = objective(X, y, best.coef_, best.intercept_, lam_j)
        excess = objective(X, y, w, b, lam_j) - optimum
        scale = 0.5 * y.var()
        assert excess <= (gap + 1e-5) * scale + 1e-12
        assert gap <= model.tol


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("n_runs", [30, 60, 400])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fixed_lam_equals_lasso(alpha, n_runs, dtype):
    runs, _ = make_linear_runs(n_runs, 60, 4, alpha=alpha, noise=0.5, random_state=1)
    Y = runs.outputs.astype(dtype)
    model = DatamodelRegressor(0.05).fit(runs.masks, Y)
    assert model.coef_.dtype == model.intercept_.dtype == dtype
    assert_solves(model, runs.masks, Y, 0.05)
    assert (model.coef_ != 0).any()


@pytest.mark.parametrize(
    "form",
    [
        lambda masks, Y, path: (masks, Y),
        lambda masks, Y, path: (masks.astype(np.uint8), Y),
        lambda masks, Y, path: (masks.astype(np.float64), Y),
        lambda masks, Y, path: (PackedMasks.from_dense(masks), Y),
        lambda masks, Y, path: (TrainingRuns(masks, Y),),
        lambda masks, Y, path: (_memmap(masks, path), Y),
    ],
    ids=["bool", "uint8", "float", "packed", "runs", "memmap"],
)
@pytest.mark.parametrize("lam", [0.03, "validation", "cv"])
def test_all_forms_of_masks_give_the_same(form, lam, tmp_path):
    runs, _ = make_linear_runs(120, 21, 2, random_state=2)
    Y = runs.outputs.astype(np.float64)
    expected = DatamodelRegressor(lam, random_state=0, tol=1e-9).fit(runs.masks, Y)
    data = form(runs.masks, Y, tmp_path / "masks.npy")
    model = DatamodelRegressor(lam, random_state=0, tol=1e-9).fit(*data)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)
    np.testing.assert_allclose(model.lam_, expected.lam_)
    np.testing.assert_allclose(
        model.predict(data[0]), expected.predict(runs.masks), atol=1e-3
    )


def _memmap(masks, path):
    np.save(path, masks)
    return np.load(f"{path}".removesuffix(".npy") + ".npy", mmap_mode="r")


def test_one_lam_for_each_target():
    runs, _ = make_linear_runs(150, 30, 3, random_state=3)
    lam = np.array([0.001, 0.02, 10.0])
    model = DatamodelRegressor(lam).fit(runs)
    assert_solves(model, runs.masks, runs.outputs, lam)
    assert not model.coef_[2].any()
    np.testing.assert_array_equal(model.lam_, lam)


def test_one_target_as_a_vector():
    runs, _ = make_linear_runs(80, 20, 1, random_state=0)
    flat = DatamodelRegressor(random_state=0).fit(runs.masks, runs.outputs[:, 0])
    model = DatamodelRegressor(random_state=0).fit(runs)
    assert flat.coef_.shape == (20,)
    assert isinstance(flat.intercept_, float)
    np.testing.assert_array_equal(flat.coef_, model.coef_[0])
    np.testing.assert_array_equal(flat.predict(runs), model.predict(runs)[:, 0])
    assert flat.score(runs.masks, runs.outputs[:, 0]) == pytest.approx(
        r2_score(runs.outputs[:, 0], flat.predict(runs))
    )


def selection_by_hand(X, y, lams, folds):
    """Mean squared error on held-out rows, by scikit-learn."""
    errors = []
    for train, out in folds:
        models = [reference(X[train], y[train], lam) for lam in lams]
        errors += [[(y[out] - m.predict(X[out])) ** 2 for m in models]]
    return np.concatenate(errors, axis=1).mean(axis=1)


@pytest.mark.parametrize("lam", ["validation", "cv"])
def test_selection_equals_selection_by_hand(lam):
    runs, _ = make_linear_runs(90, 12, 2, noise=1.0, random_state=4)
    X, Y = runs.masks.astype(float), runs.outputs.astype(float)
    model = DatamodelRegressor(
        lam, n_lams=8, cv=3, validation_fraction=0.3, random_state=7, tol=1e-10
    ).fit(X, Y)
    order = check_random_state(7).permutation(90)
    if lam == "validation":
        folds = [(order[:63], order[63:])]
    else:
        folds = [(np.setdiff1d(order, part), part) for part in np.split(order, 3)]
    for j in range(2):
        centred = X - X.mean(axis=0)
        lam_max = np.abs(centred.T @ (Y[:, j] - Y[:, j].mean()) / 90).max()
        np.testing.assert_allclose(model.lams_[j], lam_max * np.geomspace(1, 0.01, 8))
        errors = selection_by_hand(X, Y[:, j], model.lams_[j], folds)
        np.testing.assert_allclose(model.validation_error_[j], errors, rtol=1e-4)
        assert model.lam_[j] == model.lams_[j, errors.argmin()]
    assert_solves(model, X, Y, model.lam_)


def test_degenerate_columns_and_targets():
    runs, _ = make_linear_runs(100, 20, 4, random_state=5)
    X, Y = runs.masks.copy(), runs.outputs.astype(float)
    X[:, 3], X[:, 4], X[:, 6] = True, False, X[:, 5]
    Y[:, 0] = 0.1
    Y[:, 1] += 1e6
    for lam in (0.02, "validation", "cv"):
        model = DatamodelRegressor(lam, random_state=0).fit(X, Y)
        assert not model.coef_[0].any()
        assert model.intercept_[0] == pytest.approx(0.1)
        assert not model.coef_[:, 3:5].any()
        keep = DatamodelRegressor(lam, random_state=0).fit(X, Y[:, 1:])
        assert_solves(keep, X, Y[:, 1:], keep.lam_)
        np.testing.assert_allclose(keep.coef_, model.coef_[1:], atol=1e-6)


@pytest.mark.parametrize("lam", [0.05, "validation", "cv"])
def test_missing_outputs_leave_runs_out(lam):
    runs, _ = make_linear_runs(120, 15, 3, random_state=6)
    Y = runs.outputs.astype(float)
    Y[:30, 1] = np.nan
    Y[100:, 2] = np.nan
    model = DatamodelRegressor(lam, random_state=0, tol=1e-8).fit(runs.masks, Y)
    for j in range(3):
        usable = ~np.isnan(Y[:, j])
        assert_solves(
            _target(model, j), runs.masks[usable], Y[usable, j], model.lam_[j]
        )
    with_failed = Y.copy()
    with_failed[:, :] = runs.outputs
    with_failed[5] = np.nan
    kept = np.arange(120) != 5
    failed = DatamodelRegressor(0.05, tol=1e-8).fit(runs.masks, with_failed)
    filtered = DatamodelRegressor(0.05, tol=1e-8).fit(
        runs.masks[kept], with_failed[kept]
    )
    np.testing.assert_allclose(failed.coef_, filtered.coef_, atol=1e-5)


def _target(model, j):
    alone = clone(model)
    alone.coef_, alone.intercept_ = model.coef_[[j]], model.intercept_[[j]]
    alone.dual_gap_ = model.dual_gap_[[j]]
    return alone


def test_score_leaves_missing_outputs_out():
    runs, _ = make_linear_runs(120, 15, 2, random_state=6)
    Y = runs.outputs.astype(float)
    model = DatamodelRegressor(0.05).fit(runs)
    assert model.score(runs) == pytest.approx(r2_score(Y, model.predict(runs)))
    Y[:40, 0] = np.nan
    predicted = model.predict(runs)
    by_hand = [
        r2_score(Y[40:, 0], predicted[40:, 0]),
        r2_score(Y[:, 1], predicted[:, 1]),
    ]
    assert model.score(runs.masks, Y) == pytest.approx(np.mean(by_hand))


def test_weights_of_runs_in_the_score():
    runs, _ = make_linear_runs(30, 10, 2, noise=1.0, random_state=6)
    model = DatamodelRegressor(0.05).fit(runs)
    Y, weight = runs.outputs.astype(float), np.arange(30) % 4
    repeated = np.repeat(np.arange(30), weight)
    for _ in range(2):
        by_hand = model.score(runs.masks[repeated], Y[repeated])
        score = model.score(runs.masks, Y, sample_weight=weight.tolist())
        assert score == pytest.approx(by_hand)
        Y[3:9, 0] = np.nan


@pytest.mark.parametrize("n_runs", [25, 200])
def test_dual_gap_is_that_of_the_dual_problem(n_runs):
    """max over theta of |y|²/2m - m·lam²/2·|theta - y/(m·lam)|², |Xᵀtheta| <= 1."""
    runs, _ = make_linear_runs(n_runs, 40, 3, noise=0.5, random_state=1)
    X, Y = runs.masks.astype(float), runs.outputs.astype(float)
    lam, m = 0.03, n_runs
    model = DatamodelRegressor(lam, tol=0.01).fit(X, Y)
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    for w, y, gap in zip(model.coef_, Y.T, model.dual_gap_, strict=True):
        residual = y - X @ w
        theta = residual / max(m * lam, np.abs(X.T @ residual).max())
        primal = residual @ residual / (2 * m) + lam * np.abs(w).sum()
        distance = theta - y / (m * lam)
        dual = y @ y / (2 * m) - m * lam**2 / 2 * (distance @ distance)
        assert 0 <= gap <= 0.01
        assert gap == pytest.approx((primal - dual) / (y @ y / (2 * m)), abs=1e-9)


@pytest.mark.parametrize("lam", [0.05, "validation", "cv"])
@pytest.mark.parametrize("solver", ["gram", "residual"])
def test_result_does_not_depend_on_n_jobs_and_pickles(lam, solver):
    runs, _ = make_linear_runs(100, 30, 40, random_state=8)
    one = DatamodelRegressor(lam, solver=solver, random_state=0).fit(runs)
    two = clone(one).set_params(n_jobs=2).fit(runs)
    np.testing.assert_array_equal(two.coef_, one.coef_)
    with threadpool_limits(1):  # as on a worker of joblib or dask
        alone = clone(one).fit(runs)
    np.testing.assert_array_equal(alone.coef_, one.coef_)
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(again.predict(runs), one.predict(runs))


@pytest.mark.parametrize("lam", [0.05, "validation"])
def test_sparse_weights_are_the_dense_ones(lam):
    runs, _ = make_linear_runs(100, 30, 70, noise=0.5, random_state=8)
    parameters = {"lam": lam, "random_state": 0, "keep_path": True}
    dense = DatamodelRegressor(**parameters).fit(runs)
    thin = DatamodelRegressor(sparse=True, **parameters).fit(runs)
    assert sparse.issparse(thin.coef_)
    assert thin.coef_.nnz == np.count_nonzero(dense.coef_)
    np.testing.assert_array_equal(thin.coef_.toarray(), dense.coef_)
    for X in (runs, runs.masks, runs.masks.astype(float)):
        np.testing.assert_allclose(thin.predict(X), dense.predict(X), atol=1e-5)
    if lam == "validation":
        path = dense.coef_path_.reshape(-1, 30)
        np.testing.assert_array_equal(thin.coef_path_.toarray(), path)
    one = clone(thin).fit(runs.masks, runs.outputs[:, 0])
    assert one.coef_.shape == (1, 30)
    assert one.predict(runs).shape == (100,)


def test_the_path_that_is_kept_is_that_of_all_runs():
    runs, _ = make_linear_runs(100, 15, 3, noise=0.5, random_state=8)
    X, Y = runs.masks, runs.outputs.astype(float)
    model = DatamodelRegressor(n_lams=6, keep_path=True, random_state=0, tol=1e-10)
    model.fit(X, Y)
    assert model.coef_path_.shape == (3, 6, 15)
    for j in range(3):
        for k in range(6):
            best = reference(X, Y[:, j], model.lams_[j, k])
            np.testing.assert_allclose(model.coef_path_[j, k], best.coef_, atol=1e-4)
            np.testing.assert_allclose(
                model.intercept_path_[j, k], best.intercept_, atol=1e-4
            )
        k = np.flatnonzero(model.lams_[j] == model.lam_[j])[0]
        np.testing.assert_array_equal(model.coef_path_[j, k], model.coef_[j])
        assert model.intercept_path_[j, k] == model.intercept_[j]


def test_one_standard_error_takes_fewer_weights():
    runs, _ = make_linear_runs(100, 30, 20, noise=1.0, random_state=8)
    least = DatamodelRegressor(random_state=0).fit(runs)
    fewer = DatamodelRegressor(one_standard_error=True, random_state=0).fit(runs)
    assert (fewer.lam_ >= least.lam_).all()
    assert np.count_nonzero(fewer.coef_) < np.count_nonzero(least.coef_)
    np.testing.assert_array_equal(fewer.validation_error_, least.validation_error_)


def test_patience_ends_paths_and_changes_no_error_before():
    runs, _ = make_linear_runs(80, 40, 20, noise=2.0, random_state=8)
    whole = DatamodelRegressor(patience=None, random_state=0).fit(runs)
    model = DatamodelRegressor(random_state=0).fit(runs)
    assert np.isfinite(whole.validation_error_).all()
    followed = np.isfinite(model.validation_error_)
    assert followed.mean() < 0.9
    np.testing.assert_allclose(
        model.validation_error_[followed], whole.validation_error_[followed], rtol=1e-2
    )


def test_a_target_without_usable_runs_is_reported_and_the_others_are_fitted():
    runs, _ = make_linear_runs(60, 10, 4, random_state=1)
    Y = runs.outputs.copy()
    Y[2:, 1] = np.nan
    Y[:, 3] = np.nan
    with pytest.warns(UserWarning, match=r"2 of 4 targets .* \[1, 3\]"):
        model = DatamodelRegressor(random_state=0).fit(runs.masks, Y)
    plain = DatamodelRegressor(random_state=0).fit(runs.masks, Y[:, [0, 2]])
    np.testing.assert_array_equal(model.coef_[[0, 2]], plain.coef_)
    np.testing.assert_array_equal(model.lams_[[0, 2]], plain.lams_)
    assert not model.coef_[[1, 3]].any()
    assert np.isnan(model.intercept_[[1, 3]]).all()
    assert np.isnan(model.lam_[[1, 3]]).all()
    assert model.score(runs) == pytest.approx(
        plain.score(runs.masks, runs.outputs[:, [0, 2]])
    )


def test_outputs_in_half_precision_on_disk(tmp_path):
    runs, _ = make_linear_runs(150, 20, 3, random_state=3)
    np.save(tmp_path / "y.npy", runs.outputs.astype(np.float16))
    Y = np.load(tmp_path / "y.npy", mmap_mode="r")
    model = DatamodelRegressor(random_state=0).fit(
        _memmap(runs.masks, tmp_path / "x"), Y
    )
    assert model.coef_.dtype == np.float32
    expected = DatamodelRegressor(random_state=0).fit(runs.masks, Y.astype(np.float32))
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def _with_memory(monkeypatch, n_bytes):
    monkeypatch.setattr(
        "skdatamodels.regression._choose_solver.available_memory", lambda: n_bytes
    )


def test_the_solver_follows_from_the_number_of_runs_and_the_memory(monkeypatch):
    runs, _ = make_linear_runs(250, 200, 20, random_state=0)

    def solver(n_runs, **parameters):
        return DatamodelRegressor(1.0, **parameters).fit(runs[:n_runs]).solver_

    assert [solver(n) for n in (49, 50, 250)] == ["residual", "gram", "gram"]
    _with_memory(monkeypatch, 1e5)  # 200² counts take 1.6e5 bytes
    assert [solver(n) for n in (49, 199, 200)] == ["residual", "residual", "saga"]
    with pytest.raises(MemoryError, match="solver='saga'"):
        solver(50, solver="gram")
    with pytest.raises(MemoryError, match="Gram matrix of 200 columns"):
        DatamodelRegressor(1.0).fit(runs.masks.astype(float), runs.outputs)


def test_weights_that_do_not_fit_into_memory_are_told(monkeypatch):
    runs, _ = make_linear_runs(50, 200, 2000, random_state=0)
    _with_memory(monkeypatch, 1e6)
    with pytest.raises(MemoryError, match="sparse=True"):
        DatamodelRegressor(1.0).fit(runs)
    DatamodelRegressor(1.0, sparse=True).fit(runs)


def test_a_solver_that_would_take_long_is_told_before_it_starts():
    runs, _ = make_linear_runs(20, 200, 2, random_state=0)
    with pytest.warns(UserWarning, match="minutes or hours with 20 runs and 200 "):
        model = DatamodelRegressor(1.0, solver="saga").fit(runs)
    assert model.solver_ == "saga"


def test_residual_runs_on_the_cpu():
    X, how = PackedMasks.from_dense(MASKS), {"weighted": False, "folds": False}
    with pytest.raises(ValueError, match="'residual' runs on the CPU"):
        choose_solver("residual", X, dtype=np.dtype("f4"), on_cpu=False, **how)


@pytest.mark.parametrize("solver", ["saga", "residual"])
def test_solvers_that_take_masks_only(solver):
    runs, _ = make_linear_runs(50, 20, 2, random_state=0)
    with pytest.raises(ValueError, match=f"'{solver}' takes 0/1 masks only"):
        DatamodelRegressor(solver=solver).fit(runs.masks.astype(float), runs.outputs)


@pytest.mark.parametrize("solver", ["gram", "residual", "saga"])
def test_more_folds_than_a_byte_counts(solver):
    runs, _ = make_linear_runs(130, 5, 1, noise=1.0, random_state=0)
    X, Y = runs.masks, runs.outputs.astype(float)
    model = DatamodelRegressor("cv", cv=130, n_lams=2, solver=solver)
    model.fit(X, Y)
    leave_one_out = np.arange(130)[:, None]
    folds = [(np.delete(np.arange(130), out), out) for out in leave_one_out]
    errors = selection_by_hand(X, Y[:, 0], model.lams_[0], folds)
    np.testing.assert_allclose(model.validation_error_[0], errors, rtol=1e-2)


@pytest.mark.parametrize("solver", ["gram", "residual", "saga"])
@pytest.mark.parametrize("lam", [0.0, 0.05, "validation", "cv"])
@pytest.mark.parametrize("masks", [np.ones((30, 6)), np.zeros((30, 6)), np.eye(6)[[1]]])
def test_masks_that_do_not_vary_are_told_and_have_no_weights(solver, lam, masks):
    masks = np.broadcast_to(masks, (30, 6)).astype(bool)
    y = np.random.default_rng(0).standard_normal((30, 2))
    with pytest.warns(UserWarning, match="saw the same training examples"):
        model = DatamodelRegressor(lam, solver=solver, random_state=0).fit(masks, y)
    assert not model.coef_.any()
    np.testing.assert_allclose(model.intercept_, y.mean(axis=0))
    if solver == "gram":
        with pytest.warns(UserWarning, match="saw the same training examples"):
            model.fit(0.1 + masks, y)
        assert not model.coef_.any()


def test_a_column_that_does_not_vary_in_a_fold_has_no_weight_there():
    runs, _ = make_linear_runs(40, 6, 2, random_state=0)
    masks = runs.masks.copy()
    masks[:, 2] = True
    masks[0, 2] = False
    DatamodelRegressor("cv", cv=40, n_lams=3, random_state=0).fit(masks, runs.outputs)


def test_selection_attributes_go_when_lam_is_given():
    runs, _ = make_linear_runs(60, 10, 2)
    model = DatamodelRegressor(random_state=0).fit(runs)
    assert model.lams_.shape == model.validation_error_.shape == (2, 50)
    model.set_params(lam=0.1).fit(runs)
    assert not hasattr(model, "lams_")


@pytest.mark.parametrize("solver", ["gram", "residual", "saga"])
@pytest.mark.parametrize("lam", [1e-3, "validation", "cv"])
def test_unconverged_targets_are_told_once_by_their_own_names(solver, lam):
    runs, _ = make_linear_runs(40, 60, 3, noise=1.0)
    Y = runs.outputs.copy()
    Y[:, 1] = 2.0  # a constant is solved in no pass
    Y[:5, 0] = np.nan  # the others have runs of their own
    model = DatamodelRegressor(lam, max_iter=1, solver=solver, random_state=0)
    with pytest.warns(ConvergenceWarning) as warned:
        model.fit(runs.masks, Y)
    assert len(warned) == 1
    assert "2 of 3 targets" in str(warned[0].message)
    assert "max_iter=1: [0, 2]" in str(warned[0].message)
    assert "with many more examples than runs" in str(warned[0].message)
    if lam == "validation" and solver != "saga":  # the path has ended
        followed = np.isfinite(model.validation_error_).sum(axis=1)
        assert followed[[0, 2]].tolist() == [5, 5]


RUNS, _ = make_linear_runs(30, 10, 2)
MASKS, OUTPUTS = RUNS.masks, RUNS.outputs


@pytest.mark.parametrize(
    ("parameters", "X", "y", "message"),
    [
        (
            {},
            MASKS[:2],
            OUTPUTS[:2],
            "n_samples = 2 usable runs of 2, and no target has enough",
        ),
        ({"lam": "cv"}, MASKS[:4], OUTPUTS[:4], "a minimum of 5"),
        ({"lam": 0.1}, MASKS[:1], OUTPUTS[:1], "a minimum of 2"),
        ({}, MASKS, OUTPUTS[:-1], "one row for each of the 30 runs"),
        ({}, MASKS * np.uint8(2), OUTPUTS, "only 0 and 1"),
        ({}, np.argsort(MASKS)[:, :8], OUTPUTS, "look like the indices"),
        ({}, np.where(MASKS, np.nan, 0), OUTPUTS, "NaN"),
        ({}, MASKS, OUTPUTS + np.inf, "infinity"),
        ({}, MASKS, OUTPUTS * np.nan, "Target 0 has n_samples = 0"),
        ({"lam": -1.0}, MASKS, OUTPUTS, "lam"),
        ({"lam": [0.1, -0.1]}, MASKS, OUTPUTS, "not negative"),
        ({"lam": [0.1, 0.1, 0.1]}, MASKS, OUTPUTS, "one for each of the 2 targets"),
        ({}, MASKS, None, "y cannot be None|requires y"),
        ({}, MASKS, OUTPUTS[:, :, None], "at most two dimensions|dim 3"),
    ],
)
def test_bad_input(parameters, X, y, message):
    with pytest.raises(ValueError, match=message):
        DatamodelRegressor(**parameters).fit(X, y)


def test_copies_of_runs_are_told():
    runs, _ = make_linear_runs(60, 100, 2)
    twice = np.r_[:60, 7, 8]
    message = "2 of 62 runs are copies: run 60 has .* of run 7"
    with pytest.warns(UserWarning, match=message):
        DatamodelRegressor(0.1).fit(runs[twice])
    other = np.r_[runs.outputs, runs.outputs[7:9] + 1]
    DatamodelRegressor(0.1).fit(runs.masks[twice], other)  # warnings are errors
    few = runs.masks[twice, :64], runs.outputs[twice]  # may repeat by chance
    DatamodelRegressor(0.1).fit(*few)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8])
def test_integers_0_and_1_are_masks(dtype):
    X = MASKS.astype(dtype)
    model = DatamodelRegressor(0.1, solver="residual").fit(X, OUTPUTS)  # masks only
    expected = DatamodelRegressor(0.1, solver="residual").fit(MASKS, OUTPUTS)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.predict(X), expected.predict(MASKS))


@pytest.mark.parametrize("change", ["a repetition", "negative", "floats", "few"])
def test_integers_that_are_no_indices_are_columns(change):
    X = np.argsort(np.random.default_rng(0).random((30, 10)))
    if change == "a repetition":
        X[3, 2] = X[3, 1]
    X = {"negative": X - 1, "floats": X.astype(float), "few": X[:, :7]}.get(change, X)
    model = DatamodelRegressor(0.1).fit(X, OUTPUTS)
    expected = DatamodelRegressor(0.1).fit(X.astype(float), OUTPUTS)
    np.testing.assert_allclose(model.coef_, expected.coef_)


@pytest.mark.parametrize("form", [np.asarray, PackedMasks.from_dense])
def test_predict_checks_the_width(form):
    model = DatamodelRegressor(0.1).fit(MASKS, OUTPUTS)
    with pytest.raises(ValueError, match="9 features, but"):
        model.predict(form(MASKS[:, :9]))


@pytest.mark.parametrize("with_prior", [True, False])
def test_verbose_names_the_steps_and_changes_nothing(capsys, with_prior):
    runs, coef = make_linear_runs(n_runs=60, n_train=10, n_informative=2)
    prior = coef if with_prior else None
    told = DatamodelRegressor(prior=prior, random_state=0, verbose=1).fit(runs)
    shown = capsys.readouterr().err
    assert ("computing the prior" in shown) == with_prior
    assert "choosing the penalty" in shown
    assert f"fitting {len(coef)} targets: 100%" in shown
    quiet = DatamodelRegressor(prior=prior, random_state=0).fit(runs)
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(told.coef_, quiet.coef_)
