"""Training of a block of stacked modules, each on batches of its own subset."""

import math
from contextlib import nullcontext

import numpy as np
import torch
from torch.nn import functional as F

from skdatamodels._process_state import seeded_torch, single_torch_thread

_TARGET_ROWS = 1024  # targets that are measured together
_EPS, _BETA2 = 1e-8, 0.999


def train_block(modules, settings, data, subsets, seeds):
    """Train a block of runs and compute their raw outputs for all targets.

    Parameters
    ----------
    modules : StackedModules
        The modules.
    settings : TorchLearner
        Learner with the parameters of the training.
    data : (X, y, target X), tensors on the device
        Training set and targets. `y` is int64 for classes, else float32.
    subsets : list of int array
        Indices of each run's training examples, at least one batch.
    seeds : list of int
        Seeds of the runs.

    Returns
    -------
    raw : float64 array of shape (n_runs, n_targets, ...)
        Logits or predictions.
    """
    return _train(modules, settings, data, subsets, seeds)[0]


def train_module(modules, settings, data, subset, seed):
    """Train a single run; see :func:`train_block`.

    Returns
    -------
    module : torch.nn.Module
        The trained module, in evaluation mode on the CPU.
    raw : float64 array of shape (1, n_targets, ...)
        Logits or predictions.
    """
    raw, module, parameters = _train(modules, settings, data, [subset], [seed])
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.copy_(parameters[name][0])
    return module.cpu().eval(), raw


def _train(modules, settings, data, subsets, seeds):
    """Train a block; return raw outputs, the module that computed, and parameters."""
    X, y, target_X = data
    device = X.device
    n_steps = np.array([count_steps(settings, len(subset)) for subset in subsets])
    # Runs are sorted by their number of steps, so those that continue come first.
    order = np.argsort(-n_steps, kind="stable")
    n_steps, seeds = n_steps[order], [seeds[i] for i in order]
    batches = [
        draw_batches(subsets[i], settings.batch_size, seed)
        for i, seed in zip(order, seeds, strict=True)
    ]
    # Modules that cannot be stacked may draw random numbers at any step.
    seeded = seeded_torch(seeds[0]) if modules.obstacle else nullcontext()
    with single_torch_thread(), seeded:
        parameters = modules.initial(seeds, device)
        module, forward = modules.forward_for(seeds, device)
        module.train()
        states = {
            name: (
                torch.zeros_like(parameters[name]),
                torch.zeros_like(parameters[name]),
            )
            for name in modules.trainable
        }
        for step in range(n_steps[0]):
            n = np.searchsorted(-n_steps, -step, side="left")  # runs that continue
            picked = torch.from_numpy(np.stack([next(b) for b in batches[:n]]))
            picked = picked.to(device)
            x = X.index_select(0, picked.view(-1)).view(*picked.shape, *X.shape[1:])
            values = {k: p[:n].detach() for k, p in parameters.items()}
            leaves = [values[name].requires_grad_() for name in modules.trainable]
            with _precision(settings, device):  # rounds the weights in each step
                loss = _total_loss(settings, forward(values, x), y[picked])
            gradients = torch.autograd.grad(loss, leaves)
            rates = settings.lr * relative_rate(settings.schedule, step, n_steps[:n])
            rates = torch.tensor(rates, dtype=torch.float32, device=device)
            for name, gradient in zip(modules.trainable, gradients, strict=True):
                state = [part[:n] for part in states[name]]
                _update(settings, parameters[name][:n], gradient, state, rates, step)
        module.eval()
        raw = _measure(forward, parameters, target_X)
    return raw[np.argsort(order)], module, parameters


def _precision(settings, device):
    enabled = settings.mixed_precision
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def count_steps(settings, subset_size):
    """Return the number of steps that a run on a subset of this size takes."""
    if settings.steps is not None:
        return settings.steps
    return settings.epochs * (subset_size // settings.batch_size)


def relative_rate(schedule, step, n_steps):
    """Return the learning rate of a step, relative to the maximum.

    Parameters
    ----------
    schedule : {"constant", "cosine", "triangle"}
        Schedule of the learning rate.
    step : int
        Position of the step, from 0.
    n_steps : int array of shape (n_runs,)
        Number of steps of each run.

    Returns
    -------
    rates : float64 array of shape (n_runs,)
        Relative learning rates, from 0 to 1.
    """
    if schedule == "constant":
        return np.ones(len(n_steps))
    if schedule == "cosine":
        return 0.5 * (1 + np.cos(math.pi * step / n_steps))
    rising = (step + 1) / np.maximum(n_steps / 5, 1)
    return np.minimum(rising, (n_steps - step) / np.maximum(0.8 * n_steps, 1))


def draw_batches(subset, batch_size, seed):
    """Yield batches forever, in a new random order each epoch."""
    rng = np.random.default_rng(seed)
    n_batches = len(subset) // batch_size
    while True:
        picked = rng.permutation(subset)[: n_batches * batch_size]
        yield from picked.reshape(n_batches, batch_size)


def _total_loss(settings, outputs, y):
    """Return the sum over runs of the mean loss, which keeps gradients separate."""
    if settings.loss == "squared_error":
        return F.mse_loss(outputs.reshape(y.shape), y, reduction="sum") / y.shape[1]
    losses = F.cross_entropy(
        outputs.transpose(1, 2),  # torch's softmax is slow over a short last dimension
        y,
        label_smoothing=settings.label_smoothing,
        reduction="sum",
    )
    return losses / y.shape[1]


@torch.no_grad()
def _update(settings, parameter, gradient, state, rates, step):
    """Take a step of SGD or AdamW in place, as in torch.optim."""
    first, second = state
    rates = rates.view(-1, *[1] * (parameter.ndim - 1))
    if settings.optimizer == "sgd":
        if settings.weight_decay:
            gradient = gradient.add(parameter, alpha=settings.weight_decay)
        first.mul_(settings.momentum).add_(gradient)
        parameter.addcmul_(first, rates, value=-1)
        return
    parameter.mul_(1 - rates * settings.weight_decay)
    first.lerp_(gradient, 1 - settings.momentum)
    second.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
    size = (second / (1 - _BETA2 ** (step + 1))).sqrt_().add_(_EPS)
    parameter.addcmul_(
        first / size, rates / (1 - settings.momentum ** (step + 1)), value=-1
    )


@torch.no_grad()
def _measure(forward, parameters, target_X):
    n_runs = len(next(iter(parameters.values())))
    parts = [
        forward(parameters, part.expand(n_runs, *part.shape)).double().cpu()
        for part in target_X.split(_TARGET_ROWS)
    ]
    return torch.cat(parts, dim=1).numpy()
