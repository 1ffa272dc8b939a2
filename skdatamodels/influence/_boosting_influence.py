"""Influence of training examples on gradient boosting, for fixed trees."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, softmax

from skdatamodels._sklearn_compat import validate_params
from skdatamodels.influence._boosted_trees import check_booster, read_boosted_trees
from skdatamodels.influence._fitted_on_subset import fit_on_subset
from skdatamodels.outputs import encode_targets

__all__ = ["boosting_influence"]

_BLOCK = 32  # examples whose effects are carried at once: a few cache lines


@validate_params({"knock_on": ["boolean"]}, prefer_skip_nested_validation=True)
def boosting_influence(
    estimator, train, targets, *, output=None, knock_on=True, subset=None
):
    """TODO."""
    fit = fit_on_subset(
        estimator, train, targets, output, subset, check_booster, least_classes=2
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
    rounds = _follow_rounds(trees, y, fit.subset)
    _check_values(rounds.values, trees)
    influence = _sum_effects(trees, rounds, fit.subset, gradient, knock_on)
    influence[:, unseen] = 0
    return influence


class _Rounds(NamedTuple):
    """What the rounds say of each example; see `carry_effects` for the arrays.

    `values` are those of the leaves of all trees, recomputed, in one array. `start`
    (n_scores, n_train) is the effect of each example on the scores before the first
    round.
    """

    direct: np.ndarray
    follow: np.ndarray
    share: np.ndarray
    values: np.ndarray
    start: np.ndarray


def _follow_rounds(trees, y, subset):
    """Train the leaves again, with the structure of the trees, in float64.

    y (n_train, n_scores) are the values that the scores are to meet.
    """
    n_rounds, n_scores, n_train = trees.train_leaves.shape
    scores = np.repeat(trees.start[:, None].astype(np.float64), n_train, axis=1)
    direct = np.empty((n_rounds, n_scores, n_train))
    follow, share = np.zeros((2, n_rounds, n_scores, len(subset)))
    added = []
    for t, of_round in enumerate(trees.train_leaves):
        expected, hessian, base, bend = _moments(trees, scores)
        gradient = expected - y.T
        if trees.loss == "softmax":
            share[t] = expected[:, subset]
        for k, leaves in enumerate(of_round):
            n_leaves = len(trees.values[t][k])
            G, H = (
                np.bincount(leaves[subset], moment[k, subset], minlength=n_leaves)
                for moment in (gradient, hessian)
            )
            # without a Hessian, a leaf adds nothing
            H += trees.l2[t][k]
            rate = np.divide(trees.learning_rate, H, out=np.zeros_like(H), where=H > 0)
            value = (-G * rate / trees.learning_rate)[leaves]
            direct[t, k] = -rate[leaves] * (gradient[k] + value * hessian[k])
            pull = rate[leaves] * base[k] * (1 + value * bend[k])
            follow[t, k] = pull[subset]
            added.append(-G * rate)
            scores[k] += added[-1][leaves]
    start = _start_effect(trees, y, subset)
    return _Rounds(direct, follow, share, np.concatenate(added), start)


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


def _start_effect(trees, y, subset):
    """Return the effect of each example on the scores before the first round."""
    if not trees.fitted_start:
        return np.zeros(y.T.shape)
    mean = y[subset].mean(axis=0)
    if trees.loss == "squared_error":
        slope = 1.0
    else:
        slope = 1 / (mean * (1 - mean) if trees.loss == "log_loss" else mean)
    return ((y - mean) * slope / len(subset)).T


def _check_values(values, trees):
    read = np.concatenate([leaf for of_round in trees.values for leaf in of_round])
    distance = np.linalg.norm(read - values) / max(np.linalg.norm(read), 1e-300)
    if not distance < 1e-3:
        raise ValueError(
            "The leaves of the model do not have the values that the training examples "
            f"of the subset give them: they differ by {distance:.1%}. A model in a "
            "FrozenEstimator must have been fitted on exactly these examples, without "
            "sample weights."
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
