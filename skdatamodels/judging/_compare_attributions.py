"""Compare attribution methods on runs that none of them was fitted on."""

import warnings
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils.multiclass import type_of_target

from skdatamodels._examples import Examples
from skdatamodels._progress import progress_bar
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.applications._counterfactuals import CounterfactualEvaluation
from skdatamodels.applications._data_support import DataSupportSearch
from skdatamodels.influence import random_influence, same_class_influence
from skdatamodels.judging._attribution_comparison import AttributionComparison
from skdatamodels.judging._attribution_methods import choose, predict
from skdatamodels.judging._attribution_tests import AttributionTests
from skdatamodels.judging._comparison_checks import (
    check_examples,
    check_names,
    check_repeats,
    check_shapes,
    check_unseen,
)
from skdatamodels.judging._retraining import (
    agreement,
    data_supports,
    effects_of_removals,
    targets_to_retrain,
    tightness,
)
from skdatamodels.masks import PackedMasks
from skdatamodels.metrics import linear_datamodeling_score, noise_ceiling
from skdatamodels.metrics._lds import bootstrap_scores, check_finite
from skdatamodels.runs import TrainingRuns
from skdatamodels.runs._store import library_versions
from skdatamodels.training._players import Players

_NUMBERS = (
    *("lds", "lds_low", "lds_high", "slope"),
    *("counterfactual_spearman", "counterfactual_pearson"),
    *("support_size", "support_certified"),
    *("n_trainings", "seconds"),
)


class _Part(NamedTuple):
    """Runs and targets to compute scores on."""

    masks: PackedMasks
    outputs: np.ndarray
    targets: np.ndarray


