"""The LDS of runs that are all fitted and all scored, and its standard error."""

import numpy as np
from sklearn.base import clone

from skdatamodels.metrics._lds import paired_ranks, weighted_correlation

N_FOLDS = 5
_N_GROUPS = 40  # of runs that the jackknife leaves out in turn


def cross_validated_lds(runs, regressor, units, pairs, n_seen, rng):
    """Score each fold of the runs by a fit on the other folds.

    The standard error has two parts. One is that of the jackknife: the score is
    computed again without each of up to 40 groups of runs. Its fits stay the same,
    which makes no difference in large samples if they are stable (Bayle, Bayle, Janson,
    Mackey, "Cross-validation confidence intervals for test error", NeurIPS 2020). A
    LASSO of a hundred runs is not stable. So the other part is for the variation of
    the fits: the variance between folds, times the runs of a fold by those of its fit
    (Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52,
    2003).

    Parameters
    ----------
    runs : TrainingRuns
        The runs.
    regressor : estimator
        Its clones are fitted.
    units : int array of shape (n_runs,)
        Runs that are not divided between folds have equal numbers from 0 on.
    pairs : int array of shape (n_runs,)
        Runs of equal number are left out together by the jackknife.
    n_seen : int
        Number of first runs that are fitted but not scored.
    rng : Generator
        Draws the folds and the groups.

    Returns
    -------
    scores : float64 array of shape (n_targets,)
        Mean score of each target over the folds; NaN if its outputs do not vary.
    error : float
        Standard error of the mean of `scores`, given the targets; NaN without a score,
        or if there is none without some group.
    freedom : float
        Degrees of freedom of `error`, by the formula of Welch and Satterthwaite.
    """
    n_units = units[-1] + 1
    n_folds = min(N_FOLDS, n_units)
    fold = (rng.permutation(n_units) % n_folds)[units]
    Y = np.asarray(runs.outputs)
    predicted = np.zeros(Y.shape)
    for k in range(n_folds):
        rest, rows = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        answer = clone(regressor).fit(runs[rest]).predict(runs[rows])
        predicted[rows] = np.nan_to_num(answer.reshape(len(rows), -1))
    scored = np.arange(len(runs)) >= n_seen
    group = _spread_over_groups(fold, pairs, scored, rng)
    kept = np.vstack([group >= 0, group != np.arange(group.max() + 1)[:, None]])
    scores, of_folds = _mean_scores(Y, predicted, fold, kept & scored)
    n_groups = len(scores) - 1
    known = of_folds[~np.isnan(of_folds).all(axis=1)]
    if np.isnan(scores).all(axis=1).any() or len(known) < 2:
        return scores[0], np.nan, n_groups - 1
    of_groups = (n_groups - 1) * np.var(np.nanmean(scores[1:], axis=1))
    of_fits = np.var(np.nanmean(known, axis=1), ddof=1) / (n_folds - 1)
    total = of_groups + of_fits
    parts = of_groups**2 / (n_groups - 1) + of_fits**2 / (len(known) - 1)
    freedom = total**2 / parts if parts else n_groups - 1
    return scores[0], float(np.sqrt(total)), float(freedom)


def _mean_scores(Y, predicted, fold, kept):
    """Return the mean scores over folds of several selections of the runs.

    Runs are ranked once, as in `bootstrap_scores`.

    Parameters
    ----------
    Y, predicted : array of shape (n_runs, n_targets)
    fold : int array of shape (n_runs,)
    kept : bool array of shape (n_selections, n_runs)

    Returns
    -------
    scores : float64 array of shape (n_selections, n_targets)
    of_folds : float64 array of shape (n_folds, n_targets)
        Scores of the first selection; NaN if outputs do not vary.
    """
    total, n_scored, of_folds = 0.0, 0, []
    for k in range(fold.max() + 1):
        rows = np.flatnonzero(kept[0] & (fold == k))
        chosen = kept[:, rows].astype(np.float64)
        n_runs = np.maximum(1, chosen @ ~np.isnan(Y[rows]))
        ranks = paired_ranks(Y[rows], predicted[rows])
        score = weighted_correlation(chosen, *ranks, n_runs)
        total = total + np.nan_to_num(score)
        n_scored = n_scored + ~np.isnan(score)
        of_folds.append(score[0])
    unknown = np.full(total.shape, np.nan)
    scores = np.divide(total, n_scored, out=unknown, where=n_scored > 0)
    return scores, np.array(of_folds)


def _spread_over_groups(fold, pairs, scored, rng):
    """Return the group of each run: the pairs of a fold are in different groups."""
    first, pair = np.unique(pairs, return_index=True, return_inverse=True)[1:]
    order = np.lexsort((rng.random(len(first)), fold[first], ~scored[first]))
    group = np.empty(len(first), int)
    n_scored = scored[first].sum()
    group[order] = np.arange(len(first)) % min(_N_GROUPS, n_scored // 2)
    return group[pair]
