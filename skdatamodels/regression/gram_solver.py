"""The gram solver: after one reading of the runs, all happens on their moments."""

from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.masks import PackedMasks
from skdatamodels.masks.packed import row_blocks
from skdatamodels.regression._gram_host import Host
from skdatamodels.regression.fits import assemble
from skdatamodels.regression.moments import weight_of
from skdatamodels.regression.prior import STRENGTHS, inform
from skdatamodels.regression.selection import (
    Choice,
    choose_lam,
    choose_strength,
    lam_grid,
    walk_down,
)


class Runs(NamedTuple):
    """The runs to fit, and the place where sums of them are taken."""

    X: np.ndarray  # (n_runs, d), or PackedMasks
    Y: np.ndarray  # (n_runs, all targets)
    targets: np.ndarray
    weight: np.ndarray | None  # (n_runs,)
    x_shift: np.ndarray  # (d,), or 0 for masks
    y_shift: np.ndarray  # (n_targets,)
    place: Host  # or Device

    @classmethod
    def of(cls, X, Y, weight, rows, targets, place):
        """Shift real columns and outputs by about their means.

        A constant column becomes 0, which its mean, rounded, would not make of it.
        """
        x_shift = 0.0
        if not isinstance(X, PackedMasks):
            columns = X[rows]
            constant = (columns == columns[0]).all(axis=0)
            x_shift = np.where(constant, columns[0], columns.mean(axis=0))
        y_sum = np.zeros(len(targets))
        for block in row_blocks(len(rows), 8 * Y.shape[1]):
            y_sum += Y[rows[block]][:, targets].sum(axis=0, dtype=np.float64)
        return cls(X, Y, targets, weight, x_shift, y_sum / len(rows), place)

    @property
    def dtype(self):
        """That of the computation."""
        return self.place.dtype(self.Y.dtype)

    def moments(self, rows):
        """Return the moments of some of them, but for `xx`."""
        X, Y, *others, _ = self
        return self.place.moments(X, Y, rows, *others)

    def pair_sums(self, rows):
        """Return `xx` of some of them."""
        return self.place.pair_sums(self.X, rows, self.weight, self.x_shift)

    def matrix(self, data):
        """Make a Gram matrix of moments, ready to solve on; they are used up."""
        return self.place.matrix(data.into_gram(self.dtype), self.X.shape[1])

    def blocks(self):
        """Yield slices of the targets, one for each task."""
        step = self.place.block
        for start in range(0, len(self.targets), step):
            yield slice(start, start + step)

    def means(self, data):
        """Return the means of columns and outputs, without the shift."""
        return self.x_shift + data.x_mean, self.y_shift + data.y_mean

    def held_out(self, rows):
        """Return columns, outputs and weights of runs that judge."""
        X = self.place.held_out(self.X[rows], self.dtype)
        weight = None if self.weight is None else self.weight[rows]
        return X, self.Y[rows][:, self.targets], weight


def fit_groups(problem, settings):
    """Fit the datamodels of groups of targets: a solver, see `_solver`.

    Parameters
    ----------
    problem : Problem
    settings : Settings

    Returns
    -------
    fits : list of Fit
    targets_of : list of int array
    """
    X, Y, weight, groups, lam, prior = problem
    place = Host(settings.n_jobs)
    if settings.ops is not None:
        from skdatamodels.regression.cuda.gram import Device

        place = Device(settings.ops)
    problems = (
        (
            *(X, Y, weight, group),
            None if lam is None else lam[group.targets],
            prior.of(group.targets),
            settings,
        )
        for group in groups
    )
    # Products round otherwise with other numbers of threads: they have one each.
    with threadpool_limits(1, user_api="blas"):
        # Workers take groups if there are several, else blocks of the only one.
        if len(groups) == 1:
            fits = [fit(*next(problems), place)]
        else:
            fits = Parallel(n_jobs=place.n_jobs, prefer="threads")(
                delayed(_fit_alone)(*each, place.with_one_thread()) for each in problems
            )
    return fits, [group.targets for group in groups]


@threadpool_limits.wrap(limits=1, user_api="blas")
def _fit_alone(*problem):
    """Fit a group on a worker, which hands nothing on to others.

    A task of a cluster that waits for tasks of the same cluster can wait for ever.
    """
    with parallel_config("sequential"):
        return fit(*problem)


