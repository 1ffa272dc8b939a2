"""How far two attribution matrices agree, for each target."""

import numpy as np

from skdatamodels._numbers import as_real
from skdatamodels._sklearn_compat import StrOptions, validate_params
from skdatamodels.metrics._attributions import dense_blocks, weights_of
from skdatamodels.metrics._lds import centred_correlation, check_finite, paired_ranks


@validate_params(
    {"attributions": "no_validation", "others": "no_validation"}
    | {"method": [StrOptions({"spearman", "pearson"})]},
    prefer_skip_nested_validation=True,
)
def attribution_correlation(attributions, others, *, method="spearman"):
    """Compute the correlation of two attribution matrices over training examples.

    Two questions use it:

    - *leave-one-out*: `others` are the effects of removing single examples
      (:func:`~skdatamodels.applications.leave_one_out`). High is good;
    - *randomised learner*: `others` are the attributions by the same method of a
      learner that has learnt nothing, for example from shuffled labels. High is bad:
      the method does not depend on what was learnt.

    Parameters
    ----------
    attributions : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix.
    others : array-like or CSR of shape (n_targets, n_train)
        Another one of the same targets and training set. NaN where an effect was not
        measured; the example is then ignored for this target.
    method : {"spearman", "pearson"}, default="spearman"
        Rank correlation, or linear correlation.

    Returns
    -------
    correlations : float64 array of shape (n_targets,)
        From -1 to 1. 0 if all weights of `attributions` are equal for a target, NaN if
        all of `others` are.

    Raises
    ------
    ValueError
        If the shapes differ, there are fewer than three training examples, a weight of
        `attributions` is not finite or one of `others` is infinite.

    References
    ----------
    Koh, Liang, "Understanding Black-box Predictions via Influence Functions", ICML
    2017, section 4.2 (leave-one-out).

    Hanawa, Yokoi, Hara, Inui, "Evaluation of Similarity-based Explanations", ICLR 2021,
    section 3 (randomised model).

    Deng et al., "dattri: A Library for Efficient Data Attribution", NeurIPS 2024
    (leave-one-out, Pearson).

    Examples
    --------
    >>> from skdatamodels.metrics import attribution_correlation
    >>> weights = [[0.1, 0.3, 0.2, 0.9], [0.0, 0.0, 0.0, 0.0]]
    >>> effects = [[1.0, 3.0, 2.0, 4.0], [1.0, 2.0, 3.0, 4.0]]
    >>> attribution_correlation(weights, effects)
    array([1., 0.])
    """
    weights = weights_of(attributions)
    others = getattr(others, "weights", others)
    if hasattr(others, "toarray"):
        others = others.toarray()
    others = as_real(others, "others")
    if others.shape != weights.shape:
        raise ValueError(
            f"attributions has shape {weights.shape}, but others {others.shape}. Both "
            "must be of the same targets and training examples."
        )
    if weights.shape[1] < 3:
        raise ValueError(
            "A correlation needs at least three training examples; got "
            f"{weights.shape[1]}."
        )
    check_finite(others, "others", ("target", "training example"), allow_nan=True)
    correlate = paired_ranks if method == "spearman" else _paired_values
    found = np.empty(len(others))
    for block, some in dense_blocks(weights):
        found[block] = centred_correlation(*correlate(others[block].T, some.T))
    return found


def _paired_values(y_true, y_pred):
    """Centre both among the known true values, in float64; the others get zeros."""
    known = ~np.isnan(y_true)
    n_known = np.maximum(1, known.sum(axis=0))
    pair = []
    for y in (y_true, y_pred):
        y = np.where(known, y, 0).astype(np.float64)
        varies = np.where(known, y, -np.inf).max(0) > np.where(known, y, np.inf).min(0)
        pair.append(np.where(known & varies, y - y.sum(axis=0) / n_known, 0))
    return pair
