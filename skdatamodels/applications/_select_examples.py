"""Select training examples to drop, add or relabel."""

import numpy as np

from skdatamodels._examples import names_at
from skdatamodels._last_step import last_step
from skdatamodels.applications._attributions import (
    check_target_indices,
    check_train,
    check_weights,
    names_of,
)
from skdatamodels.applications._objective import (
    component_groups,
    group_objective,
    held_out_error,
    predicted_gains,
    slice_objective,
)
from skdatamodels.applications._quality import quality_of, warn_if_weak
from skdatamodels.applications._selection import Selection
from skdatamodels.applications._selection_inputs import (
    check_beta,
    check_candidates,
    check_classes,
    check_groups,
    check_judge,
    check_labels,
    check_n_targets,
    check_objective,
    check_outputs,
    check_sizes_of_groups,
    info_of,
    sign_for,
)

_ACTIONS = "drop", "add", "relabel"


def select_examples(
    weights,
    *,
    objective="mean",
    action="drop",
    train=None,
    targets=None,
    groups=None,
    outputs=None,
    beta=None,
    target_classes=None,
    candidates=None,
    labels=None,
    held_out=None,
    higher_is_better=None,
):
    """Select the training examples to drop, add or relabel for an objective.

    The objective is the mean output of the targets, of some of them, or of the worst
    group of them. A weight is the effect of an example on the output of a target, so
    the mean of its weights predicts what the objective loses without it.

    Parameters
    ----------
    weights : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
        A regressor such as :class:`~skdatamodels.regression.DatamodelRegressor`,
        fitted on :class:`~skdatamodels.runs.TrainingRuns`, or an attribution matrix.
    objective : {"mean", "worst_group"} or array-like of shape (n_targets,), \
default="mean"
        What is to improve: the mean output of all targets alike, that of the group of
        targets with the worst mean, or a weighted mean. Its weights are at least 0,
        and 0 for targets that do not count; a bool array is a slice.
    action : {"drop", "add", "relabel"}, default="drop"
        What can be done with the examples. To "relabel" only predicts the effect of
        taking the old label away, see Notes.
    train : Examples, default=None
        The training set, for ids. Needed to "relabel". To "add", it is used to check
        that the pool has no copies of examples of the training set. Leave it out if the
        columns of the weights are groups of examples.
    targets : int array-like of shape (n_chosen,), default=None
        Targets that choose. Leave out those that :meth:`Selection.verify` is to judge
        on. None means all.
    groups : array-like of shape (n_targets,) or "components", default=None
        Group of each target, such as a source, or the class and an attribute. With
        "components", each class of targets is divided in two by the sign of the first
        principal component of its weights; see Notes. Needed for "worst_group".
    outputs : TrainingRuns or float array-like of shape (n_targets,) or \
(n_runs, n_targets), default=None
        Outputs of the targets, which say which group is the worst: the runs of the
        weights, whose mean is used, or outputs of the full model. Needed with groups
        for "worst_group", and for "components".
    beta : float, default=None
        How much the worst group counts for "worst_group": groups have weights
        proportional to ``exp(beta * loss)``, where the loss is the mean output, negated
        if higher is better. It is in 1 / unit of the output; 0 gives all groups the
        same weight, ``np.inf`` all of it to the worst. None is 1 divided by the
        standard deviation of the outputs of the targets, so that the unit does not
        matter.
    target_classes : array-like of shape (n_targets,), default=None
        Class of each target, for "components". Not needed for a fitted regressor that
        knows them.
    candidates : bool array-like of shape (n_train,) or int array-like, default=None
        Training examples that may be acted on, as a mask or as positions. To "add",
        they are the pool, and all others the training set that they are added to;
        otherwise, None means all.
    labels : array-like of shape (n_train,), default=None
        To "relabel": the label that each example should have, such as an out-of-sample
        prediction. Examples that have it already are left out.
    held_out : fitted estimator, or array-like or CSR of shape (n_targets, n_train), \
default=None
        Weights from about as many other runs, fitted alike. They judge what `weights`
        have chosen: `held_out_gain`, its error and `n_suggested` are theirs. Without
        them, noise that targets share, because their outputs come from the same runs,
        counts as gain.
    higher_is_better : bool, default=None
        Whether high outputs are better. Not needed for a fitted regressor or with
        TrainingRuns as `outputs`, which know it.

    Returns
    -------
    selection : Selection
        The examples in order, with the improvement that each of them promises, how many
        are worth it, and a method to verify it by retraining.

    Warns
    -----
    UserWarning
        If the weights of a fitted regressor explain nothing of held-out runs.

    Raises
    ------
    ValueError
        If an argument is missing, does not match the weights, is of other targets or is
        not finite; if a group, or the slice, has fewer than 10 targets that choose; if
        it is not known whether higher is better; or if the pool has copies of examples
        of the training set.
    TypeError
        If an argument has another type.

    See Also
    --------
    harmful_examples : Examples with a bad mean weight, with intervals.
    removal_check : Retrain without the first examples of any order.

    Notes
    -----
    For the worst group, the score of an example is the mean over groups, with their
    weights, of the mean of its weights over the targets of the group, with the sign of
    an improvement. This is the group alignment of D3M, and the first-order change of a
    smooth maximum of the losses of groups. D3M removes all examples with a positive
    score; `n_suggested` may be fewer, because another group may become the worst, and
    because weights suit the targets that chose.

    "components" is for groups that are not known (Auto-D3M): within a class, the
    targets whose weights differ the most are likely to be those with and without the
    attribute that the model relies on. The part with the worse outputs is called
    "worse". A class is not divided if a part would have fewer than 10 targets that
    choose.

    To "add" takes the candidates with the largest mean weight on the targets, as DsDm
    does. The weights must be from runs whose subsets are drawn from the training set
    and the pool together.

    To "relabel" has the same scores as to "drop", for a weight says what happens
    without the example, not what happens if it has another label. If the new label is
    right, more is gained; if it is wrong, much can be lost. The order also says nothing
    about which labels are wrong: ask :func:`find_label_errors` for `labels`, and
    verify.

    All predictions are linear, and so are less reliable for many examples.

    References
    ----------
    Jain, Hamidieh, Georgiev, Ilyas, Ghassemi, Madry, "Improving Subgroup Robustness via
    Data Selection", NeurIPS 2024 (arXiv:2406.16846), sections 3 and 4: "drop".

    Engstrom, Feldmann, Madry, "DsDm: Model-Aware Dataset Selection with Datamodels",
    ICML 2024 (arXiv:2401.12926), section 3: "add".

    Examples
    --------
    Example 1 is good for the first ten targets, and bad for the others, which have low
    margins:

    >>> import numpy as np
    >>> from skdatamodels.applications import select_examples
    >>> weights = np.repeat([[0.1, 0.3, 0.0], [0.1, -0.5, -0.2]], 10, axis=0)
    >>> selection = select_examples(
    ...     weights,
    ...     objective="worst_group",
    ...     groups=np.repeat(["most", "few"], 10),
    ...     outputs=np.repeat([3.0, -1.0], 10),
    ...     higher_is_better=True,
    ... )
    >>> selection.examples, selection.score.round(2)
    (array([1, 2, 0]), array([ 0.4 ,  0.18, -0.1 ]))
    >>> selection.gain.round(2), selection.n_suggested
    (array([0. , 0.5, 0.7, 0.6]), 2)
    """
    if action not in _ACTIONS:
        raise ValueError(f"action must be one of {_ACTIONS}, got {action!r}.")
    quality = quality_of(weights)
    warn_if_weak(weights)
    matrix = check_weights(weights)
    n_targets, n_train = matrix.shape
    judge = check_judge(held_out, matrix)
    sign = sign_for(weights, outputs, higher_is_better)
    check_train(train, n_train)
    candidates = check_candidates(candidates, n_train, action, train)
    labels, examples = check_labels(labels, candidates, action, train, weights)
    rows = check_target_indices(targets, n_targets, "targets")
    target_weights = check_objective(objective, n_targets, rows)
    in_objective = np.ones(n_targets, dtype=bool)
    if not isinstance(objective, str):
        in_objective = np.asarray(objective) > 0
    check_beta(beta, objective)
    groups = check_groups(groups, objective, n_targets)
    if target_weights is not None:
        rows = np.flatnonzero(target_weights)
    needed = target_weights is None or isinstance(groups, str)
    values = check_outputs(outputs, weights, n_targets, rows, needed)
    if isinstance(groups, str):
        classes = check_classes(target_classes, weights, n_targets)
        groups = component_groups(matrix, classes, rows, values, sign)
    if target_weights is None:
        check_sizes_of_groups(groups, rows)
        goal = group_objective(groups, rows, values, sign, beta)
    else:
        check_n_targets("The objective", len(rows))
        goal = slice_objective(target_weights)
    factor = 1 if action == "add" else -1
    score, gain, held_out, orders = predicted_gains(
        matrix, goal, factor, sign, examples, judge
    )
    order = np.argsort(-score, kind="stable")
    examples, most = examples[order], (score > 0).sum()
    if action == "drop":  # not the whole training set
        most = min(most, n_train - 1)
    n_suggested = int(held_out[: most + 1].argmax())
    first = orders[:, :n_suggested]
    names = names_of(weights, train, "player_ids_")
    info = info_of(weights, outputs)
    return Selection(
        examples=examples,
        score=score[order],
        gain=gain,
        held_out_gain=held_out,
        held_out_error=held_out_error(matrix, goal, factor, sign, first, judge),
        other_runs=judge is not None,
        n_suggested=n_suggested,
        action=action,
        objective=objective if isinstance(objective, str) else "slice",
        group_names=goal.names,
        group_sizes=np.bincount(goal.codes[goal.codes >= 0]),
        group_outputs=goal.outputs,
        group_weights=goal.weights,
        groups=groups,
        targets=rows,
        in_objective=in_objective,
        candidates=candidates,
        labels=None if labels is None else labels[examples],
        ids=None if names is None else names_at(np.asarray(names), examples),
        target_ids=getattr(last_step(weights), "target_ids_", None),
        n_targets=n_targets,
        unit=info.unit,
        higher_is_better=sign == 1,
        quality=quality,
    )
