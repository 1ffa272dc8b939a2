"""The interface of the solvers: what a solver takes, and what it returns.

A solver is a function ``fit(problem, settings)`` that does not depend on estimators.
The `Problem` is what to fit, the `Settings` are how. It returns the datamodels of all
targets in the groups of the problem:

``fits`` : list of :class:`~skdatamodels.regression._fits.Fit`
    Each for some of the targets.
``targets_of`` : list of int array
    The targets of each fit.

If ``problem.lam`` is None, the solver also chooses lam and the strength of the prior,
by the error on the folds of each group. It stops on the duality gap.

To add a solver, write it in its own module and add it to `SOLVERS`. If you have a
function that solves paths on masks and outputs, `mask_solver` makes a solver of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Problem(NamedTuple):
    """What to fit: outputs on columns, for groups of targets."""

    X: Any  # PackedMasks, or float array (n_runs, d) if the solver accepts it
    Y: Any  # (n_runs, n_targets), floating-point; NaN outside of a target's group
    sample_weight: np.ndarray | None  # (n_runs,), positive, float64; None: all 1
    groups: list  # of Group: targets, the runs that they can use, their folds
    lam: np.ndarray | None  # (n_targets,); None: choose it on the folds
    prior: Any  # Prior


class Settings(NamedTuple):
    """How to fit; the parameters of :class:`DatamodelRegressor` of these names."""

    n_lams: int = 50
    lam_min_ratio: float = 1e-2
    one_standard_error: bool = False
    patience: int | None = 5
    keep_path: bool = False
    tol: float = 1e-4
    max_iter: int = 5000
    n_jobs: int | None = None
    seed: int = 0  # for solvers that use random numbers
    ops: Any = None  # CudaOps to compute on a GPU; None: the CPU

    @classmethod
    def of(cls, estimator, seed, ops):
        """Make Settings from the parameters of an estimator."""
        own = {name: getattr(estimator, name) for name in cls._fields[:-2]}
        return cls(**own, seed=seed, ops=ops)


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
