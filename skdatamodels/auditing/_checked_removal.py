"""Removal of the worst for half of the judged rows, checked on the other half."""

import numpy as np

from skdatamodels.applications import removal_check

N_TRIALS = 3


def removal_by_halves(trainer, judged, sizes, seed):
    """Retrain without the columns that are worst for half of the judged rows.

    Parameters
    ----------
    trainer : SubsetTrainer
        Trainer whose masks have the columns of the weights.
    judged : Judged
        Judged rows that are not in the training set.
    sizes : sequence of int
        Numbers of columns to remove.
    seed : int

    Returns
    -------
    check : RemovalCheck
        Scores on the other half.
    """
    shuffled = np.random.default_rng([seed, 2]).permutation(len(judged.targets))
    half = len(shuffled) // 2
    order = np.argsort(judged.mean_benefit(shuffled[:half]), kind="stable")
    return removal_check(
        trainer,
        order,
        sizes,
        targets=judged.targets[np.sort(shuffled[half:])],
        n_trials=N_TRIALS,
        random_state=seed,
    )
