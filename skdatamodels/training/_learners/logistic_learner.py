"""Logistic regression on many subsets, starting from the fit on all examples."""

import warnings

import numpy as np
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skdatamodels.training._learners.block_learner import BlockLearner, is_plain_array

_SAME_OBJECTIVE = {
    "penalty": ("deprecated",),
    "l1_ratio": (0,),
    "dual": (False,),
    "class_weight": (None,),
    "solver": ("lbfgs", "newton-cg", "newton-cholesky"),
    "verbose": (0,),
    "n_jobs": (None,),
}
_MOST_PARAMETERS = 2000  # rows of the preconditioner, a square matrix
_BLOCK_BYTES = 1 << 24
_LOOSEST_TOL = 1e-4  # scikit-learn's default; looser fits are far from the optimum
_CLOSER = 100  # factor by which tol is smaller than the estimator's
_WIDEST_GAP = 0.05  # between the estimator's fit and the optimum, in SDs of the logits
_MAX_ITER, _MEMORY, _MAX_CUTS, _STEEP = 60, 8, 5, 0.9


class LogisticLearner(BlockLearner):
    """Minimise the objectives of many subsets, all from the same start.

    The optimum on all examples is close to that of each subset, and the inverse Hessian
    there is nearly the same for all subsets. With these as initial values, a
    quasi-Newton method (L-BFGS) needs only a few steps. The runs of a block share the
    product with the inverse Hessian.

    Parameters
    ----------
    estimator : LogisticRegression
        The estimator.
    train, targets, output
        As for :class:`EstimatorLearner`.

    Notes
    -----
    The objective is that of the estimator. A run has converged when no entry of the
    gradient of the mean loss exceeds ``tol / 100``, where ``tol`` is that of the
    estimator. Its outputs are closer to the optimum than those of the estimator's own
    fit. The two differ by the error of the estimator's fit, which is therefore measured
    first, on all examples. If that fit stops at ``max_iter``, or the logit of a target
    differs from that at the optimum by more than a twentieth of the logits' standard
    deviation, the estimator fits all runs itself. It also fits runs that do not
    converge in 60 steps.

    References
    ----------
    Nocedal, Wright, "Numerical Optimization", 2006, Algorithm 7.4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdatamodels import Examples
    >>> from skdatamodels.training._learners.logistic_learner import LogisticLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> train = Examples(X - X.mean(axis=0), y)
    >>> learner = LogisticLearner(LogisticRegression(), train, train[::75], "margin")
    >>> learner.prepare()
    >>> learner.train_many(np.arange(150)[None, :] % 2 == 0, [0]).round(1)
    array([[3.4, 2.1]])
    """

    def __init__(self, estimator, train, targets, output):
        super().__init__(estimator, train, targets, output)
        self._start = self._inverse = None

    @classmethod
    def serves(cls, estimator, train, targets):
        """Return whether the fast path gives the results of the estimator's own fit."""
        if type(estimator) is not LogisticRegression or train.y.dtype.kind == "f":
            return False
        if not (is_plain_array(train.X) and is_plain_array(targets.X)):
            return False
        parameters = estimator.get_params()
        n_parameters = len(np.unique(train.y)) * (train.X.shape[1] + 1)
        return (
            all(parameters[name] in same for name, same in _SAME_OBJECTIVE.items())
            and 0 < estimator.tol <= _LOOSEST_TOL
            and np.isfinite(estimator.C)
            and not hasattr(estimator, "_skl_callbacks")
            and n_parameters <= _MOST_PARAMETERS
        )

    @property
    def block_size(self):
        """Number of runs in a block, which depends only on the data."""
        # With 24, the kernels of BLAS use whole tiles, and sum all runs alike.
        return int(np.clip(_BLOCK_BYTES // (8 * self.train.X.size), 1, 24))

    def prepare(self):
        """Fit the estimator to all examples, once for all runs."""
        model = clone(self.estimator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that has not converged is not used
            model.fit(self.train.X, self.train.y, self.train.sample_weight)
        if model.n_iter_.max() >= model.max_iter:
            return
        parts = [model.coef_, model.intercept_[:, None]]
        self._start = fit = np.hstack(parts[: 1 + model.fit_intercept])
        self._inverse = np.linalg.inv(self._hessian(fit))
        everything = self._objective(np.arange(len(self.train)))
        optimum = self._minimise([everything])[0]
        X = self._design(self.targets.X)
        gap = np.abs(X @ (optimum - fit).T).max()
        is_near = gap <= _WIDEST_GAP * (X @ fit.T).std()  # False for NaN
        self._start = optimum if is_near else None

    def raw_outputs(self, masks):
        """Return logits (n_runs, n_targets, n_classes)."""
        n_columns = 1 if len(self.classes) == 2 else len(self.classes)
        if self._start is None:
            return np.full((len(masks), len(self.y), len(self.classes)), np.nan)
        objectives = [self._objective(np.flatnonzero(mask)) for mask in masks]
        coef = self._minimise(objectives)
        raw = self._design(self.targets.X) @ coef.transpose(0, 2, 1)
        raw[masks @ self._weight() <= 0] = np.nan
        return raw if n_columns > 1 else np.concatenate([0 * raw, raw], axis=2)

    def _minimise(self, objectives):
        start = np.tile(self._start.ravel(), (len(objectives), 1))
        tol = self.estimator.tol / _CLOSER
        coef = minimise(objectives, start, self._inverse, tol)
        return coef.reshape(-1, *self._start.shape)

    def _objective(self, rows):
        """Return the gradient of a subset's objective, or None if it is empty."""
        weight = self._weight()[rows]
        total = weight.sum()
        if not total:
            return None
        X, y = self._design(self.train.X[rows]), self._column_of_class()[rows]
        shape, penalty = self._start.shape, self._penalty(total)
        samples = np.arange(len(rows))

        def gradient(coef):
            coef = coef.reshape(shape)
            excess = _probabilities(coef @ X.T)
            if len(excess) == 1:
                excess[0] -= y
            else:
                excess[y, samples] -= 1
            return ((excess * weight) @ X / total + penalty * coef).ravel()

        return gradient

    def _hessian(self, coef):
        """Return the Hessian of a typical subset's objective at `coef`."""
        X, share = self._design(self.train.X), self._weight()
        total = share.sum()
        share = share / total
        p = _probabilities(coef @ X.T)
        n_columns, n_features = coef.shape
        hessian = np.zeros((n_columns, n_features, n_columns, n_features))
        for i in range(n_columns):
            for j in range(i + 1):
                weight = p[i] * ((i == j) - p[j]) * share
                hessian[i, :, j] = hessian[j, :, i] = (X * weight[:, None]).T @ X
        penalty = np.tile(self._penalty(total / 2), n_columns)
        hessian = hessian.reshape(len(penalty), -1) + np.diag(penalty)
        if self.estimator.fit_intercept and n_columns > 1:
            # The objective is constant along a shift of all intercepts. Curvature is
            # added there to make the Hessian invertible.
            last = np.arange(n_columns) * n_features + n_features - 1
            hessian[np.ix_(last, last)] += 1 / n_columns
        return hessian

    def _penalty(self, n):
        """Return the curvature of each feature's penalty, relative to a mean loss."""
        penalty = np.full(self._start.shape[1], 1 / (self.estimator.C * n))
        if self.estimator.fit_intercept:
            penalty[-1] = 0.0
        return penalty

    def _design(self, X):
        ones = np.ones((len(X), int(self.estimator.fit_intercept)))
        return np.hstack([X, ones])

    def _weight(self):
        weight = self.train.sample_weight
        return np.ones(len(self.train)) if weight is None else weight

    def _column_of_class(self):
        return np.searchsorted(self.classes, self.train.y)


def minimise(gradients, start, inverse, tol):
    """Minimise several convex functions by L-BFGS with a common preconditioner.

    There is no line search: this close to the optimum, a full step is usually good.
    Functions for which it is not may fail to converge, and get NaN.

    Parameters
    ----------
    gradients : list of callable or None
        ``(parameters,) -> gradient`` for each function. If None, the result is the
        start.
    start : array of shape (n_functions, n_parameters)
        Initial parameters.
    inverse : array of shape (n_parameters, n_parameters)
        Approximation of the inverse Hessians, symmetric and positive definite.
    tol : float
        A function has converged when no entry of its gradient exceeds `tol`.

    Returns
    -------
    minimisers : array of shape (n_functions, n_parameters)
        The minimisers. NaN for functions that did not converge.
    """
    x, pairs = start.copy(), []
    todo = np.array([gradient is not None for gradient in gradients])
    slope = np.zeros_like(x)
    _update(slope, gradients, x, todo)
    for _ in range(_MAX_ITER):
        todo &= ~(np.abs(slope).max(axis=1) <= tol)
        if not todo.any():
            break
        step = -_times_inverse_hessian(slope, inverse, pairs)
        step[~todo] = 0.0
        before = slope.copy()
        _advance(slope, gradients, x, step, todo)
        change = slope - before
        curvature = _dot(step, change)
        convex = curvature > 0
        weight = np.divide(1.0, curvature, out=np.zeros(len(x)), where=convex)
        pairs = [*pairs[1 - _MEMORY :], (step, change, weight[:, None])]
    x[todo] = np.nan
    return x


def _advance(slope, gradients, x, step, todo):
    """Take a step for each function, and shorten steps that are too long.

    The slope of a convex function increases along a line. If it rises at the end of a
    step about as steeply as it fell at the start, the step is shortened by the secant
    rule, to where the slope is about 0.
    """
    fall, origin, todo = _dot(slope, step), x.copy(), todo.copy()
    for _ in range(_MAX_CUTS):
        x[todo] = origin[todo] + step[todo]
        _update(slope, gradients, x, todo)
        rise = _dot(slope, step)
        todo &= rise > -_STEEP * fall
        if not todo.any():
            break
        cut = fall[todo] / (fall[todo] - rise[todo])
        step[todo] *= cut[:, None]
        fall[todo] *= cut


def _update(slope, gradients, x, todo):
    for i in np.flatnonzero(todo):
        slope[i] = gradients[i](x[i])


def _times_inverse_hessian(slope, inverse, pairs):
    """Two-loop recursion of L-BFGS, with one row per function."""
    direction, along = slope.copy(), []
    for step, change, weight in reversed(pairs):
        along.append(weight * _dot(step, direction)[:, None])
        direction -= along[-1] * change
    direction = direction @ inverse
    for step, change, weight in pairs:
        direction += (along.pop() - weight * _dot(change, direction)[:, None]) * step
    return direction


def _dot(a, b):
    return np.einsum("ij,ij->i", a, b)


def _probabilities(logits):
    """Compute softmax over the rows, in place; the logistic function for one row."""
    if len(logits) == 1:
        return expit(logits, out=logits)
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)
    return logits
