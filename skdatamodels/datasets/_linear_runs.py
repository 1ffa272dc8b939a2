"""Generated runs whose outputs are linear in the masks, with known weights."""

import numpy as np

from skdatamodels._random import entropy_from
from skdatamodels.masks import sample_masks
from skdatamodels.runs import TrainingRuns


def make_linear_runs(
    n_runs=200,
    n_train=50,
    n_targets=3,
    *,
    alpha=0.5,
    n_informative=5,
    noise=0.1,
    random_state=0,
):
    """Generate runs from sparse linear datamodels.

    Parameters
    ----------
    n_runs : int, default=200
        Number of runs.
    n_train : int, default=50
        Number of training examples.
    n_targets : int, default=3
        Number of targets.
    alpha : float, default=0.5
        Fraction of the training examples in each subset.
    n_informative : int, default=5
        Number of training examples with a nonzero weight for each target. The weights
        are standard normal.
    noise : float, default=0.1
        Standard deviation of the Gaussian noise that is added to each output.
    random_state : int, RandomState instance or None, default=0
        Seed of the masks, the weights and the noise.

    Returns
    -------
    runs : TrainingRuns
        The generated runs.
    coef : float64 array of shape (n_targets, n_train)
        The true weights.

    Raises
    ------
    ValueError
        If `n_informative` is larger than `n_train`, or if `alpha` makes subsets that
        are empty or complete.

    Examples
    --------
    >>> from skdatamodels.datasets import make_linear_runs
    >>> runs, coef = make_linear_runs(n_runs=10, n_train=6, n_informative=2)
    >>> runs
    TrainingRuns(n_runs=10, n_train=6, n_targets=3)
    >>> (coef != 0).sum(axis=1)
    array([2, 2, 2])
    """
    if n_informative > n_train:
        raise ValueError(f"n_informative={n_informative} is above n_train={n_train}.")
    entropy = entropy_from(random_state)
    masks = sample_masks(n_runs, n_train, alpha, random_state=entropy)
    rng = np.random.default_rng(entropy)
    coef = np.zeros((n_targets, n_train))
    for row in coef:
        chosen = rng.permutation(n_train)[:n_informative]
        row[chosen] = rng.standard_normal(n_informative)
    outputs = masks.dot(coef.T) + noise * rng.standard_normal((n_runs, n_targets))
    return TrainingRuns(masks, outputs.astype(np.float32)), coef
