"""Influence functions of a network through all layers."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skdatamodels._progress import progress_bar
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._checks import as_subset
from skdatamodels.influence._conjugate_gradient import conjugate_gradient
from skdatamodels.influence._curvature import Curvature
from skdatamodels.influence._gauss_newton import GaussNewton, gauss_newton_shape
from skdatamodels.influence._torch import OPTIONS, Network, check_products

__all__ = ["influence_functions"]

_VECTORS = 8  # maximum number of vectors in memory per target


@validate_params(
    OPTIONS
    | {
        "curvature": [StrOptions({"gauss_newton", "hessian"})],
        "damping": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"auto", "direct", "conjugate_gradient"})],
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
    solver="auto",
    tol=1e-3,
    max_iter=1000,
    subset=None,
    block_bytes=2**28,
    verbose=0,
):
    """Influence functions of a network, through all layers.

    Parameters
    ----------
    module : torch.nn.Module
        A trained network that maps inputs (n, ...) to logits (n, n_classes), with
        classes in the order of `numpy.unique`, or to predictions (n,) or (n, 1). It is
        used in evaluation mode (no dropout, running statistics for batch norm) and is
        not changed. A module in half precision is evaluated in float32.
    train, targets : Examples
        The training set and the targets.
    output : str or callable, default="margin"
        Output to measure on a target: "margin", "log_odds" or "cross_entropy" for a
        classifier, "prediction" or "squared_error" for a regression network, whose loss
        is the squared error. A callable takes the logits (n_classes,) and the column of
        the class, both tensors, and returns a number computed with torch operations.
    curvature : {"gauss_newton", "hessian"}, default="gauss_newton"
        Matrix of second derivatives of the sum of cross entropies. "gauss_newton"
        treats the logits as linear in the parameters. It has no negative eigenvalues,
        and equals the Hessian if the model fits perfectly or is linear.
    damping : float >= 0, default=0
        Added to the diagonal. A network with more parameters than examples needs
        damping. A weight decay of w in training corresponds to a damping of w times
        n_train.
    solver : {"auto", "direct", "conjugate_gradient"}, default="auto"
        "direct" forms the Gauss-Newton matrix, or its dual, whose size is the number of
        training examples times that of classes, and factors it once for all targets.
        "conjugate_gradient" needs little memory, but many passes over the training set
        for each block of targets. "auto" is direct if the curvature is Gauss-Newton,
        `damping` is above 0 and the arrays take at most about 1 GB each.
    tol : float, default=1e-3
        With conjugate gradient, a linear system is solved if the norm of its residual
        is below `tol` times the norm of the gradient of the target's output.
    max_iter : int, default=1000
        Maximum number of products with the curvature in conjugate gradient. Each is a
        pass over the training set.
    subset : int array-like or bool mask of shape (n_train,), default=None
        The training examples that the module was trained on, whose losses make the
        curvature. All training examples have an influence: for those outside the
        subset, it is the first-order effect of adding them. None means all.
    block_bytes : int, default=2**28
        Maximum memory, in bytes, for gradients and vectors of the linear systems,
        besides the arrays of the direct solver.
    verbose : int, default=0
        If not 0, show a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example. Positive if the presence of the
        example raises the output. Computed in the precision of the module.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If the curvature is zero or negative in some direction, a gradient is not finite
        (the message names the example and the parameter), the number of logits is not
        the number of classes, a target has an unknown class, or the solver is "direct"
        and the curvature is the Hessian.

    Warns
    -----
    ConvergenceWarning
        If a damped system is not solved after `max_iter` iterations.

    See Also
    --------
    last_layer_influence : Uses only the last layer, without iterations.
    tracin : Uses no curvature.

    Notes
    -----
    The influence is -h·H⁻¹gᵢ, where H is the damped curvature, gᵢ the gradient of the
    cross entropy of example i, and h the gradient of the target's output. One linear
    system is solved per target. The softmax does not change if all logits grow alike,
    so without damping the matrix of a classifier is singular: only conjugate gradient,
    which stays in the span of the gradients, can then solve these systems.

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
    subset = as_subset(subset, len(train))
    network = Network(module, train, targets, output)
    state = network.module.state_dict()
    for rows in network.gradient_blocks(len(train), block_bytes):
        network.gradients(state, "train", rows, network.loss)  # checks them
    direct = _is_direct(solver, curvature, damping, network, subset)
    if direct:
        matrix = GaussNewton(network, state, damping, subset, block_bytes)
    else:
        matrix = Curvature(network, state, curvature, damping, subset, block_bytes)
    influence = np.empty((len(targets), len(train)))
    options = {"tol": tol, "max_iter": max_iter}
    with progress_bar(total=len(targets), unit="target", verbose=verbose) as progress:
        for block in network.gradient_blocks(len(targets), block_bytes // _VECTORS):
            h = network.gradients(state, "targets", block, output)
            if direct:
                x = matrix.solve(h)
                progress.update(len(h))
            else:
                solution = conjugate_gradient(
                    matrix.product, h, progress=progress, **options
                )
                _check(solution, curvature, **options, damping=damping)
                x = solution.x
            for rows in network.gradient_blocks(len(train), block_bytes):
                g = network.gradients(state, "train", rows, network.loss)
                products = (x @ g.T).double().cpu().numpy()
                check_products(products, ("targets", "train"), (block, rows))
                influence[block, rows] = -products
    return influence


def _is_direct(solver, curvature, damping, network, subset):
    if solver == "auto":
        positive = curvature == "gauss_newton" and damping > 0
        return positive and GaussNewton.fits(*gauss_newton_shape(network, subset))
    if solver == "direct" and curvature != "gauss_newton":
        raise ValueError(
            "solver='direct' is for curvature='gauss_newton', got "
            f"curvature={curvature!r}. Set solver='conjugate_gradient'."
        )
    return solver == "direct"


def _check(solution, curvature, *, tol, max_iter, damping):
    """Raise or warn if a system was not solved."""
    worst = float(solution.residuals.max())
    if worst <= tol:
        return
    if solution.is_singular or damping == 0:
        instead = ", or curvature to 'gauss_newton'" if curvature == "hessian" else ""
        raise ValueError(
            f"The {curvature} matrix is singular or has a negative eigenvalue: in the "
            f"search directions, its curvature is from {solution.curvature:.3g} to "
            f"{solution.top:.3g}, with damping={damping:g}. Set damping "
            f"higher{instead}."
        )
    warnings.warn(
        f"After {max_iter} iterations, the largest relative residual is {worst:.2g}, "
        f"above tol={tol:g}. Increase max_iter, damping or tol.",
        ConvergenceWarning,
        stacklevel=3,
    )
