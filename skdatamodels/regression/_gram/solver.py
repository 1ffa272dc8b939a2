"""The gram solver: it reads the runs once, then works on their moments."""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.regression._fits import assemble
from skdatamodels.regression._gram.host import HostRuns
from skdatamodels.regression._gram.moments import weight_of
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

    return DeviceRuns(*data, ops=ops)


def fit_groups(problem, settings):
    """Fit the datamodels of groups of targets: a solver, see `_solver`.

    Parameters
    ----------
    problem : Problem
        What to fit.
    settings : Settings
        How to fit.

    Returns
    -------
    fits : list of Fit
        One for each group.
    targets_of : list of int array
        The targets of each group.
    """
    X, Y, weight, groups, lam, prior, _ = problem

    def data():  # made when needed: the rows of a sparse prior become dense
        for group in groups:
            own_lam = None if lam is None else lam[group.targets]
            yield X, Y, weight, group, own_lam, prior.of(group.targets)

    strengths = STRENGTHS[:1] if prior.weights is None else STRENGTHS
    if settings.ops is not None:
        settings = settings._replace(n_jobs=1)
    # The rounding of a product depends on the number of BLAS threads: use one.
    with threadpool_limits(1, user_api="blas"):
        # Several groups are spread over the workers; of a single one, the blocks are.
        if len(groups) == 1:
            fits = [fit(*next(data()), settings, strengths)]
        else:
            if lam is None and len(strengths) > 1:
                sums = _over_groups(held_out_errors, data(), settings, strengths)
                s = choose_strength(np.concatenate(sums, axis=1))
                strengths = strengths[s : s + 1]
            fits = _over_groups(fit, data(), settings, strengths)
    return fits, [group.targets for group in groups]


def _over_groups(task, data, settings, strengths):
    """Run a task on each group, on a worker of its own."""
    alone = settings._replace(n_jobs=1), strengths
    return Parallel(n_jobs=settings.n_jobs, prefer="threads")(
        delayed(_alone)(task, *each, *alone) for each in data
    )


@threadpool_limits.wrap(limits=1, user_api="blas")
def _alone(task, *data):
    """Run a task without starting further tasks.

    A task of a cluster that waits for tasks of the same cluster may deadlock.
    """
    with parallel_config("sequential"):
        return task(*data)


def fit(X, Y, weight, group, lam, prior, settings, strengths):
    """Fit the datamodels of the targets of a group; `lam` and `prior` are theirs.

    Parameters
    ----------
    X, Y, weight, group, lam, prior : object
        Parts of a Problem, of one group.
    settings : Settings
        How to fit.
    strengths : sequence
        Strengths of the prior to choose from. If lam is given, the last one is used.

    Returns
    -------
    fit : Fit
        Datamodels of these targets.
    """
    runs, total, problems = _begin(X, Y, weight, group, prior, settings, strengths)
    s, choice, start = len(strengths) - 1, None, None
    if lam is None:
        total = _for_folds(runs, total, group)
        found = _search(runs, total, problems, group, prior, settings, strengths)
        s = choose_strength(found.sums)
        choice, start = found.choice(s, settings), found.best[s]
        lam = choice.lams[np.arange(len(group.targets)), choice.index]
    if total.xx is None:
        total = total._replace(xx=runs.pair_sums(group.rows))
    keep = settings.keep_path and choice is not None
    lams = choice.lams if keep else lam[:, None]
    x_mean, y_mean = runs.means(total)
    parts = (
        (lams[b], problems[s].of(b, runs.dtype), None if start is None else start[b])
        for b in runs.blocks(lams.shape[1])
    )
    coefs, gaps, n_iter = _run(_solve, runs.matrix(total), parts, settings)
    intercepts = y_mean[:, None] - (coefs @ x_mean).reshape(lams.shape)
    return assemble(coefs, intercepts, lams, gaps, n_iter, strengths[s], choice, keep)


def held_out_errors(X, Y, weight, group, lam, prior, settings, strengths):
    """Return the errors of a group on its folds; the arguments are those of `fit`."""
    runs, total, problems = _begin(X, Y, weight, group, prior, settings, strengths)
    total = _for_folds(runs, total, group)
    return _search(runs, total, problems, group, prior, settings, strengths).sums


def _begin(X, Y, weight, group, prior, settings, strengths):
    """Return the runs of a group, their moments, and its problem for each strength."""
    data = X, Y, weight, group.rows, group.targets, settings.n_jobs
    runs = runs_on(settings.ops, *data)
    total = runs.moments(group.rows)
    if prior.weights is not None:
        total = total._replace(xx=runs.pair_sums(group.rows))
    return runs, total, inform(total, prior, strengths)


