"""Predicted effects of removing rows against those of retraining on all other rows.

Weights are effects in subsets of a share alpha of the rows. With more rows, each has
less effect, and effects do not quite add up. So some sets of several sizes are removed
from the whole training set, and the effects give the scale of the weights there, and
how far off they are.
"""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skdatamodels._tables import Table, table_html, table_text
from skdatamodels.applications import CounterfactualEffects
from skdatamodels.auditing._effect_model import (
    conformal_quantile,
    fit_changes,
    fit_variances,
)
from skdatamodels.auditing._set_sums import SetSums
from skdatamodels.masks import PackedMasks

NORMAL = 1.959964  # standard errors on each side of a 95 % interval
N_SETS = 52  # that are removed: those of _N_CHECKED rows, and one more of each size
_N_SIZES, _N_CHECKED = 4, 6  # judged rows of each size, with two sets each
_LARGEST, _LEAST_ROWS = 0.1, 3  # share of the rows in the largest sets, and number
_N_ROUNDS = 3


class EffectCheck(NamedTuple):
    """How predicted effects compare with true ones; an :class:`Audit` has it.

    A set of rows is predicted to change an output by the sum of its effects, plus
    `growth` times the sum over all pairs of different rows of the effect of the one and
    the share of the other, which is that of the absolute weight for this output.

    Attributes
    ----------
    scale : float
        Effect of removing a row alone per weight.
    spread : float
        Standard error of an effect per standard error of the weights; at least `scale`.
    effects : CounterfactualEffects or None
        Sums of weights, and true effects, of the rows for and against some judged
        rows. None if nothing was removed.
    growth : float
        How much more rows do together.
    growth_error : float
        Standard error of the growth, which differs between sets.
    shared_error : float
        Standard error of the changes of all outputs per mean of the absolute effects
        of the set on them.
    noise : float or float64 array of shape (n_judged,)
        Standard error from the randomness of training.
    sizes : int array of shape (n_sizes,) or None
        Numbers of rows that were removed. None if nothing was removed.
    widths : float64 array of shape (n_sizes,) or None
        By how much intervals are wider at these sizes than the standard errors say;
        between two sizes linear in the logarithm of the size.
    """

    scale: float
    spread: float
    effects: CounterfactualEffects | None
    growth: float = 0.0
    growth_error: float = 0.0
    shared_error: float = 0.0
    noise: float | np.ndarray = 0.0
    sizes: np.ndarray | None = None
    widths: np.ndarray | None = None

    @property
    def n_most(self):
        """Most rows that were removed, up to which there are intervals, or None."""
        return None if self.sizes is None else int(self.sizes[-1])

    @property
    def relative_error(self):
        """Root mean square error of scaled effects, by their size; 0 if unchecked.

        It is that of the smaller half of the sets, because effects of single rows are
        about as far off as those of a few.
        """
        if self.effects is None or not self.scale > 0:
            return 0.0
        small = self.effects.size <= np.median(self.effects.size)
        known = np.isfinite(self.effects.true) & small
        scaled = self.scale * self.effects.predicted[known]
        error = self.effects.true[known] - scaled
        return float(np.sqrt((error @ error) / (scaled @ scaled)))

    def _table(self):
        n_sets = 0 if self.effects is None else len(self.effects)
        columns = {"scale": [self.scale], "growth": [self.growth], "sets": [n_sets]}
        if self.n_most is not None:
            columns["most rows"] = [self.n_most]
        return Table("Effects in models trained on all rows, per weight", columns)

    __repr__ = table_text
    _repr_html_ = table_html


UNCHECKED = EffectCheck(1.0, 1.0, None)


def predicted_changes(check, sums):
    """Return the predicted changes of outputs by sets, of the shape of the sums."""
    return check.scale * (sums.alone + check.growth * sums.joint)


def half_widths(check, sums):
    """Return half the widths of 95 % intervals; NaN for sets that are too large."""
    noise = np.reshape(check.noise, (-1, 1))
    variance = check.spread**2 * sums.variance + noise**2
    variance = variance + (check.growth_error * check.scale * sums.joint) ** 2
    variance += (check.shared_error * check.scale * sums.strength) ** 2
    half = NORMAL * np.sqrt(variance)
    if check.sizes is None:
        return half
    size = np.maximum(sums.size, 1)
    half = half * np.interp(np.log(size), np.log(check.sizes), check.widths)
    return np.where(size > check.n_most, np.nan, half)


def as_removal(check):
    """Return what :func:`~skdatamodels.pages.write_explorer` calls removal."""
    names = "growth", "growth_error", "shared_error", "noise", "sizes", "widths"
    return {name: getattr(check, name) for name in names}


