"""Check what :func:`select_examples` and :meth:`Selection.verify` are given."""

from numbers import Real
from types import SimpleNamespace

import numpy as np

from skdatamodels._last_step import last_step
from skdatamodels._numbers import as_real, is_missing, unmasked
from skdatamodels.applications._attributions import (
    are_of_regression,
    check_other_runs,
    check_target_indices,
    check_weights,
    sign_of_better,
)
from skdatamodels.applications._objective import MOST_SMALL
from skdatamodels.applications._row_keys import equal_rows
from skdatamodels.outputs import OutputInfo


def info_of(weights, outputs):
    """Return what the outputs measure, as the regressor or else the runs know it."""
    info = getattr(last_step(weights), "output_info_", OutputInfo())
    if info.name == "unknown" and hasattr(outputs, "output_info"):
        return outputs.output_info
    return info


def check_judge(held_out, matrix):
    """Return the weights of other runs as a matrix, or None."""
    if held_out is None:
        return None
    judge = check_weights(held_out, "held_out")
    check_other_runs(matrix, judge)
    return judge


def sign_for(weights, outputs, higher_is_better):
    """Return 1 if higher outputs are better, -1 if lower ones are."""
    known = SimpleNamespace(output_info_=info_of(weights, outputs))
    if known.output_info_ == OutputInfo():
        known = weights
    return sign_of_better(known, higher_is_better)


def check_candidates(candidates, n_train, action, train):
    """Return the examples that may be acted on, bool array (n_train,)."""
    if candidates is None:
        if action == "add":
            raise ValueError(
                'action="add" needs candidates, the columns of the weights that may be '
                "added to the others."
            )
        return np.ones(n_train, dtype=bool)
    given = np.asarray(candidates)
    if given.dtype == bool:
        if given.shape != (n_train,):
            raise ValueError(
                f"candidates must have shape ({n_train},), one for each column of the "
                f"weights; got shape {given.shape}."
            )
        mask = given.copy()
    else:
        mask = np.zeros(n_train, dtype=bool)
        mask[check_target_indices(given, n_train, "candidates")] = True
    if not mask.any():
        raise ValueError("candidates are none of the examples.")
    if action == "add":
        _check_pool(mask, train)
    return mask


def _check_pool(mask, train):
    """Raise if there is no training set, or the pool has copies of its examples."""
    if mask.all():
        raise ValueError(
            'action="add" needs a training set to add to, but all examples are '
            "candidates."
        )
    if train is None:
        return
    base = train[np.flatnonzero(~mask)]
    copies = equal_rows(train[np.flatnonzero(mask)].X, base.X)
    found = np.flatnonzero(mask)[copies >= 0]
    if found.size:
        first = train.ids_at([found[0]])[0], base.ids_at([copies[copies >= 0][0]])[0]
        raise ValueError(
            f"{found.size} candidates have the same inputs as examples of the training "
            f"set that they would be added to: {first[0]!r} is a copy of {first[1]!r}. "
            f"Leave them out of candidates and of the weights; positions {found[:5]}."
        )


def check_labels(labels, candidates, action, train, weights):
    """Return the new labels (n_train,), or None, and the examples to act on."""
    if action != "relabel":
        if labels is not None:
            raise ValueError('labels are for action="relabel": leave them out.')
        return None, np.flatnonzero(candidates)
    if labels is None or train is None:
        raise ValueError(
            'action="relabel" needs labels, the one that each example should have, and '
            "train, which has the present ones."
        )
    labels = np.asarray(unmasked(labels, "labels"))
    if labels.shape != (len(train),):
        raise ValueError(
            f"labels must have one label for each of the {len(train)} examples, got "
            f"shape {labels.shape}."
        )
    missing = [i for i, label in enumerate(labels.tolist()) if is_missing(label)]
    if missing:
        raise ValueError(
            f"labels has none for {len(missing)} examples, such as {missing[0]}. Give "
            "them their present label: they are then left out."
        )
    examples = np.flatnonzero(candidates & (labels != train.y))
    known = np.unique(train.y)
    new = labels[examples][~np.isin(labels[examples], known)]
    are_values = train.y.dtype.kind == "f" or are_of_regression(weights)
    if new.size and not are_values:
        raise ValueError(
            "labels has labels that no example of train has, such as "
            f"{new.tolist()[0]!r}; those of train are like {known.tolist()[0]!r}."
        )
    if not examples.size:
        raise ValueError("labels are those that the examples have: nothing to relabel.")
    return labels, examples


