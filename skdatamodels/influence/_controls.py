"""Controls: attribution matrices from random numbers or from classes only."""

import numpy as np

from skdatamodels._random import entropy_from
from skdatamodels.influence._checks import check_same_examples

__all__ = ["random_influence", "same_class_influence"]


def random_influence(train, targets, *, same_class=False, random_state=0):
    """Draw random weights, as a control.

    Parameters
    ----------
    train, targets : Examples
        The training set and the targets.
    same_class : bool, default=False
        Whether only training examples of the target's class have a weight. The largest
        weights are then those of random examples of this class, and all others are 0.
    random_state : int, RandomState instance, Generator or None, default=0
        Determines the weights.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Independent weights without unit, from a standard normal distribution. With
        `same_class`, their absolute values.

    Raises
    ------
    ValueError
        If train and targets differ in the shape of an example, or, with
        `same_class`, a target has a class that no training example has.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix F.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import random_influence
    >>> train = Examples(np.eye(3), ["cat", "dog", "cat"])
    >>> targets = Examples(np.ones((2, 3)), ["cat", "dog"])
    >>> random_influence(train, targets, same_class=True) > 0
    array([[ True, False,  True],
           [False,  True, False]])
    """
    check_same_examples(train, targets, weighted=True)
    rng = np.random.default_rng(entropy_from(random_state))
    drawn = rng.standard_normal((len(targets), len(train)))
    return np.abs(drawn) * same_class_influence(train, targets) if same_class else drawn


def same_class_influence(train, targets):
    """Mark the training examples of the target's class, as a control.

    Examples of the target's class usually help it. Compare a method with this control
    to see how much it adds to that.

    Parameters
    ----------
    train, targets : Examples
        The training set and the targets.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        1 if the classes are the same, else 0. Without unit.

    Raises
    ------
    ValueError
        If train and targets differ in the shape of an example, or a target has a
        class that no training example has.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import same_class_influence
    >>> train = Examples(np.eye(3), ["cat", "dog", "cat"])
    >>> same_class_influence(train, train[:2])
    array([[1., 0., 1.],
           [0., 1., 0.]])
    """
    y_train, y_targets, _ = check_same_examples(
        train, targets, classes=True, weighted=True
    )
    return (y_targets[:, None] == y_train).astype(np.float64)
