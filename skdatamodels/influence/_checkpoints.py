"""States of a module along its training, or at the end of several."""

from collections.abc import Mapping
from pickle import UnpicklingError

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels.influence._torch import import_torch

_NESTED = ("state_dict", "model_state_dict")  # where Lightning and tutorials keep it


def check_checkpoints(checkpoints, module):
    """Return one or more checkpoints: None stands for the module's own state."""
    if checkpoints is None:
        return [module.state_dict()]
    if not len(checkpoints):
        raise ValueError("There must be one or more checkpoints, got none.")
    return checkpoints


def check_rates(checkpoints, learning_rates):
    """Return the learning rates as an array, if there is one for each checkpoint."""
    rates = as_real(learning_rates, "learning_rates").astype(np.float64)
    if not len(checkpoints) or rates.shape != (len(checkpoints),):
        raise ValueError(
            f"There must be a learning rate for each of one or more checkpoints; got "
            f"{len(checkpoints)} checkpoints, learning_rates of shape {rates.shape}."
        )
    if not np.isfinite(rates).all():
        raise ValueError(f"learning_rates must be finite, got {rates.tolist()}.")
    return rates


def load_state(checkpoint, number, module):
    """Return the state of a checkpoint, given as a state or a file of one.

    The state may be in an entry of a larger checkpoint, as Lightning has it, its names
    may have a prefix, and a tensor that the module has under several names may be
    there under one of them.

    Parameters
    ----------
    checkpoint : dict or path
    number : int
        By which errors call it.
    module : torch.nn.Module

    Returns
    -------
    state : dict
        Under the names of ``module.state_dict()``, of its dtypes and on its devices.

    Raises
    ------
    ValueError
        If it does not load, or is not one of the module.
    """
    own = {  # the tensors themselves, so that those with two names are the same
        name: value
        for name, value in module.state_dict(keep_vars=True).items()
        if hasattr(value, "detach")
    }
    first = {}
    names = {name: first.setdefault(id(value), name) for name, value in own.items()}
    if not isinstance(checkpoint, Mapping):
        device = next(module.parameters()).device
        checkpoint = _load_file(checkpoint, number, device)
    found = _without_prefix(_tensors(checkpoint, number), names, number)
    state = {}
    for name, value in found.items():
        if value.shape != own[name].shape:
            raise ValueError(
                f"Checkpoint {number} is not one of this module: {name} has shape "
                f"{tuple(value.shape)}, the module's {tuple(own[name].shape)}."
            )
        value = value.detach().to(own[name])
        other = state.setdefault(names[name], value)
        if other is not value and not other.equal(value):
            raise ValueError(
                f"Checkpoint {number} is not one of this module: {names[name]} and "
                f"{name} differ there, and are one tensor in the module."
            )
    return {name: state[names[name]] for name in own}


def _load_file(path, number, device):
    try:
        state = import_torch().load(path, map_location=device, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise ValueError(
            f"Checkpoint {number} does not load: {path} is damaged, or holds more than "
            "tensors and numbers. If you trust it, load it by torch.load(path, "
            "weights_only=False) and give the state of the module that is in it."
        ) from error
    if not isinstance(state, Mapping):
        raise ValueError(
            f"Checkpoint {number} is no state of a module: {path} holds a "
            f"{type(state).__name__}."
        )
    return state


def _tensors(checkpoint, number):
    """Return the entries of a state, wherever in the checkpoint it is."""
    for key in _NESTED:
        if isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
    # What a module keeps besides tensors is no part of its computation here.
    checkpoint = {
        name: value
        for name, value in checkpoint.items()
        if not str(name).endswith("_extra_state")
    }
    for name, value in checkpoint.items():
        if not hasattr(value, "detach"):
            raise ValueError(
                f"Checkpoint {number} is no state of a module: its entry {name!r} is a "
                f"{type(value).__name__}, not a tensor. Give what module.state_dict() "
                "returned."
            )
    return checkpoint


def _without_prefix(checkpoint, names, number):
    """Return the entries of the module by its own names.

    ``DataParallel``, ``torch.compile`` and Lightning put a word before the names; the
    last may have other tensors beside them.
    """

    def under(prefix):
        size = len(prefix)
        return {k[size:]: v for k, v in checkpoint.items() if k.startswith(prefix)}

    first = next(iter(names))
    starts = [name for name, other in names.items() if other == first]
    prefixes = {
        key.removesuffix(start)
        for key in checkpoint
        for start in starts
        if f".{key}".endswith(f".{start}")
    }
    whole = set(names.values())
    fitting = [p for p in sorted(prefixes) if whole <= {names.get(k) for k in under(p)}]
    fitting = fitting[:1] if "" in fitting else fitting
    if len(fitting) > 1:
        raise ValueError(
            f"Checkpoint {number} holds several states of this module, with the "
            f"prefixes {', '.join(map(repr, fitting))}: give one of them."
        )
    found = under(fitting[0]) if fitting else checkpoint
    names_there = {names.get(key, key) for key in found}
    if names_there != whole:
        odd = sorted(names_there ^ whole)[:3]
        raise ValueError(
            f"Checkpoint {number} is not one of this module: {', '.join(odd)} "
            "is in one of them alone."
        )
    return found
