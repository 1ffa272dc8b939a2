"""Retrain as the best, the worst or random examples go, or come, in steps."""

import sys
import warnings
from collections.abc import Mapping
from numbers import Integral
from time import perf_counter

import numpy as np

from skdatamodels._last_step import last_step
from skdatamodels._numbers import as_real
from skdatamodels._progress import duration
from skdatamodels._random import entropy_from
from skdatamodels._sklearn_compat import Interval, validate_params
from skdatamodels.applications._attributions import (
    check_matches,
    check_target_indices,
    check_weights,
    sign_of_better,
)
from skdatamodels.applications._curve_metrics import metric_of, scores_of
from skdatamodels.applications._edits import Edits
from skdatamodels.applications._quality import warn_if_weak
from skdatamodels.applications._removal_curves_result import (
    ORDERS,
    RemovalCurves,
    scores_of_curves,
)
from skdatamodels.applications._removal_sets import check_sizes
from skdatamodels.masks import PackedMasks
from skdatamodels.training import ComponentAblation, SubsetTrainer
from skdatamodels.training._players import players_of

_SIZES = 0.05, 0.1, 0.2, 0.3, 0.4, 0.5


@validate_params(
    {
        "trainer": [SubsetTrainer, ComponentAblation],
        "add": ["boolean"],
        "sizes": ["array-like", None],
        "choose": ["array-like", None],
        "targets": ["array-like", None],
        "allow_overlap": ["boolean"],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "higher_is_better": ["boolean", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def removal_curves(
    trainer,
    attributions,
    *,
    add=False,
    sizes=None,
    scoring=None,
    choose=None,
    targets=None,
    allow_overlap=False,
    n_trials=5,
    higher_is_better=None,
    random_state=None,
):
    """Retrain as the best, the worst or random examples go, or come, in steps.

    Good values of training examples tell which ones models need: without the best,
    models get worse, and without the worst they stay as good or get better, compared
    with models without as many random ones.

    Parameters
    ----------
    trainer : SubsetTrainer or ComponentAblation
        Trains the models. Its `alpha` and `design` are not used.
    attributions : dict of str to array-like or fitted estimator
        By name: an attribution matrix of shape (n_targets, n_train), dense or CSR; an
        estimator that has it as ``coef_``; or values of the examples, of shape
        (n_train,), higher for better ones, such as those of
        :func:`~skdatamodels.influence.data_oob`. A matrix has a row for each target of
        the trainer; examples are ordered by the mean of the rows of `choose`, and the
        best are those whose presence makes outputs better. The result of
        :func:`~skdatamodels.influence.cheap_attributions` is such a dict.
    add : bool, default=False
        Whether to train on the first examples of each order, instead of on all others.
    sizes : list of int or float, default=None
        Numbers of examples to remove, or to train on; or fractions of the training set.
        None means 0.05, 0.1, 0.2, 0.3, 0.4 and 0.5.
    scoring : str, callable or None, default=None
        Score of a model. "accuracy" or "balanced_accuracy" of margins or log-odds;
        "mean_squared_error", "mean_absolute_error" or "r2" of predictions;
        "mean_output" of any output; or a callable ``(outputs, y) -> number``, higher
        for better models, which gets the outputs and the labels or values of the
        targets that judge, both of shape (n_judging,). None means accuracy, mean
        squared error, or the mean of other outputs.
    choose : int array-like of shape (n_choosing,), default=None
        Rows of the trainer's targets that order the examples. None means those that are
        not in `targets`.
    targets : int array-like of shape (n_judging,), default=None
        Rows of the trainer's targets that judge. None means those that are not in
        `choose`. If both are None and there is a matrix, a random half of the targets
        chooses and the other half judges; with `allow_overlap`, all do both. If there
        are only values, all judge; the values must then not come from these targets.
    allow_overlap : bool, default=False
        Whether targets may judge an order that they have chosen. The curves are then
        better than those of new targets.
    n_trials : int, default=5
        Number of trainings of each training set, with different seeds, and number of
        random sets of each size.
    higher_is_better : bool, default=None
        Whether higher outputs are better. Only needed if the trainer and fitted
        estimators do not know it.
    random_state : int, RandomState instance or None, default=None
        Determines the halves of targets, the order of examples of equal value, and the
        random sets. The trainer has its own.

    Returns
    -------
    curves : RemovalCurves
        The scores by size, and how much better than random each curve is. There are
        at most ``n_trials * (1 + len(sizes) * (1 + 2 * len(attributions)))`` trainings;
        equal sets are trained once. If the trainer is `verbose`, their number and time
        are printed to stderr before they start.

    Warns
    -----
    RuntimeWarning
        If trainings failed, for any `on_failure` of the trainer. Their scores are NaN,
        and areas leave out the sizes concerned. A few examples to train on may all be
        of one class, which many classifiers cannot learn.
    UserWarning
        If the weights of a fitted regressor explain nothing of held-out runs.

    Raises
    ------
    ValueError
        Before any training: if an attribution is not finite or has another shape, a
        size is not below n_train, a target does not exist, no target chooses or judges,
        some do both without `allow_overlap`, `scoring` does not suit the output, it is
        not known which outputs are better, or `higher_is_better` contradicts the output
        of the trainer.
    RuntimeError
        If all trainings on the full training set failed.

    See Also
    --------
    removal_check : The same for one order, which need not be one of all examples.
    skdatamodels.plotting.RemovalCurvesDisplay : Plots the curves.

    Notes
    -----
    Examples of equal value are in a random order, another one in each trial. If the
    trainer has `groups`, they take the place of the examples.

    References
    ----------
    Ghorbani and Zou, "Data Shapley: equitable valuation of data for machine learning",
    ICML 2019, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels import Examples, SubsetTrainer
    >>> from skdatamodels.applications import removal_curves
    >>> from skdatamodels.influence import data_oob, ridge_influence
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> y = X.sum(axis=1)
    >>> train = Examples(X[:40], np.r_[y[:4] + 9, y[4:40]])  # four wrong values
    >>> targets = Examples(X[40:], y[40:])
    >>> trainer = SubsetTrainer(Ridge(), train, targets, output="squared_error")
    >>> influence = ridge_influence(Ridge(), train, targets, output="squared_error")
    >>> values = data_oob(Ridge(), train, n_estimators=30, random_state=0)
    >>> curves = removal_curves(
    ...     trainer,
    ...     {"influence": influence, "Data-OOB": values},
    ...     sizes=[2, 4, 8],
    ...     random_state=0,
    ... )
    >>> curves.attribution.tolist()
    ['influence', 'influence', 'Data-OOB', 'Data-OOB', 'random']
    >>> worst = curves.order == "worst first"
    >>> (curves.area_interval[worst, 0] > 0).tolist()
    [True, True]
    """
    metric = metric_of(scoring, trainer.output_info, higher_is_better)
    n_train, entropy = len(players_of(trainer)), entropy_from(random_state)
    steps = check_sizes(_SIZES if sizes is None else sizes, n_train)
    given = _check_all(attributions, trainer, higher_is_better)
    has_matrix = any(np.ndim(weights) == 2 for weights, _ in given.values())
    choose, targets = _choose_and_judge(
        choose, targets, len(trainer.targets), has_matrix, allow_overlap, entropy
    )
    values = {
        name: weights
        if np.ndim(weights) == 1
        else sign * np.asarray(weights[choose].mean(axis=0), np.float64).ravel()
        for name, (weights, sign) in given.items()
    }
    first = _first_of_orders(values, steps, n_train, n_trials, entropy)
    kept = first if add else ~first
    edits = Edits(trainer)
    edits.trainer.set_params(on_failure="nan")  # what cannot be trained ends no curve
    start = perf_counter()
    everything = PackedMasks.from_dense(np.ones((1, n_train), dtype=bool))
    (whole,) = edits.train(everything, n_trials)
    seconds = perf_counter() - start
    y = trainer.targets.y[targets]
    scores_of(whole[:, targets], y, metric)  # a metric that fails, fails here
    outputs = _train_kept(edits, kept, n_trials, seconds)
    whole = np.broadcast_to(whole, (len(kept), 1, *whole.shape))
    both = (outputs, whole) if add else (whole, outputs)
    names = [name for name in values for _ in ORDERS]
    trained = {
        "order": np.array([*ORDERS * len(values), "random"]),
        "size": np.r_[steps, n_train] if add else np.r_[0, steps],
        "added": bool(add),
        "y": y,
        "outputs": np.concatenate(both, axis=1)[..., targets],
    }
    return RemovalCurves(
        attribution=np.array([*names, "random"]),
        **trained,
        **scores_of_curves(metric, entropy, **trained),
        targets=targets,
        chosen_by=choose if has_matrix else choose[:0],
        output_info=trainer.output_info,
        n_train=n_train,
        n_trained=edits.n_trained,
        _entropy=entropy,
    )


def _check_all(attributions, trainer, higher_is_better):
    """Return, by name, the weights or values, and the sign that makes them benefits."""
    if not (isinstance(attributions, Mapping) and len(attributions)):
        raise TypeError(
            "attributions must be a dict of names to attribution matrices, fitted "
            f"estimators or values, with one or more; got {type(attributions).__name__}"
            "."
        )
    checked = {}
    for name, given in attributions.items():
        if not isinstance(name, str) or name == "random":
            raise ValueError(
                f'Names of attributions must be text other than "random", got {name!r}.'
            )
        what = f"attributions[{name!r}]"
        if not hasattr(last_step(given), "fit") and np.ndim(given) not in (1, 2):
            raise TypeError(
                f"{what} must be an attribution matrix (n_targets, n_train), values "
                f"(n_train,) or a fitted estimator; got {type(given).__name__}."
            )
        if np.ndim(given) == 1 and not hasattr(given, "fit"):
            checked[name] = _check_values(given, what, trainer), 1
            continue
        warn_if_weak(given, stacklevel=5)
        weights = check_weights(given, what)
        check_matches(given, weights.shape, trainer, what)
        better = higher_is_better
        if getattr(last_step(given), "output_info_", None) is None and better is None:
            better = trainer.output_info.higher_is_better
            if trainer.output_info.name == "prediction":
                raise ValueError(
                    f"{what} is a matrix, but of the output 'prediction' neither "
                    "higher nor lower values are better. Use output='squared_error' "
                    "for the trainer and the matrix, or pass values (n_train,)."
                )
        checked[name] = weights, sign_of_better(given, better)
    return checked


def _check_values(values, what, trainer):
    """Return values of examples, float64 of shape (n_train,)."""
    players = players_of(trainer)
    values = as_real(values, what).astype(np.float64)
    if len(values) != len(players):
        hint = ""
        if players.are_groups and len(values) == players.n_rows:
            hint = (
                " Pass a value for each group: trainer.sum_over_groups(values[None])[0]"
                " for values that add up, such as weights, and means for others, "
                "such as those of data_oob."
            )
        raise ValueError(
            f"{what} has {len(values)} values, but there are {len(players)} "
            f"{players.noun}s.{hint}"
        )
    if not np.isfinite(values).all():
        raise ValueError(
            f"{what} has {np.sum(~np.isfinite(values))} values that are not finite."
        )
    return values


def _choose_and_judge(choose, targets, n_targets, has_matrix, allow_overlap, entropy):
    """Return the targets that choose and those that judge, int arrays."""
    every = np.arange(n_targets)
    if choose is None and targets is None and not allow_overlap:
        if not has_matrix:
            return every[:0], every
        shuffled = np.random.default_rng([entropy, 0]).permutation(n_targets)
        half = n_targets // 2
        choose, targets = np.sort(shuffled[:half]), np.sort(shuffled[half:])
    else:
        given = choose, targets
        choose = check_target_indices(choose, n_targets, "choose")
        targets = check_target_indices(targets, n_targets, "targets")
        if given[0] is None and not allow_overlap:
            choose = np.setdiff1d(every, targets)
        if given[1] is None and not allow_overlap:
            targets = np.setdiff1d(every, choose)
    n_both = len(np.intersect1d(choose, targets))
    if has_matrix and n_both and not allow_overlap:
        raise ValueError(
            f"{n_both} targets are in choose and in targets. Targets that choose the "
            "order make it look too good: removing what lowers their outputs raises "
            "these outputs. Let others judge, or pass allow_overlap=True."
        )
    if not len(targets) or (has_matrix and not len(choose)):
        missing = "judges" if not len(targets) else "chooses"
        raise ValueError(
            f"No target {missing}. Give choose and targets one or more of the "
            f"{n_targets} targets each, or pass allow_overlap=True."
        )
    return choose, targets


def _first_of_orders(values, sizes, n_train, n_trials, entropy):
    """Return the first examples, bool (n_curves, n_sizes, n_trials, n_train).

    Curves are the orders of each attribution, and the random one.
    """
    first = np.zeros((2 * len(values) + 1, len(sizes), n_trials, n_train), dtype=bool)
    for trial in range(n_trials):
        rng = np.random.default_rng([entropy, 1, trial])
        ties = rng.random(n_train)
        orders = [
            np.lexsort([ties, sign * value])
            for value in values.values()
            for sign in (-1, 1)
        ]
        for curve, order in enumerate([*orders, rng.permutation(n_train)]):
            for row, size in zip(first[curve], sizes, strict=True):
                row[trial, order[:size]] = True
    return first


def _train_kept(edits, kept, n_trials, seconds):
    """Train on the examples that are kept, bool (n_curves, n_sizes, n_trials, n_train).

    A set that is the same in all trials is trained with as many seeds, once for all
    curves that have it. `seconds` is the time of `n_trials` trainings.

    Returns
    -------
    outputs : float32 array of shape (n_curves, n_sizes, n_trials, n_targets)
    """
    sets = kept.reshape(-1, *kept.shape[2:])
    same = (sets == sets[:, :1]).all(axis=(1, 2))
    fixed = PackedMasks.from_dense(sets[same, 0])
    varied = PackedMasks.from_dense(sets[~same].reshape(-1, kept.shape[-1]))
    if edits.trainer.verbose:
        n_sets = n_trials * len(np.unique(fixed.bits, axis=0)) + len(varied)
        print(
            f"removal_curves: {n_sets:,} trainings, about "
            f"{duration(seconds / n_trials * n_sets)} if each takes as long as the "
            f"first {n_trials}, on all examples.",
            file=sys.stderr,
            flush=True,
        )
    outputs = np.empty((len(sets), n_trials, len(edits.trainer.targets)), np.float32)
    outputs[same] = _train_largest_first(edits, fixed, n_trials)
    outputs[~same] = _train_largest_first(edits, varied, 1).reshape(
        -1, *outputs.shape[1:]
    )
    return outputs.reshape(*kept.shape[:3], -1)


def _train_largest_first(edits, masks, n_trials):
    """Return the outputs (n_masks, n_trials, n_targets), NaN if no training succeeds.

    Small sets may all fail, and training ends if the first ones do.
    """
    outputs = np.full((len(masks), n_trials, len(edits.trainer.targets)), np.nan)
    if len(masks):
        order = np.argsort(-masks.dense().sum(axis=1), kind="stable")
        try:
            outputs[order] = edits.train(masks[order], n_trials)
        except RuntimeError as error:  # none of the sets can be trained
            warnings.warn(str(error), RuntimeWarning, stacklevel=5)
    return outputs
