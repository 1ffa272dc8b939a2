"""Stacking of the parameters of several modules with the same architecture."""

from copy import deepcopy
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from skdatamodels._memory import available_memory
from skdatamodels._process_state import seeded_torch
from skdatamodels.influence._torch import unwrapped

_ACTIVATIONS = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
    nn.Identity,
)
_MEMORY_SHARE = 0.1  # of the available memory, since there may be other workers
_STATES = 6  # copies of the parameters during training


class StackedModules:
    """Joint computation of several modules with the same architecture.

    Parameters
    ----------
    factory : callable
        Function that returns a module.
    X : array of shape (2, ...)
        Two examples, on which the module is tried.

    Attributes
    ----------
    obstacle : str or None
        Reason why these modules cannot be stacked. None if they can be.
    output_shape : tuple
        Shape of the output for an example.
    n_parameters : int
        Number of parameters of a module.
    trainable : list of str
        Names of the parameters that are not frozen by ``requires_grad=False``.
    """

    def __init__(self, factory, X):
        self.factory = factory
        module = self.make(0)
        self.n_parameters = sum(p.numel() for p in module.parameters())
        self.trainable = [
            name for name, p in module.named_parameters() if p.requires_grad
        ]
        if not self.trainable:
            raise ValueError("The module has no parameters to train.")
        x = as_tensor(X)
        self.n_activations, output = _count_activations(module, x)
        if not isinstance(output, torch.Tensor):
            raise TypeError(
                f"The module gives a {type(output).__name__}, and a tensor is needed: "
                "wrap it in a module that returns the logits."
            )
        self.output_shape = tuple(output.shape[1:])
        self.is_mlp = _is_mlp(module, x)
        self.obstacle = None if self.is_mlp else _obstacle(module, x)

    def make(self, seed):
        """Return the module for a seed."""
        return unwrapped(make_module(self.factory, seed))

    def initial(self, seeds, device):
        """Return the initial parameters of runs by name, each (n_runs, ...)."""
        modules = [dict(self.make(seed).named_parameters()) for seed in seeds]
        stacks = {
            name: torch.stack([module[name].detach().float() for module in modules])
            for name in modules[0]
        }
        return {name: stack.to(device) for name, stack in stacks.items()}

    def forward_for(self, seeds, device):
        """Return a module, and a function that computes several modules like it.

        Parameters
        ----------
        seeds : list of int
            Seeds of the runs.
        device : str
            Device on which torch computes.

        Returns
        -------
        module : torch.nn.Module
            Module whose mode, training or evaluation, `forward` uses.
        forward : callable
            ``(parameters, x of shape (n_runs, batch, ...)) -> outputs``.
        """
        # If the module has buffers, there is only one run, to which they belong.
        module = self.make(seeds[0]).to(device)
        if self.is_mlp:
            return module, partial(_mlp, module)
        if len(seeds) == 1:
            return module, partial(_alone, module)
        return module, torch.vmap(partial(functional_call, module))

    def fitting(self, rows, device):
        """Return how many runs fit in memory, with batches of `rows` rows."""
        if torch.device(device).type == "cuda":
            room = 0.5 * torch.cuda.mem_get_info(device)[0]
        else:
            room = _MEMORY_SHARE * available_memory()
        of_a_run = 4 * (_STATES * self.n_parameters + 3 * rows * self.n_activations)
        return int(min(room // of_a_run, 1 << 20))


def make_module(factory, seed):
    """Return the module for a seed, in float32. Torch's generators are restored.

    The module is copied, because a factory may always return the same object, which the
    last run has trained.

    Raises
    ------
    TypeError
        If the factory does not return a module.
    """
    with seeded_torch(seed):
        module = factory()
    if not isinstance(module, nn.Module):
        raise TypeError(
            "module_factory must return a torch.nn.Module, got "
            f"{type(module).__name__}."
        )
    return deepcopy(module).float()  # the type of data, steps and outputs


def as_tensor(X, device="cpu"):
    """Return an array as a float32 tensor that shares no memory with it."""
    return torch.tensor(np.asarray(X, dtype=np.float32), device=device)


def _is_mlp(module, x):
    """Return whether the module is a chain of linear layers and activations."""
    if type(module) is not nn.Sequential or _shares(module):
        return False
    flat = x.ndim == 2
    for layer in module:
        if type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1):
            flat = True
        elif (
            not (flat and type(layer) is nn.Linear) and type(layer) not in _ACTIVATIONS
        ):
            return False
    return flat


def _shares(module):
    """Return whether a layer occurs twice, or two layers share a parameter."""
    layers, parameters = list(module), list(module.named_parameters())
    names = module.named_parameters(remove_duplicate=False)
    return len(set(layers)) < len(layers) or len(parameters) < len(list(names))


def _mlp(module, parameters, x):
    """Compute MLPs by batched matrix products.

    For small layers, this is several times faster than vmap. Features come before
    examples in memory, which makes softmax and products with narrow matrices several
    times faster.
    """
    x = x.flatten(2).mT
    for name, layer in module.named_children():
        if type(layer) is nn.Linear:
            weight, bias = parameters[f"{name}.weight"], parameters.get(f"{name}.bias")
            if bias is None:
                x = torch.bmm(weight, x)
            else:
                x = torch.baddbmm(bias[:, :, None], weight, x)
        elif type(layer) is not nn.Flatten:
            x = layer(x)
    return x.mT


def _alone(module, parameters, x):
    """Compute a single run."""
    parameters = {name: values[0] for name, values in parameters.items()}
    return functional_call(module, parameters, x[0])[None]


def _obstacle(module, x):
    """Return why modules like this cannot be stacked, or None."""
    if any(True for _ in module.buffers()):
        return "The module keeps buffers (such as the statistics of BatchNorm)"
    random = [part for part in module.modules() if _is_random(part)]
    if random:
        return f"The module draws random numbers ({type(random[0]).__name__})"
    parameters = {k: torch.stack([p, p]) for k, p in module.named_parameters()}
    try:
        with torch.no_grad():
            torch.vmap(partial(functional_call, module.train()))(
                parameters, torch.stack([x, x])
            )
    except Exception as error:
        return f"The module cannot be stacked by torch.vmap ({error})"
    return None


def _is_random(part):
    return isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0


def _count_activations(module, x):
    """Return the number of activations for an example, and the output."""
    counts = [x[0].numel()]
    handles = [
        part.register_forward_hook(
            lambda _, __, out: counts.append(getattr(out[:1], "numel", int)())
        )
        for part in module.modules()
        if not any(True for _ in part.children())
    ]
    with torch.no_grad():
        output = module.eval()(x)
    for handle in handles:
        handle.remove()
    return sum(counts), output
