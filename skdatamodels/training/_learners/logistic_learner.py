"""Logistic regression on many subsets, starting from the fit on all examples."""

import warnings

import numpy as np
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from skdatamodels._fitting import fit_rows
from skdatamodels.training._learners.block_learner import (
    BlockLearner,
    data_obstacle,
    plain_array,
)

_SAME_FIT = {  # settings of the estimator with which the fast path gives its results
    "dual": (False,),
    "solver": ("lbfgs", "newton-cg", "newton-cholesky"),
    "verbose": (0,),
    "n_jobs": (None,),
}
_MOST_PARAMETERS = 2000  # rows of the preconditioner, a square matrix
_BLOCK_BYTES = 1 << 24
_LOOSEST_TOL = 1e-4  # scikit-learn's default; looser fits are far from the optimum
_CLOSER = 100  # factor by which tol is smaller than the estimator's
_EXACT_TOL = 1e-8  # of scikit-learn's fits; Newton's method ends far below it
_EXACT_ERROR = 1e-5  # of coefficients, at the curvature of the penalty alone
_WIDEST_GAP = 0.05  # between the estimator's fit and the optimum, in SDs of the logits
_NO_GAP = 1e-3  # of logits, whatever their SD
_MAX_ITER, _MEMORY, _MAX_CUTS, _STEEP = 60, 8, 5, 0.9


