"""Removal of the worst for half of the judged rows, checked on the other half."""

import numpy as np

from skdatamodels._tables import format_column, import_pandas
from skdatamodels.applications import removal_check
from skdatamodels.auditing._effect_check import NORMAL

N_TRIALS = 3
_SCORES = "accuracy", "root_mean_squared_error", "mean_margin"
N_BASES = 10  # subsets to remove from, if training rows judge


def removal_by_halves(trainer, judged, sizes, seed, bases=None, exclude=None):
    """Retrain without the columns that are worst for half of the judged rows.

    Parameters
    ----------
    trainer : SubsetTrainer
        Trainer whose masks have the columns of the weights.
    judged : Judged
        Judged rows.
    sizes : sequence of int
        Numbers of columns to remove.
    seed : int
    bases, exclude
        See :func:`~skdatamodels.applications.removal_check`. Needed if judged rows are
        training rows.

    Returns
    -------
    check : RemovalCheck
        Scores on the other half.
    order : int array of shape (n_columns,)
        The columns, the first removed first.
    """
    rng = np.random.default_rng([seed, 2])
    shuffled = rng.permutation(np.flatnonzero(judged.judges))
    half = len(shuffled) // 2
    order = np.argsort(judged.mean_benefit(shuffled[:half]), kind="stable")
    check = removal_check(
        trainer,
        order,
        sizes,
        targets=judged.targets[np.sort(shuffled[half:])],
        n_trials=N_TRIALS,
        bases=bases,
        exclude=exclude,
        random_state=seed,
    )
    return check, order


def removal_frame(check):
    """Return a check as people read it, a pandas.DataFrame.

    Its columns are `removed` ("none", "worst" or "random"), `size`, the score under
    its name, and its `change`, with the standard errors `error` and `change_error`. The
    score of values is the root mean squared error, in their unit; that of classes is
    the accuracy, with the finer `mean_margin` beside it.
    """
    metric, score, error = check.metric, check.score, check.error
    change, change_error = check.change, check.change_error
    if metric == "mean_squared_error":
        metric, score = "root_mean_squared_error", np.sqrt(score)
        # errors of a root, to first order
        twice = 2 * np.maximum(score, np.finfo(float).tiny)
        error, change_error = error / twice, change_error / twice
        change = score - score[0]
    columns = {
        "removed": np.where(check.removed == "first", "worst", check.removed),
        "size": check.size,
        metric: score,
        "error": error,
        "change": change,
        "change_error": change_error,
    }
    if metric == "accuracy":
        columns["mean_margin"] = check.output
    return import_pandas().DataFrame(columns)


def removal_in_words(check, noun, names=None):
    """Return what a check found, at the size that helps most.

    Parameters
    ----------
    check : RemovalCheck
        The check.
    noun : {"rows", "groups"}
        What was removed.
    names : callable, default=None
        Returns the names of as many as were removed first.
    """
    frame = removal_frame(check)
    scores = [name for name in frame.columns[2:] if name in _SCORES]
    by = frame.set_index(["removed", "size"])
    sign = 1 if check.higher_is_better else -1
    size = (sign * by.loc["worst", scores[0]]).idxmax()
    at = [("none", 0), ("worst", size), ("random", size)]
    now, worst, random = by.loc[at, scores[0]]
    gain, error = sign * (worst - now), by.loc[("worst", size), "change_error"]
    verdict = ""
    if gain <= 0 or sign * (worst - random) <= 0:
        verdict = f" Removing them does not improve the {_words(scores[0])}."
    elif not gain > NORMAL * error:
        verdict = f" The {_words(scores[0])} may have changed by chance."
    n = f"{size:,} {noun}" if size > 1 else noun[:-1]
    named = f" ({', '.join(map(str, names(size)))})" if names else ""
    without = "without a random one" if size == 1 else "without random ones"
    changes = []
    for name in scores:
        now, worst, random = format_column(by.loc[at, name].tolist())
        changes.append(
            f"the {_words(name)} goes from {now} to {worst} ({without} {random})"
        )
    return f"Without the worst {n}{named}, {' and '.join(changes)}.{verdict}"


def _words(name):
    return name.replace("_", " ")
