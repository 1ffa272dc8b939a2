"""What the gradient baselines share; imports torch only when used."""

from contextlib import contextmanager
from pickle import UnpicklingError

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels.influence._checks import check_same_examples

_OUTPUTS = ("margin", "log_odds", "cross_entropy")


def import_torch():
    """Return torch, or say how to install it."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'Gradient baselines need torch: pip install "skdatamodels[torch]"'
        ) from error
    return torch


class Classifier:
    """A torch classifier as a function of its parameters, on numbered examples.

    Neither the module nor its mode is changed. Classes are columns of the logits in
    the order of `numpy.unique`.

    Parameters
    ----------
    module : torch.nn.Module
        From a batch of inputs to logits (n, n_classes).
    train, targets : Examples
        X an array that torch takes; y the classes.

    Raises
    ------
    TypeError
        If the module is not one of torch.
    ValueError
        If it has nothing to train, the number of logits is not that of the classes, or
        an output is not finite.
    """

    def __init__(self, module, train, targets):
        torch = import_torch()
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"Expected a torch.nn.Module, got {type(module).__name__}.")
        y_train, y_targets, self.classes = check_same_examples(
            train, targets, classes=True
        )
        self.module = module
        self.parameters = {
            name: value.detach()
            for name, value in module.named_parameters()
            if value.requires_grad
        }
        if not self.parameters:
            raise ValueError("No parameter of the module requires a gradient.")
        first = next(iter(self.parameters.values()))
        self.dtype, self.device = first.dtype, first.device
        self.parts = {"train": (train.X, y_train), "targets": (targets.X, y_targets)}
        self._check_logits()

    def _check_logits(self):
        with import_torch().no_grad():
            logits = self.logits(self.parameters, self.batch("targets", slice(0, 1))[0])
        if logits.shape != (1, len(self.classes)):
            raise ValueError(
                f"The module gives an output of shape {tuple(logits.shape)} on one "
                f"example; logits of the {len(self.classes)} classes of the training "
                f"set, shape (1, {len(self.classes)}), are needed."
            )

    def batch(self, part, rows):
        """Return inputs and class columns of some examples, as tensors."""
        torch = import_torch()
        X, y = self.parts[part]
        X = torch.tensor(np.asarray(X[rows]), device=self.device)
        X = X.to(self.dtype) if X.is_floating_point() else X
        return X, torch.tensor(y[rows], device=self.device)

    def logits(self, parameters, X):
        """Logits (n, n_classes) under other parameters, in evaluation mode."""
        torch = import_torch()
        modes = [(part, part.training) for part in self.module.modules()]
        self.module.eval()  # no dropout, and statistics that no batch changes
        try:
            with _plain_attention():
                return torch.func.functional_call(self.module, parameters, (X,))
        finally:
            for part, mode in modes:
                part.training = mode

    def gradient_blocks(self, n_rows, block_bytes):
        """Cut rows into slices whose gradients take at most so many bytes."""
        values = self.parameters.values()
        step = block_bytes // sum(p.numel() * p.element_size() for p in values)
        step = max(1, step)
        return [slice(k, min(k + step, n_rows)) for k in range(0, n_rows, step)]

    def dot(self, state, left, right, *, block_bytes, progress):
        """Dot products of the gradients of two lots, float64 (n_left, n_right).

        Each is the name of a part and an output. Blocks of both share `block_bytes`;
        `progress` counts the gradients on the right.
        """
        blocks = self._dot_blocks(left[0], right[0], block_bytes)
        products = np.empty([of_part[-1].stop for of_part in blocks])
        for rows in blocks[0]:
            h = self.gradients(state, left[0], rows, left[1])
            for columns in blocks[1]:
                g = self.gradients(state, right[0], columns, right[1])
                products[rows, columns] = (h @ g.T).double().cpu().numpy()
                progress.update(len(g))
        return products

    def n_dot(self, left, right, block_bytes):
        """Return by how many gradients `dot` advances the progress."""
        rows, columns = self._dot_blocks(left, right, block_bytes)
        return len(rows) * columns[-1].stop

    def _dot_blocks(self, left, right, block_bytes):
        sizes = (len(self.parts[part][1]) for part in (left, right))
        return [self.gradient_blocks(size, block_bytes // 2) for size in sizes]

    def gradients(self, state, part, rows, output):
        """Gradients of each example's output, flat: (n_rows, n_parameters).

        Raises
        ------
        ValueError
            If one is not finite; names the example and the parameter.
        RuntimeError
            If `torch.func` cannot differentiate the module for many examples at once.
        """
        torch = import_torch()
        function = output_function(output)

        def measure(parameters, x, y):
            fixed = {k: v for k, v in state.items() if k not in parameters}
            return function(self.logits({**fixed, **parameters}, x[None])[0], y)

        trained = {name: state[name] for name in self.parameters}
        of_each = torch.func.vmap(torch.func.grad(measure), in_dims=(None, 0, 0))
        try:
            gradients = of_each(trained, *self.batch(part, rows))
        except RuntimeError as error:
            raise RuntimeError(
                "The gradients of many examples at once failed. torch.func.vmap says: "
                f"{error} It does not know torch's recurrent layers, among others."
            ) from error
        for name, value in gradients.items():
            finite = torch.isfinite(value).flatten(1).all(dim=1)
            if not finite.all():
                row = rows.start + int(finite.int().argmin())
                raise ValueError(
                    f"The gradient of {part} example {row} by the parameter {name!r} "
                    "is not finite: training may have diverged."
                )
        return torch.cat([value.flatten(1) for value in gradients.values()], dim=1)


@contextmanager
def _plain_attention():
    """Compute attention by steps: the fused kernels know neither vmap nor jvp."""
    torch = import_torch()
    attention, fused = torch.nn.attention, torch.backends.mha
    before = fused.get_fastpath_enabled()
    fused.set_fastpath_enabled(False)
    try:
        with attention.sdpa_kernel(attention.SDPBackend.MATH):
            yield
    finally:
        fused.set_fastpath_enabled(before)


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

    Raises
    ------
    ValueError
        If it does not load, or is not one of the module.
    """
    own = module.state_dict()
    if not hasattr(checkpoint, "keys"):
        checkpoint = _load_file(checkpoint, number, next(module.parameters()).device)
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


def _load_file(path, number, device):
    try:
        state = import_torch().load(path, map_location=device, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise ValueError(
            f"Checkpoint {number} does not load: {path} is damaged, or holds more than "
            "the tensors of module.state_dict()."
        ) from error
    if not hasattr(state, "keys"):
        raise ValueError(
            f"Checkpoint {number} is no state of a module: {path} holds a "
            f"{type(state).__name__}."
        )
    return state


def output_function(output):
    """Return the function from one example's logits and class to a number."""
    torch = import_torch()
    if callable(output):
        return output
    if output not in _OUTPUTS:
        raise ValueError(
            f"output must be one of {', '.join(_OUTPUTS)}, or a callable from the "
            f"logits (n_classes,) of one example and its class; got {output!r}."
        )

    def measure(logits, y):
        own = torch.arange(len(logits), device=logits.device) == y
        others = torch.where(own, -torch.inf, logits)
        rival = others.max() if output == "margin" else torch.logsumexp(others, 0)
        odds = torch.where(own, logits, 0).sum() - rival
        return torch.nn.functional.softplus(-odds) if output[0] == "c" else odds

    return measure
