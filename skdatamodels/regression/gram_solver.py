"""The gram solver: after one reading of the runs, all happens on their moments."""

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from threadpoolctl import threadpool_limits

from skdatamodels.masks import PackedMasks
from skdatamodels.masks.packed import row_blocks
from skdatamodels.regression._coordinate_descent import solve, tile
from skdatamodels.regression.fits import assemble, computing_dtype
from skdatamodels.regression.moments import moments, pair_sums
from skdatamodels.regression.prior import STRENGTHS, inform
from skdatamodels.regression.selection import (
    Choice,
    choose_lam,
    choose_strength,
    lam_grid,
    squared_errors,
    walk_down,
)

# Targets of one task. It does not depend on the number of threads: products of other
# shapes round otherwise.
_BLOCK = 64

# Runs whose mean is near that of all.
_MANY = 4096


class HostRuns:
    """The runs to fit, and sums of them.

    Parameters
    ----------
    X : PackedMasks or float array of shape (n_runs, d)
    Y : float array of shape (n_runs, all targets)
    rows : int array
        The runs that are used.
    targets : int array
    """

    def __init__(self, X, Y, rows, targets):
        self.X, self.Y, self.targets = X, Y, targets
        # Real columns and outputs are shifted by about their means, for sums that keep
        # their digits. A constant column becomes 0, which its mean, rounded, would not
        # make of it.
        self.x_shift = 0.0
        if not isinstance(X, PackedMasks):
            columns = X[rows]
            constant = (columns == columns[0]).all(axis=0)
            self.x_shift = np.where(constant, columns[0], columns.mean(axis=0))
        some = np.sort(rows[:: -(-len(rows) // _MANY)])
        self.y_shift = Y[some][:, targets].mean(axis=0, dtype=np.float64)

    @property
    def dtype(self):
        """That of the computation: float64 if the outputs are."""
        return computing_dtype(self.Y.dtype)

    def moments(self, rows, n_jobs):
        """Return the moments of some of them, but for `xx`."""
        shifts = self.x_shift, self.y_shift
        return moments(self.X, self.Y, np.sort(rows), self.targets, *shifts, n_jobs)

    def pair_sums(self, rows, n_jobs):
        """Return `xx` of some of them."""
        return pair_sums(self.X, np.sort(rows), self.x_shift, n_jobs)

    def matrix(self, data):
        """Make a Gram matrix of moments, ready to solve on; they are used up."""
        return HostMatrix(data.into_gram(self.dtype))

    def blocks(self, n_lams):
        """Yield slices of the targets, one for each task, which solves so many lams."""
        for start in range(0, len(self.targets), _BLOCK):
            yield slice(start, start + _BLOCK)

    def means(self, data):
        """Return the means of columns and outputs, without the shift."""
        return self.x_shift + data.x_mean, self.y_shift + data.y_mean

    def held_out(self, rows):
        """Return columns and outputs of runs that judge; small masks are unpacked."""
        X, Y = self.X[rows], self.Y[rows][:, self.targets]
        if not isinstance(X, PackedMasks):
            return X.astype(self.dtype), Y
        small = len(list(row_blocks(len(X), X.shape[1] * self.dtype.itemsize))) == 1
        return X.dense(dtype=self.dtype) if small else X, Y


class HostMatrix:
    """A Gram matrix, ready to solve on."""

    def __init__(self, gram):
        self.tiles, self.diagonal = tile(gram)

    def __sizeof__(self):  # asked by dask, which sends small objects with every task
        return object.__sizeof__(self) + self.tiles.nbytes

    def place(self, problem):
        """Put an `InformedProblem` where it is solved."""
        return problem

    def solve(self, problem, lams, start, tol, max_iter):
        """Solve paths.

        Parameters
        ----------
        problem : InformedProblem, placed
        lams : array of shape (n_targets, n_lams)
        start : array of shape (n_targets, d)
        tol, max_iter
            See :func:`skdatamodels.regression.lasso_path`.

        Returns
        -------
        coefs : array of shape (n_targets, n_lams, d)
        gaps, n_iter : array of shape (n_targets, n_lams)
        """
        cov, y_var, factors, _ = problem
        data = self.tiles, self.diagonal, cov, y_var, lams, factors, start
        return solve(*data, tol, max_iter)

    @staticmethod
    def squared_errors(X, Y, weights, x_mean, y_mean):
        """Sum squared errors on held-out runs.

        Parameters
        ----------
        X, Y : held-out runs, see `HostRuns.held_out`
        weights : array of shape (n_targets, n_lams, d)
        x_mean, y_mean : array of shape (d,) and (n_targets,)
            The intercept is such that the mean masks have the mean outputs.

        Returns
        -------
        sums : float64 array of shape (n_targets, n_lams, 2)
        """
        return squared_errors(X, Y, weights, y_mean[:, None] - weights @ x_mean)

    csr = staticmethod(sparse.csr_array)


def runs_on(ops, *data):
    """Return runs on the CPU, or on the device of `ops`."""
    if ops is None:
        return HostRuns(*data)
    from skdatamodels.regression.cuda.gram import DeviceRuns

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
