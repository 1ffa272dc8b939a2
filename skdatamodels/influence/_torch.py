"""Shared by the gradient baselines; imports torch only when it is used."""

from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels._process_state import SharedContext
from skdatamodels._sklearn_compat import Interval
from skdatamodels.influence._checks import check_same_examples

OPTIONS = {  # parameters of methods that use gradients through the whole network
    "train": [Examples],
    "targets": [Examples],
    "output": [str, callable],
    "block_bytes": [Interval(Integral, 1, None, closed="left")],
    "verbose": ["verbose"],
}
OF_REGRESSION = ("prediction", "squared_error")
_OUTPUTS = ("margin", "log_odds", "cross_entropy", *OF_REGRESSION)
# Attribute of a wrapper that has the wrapped module.
_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
}


def import_torch():
    """Return torch, or raise an error that tells how to install it."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'Gradient baselines need torch: pip install "skdatamodels[torch]"'
        ) from error
    return torch


class Network:
    """A torch network as a function of its parameters, with its examples.

    A copy of the module is used, so the module, its mode and other threads that use it
    are not affected. The copy is in evaluation mode. Half precision is converted to
    float32, because gradients and sums of many products overflow half precision.

    Parameters
    ----------
    module : torch.nn.Module
        Maps inputs (n, ...) to logits (n, n_classes), with classes in the order of
        `numpy.unique`, or to predictions (n,) or (n, 1) if `output` is for regression.
    train, targets : Examples
        The training set and the targets. X must be numeric.
    output : str or callable, default="margin"
        Output to measure on targets. It determines whether this is a regression.

    Attributes
    ----------
    module : torch.nn.Module
        The copy.
    loss : {"cross_entropy", "squared_error"}
        Loss of a training example. "squared_error" if `output` is for regression.
    classes : array or None
        The classes. None for regression.
    parameters : dict of tensors
        Parameters that require a gradient. One with two names is included once.

    Raises
    ------
    TypeError
        If the module is not a torch module or does not return a tensor, or X is not
        numeric.
    ValueError
        If no parameter requires a gradient, or the module does not accept the examples
        or has other outputs.
    """

    def __init__(self, module, train, targets, output="margin"):
        torch = import_torch()
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"Expected a torch.nn.Module, got {type(module).__name__}.")
        self.loss = "squared_error" if output in OF_REGRESSION else "cross_entropy"
        self.parts, self.classes = _check_parts(train, targets, output)
        self.module = _copy(unwrapped(module))
        parameters = dict(self.module.named_parameters())
        self._names = {*parameters, *(name for name, _ in self.module.named_buffers())}
        self.parameters = {
            name: value.detach()
            for name, value in parameters.items()
            if value.requires_grad
        }
        if not self.parameters:
            raise ValueError("No parameter of the module requires a gradient.")
        first = next(iter(self.parameters.values()))
        self.dtype, self.device = first.dtype, first.device
        self._check_raw()

    def _check_raw(self):
        torch, (X, _) = import_torch(), self.batch("targets", slice(0, 1))
        try:
            with torch.no_grad():
                raw = self.raw(self.parameters, X)
        except Exception as error:
            raise ValueError(
                f"The module does not accept an example, {X.dtype} of shape "
                f"{tuple(X.shape)}: {error}"
            ) from error
        if not isinstance(raw, torch.Tensor):
            raise TypeError(
                f"The module must return a tensor, got {type(raw).__name__}. Wrap it "
                "in a module that returns the logits."
            )
        self._check_shape(tuple(raw.shape))

    def _check_shape(self, shape):
        single, hint = [(1,), (1, 1)], ""
        if self.classes is None:
            allowed, needed = single, "a prediction of shape (1,) or (1, 1)"
        else:
            n = len(self.classes)
            allowed = [(1, n)]
            needed = f"logits of the {n} classes of the training set, of shape (1, {n})"
            if shape in single:
                hint = " For regression, set output to 'prediction' or 'squared_error'."
        if shape not in allowed:
            raise ValueError(
                f"The module returns shape {shape} for one example, but must return "
                f"{needed}.{hint}"
            )

    def batch(self, part, rows):
        """Return inputs and class columns (or values) of some examples as tensors."""
        torch = import_torch()
        X, y = self.parts[part]
        X = torch.tensor(np.asarray(X[rows]), device=self.device)
        X = X.to(self.dtype) if X.is_floating_point() else X
        y = torch.tensor(y[rows], device=self.device)
        return X, y if self.classes is not None else y.to(self.dtype)

    def raw(self, parameters, X):
        """Return logits (n, n_classes), or predictions, with other parameters."""
        # A parameter with two names is passed once and used for both.
        given = {name: parameters[name] for name in self._names & parameters.keys()}
        with _plain_attention():
            return import_torch().func.functional_call(self.module, given, (X,))

    def gradient_blocks(self, n_rows, block_bytes):
        """Split rows into slices whose gradients take at most `block_bytes`."""
        values = self.parameters.values()
        step = block_bytes // sum(p.numel() * p.element_size() for p in values)
        step = max(1, step)
        return [slice(k, min(k + step, n_rows)) for k in range(0, n_rows, step)]

    def dot(self, state, left, right, *, block_bytes, progress):
        """Return dot products of gradients, float64 (n_left, n_right).

        `left` and `right` are the name of a part and an output. The blocks of both
        share `block_bytes`. `progress` counts the gradients on the right.
        """
        blocks = self._dot_blocks(left[0], right[0], block_bytes)
        products = np.empty([of_part[-1].stop for of_part in blocks])
        for rows in blocks[0]:
            h = self.gradients(state, left[0], rows, left[1])
            for columns in blocks[1]:
                g = self.gradients(state, right[0], columns, right[1])
                of_blocks = (h @ g.T).double().cpu().numpy()
                check_products(of_blocks, (left[0], right[0]), (rows, columns))
                products[rows, columns] = of_blocks
                progress.update(len(g))
        return products

    def n_dot(self, left, right, block_bytes):
        """Return the number of gradients that `dot` adds to the progress."""
        rows, columns = self._dot_blocks(left, right, block_bytes)
        return len(rows) * columns[-1].stop

    def _dot_blocks(self, left, right, block_bytes):
        sizes = (len(self.parts[part][1]) for part in (left, right))
        return [self.gradient_blocks(size, block_bytes // 2) for size in sizes]

    def gradients(self, state, part, rows, output):
        """Return the flat gradients of each example's output, (n_rows, n_parameters).

        Raises
        ------
        ValueError
            If a gradient is not finite. The message names the example and the
            parameter.
        RuntimeError
            If `torch.func` cannot differentiate the module for many examples at once.
        """
        torch = import_torch()
        function = output_function(output)

        def measure(trained, x, y):
            return function(self.raw({**state, **trained}, x[None])[0], y)

        trained = {name: state[name] for name in self.parameters}
        of_each = torch.func.vmap(torch.func.grad(measure), in_dims=(None, 0, 0))
        try:
            gradients = of_each(trained, *self.batch(part, rows))
        except RuntimeError as error:
            raise RuntimeError(
                "torch.func.vmap cannot compute gradients of many examples at once: "
                f"{error} It does not support, among others, recurrent layers of torch."
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

    def jacobians(self, state, part, rows):
        """Return raw outputs (n_rows, n_outputs) and their flat Jacobians.

        The Jacobians have shape (n_rows, n_outputs, n_parameters).
        """
        func = import_torch().func

        def raw(trained, x):
            values = self.raw({**state, **trained}, x[None]).flatten()
            return values, values

        trained = {name: state[name] for name in self.parameters}
        of_each = func.vmap(func.jacrev(raw, has_aux=True), in_dims=(None, 0))
        jacobians, values = of_each(trained, self.batch(part, rows)[0])
        flat = [value.flatten(2) for value in jacobians.values()]
        return values, import_torch().cat(flat, dim=2)


def check_products(products, parts, blocks):
    """Raise if a product of gradients in these blocks of two parts is not finite."""
    if np.isfinite(products).all():
        return
    found = np.argwhere(~np.isfinite(products))[0]
    rows = [block.start + int(row) for block, row in zip(blocks, found, strict=True)]
    names = [
        f"target {row}" if part == "targets" else f"train example {row}"
        for part, row in zip(parts, rows, strict=True)
    ]
    raise ValueError(
        f"The product of the gradients of {names[0]} and {names[1]} is not finite, "
        "but the gradients are: training may have diverged. float64 has a larger "
        "range: try module.double()."
    )


def unwrapped(module):
    """Return the module inside wrappers such as DataParallel or torch.compile."""
    while type(module).__name__ in _WRAPPERS:
        module = getattr(module, _WRAPPERS[type(module).__name__])
    return module


def _copy(module):
    """Return a copy of a module in evaluation mode, in at least float32."""
    torch = import_torch()
    computed = {  # deepcopy refuses these, such as weights of weight_norm
        id(value): value.detach()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }
    module = deepcopy(module, computed).eval()
    for value in (*module.parameters(), *module.buffers()):
        if value.is_floating_point() and torch.finfo(value.dtype).bits < 32:
            value.data = value.data.float()
    return module


def _check_parts(train, targets, output):
    """Return X and y of both parts as numbers, and the classes or None."""
    for name, X in (("train", train.X), ("targets", targets.X)):
        if not isinstance(X, np.ndarray) or X.dtype.kind not in "biuf":
            kind = getattr(X, "dtype", type(X).__name__)
            raise TypeError(
                f"{name}.X must be an array of numbers for torch, got {kind}. If the "
                "module expects a dict, as in Hugging Face, wrap it in a module that "
                "makes the dict from one array."
            )
    if output not in OF_REGRESSION:
        *ys, classes = check_same_examples(train, targets, classes=True)
    else:
        check_same_examples(train, targets)
        ys, classes = (train.y, targets.y), None
        if any(y.dtype.kind not in "biuf" for y in ys):
            raise TypeError(f"output={output!r} needs numbers as y.")
    parts = zip(("train", "targets"), (train.X, targets.X), ys, strict=True)
    return {part: (X, y) for part, X, y in parts}, classes


@contextmanager
def _by_steps():
    """Compute attention in steps: fused kernels do not support vmap and jvp."""
    torch = import_torch()
    attention, fused = torch.nn.attention, torch.backends.mha
    before = fused.get_fastpath_enabled()
    fused.set_fastpath_enabled(False)
    try:
        with attention.sdpa_kernel(attention.SDPBackend.MATH):
            yield
    finally:
        fused.set_fastpath_enabled(before)


_plain_attention = SharedContext(_by_steps)


def output_function(output):
    """Return a function that maps an example's logits and class to a number.

    For regression, it maps the prediction and the value to a number.
    """
    torch = import_torch()
    if callable(output):
        return output
    if output not in _OUTPUTS:
        raise ValueError(
            f"output must be one of {', '.join(_OUTPUTS)}, or a callable that takes "
            f"the logits (n_classes,) of one example and its class; got {output!r}."
        )
    if output == "prediction":
        return lambda raw, y: raw.reshape(())
    if output == "squared_error":
        return lambda raw, y: (raw.reshape(()) - y) ** 2

    def measure(logits, y):
        own = torch.arange(len(logits), device=logits.device) == y
        others = torch.where(own, -torch.inf, logits)
        rival = others.max() if output == "margin" else torch.logsumexp(others, 0)
        odds = torch.where(own, logits, 0).sum() - rival
        return torch.nn.functional.softplus(-odds) if output[0] == "c" else odds

    return measure
