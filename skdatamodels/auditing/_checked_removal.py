"""Removal of the worst for half of the judged rows, checked on the other half.

One half chooses the order of rows, and how many to remove. The other has no say in
either, so that its scores are honest.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skdatamodels._tables import import_pandas
from skdatamodels.applications import RemovalCheck, removal_check
from skdatamodels.applications._removal_check import removal_scores
from skdatamodels.auditing._effect_check import NORMAL

N_TRIALS = 3
N_BASES = 10  # subsets to remove from, if training rows judge


class CheckedRemoval(NamedTuple):
    """Scores without the worst rows, and the number of rows that looks best.

    Attributes
    ----------
    check : RemovalCheck
        Scores on the half that judges.
    size : int
        Smallest number of rows to remove whose score on the other half is within one
        standard error of the best.
    order : int array of shape (n_columns,)
        The columns, the worst first.
    """

    check: RemovalCheck
    size: int
    order: np.ndarray

    def message(self, noun, names=None):
        """Return what the removal of the first `size` does, in words.

        Parameters
        ----------
        noun : {"rows", "groups"}
            What was removed.
        names : array of shape (n_columns,), default=None
            Names of the columns, to name those that were removed.
        """
        frame, n = removal_frame(self.check), len(self.check.targets)
        score, metric = frame.columns[2], _words(frame.columns[2])
        first, random = np.flatnonzero(frame["size"] == self.size)
        change, error = frame["change"][first], frame["change_error"][first]
        gain = change * (1 if self.check.higher_is_better else -1)
        before, after, by_chance = map(_short, frame[score][[0, first, random]])
        sign = "+" if change >= 0 else ""
        change = f"{sign}{_short(change, 2)}, standard error {_short(error, 2)}"
        several = self.size > 1
        worst = f"worst {self.size:,} {noun}" if several else f"worst {noun[:-1]}"
        if names is not None:
            worst += f" ({', '.join(map(str, names[self.order[: self.size]]))})"
        start = f"Without the {worst}, {metric} on {n:,} judged rows"
        if gain > NORMAL * error:
            what = f"goes from {before} to {after} ({change})"
        else:
            how = "not clearly" if gain > 0 else "no"
            what = f"is {how} better than before: {after} ({change})"
        random = "as many random ones" if several else "a random one"
        return (
            f"{start} {what}; without {random}, it is {by_chance}. "
            f"Which {noun}, and how many, was chosen on other rows than these."
            + self._margin(first, noun, gain)
        )

    def _margin(self, first, noun, gain):
        """Return what the mean margin says, if it is not what the accuracy says."""
        now, then = self.check.output[[0, first]]
        is_accuracy = self.check.metric == "accuracy"
        if not is_accuracy or (then > now) == (gain > 0):
            return ""
        how = "rises" if then > now else "falls"
        return (
            f" The mean margin, by which {noun} are ranked, {how} from {now:.3g} to "
            f"{then:.3g}."
        )


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
    return CheckedRemoval(check, _choose_size(on_chooser), order)


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
        tiny = np.finfo(float).tiny
        error = error / np.maximum(2 * score, tiny)  # to first order
        # a difference of roots is that of the squares over the sum of the roots
        change_error = change_error / np.maximum(score + score[0], tiny)
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


def _words(name):
    return name.replace("_", " ")


def _short(number, digits=3):
    """Return a number with three digits, and large ones without an exponent."""
    return f"{number:,.0f}" if 1000 <= abs(number) < 1e9 else f"{number:.{digits}g}"
