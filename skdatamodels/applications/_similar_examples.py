"""Find the training examples and targets that influence each other most."""

import warnings
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skdatamodels._dense_row import dense_row
from skdatamodels._examples import check_examples, names_at
from skdatamodels._last_step import last_step
from skdatamodels._numbers import unmasked
from skdatamodels.applications._attributions import (
    check_train,
    check_weights,
    names_of,
    sign_of_better,
)
from skdatamodels.applications._quality import (
    quality_of,
    warn_if_weak,
)
from skdatamodels.applications._rankings import Extremes, HarmfulExamples
from skdatamodels.inference._named_weights import (
    check_inference,
    intervals_at,
)
from skdatamodels.outputs import OUTPUTS, OutputInfo
from skdatamodels.runs import TrainingRuns


def similar_examples(weights, n_examples=5, *, among=None, train=None, inference=None):
    """Find the training examples that raise and lower each target's output the most.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix, or a regressor that has it as ``coef_``.
    n_examples : int, default=5
        Number of examples of each sign.
    among : bool array-like, default=None
        Which examples to search, of shape (n_train,) for all targets or of shape
        (n_targets, n_train) for each. For example, ``train.y == 3`` searches one class,
        and ``train.y == targets.y[:, None]`` searches the class of each target.
    train : Examples, default=None
        The training set, whose ids are also returned. Not needed for a regressor that
        was fitted on runs of a trainer, which knows the ids, or the labels of groups.
    inference : WeightInference, default=None
        Result of :func:`~skdatamodels.inference.infer_weights` for these weights. With
        it, the result has intervals, and says which examples are distinguishable for
        their target. The order is that of `weights`.

    Returns
    -------
    found : Extremes
        One row per target; columns are training examples. Examples with weight zero are
        not included.

    Warns
    -----
    UserWarning
        If the weights of a fitted regressor explain nothing of held-out runs.

    Raises
    ------
    ValueError
        If `weights` is not a finite matrix, `among`, `train` or `inference` does not
        match it, or `n_examples` is below 1.

    See Also
    --------
    affected_targets : Find targets for each training example.
    skdatamodels.plotting.SimilarExamplesDisplay : Plot the examples.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.applications import similar_examples
    >>> weights = [[0.2, -0.1, 0.0, 0.3]]
    >>> found = similar_examples(weights, 2)
    >>> found
    Extremes(n_rows=1, n_most=2)
    row  positive          negative
      0  3: +0.3, 0: +0.2  1: -0.1
    quality of these weights is not known: score them with ...
    >>> found.positive, found.negative
    (array([[3, 0]]), array([[ 1, -1]]))
    >>> classes = np.array(["cat", "cat", "dog", "dog"])
    >>> similar_examples(weights, 1, among=classes == "cat").positive_weights
    array([[0.2]])
    """
    quality = quality_of(weights)
    warn_if_weak(weights)
    matrix = check_weights(weights)
    check_train(train, matrix.shape[1])
    check_inference(inference, matrix.shape)
    names = names_of(weights, train, "player_ids_")
    row_names = names_of(weights, None, "target_ids_")
    found = _extremes(matrix, n_examples, among, names, row_names, quality)
    return _with_intervals(found, inference, matrix)


def _with_intervals(found, inference, weights, rows_are_targets=True):
    """Return extremes with their intervals, or as they are for None."""
    if inference is None:
        return found
    both = []
    for columns, sign in ((found.positive, 1), (found.negative, -1)):
        rows = np.where(columns >= 0, np.arange(len(columns))[:, None], -1)
        places = (rows, columns) if rows_are_targets else (columns, rows)
        both.append(intervals_at(inference, weights, *places, sign))
    return found._replace(positive_intervals=both[0], negative_intervals=both[1])


def _extremes(weights, n_examples, among, names, row_names, quality):
    """Return the extremes of each row; names are ids of columns and rows, or None."""
    if not isinstance(n_examples, Integral) or n_examples < 1:
        raise ValueError(
            f"The number to find must be an integer from 1, got {n_examples}."
        )
    if among is not None:
        among = np.asarray(among)
        if among.dtype != bool or among.shape not in [
            weights.shape[1:],
            weights.shape,
        ]:
            raise ValueError(
                f"among must be bool of shape {weights.shape[1:]} or "
                f"{weights.shape}; got {among.dtype} of shape {among.shape}."
            )
        among = np.broadcast_to(among, weights.shape)
    rows = []
    for target in range(weights.shape[0]):
        row = dense_row(weights, target)
        if among is not None:
            row = np.where(among[target], row, 0)
        rows.append((*_largest(row, n_examples), *_largest(-row, n_examples)))
    positive, raised, negative, lowered = map(np.array, zip(*rows, strict=True))
    ids = [None if names is None else names_at(names, p) for p in (positive, negative)]
    return Extremes(positive, negative, raised, -lowered, *ids, row_names, quality)


