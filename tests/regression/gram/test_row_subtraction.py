"""The innermost loop of coordinate descent: vector instructions and plain loops."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from skdatamodels.regression._gram import row_subtraction
from skdatamodels.regression._gram.row_subtraction import TILE_BYTES, WIDTH, by_loops

WIDTHS = {
    "tile": (row_subtraction.subtract_tile_rows, lambda item: TILE_BYTES // item),
    "lane": (row_subtraction.subtract_lane_rows, lambda item: WIDTH),
}


@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", WIDTHS)
def test_vectors_and_loops_subtract_alike(kind, dtype, n):
    vectors, width_of = WIDTHS[kind]
    loops, width = by_loops(width_of), width_of(np.dtype(dtype).itemsize)
    assert type(vectors).__name__ == "_Intrinsic"  # this release can build it
    rng = np.random.default_rng(0)
    rows = rng.permutation(20)[:7]
    out, factors, matrix = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((3, width), 25, (23, width))
    )
    expected = out.astype(np.float64)
    expected[1] -= factors[2:][rows[:n]].astype(float) @ matrix[1:][rows[:n]]

    @numba.njit
    def by_vectors(out):
        vectors(out, width, factors, 2, matrix, width, rows, 0, n)

    @numba.njit
    def by_plain_loops(out):
        loops(out, width, factors, 2, matrix, width, rows, 0, n)

    for subtract in (by_vectors, by_plain_loops):
        found = out.copy()
        subtract(found)
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=20 * np.finfo(dtype).eps
        )


def run_python(code, **environment):
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr


LOOPS_ARE_CHOSEN = """
import warnings
import llvmlite.ir, numba
del llvmlite.ir.{name}
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    from skdatamodels.regression._gram import row_subtraction
assert "using plain loops instead" in str(told[-1].message)
kind = type(row_subtraction.subtract_tile_rows).__name__
assert kind == "CPUDispatcher", kind
"""


@pytest.mark.parametrize("name", ["VectorType", "IRBuilder.shuffle_vector"])
def test_loops_take_over_where_llvmlite_has_changed(name, tmp_path):
    run_python(LOOPS_ARE_CHOSEN.format(name=name), NUMBA_CACHE_DIR=str(tmp_path))


SOLVES_BY_LOOPS = """
import numpy as np
from sklearn.linear_model import Lasso
from skdatamodels.regression import lasso_path
from skdatamodels.regression._gram import row_subtraction
assert row_subtraction.subtract_tile_rows.__qualname__ == "by_loops.<locals>.subtract"
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((60, 7)), rng.standard_normal((60, 2))
X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
coefs, gaps, _ = lasso_path(
    X.T @ X / 60, X.T @ Y / 60, Y.var(axis=0), lams=[0.1, 0.03], tol=1e-8
)
assert gaps.max() <= 1e-8
for k, lam in enumerate([0.1, 0.03]):
    best = Lasso(lam, tol=1e-12, max_iter=10_000).fit(X, Y).coef_
    np.testing.assert_allclose(coefs[:, k], best, atol=1e-4)
"""


def test_the_solver_works_on_loops():
    """Not compiled, for that takes half a minute; so the vectors fail to build."""
    run_python(SOLVES_BY_LOOPS, NUMBA_DISABLE_JIT="1")
