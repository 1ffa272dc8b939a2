"""Base class of scikit-learn learners that train many runs together."""

import numpy as np
import scipy.sparse as sp

from skdatamodels._examples import with_inputs
from skdatamodels._frames import columns_of, is_frame
from skdatamodels.outputs import OUTPUTS
from skdatamodels.training._learners.learners import EstimatorLearner

_MOST_ENTRIES = 2**24  # of a sparse matrix that is made dense: 128 MiB


class BlockLearner(EstimatorLearner):
    """Base class of learners that train blocks of runs together.

    The results are those of the estimator's own ``fit``. For a single subset, the
    learner fits the estimator like :class:`EstimatorLearner`; :meth:`train_many` is the
    fast path. A subclass defines ``block_size``, the number of runs in a block, and
    ``raw_outputs(masks)``.

    Parameters
    ----------
    estimator, train, targets, output
        As for :class:`EstimatorLearner`.
    exact : bool, default=False
        Whether results may be closer to the optimum than the estimator's own.
    """

    def __init__(self, estimator, train, targets, output, *, exact=False):
        if exact:  # the estimator's own fits of some runs are exact in float64 alone
            train, targets = (
                with_inputs(part, plain_array(part.X)) for part in (train, targets)
            )
        super().__init__(estimator, train, targets, output)
        self.exact = exact
        self.X, self.X_targets = plain_array(train.X), plain_array(targets.X)

    @property
    def block_size(self):
        """Number of runs in a block, which depends only on the data."""
        raise NotImplementedError

    @classmethod
    def is_for(cls, estimator):
        """Return whether the estimator has the objective of this fast path."""
        raise NotImplementedError

    @classmethod
    def obstacle(cls, estimator, train, targets, *, exact=False):
        """Return why the estimator must fit each run itself, or None if it need not.

        The text says what would change that.
        """
        raise NotImplementedError

    def raw_outputs(self, masks):
        """Return raw outputs (block_size, n_targets, ...) for dense float masks.

        Rows of zeros are padding. NaN marks runs that must be trained one by one.
        """
        raise NotImplementedError

    def train_many(self, masks, seeds):
        """Return the outputs of several runs.

        Parameters
        ----------
        masks : bool array of shape (n_runs, n_train)
            Subsets.
        seeds : int array of shape (n_runs,)
            Ignored, because these estimators are deterministic.

        Returns
        -------
        outputs : float64 array of shape (n_runs, n_targets)
            Outputs. NaN for runs that must be trained one by one, such as those that
            miss a class.
        """
        outputs = np.full((len(masks), len(self.y)), np.nan)
        complete = np.flatnonzero(self._have_all_classes(masks))
        for start in range(0, len(complete), self.block_size):
            rows = complete[start : start + self.block_size]
            # Blocks are padded, so that all products have the same shape. Then BLAS
            # sums the numbers of a run in the same order, whatever the other runs are.
            block = np.zeros((self.block_size, masks.shape[1]))
            block[: len(rows)] = masks[rows]
            raw = self.raw_outputs(block)[: len(rows)]
            usable = np.isfinite(raw.reshape(len(rows), -1)).all(axis=1)
            if usable.any():
                outputs[rows[usable]] = measure_many(self.output, raw[usable], self.y)
        return outputs

    def train_and_measure(self, train_indices, seed):
        """Fit the estimator on these examples, and return it with the run's outputs.

        The outputs are those of the fast path, if it gives any: whether a model is kept
        must not change its run.
        """
        mask = np.zeros((1, len(self.train)), dtype=bool)
        mask[0, train_indices] = True
        try:
            outputs = self.train_many(mask, [seed])[0]
        except Exception:  # then the estimator's own fit raises its own error
            outputs = np.array([np.nan])
        if np.isfinite(outputs).all():
            return self.train_model(train_indices, seed), outputs
        return super().train_and_measure(train_indices, seed)

    def __call__(self, train_indices, seed):
        """Fit the estimator on these examples, and return its outputs (n_targets,)."""
        return super().train_and_measure(train_indices, seed)[1]

    def _have_all_classes(self, masks):
        if self.classes is None:
            return masks.any(axis=1)
        columns = [
            masks[:, self.train.y == label].any(axis=1) for label in self.classes
        ]
        return np.logical_and.reduce(columns)


def measure_many(output, raw, y):
    """Measure the targets of several runs.

    Parameters
    ----------
    output : Output
        Output to measure.
    raw : array of shape (n_runs, n_targets, ...)
        Logits or predictions.
    y : array of shape (n_targets,)
        True values, or columns of the true classes.

    Returns
    -------
    outputs : float64 array of shape (n_runs, n_targets)
        The outputs.
    """
    if output not in OUTPUTS.values():  # a user's output may depend on all targets
        return np.stack([output(one, y) for one in raw])
    stacked = raw.reshape(-1, *raw.shape[2:])
    return output(stacked, np.tile(y, len(raw))).reshape(raw.shape[:2])


def plain_array(X):
    """Return X as the float64 matrix that scikit-learn would use, or None.

    Sparse matrices are made dense if they are small.
    """
    if is_frame(X):
        kinds = {_kind(column) for _, column in columns_of(X)}
        if not kinds <= set("iuf"):
            return None
        X = np.asarray(X)
    if sp.issparse(X):
        if np.prod(X.shape) > _MOST_ENTRIES:
            return None
        X = X.toarray()
    if not (isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "iuf"):
        return None
    X = X.astype(np.float64, copy=False)
    return X if np.isfinite(X).all() else None


def _kind(column):
    """Return the kind of a column of numbers; "O" for anything else."""
    if isinstance(column.dtype, np.dtype):
        return column.dtype.kind
    is_numeric = getattr(column.dtype, "is_numeric", None)  # of polars
    return "f" if is_numeric is not None and is_numeric() else "O"


def data_obstacle(train, targets, *, exact):
    """Return why the inputs keep an estimator from its fast path, or None."""
    for name, part in ("train.X", train), ("targets.X", targets):
        if plain_array(part.X) is None:
            return (
                f"{name} is not a matrix of finite numbers. Encode other columns first"
            )
        if not exact and getattr(part.X, "dtype", None) == np.float32:
            return (
                f"{name} is float32, in which scikit-learn computes less exactly. "
                "Convert it to float64"
            )
    return None
