"""Whether examples of the highest weights have the class of the target."""

import numpy as np

from skdatamodels.metrics._attributions import (
    check_k,
    check_labels,
    dense_blocks,
    weights_of,
)
from skdatamodels.metrics._top_k import top_k_shares


def class_detection(attributions, *, train, targets, k=1):
    """Compute the share of the target's class among its highest weights.

    Ties are broken at random, and the result is the expected share. So a weight of
    zero is not a hit because of its position, and a matrix of zeros gets the share of
    the class in the training set.

    Parameters
    ----------
    attributions : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix. High weights are those of examples that raise the output:
        negate the weights of a loss.
    train : array-like of shape (n_train,)
        Classes of the training examples, or subclasses, which the learner was not
        told.
    targets : array-like of shape (n_targets,)
        Classes or subclasses of the targets.
    k : int, default=1
        Number of the highest weights of each target.

    Returns
    -------
    shares : float64 array of shape (n_targets,)
        Share of the target's class, from 0 to 1.

    Raises
    ------
    ValueError
        If shapes do not match, a weight is not finite, `k` is not from 1 to n_train, or
        no target has a class of the training examples.

    Notes
    -----
    A high share says little: the indicator of the class,
    :func:`~skdatamodels.influence.same_class_influence`, has a share of 1 and knows
    nothing about single examples. A low share is a warning. With subclasses, the
    indicator of the class gets the share of the subclass in its class.

    References
    ----------
    Hanawa, Yokoi, Hara, Inui, "Evaluation of Similarity-based Explanations", ICLR 2021,
    section 3 (identical class and identical subclass test, k=1).

    Bareeva et al., "quanda: An Interpretability Toolkit for Training Data Attribution
    Evaluation and Beyond", 2024.

    Examples
    --------
    >>> from skdatamodels.metrics import class_detection
    >>> weights = [[0.9, 0.1, -0.5], [0.0, 0.0, 0.0]]
    >>> class_detection(weights, train=["cat", "dog", "dog"], targets=["cat", "dog"])
    array([1.        , 0.66666667])
    """
    weights = weights_of(attributions)
    n_targets, n_train = weights.shape
    train = check_labels(train, n_train, "train")
    targets = check_labels(targets, n_targets, "targets")
    check_k(k, n_train)
    if set(train.tolist()).isdisjoint(targets.tolist()):
        raise ValueError(
            "No target has a class of the training examples: train has "
            f"{_some(train)}, targets have {_some(targets)}."
        )
    found = np.empty(n_targets)
    for block, some in dense_blocks(weights):
        same = targets[block, None] == train
        found[block] = (top_k_shares(some, k) * same).sum(axis=1) / k
    return found


def _some(labels):
    return ", ".join(map(repr, dict.fromkeys(labels[:3].tolist())))
