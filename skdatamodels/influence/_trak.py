"""TRAK: a linear model on randomly projected gradients, averaged over networks."""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit
from tqdm.auto import tqdm

from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._checkpoints import check_checkpoints, load_state
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
    block_bytes=2**28,
    random_state=None,
    verbose=0,
):
    """TRAK: one regression on the gradients of the network, averaged over trainings.

    The network is taken for linear in its parameters around each checkpoint: then it is
    a logistic regression whose features are the gradients of the log-odds, and an
    example's effect follows from one linear system.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network, evaluated (no dropout, batch norm by its running statistics)
        and not changed: from inputs (n, ...) to logits (n, n_classes), classes sorted
        as `numpy.unique` sorts them, or to predictions (n,) or (n, 1). One in half
        precision is computed in float32, with its weights.
    train, targets : Examples
    checkpoints : sequence of dict or path, default=None
        Final states of the module (``module.state_dict()``) from several trainings, or
        files of such, as for :func:`tracin`. None stands for the module's own state
        alone. The more trainings, the better.
    output : str or callable, default="margin"
        What is measured on a target: "margin", "log_odds" or "cross_entropy" of a
        classifier, "prediction" or "squared_error" of a regression network, whose loss
        is then the squared error. A callable takes logits (n_classes,) and the column
        of the class, tensors, and returns a number by torch operations.
        The features of training examples are always of the log-odds, or of the
        prediction.
    projection_dim : int, default=None
        Number of features that gradients are projected to. None keeps them whole.
    projection : {"sign", "gaussian"}, default="sign"
        Entries of the random projection; another one for each checkpoint.
    damping : float >= 0, default=None
        Added to the diagonal of the features' Gram matrix. Projections keep lengths on
        average, so that one damping has the same meaning at any `projection_dim`. None
        stands for the mean squared length of the training examples' features. 0 is the
        method as published, for far fewer features than examples.
    block_bytes : int, default=2**28
        Bytes that gradients may take at a time. Projected gradients are held besides,
        and a square matrix of n_train or `projection_dim` rows, the smaller.
    random_state : int, RandomState, Generator or None, default=None
        Determines the projections. The blocks do not matter.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Positive where the example's presence raises the output. Only the order of a
        target's weights means something: the method leaves out of its linear system
        how much each example weighs there.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If the features' Gram matrix is singular, a checkpoint is not of the module, a
        gradient is not finite (named by example and parameter), there are fewer
        parameters than `projection_dim`, or the classes differ from the module's.

    See Also
    --------
    influence_functions : With the weights in the linear system, and no projection.

    Notes
    -----
    With Φ the features (n_train, k) of the training examples at one checkpoint, φ those
    of a target, Q = diag(1 - p) of the probabilities of the examples' own classes, the
    influence is mean(φ·(ΦᵀΦ)⁻¹Φᵀ)·mean(Q), means over checkpoints. For regression Φ has
    gradients of predictions, and Q = diag(y - prediction): of one linear module it is
    the influence in ridge regression, in the output's unit. With more features than
    examples the inverse is φΦᵀ(ΦΦᵀ)⁻¹, that of least length, which is the limit of a
    damping that goes to 0.

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
            "parameters of the module: None projects nothing."
        )
    entropy = entropy_from(random_state)
    effect, pull = np.zeros((len(targets), len(train))), np.zeros(len(train))
    features = _Features(network, output, projection_dim, block_bytes)
    total = len(checkpoints) * features.n_gradients
    with tqdm(total=total, unit="gradient", disable=not verbose) as progress:
        for number, checkpoint in enumerate(checkpoints):
            state = load_state(checkpoint, number, network.module)
            if projection_dim is None:
                effect += features.regress(state, damping, progress)
            else:
                key = projection, entropy, number
                project = Projection(n_parameters, projection_dim, *key)
                effect += features.regress_projected(state, project, damping, progress)
            pull += features.pull(state)
    return effect * pull / len(checkpoints) ** 2


class _Features:
    """Gradients of log-odds (or predictions) in training, of the output on targets."""

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

    def regress(self, state, damping, progress):
        """φΦᵀ(ΦΦᵀ)⁻¹ (n_targets, n_train), from products of gradients alone."""
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
        return self._solve(gram, cross.T, damping).T

    def regress_projected(self, state, project, damping, progress):
        """φ(ΦᵀΦ)⁻¹Φᵀ, or as above where there are more features than examples."""
        train, targets = (
            self._project(state, part, project, progress) for part in self.outputs
        )
        if train.shape[1] > len(train):
            return self._solve(train @ train.T, train @ targets.T, damping).T
        return self._solve(train.T @ train, targets.T, damping).T @ train.T

    def _solve(self, gram, right_side, damping):
        """Solve with the damped Gram matrix of the features."""
        if damping is None:  # the trace is the sum of squared lengths, in either form
            damping = np.trace(gram) / self.n["train"]
        gram[np.diag_indices_from(gram)] += damping
        name, remedy = (
            "Gram matrix of the features, {n} a side,",
            "a small projection_dim",
        )
        return solve_hessian(gram, right_side, name, remedy)

    def _project(self, state, part, project, progress):
        projected = np.empty((self.n[part], project.n_out))
        for rows in self._blocks(part):
            gradients = self.network.gradients(state, part, rows, self.outputs[part])
            projected[rows] = project(gradients).double().cpu().numpy()
            finite = np.isfinite(projected[rows]).all(axis=1)
            if not finite.all():
                raise ValueError(
                    f"The projected gradient of {part} example "
                    f"{rows.start + finite.argmin()} is not finite, though the "
                    "gradient is: training may have diverged. In float64, by "
                    "module.double(), there is more room."
                )
            progress.update(len(gradients))
        return projected

    def _blocks(self, part):
        return self.network.gradient_blocks(self.n[part], self.block_bytes)

    def pull(self, state):
        """Return how much each training example pulls: minus its loss's derivative.

        By the log-odds: one minus the probability of its class. By the prediction, of
        half the squared error: what is left of its value.
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