@validate_params(
    {
        "attributions": "no_validation",
        "runs": [TrainingRuns],
        "train": [Examples],
        "targets": [Examples],
        "groups": ["array-like", str, None],
        "repeats": ["array-like", None],
        "seen_runs": ["array-like", TrainingRuns, None],
        "counterfactuals": [CounterfactualEvaluation, None],
        "data_support": [DataSupportSearch, None],
        "tests": [dict, None],
        "n_trainings": [dict, None],
        "seconds": [dict, None],
        "remarks": [dict, None],
        "tuning_fraction": [Interval(Real, 0, 1, closed="neither")],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compare_attributions(
    attributions,
    runs,
    train,
    targets,
    *,
    groups=None,
    repeats=None,
    seen_runs=None,
    counterfactuals=None,
    data_support=None,
    tests=None,
    n_trainings=None,
    seconds=None,
    remarks=None,
    tuning_fraction=0.25,
    confidence=0.95,
    n_bootstraps=1000,
    random_state=None,
    verbose=0,
):
    """Compare attribution methods, with controls, uncertainty and cost.

    All methods predict the same runs. Two controls are always included: random
    weights, and weights that use only the classes.

    If a method has a setting to choose (damping, projection size, embedding), pass a
    dict of matrices by setting. Then some runs and some targets are set aside for
    tuning: the setting that best predicts these runs on these targets is chosen, and
    all methods are scored on the other runs and targets. The other settings are not
    scored there, so the best one cannot be picked with hindsight.

    Parameters
    ----------
    attributions : dict of str to method
        The methods by name. A method is one of: an attribution matrix, that is an
        array or CSR matrix of shape (n_targets, n_train); a fitted estimator with such
        a ``coef_``, or a search or pipeline that ends in one; a callable without
        arguments that returns one of these, whose time is measured; or a dict of these
        by setting.
    runs : TrainingRuns
        Runs to score the methods on. No method may have used them.
    train, targets : Examples
        The training set and the targets of the runs.
    groups : array-like of shape (n_train,) or str, default=None
        The `groups` of the trainer of the runs, if it has any. Attribution matrices
        then have a column for each group; see
        :meth:`~skdatamodels.training.SubsetTrainer.sum_over_groups`.
    repeats : array-like of shape (n_repeats, n_subsets, n_targets), default=None
        Outputs of several trainings of the same subsets, for the noise ceiling; see
        :func:`~skdatamodels.metrics.noise_ceiling`. Not needed for a learner without
        randomness, whose ceiling is 1.
    seen_runs : TrainingRuns or masks (n_seen, n_train), default=None
        Runs that the methods were fitted on. It is an error if one of their subsets is
        also in `runs`.
    counterfactuals : CounterfactualEvaluation, default=None
        If given, training examples are removed and models are trained again. Each
        method chooses sets by the heuristics of the evaluation, and predicts the
        effects of the sets of all methods. Pass it unfitted.
    data_support : DataSupportSearch, default=None
        If given, data supports are searched for with the weights of each method.
        Examples of equal weight come in random order unless the search has a
        `fallback`. Pass it unfitted. Like `counterfactuals`, it uses only the reported
        targets and, if given, the `target_indices` of `counterfactuals`.
    tests : dict, default=None
        What is known about the data, for more tests of the weights, in which nothing
        is trained; see :ref:`tests_of_weights`. If given, even as an empty dict, the
        share of the target's class among the highest weights and the overlap of
        targets are tested. The keys are optional:

        - "k": number of highest weights that these two look at, by default 10, but at
          most half of them.
        - "subclasses": labels of the training examples and of the targets that the
          learner was not told, a pair of arrays (n_train,) and (n_targets,).
        - "marked": dict of pairs of bool arrays (n_train,) and (n_targets,), such as
          ``{"shortcut": (of_train, of_targets)}``: marked examples, and targets that
          they should matter to.
        - "wrong_labels": bool array (n_train,), True for wrong labels. Targets that are
          marked do not judge, for their labels need not be their own.
        - "self_influence": dict of arrays (n_train,) by method, the weight of each
          example for its own output, to find the wrong labels: high for those that
          matter most to themselves, or low if lower outputs are better, as losses are.
        - "randomised": dict of attribution matrices by method, of a learner that has
          learnt nothing.
        - "leave_one_out": :class:`~skdatamodels.applications.LeaveOneOut`, or a matrix
          (n_targets, n_train) of effects, NaN for those that were not measured.
    n_trainings : dict of str to int, default=None
        Number of models trained to compute the weights, by method.
    seconds : dict of str to float, default=None
        Time to compute the weights, training included, by method. Replaces the
        measured time.
    remarks : dict of str to object, default=None
        Remarks to record, by method.
    tuning_fraction : float in (0, 1), default=0.25
        Fraction of the runs and of the targets used to choose settings.
    confidence : float in (0, 1), default=0.95
        Confidence level of the intervals.
    n_bootstraps : int, default=1000
        Number of bootstrap draws for each interval.
    random_state : int, RandomState instance or None, default=None
        Determines the split, the random control and the bootstrap draws.
    verbose : int, default=0
        If not 0, show a progress bar.

    Returns
    -------
    comparison : AttributionComparison
        A table with one row per method. The results of `tests`, and the share of
        predictions that flip when counterfactuals remove the highest weights, are in
        its attribute `tests`.

    Raises
    ------
    ValueError
        Before any method is computed: if the runs, the examples, a matrix or a trainer
        belong to other targets or another training set; if a target has a class that
        no training example has; if `runs` contains a subset of `seen_runs`; or if the
        name of a method is that of a control, or unknown; or if `tests` does not match.
        After a method is computed:
        if its weights are not finite or have another shape.

    Warns
    -----
    UserWarning
        If the interval of a method's score is below 0: its sign is probably reversed.

    See Also
    --------
    skdatamodels.plotting.AttributionComparisonDisplay : Draws the table.

    Notes
    -----
    Runs of the same subset stay on the same side of the split.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.1 and appendices F, K.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skdatamodels import DatamodelRegressor, SubsetTrainer
    >>> from skdatamodels.judging import compare_attributions
    >>> from skdatamodels.datasets import load_digits_examples
    >>> from skdatamodels.influence import ridge_influence
    >>> train, targets = load_digits_examples(n_train=100)
    >>> targets = targets[:40]
    >>> learner = RidgeClassifier(alpha=10)
    >>> trainer = SubsetTrainer(
    ...     learner, train, targets, output="log_odds", random_state=0
    ... )
    >>> runs = trainer.fit_transform(np.arange(600))
    >>> comparison = compare_attributions(
    ...     {
    ...         "datamodel": lambda: DatamodelRegressor(random_state=0).fit(runs[:400]),
    ...         "influence": {
    ...             f"ridge {alpha}": ridge_influence(
    ...                 RidgeClassifier(alpha=alpha), train, targets, output="log_odds"
    ...             )
    ...             for alpha in (0.1, 10)
    ...         },
    ...     },
    ...     runs[400:],
    ...     train,
    ...     targets,
    ...     seen_runs=runs[:400],
    ...     n_trainings={"datamodel": 400, "influence": 1},
    ...     random_state=0,
    ... )
    >>> comparison.name.tolist()
    ['datamodel', 'influence', 'random', 'same class']
    >>> comparison.setting.tolist()
    ['', 'ridge 10', '', '']
    >>> bool(comparison.lds[0] > comparison.lds[3] > comparison.lds[2])
    True
    """
    players = Players(train, groups)
    check_examples(runs, train, targets, players, counterfactuals, data_support)
    check_names(attributions, n_trainings, seconds, remarks)
    check_shapes(attributions, runs)
    repeats = check_repeats(repeats, runs.n_targets)
    check_unseen(runs, seen_runs)
    check_finite(runs.outputs, "runs.outputs", ("run", "target"), allow_nan=True)
    entropy = entropy_from(random_state)
    # spawned, so that they differ from a user's generator with the same seed
    control_rng, split_rng = np.random.default_rng(entropy).spawn(2)
    controls = _controls(train, targets, players, control_rng, runs.output_info)
    tuned = any(isinstance(given, dict) for given in attributions.values())
    tuning, reported = _split(runs, tuning_fraction if tuned else 0, split_rng)
    retrained = targets_to_retrain(counterfactuals, reported.targets)
    tested = AttributionTests(
        tests,
        train,
        targets,
        (runs.n_targets, runs.n_train),
        output=runs.output_info,
        methods=attributions,
        has_classes="same class" in controls and not players.are_groups,
    )
    methods = {
        name: choose(name, given, (runs.n_targets, runs.n_train), tuning)
        for name, given in progress_bar(
            (attributions | controls).items(), verbose=verbose
        )
    }
    matrices = {name: method.weights for name, method in methods.items()}
    scores, draws = _scores(matrices, reported, n_bootstraps, confidence, entropy)
    _warn_of_turned_signs({name: scores[name] for name in attributions})
    effects = effects_of_removals(counterfactuals, matrices, retrained)
    supports = data_supports(data_support, matrices, retrained)
    n_trainings = {name: 0 for name in controls} | (n_trainings or {})
    return AttributionComparison(
        **_table(methods, controls, scores, effects, supports, n_trainings, seconds),
        ceiling=_ceiling(repeats, reported.targets),
        settings=_judged_on(targets, tuning, reported, repeats)
        | {
            "retrained_targets": retrained if effects or supports else None,
            "confidence": confidence,
            "n_bootstraps": n_bootstraps,
            "random_state": entropy,
            "versions": library_versions(),
            "methods": _records(methods, remarks),
        },
        draws=draws,
        effects=effects,
        supports=supports,
        tests=tested.run(
            matrices,
            effects,
            reported.targets,
            n_bootstraps=n_bootstraps,
            confidence=confidence,
            entropy=entropy,
        ),
    )


def _controls(train, targets, players, rng, output):
    """Return the controls that suit an output."""

    def random():
        return players.total_weights(random_influence(train, targets, random_state=rng))

    of_regression = output.name in ("prediction", "squared_error")
    if of_regression or type_of_target(train.y).startswith("continuous"):
        return {"random": random}
    sign = output.sign or 1  # -1 where lower outputs are better
    same_class = same_class_influence(train, targets)  # checks classes now
    same_class = sign * players.total_weights(same_class)
    return {"random": random, "same class": lambda: same_class}


def _split(runs, fraction, rng):
    """Return the tuning part (empty if `fraction` is 0) and the reported part."""
    outputs = np.asarray(runs.outputs)
    _, subset = np.unique(runs.packed.bits, axis=0, return_inverse=True)
    subset = subset.reshape(-1)
    n_subsets = subset.max() + 1
    tuning_subsets = rng.permutation(n_subsets) < round(fraction * n_subsets)
    tuning_targets = rng.permutation(runs.n_targets) < round(fraction * runs.n_targets)
    parts = []
    for side in (True, False):
        rows = np.flatnonzero(tuning_subsets[subset] == side)
        columns = np.flatnonzero(tuning_targets == side)
        parts.append(_Part(runs.packed[rows], outputs[rows][:, columns], columns))
        if fraction and (len(rows) < 3 or len(columns) == 0):
            raise ValueError(
                f"Settings are chosen on {fraction:.0%} of the runs and targets and "
                f"scored on the rest: {len(runs)} runs of {n_subsets} subsets and "
                f"{runs.n_targets} targets are too few."
            )
    return parts


def _scores(matrices, part, n_bootstraps, confidence, entropy):
    """Return scores by method (see `_score`) and draws (n_methods, n_bootstraps)."""
    scores, draws = {}, []
    for name, weights in matrices.items():
        predicted = predict(weights[part.targets], part.masks)
        rng = np.random.RandomState(entropy % 2**32)  # the same draws for all methods
        drawn = bootstrap_scores(part.outputs, predicted, n_bootstraps, rng)
        scores[name] = _score(part.outputs, predicted, drawn, confidence)
        draws.append(drawn)
    return scores, np.array(draws)


def _score(outputs, predicted, draws, confidence):
    """Return the score, the ends of its interval, and the slope."""
    score = linear_datamodeling_score(outputs, predicted)
    tail = (1 - confidence) / 2
    ends = np.nanquantile(draws, [tail, 1 - tail])
    return score, *ends, _slope(outputs, predicted)


def _warn_of_turned_signs(scores):
    for name, (score, _, high, _) in scores.items():
        if high < 0:
            warnings.warn(
                f"{name!r} ranks the runs in reverse order, with a score of "
                f"{score:.2f}: its sign is probably wrong. A positive weight must mean "
                "that the example raises the output.",
                UserWarning,
                stacklevel=4,
            )


def _table(methods, controls, scores, effects, supports, n_trainings, seconds):
    """Return the columns of the table by name; each row is a method."""
    took = {name: method.seconds for name, method in methods.items()} | (seconds or {})
    rows = [
        (
            *scores[name],
            *agreement(effects, name),
            *tightness(supports, name),
            n_trainings.get(name, np.nan),
            took[name],
        )
        for name in methods
    ]
    return {
        "name": np.array(list(methods)),
        "is_control": np.array([name in controls for name in methods]),
        "setting": np.array([method.record["setting"] for method in methods.values()]),
        **dict(zip(_NUMBERS, np.array(rows, dtype=np.float64).T, strict=True)),
    }


def _ceiling(repeats, targets):
    return np.nan if repeats is None else noise_ceiling(repeats[:, :, targets])


def _judged_on(targets, tuning, reported, repeats):
    """Return what is on record of the runs and the targets."""
    return {
        "n_runs": len(reported.masks),
        "n_train": reported.masks.shape[1],
        "targets": reported.targets,
        "target_ids": targets.ids_at(reported.targets),
        "n_tuning_runs": len(tuning.masks),
        "n_tuning_targets": len(tuning.targets),
        "repeats": None if repeats is None else repeats.shape[:2],
    }


def _records(methods, remarks):
    """Return the record of each method."""
    return {
        name: method.record | {"remarks": (remarks or {}).get(name)}
        for name, method in methods.items()
    }


def _slope(truth, predicted):
    """Return the slope of the outputs on the prediction, as a median over targets."""
    known = ~np.isnan(truth)
    n_known = np.maximum(1, known.sum(axis=0))
    truth, predicted = (np.where(known, y, 0.0) for y in (truth, predicted))
    truth, predicted = (
        np.where(known, y - y.sum(axis=0) / n_known, 0) for y in (truth, predicted)
    )
    energy = (predicted**2).sum(axis=0)
    varies = energy > 0
    if not varies.any():
        return np.nan
    return np.median((truth * predicted).sum(axis=0)[varies] / energy[varies])
