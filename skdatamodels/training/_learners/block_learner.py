"""What the learners that train many runs together have in common."""

import numpy as np

from skdatamodels.outputs import OUTPUTS
from skdatamodels.training._learners.learners import EstimatorLearner


class BlockLearner(EstimatorLearner):
    """Train blocks of runs together, each to the result of the estimator's own fit.

    Called with one subset it fits the estimator as :class:`EstimatorLearner` does;
    :meth:`train_many` is the fast path. A subclass gives ``block_size``, the number of
    runs of a block, and ``raw_outputs(masks)``.

    Parameters
    ----------
    estimator, train, targets, output
        As for :class:`EstimatorLearner`.
    """

    @property
    def block_size(self):
        """Runs that are computed together; it depends on the data alone."""
        raise NotImplementedError

    @classmethod
    def serves(cls, estimator, train, targets):
        """Tell whether the fast path gives what the estimator's own fit would."""
        raise NotImplementedError

    def raw_outputs(self, masks):
        """Return raw outputs (block_size, n_targets, ...) of dense float masks.

        Rows of zeros are padding. NaN stands for a run to be trained by itself.
        """
        raise NotImplementedError

    def train_many(self, masks, seeds):
        """Return the outputs of several runs.

        Parameters
        ----------
        masks : bool array of shape (n_runs, n_train)
        seeds : int array of shape (n_runs,)
            Not used: these estimators have no randomness.

        Returns
        -------
        outputs : float64 array of shape (n_runs, n_targets)
            NaN for runs that the estimator has to fit itself, such as those that miss
            a class.
        """
        outputs = np.full((len(masks), len(self.y)), np.nan)
        complete = np.flatnonzero(self._have_all_classes(masks))
        for start in range(0, len(complete), self.block_size):
            rows = complete[start : start + self.block_size]
            # A block is always full, so products always have the same shape: BLAS
            # then sums each run's numbers in the same order, whatever is beside it.
            block = np.zeros((self.block_size, masks.shape[1]))
            block[: len(rows)] = masks[rows]
            raw = self.raw_outputs(block)[: len(rows)]
            usable = np.isfinite(raw.reshape(len(rows), -1)).all(axis=1)
            if usable.any():
                outputs[rows[usable]] = measure_many(self.output, raw[usable], self.y)
        return outputs

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
    raw : array of shape (n_runs, n_targets, ...)
        Logits or predictions.
    y : array of shape (n_targets,)

    Returns
    -------
    outputs : float64 array of shape (n_runs, n_targets)
    """
    if output not in OUTPUTS.values():  # it may look at all the targets of a run
        return np.stack([output(one, y) for one in raw])
    stacked = raw.reshape(-1, *raw.shape[2:])
    return output(stacked, np.tile(y, len(raw))).reshape(raw.shape[:2])


def is_plain_array(X):
    """Tell whether scikit-learn would compute on X as it is, a float64 matrix."""
    return (
        isinstance(X, np.ndarray)
        and X.ndim == 2
        and (X.dtype == np.float64 or X.dtype.kind in "iu")
        and bool(np.isfinite(X).all())
    )
