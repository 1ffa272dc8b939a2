"""Runs of a small network on digits, trained many at a time, for several benchmarks."""

import numpy as np
from training import make_mlp

from skdatamodels import SubsetTrainer, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training import TorchLearner

_BLOCK = 1000


def load_torch_runs(n_runs, store, *, n_held_out=500, output="margin"):
    """Train or read runs at α = ½, and two runs on each of some held-out subsets.

    Returns
    -------
    runs : TrainingRuns
        Runs to fit on.
    held_out : PackedMasks of shape (n_held_out, n_train)
        The held-out subsets.
    repeats : array of shape (2, n_held_out, n_targets)
        Outputs of the two runs on each held-out subset.
    trainer : SubsetTrainer
        The trainer of these runs.
    """
    train, targets = load_digits_examples()
    learner = TorchLearner(make_mlp, epochs=15)
    trainer = SubsetTrainer(
        learner, train, targets, output=output, store=store, random_state=0
    )
    held_out = sample_masks(n_held_out, len(train), 0.5, random_state=1)
    twice = trainer.fit_transform(np.concatenate([held_out.dense()] * 2))
    for stop in range(_BLOCK, n_runs, _BLOCK):  # let other processes use the store
        trainer.transform(np.arange(stop))
    runs = trainer.transform(np.arange(n_runs))
    repeats = twice.outputs.reshape(2, n_held_out, -1)
    return runs, held_out, repeats, trainer
