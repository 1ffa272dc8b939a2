"""Choosing the penalty: LASSO or ridge, by the error on held-out runs."""

from numbers import Integral

import numpy as np

from skdatamodels.regression._algebra import algebra_of
from skdatamodels.regression._fits import computing_dtype
from skdatamodels.regression._held_out_r2 import at_last
from skdatamodels.regression._large_ridge import LARGE
from skdatamodels.regression._ridge import fit_groups

# Targets that choose for all.
_N_JUDGES = 20
# With more training examples for each run than this, so few runs would not tell.
_FEW_RUNS = 20


def choose_penalty(problem, settings, solve_lasso):
    """Return "l1" or "l2", whichever predicts held-out runs better with this prior.

    With very few runs it is "l2". Else a few targets are fitted on the runs of each
    fold by both. The LASSO gets its error at the lam that is best for all of them, in
    shares of each one's largest: the best of each would flatter it. It must be better
    by two standard errors over targets.

    Parameters
    ----------
    problem : Problem
        What to fit; its lam is None.
    settings : Settings
        How to fit.
    solve_lasso : callable
        A solver of the LASSO.

    Returns
    -------
    penalty : {"l1", "l2"}
    """
    n_bytes, available = _ridge_memory(problem, settings.ops)
    if n_bytes > available or _too_large(problem):
        return "l1"
    n_runs = max(len(group.rows) for group in problem.groups)
    if problem.X.shape[1] > _FEW_RUNS * n_runs:
        return "l2"
    targets = np.sort(np.concatenate([group.targets for group in problem.groups]))
    n = min(_N_JUDGES, len(targets))
    judges = targets[np.linspace(0, len(targets) - 1, n).astype(int)]
    groups = [
        group._replace(targets=own)
        for group in problem.groups
        if len(own := np.intersect1d(group.targets, judges))
    ]
    problem = problem._replace(groups=groups)
    settings = settings._replace(keep_path=False, one_standard_error=False)
    fits, targets_of = solve_lasso(problem, settings)
    order = np.argsort(np.concatenate(targets_of))
    lasso = _at_common_lam(np.concatenate([fit.error for fit in fits])[order])
    ridge = _ridge_errors(problem, settings, judges)
    gain = (ridge - lasso) / np.where(ridge + lasso > 0, ridge + lasso, 1)
    doubt = gain.std(ddof=1) / np.sqrt(n) if n > 1 else 0.0
    return "l1" if gain.mean() > 2 * doubt else "l2"


def _at_common_lam(errors):
    """Return the errors (n_targets,) at the place on the path that is best for all.

    A path that has ended early, where errors (n_targets, n_lams) are NaN, stays there.
    """
    errors = at_last(errors)
    start = np.where(errors[:, :1] > 0, errors[:, :1], 1)
    return errors[:, (errors / start).mean(axis=0).argmin()]


def _ridge_errors(problem, settings, judges):
    """Return the mean squared errors of the ridge on the held-out runs of all folds."""
    from skdatamodels.regression._selection import squared_errors  # compiles

    X, Y, weight = problem[:3]
    weight = np.ones(len(Y)) if weight is None else weight
    squares, total = np.zeros((2, Y.shape[1]))
    for f in range(max(len(group.folds) for group in problem.groups)):
        folds = [
            (group, group.folds[f])
            for group in problem.groups
            if len(group.folds[f].held_out)
        ]
        train = [
            group._replace(rows=fold.train_of(group.rows)) for group, fold in folds
        ]
        if not train:
            continue
        fits, targets_of = fit_groups(problem._replace(groups=train), settings)
        fit_of = {
            target: (fit, j)
            for fit, targets in zip(fits, targets_of, strict=True)
            for j, target in enumerate(targets.tolist())
        }
        for group, fold in folds:
            rows, own = fold.held_out, group.targets
            found = [fit_of[target] for target in own.tolist()]
            coefs = np.stack([fit.coef[[j]].toarray() for fit, j in found])
            intercepts = np.array([[fit.intercept[j]] for fit, j in found])
            y = Y[rows][:, own]
            sums = squared_errors(X[rows], y, weight[rows], coefs, intercepts)
            squares[own] += sums[:, 0, 0]
            total[own] += weight[rows].sum()
    return squares[judges] / total[judges]


def check_parameters_of_ridge(regressor):
    """Raise if parameters of a DatamodelRegressor are for the LASSO only."""
    of_lasso = {
        "keep_path": regressor.keep_path,
        "one_standard_error": regressor.one_standard_error,
        "solver": regressor.solver != "auto",
        "cv": not isinstance(regressor.cv, Integral | None),
    }
    given = [name for name, used in of_lasso.items() if used]
    if given:
        raise ValueError(
            f"penalty='l2' does not use {', '.join(given)}, which "
            f"{'are' if len(given) > 1 else 'is'} for the LASSO. Leave it at the "
            "default, or set penalty='l1'."
        )


def check_ridge_fits(problem, ops):
    """Raise an error if the ridge does not suit large systems, or the memory."""
    if _too_large(problem):
        raise ValueError(
            f"With more than {LARGE:,} runs and as many training examples, penalty='l2'"
            " needs independent runs of equal weight: no groups, and no pairs that "
            "share a training seed. Use penalty='l1'."
        )
    n_bytes, available = _ridge_memory(problem, ops)
    if n_bytes > available:
        raise MemoryError(
            f"penalty='l2' needs {n_bytes / 1e9:.1f} GB for its columns and systems, "
            f"but only {available / 1e9:.1f} GB are available. Use penalty='l1', or "
            "fit fewer runs."
        )


def _too_large(problem):
    """Return whether runs of a large system are not independent, of equal weight."""
    m = max(len(group.rows) for group in problem.groups)
    weight, unit = problem.sample_weight, problem.unit
    unequal = weight is not None and (weight != weight[0]).any()
    together = unit is not None and len(np.unique(unit)) < len(unit)
    return min(m, problem.X.shape[1]) > LARGE and (unequal or together)


def _ridge_memory(problem, ops):
    """Return the bytes for dense columns and some systems, and those available."""
    m = max(len(group.rows) for group in problem.groups)
    d, itemsize = problem.X.shape[1], computing_dtype(problem.Y.dtype, ops).itemsize
    systems = 0 if min(m, d) > LARGE else 8 * 6 * min(m, d) ** 2
    # with V, and on a GPU with its halves and what making them takes
    n_copies = 2 if ops is None else 5
    return n_copies * m * d * itemsize + systems, algebra_of(ops).free_memory()