def affected_targets(weights, n_targets=5, *, among=None, targets=None, inference=None):
    """Find the targets whose outputs each training example raises and lowers the most.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix, or a regressor that has it as ``coef_``.
    n_targets : int, default=5
        Number of targets of each sign.
    among : bool array-like, default=None
        Which targets to search, of shape (n_targets,) for all training examples or of
        shape (n_train, n_targets) for each.
    targets : Examples, default=None
        The targets, whose ids are also returned. Not needed for a regressor that was
        fitted on runs of a trainer, which knows them.
    inference : WeightInference, default=None
        Result of :func:`~skdatamodels.inference.infer_weights` for these weights. With
        it, the result has the intervals and marks of :func:`similar_examples`: the rate
        of false discoveries holds for each target, over all training examples.

    Returns
    -------
    found : Extremes
        One row per training example; columns are targets.

    Warns
    -----
    UserWarning
        If the weights of a fitted regressor explain nothing of held-out runs.

    Raises
    ------
    ValueError
        If `weights` is not a finite matrix, `among`, `targets` or `inference` does not
        match it, or `n_targets` is below 1.

    Examples
    --------
    >>> from skdatamodels.applications import affected_targets
    >>> found = affected_targets([[0.2, -0.1], [0.4, 0.0], [-0.5, 0.3]], 2)
    >>> found.positive
    array([[ 1,  0],
           [ 2, -1]])
    """
    quality = quality_of(weights)
    warn_if_weak(weights)
    matrix = check_weights(weights)
    transposed = matrix.T
    transposed = transposed.tocsr() if issparse(transposed) else transposed
    if targets is not None:
        check_examples(targets, "targets")
        if len(targets) != transposed.shape[1]:
            raise ValueError(
                f"targets has {len(targets)} examples, but the attribution matrix has "
                f"{transposed.shape[1]} rows. Pass the targets of these weights."
            )
    names = names_of(weights, targets, "target_ids_")
    row_names = names_of(weights, None, "player_ids_")
    check_inference(inference, matrix.shape)
    found = _extremes(transposed, n_targets, among, names, row_names, quality)
    return _with_intervals(found, inference, matrix, rows_are_targets=False)


def mean_weights(weights, *, target_classes=None, balance=True):
    """Average the weights of each training example over the targets.

    If the targets have classes, each class has the same total weight in the average.
    Otherwise, the examples of a small class would look harmful, because they slightly
    lower the margins of the many targets of other classes.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train), or fitted estimator
        Attribution matrix, or a regressor that has it as ``coef_``.
    target_classes : array-like of shape (n_targets,), default=None
        Class of each target. Not needed for a regressor that was fitted on runs of a
        classifier, which knows them.
    balance : bool, default=True
        Whether to balance the classes. If False, all targets have the same weight.

    Warns
    -----
    UserWarning
        If `balance` is True and it is not known whether the targets have classes, or
        if the weights of a fitted regressor explain nothing of held-out runs.

    Returns
    -------
    mean : float64 array of shape (n_train,)
        Mean weights in the output's unit.

    Raises
    ------
    ValueError
        If `weights` is not a finite matrix, or `target_classes` does not have one class
        per target.

    Examples
    --------
    >>> from skdatamodels.applications import mean_weights
    >>> weights = [[1.0, -0.2], [0.8, -0.2], [-0.4, 1.0]]
    >>> mean_weights(weights, target_classes=["cat", "cat", "dog"]).round(2)
    array([0.25, 0.4 ])
    >>> mean_weights(weights, balance=False).round(2)
    array([0.47, 0.2 ])
    """
    return _mean_weights(weights, target_classes, balance)[0]


