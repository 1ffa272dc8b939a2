"""The LASSO, from masks to weights."""

import numpy as np
from sklearn.linear_model import lasso_path as sklearn_path

from skdatamodels import DatamodelRegressor, PackedMasks, lasso_path
from skdatamodels.datasets import make_linear_runs
from skdatamodels.regression import residual_path, saga_path

from ._ratio import ratio

N_TARGETS, N_LAMS = 8, 20


class Path:
    """A path of 20 lams, of 8 targets, against scikit-learn's on the same Gram matrix.

    Each stops at the same gap: scikit-learn's `tol` is relative to the variance of the
    output, ours to half of it.
    """

    params = ([(2000, 200), (200, 400)], ["float32", "float64"])
    param_names = ("n_runs, n_train", "dtype")
    unit = "times scikit-learn's"

    def setup(self, shape, dtype):
        """Make a problem whose weights are sparse and whose outputs are half noise."""
        runs, _ = make_linear_runs(
            *shape, N_TARGETS, n_informative=40, noise=1.0, random_state=0
        )
        X = runs.masks.astype(dtype)
        X -= X.mean(axis=0)
        self.masks, self.Y = runs.packed, runs.outputs.astype(dtype)
        Y = self.Y - self.Y.mean(axis=0)
        n_runs = len(X)
        self.X, self.cov = np.asfortranarray(X), np.asfortranarray(X.T @ Y)
        self.gram = np.ascontiguousarray(X.T @ X)
        self.centred, self.y_var = Y, Y.var(axis=0)
        steps = np.geomspace(1, 0.05, N_LAMS)
        self.lams = np.abs(self.cov).max(axis=0)[:, None] / n_runs * steps

    def reference(self):
        """Solve by scikit-learn, target by target."""
        for target in range(N_TARGETS):
            sklearn_path(
                self.X,
                self.centred[:, target],
                alphas=self.lams[target].astype(self.X.dtype),
                precompute=self.gram,
                Xy=self.cov[:, target],
                tol=5e-5,
                max_iter=10_000,
                check_input=False,
            )

    def track_gram(self, shape, dtype):
        """`lasso_path` on the moments."""
        gram, cov = self.gram / shape[0], self.cov / shape[0]
        return ratio(
            lambda: lasso_path(gram, cov, self.y_var, lams=self.lams), self.reference
        )

    def track_residual(self, shape, dtype):
        """`residual_path` on the masks."""
        return ratio(
            lambda: residual_path(self.masks, self.Y, lams=self.lams), self.reference
        )

    def track_saga(self, shape, dtype):
        """`saga_path` on the masks."""
        return ratio(
            lambda: saga_path(self.masks, self.Y, lams=self.lams, random_state=0),
            self.reference,
            rounds=2,
        )

    track_gram.unit = track_residual.unit = track_saga.unit = unit


class Masks:
    """Products of packed masks, against numpy's on the same masks as float32."""

    def setup(self):
        """Draw masks."""
        rng = np.random.default_rng(0)
        dense = rng.random((8000, 400)) < 0.5
        self.packed, self.dense = PackedMasks.from_dense(dense), dense.astype("f4")
        self.weights = rng.standard_normal((400, 16), dtype=np.float32)

    def track_gram(self):
        """How often each pair of examples is in together."""
        return ratio(self.packed.gram, lambda: self.dense.T @ self.dense)

    def track_dot(self):
        """Predictions."""
        return ratio(
            lambda: self.packed.dot(self.weights), lambda: self.dense @ self.weights
        )

    track_gram.unit = track_dot.unit = "times numpy's"


class Regressor:
    """`DatamodelRegressor`, choice of lam included."""

    params = ("validation", "cv")
    param_names = ("lam",)

    def setup(self, lam):
        """Generate runs, and compile."""
        self.runs, _ = make_linear_runs(1000, 100, N_TARGETS, random_state=0)
        self.model = DatamodelRegressor(lam, random_state=0).fit(self.runs)

    def time_fit(self, lam):
        """Fit."""
        self.model.fit(self.runs)

    def peakmem_fit(self, lam):
        """Fit."""
        self.model.fit(self.runs)
