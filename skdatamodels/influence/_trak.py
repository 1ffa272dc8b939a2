"""TRAK: a linear model on projected gradients, averaged over networks."""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit

from skdatamodels._progress import progress_bar
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._checkpoints import check_checkpoints, load_state
from skdatamodels.influence._checks import as_subset
from skdatamodels.influence._projection import Projection
from skdatamodels.influence._solve import solve_hessian
from skdatamodels.influence._torch import OPTIONS, Network, import_torch
from skdatamodels.outputs import log_odds

__all__ = ["trak"]


@validate_params(
    OPTIONS
    | {
        "projection_dim": [Interval(Integral, 1, None, closed="left"), None],
        "projection": [StrOptions({"sign", "gaussian"})],
        "damping": [Interval(Real, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def trak(
    module,
    train,
    targets,
    *,
    checkpoints=None,
    output="margin",
    projection_dim=None,
    projection="sign",
    damping=None,
    subset=None,
    block_bytes=2**28,
    random_state=None,
    verbose=0,
):
    """TRAK: regression on the gradients of a network, averaged over trainings.

    The network is linearized in its parameters at each checkpoint. This gives a
    logistic regression whose features are the gradients of the log-odds, and the effect
    of an example is the solution of a linear system.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network that maps inputs (n, ...) to logits (n, n_classes), with
        classes in the order of `numpy.unique`, or to predictions (n,) or (n, 1). It is
        used in evaluation mode (no dropout, running statistics for batch norm) and is
        not changed. A module in half precision is evaluated in float32.
    train, targets : Examples
        The training set and the targets.
    checkpoints : sequence of dict or path, default=None
        Final states of the module (``module.state_dict()``) from several trainings, or
        files with these, as for :func:`tracin`. None uses only the state of `module`.
        More trainings give better results.
    output : str or callable, default="margin"
        Output to measure on a target: "margin", "log_odds" or "cross_entropy" for a
        classifier, "prediction" or "squared_error" for a regression network, whose loss
        is the squared error. A callable takes the logits (n_classes,) and the column of
        the class, both tensors, and returns a number computed with torch operations.
        The features of training examples are always the gradients of the log-odds, or
        of the prediction.
    projection_dim : int, default=None
        Number of features to project the gradients to. None does not project them.
    projection : {"sign", "gaussian"}, default="sign"
        Distribution of the entries of the random projection. Each checkpoint has its
        own projection.
    damping : float >= 0, default=None
        Added to the diagonal of the Gram matrix of the features. Projections preserve
        lengths on average, so a damping has the same meaning for any `projection_dim`.
        None means the mean squared length of the features of the training examples. 0
        is the published method, which needs far fewer features than examples.
    subset : int array-like, bool mask of shape (n_train,) or list of them, default=None
        The training examples that the module was trained on, whose features make the
        Gram matrix. With several checkpoints, one subset for all, or a list with one
        for each. All training examples have an influence: for those outside the
        subset, it is the first-order effect of adding them. None means all.
    block_bytes : int, default=2**28
        Maximum memory for gradients, in bytes. In addition, the projected gradients and
        a square matrix are held, which has n_train or `projection_dim` rows, whichever
        is smaller.
    random_state : int, RandomState, Generator or None, default=None
        Determines the projections. They do not depend on `block_bytes`.
    verbose : int, default=0
        If not 0, show a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence. Positive if the presence of the example raises the output. Only the
        order of the weights of a target is meaningful, because the linear system does
        not include the weights of the examples in the Hessian.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If the Gram matrix of the features is singular, a checkpoint does not match the
        module, a gradient is not finite (the message names the example and the
        parameter), there are fewer parameters than `projection_dim`, the classes differ
        from those of the module, or `damping` is 0 and a subset has fewer examples than
        there are features.

    See Also
    --------
    influence_functions : Includes these weights, and does not project.

    Notes
    -----
    The influence is mean(φ·(ΦᵀΦ)⁻¹Φᵀ)·mean(Q), with means over checkpoints. Φ (n_train,
    k) are the features of the training examples at one checkpoint, φ those of a target,
    and Q = diag(1 - p), where p are the probabilities of the examples' own classes. For
    regression, Φ has the gradients of predictions, and Q = diag(y - prediction). For a
    single linear module, this is the influence in ridge regression, in the output's
    unit. With more features than examples, φ·(ΦᵀΦ)⁻¹Φᵀ is replaced by φΦᵀ(ΦΦᵀ)⁻¹, the
    limit of a damping that goes to 0.

    References
    ----------
    Park, Georgiev, Ilyas, Leclerc, Madry, "TRAK: Attributing model behavior at scale",
    ICML 2023.

    Examples
    --------
    >>> import torch
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import trak
    >>> train = Examples([[1.0], [-1.0], [0.5]], [1, 0, 0])
    >>> module = torch.nn.Linear(1, 2)
    >>> influence = trak(module, train, Examples([[2.0]], [1]))
    >>> influence.shape, bool((influence > 0)[0, 0])
    ((1, 3), True)
    """
    network = Network(module, train, targets, output)
    checkpoints = check_checkpoints(checkpoints, network.module)
    n_parameters = sum(value.numel() for value in network.parameters.values())
    if projection_dim is not None and projection_dim > n_parameters:
        raise ValueError(
            f"projection_dim={projection_dim} is more than the {n_parameters} "
            "parameters of the module. Use a smaller number, or None not to project."
        )
    subsets = _check_subsets(subset, len(checkpoints), len(train))
    _check_determined(subsets, damping, projection_dim or n_parameters, len(train))
    entropy = entropy_from(random_state)
    effect, pull = np.zeros((len(targets), len(train))), np.zeros(len(train))
    features = _Features(network, output, projection_dim, block_bytes)
    total = len(checkpoints) * features.n_gradients
    with progress_bar(total=total, unit="gradient", verbose=verbose) as progress:
        for number, checkpoint in enumerate(checkpoints):
            state = load_state(checkpoint, number, network.module)
            how = subsets[number], damping, progress
            if projection_dim is None:
                effect += features.regress(state, *how)
            else:
                key = projection, entropy, number
                project = Projection(n_parameters, projection_dim, *key)
                effect += features.regress_projected(state, project, *how)
            pull += features.pull(state)
    return effect * pull / len(checkpoints) ** 2


class _Features:
    """Features: gradients of log-odds or predictions, and of outputs of targets."""

    def __init__(self, network, output, projection_dim, block_bytes):
        self.network, self.block_bytes = network, block_bytes
        of_train = "prediction" if network.classes is None else "log_odds"
        self.outputs = {"train": of_train, "targets": output}
        self.n = {part: len(network.parts[part][1]) for part in self.outputs}
        self.n_gradients = sum(self.n.values())
        if projection_dim is None:
            self.n_gradients = sum(
                network.n_dot(part, "train", block_bytes) for part in self.outputs
            )

    def regress(self, state, subset, damping, progress):
        """Return φΦᵀ(ΦΦᵀ)⁻¹ (n_targets, n_train), from products of gradients."""
        gram, cross = (
            self.network.dot(
                state,
                (part, output),
                ("train", self.outputs["train"]),
                block_bytes=self.block_bytes,
                progress=progress,
            )
            for part, output in self.outputs.items()
        )
        return self._regress_products(gram, cross, subset, damping)

    def regress_projected(self, state, project, subset, damping, progress):
        """Return φ(ΦᵀΦ)⁻¹Φᵀ, or φΦᵀ(ΦΦᵀ)⁻¹ with more features than examples."""
        train, targets = (
            self._project(state, part, project, progress) for part in self.outputs
        )
        if train.shape[1] > len(subset):
            products = train @ train.T, targets @ train.T
            return self._regress_products(*products, subset, damping)
        used = train[subset]
        solved, _ = _solve(used.T @ used, targets.T, damping, len(subset))
        return solved.T @ train.T

    def _regress_products(self, gram, cross, subset, damping):
        """Return φΦᵀ(ΦΦᵀ)⁻¹ from products of all examples, where Φ has the subset.

        Outside the subset, φ·(ΦᵀΦ + λI)⁻¹fᵢ = (φ·fᵢ - φΦᵀ(ΦΦᵀ + λI)⁻¹Φfᵢ)/λ.
        """
        own = gram[np.ix_(subset, subset)]
        solved, damping = _solve(own, cross[:, subset].T, damping, len(subset))
        effect = np.empty(cross.shape)
        effect[:, subset] = solved.T
        others = np.delete(np.arange(len(gram)), subset)
        if len(others):
            rest = cross[:, others] - solved.T @ gram[np.ix_(subset, others)]
            effect[:, others] = rest / damping
        return effect

    def _project(self, state, part, project, progress):
        projected = np.empty((self.n[part], project.n_out))
        for rows in self._blocks(part):
            gradients = self.network.gradients(state, part, rows, self.outputs[part])
            projected[rows] = project(gradients).double().cpu().numpy()
            finite = np.isfinite(projected[rows]).all(axis=1)
            if not finite.all():
                raise ValueError(
                    f"The projected gradient of {part} example "
                    f"{rows.start + finite.argmin()} is not finite, but the gradient "
                    "is: training may have diverged. float64 has a larger range: try "
                    "module.double()."
                )
            progress.update(len(gradients))
        return projected

    def _blocks(self, part):
        return self.network.gradient_blocks(self.n[part], self.block_bytes)

    def pull(self, state):
        """Return minus the derivative of each training example's loss.

        For classifiers, the derivative with respect to the log-odds, which gives one
        minus the probability of the class. For regression, that of half the squared
        error with respect to the prediction, which gives the residual.
        """
        pull = np.empty(self.n["train"])
        for rows in self._blocks("train"):
            X, y = self.network.batch("train", rows)
            with import_torch().no_grad():
                raw = self.network.raw(state, X).double().cpu().numpy()
            y = y.cpu().numpy()
            if self.network.classes is None:
                pull[rows] = y - raw.reshape(len(y))
            else:
                pull[rows] = expit(-log_odds(raw, y))
        return pull


def _solve(gram, right_side, damping, n_examples):
    """Solve with the damped Gram matrix of the features; also return the damping."""
    if damping is None:  # the trace of either form is the sum of squared lengths
        damping = np.trace(gram) / n_examples
    gram[np.diag_indices_from(gram)] += damping
    name, remedy = (
        "Gram matrix of the features, of shape ({n}, {n}),",
        "use a small projection_dim",
    )
    return solve_hessian(gram, right_side, name, remedy), damping


def _check_subsets(subset, n_checkpoints, n_train):
    """Return one subset for each checkpoint."""
    if not isinstance(subset, list | tuple) or all(np.ndim(one) == 0 for one in subset):
        return [as_subset(subset, n_train)] * n_checkpoints
    if len(subset) != n_checkpoints:
        raise ValueError(
            f"Pass one subset for each checkpoint; got {len(subset)} subsets and "
            f"{n_checkpoints} checkpoints."
        )
    return [as_subset(one, n_train) for one in subset]


def _check_determined(subsets, damping, n_features, n_train):
    fewest = min(map(len, subsets))
    if damping == 0 and fewest < min(n_features, n_train):
        raise ValueError(
            f"Without damping, the {fewest} examples of a subset do not determine the "
            f"{n_features} features that the other examples have. Set damping above 0, "
            "or a smaller projection_dim."
        )