def _mean_weights(weights, target_classes, balance):
    """Return what `mean_weights` does, and the share of each target (n_targets,).

    A warning names the caller of the caller.
    """
    if target_classes is None:
        target_classes = getattr(last_step(weights), "target_classes_", None)
    info = getattr(last_step(weights), "output_info_", OutputInfo())
    regresses = info.name in OUTPUTS and OUTPUTS[info.name].task == "regression"
    warn_if_weak(weights, stacklevel=4)
    weights = check_weights(weights)
    if balance and target_classes is None and not regresses:
        warnings.warn(
            "The classes of the targets are not known, so all targets have the same "
            "weight, and examples of a small class may look harmful. Pass "
            "target_classes, or balance=False if there are no classes.",
            UserWarning,
            stacklevel=3,
        )
    n_targets = weights.shape[0]
    share = np.full(n_targets, 1 / n_targets)
    if balance and target_classes is not None:
        target_classes = np.asarray(unmasked(target_classes, "target_classes"))
        if target_classes.shape != (n_targets,):
            raise ValueError(
                f"target_classes must have one class per target, shape ({n_targets},); "
                f"got shape {target_classes.shape}."
            )
        _, columns, sizes = np.unique(
            target_classes, return_inverse=True, return_counts=True
        )
        share = 1 / (len(sizes) * sizes[columns])
    return np.asarray(share @ weights, dtype=np.float64), share


def harmful_examples(
    weights,
    n_examples=10,
    *,
    higher_is_better=None,
    target_classes=None,
    balance=True,
    train=None,
    inference=None,
):
    """Find the training examples that make the outputs of the targets worse on average.

    Such examples may have a wrong label or value. If the targets are the training set,
    fit their datamodels with ``DatamodelRegressor(exclude=np.arange(n_train))``,
    because every example supports its own label, right or wrong.

    Parameters
    ----------
    weights : fitted estimator, or array-like or CSR of shape (n_targets, n_train)
        A regressor such as :class:`~skdatamodels.regression.DatamodelRegressor`,
        fitted on :class:`~skdatamodels.runs.TrainingRuns`, or an attribution matrix.
    n_examples : int, default=10
        Maximum number of examples to find.
    higher_is_better : bool, default=None
        Whether higher outputs are better. Not needed for a fitted regressor, which
        knows it. Needed for a matrix: True for margins and accuracies, False for losses
        and errors.
    target_classes : array-like of shape (n_targets,), default=None
        Class of each target. Not needed for a fitted regressor.
    balance : bool, default=True
        Whether to give each class of targets the same weight; see :func:`mean_weights`.
    train : Examples, default=None
        The training set, whose ids are also returned. Not needed for a regressor that
        was fitted on runs of a trainer, which knows the ids, or the labels of groups.
    inference : WeightInference, default=None
        Result of :func:`~skdatamodels.inference.infer_weights` for these weights. With
        it, the result has intervals of the mean weights, and says which examples are
        distinguishable. Errors of targets are correlated, and are added run by run. The
        order is that of `weights`.

    Returns
    -------
    found : HarmfulExamples
        At most `n_examples` examples. Examples whose mean weight makes outputs better
        are not included.

    Warns
    -----
    UserWarning
        See :func:`mean_weights`.

    Raises
    ------
    ValueError
        If it is not known whether higher is better (for an output such as "prediction",
        neither is), `weights` is not a finite matrix, `target_classes`, `train` or
        `inference` does not match it, or `n_examples` is below 1.

    Examples
    --------
    >>> from skdatamodels.applications import harmful_examples
    >>> margins = [[0.5, -1.0, 0.25], [-0.25, -2.0, 0.5]]
    >>> found = harmful_examples(margins, higher_is_better=True, balance=False)
    >>> found.examples, found.mean_weights
    (array([1]), array([-1.5]))
    >>> found = harmful_examples(margins, higher_is_better=False, balance=False)
    >>> found.examples, found.mean_weights
    (array([2, 0]), array([0.375, 0.125]))
    """
    mean, share = _mean_weights(weights, target_classes, balance)
    check_inference(inference, (len(share), len(mean)))
    sign = sign_of_better(weights, higher_is_better)
    check_train(train, len(mean))
    names = names_of(weights, train, "player_ids_")
    quality = quality_of(weights)
    found = _extremes(sign * mean[None], n_examples, None, names, None, quality)
    there = found.negative[0] >= 0
    rows, intervals = found.negative[0][there], None
    if inference is not None:
        combined = inference.combine(share)
        intervals = intervals_at(combined, mean[None], 0 * rows, rows, -sign)
    return HarmfulExamples(
        rows,
        sign * found.negative_weights[0][there],
        None if names is None else found.negative_ids[0][there],
        quality,
        intervals,
    )


