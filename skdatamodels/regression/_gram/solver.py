"""The gram solver: after one reading of the runs, all happens on their moments."""

from functools import partial
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.masks import PackedMasks
from skdatamodels.masks._packed import row_blocks
from skdatamodels.regression._fits import assemble, computing_dtype
from skdatamodels.regression._gram.coordinate_descent import solve, tile
from skdatamodels.regression._gram.moments import moments, pair_sums
from skdatamodels.regression._prior import STRENGTHS, inform
from skdatamodels.regression._selection import (
    Choice,
    choose_lam,
    choose_strength,
    lam_grid,
    squared_errors,
    walk_down,
)

# Targets of one task. It does not depend on the number of threads: products of other
# shapes round otherwise. A GPU needs more to be busy.
_BLOCK, _CUDA_BLOCK = 64, 1024


class Runs(NamedTuple):
    """The runs to fit, and where sums of them are taken from."""

    X: np.ndarray  # (n_runs, d), or PackedMasks
    Y: np.ndarray  # (n_runs, all targets)
    targets: np.ndarray
    x_shift: np.ndarray  # (d,), or 0 for masks
    y_shift: np.ndarray  # (n_targets,)
    ops: object  # CudaOps, or None for the CPU

    @classmethod
    def of(cls, X, Y, rows, targets, ops):
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
        return cls(X, Y, targets, x_shift, y_sum / len(rows), ops)

    @property
    def dtype(self):
        """That of the computation: float64 if the outputs are, on the CPU."""
        return computing_dtype(self.Y.dtype, self.ops)

    def moments(self, rows, n_jobs):
        """Return the moments of some of them, but for `xx`."""
        X, Y, targets, *shifts, ops = self
        if ops and isinstance(X, PackedMasks):
            from skdatamodels.regression._cuda import streams

            return streams.moments(X, Y, np.sort(rows), targets, shifts[1], ops)
        return moments(X, Y, np.sort(rows), targets, *shifts, n_jobs)

    def pair_sums(self, rows, n_jobs):
        """Return `xx` of some of them."""
        if self.ops and isinstance(self.X, PackedMasks):
            from skdatamodels.regression._cuda import streams

            return streams.pair_sums(self.X, np.sort(rows), self.ops)
        return pair_sums(self.X, np.sort(rows), self.x_shift, n_jobs)

    def matrix(self, data):
        """Make a Gram matrix of moments, ready to solve on; they are used up."""
        gram = data.into_gram(self.dtype)
        if self.ops is None:
            return solve, squared_errors, *tile(gram)
        from skdatamodels.regression._cuda.lasso_path import put_gram, solve_on_device
        from skdatamodels.regression._cuda.streams import squared_errors_on_device

        d = self.X.shape[1]
        gram, context = put_gram(self.ops, gram[:d, :d])
        judge = squared_errors
        if isinstance(self.X, PackedMasks):
            judge = partial(squared_errors_on_device, ops=self.ops)
        return solve_on_device, judge, gram, context

    def blocks(self):
        """Yield slices of the targets, one for each task."""
        step = _CUDA_BLOCK if self.ops else _BLOCK
        for start in range(0, len(self.targets), step):
            yield slice(start, start + step)

    def means(self, data):
        """Return the means of columns and outputs, without the shift."""
        return self.x_shift + data.x_mean, self.y_shift + data.y_mean

    def held_out(self, rows):
        """Return columns and outputs of runs that judge; small masks are unpacked."""
        X, Y = self.X[rows], self.Y[rows][:, self.targets]
        if not isinstance(X, PackedMasks):
            return X.astype(self.dtype), Y
        if self.ops:
            return X, Y
        small = len(list(row_blocks(len(X), X.shape[1] * self.dtype.itemsize))) == 1
        return X.dense(dtype=self.dtype) if small else X, Y


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
        What computes on a GPU, if not the CPU shall.

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
    runs = Runs.of(X, Y, rows, targets, ops)
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
        for b in runs.blocks()
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
    for fold in group.folds:
        rest = total.without(runs.moments(fold, n_jobs))
        if total.xx is None:
            xx = runs.pair_sums(np.setdiff1d(group.rows, fold), n_jobs)
        else:
            xx = runs.pair_sums(fold, n_jobs)
            np.subtract(total.xx, xx, out=xx)
        rest = rest._replace(xx=xx)
        informed = inform(rest, prior, strengths)
        x_mean, y_mean = runs.means(rest)
        X, Y = runs.held_out(fold)
        matrix, best = runs.matrix(rest), []
        del rest, xx
        for s, problem in enumerate(informed):
            parts = (
                (lams[s, b], problem.of(b, runs.dtype), X, Y[:, b], (x_mean, y_mean[b]))
                for b in runs.blocks()
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

    Large arrays are arguments of their own: so a cluster gets each of them once.
    """
    limits = settings.tol, settings.max_iter, settings.patience
    results = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(task)(*matrix, *limits, *part) for part in parts
    )
    return [
        sparse.vstack(r, "csr") if sparse.issparse(r[0]) else np.concatenate(r)
        for r in zip(*results, strict=True)
    ]


@threadpool_limits.wrap(limits=1, user_api="blas")
def _solve(solve, judge, gram, context, tol, max_iter, patience, lams, problem, start):
    """Solve the paths of a block of targets, on all runs."""
    if start is not None:
        start = start.toarray()
    limits = tol, max_iter
    paths = _descend(solve, gram, context, limits, lams, problem, start)
    weights = problem.weights(paths.coefs)
    weights = sparse.csr_array(weights.reshape(-1, weights.shape[2]))
    return weights, paths.gaps, paths.n_iter


@threadpool_limits.wrap(limits=1, user_api="blas")
def _walk(
    solve,
    judge,
    gram,
    context,
    tol,
    max_iter,
    patience,
    lams,
    problem,
    X,
    Y,
    means,
):
    """Walk down the paths of a block of targets, judged by held-out runs."""
    x_mean, y_mean = means

    def advance(active, lams, start):
        part = problem.of(active, problem.cov.dtype)
        paths = _descend(solve, gram, context, (tol, max_iter), lams, part, start)
        weights = part.weights(paths.coefs)
        intercepts = y_mean[active, None] - weights @ x_mean
        return paths.coefs, paths.gaps, judge(X, Y[:, active], weights, intercepts)

    return walk_down(advance, lams, patience, tol)


def _descend(solve, gram, context, limits, lams, problem, start):
    dtype = problem.cov.dtype
    if start is None:
        start = np.zeros(problem.cov.shape, dtype)
    cov, y_var, factors, _ = problem
    lams = np.minimum(lams, np.finfo(dtype).max).astype(dtype)
    return solve(gram, context, cov, y_var, lams, factors, start, *limits)
