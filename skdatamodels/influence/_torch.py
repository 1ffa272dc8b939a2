"""What the gradient baselines share; imports torch only when used."""

from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels._process_state import SharedContext
from skdatamodels._sklearn_compat import Interval
from skdatamodels.influence._checks import check_same_examples

OPTIONS = {  # of what takes gradients through the whole network
    "train": [Examples],
    "targets": [Examples],
    "output": [str, callable],
    "block_bytes": [Interval(Integral, 1, None, closed="left")],
    "verbose": ["verbose"],
}
OF_REGRESSION = ("prediction", "squared_error")
_OUTPUTS = ("margin", "log_odds", "cross_entropy", *OF_REGRESSION)
# Where those that train or compile a module keep it.
_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
}


def import_torch():
    """Return torch, or say how to install it."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'Gradient baselines need torch: pip install "skdatamodels[torch]"'
        ) from error
    return torch


class Network:
    """A torch network as a function of its parameters, on numbered examples.

    It computes with a copy of the module, so that the module, its mode and other
    threads that use it are left alone. The copy is in evaluation mode, and in float32
    where the module has less: sums of many products, and gradients, leave the range of
    half precision.

    Parameters
    ----------
    module : torch.nn.Module
        From a batch of inputs to logits (n, n_classes), classes in the order of
        `numpy.unique`; or to predictions (n,) or (n, 1), if the output is one of
        regression.
    train, targets : Examples
        X an array of numbers; y the classes, or the values.
    output : str or callable, default="margin"
        What is measured on targets. It tells regression from classification.

    Attributes
    ----------
    module : torch.nn.Module
        The copy.
    loss : {"cross_entropy", "squared_error"}
        Of a training example: "squared_error" if the output is one of regression.
    classes : array or None
    parameters : dict of tensors
        Those that require a gradient. What has two names is here once.

    Raises
    ------
    TypeError
        If the module is not one of torch or gives no tensor, or X are no numbers.
    ValueError
        If it has nothing to train, or gives no such outputs.
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
                f"The module does not take an example, {X.dtype} of shape "
                f"{tuple(X.shape)}: {error}"
            ) from error
        if not isinstance(raw, torch.Tensor):
            raise TypeError(
                f"The module gives a {type(raw).__name__}, and a tensor is needed: put "
                "a module around it that returns the logits."
            )
        self._check_shape(tuple(raw.shape))

    def _check_shape(self, shape):
        single, hint = [(1,), (1, 1)], ""
        if self.classes is None:
            allowed, needed = single, "a prediction, shape (1,) or (1, 1), is"
        else:
            n = len(self.classes)
            allowed = [(1, n)]
            needed = (
                f"logits of the {n} classes of the training set, shape (1, {n}), are"
            )
            if shape in single:
                hint = "; for regression set output to 'prediction' or 'squared_error'"
        if shape not in allowed:
            raise ValueError(
                f"The module gives an output of shape {shape} on one example; {needed} "
                f"needed{hint}."
            )

    def batch(self, part, rows):
        """Return inputs, and class columns or values, of some examples, as tensors."""
        torch = import_torch()
        X, y = self.parts[part]
        X = torch.tensor(np.asarray(X[rows]), device=self.device)
        X = X.to(self.dtype) if X.is_floating_point() else X
        y = torch.tensor(y[rows], device=self.device)
        return X, y if self.classes is not None else y.to(self.dtype)

    def raw(self, parameters, X):
        """Logits (n, n_classes), or predictions, under other parameters."""
        # What has two names is given once, and goes to both.
        given = {name: parameters[name] for name in self._names & parameters.keys()}
        with _plain_attention():
            return import_torch().func.functional_call(self.module, given, (X,))

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
                of_blocks = (h @ g.T).double().cpu().numpy()
                check_products(of_blocks, (left[0], right[0]), (rows, columns))
                products[rows, columns] = of_blocks
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
            return function(self.raw({**fixed, **parameters}, x[None])[0], y)

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


def check_products(products, parts, blocks):
    """Raise if a product of gradients of two parts, blocks of them, is not finite."""
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
        "though the gradients are: training may have diverged. In float64, by "
        "module.double(), there is more room."
    )


def unwrapped(module):
    """Return the module that DataParallel or torch.compile has wrapped."""
    while type(module).__name__ in _WRAPPERS:
        module = getattr(module, _WRAPPERS[type(module).__name__])
    return module


def _copy(module):
    """Return a copy of a module for evaluation, in float32 at least."""
    torch = import_torch()
    computed = {  # such as the weights of torch.nn.utils.weight_norm; no deepcopy takes
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
    """Return X and y of both as numbers, and the classes if there are any."""
    for name, X in (("train", train.X), ("targets", targets.X)):
        if not isinstance(X, np.ndarray) or X.dtype.kind not in "biuf":
            kind = getattr(X, "dtype", type(X).__name__)
            raise TypeError(
                f"{name}.X must be an array of numbers for torch, got {kind}. If the "
                "module takes a dict, as those of Hugging Face do, put a module around "
                "it that makes the dict from one array."
            )
    if output not in OF_REGRESSION:
        *ys, classes = check_same_examples(train, targets, classes=True)
    else:
        check_same_examples(train, targets)
        ys, classes = (train.y, targets.y), None
        if any(y.dtype.kind not in "biuf" for y in ys):
            raise TypeError(f"output={output!r} is for values y that are numbers.")
    parts = zip(("train", "targets"), (train.X, targets.X), ys, strict=True)
    return {part: (X, y) for part, X, y in parts}, classes


@contextmanager
def _by_steps():
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


_plain_attention = SharedContext(_by_steps)


def output_function(output):
    """Return the function from one example's logits and class to a number.

    For regression, from its prediction and value.
    """
    torch = import_torch()
    if callable(output):
        return output
    if output not in _OUTPUTS:
        raise ValueError(
            f"output must be one of {', '.join(_OUTPUTS)}, or a callable from the "
            f"logits (n_classes,) of one example and its class; got {output!r}."
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
