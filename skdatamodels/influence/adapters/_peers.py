"""Shared by the adapters: imports, data, outputs, and checks of scores."""

import warnings
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from numbers import Integral

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels._process_state import SharedContext
from skdatamodels._sklearn_compat import Interval
from skdatamodels.influence._torch import (
    OF_REGRESSION,
    Network,
    import_torch,
    output_function,
)

OPTIONS = {  # parameters of all adapters
    "train": [Examples],
    "targets": [Examples],
    "output": [str, callable],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "verbose": ["verbose"],
}


def import_peer(name, package=None):
    """Import a module of another package, or raise an error that tells how to."""
    package = package or name.partition(".")[0]
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"This adapter needs {package}: pip install {package}"
        ) from error


class Problem:
    """A copy of the module, and the examples as tensors.

    The constructor does the same checks as the gradient baselines.
    """

    def __init__(self, module, train, targets, output):
        if output in OF_REGRESSION:
            raise ValueError(
                f"The adapters are for classifiers, but output={output!r} is for "
                "regression."
            )
        self.network = Network(module, train, targets)
        self.of_example = output_function(output)
        self.module = self.network.module
        self.n_train, self.n_targets = len(train), len(targets)

    def tensors(self, part):
        """Return inputs and class columns of all examples of a part."""
        return self.network.batch(part, slice(None))

    def data_set(self, part):
        """Return them as a torch data set."""
        return import_torch().utils.data.TensorDataset(*self.tensors(part))

    def batches(self, part, batch_size):
        """Yield batches of tensors, in order."""
        size = {"train": self.n_train, "targets": self.n_targets}[part]
        for start in range(0, size, batch_size):
            yield self.network.batch(part, slice(start, start + batch_size))

    def outputs(self, logits, y):
        """Return outputs (n,) for logits (n, n_classes)."""
        return import_torch().func.vmap(self.of_example)(logits, y)

    def influence(self, scores, peer):
        """Validate scores and return them as a float64 array (n_targets, n_train).

        Raises
        ------
        ValueError
            If a score is not finite, or the shape is wrong.
        """
        if hasattr(scores, "detach"):
            scores = scores.detach().cpu().numpy()
        scores = np.array(scores, dtype=np.float64)
        if scores.shape != (self.n_targets, self.n_train):
            raise ValueError(
                f"{peer} returned scores of shape {scores.shape} for {self.n_targets} "
                f"targets and {self.n_train} training examples."
            )
        if not np.isfinite(scores).all():
            target, example = np.argwhere(~np.isfinite(scores))[0]
            raise ValueError(
                f"{peer} returned a score that is not finite, first for target "
                f"{target} and train example {example}. Try more damping, or another "
                "method."
            )
        return scores


def quiet(verbose):
    """Suppress what a peer prints, including progress bars, unless `verbose`.

    Its warnings are issued when it has finished.
    """
    return nullcontext() if verbose else _quiet()


@contextmanager
def _caught():
    with (
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()),
        warnings.catch_warnings(record=True) as caught,
    ):
        yield
    for each in caught:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


_quiet = SharedContext(_caught)
