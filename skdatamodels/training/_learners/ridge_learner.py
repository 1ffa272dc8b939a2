"""Ridge regression and classification on many subsets by one matrix product."""

from numbers import Real

import numpy as np
from sklearn.linear_model import Ridge, RidgeClassifier

from skdatamodels.training._learners.block_learner import BlockLearner, is_plain_array

# Above this the products take as long as the estimator's own, and memory besides.
_MOMENT_BYTES = 1 << 28
# With less regularisation than this part of the trace, rounding errors of a normal
# matrix could show in the outputs.
_LEAST_RIDGE = 1e-9


class RidgeLearner(BlockLearner):
    """Solve the normal equations of many subsets together.

    A subset S enters ridge regression through its moments alone, which are sums over
    its examples: of 1, x, y, x yᵀ and the half vec(x xᵀ). So with a row of these for
    each example, the moments of all runs of a block are a product, masks @ rows.

    Parameters
    ----------
    estimator : Ridge or RidgeClassifier
    train, targets, output
        As for :class:`EstimatorLearner`.

    Notes
    -----
    Outputs equal those of the estimator's own fit but for rounding.

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

    # In multiples of 24 the kernels of BLAS see whole tiles, and sum all runs alike.
    block_size = 96

    def __init__(self, estimator, train, targets, output):
        super().__init__(estimator, train, targets, output)
        self._rows = None

    def __getstate__(self):
        # sooner computed than sent to a worker
        return self.__dict__ | {"_rows": None}

    @classmethod
    def serves(cls, estimator, train, targets):
        """Tell whether the fast path gives what the estimator's own fit would."""
        if type(estimator) not in (Ridge, RidgeClassifier):
            return False
        alpha, X = estimator.alpha, train.X
        if (
            not isinstance(alpha, Real)
            or estimator.solver not in ("auto", "cholesky")
            or estimator.positive
            or getattr(estimator, "class_weight", None) is not None
            or not (is_plain_array(X) and is_plain_array(targets.X))
            or (type(estimator) is Ridge and train.y.dtype.kind not in "iuf")
        ):
            return False
        n_moments = X.shape[1] * (X.shape[1] + 1) // 2
        trace = np.square(X, dtype=np.float64).sum()
        return 8 * len(X) * n_moments <= _MOMENT_BYTES and alpha > _LEAST_RIDGE * trace

    def raw_outputs(self, masks):
        """Return logits (n_runs, n_targets, n_classes), or predictions."""
        if self._rows is None:
            self._rows = self._moment_rows()
        n_features, fit_intercept = self.train.shape[1], self.estimator.fit_intercept
        moments = masks @ self._rows
        n, x, half = np.split(moments, [1, 1 + n_features], axis=1)
        y, xy = self._response_moments(masks, moments[:, : 1 + n_features])
        place = np.zeros((n_features, n_features), dtype=np.intp)
        place[np.triu_indices(n_features)] = np.arange(half.shape[1])
        gram = half[:, np.maximum(place, place.T)]
        if fit_intercept:
            x, y = x / np.maximum(n, 1), y / np.maximum(n, 1)
            gram -= n[:, :, None] * x[:, :, None] * x[:, None, :]
            xy = xy - n[:, :, None] * x[:, :, None] * y[:, None, :]
        gram[:, np.arange(n_features), np.arange(n_features)] += self.estimator.alpha
        coef = np.linalg.solve(gram, xy)
        # one product for all runs, with wide matrices
        stacked = coef.transpose(0, 2, 1).reshape(-1, n_features)
        raw = stacked @ (self.targets.X - self._centre()).T
        raw = raw.reshape(len(masks), -1, len(self.targets)).transpose(0, 2, 1)
        if fit_intercept:
            raw += y[:, None, :] - x[:, None, :] @ coef
        if self.classes is None:
            return raw[..., 0]
        return raw if raw.shape[2] > 1 else np.concatenate([0 * raw, raw], axis=2)

    def _moment_rows(self):
        """Return 1, x and the half of x xᵀ of each example, (n_train, n_moments)."""
        x = self.train.X - self._centre()
        first, second = np.triu_indices(x.shape[1])
        ones = np.ones((len(x), 1))
        return np.concatenate([ones, x, x[:, first] * x[:, second]], axis=1)

    def _response_moments(self, masks, total):
        """Return the sums of y, (n_runs, n_columns), and of x yᵀ, of each run.

        `total` are the sums of 1 and x. With y of ±1 for a class, the sums of y and x y
        are twice those of 1 and x over the class, less `total`.
        """
        basic = self._rows[:, : total.shape[1]]
        if self.classes is None:
            sums = [masks @ (basic * self.train.y[:, None])]
        else:
            # of two classes the second has a column
            shown = self.classes if len(self.classes) > 2 else self.classes[1:]
            members = [np.flatnonzero(self.train.y == label) for label in shown]
            sums = [2 * (masks[:, rows] @ basic[rows]) - total for rows in members]
        stacked = np.stack(sums, axis=2)
        return stacked[:, 0], stacked[:, 1:]

    def _centre(self):
        # An intercept takes up any shift, and moments about a far origin cancel badly.
        return self.train.X.mean(axis=0) if self.estimator.fit_intercept else 0.0
