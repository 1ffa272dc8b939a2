"""Aggregated targets: one output for all targets, or for each slice of them."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
from scipy.stats import rankdata

from skdatamodels._numbers import as_real, is_missing, unmasked
from skdatamodels.masks._packed import row_blocks
from skdatamodels.outputs import OutputInfo, info_of_output
from skdatamodels.runs._attribution_files import StoredAttributions
from skdatamodels.runs._lazy_attributions import LazyAttributions
from skdatamodels.runs._training_runs import TrainingRuns

_STATISTICS = "mean", "accuracy", "auc"
_SIGNED = "margin", "log_odds"  # with two classes, minus the output is of the other
_ALL = "all"
_ACCURACY = "accuracy", "share of the targets"


def aggregate_targets(runs, slices=None, statistic="mean", *, output=None):
    """Turn targets into fewer: the mean output, accuracy or AUC of slices of them.

    Datamodels of the result say which training examples, or groups of them, raise the
    accuracy, the mean loss or the AUC of a slice.

    Parameters
    ----------
    runs : TrainingRuns
        Runs with one output for each target.
    slices : dict, or array-like of shape (n_targets,), default=None
        The slices. A dict has names with a bool array of shape (n_targets,), or the
        positions of targets; slices may overlap. An array has a label for each target,
        which forms a slice for each label, in sorted order. Names and labels are all
        text or all numbers. None is one slice of all targets, with the name "all".
    statistic : {"mean", "accuracy", "auc"} or callable, default="mean"
        "mean" is the mean output. It is the mean loss if the runs have
        ``output="cross_entropy"`` or "squared_error". "accuracy" is the share of
        correct predictions, for runs of the output "margin" or "correctness". "auc" is
        the area under the ROC curve, for learners of two classes and runs of the output
        "margin" or "log_odds". A callable ``statistic(outputs, classes)`` gets the
        outputs of a slice, float64 of shape (n, n_slice) without NaN, and the classes
        of its targets (n_slice,), or None if the runs do not know them. It returns
        float (n,).
    output : str or OutputInfo, default=None
        What the statistic measures. Needed only for a callable whose direction matters.

    Returns
    -------
    runs : TrainingRuns of shape (n_runs, n_train)
        The same masks and seeds, with float64 outputs (n_runs, n_slices). `target_ids`
        has the names of the slices. `attributions` are averaged like the outputs for
        "mean", when they are first read, and are None otherwise.

    Raises
    ------
    TypeError, ValueError
        If a slice is empty or does not match the targets, names are of several types
        or missing, all runs miss an output in a slice, the runs do not suit "auc", or a
        callable returns something else.

    See Also
    --------
    skdatamodels.applications.mean_weights : Averages weights, not outputs.

    Notes
    -----
    The output of a slice is NaN if the run has no output on one of its targets, because
    a mean over fewer targets could not be compared with others. If many runs miss a
    class, train them with ``unseen_class="floor"``.

    A datamodel is linear in the outputs, so the ridge or the difference of means of a
    mean output are the means of those of its targets. Its noise is that of the mean,
    which is much smaller. `exclude` of regressors does not apply: the targets of a
    slice would each exclude another example.

    Runs do not know how many classes the learner had, so "auc" can check the targets
    alone. Don't use it with two of the classes of a learner of more: a margin then
    compares the class of a target with the most likely of all others, so margins of
    the two classes are not scores of one of them.

    What retrains models (:class:`~skdatamodels.applications.CounterfactualEvaluation`,
    :class:`~skdatamodels.applications.DataSupportSearch`) measures single targets and
    refuses weights of slices. To test by retraining what harms a slice, pass the rows
    that :func:`~skdatamodels.applications.harmful_examples` finds to
    :func:`~skdatamodels.applications.removal_check`, with the slice as its targets.

    `target_classes` of the result are the names of the slices, so that
    :func:`~skdatamodels.applications.mean_weights` gives each slice the same weight.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.runs import TrainingRuns, aggregate_targets
    >>> runs = TrainingRuns(
    ...     [[1, 0], [0, 1]], np.array([[1.0, 0, 1], [0, 0, 1]]), output="correctness"
    ... )
    >>> slices = {"first two": [0, 1], "last": [False, False, True]}
    >>> accuracies = aggregate_targets(runs, slices)
    >>> accuracies.outputs
    array([[0.5, 1. ],
           [0. , 1. ]])
    >>> accuracies.output_info.name, accuracies.target_ids.tolist()
    ('accuracy', ['first two', 'last'])
    """
    if not isinstance(runs, TrainingRuns):
        raise TypeError(f"runs must be TrainingRuns, got {type(runs).__name__}.")
    places = _check_slices(slices, runs.n_targets)
    compute, info = _statistic(runs, statistic)
    if statistic == "auc":
        _check_classes(runs, places)
    outputs = np.column_stack(
        [_aggregate(runs, name, columns, compute) for name, columns in places.items()]
    )
    names = np.array(list(places))
    attributions = None
    if statistic == "mean" and runs.attributions is not None:
        averages = _MeanAttributions(runs.attributions, list(places.values()))
        attributions = LazyAttributions(averages)
    return TrainingRuns(
        runs.packed,
        outputs,
        seeds=runs.seeds,
        output=info if output is None else info_of_output(output),
        target_classes=names,
        n_missed_classes=runs.n_missed_classes,
        attributions=attributions,
        models=runs.models,
        player_ids=runs.player_ids,
        target_ids=names,
    )


def _check_slices(slices, n_targets):
    """Return the positions of the targets of each slice, by name."""
    if slices is None:
        return {_ALL: np.arange(n_targets)}
    if not isinstance(slices, Mapping):
        return _slices_of_labels(slices, n_targets)
    if not slices:
        raise ValueError("slices is empty. Pass at least one slice, or None for all.")
    _check_names(slices)
    return {
        name: _check_slice(name, given, n_targets) for name, given in slices.items()
    }


def _slices_of_labels(slices, n_targets):
    """Return the positions of the targets of each label, in sorted order."""
    given = unmasked(slices, "slices")
    is_list = isinstance(given, list | tuple)  # NumPy would make text of all of it
    labels = np.array(given, dtype=object) if is_list else np.asarray(given)
    if labels.shape != (n_targets,):
        raise ValueError(
            f"slices must be a dict, or have a label for each of the {n_targets} "
            f"targets; got shape {labels.shape}."
        )
    lost = [row for row, label in enumerate(labels.tolist()) if is_missing(label)]
    if lost:
        raise ValueError(
            f"slices has no label for {len(lost)} targets, the first of them "
            f"{lost[0]}. Label them, or pass a dict of slices without them."
        )
    _check_names(labels.tolist())
    names, of_target = np.unique(labels, return_inverse=True)
    return {
        name: np.flatnonzero(of_target == place)
        for place, name in enumerate(names.tolist())
    }


def _check_names(names):
    """Raise if an array of the names of slices would change them."""
    for kind in (str, Real):
        if all(isinstance(name, kind) and not is_missing(name) for name in names):
            return
    kinds = sorted({type(name).__name__ for name in names})
    raise TypeError(
        "The names of slices must be all text or all numbers; got "
        f"{', '.join(kinds)}. Make text of them."
    )


def _check_slice(name, given, n_targets):
    given = np.asarray(unmasked(given, f"slices[{name!r}]"))
    columns = np.flatnonzero(given) if given.dtype == bool else given
    of_bool = given.dtype == bool and given.shape == (n_targets,)
    of_ints = (
        given.ndim == 1
        and given.dtype.kind in "iu"
        and np.isin(given, range(n_targets)).all()
        and len(np.unique(given)) == len(given)
    )
    if not (of_bool or of_ints or given.size == 0):
        raise ValueError(
            f"slices[{name!r}] must be bool of shape ({n_targets},), or distinct "
            f"integers from 0 to {n_targets - 1}; got {given.dtype} of shape "
            f"{given.shape}."
        )
    if not len(columns):
        raise ValueError(f"slices[{name!r}] has no targets.")
    return columns.astype(int)


def _statistic(runs, statistic):
    """Return the function of outputs and classes, and what it measures."""
    info = runs.output_info
    if callable(statistic):
        name = getattr(statistic, "__name__", type(statistic).__name__)
        return statistic, OutputInfo(name)
    if statistic == "mean":
        name, unit = f"mean {info.name}", info.unit
        if info.name == "correctness":
            name, unit = _ACCURACY
        if info.name == "unknown":
            name = "unknown"
        return _mean, OutputInfo(name, unit, info.higher_is_better)
    if statistic == "accuracy":
        if info.name not in ("margin", "correctness"):
            raise ValueError(
                "statistic='accuracy' needs runs of the output margin or correctness, "
                f"but theirs is {info.name!r}. Train with one of these."
            )
        return _accuracy, OutputInfo(*_ACCURACY, True)
    if statistic == "auc":
        return _auc, OutputInfo("auc", "probability", True)
    raise ValueError(
        f"statistic must be one of {', '.join(map(repr, _STATISTICS))}, or a callable "
        f"(outputs, classes) -> (n_runs,); got {statistic!r}."
    )


def _check_classes(runs, places):
    """Raise if the area under the ROC curve of a slice is not defined."""
    name, classes = runs.output_info.name, runs.target_classes
    if name not in _SIGNED:
        raise ValueError(
            f"statistic='auc' needs runs of the output {' or '.join(_SIGNED)}, but "
            f"theirs is {name!r}. Train with one of these."
        )
    if classes is None:
        raise ValueError(
            "statistic='auc' needs the classes of the targets, which the runs do not "
            "know. Make them with TrainingRuns(..., target_classes=targets.y)."
        )
    found = np.unique(classes).tolist()
    if len(found) > 2:
        raise ValueError(
            f"statistic='auc' is for two classes, but the targets have {len(found)}. "
            "Pass a callable that computes what you need."
        )
    for slice_name, columns in places.items():
        own = np.unique(classes[columns]).tolist()
        if len(own) < 2:
            raise ValueError(
                f"statistic='auc' needs targets of both classes in each slice, but "
                f"slices[{slice_name!r}] has only {own[0]!r}."
            )


def _aggregate(runs, name, columns, compute):
    """Return the outputs of a slice, float64 (n_runs,)."""
    found = np.full(runs.n_runs, np.nan)
    classes = None if runs.target_classes is None else runs.target_classes[columns]
    for rows in row_blocks(runs.n_runs, 8 * runs.n_targets):
        outputs = np.asarray(runs.outputs[rows])[:, columns].astype(np.float64)
        known = ~np.isnan(outputs).any(axis=1)
        if not known.any():
            continue
        values = as_real(compute(outputs[known], classes), "values of the statistic")
        if values.shape != (known.sum(),):
            raise ValueError(
                f"statistic must return one value for each run, shape ({known.sum()},);"
                f" got shape {values.shape}."
            )
        found[np.arange(runs.n_runs)[rows][known]] = values
    if np.isnan(found).all():
        raise ValueError(
            f"No run has a value for slices[{name!r}]: each lacks an output on one of "
            "its targets, or the statistic is NaN. Outputs are missing for classes a "
            "run has not seen: train with unseen_class='floor', or make slices "
            "without these classes."
        )
    return found


def _mean(outputs, classes):
    return outputs.mean(axis=1)


def _accuracy(outputs, classes):
    """Return the share of correct targets: margins above 0, or correctness of 1."""
    return (outputs > 0).mean(axis=1)


def _auc(outputs, classes):
    """Return the area under the ROC curve of each run, float64 (n_runs,)."""
    positive = classes == np.unique(classes)[1]
    n_positive, n_negative = positive.sum(), (~positive).sum()
    ranks = rankdata(np.where(positive, outputs, -outputs), axis=1)
    n_above = ranks[:, positive].sum(axis=1) - n_positive * (n_positive + 1) / 2
    return n_above / (n_positive * n_negative)


class _MeanAttributions:
    """Function that averages attributions over the targets of each slice."""

    def __init__(self, attributions, places):
        self.attributions, self.places = attributions, places

    def __call__(self):
        """Return the matrices (n_slices, n_train) by name, with their `seconds`."""
        found = {
            name: np.stack(
                [
                    np.asarray(matrix[columns]).mean(axis=0, dtype=np.float64)
                    for columns in self.places
                ]
            )
            for name, matrix in self.attributions.items()
        }
        seconds = getattr(self.attributions, "seconds", None)
        return StoredAttributions(found, {"seconds": seconds})