def _for_folds(runs, total, group):
    """Return moments with `xx` for several folds: one large matrix, or else two."""
    if len(group.folds) == 1:
        return total._replace(xx=None)
    if total.xx is None:
        return total._replace(xx=runs.pair_sums(group.rows))
    return total


class _Search(NamedTuple):
    """Paths on the training runs of all folds, for each strength of the prior."""

    lams: np.ndarray  # (n_strengths, n_targets, n_lams)
    sums: np.ndarray  # (n_strengths, n_targets, n_lams, 2), see `squared_errors`
    gap: np.ndarray  # (n_strengths, n_targets), the largest
    n_held_out: float  # sum of the weights of the held-out runs
    best: list  # of CSR (n_targets, d): coefficients of least error in the last fold

    def choice(self, s, settings):
        """Choose lam at a strength."""
        sums = self.sums[s], self.n_held_out
        error, index = choose_lam(*sums, settings.one_standard_error)
        return Choice(self.lams[s], error, index, self.gap[s])


def _search(runs, total, problems, group, prior, settings, strengths):
    """Follow the paths on the training runs of each fold, and judge them."""
    grid = settings.n_lams, settings.lam_min_ratio
    lams = np.stack([lam_grid(p.cov, p.penalty_factors, *grid) for p in problems])
    sums, worst = np.zeros((*lams.shape, 2)), np.zeros(lams.shape[:2])
    n_held_out, together = 0, settings.patience or settings.n_lams
    for fold in group.folds:
        if not len(fold.held_out):
            continue
        rest = _moments_of_training(runs, total, group.rows, fold)
        informed = inform(rest, prior, strengths)
        x_mean, y_mean = runs.means(rest)
        X, Y, weight = runs.held_out(fold.held_out)
        matrix, best = runs.matrix(rest), []
        del rest
        for s, problem in enumerate(informed):
            parts = (
                (
                    *(lams[s, b], problem.of(b, runs.dtype)),
                    *(X, Y[:, b], weight, (x_mean, y_mean[b])),
                )
                for b in runs.blocks(together)
            )
            new, coefs, gaps = _run(_walk, matrix, parts, settings)
            worst[s] = np.maximum(worst[s], gaps)
            sums[s] += new
            best.append(coefs)
        n_held_out += weight_of(runs.weight, fold.held_out).sum()
    return _Search(lams, sums, worst, n_held_out, best)


def _moments_of_training(runs, total, rows, fold):
    """Return the moments of the training runs of a fold, with `xx`."""
    if fold.train is not None:
        train = runs.moments(fold.train)
        return train._replace(xx=runs.pair_sums(fold.train))
    part = runs.moments(fold.held_out)
    if total.xx is None:
        xx = runs.pair_sums(fold.train_of(rows))
        return total.without(part)._replace(xx=xx)
    return total.without(part._replace(xx=runs.pair_sums(fold.held_out)))


def _run(task, matrix, parts, settings):
    """Run a task on each block of targets, and join the results.

    Large objects are separate arguments, so that each is sent to a cluster once.
    """
    limits = settings.tol, settings.max_iter, settings.patience
    results = Parallel(n_jobs=settings.n_jobs, prefer="threads")(
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
def _walk(matrix, limits, lams, problem, X, Y, sample_weight, means):
    """Follow the paths of a block of targets, with errors on held-out runs."""
    x_mean, y_mean = means
    tol, _, patience = limits
    problem = matrix.place(problem)

    def advance(active, lams, start):
        part = problem.of(active, problem.cov.dtype)
        coefs, gaps, _ = _descend(matrix, limits, lams, part, start)
        judged = part.weights(coefs), x_mean, y_mean[active]
        errors = matrix.squared_errors(X, Y[:, active], sample_weight, *judged)
        return coefs, gaps, errors

    sums, best, gap = walk_down(advance, lams, patience, tol)
    return sums, matrix.csr(best), gap


def _descend(matrix, limits, lams, problem, start):
    tol, max_iter, _ = limits
    dtype = np.dtype(str(problem.cov.dtype).removeprefix("torch."))
    if start is None:
        start = np.zeros(problem.cov.shape, dtype)
    lams = np.minimum(lams, np.finfo(dtype).max).astype(dtype)
    return matrix.solve(problem, lams, start, tol, max_iter)
