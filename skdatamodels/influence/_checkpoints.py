"""Load checkpoints: states of a module during one training, or after several."""

from collections.abc import Mapping
from pickle import UnpicklingError

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels.influence._torch import import_torch

_NESTED = ("state_dict", "model_state_dict")  # keys used by Lightning and in tutorials


def check_checkpoints(checkpoints, module):
    """Return the checkpoints; None means the state of the module itself."""
    if checkpoints is None:
        return [module.state_dict()]
    if not len(checkpoints):
        raise ValueError("Pass one or more checkpoints, got none.")
    return checkpoints


def check_rates(checkpoints, learning_rates):
    """Validate that there is one learning rate per checkpoint; return an array."""
    rates = as_real(learning_rates, "learning_rates").astype(np.float64)
    if not len(checkpoints) or rates.shape != (len(checkpoints),):
        raise ValueError(
            f"Pass one or more checkpoints and one learning rate for each; got "
            f"{len(checkpoints)} checkpoints, learning_rates of shape {rates.shape}."
        )
    if not np.isfinite(rates).all():
        raise ValueError(f"learning_rates must be finite, got {rates.tolist()}.")
    return rates


def load_state(checkpoint, number, module):
    """Return the module state in a checkpoint, which is a dict or a file.

    The state may be an entry of a larger checkpoint, as in Lightning, and its names may
    have a prefix. A tensor that has several names in the module may have only one of
    them in the checkpoint.

    Parameters
    ----------
    checkpoint : dict or path
        The checkpoint.
    number : int
        Number of the checkpoint in error messages.
    module : torch.nn.Module
        The module that the state must match.

    Returns
    -------
    state : dict
        Tensors with the names, dtypes and devices of ``module.state_dict()``.

    Raises
    ------
    ValueError
        If the checkpoint cannot be loaded, or does not match the module.
    """
    own = {  # keep_vars=True: a tensor with two names is the same object
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
                f"Checkpoint {number} does not match the module: {name} has shape "
                f"{tuple(value.shape)}, but in the module {tuple(own[name].shape)}."
            )
        value = value.detach().to(own[name])
        other = state.setdefault(names[name], value)
        if other is not value and not other.equal(value):
            raise ValueError(
                f"Checkpoint {number} does not match the module: {names[name]} and "
                f"{name} differ, but they are the same tensor in the module."
            )
    return {name: state[names[name]] for name in own}


def _load_file(path, number, device):
    try:
        state = import_torch().load(path, map_location=device, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise ValueError(
            f"Checkpoint {number} cannot be loaded: {path} is damaged, or contains "
            "more than tensors and numbers. If you trust it, load it with torch.load("
            "path, weights_only=False) and pass the state of the module in it."
        ) from error
    if not isinstance(state, Mapping):
        raise ValueError(
            f"Checkpoint {number} is not the state of a module: {path} contains a "
            f"{type(state).__name__}."
        )
    return state


def _tensors(checkpoint, number):
    """Return the entries of the module state in a checkpoint."""
    for key in _NESTED:
        if isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
    # Extra state besides tensors is not used here.
    checkpoint = {
        name: value
        for name, value in checkpoint.items()
        if not str(name).endswith("_extra_state")
    }
    for name, value in checkpoint.items():
        if not hasattr(value, "detach"):
            raise ValueError(
                f"Checkpoint {number} is not the state of a module: its entry {name!r} "
                f"is a {type(value).__name__}, not a tensor. Pass the result of "
                "module.state_dict()."
            )
    return checkpoint


def _without_prefix(checkpoint, names, number):
    """Return the entries of a checkpoint by the names in the module.

    ``DataParallel``, ``torch.compile`` and Lightning add a prefix to the names.
    Checkpoints of Lightning may also have other tensors.
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
            f"Checkpoint {number} has several states of this module, with the "
            f"prefixes {', '.join(map(repr, fitting))}. Pass one of them."
        )
    found = under(fitting[0]) if fitting else checkpoint
    names_there = {names.get(key, key) for key in found}
    if names_there != whole:
        odd = sorted(names_there ^ whole)[:3]
        raise ValueError(
            f"Checkpoint {number} does not match the module: {', '.join(odd)} "
            "is in only one of them."
        )
    return found
