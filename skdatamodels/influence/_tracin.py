"""Gradient dot products, at one set of parameters or along a training (TracInCP)."""

import numpy as np
from tqdm.auto import tqdm

from skdatamodels._sklearn_compat import validate_params
from skdatamodels.influence._checkpoints import check_rates, load_state
from skdatamodels.influence._torch import OPTIONS, Network

__all__ = ["gradient_dot", "tracin"]


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def gradient_dot(
    module, train, targets, *, output="margin", block_bytes=2**28, verbose=0
):
    """First-order effect of one gradient step on each example, at the end of training.

    A step on example i with a learning rate of 1 adds, to first order, -h·gᵢ to a
    target's output, with gᵢ the gradient of the example's loss and h that of the
    output.

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
    block_bytes : int, default=2**28
        Bytes that gradients may take at a time, at least two examples' worth. The
        gradients of all training examples are computed once for each block of targets.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit per unit of learning rate; positive where the example's
        presence raises the output.

    Raises
    ------
    ImportError
        If torch is not installed.
    TypeError, ValueError
        If a gradient is not finite (named by example and parameter) or a product of two
        is not (named by target and example), the module does not take the examples or
        give such outputs, or a target has an unknown class.
    RuntimeError
        If `torch.func` cannot differentiate the module for many examples at once, as
        with recurrent layers.

    See Also
    --------
    tracin : The sum along the training.

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
    """TracInCP: gradient dot products summed over checkpoints, times learning rates.

    Parameters
    ----------
    module : torch.nn.Module
        A network, as for :func:`gradient_dot`; its own parameters are not used.
    train, targets : Examples
    checkpoints : sequence of dict or path
        States of the module along one training (``module.state_dict()``), or files of
        such, which are read one at a time. A checkpoint of Lightning will do, and names
        with a prefix, as those of ``DataParallel``.
    learning_rates : sequence of float, one a checkpoint
        Of plain gradient descent; times the number of epochs that a checkpoint stands
        for, over the batch size, for the effect in the output's unit.
    output : str or callable, default="margin"
        As for :func:`gradient_dot`. With "cross_entropy" it is minus what the paper
        calls TracInCP, for it calls positive what lowers the loss.
    block_bytes : int, default=2**28
        As for :func:`gradient_dot`.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit; positive where the example's presence raises the output.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If a checkpoint does not load or is not of the module, there is not one finite
        learning rate for each, a gradient or a product is not finite, or the classes
        differ from the module's.

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
    """Return -h·gᵢ at one state, (n_targets, n_train)."""
    parts = ("targets", output), ("train", network.loss)
    options = {"block_bytes": block_bytes, "progress": progress}
    return -network.dot(state, *parts, **options)


def _bar(network, n_states, block_bytes, verbose):
    """Progress over the gradients of training examples."""
    total = n_states * network.n_dot("targets", "train", block_bytes)
    return tqdm(total=total, unit="gradient", disable=not verbose)
