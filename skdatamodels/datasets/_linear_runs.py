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
    n_runs, n_train, n_targets : int
    alpha : float, default=0.5
        Subsampling fraction.
    n_informative : int, default=5
        Training examples with a weight, standard normal, for each target.
    noise : float, default=0.1
        Standard deviation of what is added to each output.
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    runs : TrainingRuns
    coef : float64 array of shape (n_targets, n_train)
        The true weights.

    Raises
    ------
    ValueError
        If `n_informative` is above `n_train`, or alpha leaves no example in or out.

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
