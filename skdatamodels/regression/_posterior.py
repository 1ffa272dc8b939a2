"""Posterior variances of the weights of an informed ridge, and of sums of them."""

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from skdatamodels._numbers import as_real
from skdatamodels.regression._checks import check_factors
from skdatamodels.regression._prior import Prior, set_zero
from skdatamodels.regression._ridge import variances_of
from skdatamodels.regression._ridge_system import Runs, System
from skdatamodels.regression._solver import Problem
from skdatamodels.regression._target_groups import group_targets
from skdatamodels.runs._usable_runs import check_exclude, usable_runs


def posterior_variance(model, X, Y, weight, sets, chosen=None, ops=None):
    """Return variances of weights, or of sums of weights, given the outputs.

    With noise of variance s² and lam·m = s²/v, the weights δ have prior variances v·D,
    and given the outputs, the covariance v·(D - D·Zᵀ(Z·D·Zᵀ + lam·m)⁻¹Z·D).

    Parameters
    ----------
    model : DatamodelRegressor
        A fitted ridge.
    X : PackedMasks or float array of shape (n_runs, d)
        Columns of the runs that it was fitted to.
    Y : float array of shape (n_runs, n_targets)
        Their outputs.
    weight : float64 array of shape (n_runs,)
        Their weights.
    sets : array-like of shape (n_sets, d) or None
        Factors of the weights in each sum; None: each weight alone.
    chosen : int array of shape (n_chosen,) or None
        Targets; None: all.
    ops : CudaOps or None
        Where to compute; None: on the CPU.

    Returns
    -------
    variance : float64 array of shape (n_chosen, n_sets or d)
        NaN for targets without a datamodel.
    """
    n_targets, d = Y.shape[1], X.shape[1]
    if (len(Y), n_targets) != (model._n_runs, len(model.lam_)):
        raise ValueError(
            f"The regressor was fitted to {model._n_runs} runs of {len(model.lam_)} "
            f"targets, got {len(Y)} runs of {n_targets}. Pass the runs of its fit."
        )
    sets = sets if sets is None else _check_sets(sets, d)
    kept = np.flatnonzero(weight)
    X, Y, weight = X[kept], Y[kept], weight[kept]
    exclude = check_exclude(model.exclude, n_targets, d)
    fitted = np.flatnonzero(np.isfinite(model.lam_))
    order = np.arange(len(Y))
    groups = group_targets(usable_runs(X, Y, exclude), fitted, order, None)
    offset = getattr(model, "prior_coef_", None)
    offset = None if offset is None else np.atleast_2d(offset).astype(np.float64)
    factors = check_factors(model.penalty_factors, n_targets, d)
    prior = Prior(offset, factors, exclude)
    problem = Problem(X, Y, weight, groups, model.lam_, prior)
    found = np.full((n_targets, d if sets is None else len(sets)), np.nan)
    of_one = threadpool_limits.wrap(limits=1, user_api="blas")(_of_target)
    for group in groups:
        targets = group.targets
        if chosen is not None:
            targets = targets[np.isin(targets, chosen)]
        if not len(targets):
            continue
        runs = Runs.of(problem, group.rows, 0, ops)
        offset, factors, _ = prior.of(targets)
        variances = variances_of(offset, np.atleast_2d(factors), len(targets)).copy()
        if exclude is not None:  # the weight of an excluded example is known to be 0
            set_zero(variances, exclude[targets])
        lam = model.lam_[targets]
        tasks = (
            delayed(of_one)(runs, *each, sets)
            for each in zip(variances, lam, strict=True)
        )
        n_jobs = model.n_jobs if ops is None else 1
        rows = Parallel(n_jobs=n_jobs, prefer="threads")(tasks)
        scale = model.noise_variance_[targets] / runs.total
        found[targets] = scale[:, None] * np.array(rows)
    return found if chosen is None else found[chosen]


def _check_sets(sets, d):
    sets = np.atleast_2d(as_real(sets, "sets")).astype(np.float64)
    if sets.shape[1:] != (d,):
        raise ValueError(
            f"sets must have a column for each of the {d} training examples, got shape "
            f"{sets.shape}."
        )
    if not np.isfinite(sets).all():
        raise ValueError("sets must be finite, but has NaN or infinite entries.")
    return sets


def _of_target(runs, variances, lam, sets):
    """Return the posterior variances of a target, in units of noise / runs."""
    return System(runs, variances).posterior(lam, sets)
