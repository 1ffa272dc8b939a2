"""Similarity between representations of targets and training examples."""

from numbers import Real

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from skdatamodels._examples import Examples
from skdatamodels._sklearn_compat import Interval, StrOptions, validate_params
from skdatamodels.influence._checks import check_embeddings

__all__ = ["representation_similarity"]

_METRICS = {"l2", "cosine", "dot", "mahalanobis"}


@validate_params(
    {
        "train": [Examples, "array-like", list],
        "targets": [Examples, "array-like", list],
        "metric": [StrOptions(_METRICS)],
        "shrinkage": [Interval(Real, 0, 1, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def representation_similarity(train, targets, *, metric="l2", shrinkage=0.0):
    """Similarity between embeddings of targets and training examples.

    Parameters
    ----------
    train : Examples, array-like of shape (n_train, n_features), or a list of arrays
        Embeddings of the training examples: the outputs of a layer of a network, or the
        inputs themselves. Of Examples, `X` is used. A list has the embeddings by
        several models. Their similarities are averaged as ranks, because different
        layers have different scales.
    targets : Examples, array-like of shape (n_targets, n_features), or a list of arrays
        Embeddings of the targets, by the same models in the same order.
    metric : {"l2", "cosine", "dot", "mahalanobis"}, default="l2"
        The similarity. The distances "l2" and "mahalanobis" are negated. "mahalanobis"
        uses the covariance of the training embeddings.
    shrinkage : float in [0, 1], default=0
        Fraction of the covariance to replace by its mean variance, which is the same in
        all directions. Only for "mahalanobis".

    Returns
    -------
    similarity : float64 array of shape (n_targets, n_train)
        Similarity. Larger means more similar. It has the unit of the embedding ("l2"),
        of its square ("dot") or no unit. For a list of models, the mean rank among the
        training examples divided by n_train, in (0, 1]. Classes are not used, so
        similar examples of another class also rank high. Only the order is meaningful,
        not the sign.

    Raises
    ------
    ValueError
        If an embedding is not finite, the shapes or the lengths of the lists differ, or
        the covariance is singular.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix F.2.

    Examples
    --------
    >>> from skdatamodels.influence import representation_similarity
    >>> train, targets = [[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0]]
    >>> representation_similarity(train, targets)
    array([[-0., -5.]])
    """
    if isinstance(train, Examples) or np.ndim(train[0]) < 2:
        return _similarity(*check_embeddings(train, targets), metric, shrinkage)
    if len(train) != len(targets):
        raise ValueError(
            f"train has embeddings from {len(train)} models, but targets from "
            f"{len(targets)}. Pass embeddings from the same models."
        )
    pairs = [check_embeddings(*pair) for pair in zip(train, targets, strict=True)]
    shapes = [(len(a), len(b)) for a, b in pairs]
    if len(set(shapes)) > 1:
        raise ValueError(f"The numbers of examples differ between models: {shapes}.")
    total = np.zeros(shapes[0][::-1])
    for pair in pairs:
        total += rankdata(_similarity(*pair, metric, shrinkage), axis=1)
    return total / (len(pairs) * shapes[0][0])


def _similarity(train, targets, metric, shrinkage):
    if metric == "dot":
        return targets @ train.T
    if metric == "cosine":
        return cosine_similarity(targets, train)
    # Centring does not change distances, but reduces their rounding errors.
    mean = train.mean(axis=0)
    train, targets = train - mean, targets - mean
    if metric == "mahalanobis":
        whiten = _whitening(train, shrinkage)
        train, targets = train @ whiten, targets @ whiten
    return -euclidean_distances(targets, train)


def _whitening(centred, shrinkage):
    """Return W with W·Wᵀ the inverse of the covariance."""
    covariance = centred.T @ centred / len(centred)
    n_features = len(covariance)
    even = np.trace(covariance) / n_features * np.eye(n_features)
    variances, axes = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * even)
    if variances[0] <= n_features * np.finfo(np.float64).eps * variances[-1]:
        raise ValueError(
            f"The covariance of the {n_features} features over {len(centred)} training"
            " embeddings is singular. Set shrinkage above 0, for example to 0.1."
        )
    return axes / np.sqrt(variances)
