"""The trainings of an audit: their cost, the runs, and repeats for the noise."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import vstack
from sklearn.base import clone

from skdatamodels._examples import Examples
from skdatamodels._frames import is_frame, is_pandas
from skdatamodels.runs import TrainingRuns
from skdatamodels.training import SubsetTrainer

N_RUNS, N_RUNS_OF_MANY, MANY_ROWS = 150, 300, 5000
N_KEPT_MODELS = 16  # for the cheap attributions
N_REPEATED = 20  # subsets that are trained twice, to measure the noise of training
N_FULL = 3  # trainings on all rows
_RARE = 20  # rows of a class below which subsets keep the share of each class


class AuditRuns(NamedTuple):
    """What was trained.

    Attributes
    ----------
    runs : TrainingRuns
        Outputs on all targets.
    repeats : float array of shape (2, n_subsets, n_targets)
        Outputs of two trainings of the same subsets.
    full : float array of shape (n_targets,)
        Mean output of models trained on all rows.
    """

    runs: TrainingRuns
    repeats: np.ndarray
    full: np.ndarray

    @property
    def are_random(self):
        """Whether training the same subset again gives other outputs."""
        one, other = self.repeats
        most = 1e-4 * np.nanmax(abs(one), initial=0)
        return not np.allclose(one, other, rtol=0, atol=most, equal_nan=True)


def make_trainer(given, *, alpha, store, n_jobs, random_state, verbose):
    """Return the SubsetTrainer of an audit, and the training row of each target."""
    train, targets = _as_targets(given.train, given.test)
    design = "uniform"
    if given.task == "classification":
        rarest = np.unique(train.y, return_counts=True)[1].min()
        design = "stratified" if rarest < _RARE else design
    rows = np.full(len(targets), -1)
    rows[: len(train)] = np.arange(len(train))
    trainer = SubsetTrainer(
        given.estimator,
        train,
        targets,
        alpha=alpha,
        design=design,
        store=store,
        n_jobs=n_jobs,
        random_state=random_state,
        keep_models=N_KEPT_MODELS,
        verbose=verbose,
    )
    return trainer, rows


def choose_n_runs(n_runs, n_train):
    """Return the number of runs that "auto" means."""
    if n_runs != "auto":
        return n_runs
    return N_RUNS_OF_MANY if n_train > MANY_ROWS else N_RUNS


def train_again(trainer, runs):
    """Train some runs again, and models on all rows; return AuditRuns."""
    again = clone(trainer).set_params(keep_models=0, unseen_class="floor")
    repeated = runs.masks[:N_REPEATED]
    everything = np.ones((N_FULL, runs.n_train), dtype=bool)
    outputs = again.fit_transform(np.concatenate([repeated, everything])).outputs
    n_repeated = len(repeated)
    first = np.asarray(runs.outputs[:n_repeated])
    second = np.asarray(outputs[:n_repeated])
    return AuditRuns(
        runs,
        np.array([np.where(np.isnan(first), second, first), second]),
        np.mean(outputs[n_repeated:], axis=0, dtype=np.float64),
    )


def memory_estimate(n_train, n_targets, n_judged, n_runs):
    """Return about how many bytes an audit needs beside its tables."""
    outputs = 4 * n_runs * n_targets
    matrices = 8 * n_judged * n_train  # weights, prior and about eight attributions
    return 2 * outputs + 10 * matrices


def _as_targets(train, test):
    """Return the training set, and all rows as targets, with columns of one type."""
    if test is None:
        return train, Examples(train.X, train.y, np.arange(len(train)), allow_nan=True)
    X, Z = train.X, test.X
    if is_frame(X):
        X, Z, both = _concat_frames(X, Z)
        train = Examples(
            X,
            train.y,
            train.ids,
            train.metadata,
            allow_nan=True,
            sample_weight=train.sample_weight,
        )
    elif hasattr(X, "tocsr"):
        both = vstack([X, Z], format="csr")
    else:
        both = np.concatenate([X, Z])
    n_targets = len(train) + len(test)
    y = np.concatenate([train.y, test.y])
    return train, Examples(both, y, np.arange(n_targets), allow_nan=True)


def _concat_frames(X, Z):
    """Return both frames with the same categories, and one below the other."""
    if not is_pandas(X):
        import polars

        return X, Z, polars.concat([X, Z], how="vertical_relaxed")
    import pandas as pd

    X, Z = X.copy(), Z.copy()
    for name in X.columns:
        own = X[name].dtype
        if own == "category" and own != Z[name].dtype:
            known = own.categories.tolist()
            other = Z[name].astype("category").cat.categories.tolist()
            both = known + [value for value in other if value not in known]
            kind = pd.CategoricalDtype(both, ordered=own.ordered)
            X[name], Z[name] = X[name].astype(kind), Z[name].astype(kind)
    return X, Z, pd.concat([X, Z], ignore_index=True)