def check_objective(objective, n_targets, rows):
    """Return the weights of targets (n_targets,); None for the worst group.

    Targets that are not in `rows` have weight 0.
    """
    chosen = np.isin(np.arange(n_targets), rows)
    if isinstance(objective, str):
        if objective not in ("mean", "worst_group"):
            raise ValueError(
                'objective must be "mean", "worst_group" or an array of weights of the '
                f"targets, got {objective!r}."
            )
        return chosen.astype(float) if objective == "mean" else None
    weights = as_real(objective, "objective").astype(np.float64)
    if weights.shape != (n_targets,):
        raise ValueError(
            f"objective must have one weight for each of the {n_targets} targets, got "
            f"shape {weights.shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(
            "objective must have finite weights, at least 0, and above 0 for some "
            f"targets; got {weights.min()} to {weights.max()}."
        )
    return weights * chosen


def check_groups(groups, objective, n_targets):
    """Return the group of each target, "components" or None."""
    if groups is None:
        if isinstance(objective, str) and objective == "worst_group":
            raise ValueError(
                'objective="worst_group" needs groups, one for each target, or '
                'groups="components" if they are not known.'
            )
        return None
    if isinstance(groups, str):
        if groups != "components":
            raise ValueError(
                f'groups must be an array or "components", got {groups!r}.'
            )
        return groups
    return check_labels_of(groups, n_targets, "groups", "target")


def check_labels_of(labels, n, name, noun):
    """Return labels as an array of shape (n,), or raise ValueError."""
    array = np.asarray(unmasked(labels, name))
    if array.shape != (n,):
        raise ValueError(
            f"{name} must have one label for each {noun}, shape ({n},); got shape "
            f"{array.shape}."
        )
    given = labels if isinstance(labels, list | tuple) else array.tolist()
    missing = [i for i, label in enumerate(given) if is_missing(label)]
    if missing:
        raise ValueError(
            f"{name} has no label for {len(missing)} of {n}, such as {missing[0]}. "
            "Give them a label of their own."
        )
    try:
        np.unique(array)
    except TypeError as error:
        raise TypeError(f"{name} mixes labels that have no order: use text.") from error
    return array


def check_sizes_of_groups(groups, rows):
    """Raise if a group has too few of the targets `rows`."""
    for name in np.unique(groups):
        check_n_targets(f"The group {str(name)!r}", (groups[rows] == name).sum())


def check_n_targets(what, n):
    """Raise if n targets are too few."""
    if n <= MOST_SMALL:
        raise ValueError(
            f"{what} has {n} targets that choose, which are too few: at least "
            f"{MOST_SMALL + 1} are needed. Take more targets, or merge groups."
        )


def check_classes(classes, weights, n_targets):
    """Return the class of each target, as given or as the regressor knows it."""
    if classes is None:
        classes = getattr(last_step(weights), "target_classes_", None)
    if classes is None:
        raise ValueError(
            'groups="components" needs target_classes, the class of each target.'
        )
    return check_labels_of(classes, n_targets, "target_classes", "target")


def check_beta(beta, objective):
    """Raise if beta is given and is not a number of at least 0 for the worst group."""
    if beta is None:
        return
    if not isinstance(objective, str) or objective != "worst_group":
        raise ValueError('beta is for objective="worst_group": leave it out.')
    if not isinstance(beta, Real) or isinstance(beta, bool) or not beta >= 0:
        raise ValueError(f"beta must be a number of at least 0, or None; got {beta!r}.")


def check_outputs(outputs, weights, n_targets, rows, needed):
    """Return the mean output of each target, float64 (n_targets,), or None."""
    if outputs is None:
        if needed:
            raise ValueError(
                "The worst group, or the worse part of a class, is that with the worst "
                "outputs: pass outputs, such as the runs of the weights."
            )
        return None
    values = outputs
    if hasattr(outputs, "output_info"):  # TrainingRuns
        values, ids = outputs.outputs, outputs.target_ids
        own = getattr(last_step(weights), "target_ids_", None)
        if ids is not None and own is not None and not np.array_equal(ids, own):
            raise ValueError("outputs are runs of other targets than the weights.")
        info = getattr(last_step(weights), "output_info_", OutputInfo())
        names = {info.name, outputs.output_info.name} - {"unknown"}
        if len(names) > 1:
            raise ValueError(
                f"The weights are of the output {info.name!r}, but outputs are of "
                f"{outputs.output_info.name!r}. They must be the same."
            )
    values = as_real(values, "outputs").astype(np.float64)
    if values.ndim not in (1, 2) or values.shape[-1] != n_targets or not values.size:
        raise ValueError(
            f"outputs must have one column for each of the {n_targets} targets of the "
            f"weights, got shape {values.shape}."
        )
    if values.ndim == 2:
        known = ~np.isnan(values)
        n = known.sum(axis=0)
        total = np.where(known, values, 0).sum(axis=0)
        values = np.divide(total, n, out=np.full(n_targets, np.nan), where=n > 0)
    bad = rows[~np.isfinite(values[rows])]
    if bad.size:
        raise ValueError(
            f"outputs has no finite value for {bad.size} targets that choose, such as "
            f"{bad[0]}. Leave them out by targets=."
        )
    return values
