"""The audit of few groups, such as regions: models trained without each of them."""

from typing import NamedTuple

import numpy as np
from scipy import special
from sklearn.base import clone

from skdatamodels.inference._false_discovery import cuts_of_targets
from skdatamodels.inference._named_weights import FDR

MANY = 10  # groups, from which on random subsets of them are trained instead
N_SEEDS = 5  # trainings of the same rows, if training is random
N_SPLITS, N_FOLDS = 2, 5  # of training rows that are judged themselves
_ROUNDING = 1e-6  # of outputs in float32, which is no effect


class LeftOut(NamedTuple):
    """Scores with all groups, and without each.

    Attributes
    ----------
    effect : float64 array of shape (n_groups,)
        What the group adds to the score; NaN if not known.
    interval : float64 array of shape (n_groups, 2)
        Ends of its interval.
    scores : dict of str to float64 array of shape (n_groups,)
        The accuracy or root mean squared error with the group, and without it, on the
        same rows.
    unknown : dict of int to str
        Why the effects of some groups are not known.
    error, freedom : float64 arrays of shape (n_groups,)
        Standard errors of the effects, and their degrees of freedom.
    """

    effect: np.ndarray
    interval: np.ndarray
    scores: dict
    unknown: dict
    error: np.ndarray
    freedom: np.ndarray


class _Contrast(NamedTuple):
    """Scores with a group and without it, on the same rows.

    Attributes
    ----------
    effect : float
        Their difference.
    variance, noise : float
        Its variance by the choice of the judged rows, and by training.
    freedom : int
        Degrees of freedom of the variance.
    shown : float64 array of shape (2,)
        Accuracy or root mean squared error, with the group and without it.
    """

    effect: float
    variance: float
    noise: float
    freedom: int
    shown: np.ndarray

    @classmethod
    def of(cls, task, outputs, truth):
        """Compare outputs (n_repeats, 2, n_judged), with the group and without it."""
        strata, shown = np.zeros(len(truth), int), (outputs > 0).mean(axis=(0, 2))
        if task == "classification":  # each class has the same weight
            strata = np.unique(truth, return_inverse=True)[1]
        else:
            outputs, shown = _minus_rmse(outputs - truth)
        counts = np.bincount(strata)
        weights = 1 / (len(counts) * counts[strata])
        pairs = outputs[:, 0] - outputs[:, 1]
        each = pairs.mean(axis=0)
        effect = weights @ each
        if abs(effect) < _ROUNDING * abs(outputs).max():
            effect = 0.0
        means = np.bincount(strata, each) / counts
        rest = each - np.where(counts > 1, means, effect)[strata]
        of_one = counts / np.maximum(counts - 1, 1)
        noise = 0.0
        if len(pairs) > 1:  # beyond that which already is in the variance
            by_row = weights**2 @ pairs.var(axis=0, ddof=1)
            noise = ((pairs @ weights).var(ddof=1) - by_row) / len(pairs)
        variance = weights**2 @ (of_one[strata] * rest**2)
        return cls(effect, variance, noise, len(truth) - len(counts), shown)


def make_few_trainer(trainer, targets):
    """Return the trainer of models without a group, whose masks are of rows.

    By its seed, it has a store of its own, whose runs can be counted.
    """
    return clone(trainer).set_params(
        groups=None,
        random_state=trainer.random_state + 1,
        targets=trainer.targets[targets],
        keep_models=0,
        on_failure="nan",
    )


def n_few_trainings(n_groups, judges_itself):
    """Return how many models are trained, at most."""
    return (n_groups + 1) * (N_SPLITS * N_FOLDS if judges_itself else N_SEEDS)


def draw_held_out(strata, n_seeds, seed):
    """Return the rows that are not trained on, with or without any group.

    Parameters
    ----------
    strata : int array of shape (n_train,), or int
        If training rows are judged, a number for each class and group: models without
        a fold judge it, and each fold has its share of each stratum. Or else the number
        of training rows.
    n_seeds : int
        Number of trainings of the same rows; ignored with folds.
    seed : int

    Returns
    -------
    held_out : bool array of shape (n_repeats, n_folds, n_train)
    """
    if np.ndim(strata) == 0:
        return np.zeros((n_seeds, 1, strata), dtype=bool)
    rng, n = np.random.default_rng([seed, 4]), len(strata)
    folds = np.empty((N_SPLITS, n), dtype=int)
    for fold in folds:
        fold[np.lexsort((rng.random(n), strata))] = np.arange(n) % N_FOLDS
    return folds[:, None] == np.arange(N_FOLDS)[:, None]


def why_not_left_out(y, of_row, held_out, task):
    """Return why groups cannot be left out, a dict of int to str.

    Without them, a class would be lost, or all rows.

    Parameters
    ----------
    y : array of shape (n_train,)
        Labels or values.
    of_row : int array of shape (n_train,)
        Groups of the rows.
    held_out : bool array of shape (n_repeats, n_folds, n_train)
        See :func:`draw_held_out`.
    task : {"classification", "regression"}
    """
    names, codes = [None], np.zeros(len(y), dtype=int)
    if task == "classification":
        names, codes = np.unique(y, return_inverse=True)
        names = names.tolist()
    has, kept = np.eye(len(names))[codes], ~held_out.reshape(-1, len(y))
    unknown = {}
    for group in range(of_row.max() + 1):
        others = kept & (of_row != group)
        lost = ((kept @ has > 0) & (others @ has == 0)).any(axis=0)
        if lost.any():
            code = lost.argmax()
            n_others = int(((codes == code) & (of_row != group)).sum())
            but = f" but {n_others}" if n_others else ""
            of_class = "" if task == "regression" else f" of class {names[code]!r}"
            unknown[group] = (
                f"All rows{of_class}{but} are in it, so it cannot be left out."
            )
    return unknown


