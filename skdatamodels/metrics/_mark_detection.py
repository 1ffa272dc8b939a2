"""Whether training examples with a planted mark have the highest weights."""

import numpy as np

from skdatamodels.metrics._attributions import check_mask, dense_blocks, weights_of
from skdatamodels.metrics._average_precision import average_precision


def mark_detection(attributions, marked):
    """Compute how well the weights of each target find marked training examples.

    Plant something that the learner takes up, and ask for targets where it matters
    whether it is found:

    - a *shortcut*, such as a pixel that only examples of one class have. The targets
      have it, too, and their output is that of this class;
    - a *mixed data set*: examples from elsewhere, all with one label. The targets come
      from there, too.

    Parameters
    ----------
    attributions : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix of these targets. High weights are those of examples that
        raise the output: negate the weights of a loss.
    marked : bool array of shape (n_train,)
        True for the marked examples.

    Returns
    -------
    precision : float64 array of shape (n_targets,)
        Average precision (area under the curve of precision and recall) of the marked
        examples, from 0 to 1, if the training examples are ranked by weight. Random
        weights get about the share of marked examples. Tied weights are taken together,
        so that a matrix of zeros gets exactly this share.

    Raises
    ------
    ValueError
        If shapes do not match, a weight is not finite, or all or no examples are
        marked.

    Notes
    -----
    If marked examples all have one class, the indicator of this class is well above
    random weights. A method is good if it is above both.

    References
    ----------
    Hammoudeh, Lowd, "Identifying a Training-Set Attack's Target Using Renormalized
    Influence Estimation", CCS 2022 (mixed data sets).

    Bareeva et al., "quanda: An Interpretability Toolkit for Training Data Attribution
    Evaluation and Beyond", 2024 (both tests, for each target).

    Examples
    --------
    >>> from skdatamodels.metrics import mark_detection
    >>> weights = [[0.9, 0.8, 0.0, 0.1], [0.0, 0.0, 0.0, 0.0]]
    >>> mark_detection(weights, [True, True, False, False])
    array([1. , 0.5])
    """
    weights = weights_of(attributions)
    marked = check_mask(marked, weights.shape[1], "marked")
    found = np.empty(weights.shape[0])
    for block, some in dense_blocks(weights):
        found[block] = average_precision(some, marked)
    return found