class LogisticLearner(BlockLearner):
    """Minimise the objectives of many subsets, all from the same start.

    The optimum on all examples is close to that of each subset, and the inverse Hessian
    there is nearly the same for all subsets. With these as initial values, a
    quasi-Newton method (L-BFGS) needs only a few steps. The runs of a block share the
    product with the inverse Hessian.

    Parameters
    ----------
    estimator : LogisticRegression or Pipeline
        The estimator, or a pipeline of a StandardScaler and the estimator.
    train, targets, output
        As for :class:`EstimatorLearner`.
    exact : bool, default=False
        Whether outputs are those of the optimum, however close to it the estimator's
        own fit comes.

    Notes
    -----
    The objective is that of the estimator. A run has converged when no entry of the
    gradient of the mean loss exceeds ``tol / 100``, where ``tol`` is that of the
    estimator, or 1e-5 / (n_train C) if `exact`. Its outputs are closer to the optimum
    than those of the estimator's own fit. The two differ by the error of the
    estimator's fit, which is therefore measured first, on all examples. If that fit
    stops at ``max_iter``, or
    the logit of a target differs from that at the optimum by more than a twentieth of
    the logits' standard deviation, the estimator fits all runs itself, and a warning
    says so. It also fits runs that do not converge in 60 steps; if `exact`, with a
    ``tol`` of 1e-8.

    A scaler divides each feature by its standard deviation in the subset. This is the
    same as a penalty of the weights that is multiplied by the variance.

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

    def __init__(self, estimator, train, targets, output, *, exact=False):
        if exact:
            estimator = _at_the_optimum(estimator)
        super().__init__(estimator, train, targets, output, exact=exact)
        scaler, self._logistic = _split(self.estimator)
        self._scales = scaler is not None
        self._mean, self._scale = 0.0, 1.0
        if self._scales:  # on the scale of all examples, whatever a subset's is
            self._mean, self._scale = self.X.mean(axis=0), _scale_of(self.X)
        self._start = self._inverse = None

    @classmethod
    def is_for(cls, estimator):
        """Return whether the estimator has the objective of this fast path."""
        scaler, logistic = _split(estimator)
        if type(logistic) is not LogisticRegression:
            return False
        return (
            (scaler is None or (scaler.with_std and logistic.fit_intercept))
            and logistic.penalty == "deprecated"
            and logistic.l1_ratio == 0
            and np.isfinite(logistic.C)
            and not hasattr(logistic, "_skl_callbacks")
        )

    @classmethod
    def obstacle(cls, estimator, train, targets, *, exact=False):
        """Return why the estimator must fit each run itself, or None if it need not."""
        logistic = _split(estimator)[1]
        parameters = logistic.get_params()
        for name, same in _SAME_FIT.items():
            if parameters[name] not in same and not exact:
                wanted = " or ".join(map(repr, same))
                return f"{name}={parameters[name]!r} is not {name}={wanted}"
        if not (exact or 0 < logistic.tol <= _LOOSEST_TOL):
            return f"tol={logistic.tol:g} is not tol={_LOOSEST_TOL:g} or less"
        if train.y.dtype.kind == "f":
            return "the classes in train.y are floats. Convert them to integers or text"
        if reason := data_obstacle(train, targets, exact=exact):
            return reason
        n_parameters = len(np.unique(train.y)) * (plain_array(train.X).shape[1] + 1)
        if n_parameters > _MOST_PARAMETERS:
            return (
                f"it has {n_parameters} coefficients, and the fast path holds at most "
                f"{_MOST_PARAMETERS}"
            )
        return None

    @property
    def block_size(self):
        """Number of runs in a block, which depends only on the data."""
        # With 24, the kernels of BLAS use whole tiles, and sum all runs alike.
        return int(np.clip(_BLOCK_BYTES // (8 * self.X.size), 1, 24))

    def prepare(self):
        """Fit the estimator to all examples, once for all runs."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # told below
            everything = np.arange(len(self.train))
            try:
                fitted = fit_rows(clone(self.estimator), self.train, everything)
            except Exception:  # then each run raises its own error
                return
        model = _split(fitted)[1]
        stopped = model.n_iter_.max() >= model.max_iter
        if stopped and not self.exact:
            self._tell(f"stops at max_iter={model.max_iter}. Set a larger max_iter")
            return
        parts = [model.coef_, model.intercept_[:, None]]
        fit = np.hstack(parts[: 1 + model.fit_intercept]).astype(np.float64)
        if not self._weight(everything).sum() > 0:
            return  # the estimator makes of it what it can
        self._start = fit
        try:
            self._inverse = np.linalg.inv(self._hessian(fit))
        except np.linalg.LinAlgError:  # of weights that are not positive
            self._start = None
            return
        optimum = self._minimise([self._objective(everything)])[0]
        if self.exact:
            self._start = optimum if np.isfinite(optimum).all() else fit
            return
        X = self._design(self.X_targets)
        gap = np.abs(X @ (optimum - fit).T).max()
        spread = (X @ fit.T).std()
        if gap <= max(_WIDEST_GAP * spread, _NO_GAP):  # False for NaN
            self._start = optimum
            return
        self._start = None
        off = f"{gap / spread:.0%} of their standard deviation" if spread else gap
        self._tell(
            f"stops where logits are off by up to {off}. Set a smaller tol, such as "
            f"{model.tol / 100:g}"
        )

    def _tell(self, what):
        warnings.warn(
            "Each run is fitted by LogisticRegression itself, which takes longer than "
            f"to fit many together: its own fit {what}, or fast='exact' to get the "
            "optimum of each run. fast=False keeps its own fits without this warning.",
            stacklevel=2,
        )

    def raw_outputs(self, masks):
        """Return logits (n_runs, n_targets, n_classes)."""
        n_columns = 1 if len(self.classes) == 2 else len(self.classes)
        if self._start is None:
            return np.full((len(masks), len(self.y), len(self.classes)), np.nan)
        objectives = [self._objective(np.flatnonzero(mask)) for mask in masks]
        coef = self._minimise(objectives)
        raw = self._design(self.X_targets) @ coef.transpose(0, 2, 1)
        raw[masks @ self._sample_weight() <= 0] = np.nan
        return raw if n_columns > 1 else np.concatenate([0 * raw, raw], axis=2)

    def _minimise(self, objectives):
        start = np.tile(self._start.ravel(), (len(objectives), 1))
        coef = minimise(objectives, start, self._inverse, self._tol())
        return coef.reshape(-1, *self._start.shape)

    def _tol(self):
        if not self.exact:
            return self._logistic.tol / _CLOSER
        return np.clip(_EXACT_ERROR / (self._logistic.C * len(self.X)), 1e-12, 1e-7)

    def _objective(self, rows):
        """Return the gradient of a subset's objective, or None if it is empty."""
        weight = self._weight(rows)
        total = weight.sum()
        if not total > 0:
            return None
        X, y = self._design(self.X[rows]), self._column_of_class()[rows]
        shape, penalty = self._start.shape, self._penalty(total, rows)
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
        X, share = self._design(self.X), self._weight(np.arange(len(self.X)))
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
        if self._logistic.fit_intercept and n_columns > 1:
            # The objective is constant along a shift of all intercepts. Curvature is
            # added there to make the Hessian invertible.
            last = np.arange(n_columns) * n_features + n_features - 1
            hessian[np.ix_(last, last)] += 1 / n_columns
        return hessian

    def _penalty(self, n, rows=None):
        """Return the curvature of each feature's penalty, relative to a mean loss."""
        penalty = np.full(self._start.shape[1], 1 / (self._logistic.C * n))
        if self._scales and rows is not None:
            penalty[:-1] *= (_scale_of(self.X[rows]) / self._scale) ** 2
        if self._logistic.fit_intercept:
            penalty[-1] = 0.0
        return penalty

    def _design(self, X):
        ones = np.ones((len(X), int(self._logistic.fit_intercept)))
        return np.hstack([(X - self._mean) / self._scale if self._scales else X, ones])

    def _sample_weight(self):
        weight = self.train.sample_weight
        return np.ones(len(self.train)) if weight is None else weight

    def _weight(self, rows):
        """Return the weights in the loss of a subset: of examples times of classes."""
        weight, given = self._sample_weight()[rows], self._logistic.class_weight
        if given is None or not weight.sum():
            return weight
        y, codes = self.train.y[rows], self._column_of_class()[rows]
        of_class = compute_class_weight(
            given, classes=self.classes, y=y, sample_weight=weight
        )
        return weight * of_class[codes]

    def _column_of_class(self):
        return np.searchsorted(self.classes, self.train.y)


def _split(estimator):
    """Return the scaler, or None, and the model of a pipeline of two steps."""
    if type(estimator) is not Pipeline:
        return None, estimator
    steps = [step for _, step in estimator.steps]
    if len(steps) == 2 and type(steps[0]) is StandardScaler:
        return steps[0], steps[1]
    return None, None


def _scale_of(X):
    """Return what StandardScaler divides by: 1 for a constant feature."""
    scale, size = X.std(axis=0), np.abs(X).max(axis=0)
    return np.where(scale > 10 * np.finfo(np.float64).eps * size, scale, 1.0)


def _at_the_optimum(estimator):
    """Return the estimator with a solver and a tolerance that reach the optimum."""
    estimator = clone(estimator)
    _split(estimator)[1].set_params(
        solver="newton-cholesky", tol=_EXACT_TOL, max_iter=1000, dual=False
    )
    return estimator


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
