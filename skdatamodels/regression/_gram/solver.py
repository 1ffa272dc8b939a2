"""The gram solver: it reads the runs once, then works on their moments."""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.regression._fits import assemble
from skdatamodels.regression._gram.host import HostRuns, counts_of_all
from skdatamodels.regression._gram.moments import weight_of
from skdatamodels.regression._prior import STRENGTHS, inform
from skdatamodels.regression._selection import (
    MOST_JUDGES,
    Choice,
    choose_lam,
    choose_strength,
    judges,
    judging_groups,
    lam_grid,
    walk_down,
)


def runs_on(ops, *data, whole=None):
    """Return runs on the CPU, or on the device of `ops`."""
    if ops is None:
        return HostRuns(*data, whole=whole)
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
    groups, lam, prior = problem.groups, problem.lam, problem.prior
    strengths = STRENGTHS[:1] if prior.weights is None else STRENGTHS
    if settings.ops is not None:
        settings = settings._replace(n_jobs=1)
    # The rounding of a product depends on the number of BLAS threads: use one.
    with threadpool_limits(1, user_api="blas"):
        whole = counts_of_all(problem, settings) if settings.ops is None else None
        if lam is None and len(strengths) > 1 and len(groups) > 1:
            some = judging_groups(groups)
            sums = _of_groups(
                held_out_errors, problem, some, settings, strengths, whole
            )
            s = choose_strength(np.concatenate(sums, axis=1))
            strengths = strengths[s : s + 1]
        fits = _of_groups(fit, problem, groups, settings, strengths, whole)
    return fits, [group.targets for group in groups]


def _of_groups(task, problem, groups, settings, strengths, whole):
    """Run a task on each group.

    Several groups are spread over the workers; of a single one, the blocks are.
    """
    X, Y, weight, _, lam, prior, _ = problem
    data = (  # made when needed: the rows of a sparse prior become dense
        (
            *(X, Y, weight, group),
            None if lam is None else lam[group.targets],
            prior.of(group.targets),
        )
        for group in groups
    )
    if len(groups) == 1:
        return [task(*next(data), settings, strengths, whole)]
    alone = settings._replace(n_jobs=1), strengths, whole
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


def fit(X, Y, weight, group, lam, prior, settings, strengths, whole=None):
    """Fit the datamodels of the targets of a group; `lam` and `prior` are theirs.

    Parameters
    ----------
    X, Y, weight, group, lam, prior : object
        Parts of a Problem, of one group.
    settings : Settings
        How to fit.
    strengths : sequence
        Strengths of the prior to choose from. If lam is given, the last one is used.
    whole : array, optional
        See `counts_of_all`.

    Returns
    -------
    fit : Fit
        Datamodels of these targets.
    """
    data = X, Y, weight, group, prior, settings, strengths, whole
    runs, total, problems = _begin(*data)
    s, choice, start = len(strengths) - 1, None, None
    if lam is None:
        total = _for_folds(runs, total, group)
        s, choice, start = _choose(
            runs, total, problems, group, prior, settings, strengths
        )
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


def held_out_errors(X, Y, weight, group, lam, prior, settings, strengths, whole=None):
    """Return the errors of a group on its folds; the arguments are those of `fit`."""
    data = X, Y, weight, group, prior, settings, strengths, whole
    runs, total, problems = _begin(*data)
    total = _for_folds(runs, total, group)
    folds = _folds(runs, total, group, prior, strengths)
    which = range(len(strengths))
    return _search(runs, folds, problems, which, slice(None), settings).sums


def _begin(X, Y, weight, group, prior, settings, strengths, whole):
    """Return the runs of a group, their moments, and its problem for each strength."""
    data = X, Y, weight, group.rows, group.targets, settings.n_jobs
    runs = runs_on(settings.ops, *data, whole=whole)
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


def _choose(runs, total, problems, group, prior, settings, strengths):
    """Choose the strength of the prior, and lam at this strength."""
    which, data = range(len(strengths)), (runs, total, group, prior, strengths)
    folds = list(_folds(*data)) if len(group.folds) == 1 else None
    if len(which) > 1 and len(group.targets) > MOST_JUDGES:
        some, of = judges(np.arange(len(group.targets))), folds or _folds(*data)
        found = _search(runs, of, problems, which, some, settings)
        which = [choose_strength(found.sums)]
    found = _search(
        runs, folds or _folds(*data), problems, which, slice(None), settings
    )
    s = choose_strength(found.sums)
    return which[s], found.choice(s, settings), found.best_at(s)


class _Fold(NamedTuple):
    """What is needed to follow the paths on the training runs of a fold."""

    problems: list  # of InformedProblem, one for each strength
    means: tuple  # of columns and outputs
    held_out: tuple  # columns, outputs and weights of runs
    n_held_out: float  # sum of these weights
    matrix: object  # of the training runs


def _folds(runs, total, group, prior, strengths):
    """Make the folds one after another, for each has a large matrix."""
    for fold in group.folds:
        if not len(fold.held_out):
            continue
        rest = _moments_of_training(runs, total, group.rows, fold)
        informed, means = inform(rest, prior, strengths), runs.means(rest)
        n_held_out = weight_of(runs.weight, fold.held_out).sum()
        held_out = runs.held_out(fold.held_out)
        matrix = runs.matrix(rest)
        del rest
        yield _Fold(informed, means, held_out, n_held_out, matrix)


class _Search(NamedTuple):
    """Paths on the training runs of all folds, for some strengths of the prior."""

    lams: np.ndarray  # (n_strengths, n_targets, n_lams)
    sums: np.ndarray  # (n_strengths, n_targets, n_lams, 2), see `squared_errors`
    gap: np.ndarray  # (n_strengths, n_targets), the largest
    n_held_out: float  # sum of the weights of the held-out runs
    best: sparse.csr_array  # (n_strengths * n_targets, d): of least error, last fold

    def choice(self, s, settings):
        """Choose lam at a strength."""
        sums = self.sums[s], self.n_held_out
        error, index = choose_lam(*sums, settings.one_standard_error)
        return Choice(self.lams[s], error, index, self.gap[s])

    def best_at(self, s):
        """Return the coefficients of least error in the last fold, at a strength."""
        n_targets = self.lams.shape[1]
        return self.best[s * n_targets : (s + 1) * n_targets]


def _search(runs, folds, problems, which, some, settings):
    """Follow the paths of some targets on each fold, and judge them.

    `which` are the strengths, indices into the problems.
    """
    chosen = [problems[s].of(some, np.float64) for s in which]
    grid = settings.n_lams, settings.lam_min_ratio
    lams = np.stack([lam_grid(p.cov, p.penalty_factors, *grid) for p in chosen])
    sums, worst = np.zeros((*lams.shape, 2)), np.zeros(lams.shape[:2])
    n_held_out, best, targets = 0, None, np.arange(len(runs.targets))[some]
    blocks = list(runs.blocks(settings.patience or settings.n_lams))
    blocks = [b for b in blocks if b.start < len(targets)]
    for fold in folds:
        X, Y, weight = fold.held_out
        x_mean, y_mean = fold.means
        parts = (
            (
                *(lams[k, b], fold.problems[s].of(targets[b], runs.dtype)),
                *(X, Y[:, targets[b]], weight, (x_mean, y_mean[targets[b]])),
            )
            for k, s in enumerate(which)
            for b in blocks
        )
        new, best, gaps = _run(_walk, fold.matrix, parts, settings)
        worst = np.maximum(worst, gaps.reshape(worst.shape))
        sums += new.reshape(sums.shape)
        n_held_out += fold.n_held_out
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
