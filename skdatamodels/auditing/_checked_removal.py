"""Removal of the worst for half of the judged rows, checked on the other half."""

import numpy as np

from skdatamodels.applications import removal_check

N_TRIALS = 3
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
    """
    rng = np.random.default_rng([seed, 2])
    shuffled = rng.permutation(np.flatnonzero(judged.judges))
    half = len(shuffled) // 2
    order = np.argsort(judged.mean_benefit(shuffled[:half]), kind="stable")
    return removal_check(
        trainer,
        order,
        sizes,
        targets=judged.targets[np.sort(shuffled[half:])],
        n_trials=N_TRIALS,
        bases=bases,
        exclude=exclude,
        random_state=seed,
    )
