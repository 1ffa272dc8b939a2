"""Whole calls: a fit with a prior, tests of weights, an audit, and runs that are kept.

What older commits lack is imported where it is used, so that the rest runs there.
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import lasso_path as sklearn_path
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import DatamodelRegressor, SubsetTrainer
from skdatamodels.datasets import load_digits_examples, make_linear_runs

from ._ratio import ratio

N_RUNS, N_TRAIN, N_TARGETS = 250, 2000, 20


class FewRuns:
    """A ridge with a stack of three matrices, on fewer runs than examples."""

    def setup(self):
        """Make runs, and matrices that are the weights and noise."""
        self.runs, coef = make_linear_runs(
            N_RUNS, N_TRAIN, N_TARGETS, noise=1.0, random_state=0
        )
        noise = np.random.default_rng(0).standard_normal((3, *coef.shape))
        stack = list(coef + noise * coef.std())
        self.model = DatamodelRegressor(prior=stack, penalty="l2", random_state=0)

    def track_fit(self):
        """Fit, against scikit-learn's path of the LASSO of each target."""
        X = self.runs.masks.astype(np.float64)
        X, Y = X - X.mean(axis=0), self.runs.outputs - self.runs.outputs.mean(axis=0)

        def reference():
            for y in Y.T.astype(np.float64):
                sklearn_path(X, y, eps=0.05, alphas=20)

        return ratio(lambda: self.model.fit(self.runs), reference, rounds=1)

    def track_infer_weights(self):
        """Compute standard errors of all weights, against the fit of a LASSO."""
        from skdatamodels.inference import infer_weights

        model = DatamodelRegressor(random_state=0).fit(self.runs)
        return ratio(
            lambda: infer_weights(model, self.runs),
            lambda: clone(model).fit(self.runs),
            rounds=2,
        )

    track_fit.unit, track_infer_weights.unit = "times scikit-learn's", "times the fit"


class Audit:
    """An audit of 200 rows by 100 models, against a loop of as many trainings."""

    def setup(self):
        """Load the table."""
        X, y = load_breast_cancer(return_X_y=True)
        self.tables = X[:200], y[:200], X[200:300], y[200:300]
        self.model = make_pipeline(StandardScaler(), LogisticRegression())

    def track_audit(self):
        """Audit: it trains more models than the 100 on subsets."""
        from skdatamodels.auditing import audit

        X, y, X_test, _ = self.tables

        def ours():
            audit(self.model, *self.tables, n_runs=100, n_jobs=1, verbose=0)

        def reference():
            rng = np.random.default_rng(0)
            for _ in range(100):
                half = rng.permutation(len(X))[: len(X) // 2]
                clone(self.model).fit(X[half], y[half]).decision_function(X_test)

        return ratio(ours, reference, rounds=2)

    track_audit.unit = "times a loop's"


class Resume:
    """A finished store that is asked for its runs again, against training."""

    def setup(self):
        """Train, and keep the runs."""
        self.train, self.targets = load_digits_examples(n_train=200)
        self.folder = tempfile.TemporaryDirectory()
        self.kept = self.trainer(Path(self.folder.name, "runs"))
        self.kept.fit_transform(np.arange(100))

    def teardown(self):
        """Remove the files."""
        self.folder.cleanup()

    def trainer(self, store=None):
        """Return a trainer of logistic regressions."""
        return SubsetTrainer(
            LogisticRegression(), self.train, self.targets, store=store, random_state=0
        )

    def track_resume(self):
        """Ask for the same 100 runs."""
        return ratio(
            lambda: self.kept.fit_transform(np.arange(100)),
            lambda: self.trainer().fit_transform(np.arange(100)),
            rounds=3,
        )

    track_resume.unit = "times the training"
