"""The interface of the solvers: what a solver takes, and what it returns.

A solver is a function ``fit(problem, settings)`` that does not depend on estimators.
The `Problem` is what to fit, the `Settings` are how. It returns the datamodels of all
targets in the groups of the problem:

``fits`` : list of :class:`~skdatamodels.regression._fits.Fit`
    Each for some of the targets.
``targets_of`` : list of int array
    The targets of each fit.

If ``problem.lam`` is None, the solver also chooses lam and the strength of the prior,
by the error on the folds of each group, or, for the ridge, on left-out units. Solvers
of the LASSO stop on the duality gap.

To add a solver, write it in its own module and add it to `SOLVERS` in `_choose_solver`.
If you have a function that solves paths on masks and outputs, `mask_solver` makes a
solver of it.
"""

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
    unit: np.ndarray | None = (
        None  # (n_runs,), runs with the same are left out together
    )


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