def leave_out_each(trainer, of_row, judged, rows, n_seeds, seed):
    """Train with all groups and without each, and compare scores.

    Parameters
    ----------
    trainer : SubsetTrainer
        See :func:`make_few_trainer`.
    of_row : int array of shape (n_train,)
        Group of each row.
    judged : Judged
        The judged rows.
    rows : int array of shape (n_judged,)
        The training row that each of them is, -1 for none. The own rows of a group do
        not count for it.
    n_seeds, seed : int
        See :func:`draw_held_out`.

    Returns
    -------
    found : LeftOut
    """
    train, n_groups = trainer.train, of_row.max() + 1
    classes = np.zeros(len(train), dtype=int)
    if judged.task == "classification":
        classes = np.unique(train.y, return_inverse=True)[1]
    judges_itself = rows.max() >= 0
    strata = classes * n_groups + of_row if judges_itself else len(train)
    held_out = draw_held_out(strata, n_seeds, seed)
    unknown = why_not_left_out(train.y, of_row, held_out, judged.task)
    known = np.setdiff1d(np.arange(n_groups), list(unknown))
    kept = np.concatenate([np.ones((1, len(train)), bool), of_row != known[:, None]])
    masks = ~held_out[:, :, None] & kept
    runs = trainer.fit_transform(masks.reshape(-1, len(train)))
    outputs = np.array(runs.outputs, np.float64).reshape(*masks.shape[:-1], -1)
    if judges_itself:  # by the models that have not seen them
        outputs = np.where(held_out[:, :, rows][:, :, None], outputs, 0)
    outputs = outputs.sum(axis=1)
    own = np.where(rows >= 0, of_row[rows], -1)
    compared = {}
    for place, group in enumerate(known.tolist()):
        pair = outputs[:, [0, place + 1]]
        among = judged.judges & (own != group) & np.isfinite(pair[:, 0]).all(axis=0)
        pair, truth = pair[:, :, among], judged.truth[among]
        if among.sum() < 2:
            unknown[group] = "No rows of other groups can judge it."
        elif np.isfinite(pair).all():
            compared[group] = _Contrast.of(judged.task, pair, truth)
        else:
            unknown[group] = "Training without it failed."
    return _summed_up(compared, unknown, n_groups, len(held_out), judged.task)


def _summed_up(compared, unknown, n_groups, n_repeats, task):
    """Return the contrasts of groups as LeftOut, with intervals of the largest."""
    effect, error, freedom = np.full((3, n_groups), np.nan)
    shown = np.full((2, n_groups), np.nan)
    # of few trainings each, their noise is known better for all groups together
    noise = max(0.0, np.mean([one.noise for one in compared.values()] or [0]))
    for group, one in compared.items():
        effect[group], shown[:, group] = one.effect, one.shown
        parts = np.array([one.variance, noise])
        error[group] = np.sqrt(parts.sum())
        of_parts = max(1, one.freedom), max(1, (n_repeats - 1) * len(compared))
        shares = parts / (parts.sum() or 1)
        freedom[group] = 1 / max(np.sum(shares**2 / of_parts), 1e-9)
    name = "accuracy" if task == "classification" else "rmse"
    scores = dict(zip([name, f"{name}_without"], shown, strict=True))
    interval = _intervals(effect, error, freedom)
    return LeftOut(effect, interval, scores, unknown, error, freedom)


def _intervals(effect, error, freedom):
    """Return intervals (n_groups, 2) that hold for the largest effects of each sign.

    They are those of :meth:`WeightInference.adjusted_interval
    <skdatamodels.inference.WeightInference.adjusted_interval>` with a side, for errors
    of different degrees of freedom.
    """
    known = np.isfinite(effect)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = special.stdtr(freedom, -abs(effect) / error)
    normal, half = np.array([np.inf]), np.full(len(effect), np.nan)
    for side in (effect > 0, effect <= 0):
        # as normal scores, of which one cut holds for all groups
        score = np.where(side, -special.ndtri(p_value), -np.inf)
        score = np.where(known, score, np.nan)[None]
        cut = cuts_of_targets(score, normal, 2 * FDR, "bh")[0]
        level = FDR / max(1, known.sum())
        level = special.ndtr(-cut) if np.isfinite(cut) else level
        half[side] = (-special.stdtrit(freedom, level) * error)[side]
    return np.stack([effect - half, effect + half], axis=1)


def _minus_rmse(errors):
    """Return what each row adds to minus the root mean squared error, and the latter.

    Their mean over the rows is minus the error, and its variance that of the error to
    first order.
    """
    squares = errors**2
    rmse = np.sqrt(squares.mean(axis=(0, 2)))
    divisor = np.maximum(rmse, np.finfo(float).tiny)[:, None]
    return -(rmse[:, None] + squares / divisor) / 2, rmse
