"""Removal of the worst for half of the judged rows, checked on the other half.

One half chooses the order of rows, and how many to remove. The other has no say in
either, so that its scores are honest.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skdatamodels._tables import format_column, import_pandas
from skdatamodels.applications import RemovalCheck, removal_check
from skdatamodels.applications._removal_check import removal_scores
from skdatamodels.auditing._effect_check import NORMAL

N_TRIALS = 3
N_BASES = 10  # subsets to remove from, if training rows judge


class CheckedRemoval(NamedTuple):
    """Scores without the worst rows or groups, and how many to remove.

    Attributes
    ----------
    check : RemovalCheck
        Scores on the half that judges.
    order : int array of shape (n_columns,)
        The rows or groups, the first removed first.
    size : int
        Smallest number to remove whose score on the other half is within one standard
        error of the best.
    """

    check: RemovalCheck
    order: np.ndarray
    size: int


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
    removal : CheckedRemoval
    """
    rng = np.random.default_rng([seed, 2])
    shuffled = rng.permutation(np.flatnonzero(judged.judges))
    half = len(shuffled) // 2
    order = np.argsort(judged.mean_benefit(shuffled[:half]), kind="stable")
    everything = removal_check(
        trainer,
        order,
        sizes,
        targets=judged.targets[shuffled],
        n_trials=N_TRIALS,
        bases=bases,
        exclude=exclude,
        random_state=seed,
    )
    chooses = np.arange(half)
    judges = half + np.argsort(shuffled[half:])
    on_chooser, check = (
        _judged_by(everything, part, trainer) for part in (chooses, judges)
    )
    return CheckedRemoval(check, order, _choose_size(on_chooser))


def _choose_size(check):
    """Return the smallest size whose score is within an error of the best.

    The score of the half that chose the rows is too good, the more so the more rows are
    removed.
    """
    first = np.flatnonzero(check.removed == "first")
    gain = check.change[first] * (1 if check.higher_is_better else -1)
    enough = gain >= gain.max() - check.change_error[first[gain.argmax()]]
    return int(check.size[first[enough.argmax()]])


def _judged_by(check, part, trainer):
    """Return the scores on a part of the targets, an int array of positions."""
    targets, outputs = check.targets[part], check.outputs[:, :, part]
    y = trainer.targets.y[targets]
    scores = removal_scores(outputs, trainer.output_info, y)
    return replace(check, targets=targets, outputs=outputs, **scores)


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
        # a - b is (a² - b²) / (a + b), and so is its error, to first order
        total = np.maximum(score + score[0], np.finfo(float).tiny)
        change, change_error = score - score[0], change_error / total
        error = error / (2 * np.maximum(score, np.finfo(float).tiny))
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


def removal_in_words(check, size, noun="rows", names=None):
    """Return what the removal of the first `size` does, in words.

    Parameters
    ----------
    check : RemovalCheck
        The check.
    size : int
        One of its sizes, chosen on other rows than those that judge.
    noun : {"rows", "groups"}
        What was removed.
    names : list, default=None
        Names of what was removed.
    """
    frame, n = removal_frame(check), len(check.targets)
    by = frame.set_index(["removed", "size"])
    metric = frame.columns[2]
    at = [("none", 0), ("worst", size), ("random", size)]
    before, after, by_chance = format_column(by.loc[at, metric].tolist())
    change, error = by.loc[("worst", size), ["change", "change_error"]]
    gain = change if check.higher_is_better else -change
    told = f"({_short(change, '+')}, standard error {_short(error)})"
    what = noun if size > 1 else noun[:-1]
    named = f" ({', '.join(map(str, names))})" if names else ""
    name = metric.replace("_", " ")
    start = f"Without the worst {size:,} {what}{named}, {name} on {n:,} judged rows"
    if gain > NORMAL * error:
        says = f"goes from {before} to {after} {told}"
    else:
        how = "not clearly" if gain > 0 else "no"
        says = f"is {how} better than before: {after} {told}"
    chance = "a random one" if size == 1 else "as many random ones"
    message = (
        f"{start} {says}; without {chance}, it is {by_chance}. "
        f"The {noun} and their number were chosen on other rows than these."
    )
    if "mean_margin" in by:
        margins = by.loc[at[:2], "mean_margin"]
        if (margins.iloc[1] > margins.iloc[0]) != (gain > 0):
            how = "rises" if margins.iloc[1] > margins.iloc[0] else "falls"
            one, other = format_column(margins.tolist())
            message += (
                f" The mean margin, by which {noun} are ranked, {how} from {one} to "
                f"{other}."
            )
    return message


def _short(number, sign=""):
    """Return a number with two digits, and a large one without an exponent."""
    kind = ",.0f" if 100 <= abs(number) < 1e9 else ".2g"
    return format(number, sign + kind)
