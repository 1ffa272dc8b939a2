"""Runs of a small network on digits, trained many at a time: shared by benchmarks."""

import numpy as np
from training import make_mlp

from skdatamodels import SubsetTrainer, sample_masks
from skdatamodels.datasets import load_digits_examples
from skdatamodels.training import TorchLearner

_BLOCK = 1000


def load_torch_runs(n_runs, store, *, n_held_out=500, output="margin"):
    """Train, or read, runs at α = ½, and held-out subsets that are trained twice.

    Returns
    -------
    runs : TrainingRuns
    held_out : PackedMasks of shape (n_held_out, n_train)
    repeats : array of shape (2, n_held_out, n_targets)
    trainer : SubsetTrainer
    """
    train, targets = load_digits_examples()
    learner = TorchLearner(make_mlp, epochs=15)
    trainer = SubsetTrainer(
        learner, train, targets, output=output, store=store, random_state=0
    )
    held_out = sample_masks(n_held_out, len(train), 0.5, random_state=1)
    twice = trainer.fit_transform(np.concatenate([held_out.dense()] * 2))
    for stop in range(_BLOCK, n_runs, _BLOCK):  # so that others get at the store
        trainer.transform(np.arange(stop))
    runs = trainer.transform(np.arange(n_runs))
    repeats = twice.outputs.reshape(2, n_held_out, -1)
    return runs, held_out, repeats, trainer
