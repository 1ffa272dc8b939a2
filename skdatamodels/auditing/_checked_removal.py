"""Removal of the worst for half of the judged rows, checked on the other half.

One half chooses the order of rows, and how many to remove. The other has no say in
either, so that its scores are honest.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skdatamodels.applications import RemovalCheck, removal_check
from skdatamodels.applications._removal_check import removal_scores

N_TRIALS = 3
N_BASES = 10  # subsets to remove from, if training rows judge
_CLEARLY = 1.96  # standard errors


class CheckedRemoval(NamedTuple):
    """Scores without the worst rows, and the number of rows that looks best.

    Attributes
    ----------
    check : RemovalCheck
        Scores on the half that judges.
    size : int
        Smallest number of rows to remove whose score on the other half is within one
        standard error of the best.
    """

    check: RemovalCheck
    size: int

    @property
    def message(self):
        """What the removal of `size` rows does, in words."""
        check, n = self.check, len(self.check.targets)
        first, random = np.flatnonzero(check.size == self.size)
        gain = check.change[first] * (1 if check.higher_is_better else -1)
        before, after, by_chance = check.score[[0, first, random]]
        metric = check.metric.replace("_", " ")
        change = f"{check.change[first]:+.2g}, standard error "
        change += f"{check.change_error[first]:.2g}"
        start = f"Without the worst {self.size:,} rows, {metric} on {n:,} judged rows"
        if gain > _CLEARLY * check.change_error[first]:
            what = f"goes from {before:.3g} to {after:.3g} ({change})"
        else:
            how = "not clearly" if gain > 0 else "no"
            what = f"is {how} better than before: {after:.3g} ({change})"
        message = (
            f"{start} {what}; without as many random ones, it is {by_chance:.3g}. "
            "Which rows, and how many, was chosen on other rows than these."
        )
        margin = check.output[first] - check.output[0]
        if metric == "accuracy" and (margin > 0) != (gain > 0):
            how = "rises" if margin > 0 else "falls"
            message += (
                f" The mean margin, by which rows are ranked, {how} from "
                f"{check.output[0]:.3g} to {check.output[first]:.3g}."
            )
        return message


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
    return CheckedRemoval(check, _choose_size(on_chooser))


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
