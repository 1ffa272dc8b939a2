"""Choosing a solver for a problem, and checking that it fits into memory."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skdatamodels._memory import available_memory
from skdatamodels.masks import PackedMasks


class Solver(NamedTuple):
    """A solver, and what it supports."""

    load: Callable  # returns ``fit``; imports its dependencies, which may be slow
    real_columns: bool = False  # whether it accepts real columns besides masks
    on_gpu: bool = False


def _gram():
    from skdatamodels.regression._gram.solver import fit_groups

    return fit_groups


def _residual():
    from skdatamodels.regression._mask_solver import mask_solver
    from skdatamodels.regression._residual.residual_path import solve

    # products of residuals are too small for several BLAS threads
    return mask_solver(solve, blas_threads=1)


def _saga():
    from skdatamodels.regression._mask_solver import mask_solver
    from skdatamodels.regression._saga.saga_path import solve

    return mask_solver(solve)


SOLVERS = {
    "gram": Solver(_gram, real_columns=True, on_gpu=True),
    "residual": Solver(_residual),
    "saga": Solver(_saga, on_gpu=True),
}
"""Solvers by name."""

# With fewer runs than this share of the training examples, descent on residuals is
# several times as fast as a Gram matrix (solvers.rst).
_FEW_RUNS = 0.25


def choose_solver(wanted, X, *, weighted, folds, dtype, on_cpu):
    """Return the name of the solver to use.

    Parameters
    ----------
    wanted : str
        "auto", or a name in `SOLVERS`.
    X : PackedMasks or array of shape (n_runs, n_train)
        Masks, or real columns.
    weighted : bool
        Whether runs have weights.
    folds : bool
        Whether lam is chosen by folds. The gram solver then holds a second matrix.
    dtype : dtype
        Type of the computation.
    on_cpu : bool
        Whether the computation runs on the CPU.

    Returns
    -------
    solver : str
        Name of the solver.

    Raises
    ------
    ValueError
        If the wanted solver does not support this problem.
    MemoryError
        If the solver needs a Gram matrix that does not fit into memory.
    """
    n_bytes, available = _gram_bytes(X, weighted, folds, dtype), available_memory()
    packed = isinstance(X, PackedMasks)
    (n_runs, n_train), few = X.shape, X.shape[0] < _FEW_RUNS * X.shape[1]
    fits = n_bytes <= available
    if wanted == "auto":
        wanted = "gram" if fits or not packed else "saga"
        if packed and on_cpu and (few or (n_runs < n_train and not fits)):
            wanted = "residual"
    _check_able(wanted, X, on_cpu)
    if wanted == "gram" and not fits:
        raise MemoryError(
            f"The Gram matrix of {n_train} columns and the counts for it need "
            f"{n_bytes / 1e9:.1f} GB, but only {available / 1e9:.1f} GB are available. "
            "Use solver='saga', which streams over the masks, or 'residual' if there "
            "are fewer runs than training examples."
        )
    if wanted == "saga" and on_cpu and few:
        warnings.warn(
            f"solver='saga' may take minutes or hours with {n_runs} runs and "
            f"{n_train} training examples: solver='residual' is faster here.",
            UserWarning,
            stacklevel=6,
        )
    return wanted


def check_weights_fit(n_targets, n_train, n_lams, dtype):
    """Raise MemoryError if the dense weights of all targets do not fit into memory."""
    dense, available = n_targets * n_train * n_lams * dtype.itemsize, available_memory()
    if dense > available:
        raise MemoryError(
            f"The weights of {n_targets} targets and {n_train} training examples need "
            f"{dense / 1e9:.1f} GB, but only {available / 1e9:.1f} GB are available. "
            "Set sparse=True, or fit fewer targets at a time."
        )


def _check_able(name, X, on_cpu):
    solver = SOLVERS[name]
    if not solver.real_columns and not isinstance(X, PackedMasks):
        raise ValueError(
            f"solver={name!r} takes 0/1 masks only (bool or uint8, PackedMasks, "
            f"TrainingRuns), got {X.dtype}: use solver='gram'."
        )
    if not solver.on_gpu and not on_cpu:
        raise ValueError(
            f"solver={name!r} runs on the CPU only: use device='cpu', or "
            "solver='gram' or 'saga'."
        )


def _gram_bytes(X, weighted, folds, dtype):
    """Bytes for sums of products, and for a Gram matrix that cannot overwrite them."""
    sums = 4 if isinstance(X, PackedMasks) and not weighted else 8
    entry = sums if sums == np.dtype(dtype).itemsize else sums + dtype.itemsize
    return (entry + sums * folds) * X.shape[1] ** 2
