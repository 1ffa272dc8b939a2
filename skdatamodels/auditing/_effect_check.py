"""Predicted effects of removing rows against those of retraining on all other rows.

Weights are effects in subsets of a share alpha of the rows. With more rows, each has
less effect, and effects do not quite add up. So some sets are removed from the whole
training set, and the effects give the scale of the weights there, and how far off they
are: intervals are widened as in conformal prediction.

Reference: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-free predictive
inference for regression", Journal of the American Statistical Association 113, 2018.
"""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skdatamodels._tables import Table, table_html, table_text
from skdatamodels.applications import CounterfactualEffects, CounterfactualEvaluation

NORMAL = 1.96  # standard errors on each side of a 95 % interval
N_CHECKED = 12  # judged rows, for each of which two sets are removed
_LEAST_ROWS, _SHARE = 3, 0.01  # in a set


class EffectCheck(NamedTuple):
    """How predicted effects compare with true ones; an :class:`Audit` has it.

    Attributes
    ----------
    scale : float
        True effect per predicted effect, by least squares.
    spread : float
        Standard error of a scaled effect per standard error of the weights, for which
        intervals contain 95 % of the true effects of sets that are drawn alike; at
        least `scale`.
    effects : CounterfactualEffects or None
        The predicted and true effects. None if nothing was removed.
    """

    scale: float
    spread: float
    effects: CounterfactualEffects | None

    @property
    def relative_error(self):
        """Root mean square error of scaled effects, by their size; 0 if unchecked."""
        if self.effects is None or not self.scale > 0:
            return 0.0
        known = np.isfinite(self.effects.true)
        scaled = self.scale * self.effects.predicted[known]
        error = self.effects.true[known] - scaled
        return float(np.sqrt((error @ error) / (scaled @ scaled)))

    def _table(self):
        n_sets = 0 if self.effects is None else len(self.effects)
        columns = {"scale": [self.scale], "spread": [self.spread], "sets": [n_sets]}
        return Table("Effects in models trained on all rows, per weight", columns)

    __repr__ = table_text
    _repr_html_ = table_html


UNCHECKED = EffectCheck(1.0, 1.0, None)


def check_effects(trainer, judged, targets, n_control, seed):
    """Remove the rows for and against some judged rows, and compare the effects.

    Parameters
    ----------
    trainer : SubsetTrainer
        Trainer of the runs.
    judged : Judged
        Judged rows that are not in the training set.
    targets : Examples
        The judged rows.
    n_control : int
        Number of trainings on all rows.
    seed : int

    Returns
    -------
    check : EffectCheck
    """
    rng = np.random.default_rng([seed, 4])
    n_judged, n_train = judged.weights.shape
    chosen = rng.choice(n_judged, min(N_CHECKED, n_judged), replace=False)
    evaluation = CounterfactualEvaluation(
        clone(trainer).set_params(targets=targets, keep_models=0),
        heuristics=("top", "bottom"),
        sizes=[max(_LEAST_ROWS, round(_SHARE * n_train))],
        target_indices=np.sort(chosen),
        n_trials=1,
        n_control_trials=n_control,
        random_state=seed,
    )
    effects = evaluation.fit(judged.weights).effects_
    predicted, true = effects.predicted, effects.true
    known = np.isfinite(true)
    predicted, true = predicted[known], true[known]
    if not predicted.any():
        return UNCHECKED
    scale = float(max(0, predicted @ true) / (predicted @ predicted))
    sets = effects.removed.dense()[known].astype(float)
    variance = judged.model.posterior_variance(judged.runs, sets=sets)
    variance = variance[effects.target[known], np.arange(len(sets))]
    errors = np.abs(true - scale * predicted) / np.sqrt(np.maximum(variance, 1e-300))
    # the conformal quantile: a further set drawn alike has a smaller error in 95 %
    rank = min(len(errors), int(np.ceil(0.95 * (len(errors) + 1))))
    spread = np.sort(errors)[rank - 1] / NORMAL
    return EffectCheck(scale, float(max(scale, spread)), effects)
