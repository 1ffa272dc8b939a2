"""Gradient dot products, for one state or several checkpoints (TracInCP)."""

import numpy as np

from skdatamodels._progress import progress_bar
from skdatamodels._sklearn_compat import validate_params
from skdatamodels.influence._checkpoints import check_rates, load_state
from skdatamodels.influence._torch import OPTIONS, Network

__all__ = ["gradient_dot", "tracin"]


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def gradient_dot(
    module, train, targets, *, output="margin", block_bytes=2**28, verbose=0
):
    """Dot products of the gradients of training examples and targets.

    To first order, a gradient step on example i with learning rate 1 changes a target's
    output by -h·gᵢ, where gᵢ is the gradient of the example's loss and h that of the
    output. The gradients are those of the trained network.

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
    block_bytes : int, default=2**28
        Maximum memory for gradients, in bytes. The gradients of two examples are always
        held. The gradients of all training examples are computed once for each block of
        targets.
    verbose : int, default=0
        If not 0, show a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per unit of learning rate. Positive if the
        presence of the example raises the output.

    Raises
    ------
    ImportError
        If torch is not installed.
    TypeError, ValueError
        If a gradient or a product of gradients is not finite (the message names the
        examples and the parameter), the module does not accept the examples or has
        other outputs, or a target has an unknown class.
    RuntimeError
        If `torch.func` cannot differentiate the module for many examples at once, for
        example because of recurrent layers.

    See Also
    --------
    tracin : The sum over several checkpoints.

    References
    ----------
    Charpiat, Girard, Felardos, Tarabalka, "Input similarity from the neural network
    perspective", NeurIPS 2019.

    Examples
    --------
    >>> import torch
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import gradient_dot
    >>> train = Examples([[1.0], [-1.0]], [1, 0])
    >>> module = torch.nn.Linear(1, 2)
    >>> influence = gradient_dot(module, train, Examples([[2.0]], [1]))
    >>> influence.shape, bool((influence > 0)[0, 0])
    ((1, 2), True)
    """
    network = Network(module, train, targets, output)
    state = network.module.state_dict()
    with _bar(network, 1, block_bytes, verbose) as progress:
        return _effect(network, state, output, block_bytes, progress)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def tracin(
    module,
    train,
    targets,
    *,
    checkpoints,
    learning_rates,
    output="margin",
    block_bytes=2**28,
    verbose=0,
):
    """TracInCP: sum of gradient dot products over checkpoints, times learning rates.

    Parameters
    ----------
    module : torch.nn.Module
        A network, as for :func:`gradient_dot`. Its own parameters are not used.
    train, targets : Examples
        The training set and the targets.
    checkpoints : sequence of dict or path
        States of the module during one training (``module.state_dict()``), or files
        with these, which are read one at a time. Checkpoints of Lightning, and names
        with a prefix such as those of ``DataParallel``, are accepted.
    learning_rates : sequence of float
        Learning rate of each checkpoint, for plain gradient descent. For effects in the
        output's unit, multiply it by the number of epochs that the checkpoint
        represents and divide it by the batch size.
    output : str or callable, default="margin"
        Output to measure on a target, as for :func:`gradient_dot`. With
        "cross_entropy", the result is minus the TracInCP of the paper, which is
        positive for examples that lower the loss.
    block_bytes : int, default=2**28
        Maximum memory for gradients, in bytes, as for :func:`gradient_dot`.
    verbose : int, default=0
        If not 0, show a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit. Positive if the presence of the example raises
        the output.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If a checkpoint cannot be loaded or does not match the module, there is not one
        finite learning rate per checkpoint, a gradient or a product is not finite, or
        the classes differ from those of the module.

    References
    ----------
    Pruthi, Liu, Kale, Sundararajan, "Estimating training data influence by tracing
    gradient descent", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import gradient_dot, tracin
    >>> data = Examples([[1.0], [-1.0]], [1, 0]), Examples([[2.0]], [1])
    >>> module = torch.nn.Linear(1, 2)
    >>> states = [module.state_dict()] * 2
    >>> twice = tracin(module, *data, checkpoints=states, learning_rates=[0.1, 0.3])
    >>> bool(abs(twice - 0.4 * gradient_dot(module, *data)).max() < 1e-6)
    True
    """
    rates = check_rates(checkpoints, learning_rates)
    network = Network(module, train, targets, output)
    influence = np.zeros((len(targets), len(train)))
    with _bar(network, len(rates), block_bytes, verbose) as progress:
        for number, rate in enumerate(rates):
            state = load_state(checkpoints[number], number, network.module)
            effect = _effect(network, state, output, block_bytes, progress)
            influence += rate * effect
    return influence


def _effect(network, state, output, block_bytes, progress):
    """Return -h·gᵢ for one state, (n_targets, n_train)."""
    parts = ("targets", output), ("train", network.loss)
    options = {"block_bytes": block_bytes, "progress": progress}
    return -network.dot(state, *parts, **options)


def _bar(network, n_states, block_bytes, verbose):
    """Return a progress bar that counts gradients of training examples."""
    total = n_states * network.n_dot("targets", "train", block_bytes)
    return progress_bar(total=total, unit="gradient", verbose=verbose)
