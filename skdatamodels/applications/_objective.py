"""What a selection of training examples is to improve, and by how much it would."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse as sp

MOST_SMALL = 9  # targets: fewer than 10 say nothing about a group
_N_FOLDS = 5  # of targets


class Objective(NamedTuple):
    """A weighted mean of outputs, by groups of targets.

    Attributes
    ----------
    names : array of shape (n_groups,)
        Names of the groups; the single one of all targets is "all".
    codes : int array of shape (n_targets,)
        Group of each target, -1 for those that do not choose.
    within : float64 array of shape (n_targets,)
        Weight of each target in its group. They add up to 1 in each group.
    outputs : float64 array of shape (n_groups,)
        Mean output of each group, NaN if it is not known.
    weights : float64 array of shape (n_groups,)
        Weight of each group. They add up to 1.
    """

    names: np.ndarray
    codes: np.ndarray
    within: np.ndarray
    outputs: np.ndarray
    weights: np.ndarray


def slice_objective(target_weights):
    """Return the objective of a weighted mean over targets (n_targets,)."""
    total = target_weights.sum()
    return Objective(
        np.array(["all"]),
        np.where(target_weights > 0, 0, -1),
        target_weights / total,
        np.full(1, np.nan),
        np.ones(1),
    )


def group_objective(groups, rows, outputs, sign, beta):
    """Return the objective of the worst group.

    Groups have the weights ``exp(beta * loss)``, scaled to add up to 1. They are the
    gradient of a smooth maximum of the losses of the groups.

    Parameters
    ----------
    groups : array of shape (n_targets,)
        Group of each target.
    rows : int array of shape (n_chosen,)
        Targets that choose.
    outputs : float64 array of shape (n_targets,)
        Output of each target.
    sign : {1, -1}
        1 if higher outputs are better.
    beta : float or None
        None is 1 / standard deviation of the outputs.
    """
    names, of_rows = np.unique(groups[rows], return_inverse=True)
    codes = np.full(len(groups), -1)
    codes[rows] = of_rows
    within = np.zeros(len(groups))
    within[rows] = 1 / np.bincount(of_rows)[of_rows]
    means = np.bincount(of_rows, within[rows] * outputs[rows])
    worse = (sign * means).min() - sign * means  # 0 for the worst group, else below
    if beta is None:
        spread = outputs[rows].std()
        beta = 1 / spread if spread > 0 else 0.0
    weights = np.where(worse < 0, 0.0, 1.0)
    if np.isfinite(beta):
        weights = np.exp(beta * worse)
    return Objective(names, codes, within, means, weights / weights.sum())


def component_groups(weights, classes, rows, outputs, sign):
    """Divide each class of targets by the first principal component of its weights.

    A class stays whole if a part would have fewer than 10 of the targets that choose.

    Parameters
    ----------
    weights : array or CSR of shape (n_targets, n_train)
        Attribution matrix.
    classes : array of shape (n_targets,)
        Class of each target.
    rows : int array of shape (n_chosen,)
        Targets that choose, whose weights determine the components.
    outputs : float64 array of shape (n_targets,)
        Output of each target, which says which part is the worse one.
    sign : {1, -1}
        1 if higher outputs are better.

    Returns
    -------
    groups : str array of shape (n_targets,)
        The class, and "worse" or "better" if it is divided.
    """
    groups = np.array([str(name) for name in classes.tolist()], dtype=object)
    for name in np.unique(classes[rows]):
        there = np.flatnonzero(classes == name)
        chosen = np.isin(there, rows)
        first = _coordinates(weights[there], chosen) > 0
        parts = [first & chosen, ~first & chosen]
        if min(part.sum() for part in parts) <= MOST_SMALL:
            continue
        one, other = (sign * outputs[there[part]].mean() for part in parts)
        worse = first == (one <= other)
        groups[there] = [f"{name} {'worse' if bad else 'better'}" for bad in worse]
    return groups.astype(str)


def _coordinates(weights, chosen):
    """Return the first coordinate of each row, by a component of the chosen ones."""
    some = weights[chosen]
    mean = np.asarray(some.mean(axis=0), dtype=np.float64).ravel()
    products = some @ some.T
    products = products.toarray() if sp.issparse(products) else products
    products = products.astype(np.float64)
    products -= products.mean(axis=0)
    products -= products.mean(axis=1, keepdims=True)
    last = [len(products) - 1] * 2
    vector = scipy.linalg.eigh(products, subset_by_index=last)[1][:, 0]
    component = some.T @ vector  # of centred rows, for the vector adds up to 0
    return weights @ component - mean @ component


def predicted_gains(weights, objective, factor, sign, examples, judge=None):
    """Return the score of each example, and the gain by number acted on.

    Parameters
    ----------
    weights : array or CSR of shape (n_targets, n_train)
        Attribution matrix.
    objective : Objective
        What is to improve.
    factor : {1, -1}
        1 if examples are added, -1 if they are removed.
    sign : {1, -1}
        1 if higher outputs are better.
    examples : int array of shape (n_examples,)
        Examples that may be acted on.
    judge : array or CSR of shape (n_targets, n_train), default=None
        Weights of the held-out gain. None: those that choose.

    Returns
    -------
    score : float64 array of shape (n_examples,)
        Predicted improvement by each of them.
    gain : float64 array of shape (n_examples + 1,)
        Improvement for the targets by the first 0, 1, ... examples by score.
    held_out_gain : float64 array of shape (n_examples + 1,)
        The same, if four fifths of the targets choose and the gain is that of the
        others, mean over fifths.
    orders : int array of shape (n_folds, n_examples)
        The examples by the score that each four fifths of the targets give them.
    """
    n_groups = len(objective.names)
    chosen = np.flatnonzero(objective.codes >= 0)
    fold = _folds(objective.codes[chosen])
    shares = np.zeros((n_groups, _N_FOLDS))
    np.add.at(shares, (objective.codes[chosen], fold), objective.within[chosen])
    sums = factor * sign * _sums(weights, objective)[..., examples]
    judged = sums
    if judge is not None:
        judged = factor * sign * _sums(judge, objective)[..., examples]
    effects = sums.sum(axis=1)
    score = objective.weights @ effects
    start = sign * objective.outputs
    gain = _gain(effects[:, _descending(score)], start)
    held_out, orders = np.zeros_like(gain), []
    for k in range(_N_FOLDS):
        share = shares[:, k, None]
        others = (effects - sums[:, k]) / (1 - share)
        order = _descending(objective.weights @ others)
        held_out += _gain((judged[:, k] / share)[:, order], start)
        orders.append(examples[order])
    return score, gain, held_out / _N_FOLDS, np.array(orders)


def _sums(weights, objective):
    """Return weighted sums of rows by group and fold (n_groups, n_folds, n_train)."""
    chosen = np.flatnonzero(objective.codes >= 0)
    codes, n_groups = objective.codes[chosen], len(objective.names)
    sums = sp.csr_array(
        (objective.within[chosen], (codes * _N_FOLDS + _folds(codes), chosen)),
        (n_groups * _N_FOLDS, weights.shape[0]),
    )
    sums = sums @ weights
    sums = sums.toarray() if sp.issparse(sums) else np.asarray(sums)
    return sums.astype(np.float64).reshape(n_groups, _N_FOLDS, -1)


def held_out_error(weights, objective, factor, sign, first, judge=None):
    """Return the standard error of a held-out gain.

    It is due to the number of targets, and with weights of other runs also to the
    number of runs: the difference of two estimates of a group's mean weights, which has
    twice the variance of one, tells the noise of a row, whatever targets share.

    Parameters
    ----------
    weights, objective, factor, sign
        As for `predicted_gains`.
    first : int array of shape (n_folds, n_first)
        The first of its `orders`.
    judge : array or CSR of shape (n_targets, n_train), default=None
        Weights of the gain, from other runs. None: those that chose.

    Returns
    -------
    error : float
        To first order: the group that is then the worst is taken as known.
    """
    chosen = np.flatnonzero(objective.codes >= 0)
    codes, within = objective.codes[chosen], objective.within[chosen]
    fold = _folds(codes)
    acted_on = np.zeros((weights.shape[1], _N_FOLDS))
    acted_on[first, np.arange(_N_FOLDS)[:, None]] = 1
    judging = weights if judge is None else judge
    effect = factor * sign * (judging @ acted_on)[chosen, fold]
    noise = np.zeros(len(objective.names))  # variance of a row's mean in each group
    if judge is not None:
        change = (_sums(weights, objective) - _sums(judge, objective)).sum(axis=1)
        noise = (change**2).mean(axis=1) / 2
    start = np.nan_to_num(sign * objective.outputs)  # NaN if there is one group
    variance = by_runs = 0.0
    for k in range(_N_FOLDS):
        own = fold == k
        mean = np.bincount(codes[own], (within * effect)[own])
        mean /= np.bincount(codes[own], within[own])
        worst = (start + mean).argmin()
        some = own & (codes == worst)
        n, share = some.sum(), within[some] / within[some].sum()
        variance += n / (n - 1) * (share**2 @ (effect[some] - mean[worst]) ** 2)
        by_runs += first.shape[1] * noise[worst]  # the same noise in all folds
    return float(np.sqrt(variance / _N_FOLDS**2 + by_runs / _N_FOLDS))


def _folds(codes):
    """Return the fold of each target; those of a group take turns."""
    fold = np.empty(len(codes), dtype=int)
    for group in range(codes.max() + 1):
        own = codes == group
        fold[own] = np.arange(own.sum()) % _N_FOLDS
    return fold


def _descending(score):
    return np.argsort(-score, kind="stable")


def _gain(effects, start):
    """Return by how much the worst group improves by the first 0, 1, ... examples."""
    total = np.cumsum(np.pad(effects, [(0, 0), (1, 0)]), axis=1)
    if len(total) == 1:
        return total[0]
    return (start[:, None] + total).min(axis=0) - start.min()
