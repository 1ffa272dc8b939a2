"""Influence functions of a network over all layers, by conjugate gradient."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm

from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._conjugate_gradient import conjugate_gradient
from skdatamodels.influence._curvature import Curvature
from skdatamodels.influence._torch import OPTIONS, Network, check_products

__all__ = ["influence_functions"]

_VECTORS = 8  # that a target takes while its system is solved, at most


@validate_params(
    OPTIONS
    | {
        "curvature": [StrOptions({"gauss_newton", "hessian"})],
        "damping": [Interval(Real, 0, None, closed="left")],
        "tol": [Interval(Real, 0, 1, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def influence_functions(
    module,
    train,
    targets,
    *,
    output="margin",
    curvature="gauss_newton",
    damping=0.0,
    tol=1e-3,
    max_iter=1000,
    block_bytes=2**28,
    verbose=0,
):
    """First-order effect of each training example on each target, through all layers.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network, evaluated (no dropout, batch norm by its running statistics)
        and not changed: from inputs (n, ...) to logits (n, n_classes), classes sorted
        as `numpy.unique` sorts them, or to predictions (n,) or (n, 1). One in half
        precision is computed in float32, with its weights.
    train, targets : Examples
    output : str or callable, default="margin"
        What is measured on a target: "margin", "log_odds" or "cross_entropy" of a
        classifier, "prediction" or "squared_error" of a regression network, whose loss
        is then the squared error. A callable takes logits (n_classes,) and the column
        of the class, tensors, and returns a number by torch operations.
    curvature : {"gauss_newton", "hessian"}, default="gauss_newton"
        Second derivatives of the sum of cross entropies. Gauss-Newton takes the logits
        for straight in the parameters: it has no negative direction, and is the
        Hessian where the model fits perfectly or is linear.
    damping : float >= 0, default=0
        Added to the diagonal. A network with more parameters than examples needs some.
        A weight decay of w in training is a damping of w times n_train.
    tol : float, default=1e-3
        A target is solved once the residual of its linear system is below `tol` times
        the gradient of its output, in Euclidean norm.
    max_iter : int, default=1000
        Products with the curvature, each a pass over the training set, at most.
    block_bytes : int, default=2**28
        Bytes that gradients, and vectors of the linear systems, may take at a time.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit per example, positive where the example's presence raises
        the output. Computed in the precision of the module.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If the curvature has a direction in which it is zero or negative, a gradient is
        not finite (named by example and parameter), the number of logits is not that of
        the classes, or a target has an unknown class.

    Warns
    -----
    ConvergenceWarning
        If a damped system is not solved after `max_iter` iterations.

    See Also
    --------
    last_layer_influence : The last layer alone, without iterations.
    tracin : With no curvature at all.

    Notes
    -----
    With H the damped curvature, gᵢ the gradient of example i's cross entropy and h that
    of the target's output, the influence is -h·H⁻¹gᵢ. One system is solved a target.

    References
    ----------
    Koh and Liang, "Understanding black-box predictions via influence functions",
    ICML 2017.

    Martens, "Deep learning via Hessian-free optimization", ICML 2010, on Gauss-Newton
    products and conjugate gradient.

    Examples
    --------
    >>> import torch
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import influence_functions
    >>> train = Examples([[1.0], [-1.0], [0.5]], [1, 0, 0])
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)
    ... )
    >>> targets = Examples([[2.0]], [1])
    >>> influence = influence_functions(module, train, targets, damping=0.1)
    >>> influence.shape
    (1, 3)
    """
    network = Network(module, train, targets, output)
    state = network.module.state_dict()
    n_train = len(train)
    for rows in network.gradient_blocks(n_train, block_bytes):
        network.gradients(state, "train", rows, network.loss)  # checks them
    matrix = Curvature(network, state, curvature, damping, block_bytes)
    influence = np.empty((len(targets), n_train))
    options = {"tol": tol, "max_iter": max_iter}
    with tqdm(total=len(targets), unit="target", disable=not verbose) as progress:
        for block in network.gradient_blocks(len(targets), block_bytes // _VECTORS):
            h = network.gradients(state, "targets", block, output)
            solution = conjugate_gradient(
                matrix.product, h, progress=progress, **options
            )
            _check(solution, curvature, **options, damping=damping)
            for rows in network.gradient_blocks(n_train, block_bytes):
                g = network.gradients(state, "train", rows, network.loss)
                products = (solution.x @ g.T).double().cpu().numpy()
                check_products(products, ("targets", "train"), (block, rows))
                influence[block, rows] = -products
    return influence


def _check(solution, curvature, *, tol, max_iter, damping):
    """Raise or warn if a system was not solved."""
    worst = float(solution.residuals.max())
    if worst <= tol:
        return
    if solution.is_singular or damping == 0:
        instead = ", or curvature to 'gauss_newton'" if curvature == "hessian" else ""
        raise ValueError(
            f"The {curvature} matrix is singular or has a negative direction: along "
            f"those that were searched it goes from {solution.curvature:.3g} to "
            f"{solution.top:.3g}, with a damping of {damping:g}. Set damping "
            f"higher{instead}."
        )
    warnings.warn(
        f"After {max_iter} iterations the worst residual is {worst:.2g} of the "
        f"gradient, tol={tol:g}: raise max_iter, damping or tol.",
        ConvergenceWarning,
        stacklevel=3,
    )
