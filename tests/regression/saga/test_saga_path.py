"""saga_path against scikit-learn's Lasso, gaps computed in float64, and plain numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from threadpoolctl import threadpool_limits

from skdatamodels.masks import PackedMasks
from skdatamodels.regression import lasso_path
from skdatamodels.regression._saga import minibatch
from skdatamodels.regression._saga.kernels import NumpyOps
from skdatamodels.regression._saga.saga_path import saga_path


def problem(n_runs, d, n_targets, *, alpha=0.5, excluded=False, lowest=0.1, seed=0):
    """Masks of one size; outputs, NaN where a run saw the target; grids of lam."""
    rng = np.random.default_rng(seed)
    X = rng.random((n_runs, d)).argsort(axis=1) < round(alpha * d)
    Y = X @ (rng.standard_t(3, (d, n_targets)) * (rng.random((d, n_targets)) < 0.3))
    Y = 5 + Y + Y.std(axis=0) * rng.standard_normal(Y.shape)
    if excluded:
        Y[X[:, :n_targets]] = np.nan
    lams = [
        np.abs((X[u] - X[u].mean(axis=0)).T @ (y[u] - y[u].mean())).max() / u.sum()
        for y, u in ((y, np.isfinite(y)) for y in Y.T)
    ]
    return X, Y, np.outer(lams, np.geomspace(1, lowest, 6))


def certificate(X, y, lam, w, b, penalty=1.0):
    """Relative gap in float64 from the definition, and the mean residual."""
    usable = np.isfinite(y)
    X, y = X[usable].astype(np.float64), y[usable].astype(np.float64)
    w, m = w.astype(np.float64), len(y)
    penalty = np.broadcast_to(penalty, w.shape)
    residual = y - X @ w - b
    r = residual - residual.mean()
    some = penalty < np.inf
    ratio = np.max(np.abs(X.T @ r)[some] / penalty[some]) / m
    r_dual = r * min(1.0, lam / ratio if ratio > 0 else 1.0)
    primal = r @ r / (2 * m) + lam * penalty[some] @ np.abs(w[some])
    dual = ((y - y.mean()) @ r_dual - r_dual @ r_dual / 2) / m
    return (primal - dual) / (y.var() / 2), residual.mean() / y.std()


def assert_certified(X, Y, lams, result, tol=1e-4, atol=1e-6, penalty=None):
    coefs, intercepts, gaps, _ = result
    assert gaps.max() <= tol
    for j, y in enumerate(Y.T):
        p = 1.0 if penalty is None else penalty[j]
        for k, lam in enumerate(lams[j]):
            gap, mean = certificate(X, y, lam, coefs[j, k], intercepts[j, k], p)
            assert abs(gap - gaps[j, k]) <= atol
            assert abs(mean) <= 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_runs", "d"), [(1500, 150), (150, 60), (80, 110)])
@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_gaps_are_true_and_intercepts_optimal_along_the_path(n_runs, d, alpha, dtype):
    X, Y, lams = problem(n_runs, d, 4, alpha=alpha)
    result = saga_path(X, Y.astype(dtype), lams=lams, random_state=0)
    assert result[0].dtype == result[1].dtype == dtype
    assert_certified(X, Y.astype(dtype), lams, result)


@pytest.mark.parametrize(("n_runs", "d"), [(600, 50), (70, 30)])
def test_equals_lasso_on_the_usable_runs_of_each_target(n_runs, d):
    X, Y, lams = problem(n_runs, d, 3, excluded=True)
    result = saga_path(X, Y, lams=lams, tol=1e-9, max_iter=20_000, random_state=0)
    assert_certified(X, Y, lams, result, tol=1e-9, atol=1e-10)
    for j, y in enumerate(Y.T):
        usable = np.isfinite(y)
        for k in (2, 5):
            reference = Lasso(alpha=lams[j, k], tol=1e-12, max_iter=200_000)
            reference.fit(X[usable], y[usable])
            assert_allclose(result[0][j, k], reference.coef_, atol=1e-3)
            assert_allclose(result[1][j, k], reference.intercept_, atol=1e-2)


def test_reaches_the_objective_of_lasso_path():
    X, Y, lams = problem(800, 80, 5, lowest=0.05)
    coefs, *_ = saga_path(X, Y, lams=lams, tol=1e-6, random_state=0)
    Xc, Yc = X - X.mean(axis=0), Y - Y.mean(axis=0)
    gram, cov, y_var = Xc.T @ Xc / 800, Xc.T @ Yc / 800, Yc.var(axis=0)
    reference = lasso_path(gram, cov, y_var, lams=lams, tol=1e-9, max_iter=100_000)[0]

    def objective(w):
        fitted = np.einsum("tkd,de,tke->tk", w, gram, w) / 2
        fitted -= np.einsum("dt,tkd->tk", cov, w)
        return fitted + lams * np.abs(w).sum(axis=2)

    excess = objective(coefs) - objective(reference)
    assert (np.abs(excess) <= 1.01e-6 * y_var[:, None] / 2).all()


def strange_design(kind):
    """Masks whose spectrum is far from that of uniform subsets."""
    X, *_ = problem(400, 40, 1)
    rng = np.random.default_rng(1)
    if kind == "duplicated":
        X = np.repeat(X, 3, axis=1)
    elif kind == "constant":
        X[:, 3], X[:, 4] = False, True
    elif kind == "two sizes":
        X = rng.random((400, 40)) < rng.choice([0.1, 0.9], (400, 1))
    elif kind == "sorted":
        X = X[np.lexsort(X.T)]
    return X


@pytest.mark.parametrize("kind", ["duplicated", "constant", "two sizes", "sorted"])
def test_designs_that_are_not_uniform(kind):
    X = strange_design(kind)
    rng = np.random.default_rng(2)
    Y = X[:, :9] @ rng.standard_normal((9, 3)) + rng.standard_normal((400, 3))
    lams = np.full((3, 2), [0.1, 0.02])
    result = saga_path(X, Y, lams=lams, max_iter=10_000, random_state=0)
    assert_certified(X, Y, lams, result)
    if kind == "constant":
        assert not result[0][:, :, 3:5].any()


def test_a_constant_target_has_no_weights():
    X, Y, lams = problem(300, 30, 3)
    Y[:, 1] = np.where(X[:, 0], np.nan, 0.1)
    coefs, intercepts, gaps, n_epochs = saga_path(X, Y, lams=lams, random_state=0)
    assert not coefs[1].any()
    assert_allclose(intercepts[1], 0.1)
    assert not gaps[1].any()
    assert not n_epochs[1].any()
    others = [0, 2]
    alone = coefs[others], intercepts[others], gaps[others], n_epochs[others]
    assert_certified(X, Y[:, others], lams[others], alone)


@pytest.mark.parametrize("per_target", [False, True])
def test_penalty_factors(per_target):
    X, Y, lams = problem(300, 30, 2)
    rng = np.random.default_rng(3)
    factors = rng.uniform(0.5, 2, (2, 30) if per_target else (1, 30))
    factors[:, 8] = np.inf
    result = saga_path(
        X,
        Y,
        lams=lams,
        penalty_factors=factors if per_target else factors[0],
        coef_init=rng.standard_normal((2, 30)),  # also where it must be 0
        random_state=0,
    )
    assert not result[0][:, :, 8].any()
    assert_certified(X, Y, lams, result, penalty=np.broadcast_to(factors, (2, 30)))


def test_no_penalty_is_least_squares():
    X, Y, _ = problem(400, 12, 2)
    X = X[:, :11]  # the masks' columns sum to a constant: leave one out
    with pytest.warns(ConvergenceWarning, match="2 of 2 targets"):
        coefs, intercepts, _, n_epochs = saga_path(
            X, Y, lams=[0.0], max_iter=200, random_state=0
        )
    design = np.c_[X, np.ones(400)]
    reference = np.linalg.lstsq(design, Y, rcond=None)[0]
    assert_allclose(coefs[:, 0], reference[:11].T, atol=1e-7)
    assert_allclose(intercepts[:, 0], reference[11], atol=1e-7)
    assert (n_epochs == 200).all()


@pytest.mark.parametrize("table_dtype", ["float16", "float32", None])
@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_the_table_may_be_float16_and_on_disk(table_dtype, on_disk, scale, tmp_path):
    X, Y, lams = problem(500, 60, 5, excluded=True)
    Y, lams = (scale * Y).astype(np.float32), scale * lams
    folder = tmp_path if on_disk else None
    result = saga_path(
        X,
        Y,
        lams=lams,
        table_dtype=table_dtype,
        table_folder=folder,
        random_state=0,
    )
    assert_certified(X, Y, lams, result)
    assert not list(tmp_path.iterdir())


def test_masks_and_outputs_on_memory_maps(tmp_path):
    X, Y, lams = problem(300, 37, 3)
    np.save(tmp_path / "masks.npy", PackedMasks.from_dense(X).bits)
    np.save(tmp_path / "outputs.npy", Y.astype(np.float16))  # as the authors' files
    masks = PackedMasks(np.load(tmp_path / "masks.npy", mmap_mode="r"), 37)
    outputs = np.load(tmp_path / "outputs.npy", mmap_mode="r")
    result = saga_path(masks, outputs, lams=lams, random_state=0)
    assert result[0].dtype == np.float32
    assert_certified(X, np.array(outputs), lams, result)


def test_random_state_alone_determines_the_result():
    X, Y, lams = problem(300, 40, 3)

    def solve(seed):
        return saga_path(X, Y, lams=lams, random_state=seed)

    for first, second in zip(solve(7), solve(7), strict=True):
        assert_array_equal(first, second)
    assert (solve(7)[0] != solve(8)[0]).any()


def test_threads_do_not_matter(monkeypatch):
    monkeypatch.setattr("skdatamodels.regression._saga.kernels._ENTRIES_PER_THREAD", 64)
    X, Y, lams = problem(400, 70, 9)
    results = []
    for n_threads in (1, 3):
        monkeypatch.setattr(
            "skdatamodels.regression._saga.kernels.get_num_threads",
            lambda n=n_threads: n,
        )
        with threadpool_limits(n_threads):
            results.append(saga_path(X, Y, lams=lams, random_state=0))
    for first, second in zip(*results, strict=True):
        assert_allclose(first, second, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_any_batch_size_will_do(batch_size):
    X, Y, lams = problem(120, 10, 2)
    result = saga_path(X, Y, lams=lams, batch_size=batch_size, random_state=0)
    assert_certified(X, Y, lams, result)


def test_steps_that_are_too_long_are_mended(monkeypatch):
    monkeypatch.setattr(minibatch, "_SMOOTHNESS_MARGIN", 0.01)
    X, Y, lams = problem(300, 40, 3)
    for dtype in (np.float32, np.float64):
        data = Y.astype(dtype)
        result = saga_path(X, data, lams=lams, max_iter=5000, random_state=0)
        assert_certified(X, data, lams, result)


def test_too_few_epochs_are_told():
    X, Y, lams = problem(60, 80, 2, lowest=0.01)
    with pytest.warns(ConvergenceWarning, match="2 of 2 targets"):
        _, _, _, n_epochs = saga_path(X, Y, lams=lams, max_iter=2, random_state=0)
    assert n_epochs.max() == 2


def test_a_path_ends_where_its_gap_is_not_reached():
    X, Y, lams = problem(60, 80, 2, lowest=0.01)
    with pytest.warns(ConvergenceWarning, match=r"2 of 2 targets .* \[0, 1\]"):
        coefs, intercepts, gaps, n_epochs = saga_path(
            X, Y, lams=lams, max_iter=3, random_state=0
        )
    for j in range(2):
        end = (gaps[j] > 1e-4).argmax()
        assert n_epochs[j, end] == 3
        assert not n_epochs[j, end + 1 :].any()
        for k in range(end, 6):
            np.testing.assert_array_equal(coefs[j, k], coefs[j, end])
            gap, _ = certificate(X, Y[:, j], lams[j, k], coefs[j, k], intercepts[j, k])
            assert gap == pytest.approx(gaps[j, k])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.ones((5, 2))}, "y must be"),
        ({"y": np.ones(6)}, "y must be"),
        ({"y": np.full((6, 2), np.inf)}, "y contains infinity"),
        ({"y": np.c_[np.arange(6.0), np.full(6, np.nan)]}, "Target 1 has no usable"),
        ({"lams": [0.1, 0.2]}, "not increase"),
        ({"lams": [-0.1]}, "not be negative"),
        ({"lams": [np.nan]}, "lams contains NaN"),
        ({"lams": np.ones((3, 1))}, "lams must be"),
        ({"penalty_factors": np.zeros(4)}, "must be positive"),
        ({"penalty_factors": np.ones(3)}, "must be positive, of shape"),
        ({"coef_init": np.zeros((2, 3))}, "coef_init"),
        ({"coef_init": np.full((2, 4), np.nan)}, "coef_init contains NaN"),
        ({"tol": 0}, "tol must be"),
        ({"batch_size": 0}, "batch_size must be at least"),
        ({"max_iter": 0}, "max_iter"),
        ({"table_dtype": "int8"}, "table_dtype"),
        ({"table_folder": "nowhere"}, "not a folder"),
    ],
)
def test_bad_input(changes, message):
    data = {"masks": np.eye(6, 4, dtype=bool), "y": np.arange(12.0).reshape(6, 2)}
    data = {**data, "lams": [0.2, 0.1]} | changes
    with pytest.raises(ValueError, match=message):
        saga_path(**data)


shapes = st.tuples(st.integers(1, 9), st.integers(1, 21))
dtypes = st.sampled_from([np.float32, np.float64])


def ops_with_threads(dtype, monkeypatch_threads=2):
    """Operations that share even the smallest work among threads."""
    ops = NumpyOps(dtype)
    ops._n_threads = monkeypatch_threads
    return ops


@pytest.fixture(autouse=True, scope="module")
def _small_work_is_shared():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skdatamodels.regression._saga.kernels._ENTRIES_PER_THREAD", 8)
        yield


@given(shapes, dtypes, st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_expand(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    masks, centre = rng.random(shape) < 0.5, rng.random(shape[1]).astype(dtype)
    ops = ops_with_threads(dtype)
    out = ops.expand(np.packbits(masks, axis=1), centre)
    assert out.dtype == dtype
    assert_array_equal(out, masks.astype(dtype) - centre)
    fewer = ops.expand(np.packbits(masks[:1], axis=1), centre)
    assert_array_equal(fewer, masks[:1].astype(dtype) - centre)
    assert np.shares_memory(out, fewer)


@given(
    shapes,
    dtypes,
    st.sampled_from([np.float16, np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_update_residuals(shape, dtype, table_dtype, seed):
    rng = np.random.default_rng(seed)
    fitted, y, delta = rng.standard_normal((3, *shape)).astype(dtype)
    y[rng.random(shape) < 0.3] = np.nan
    intercept = rng.standard_normal(shape[1]).astype(dtype)
    table = rng.standard_normal(shape).astype(table_dtype)
    before = table.astype(np.float64)
    ops_with_threads(dtype).update_residuals(fitted, y, intercept, table, delta)
    residual = np.where(np.isnan(y), 0, y.astype(float) - fitted - intercept)
    eps = max(np.finfo(a).eps for a in (dtype, table_dtype))
    assert_allclose(table, residual, rtol=eps, atol=10 * np.finfo(dtype).eps)
    # of what is stored, not of what was computed
    assert_allclose(delta, table.astype(float) - before, atol=4 * np.finfo(dtype).eps)


def soft(z, threshold):
    return np.sign(z) * np.maximum(np.abs(z) - threshold, 0)


@given(shapes, dtypes, st.booleans(), st.sampled_from(["", "nan", "inf"]), st.data())
@settings(max_examples=60)
def test_proximal_step(shape, dtype, per_target, spoiled, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, d = shape
    w, average, gradient = rng.standard_normal((3, *shape)).astype(dtype)
    batch_scale, table_scale, step, lam = rng.random((4, n)).astype(dtype)
    penalty = rng.uniform(0.5, 2, (n if per_target else 1, d)).astype(dtype)
    penalty[:, 0] = np.inf
    lam[0] = 0
    direction = average + batch_scale[:, None] * gradient
    expected_average = average + table_scale[:, None] * gradient
    with np.errstate(invalid="ignore"):
        threshold = np.where(penalty < np.inf, (step * lam)[:, None] * penalty, np.inf)
    expected_w = soft(w + step[:, None] * direction, threshold)
    expected_change = np.abs(expected_w - w).max(axis=1)
    if spoiled:
        gradient[n - 1, d - 1] = float(spoiled)
        expected_change[-1] = np.inf
    change = np.zeros(n, dtype)
    ops_with_threads(dtype).proximal_step(
        *(w, average, gradient, batch_scale, table_scale, step, lam, penalty, change)
    )
    rows = slice(0, n - bool(spoiled))
    tight = {"rtol": 1e-5, "atol": 20 * np.finfo(dtype).eps}
    assert_allclose(w[rows], expected_w[rows], **tight)
    assert_allclose(average[rows], expected_average[rows], **tight)
    assert_allclose(change, expected_change, **tight)


@given(shapes, dtypes, st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_dual_terms(shape, dtype, per_target, seed):
    rng = np.random.default_rng(seed)
    n, d = shape
    q, w = rng.standard_normal((2, *shape)).astype(dtype)
    penalty = rng.uniform(0.5, 2, (n if per_target else 1, d)).astype(dtype)
    penalty[:, 0], w[:, 0] = np.inf, 0
    largest, product, l1 = ops_with_threads(dtype).dual_terms(q, w, penalty)
    assert_allclose(largest, np.abs(q / penalty).max(axis=1), rtol=1e-6)
    assert_allclose(product, (q * w).sum(axis=1), rtol=1e-4, atol=1e-5)
    finite = np.where(penalty < np.inf, penalty, 0)
    assert_allclose(l1, (finite * np.abs(w)).sum(axis=1), rtol=1e-5)
