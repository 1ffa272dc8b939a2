"""The gram solver: after one reading of the runs, all happens on their moments."""

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.regression._fits import assemble
from skdatamodels.regression._gram.host import HostRuns
from skdatamodels.regression._prior import STRENGTHS, inform
from skdatamodels.regression._selection import (
    Choice,
    choose_lam,
    choose_strength,
    lam_grid,
    walk_down,
)


def runs_on(ops, *data):
    """Return runs on the CPU, or on the device of `ops`."""
    if ops is None:
        return HostRuns(*data)
    from skdatamodels.regression._cuda.gram import DeviceRuns

    return DeviceRuns(*data, ops)


def fit_groups(X, Y, groups, lam, prior, settings, seed, ops=None):
    """Fit the datamodels of groups of targets.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
    Y : float array of shape (n_runs, n_targets)
    groups : list of Group
    lam : array of shape (n_targets,) or None
    prior : Prior
    settings : DatamodelRegressor
        For its parameters.
    seed : int
        Not used: nothing here is random.
    ops : CudaOps or None
        The GPU to compute on; None for the CPU.

    Returns
    -------
    fits : list of Fit
    targets_of : list of int array
    """
    n_jobs = 1 if ops else settings.n_jobs
    problems = [
        (
            X,
            Y,
            group,
            None if lam is None else lam[group.targets],
            prior.of(group.targets),
            settings,
        )
        for group in groups
    ]
    # Products round otherwise with other numbers of threads: they have one each.
    with threadpool_limits(1, user_api="blas"):
        # Workers take groups if there are several, else blocks of the only one.
        if len(groups) == 1:
            fits = [fit(*problems[0], n_jobs, ops)]
        else:
            fits = Parallel(n_jobs=n_jobs, prefer="threads")(
                delayed(_fit_alone)(ops, *problem) for problem in problems
            )
    return fits, [group.targets for group in groups]


@threadpool_limits.wrap(limits=1, user_api="blas")
def _fit_alone(ops, *problem):
    """Fit a group on a worker, which hands nothing on to others.

    A task of a cluster that waits for tasks of the same cluster can wait for ever.
    """
    with parallel_config("sequential"):
        return fit(*problem, 1, ops)


def fit(X, Y, group, lam, prior, settings, n_jobs, ops):
    """Fit the datamodels of the targets of a group.

    Returns
    -------
    fit : Fit
    """
    rows, targets, folds = group
    runs = runs_on(ops, X, Y, rows, targets)
    total, strengths = runs.moments(rows, n_jobs), STRENGTHS[:1]
    if prior.weights is not None:
        strengths = STRENGTHS
        total = total._replace(xx=runs.pair_sums(rows, n_jobs))
    problems = inform(total, prior, strengths)
    s, choice, start = len(strengths) - 1, None, None
    if lam is None:
        # Large matrices: one at a time, if there is one fold; else two.
        if len(folds) == 1:
            total = total._replace(xx=None)
        elif total.xx is None:
            total = total._replace(xx=runs.pair_sums(rows, n_jobs))
        s, choice, start = _choose(
            runs, total, problems, group, prior, strengths, settings, n_jobs
        )
        lam = choice.lams[np.arange(len(targets)), choice.index]
    if total.xx is None:
        total = total._replace(xx=runs.pair_sums(rows, n_jobs))
    keep = settings.keep_path and choice is not None
    lams = choice.lams if keep else lam[:, None]
    x_mean, y_mean = runs.means(total)
    parts = (
        (lams[b], problems[s].of(b, runs.dtype), None if start is None else start[b])
        for b in runs.blocks(lams.shape[1])
    )
    matrix = runs.matrix(total)
    coefs, gaps, n_iter = _run(_solve, matrix, parts, settings, n_jobs)
    intercepts = y_mean[:, None] - (coefs @ x_mean).reshape(lams.shape)
    return assemble(coefs, intercepts, lams, gaps, n_iter, strengths[s], choice, keep)


def _choose(runs, total, problems, group, prior, strengths, settings, n_jobs):
    """Choose the strength of the prior and lam by the error on held-out folds."""
    grid = settings.n_lams, settings.lam_min_ratio
    lams = np.stack([lam_grid(p.cov, p.penalty_factors, *grid) for p in problems])
    sums, worst = np.zeros((*lams.shape, 2)), np.zeros(lams.shape[:2])
    together = min(settings.patience or settings.n_lams, settings.n_lams)
    for fold in group.folds:
        part = runs.moments(fold, n_jobs)
        if total.xx is None:
            xx = runs.pair_sums(np.setdiff1d(group.rows, fold), n_jobs)
            rest = total.without(part)._replace(xx=xx)
        else:
            rest = total.without(part._replace(xx=runs.pair_sums(fold, n_jobs)))
        informed = inform(rest, prior, strengths)
        x_mean, y_mean = runs.means(rest)
        X, Y = runs.held_out(fold)
        matrix, best = runs.matrix(rest), []
        del rest, part
        for s, problem in enumerate(informed):
            parts = (
                (lams[s, b], problem.of(b, runs.dtype), X, Y[:, b], (x_mean, y_mean[b]))
                for b in runs.blocks(together)
            )
            new, coefs, gaps = _run(_walk, matrix, parts, settings, n_jobs)
            worst[s] = np.maximum(worst[s], gaps)
            sums[s] += new
            best.append(coefs)
    s = choose_strength(sums)
    n_held_out = sum(map(len, group.folds))
    error, index = choose_lam(sums[s], n_held_out, settings.one_standard_error)
    return s, Choice(lams[s], error, index, worst[s]), best[s]


def _run(task, matrix, parts, settings, n_jobs):
    """Run a task on each block of targets, and put the results together.

    Large objects are arguments of their own: so a cluster gets each of them once.
    """
    limits = settings.tol, settings.max_iter, settings.patience
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(task)(matrix, limits, *part) for part in parts
    )
    return [
        sparse.vstack(r, "csr") if sparse.issparse(r[0]) else np.concatenate(r)
        for r in zip(*results, strict=True)
    ]


@threadpool_limits.wrap(limits=1, user_api="blas")
def _solve(matrix, limits, lams, problem, start):
    """Solve the paths of a block of targets, on all runs."""
    if start is not None:
        start = start.toarray()
    problem = matrix.place(problem)
    coefs, gaps, n_iter = _descend(matrix, limits, lams, problem, start)
    weights = problem.weights(coefs)
    return matrix.csr(weights.reshape(-1, weights.shape[2])), gaps, n_iter


@threadpool_limits.wrap(limits=1, user_api="blas")
def _walk(matrix, limits, lams, problem, X, Y, means):
    """Walk down the paths of a block of targets, judged by held-out runs."""
    x_mean, y_mean = means
    tol, _, patience = limits
    problem = matrix.place(problem)

    def advance(active, lams, start):
        part = problem.of(active, problem.cov.dtype)
        coefs, gaps, _ = _descend(matrix, limits, lams, part, start)
        judged = part.weights(coefs), x_mean, y_mean[active]
        return coefs, gaps, matrix.squared_errors(X, Y[:, active], *judged)

    sums, best, gap = walk_down(advance, lams, patience, tol)
    return sums, matrix.csr(best), gap


def _descend(matrix, limits, lams, problem, start):
    tol, max_iter, _ = limits
    dtype = np.dtype(str(problem.cov.dtype).removeprefix("torch."))
    if start is None:
        start = np.zeros(problem.cov.shape, dtype)
    lams = np.minimum(lams, np.finfo(dtype).max).astype(dtype)
    return matrix.solve(problem, lams, start, tol, max_iter)