def self_influence(runs, example_of_target, *, datamodels=None):
    """Measure how much a training example raises its own output (memorisation).

    The self-influence is the mean output of the runs that used the example minus that
    of the runs that did not. If it is large, the model gets the example right because
    it was trained on it, not because of other examples.

    Parameters
    ----------
    runs : TrainingRuns
        Runs whose targets are training examples.
    example_of_target : int array-like of shape (n_targets,)
        The training example that each target is. -1 if it is none. If masks are of
        groups, the group of that example, as ``trainer.columns_of`` gives it.
    datamodels : fitted estimator, default=None
        Datamodels of these targets, each fitted without its own example:
        ``DatamodelRegressor(exclude=example_of_target).fit(runs)``. If given, their
        predictions from the *other* examples are subtracted before means are compared.
        This removes the noise due to these examples.

    Returns
    -------
    influence : float64 array of shape (n_targets,)
        Self-influence in the output's unit. NaN for a target that is not a training
        example, or whose example was used by all runs or by none.

    Raises
    ------
    ValueError
        If `example_of_target` does not match the runs, or `datamodels` belong to other
        targets or give a weight to a target's own example.

    Notes
    -----
    If all subsets have the same size, an example replaces another one. So the influence
    is measured relative to that of a typical other example.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, section 3.1, equation 9, and section 6.1.

    Feldman and Zhang, "What Neural Networks Memorize and Why", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels import TrainingRuns
    >>> from skdatamodels.applications import self_influence
    >>> masks = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    >>> self_influence(TrainingRuns(masks, 2.0 * masks), [0, 1])
    array([2., 2.])
    """
    example = _check_example_of_target(runs, example_of_target)
    outputs = np.asarray(runs.outputs, dtype=np.float64)
    if datamodels is not None:
        outputs = outputs - _from_the_others(datamodels, runs, example)
    saw = runs.masks[:, np.maximum(example, 0)]
    known = ~np.isnan(outputs)
    influence = _masked_mean(outputs, saw & known) - _masked_mean(outputs, ~saw & known)
    influence[example < 0] = np.nan
    return influence


def _check_example_of_target(runs, example_of_target):
    if not isinstance(runs, TrainingRuns):
        raise TypeError(f"runs must be TrainingRuns, got {type(runs).__name__}.")
    example = np.asarray(example_of_target)
    if (
        example.shape != (runs.n_targets,)
        or not np.issubdtype(example.dtype, np.integer)
        or not np.isin(example, range(-1, runs.n_train)).all()
    ):
        raise ValueError(
            f"example_of_target must be {runs.n_targets} integers, one per target, "
            f"from -1 to {runs.n_train - 1}; got {example.dtype} of shape "
            f"{example.shape}."
        )
    return example


def _from_the_others(datamodels, runs, example):
    """Predict the outputs; check that no target uses its own example."""
    check_is_fitted(datamodels)
    predicted, coef = datamodels.predict(runs), datamodels.coef_
    coef = coef[None] if coef.ndim == 1 else coef
    if coef.shape[0] != runs.n_targets:
        raise ValueError(
            f"datamodels has {coef.shape[0]} targets, but the runs have "
            f"{runs.n_targets}."
        )
    targets = np.flatnonzero(example >= 0)
    own = targets[np.asarray(coef[targets, example[targets]]).ravel() != 0]
    if len(own):
        raise ValueError(
            f"The datamodel of target {own[0]} gives a weight to the target's own "
            "example. Fit datamodels with exclude=example_of_target."
        )
    return predicted.reshape(runs.outputs.shape)


def _masked_mean(values, where):
    """Return the mean of each column over the rows in `where`; NaN for none."""
    n = where.sum(axis=0)
    total = np.where(where, values, 0).sum(axis=0)
    return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)


def _largest(row, n_most):
    """Return columns and values of the largest positive entries, padded to n_most."""
    order = np.argsort(-row, kind="stable")[:n_most]
    order = order[row[order] > 0]
    missing = n_most - len(order)
    values = np.pad(row[order], (0, missing))
    return np.pad(order, (0, missing), constant_values=-1), values
