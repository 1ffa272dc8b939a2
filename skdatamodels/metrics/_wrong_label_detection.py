"""Whether examples with wrong labels have the most harmful weights."""

import numpy as np

from skdatamodels.metrics._attributions import check_mask, weights_of
from skdatamodels.metrics._average_precision import average_precision


def wrong_label_detection(attributions, wrong, *, higher_is_better=True):
    """Compute how well the mean weight finds wrong labels.

    The training examples are ranked by their mean weight over the targets, the most
    harmful first.

    Parameters
    ----------
    attributions : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix. The targets should have correct labels.
    wrong : bool array of shape (n_train,)
        True for the examples whose labels are wrong.
    higher_is_better : bool, default=True
        Whether higher outputs are better, as for margins. False for losses.

    Returns
    -------
    precision : float
        Average precision (area under the curve of precision and recall) of the wrong
        labels, from 0 to 1. Random weights get about the share of wrong labels. Tied
        means are taken together.

    Raises
    ------
    ValueError
        If shapes do not match, a weight is not finite, or all or no labels are wrong.

    See Also
    --------
    skdatamodels.applications.find_label_errors : Finds label errors from runs.

    Notes
    -----
    Some methods are asked for the *self-influence* instead, the effect of each example
    on its own loss. Of such scores,
    ``average_precision_score(wrong, self_influence)`` of scikit-learn is the same
    number. Deng et al. report the area under the ROC curve, which does not tell how
    many of the first examples are worth a look if few labels are wrong.

    References
    ----------
    Koh, Liang, "Understanding Black-box Predictions via Influence Functions", ICML
    2017, section 5.4.

    Deng et al., "dattri: A Library for Efficient Data Attribution", NeurIPS 2024.

    Examples
    --------
    >>> from skdatamodels.metrics import wrong_label_detection
    >>> weights = [[0.5, -0.4, 0.1], [0.3, -0.2, -0.3]]
    >>> wrong_label_detection(weights, [False, True, False])
    1.0
    """
    weights = weights_of(attributions)
    wrong = check_mask(wrong, weights.shape[1], "wrong")
    mean = np.asarray(weights.mean(axis=0, dtype=np.float64)).ravel()
    return float(
        average_precision((-mean if higher_is_better else mean)[None], wrong)[0]
    )
