"""Gradient dot products, at one set of parameters or along a training (TracInCP)."""

from numbers import Integral

import numpy as np

from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.examples import Examples
from skdatamodels.influence._torch import Classifier, import_torch

__all__ = ["gradient_dot", "tracin"]

_OPTIONS = {
    "train": [Examples],
    "targets": [Examples],
    "output": [str, callable],
    "block_bytes": [Interval(Integral, 1, None, closed="left")],
}


@validate_params(_OPTIONS, prefer_skip_nested_validation=True)
def gradient_dot(module, train, targets, *, output="margin", block_bytes=2**28):
    """First-order effect of one gradient step on each example, at the end of training.

    A step on example i with a learning rate of 1 adds, to first order, -h·gᵢ to a
    target's output, with gᵢ the gradient of the example's cross entropy and h that of
    the output.

    Parameters
    ----------
    module : torch.nn.Module
        A trained classifier: from inputs (n, ...) to logits (n, n_classes), classes
        sorted as `numpy.unique` sorts them. It is evaluated (no dropout, batch norm by
        its running statistics) and not changed.
    train, targets : Examples
    output : {"margin", "log_odds", "cross_entropy"} or callable, default="margin"
        What is measured on a target. A callable takes logits (n_classes,) and the
        column of the class, tensors, and returns a number by torch operations.
    block_bytes : int, default=2**28
        Bytes that gradients may take at a time, at least two examples' worth. The
        gradients of all training examples are computed once for each block of targets.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit per unit of learning rate; positive where the example's
        presence raises the output.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If a gradient is not finite (named by example and parameter), the number of
        logits is not that of the classes, or a target has an unknown class.

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
    classifier = Classifier(module, train, targets)
    return _dot(classifier, module.state_dict(), output, block_bytes)


@validate_params(_OPTIONS, prefer_skip_nested_validation=True)
def tracin(
    module,
    train,
    targets,
    *,
    checkpoints,
    learning_rates,
    output="margin",
    block_bytes=2**28,
):
    """TracInCP: gradient dot products summed over checkpoints, times learning rates.

    Parameters
    ----------
    module : torch.nn.Module
        A classifier, as for :func:`gradient_dot`; its own parameters are not used.
    train, targets : Examples
    checkpoints : sequence of dict or path
        States of the module along one training (``module.state_dict()``), or files of
        such, which are read one at a time.
    learning_rates : sequence of float, one a checkpoint
        Of plain gradient descent; times the number of epochs that a checkpoint stands
        for, over the batch size, for the effect in the output's unit.
    output : {"margin", "log_odds", "cross_entropy"} or callable, default="margin"
        As for :func:`gradient_dot`. With "cross_entropy" it is minus what the paper
        calls TracInCP, for it calls positive what lowers the loss.
    block_bytes : int, default=2**28
        As for :func:`gradient_dot`.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        In the output's unit; positive where the example's presence raises the output.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError
        If a checkpoint is not of the module, there is not one finite learning rate for
        each, a gradient is not finite, or the classes differ from the module's.

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
    rates = np.asarray(learning_rates, dtype=np.float64)
    if not len(checkpoints) or rates.shape != (len(checkpoints),):
        raise ValueError(
            f"There must be a learning rate for each of one or more checkpoints; got "
            f"{len(checkpoints)} checkpoints, learning_rates of shape {rates.shape}."
        )
    if not np.isfinite(rates).all():
        raise ValueError(f"learning_rates must be finite, got {rates.tolist()}.")
    classifier = Classifier(module, train, targets)
    influence = np.zeros((len(targets), len(train)))
    for number, (checkpoint, rate) in enumerate(zip(checkpoints, rates, strict=True)):
        state = _load(checkpoint, number, module)
        influence += rate * _dot(classifier, state, output, block_bytes)
    return influence


def _load(checkpoint, number, module):
    """Return the state of a checkpoint, if it is one of the module."""
    torch = import_torch()
    own = module.state_dict()
    device = next(module.parameters()).device
    if not hasattr(checkpoint, "keys"):
        checkpoint = torch.load(checkpoint, map_location=device, weights_only=True)
    if set(own) != set(checkpoint):
        names = sorted(set(own) ^ set(checkpoint))[:3]
        raise ValueError(
            f"Checkpoint {number} is not one of this module: {', '.join(names)} "
            "is in one of them alone."
        )
    for name, value in own.items():
        if value.shape != checkpoint[name].shape:
            raise ValueError(
                f"Checkpoint {number} is not one of this module: {name} has shape "
                f"{tuple(checkpoint[name].shape)}, the module's {tuple(value.shape)}."
            )
    return {name: checkpoint[name].to(value) for name, value in own.items()}


def _dot(classifier, state, output, block_bytes):
    """Return -h·gᵢ at one state, (n_targets, n_train), a block of each at a time."""
    n_targets, n_train = (
        len(classifier.parts[name][1]) for name in ("targets", "train")
    )
    n_bytes = sum(p.numel() * p.element_size() for p in classifier.parameters.values())
    # Half for the targets, half for the training examples.
    step = max(1, block_bytes // (2 * n_bytes))
    influence = np.empty((n_targets, n_train))
    for rows in _blocks(n_targets, step):
        h = classifier.gradients(state, "targets", rows, output)
        for columns in _blocks(n_train, step):
            g = classifier.gradients(state, "train", columns, "cross_entropy")
            influence[rows, columns] = -(h @ g.T).double().cpu().numpy()
    return influence


def _blocks(n, step):
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
