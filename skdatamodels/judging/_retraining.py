"""Compare attribution methods by retraining, under the same conditions for all."""

from functools import partial

import numpy as np
from sklearn.base import clone

from skdatamodels.applications._attributions import check_weights
from skdatamodels.applications._removal_sets import HEURISTICS
from skdatamodels.training import ComponentAblation


def targets_to_retrain(counterfactuals, reported):
    """Return the reported targets that the evaluation selects."""
    asked = getattr(counterfactuals, "target_indices", None)
    if asked is None:
        return reported
    kept = np.asarray(asked)[np.isin(asked, reported)]
    if kept.size == 0:
        raise ValueError(
            "None of the target_indices of the CounterfactualEvaluation is among the "
            "reported targets. Add targets, or use a smaller tuning_fraction."
        )
    return kept


def effects_of_removals(evaluation, matrices, targets):
    """Train without the sets that the methods choose; each method predicts all sets.

    Returns
    -------
    effects : dict of str to CounterfactualEffects
    """
    if evaluation is None:
        return {}
    sets, others = dict(evaluation.baselines or {}), []
    for heuristic in evaluation.heuristics:
        if heuristic == "random" or heuristic not in HEURISTICS:
            others.append(heuristic)
            continue
        for name, weights in matrices.items():
            sets[f"{heuristic} of {name}"] = HEURISTICS[heuristic](weights)
    evaluation = clone(evaluation).set_params(
        heuristics=others, baselines=sets, target_indices=targets
    )
    evaluation.fit(next(iter(matrices.values())))
    return {name: evaluation.effects_by(weights) for name, weights in matrices.items()}


def data_supports(search, matrices, targets):
    """Search for data supports by the weights of each method.

    Unless the search has a fallback, examples of equal weight come in random order.
    Otherwise a sparse method would get credit for the default order.

    Returns
    -------
    supports : dict of str to DataSupportSearch
    """
    if search is None:
        return {}
    trainer = clone(search.trainer)
    learner, some = trainer.estimator, trainer.targets[targets]
    if isinstance(trainer, ComponentAblation):
        evaluate = partial(_measure_some, trainer.evaluate, targets)
        trainer.set_params(evaluate=evaluate, target_ids=some.ids)
    else:
        if not (hasattr(learner, "fit") or hasattr(learner, "make_learner")):
            learner = partial(_measure_some, learner, targets)
        trainer.set_params(estimator=learner, targets=some)
    fallback = search.fallback
    if not isinstance(fallback, str):
        fallback = "random" if fallback is None else check_weights(fallback)[targets]
    search = clone(search).set_params(trainer=trainer, fallback=fallback)
    return {name: clone(search).fit(w[targets]) for name, w in matrices.items()}


def _measure_some(learner, targets, subset, seed):
    """Call a learner that measures all targets, and return the outputs of some."""
    return np.atleast_1d(learner(subset, seed))[targets]


def agreement(effects, name):
    """Return Spearman and Pearson correlation of a method's effects, or NaN."""
    if name not in effects:
        return np.nan, np.nan
    return effects[name].correlations()["all"][:2]


def tightness(supports, name):
    """Return the median size and the certified fraction of data supports, or NaN."""
    if name not in supports:
        return np.nan, np.nan
    search = supports[name]
    sizes = np.where(search.censored_, np.inf, search.support_size_)
    return np.median(sizes), search.certified_.mean()
