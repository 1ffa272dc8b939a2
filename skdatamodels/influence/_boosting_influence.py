"""Influence of training examples on gradient boosting, for fixed trees."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax
from sklearn.frozen import FrozenEstimator

from skdatamodels._fitting import refuse_weights
from skdatamodels._sklearn_compat import validate_params
from skdatamodels.influence._boosted_trees import (
    check_booster,
    library_of,
    read_boosted_trees,
)
from skdatamodels.influence._fitted_on_subset import fit_on_subset
from skdatamodels.outputs import encode_targets

__all__ = ["boosting_influence"]

_EPS = np.finfo(np.float32).eps
_BLOCK = 32  # examples whose effects are carried at once: a few cache lines


@validate_params({"knock_on": ["boolean"]}, prefer_skip_nested_validation=True)
def boosting_influence(
    estimator, train, targets, *, output=None, knock_on=True, subset=None
):
    """Influence on gradient boosting, in closed form for fixed splits.

    The effect is the derivative of the output by the weight of the example in training,
    if the splits of all trees stay and the values of the leaves are trained again. It
    needs one fit, and no retraining.

    Parameters
    ----------
    estimator : gradient boosting model, or FrozenEstimator
        A HistGradientBoosting or GradientBoosting classifier or regressor of
        scikit-learn, or one of LightGBM, XGBoost or CatBoost, see
        :ref:`other_boosters`. The loss is the log loss or the squared error. It is
        cloned and fitted here on `subset`. A :class:`~sklearn.frozen.FrozenEstimator`
        contains a model that was fitted on `subset`, and is used as it is.
    train, targets : Examples
        The training set and the targets. Missing values and categories are split as the
        model splits them. Training examples may have weights, but not with CatBoost:
        the effect is the derivative by a factor of the weight.
    output : str, default=None
        "margin", "log_odds", "confidence" or "cross_entropy" for a classifier,
        "prediction" or "squared_error" for a regressor. None means "margin" or
        "prediction". See :data:`skdatamodels.outputs.OUTPUTS`.
    knock_on : bool, default=True
        Whether to carry the effect of an example on the scores of all others through
        all later trees (LeafInfluence). If False, only the gradient of the example
        itself counts, as in BoostIn. This is much faster, and less accurate.
    subset : array-like of shape (n_subset,), default=None
        Indices of the training examples that the model is fitted on, or a bool mask.
        None means all.

    Returns
    -------
    influence : float64 array of shape (n_targets, n_train)
        Influence in the output's unit per example, of all training examples, in
        `subset` or not. Positive if the presence of the example raises the output.
        Examples and targets of a class that `subset` lacks have influence 0.

    Raises
    ------
    TypeError
        If the estimator is not one of these kinds.
    ValueError
        If the estimator has a parameter that the formula does not cover (another loss,
        subsampling, early stopping, class weights, monotonic constraints, `init`), a
        frozen model was not fitted on `subset` with the weights of `train`, the output
        has no derivative, or a target has a class that no training example has.

    See Also
    --------
    forest_influence : The same for trees and forests.
    over_subsets : The mean over models of random subsets, which is more accurate.

    Notes
    -----
    A round has the gradients g and the Hessians h of the loss at the scores before it.
    A leaf with the sums G and H + l2 adds η·v with v = -G/(H + l2) to the score. The
    presence of example i adds -η·(gᵢ + v·hᵢ)/(H + l2) to its own leaf, and
    -η·Σₐ (∂gₐ + v·∂hₐ)·Jₐᵢ/(H + l2) to every leaf, where the sum is over the examples a
    of the leaf, ∂ is the derivative by their scores, and Jₐᵢ is the effect of i on the
    score of a so far. J starts with the effect of i on the score before the first
    round, and takes up both parts after each round.

    With `knock_on`, the cost is proportional to n_rounds · n_scores · n_train ·
    (n_subset + n_targets), and without it n_subset is not in this sum. J is formed for
    a few examples i at a time, so memory of size n_train² is not needed.

    References
    ----------
    Sharchilev, Ustinovskiy, Serdyukov, de Rijke, "Finding influential training samples
    for gradient boosted decision trees", ICML 2018.

    Brophy, Hammoudeh, Lowd, "Adapting and evaluating influence-estimation methods for
    gradient-boosted decision trees", JMLR 2023.

    Examples
    --------
    >>> from sklearn.ensemble import GradientBoostingRegressor
    >>> from skdatamodels import Examples
    >>> from skdatamodels.influence import boosting_influence
    >>> train = Examples([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 4.0, 6.0])
    >>> targets = Examples([[3.0]], [5.0])
    >>> model = GradientBoostingRegressor(n_estimators=20, max_depth=1)
    >>> boosting_influence(model, train, targets).round(2)
    array([[-0.05, -0.09, -0.11,  0.25]])
    """
    if library_of(getattr(estimator, "estimator", estimator)) == "catboost":
        refuse_weights(train, "The closed form of CatBoost")  # they change its penalty
    fit = fit_on_subset(
        estimator,
        train,
        targets,
        output,
        subset,
        check_booster,
        least_classes=2,
        weighted=True,
    )
    trees = read_boosted_trees(fit.model, train.X, targets.X)
    y, gradient = fit.y_train[:, None], fit.gradient.reshape(len(targets), -1)
    unseen = np.zeros(len(train), dtype=bool)
    if trees.classes is not None:
        seen = encode_targets(trees.classes, fit.classes)
        columns = seen[1:] if trees.loss == "log_loss" else seen
        y, gradient = y == columns, gradient[:, columns]  # one-hot
        unseen = ~np.isin(fit.y_train, seen)
        gradient[~np.isin(targets.y, trees.classes)] = 0
    weight = train.sample_weight
    weight = np.ones(len(train)) if weight is None else weight
    rounds = _follow_rounds(trees, y, fit.subset, weight)
    _check_values(rounds, trees, isinstance(estimator, FrozenEstimator))
    influence = _sum_effects(trees, rounds, fit.subset, gradient, knock_on)
    influence[:, unseen] = 0
    return influence


class _Rounds(NamedTuple):
    """What the rounds say of each example; see `carry_effects` for the arrays.

    `values` are those of the leaves of all trees, recomputed, in one array, and
    `rounding` the errors that they have in a library that computes in float32. `start`
    (n_scores, n_train) is the effect of each example on the scores before the first
    round.
    """

    direct: np.ndarray
    follow: np.ndarray
    share: np.ndarray
    values: np.ndarray
    rounding: np.ndarray
    start: np.ndarray


def _follow_rounds(trees, y, subset, weight):
    """Train the leaves again, with the structure of the trees, in float64.

    y (n_train, n_scores) are the values that the scores are to meet, and weight
    (n_train,) those of the examples in the loss.
    """
    n_rounds, n_scores, n_train = trees.train_leaves.shape
    scores = np.repeat(trees.start[:, None].astype(np.float64), n_train, axis=1)
    direct = np.empty((n_rounds, n_scores, n_train))
    follow, share = np.zeros((2, n_rounds, n_scores, len(subset)))
    added, rounding = [], []
    for t, of_round in enumerate(trees.train_leaves):
        expected, hessian, base, bend = _moments(trees, scores)
        gradient, hessian = weight * (expected - y.T), weight * hessian
        base = weight * base
        error = _EPS * weight * (np.abs(expected) + np.abs(y.T))
        if trees.loss == "softmax":
            share[t] = expected[:, subset]
        for k, leaves in enumerate(of_round):
            n_leaves = len(trees.values[t][k])
            G, H, error_of = (
                np.bincount(leaves[subset], moment[k, subset], minlength=n_leaves)
                for moment in (gradient, hessian, error)
            )
            # without a Hessian, a leaf adds nothing
            H += trees.l2[t][k]
            rate = np.divide(trees.learning_rate, H, out=np.zeros_like(H), where=H > 0)
            value = (-G * rate / trees.learning_rate)[leaves]
            direct[t, k] = -rate[leaves] * (gradient[k] + value * hessian[k])
            pull = rate[leaves] * base[k] * (1 + value * bend[k])
            follow[t, k] = pull[subset]
            added.append(-G * rate)
            rounding.append(error_of * rate)
            scores[k] += added[-1][leaves]
    start = _start_effect(trees, y, subset, weight)
    values = np.concatenate(added), np.concatenate(rounding)
    return _Rounds(direct, follow, share, *values, start)


def _moments(trees, scores):
    """Return expected values, Hessians, and how gradient and Hessian follow the scores.

    All have shape (n_scores, n_train). If the score, less the mean of the scores in a
    softmax, rises by one, the gradient rises by `base`, the Hessian by `base * bend`.
    """
    if trees.loss == "squared_error":
        one = np.ones_like(scores)
        return scores.copy(), one, one, 0 * one
    if trees.loss == "log_loss":
        p = expit(scores)
        return p, p * (1 - p), p * (1 - p), 1 - 2 * p
    p, scale = softmax(scores, axis=0), trees.hessian_scale
    return p, scale * p * (1 - p), p, scale * (1 - 2 * p)


def _start_effect(trees, y, subset, weight):
    """Return the effect of each example on the scores before the first round."""
    if not trees.fitted_start:
        return np.zeros(y.T.shape)
    mean = np.average(y[subset], axis=0, weights=weight[subset])
    if trees.loss == "squared_error":
        slope = 1.0
    else:
        slope = 1 / (mean * (1 - mean) if trees.loss == "log_loss" else mean)
    return weight * ((y - mean) * slope / weight[subset].sum()).T


def _check_values(rounds, trees, frozen):
    read = np.concatenate([leaf for of_round in trees.values for leaf in of_round])
    wrong = np.maximum(np.abs(read - rounds.values) - rounds.rounding, 0)
    distance = np.linalg.norm(wrong)
    if not distance <= 1e-3 * np.linalg.norm(read):
        cure = (
            "A model in a FrozenEstimator must have been fitted on exactly these "
            "examples, with their weights."
            if frozen
            else "The closed form does not cover a parameter of the model."
        )
        raise ValueError(
            "The leaves of the model do not have the values that the training examples "
            f"of the subset give them: they differ by {distance:.2g}. {cure}"
        )


def _sum_effects(trees, rounds, subset, gradient, knock_on):
    """Return the influence (n_targets, n_train): effects on scores by gradients."""
    from skdatamodels.influence._boosting_kernel import carry_effects

    fitted = subset if knock_on else subset[:0]
    n_scores, n_train = rounds.start.shape
    n_targets, n_fitted = len(gradient), len(fitted)
    parts = rounds.follow[..., :n_fitted], rounds.share[..., :n_fitted]
    leaves = np.ascontiguousarray(trees.train_leaves[..., fitted])
    n_leaves = max(len(leaf) for of_round in trees.values for leaf in of_round)
    influence = np.empty((n_targets, n_train))
    for start in range(0, n_train, _BLOCK):
        block = slice(start, min(start + _BLOCK, n_train))
        width = block.stop - block.start
        initial = rounds.start[:, None, block] * knock_on
        others = np.repeat(initial, n_fitted, axis=1)
        own = np.repeat(initial, n_targets, axis=1)
        direct = np.ascontiguousarray(rounds.direct[..., block])
        own_leaves = np.ascontiguousarray(trees.train_leaves[..., block])
        step = np.empty((n_scores, n_leaves, width))
        carry_effects(
            direct, own_leaves, *parts, leaves, trees.target_leaves, others, own, step
        )
        influence[:, block] = np.einsum("kji,jk->ji", own, gradient)
    return influence