def check_effects(trainer, judged, targets, noise, seed):
    """Remove rows that matter to some judged rows, and compare the effects.

    Sets have up to a tenth of the rows. They are the rows for and against a judged row,
    and the most harmful ones.

    Parameters
    ----------
    trainer : SubsetTrainer
        Trainer of the runs.
    judged : Judged
        Judged rows that are not in the training set.
    targets : Examples
        The judged rows.
    noise : float array of shape (n_judged,)
        Standard deviation of outputs from the randomness of training.
    seed : int

    Returns
    -------
    check : EffectCheck
    """
    sets, owner = _choose_sets(judged, np.random.default_rng([seed, 4]))
    again = clone(trainer).set_params(
        targets=targets, keep_models=0, unseen_class="floor"
    )
    outputs = again.transform(~sets).outputs
    true = np.asarray(outputs, dtype=np.float64).T - judged.output[:, None]
    variance = judged.model.posterior_variance(judged.runs) @ sets.T
    sums = SetSums.of(judged.weights, variance, sets)
    own = np.flatnonzero(owner >= 0)
    side = np.where(sums.alone[owner[own], own] < 0, "top", "bottom")
    effects = CounterfactualEffects(
        owner[own],
        targets.ids_at(owner[own]),
        side,
        sums.size[own].astype(int),
        sums.alone[owner[own], own],
        true[owner[own], own],
        np.full(len(own), np.nan),
        PackedMasks.from_dense(sets[own]),
    )
    return fit_check(sums, true, owner, noise)._replace(effects=effects)


def fit_check(sums, true, owner, noise):
    """Fit an EffectCheck to the true effects of sets.

    At each size, intervals are as wide as they must be to hold for 95 % of three kinds
    of pairs: sets and the judged row that they were chosen for, sets and other judged
    rows, and the most harmful rows and any judged row.

    Parameters
    ----------
    sums : SetSums
        Their sums.
    true : float array of shape (n_judged, n_sets)
        True effects, NaN if training failed.
    owner : int array of shape (n_sets,)
        Judged row that each set was chosen for, -1 for all.
    noise : float array of shape (n_judged,)
        Standard deviation of outputs from the randomness of training.

    Returns
    -------
    check : EffectCheck
        Without effects.
    """
    row, of_set = np.nonzero(np.isfinite(true + sums.alone + sums.variance))
    kind = np.where(owner[of_set] == row, 0, np.where(owner[of_set] < 0, 2, 1))
    _, kind, counts = np.unique(kind, return_inverse=True, return_counts=True)
    if not (len(row) and sums.alone.any()):
        return UNCHECKED
    weight = 1 / counts[kind]
    pairs, true = sums.pairs(row, of_set), true[row, of_set]
    square = pairs.alone**2
    variance = square + np.average(square, weights=weight)
    for _ in range(_N_ROUNDS):  # each fit needs what the other has found
        scale, growth = fit_changes(pairs, true, weight / variance)
        change = scale * (pairs.alone + growth * pairs.joint)
        squares = np.stack([scale * pairs.joint, scale * pairs.strength, noise[row]])
        parts = np.concatenate([[pairs.variance], squares**2])
        factors = fit_variances(parts, true - change, weight)
        variance = np.maximum(factors @ parts, 1e-12 * square.max())
    scores = np.abs(true - change) / np.sqrt(variance)
    sizes = np.unique(pairs.size).astype(int)
    wide = np.array([_width(scores, kind, pairs.size == size) for size in sizes])
    if not wide.all():  # no error at all for some size
        wide[:] = wide.max()
    error = wide[0] / NORMAL * np.sqrt(factors)
    spread, of_growth, shared, of_noise = map(float, error)
    return EffectCheck(
        scale,
        max(scale, spread),
        None,
        growth,
        growth_error=of_growth,
        shared_error=shared,
        noise=of_noise * noise,
        sizes=sizes,
        widths=wide / wide[0] if wide[0] > 0 else np.ones(len(wide)),
    )


def _width(scores, kind, among):
    """Return the largest conformal quantile of any kind, of some scores."""
    kinds = np.unique(kind[among])
    return max(conformal_quantile(scores[among & (kind == k)]) for k in kinds)


def _choose_sets(judged, rng):
    """Return sets (n_sets, n_train), and the judged row of each, -1 for all."""
    n_judged, n_train = judged.weights.shape
    n_most = min(n_train - 1, max(_LEAST_ROWS, round(_LARGEST * n_train)))
    sizes = np.unique(np.geomspace(1, n_most, _N_SIZES).round().astype(int))
    chosen = np.resize(rng.permutation(n_judged), (len(sizes), _N_CHECKED))
    harmful = np.argsort(judged.mean_benefit(), kind="stable")
    rows, owner = [], []
    for size, some in zip(sizes, chosen, strict=True):
        for row in np.unique(some):
            order = np.argsort(judged.weights[row], kind="stable")
            rows += [order[-size:], order[:size]]
            owner += [row, row]
        rows.append(harmful[:size])
        owner.append(-1)
    sets = np.zeros((len(rows), n_train), dtype=bool)
    for one, members in zip(sets, rows, strict=True):
        one[members] = True
    return sets, np.array(owner)
