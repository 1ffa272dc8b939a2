"""Which solver fits a problem, by need and by memory."""

import warnings

import numpy as np

from skdatamodels._memory import available_memory
from skdatamodels.masks import PackedMasks
from skdatamodels.regression._solver import SOLVERS

# With fewer runs than this share of the training examples, descent on residuals is
# several times as fast as a Gram matrix (solvers.rst).
_FEW_RUNS = 0.25


def choose_solver(wanted, X, *, weighted, folds, dtype, on_cpu):
    """Return the name of the solver to use.

    Parameters
    ----------
    wanted : str
        "auto", or a name out of `SOLVERS`.
    X : PackedMasks or array of shape (n_runs, n_train)
    weighted : bool
        Whether runs have weights.
    folds : bool
        Whether lam is chosen by folds, for which the gram solver holds another matrix.
    dtype : dtype
        Of the computation.
    on_cpu : bool

    Returns
    -------
    solver : str

    Raises
    ------
    ValueError
        If the one that is wanted cannot do it.
    MemoryError
        If it needs a Gram matrix, which does not fit.
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
            f"{n_bytes / 1e9:.1f} GB, of which there are {available / 1e9:.1f}: use "
            "solver='saga', which streams over masks, or 'residual' if there are fewer "
            "runs than training examples."
        )
    if wanted == "saga" and on_cpu and few:
        warnings.warn(
            f"solver='saga' takes long where {n_train} training examples meet "
            f"{n_runs} runs, minutes or hours: solver='residual' does not.",
            UserWarning,
            stacklevel=6,
        )
    return wanted


def check_weights_fit(n_targets, n_train, n_lams, dtype):
    """Raise MemoryError if dense weights of all targets do not fit into memory."""
    dense, available = n_targets * n_train * n_lams * dtype.itemsize, available_memory()
    if dense > available:
        raise MemoryError(
            f"The weights of {n_targets} targets and {n_train} training examples need "
            f"{dense / 1e9:.1f} GB, of which there are {available / 1e9:.1f}: set "
            "sparse=True, or fit fewer targets at a time."
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
            f"solver={name!r} runs on the CPU: leave the device out, or use "
            "solver='gram' or 'saga'."
        )


def _gram_bytes(X, weighted, folds, dtype):
    """Size of sums of products, and of a Gram matrix that cannot take their place."""
    sums = 4 if isinstance(X, PackedMasks) and not weighted else 8
    entry = sums if sums == np.dtype(dtype).itemsize else sums + dtype.itemsize
    return (entry + sums * folds) * X.shape[1] ** 2
