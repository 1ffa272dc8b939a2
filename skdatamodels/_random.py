"""Random numbers that depend only on ``random_state`` and the run.

Each run has its own seed sequence, ``SeedSequence(entropy, spawn_key=key)``. Its first
child draws the mask, and its second child is the training seed. Runs do not share
generators, so results do not depend on the order of runs or the number of workers.
"""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

_MASK, _TRAINING = 0, 1


def entropy_from(random_state):
    """Turn a scikit-learn ``random_state`` into a non-negative int."""
    if isinstance(random_state, Integral):
        if random_state < 0:
            raise ValueError(
                f"random_state must be a non-negative integer, got {random_state}."
            )
        return int(random_state)
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    return int(check_random_state(random_state).randint(2**31))


def mask_generator(entropy, run):
    """Return the generator that draws the mask of run `run`."""
    sequence = np.random.SeedSequence(entropy, spawn_key=(int(run), _MASK))
    return np.random.default_rng(sequence)


def training_seed(entropy, *key):
    """Return the training seed of the run with this key, an int below 2**32."""
    sequence = np.random.SeedSequence(entropy, spawn_key=(*map(int, key), _TRAINING))
    return int(sequence.generate_state(1)[0])


def unseeded(estimator):
    """Return the names of `random_state` parameters at any depth that are None."""
    return [
        name
        for name, value in sorted(estimator.get_params(deep=True).items())
        if name.split("__")[-1] == "random_state" and value is None
    ]


def set_seeds(estimator, names, seed):
    """Set parameters, such as those that `unseeded` returns, from the seed of a run."""
    if names:
        seeds = map(int, np.random.SeedSequence(seed).generate_state(len(names)))
        estimator.set_params(**dict(zip(names, seeds, strict=True)))
    return estimator