def fit(X, Y, weight, group, lam, prior, settings, place):
    """Fit the datamodels of the targets of a group, whose `lam` and `prior` these are.

    Returns
    -------
    fit : Fit
    """
    rows, targets, folds = group
    runs = Runs.of(X, Y, weight, rows, targets, place)
    total, strengths = runs.moments(rows), STRENGTHS[:1]
    if prior.weights is not None:
        strengths = STRENGTHS
        total = total._replace(xx=runs.pair_sums(rows))
    problems = inform(total, prior, strengths)
    s, choice, start = len(strengths) - 1, None, None
    if lam is None:
        # Large matrices: one at a time, if there is one fold; else two.
        if len(folds) == 1:
            total = total._replace(xx=None)
        elif total.xx is None:
            total = total._replace(xx=runs.pair_sums(rows))
        s, choice, start = _choose(
            runs, total, problems, group, prior, strengths, settings
        )
        lam = choice.lams[np.arange(len(targets)), choice.index]
    if total.xx is None:
        total = total._replace(xx=runs.pair_sums(rows))
    keep = settings.keep_path and choice is not None
    lams = choice.lams if keep else lam[:, None]
    x_mean, y_mean = runs.means(total)
    parts = (
        (lams[b], problems[s].of(b, runs.dtype), None if start is None else start[b])
        for b in runs.blocks()
    )
    coefs, gaps, n_iter = _run(_solve, runs.matrix(total), parts, settings, place)
    intercepts = y_mean[:, None] - (coefs @ x_mean).reshape(lams.shape)
    return assemble(coefs, intercepts, lams, gaps, n_iter, strengths[s], choice, keep)


def _choose(runs, total, problems, group, prior, strengths, settings):
    """Choose the strength of the prior and lam by the error on held-out folds."""
    grid = settings.n_lams, settings.lam_min_ratio
    lams = np.stack([lam_grid(p.cov, p.penalty_factors, *grid) for p in problems])
    sums, worst = np.zeros((*lams.shape, 2)), np.zeros(lams.shape[:2])
    n_held_out = 0
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
                for b in runs.blocks()
            )
            new, coefs, gaps = _run(_walk, matrix, parts, settings, runs.place)
            worst[s] = np.maximum(worst[s], gaps)
            sums[s] += new
            best.append(coefs)
        n_held_out += weight_of(runs.weight, fold.held_out).sum()
    s = choose_strength(sums)
    error, index = choose_lam(sums[s], n_held_out, settings.one_standard_error)
    return s, Choice(lams[s], error, index, worst[s]), best[s]


def _moments_of_training(runs, total, rows, fold):
    """Return the moments of the runs of a fold that are fitted on, with `xx`."""
    if fold.train is not None:
        train = runs.moments(fold.train)
        return train._replace(xx=runs.pair_sums(fold.train))
    rest = total.without(runs.moments(fold.held_out))
    if total.xx is None:
        return rest._replace(xx=runs.pair_sums(fold.train_of(rows)))
    xx = runs.pair_sums(fold.held_out)
    return rest._replace(xx=np.subtract(total.xx, xx, out=xx))


def _run(task, matrix, parts, settings, place):
    """Run a task on each block of targets, and put the results together.

    Large arrays are arguments of their own: so a cluster gets each of them once.
    """
    limits = settings.tol, settings.max_iter, settings.patience
    results = Parallel(n_jobs=place.n_jobs, prefer="threads")(
        delayed(task)(matrix, *limits, *part) for part in parts
    )
    return [
        sparse.vstack(r, "csr") if sparse.issparse(r[0]) else np.concatenate(r)
        for r in zip(*results, strict=True)
    ]


@threadpool_limits.wrap(limits=1, user_api="blas")
def _solve(matrix, tol, max_iter, patience, lams, problem, start):
    """Solve the paths of a block of targets, on all runs."""
    if start is not None:
        start = start.toarray()
    coefs, gaps, n_iter = _descend(matrix, lams, problem, start, tol, max_iter)
    weights = problem.weights(coefs)
    return sparse.csr_array(weights.reshape(-1, weights.shape[2])), gaps, n_iter


@threadpool_limits.wrap(limits=1, user_api="blas")
def _walk(matrix, tol, max_iter, patience, lams, problem, X, Y, weight, means):
    """Walk down the paths of a block of targets, judged by held-out runs."""
    x_mean, y_mean = means

    def advance(active, lams, start):
        part = problem.of(active, problem.cov.dtype)
        coefs, gaps, _ = _descend(matrix, lams, part, start, tol, max_iter)
        weights = part.weights(coefs)
        intercepts = y_mean[active, None] - weights @ x_mean
        errors = matrix.errors(X, Y[:, active], weight, weights, intercepts)
        return coefs, gaps, errors

    return walk_down(advance, lams, patience, tol)


def _descend(matrix, lams, problem, start, tol, max_iter):
    cov, y_var, factors, _ = problem
    start = np.zeros(cov.shape, cov.dtype) if start is None else start
    lams = np.minimum(lams, np.finfo(cov.dtype).max).astype(cov.dtype)
    return matrix.solve(cov, y_var, lams, factors, start, tol, max_iter)
