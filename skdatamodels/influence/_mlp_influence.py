"""Influence functions of scikit-learn's neural networks."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._fitted_on_subset import fit_on_subset, refuse_parameters
from skdatamodels.influence._linear_models import dense_table
from skdatamodels.influence._solve import factor_hessian
from skdatamodels.masks._packed import row_blocks
from skdatamodels.outputs import encode_targets

__all__ = ["mlp_influence"]

_MOST_BYTES = 2**30  # of the matrix that is factored
_REMEDY = "set alpha above 0"
_ACTIVATIONS = {  # the function, and its derivative at a given value of the function
    "identity": (np.asarray, np.ones_like),
    "logistic": (expit, lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(np.float64)),
}


@validate_params(
    {
        "layers": [StrOptions({"all", "last"})],
        "damping": [Interval(Real, 0, None, closed="left")],
        "share": [Interval(Real, 0, 1, closed="right")],
    },
    prefer_skip_nested_validation=True,
)
def mlp_influence(
    estimator,
    train,
    targets,
    *,
    output=None,
    layers="all",
    damping=3.0,
    share=0.99,
    subset=None,
):
    """Influence functions of scikit-learn's neural networks, without torch.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor or FrozenEstimator
        It is cloned and fitted here on `subset`. A
        :class:`~sklearn.frozen.FrozenEstimator` contains a network that was fitted on
        `subset`, and is used as it is.
    train, targets : Examples
        The training set and the targets, with X of shape (n, n_features).
    output : str, default=None
        "margin", "log_odds", "confidence" or "cross_entropy" for a classifier,
        "prediction" or "squared_error" for a regressor. None means "margin" or
        "prediction". See :data:`skdatamodels.outputs.OUTPUTS`.
    layers : {"all", "last"}, default="all"
        "last" keeps the hidden layers fixed.
    damping : float >= 0, default=3
        Added to the diagonal of the matrix of second derivatives of the sum of losses,
        besides the penalty `alpha`. A network with more parameters than examples needs
        it.
    share : float in (0, 1], default=0.99
        Share of the trace of this matrix to keep. An example that the network is sure
        about adds next to nothing to it, so that most of its rows can be left out. 1
        keeps all.
    subset : array-like of shape (n_subset,), default=None
        Indices of the training examples that the network is fitted on, or a bool mask.
        None means all.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example, of all training examples, in
        `subset` or not. Positive if the presence of the example raises the output.
        Examples and targets of a class that `subset` lacks have influence 0.

    Raises
    ------
    TypeError
        If the estimator is not an MLPClassifier or MLPRegressor.
    ValueError
        If a frozen network has several outputs or labels, the loss is "poisson", the
        network has diverged, the matrix is singular or takes more than 1 GB, the output
        has no derivative, a target has a class that no training example has, or
        `subset` has only one class.

    See Also
    --------
    over_subsets : The mean over networks of random subsets, which is more accurate.
    influence_functions, last_layer_influence : The same for torch modules.

    Notes
    -----
    The influence is -h·H⁻¹gᵢ, with gᵢ the gradient of the loss of example i, h that of
    the target's output, and H the Gauss-Newton matrix of the sum of losses, which
    treats the raw outputs as linear in the parameters. The losses are the cross entropy
    and half the squared error. The penalty adds `alpha` to H for each coefficient if
    the solver is "lbfgs". The other solvers add it once a batch, so that it counts as
    often as there are batches.

    H has a row for each parameter. If the subset has fewer examples, times classes,
    the solution comes from a matrix of that size instead. It is made of products of
    activations and of back-propagated derivatives, without any gradients. Either is
    factored once for all targets.

    With `early_stopping`, the examples that scikit-learn sets aside count as if they
    were trained on.

    References
    ----------
    Koh and Liang, "Understanding black-box predictions via influence functions",
    ICML 2017.

    Examples
    --------
    >>> from sklearn.neural_network import MLPRegressor
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import mlp_influence
    >>> train = Examples([[-1.0], [0.0], [1.0], [2.0]], [-2.0, 0.0, 5.0, 2.0])
    >>> targets = Examples([[1.1]], [2.0])
    >>> network = MLPRegressor(hidden_layer_sizes=4, solver="lbfgs", random_state=0)
    >>> influence = mlp_influence(network, train, targets)
    >>> influence.shape, int(influence.argmax())
    ((1, 4), 2)
    """
    if isinstance(estimator, FrozenEstimator):
        _check_fitted(estimator.estimator)
    fit = fit_on_subset(
        estimator, train, targets, output, subset, _check_mlp, least_classes=2
    )
    state = _read_state(fit, train, targets)
    layers = slice(-1 if layers == "last" else None, None)
    roots = _strongest(_roots(state, layers), share)
    of_train = _gradients(state, state.train, state.residual, layers)
    of_targets = _gradients(state, state.targets, state.gradient, layers)
    n_parameters = sum(coef.size + coef.shape[1] for coef in state.model.coefs_[layers])
    primal = n_parameters <= len(roots.examples) or damping == 0
    _check_size(n_parameters if primal else len(roots.examples), primal)
    solve = _by_parameters if primal else _by_outputs
    return solve(roots, of_train, of_targets, state.penalty, damping)


def _check_fitted(model):
    """Raise an error if a network has several outputs or labels."""
    n_outputs = getattr(model, "n_outputs_", 1)
    if n_outputs > 1 and getattr(model, "out_activation_", None) != "softmax":
        many = "labels" if isinstance(model, MLPClassifier) else "outputs"
        raise ValueError(
            f"The {type(model).__name__} has {n_outputs} {many} for each example. Fit "
            "one network for each of them."
        )


def _check_mlp(estimator):
    """Raise an error if the estimator is not a network with a known loss."""
    if type(estimator) not in (MLPClassifier, MLPRegressor):
        cure = ""
        if hasattr(estimator, "steps"):
            cure = (
                ": transform X first, for example Examples(scaler.fit_transform(X), y)"
            )
        raise TypeError(
            f"{type(estimator).__name__} is not a neural network of scikit-learn. It "
            f"must be an MLPClassifier or MLPRegressor{cure}."
        )
    refuse_parameters(estimator, {"loss": ("log_loss", "squared_error")})


def _check_size(size, primal):
    if 8 * size**2 > _MOST_BYTES:
        of = "parameters" if primal else "outputs of the subset"
        raise ValueError(
            f"The Gauss-Newton matrix of the {size} {of} takes {8e-9 * size**2:.1f} "
            "GB. Set layers='last' or a lower share, or use a smaller network."
        )


class _State(NamedTuple):
    """A fitted network on its examples.

    train and targets have the inputs of each layer, (n, n_in). The columns of raw and
    residual (n_train, n_units) and gradient (n_targets, n_units) are the units of the
    last layer: one for two classes, or in a regression. residual and gradient are the
    derivatives of the losses and of the targets' outputs by the raw outputs. `penalty`
    is the second derivative of the penalty by a coefficient.
    """

    model: object
    subset: np.ndarray
    train: list
    targets: list
    raw: np.ndarray
    residual: np.ndarray
    gradient: np.ndarray
    penalty: float


def _read_state(fit, train, targets):
    model = fit.model
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        inputs, raw = _forward(model, dense_table(train.X))
    of_targets, _ = _forward(model, dense_table(targets.X))
    if not np.isfinite(raw).all():
        raise ValueError(
            f"The network returns NaN or infinite values on train example "
            f"{np.isfinite(raw).all(axis=1).argmin()}: training may have diverged."
        )
    if fit.classes is None:
        residual, gradient = raw - fit.y_train[:, None], fit.gradient[:, None]
    else:
        seen = encode_targets(model.classes_, fit.classes)
        units = seen[-raw.shape[1] :]  # of two classes, only the second has a unit
        proba = expit(raw) if len(units) == 1 else softmax(raw, axis=1)
        residual = proba - (fit.y_train[:, None] == units)
        residual[~np.isin(fit.y_train, seen)] = 0
        gradient = fit.gradient[:, units]
        gradient[~np.isin(targets.y, model.classes_)] = 0
    penalty = model.alpha * _n_batches(model, len(fit.subset))
    return _State(
        model, fit.subset, inputs, of_targets, raw, residual, gradient, penalty
    )


def _n_batches(model, n):
    """Return how often the penalty counts in the gradients of one pass over n."""
    if model.solver == "lbfgs":
        return 1
    size = 200 if model.batch_size == "auto" else model.batch_size
    return -(-n // min(size, n))


def _forward(model, X):
    """Return the inputs of each layer, and the raw outputs (n, n_units)."""
    function, _ = _ACTIVATIONS[model.activation]
    inputs = [X]
    for coef, intercept in zip(model.coefs_, model.intercepts_, strict=True):
        raw = inputs[-1] @ coef.astype(np.float64) + intercept
        inputs.append(function(raw))
    return inputs[:-1], raw


class _Gradients(NamedTuple):
    """Gradients of numbers by the parameters of some layers, as factors.

    That of number j by the coefficients of a layer is the outer product of
    inputs[layer][examples[j]] and deltas[layer][j], where the delta is the derivative
    by what the layer returns before its activation. That by the intercepts is the
    delta.
    """

    examples: np.ndarray
    inputs: list
    deltas: list

    def rows(self, rows):
        """Return some of the gradients."""
        deltas = [part[rows] for part in self.deltas]
        return _Gradients(self.examples[rows], self.inputs, deltas)

    def products(self, other, of_coef, of_intercept):
        """Return scaled inner products with others, (n, n_others)."""
        total = np.zeros((len(self.examples), len(other.examples)))
        for a, d, b, e in zip(*self[1:], *other[1:], strict=True):
            product = of_coef * (a[self.examples] @ b[other.examples].T)
            product += of_intercept
            product *= d @ e.T
            total += product
        return total

    def squares(self):
        """Return the squared lengths of the gradients, (n,)."""
        return sum(
            ((a**2).sum(axis=1) + 1)[self.examples] * (d**2).sum(axis=1)
            for a, d in zip(self.inputs, self.deltas, strict=True)
        )

    def dense(self):
        """Return the gradients, (n, n_parameters)."""
        parts = []
        for a, d in zip(self.inputs, self.deltas, strict=True):
            outer = a[self.examples][:, :, None] * d[:, None]
            parts += [outer.reshape(len(d), -1), d]
        return np.concatenate(parts, axis=1)


def _gradients(state, inputs, seed, layers, examples=None):
    """Return gradients of sums of raw outputs with the weights `seed` (n, n_units)."""
    _, slope = _ACTIVATIONS[state.model.activation]
    examples = np.arange(len(seed)) if examples is None else examples
    deltas = [seed]
    for coef, a in zip(state.model.coefs_[:0:-1], inputs[:0:-1], strict=True):
        deltas.append(deltas[-1] @ coef.T.astype(np.float64) * slope(a[examples]))
    return _Gradients(examples, inputs[layers], deltas[::-1][layers])


def _roots(state, layers):
    """Return the rows of B, where BᵀB is the Gauss-Newton matrix of the subset.

    They are √C·J, with J the Jacobian of an example's raw outputs and C the second
    derivatives of its loss by them: diag(p) - ppᵀ for a softmax, which maps the vector
    of ones to 0, so that one row less is needed.
    """
    raw = state.raw[state.subset]
    n, n_units = raw.shape
    if n_units > 1:
        p = softmax(raw, axis=1)
        values, vectors = np.linalg.eigh(p[:, :, None] * (np.eye(n_units) - p[:, None]))
        values, vectors = values[:, None, 1:].clip(0), vectors[:, :, 1:]
        seed = (np.sqrt(values) * vectors).transpose(0, 2, 1).reshape(-1, n_units)
    elif state.model.out_activation_ == "logistic":
        p = expit(raw)
        seed = np.sqrt(p * (1 - p))
    else:
        seed = np.ones((n, 1))
    examples = np.repeat(state.subset, len(seed) // n)
    return _gradients(state, state.train, seed, layers, examples)


def _strongest(roots, share):
    """Return the longest rows, which make up a share of the trace of BᵀB."""
    squares = roots.squares()
    order = np.argsort(squares, kind="stable")
    weak = np.cumsum(squares[order]) <= (1 - share) * squares.sum()
    weak[-1] = False  # also if the network is so sure that all are 0
    return roots.rows(np.sort(order[~weak]))


def _by_parameters(roots, of_train, of_targets, penalty, damping):
    """Return the influence by the matrix BᵀB, of the size of the parameters."""
    values, counts = (penalty + damping, damping), []
    for a, d in zip(roots.inputs, roots.deltas, strict=True):
        counts += [a.shape[1] * d.shape[1], d.shape[1]]
    diagonal = np.repeat(np.resize(values, len(counts)), counts)
    matrix, row_bytes = np.diag(diagonal.astype(np.float64)), 16 * len(diagonal)
    for rows in row_blocks(len(roots.examples), row_bytes):
        block = roots.rows(rows).dense()
        matrix += block.T @ block
    solve = factor_hessian(matrix, "Gauss-Newton matrix of the {n} parameters", _REMEDY)
    influence = np.empty((len(of_targets.examples), len(of_train.examples)))
    for rows in row_blocks(len(influence), row_bytes):
        x = solve(of_targets.rows(rows).dense().T)
        for columns in row_blocks(influence.shape[1], row_bytes):
            influence[rows, columns] = -(of_train.rows(columns).dense() @ x).T
    return influence


def _by_outputs(roots, of_train, of_targets, penalty, damping):
    """Return the influence by the matrix BD⁻¹Bᵀ, of the size of the raw outputs.

    D has penalty and damping, and H = BᵀB + D, so that
    H⁻¹ = D⁻¹ - D⁻¹Bᵀ(I + BD⁻¹Bᵀ)⁻¹BD⁻¹.
    """
    scales = 1 / (penalty + damping), 1 / damping
    n = len(roots.examples)
    matrix = np.eye(n)
    for rows in row_blocks(n, 24 * n):  # the lower half
        columns = slice(0, rows.stop)
        part = roots.rows(rows).products(roots.rows(columns), *scales)
        matrix[rows, columns] += part
    name = "Gauss-Newton matrix of the {n} outputs"
    solve = factor_hessian(matrix, name, _REMEDY)
    influence = np.empty((len(of_targets.examples), len(of_train.examples)))
    for rows in row_blocks(len(influence), 24 * n):
        some = of_targets.rows(rows)
        x = solve(roots.products(some, *scales))
        for columns in row_blocks(influence.shape[1], 24 * max(n, x.shape[1])):
            others = of_train.rows(columns)
            indirect = x.T @ roots.products(others, *scales)
            influence[rows, columns] = indirect - some.products(others, *scales)
    return influence
