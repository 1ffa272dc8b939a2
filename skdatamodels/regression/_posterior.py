"""Posterior variances of the weights of an informed ridge, and of sums of them."""

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from skdatamodels.regression._ridge import Runs, System, variances_of


def posterior_variance(problem, lam, noise, sets, n_jobs):
    """Return variances of weights, or of sums of weights, given the outputs.

    With noise of variance s² and lam·m = s²/v, the weights δ have prior variances v·D,
    and given the outputs, the covariance v·(D - D·Zᵀ(Z·D·Zᵀ + lam·m)⁻¹Z·D).

    Parameters
    ----------
    problem : Problem
        What was fitted; the weights of its prior are those that were used.
    lam, noise : float64 array of shape (n_targets,)
        Strengths, and variances of the noise.
    sets : float64 array of shape (n_sets, d) or None
        Factors of the weights in each sum; None: each weight alone.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    variance : float64 array of shape (n_targets, n_sets or d)
        NaN for targets without a datamodel.
    """
    n_targets, d = problem.Y.shape[1], problem.X.shape[1]
    found = np.full((n_targets, d if sets is None else len(sets)), np.nan)
    of_one = threadpool_limits.wrap(limits=1, user_api="blas")(_of_target)
    for group in problem.groups:
        runs = Runs.of(problem, group.rows, seed=0)
        offset, factors, _ = problem.prior.of(group.targets)
        variances = variances_of(offset, np.atleast_2d(factors), len(group.targets))
        tasks = (
            delayed(of_one)(runs, variance, lam[target], sets)
            for target, variance in zip(group.targets, variances, strict=True)
        )
        rows = Parallel(n_jobs=n_jobs, prefer="threads")(tasks)
        scale = noise[group.targets] / (lam[group.targets] * runs.total)
        found[group.targets] = scale[:, None] * np.array(rows)
    return found


def _of_target(runs, variances, lam, sets):
    """Return the posterior variances of a target, in units of the prior's v."""
    return System(runs, variances).posterior(lam, sets)
