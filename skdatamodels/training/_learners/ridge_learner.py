"""Ridge regression and classification on many subsets by one matrix product."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import Ridge, RidgeClassifier

from skdatamodels.training._learners.block_learner import (
    BlockLearner,
    data_obstacle,
    plain_array,
)

# Above this size, the products are as slow as the estimator's own fits, and they need
# more memory.
_MOMENT_BYTES = 1 << 28
# With less regularisation, relative to the trace, rounding errors of the normal matrix
# could affect the outputs.
_LEAST_RIDGE = 1e-9


class RidgeLearner(BlockLearner):
    """Solve the normal equations of many subsets together.

    Ridge regression depends on a subset only through its moments: sums over its
    examples of 1, x, y, x yᵀ and the upper half of x xᵀ. With a row of these for each
    example, the moments of all runs in a block are the product masks @ rows. With
    weights, a mask has these in place of ones.

    Parameters
    ----------
    estimator : Ridge or RidgeClassifier
        The estimator.
    train, targets, output
        As for :class:`EstimatorLearner`.
    exact : bool, default=False
        Whether to serve inputs and solvers with which the estimator is less exact.

    Notes
    -----
    Outputs equal those of the estimator's own fit, up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples
    >>> from skdatamodels.training._learners.ridge_learner import RidgeLearner
    >>> train = Examples([[0.0], [1.0], [2.0]], [0.0, 1.0, 3.0])
    >>> learner = RidgeLearner(Ridge(), train, train[:2], "prediction")
    >>> learner.train_many(np.array([[1, 1, 0], [0, 1, 1]], dtype=bool), [0, 0])
    array([[0.33333333, 0.66666667],
           [1.        , 1.66666667]])
    >>> learner([0, 1], seed=0)
    array([0.33333333, 0.66666667])
    """

    # With multiples of 24, the kernels of BLAS use whole tiles, and sum all runs alike.
    block_size = 96

    def __init__(self, estimator, train, targets, output, *, exact=False):
        super().__init__(estimator, train, targets, output, exact=exact)
        self._rows = None

    def __getstate__(self):
        # Rows are faster to compute again than to send to a worker.
        return self.__dict__ | {"_rows": None}

    @classmethod
    def is_for(cls, estimator):
        """Return whether the estimator has the objective of this fast path."""
        return (
            type(estimator) in (Ridge, RidgeClassifier)
            and isinstance(estimator.alpha, Real)
            and not estimator.positive
        )

    @classmethod
    def obstacle(cls, estimator, train, targets, *, exact=False):
        """Return why the estimator must fit each run itself, or None if it need not."""
        if estimator.solver not in ("auto", "cholesky") and not exact:
            return f'solver={estimator.solver!r} is not solver="cholesky"'
        if sp.issparse(train.X) and not exact:
            return "train.X is sparse, for which scikit-learn iterates. Make it dense"
        if reason := data_obstacle(train, targets, exact=exact):
            return reason
        if type(estimator) is Ridge and train.y.dtype.kind not in "iuf":
            return "train.y does not have numbers"
        X = plain_array(train.X)
        n_moments = X.shape[1] * (X.shape[1] + 1) // 2
        if 8 * len(X) * n_moments > _MOMENT_BYTES:
            return f"{X.shape[1]} features are too many for its fast path"
        weight = 1.0 if train.sample_weight is None else train.sample_weight[:, None]
        least = _LEAST_RIDGE * (weight * np.square(X)).sum()
        if estimator.alpha <= least:
            return f"alpha must be above {least:.1g} for stable normal equations"
        return None

    def raw_outputs(self, masks):
        """Return logits (n_runs, n_targets, n_classes), or predictions."""
        if self._rows is None:
            self._rows = self._moment_rows()
        n_features, fit_intercept = self.X.shape[1], self.estimator.fit_intercept
        masks = masks * self._factors(masks)
        moments = masks @ self._rows
        n, x, half = np.split(moments, [1, 1 + n_features], axis=1)
        y, xy = self._response_moments(masks, moments[:, : 1 + n_features])
        place = np.zeros((n_features, n_features), dtype=np.intp)
        place[np.triu_indices(n_features)] = np.arange(half.shape[1])
        gram = half[:, np.maximum(place, place.T)]
        if fit_intercept:
            size = np.where(n > 0, n, 1)
            x, y = x / size, y / size
            gram -= n[:, :, None] * x[:, :, None] * x[:, None, :]
            xy = xy - n[:, :, None] * x[:, :, None] * y[:, None, :]
        gram[:, np.arange(n_features), np.arange(n_features)] += self.estimator.alpha
        coef = np.linalg.solve(gram, xy)
        # One product for all runs, because large products are faster.
        stacked = coef.transpose(0, 2, 1).reshape(-1, n_features)
        raw = stacked @ (self.X_targets - self._centre()).T
        raw = raw.reshape(len(masks), -1, len(self.targets)).transpose(0, 2, 1)
        raw[n[:, 0] <= 0] = np.nan  # without weight, the estimator raises its error
        if fit_intercept:
            raw += y[:, None, :] - x[:, None, :] @ coef
        if self.classes is None:
            return raw[..., 0]
        return raw if raw.shape[2] > 1 else np.concatenate([0 * raw, raw], axis=2)

    def _factors(self, masks):
        """Return the weights of examples in each run: their own times of the class."""
        weight, given = self.train.sample_weight, None
        weight = 1.0 if weight is None else weight
        if self.classes is not None:
            given = self.estimator.class_weight
        if given is None:
            return weight
        codes = np.searchsorted(self.classes, self.train.y)
        if given != "balanced":
            of_class = np.array([given.get(label, 1.0) for label in self.classes])
            return weight * of_class[codes]
        counts = masks @ np.eye(len(self.classes))[codes]
        total = counts.sum(axis=1, keepdims=True)
        balanced = total / (len(self.classes) * np.maximum(counts, 1))
        return weight * balanced[:, codes]

    def _moment_rows(self):
        """Return 1, x and the upper half of x xᵀ for each example, one per row."""
        x = self.X - self._centre()
        first, second = np.triu_indices(x.shape[1])
        ones = np.ones((len(x), 1))
        return np.concatenate([ones, x, x[:, first] * x[:, second]], axis=1)

    def _response_moments(self, masks, total):
        """Return the sums of y, (n_runs, n_columns), and of x yᵀ, for each run.

        `total` contains the sums of 1 and x. For classes, y is ±1, so the sums of y and
        x y are twice the sums of 1 and x over the class, minus `total`.
        """
        basic = self._rows[:, : total.shape[1]]
        if self.classes is None:
            sums = [masks @ (basic * self.train.y[:, None])]
        else:
            # With two classes, there is one column, for the second class.
            shown = self.classes if len(self.classes) > 2 else self.classes[1:]
            members = [np.flatnonzero(self.train.y == label) for label in shown]
            sums = [2 * (masks[:, rows] @ basic[rows]) - total for rows in members]
        stacked = np.stack(sums, axis=2)
        return stacked[:, 0], stacked[:, 1:]

    def _centre(self):
        # With an intercept, X can be shifted. Moments about the mean round less.
        return self.X.mean(axis=0) if self.estimator.fit_intercept else 0.0
