"""Targets with enough usable runs, grouped by the runs that they can use."""

import warnings
from typing import NamedTuple

import numpy as np

from skdatamodels.runs._usable_runs import usable_runs


def check_and_group(X, Y, exclude, split, order):
    """Return which targets have enough runs, and the groups of these targets.

    Parameters
    ----------
    X, Y, exclude : object
        See `usable_runs`.
    split : Cut, Splits or None
        Makes the folds of a group.
    order : int array of shape (n_runs,)
        Permutation of the runs.

    Returns
    -------
    enough : bool array of shape (n_targets,)
    groups : list of Group
    """
    n_runs, n_targets = Y.shape
    usable = usable_runs(X, Y, exclude)
    n_usable = np.full(n_targets, n_runs) if usable is None else usable.sum(axis=0)
    n_min = 2 if split is None else max(3, split.n_least)
    can_split = split is None or split.enough(usable)
    enough = check_enough(n_usable, n_runs, n_min, can_split)
    return enough, group_targets(usable, np.flatnonzero(enough), order, split)


def check_enough(n_usable, n_runs, n_min, can_split=True):
    """Return which targets have enough runs; warn if some targets have too few.

    Parameters
    ----------
    n_usable : int array of shape (n_targets,)
        Number of usable runs of each target.
    n_runs, n_min : int
        Number of runs, and how many of them a target needs.
    can_split : bool, or bool array of shape (n_targets,)
        Whether there are runs to hold out, and others to fit on.

    Returns
    -------
    enough : bool array of shape (n_targets,)

    Raises
    ------
    ValueError
        If no target has enough.
    """
    enough = n_usable >= n_min
    if enough.any() and not (enough & can_split).any():
        raise ValueError(
            "No target has enough runs to hold some out and fit on others: runs of a "
            "group stay together, and so do pairs that share a training seed. Use "
            "more groups, or set cv to fewer folds or other splits."
        )
    if not enough.any():
        raise ValueError(
            f"Target 0 has n_samples = {n_usable[0]} usable runs of {n_runs}, and no "
            f"target has enough; a minimum of {n_min} is required with these "
            "parameters."
        )
    enough = enough & can_split
    if not enough.all():
        few = np.flatnonzero(~enough)
        unsplit = "" if np.all(can_split) else ", or none to hold out,"
        warnings.warn(
            f"{len(few)} of {len(enough)} targets have fewer than {n_min} usable runs"
            f"{unsplit} and get no datamodel (weights 0, intercept NaN): "
            f"{few[:10].tolist()}"
            f"{' and more' if len(few) > 10 else ''}.",
            UserWarning,
            stacklevel=6,
        )
    return enough


class Group(NamedTuple):
    """Targets that have the same usable runs."""

    rows: np.ndarray  # these runs; shuffled if some are held out
    targets: np.ndarray
    folds: list  # of Fold; empty if lam is given


def group_targets(usable, targets, order, split):
    """Group targets by their usable runs.

    Parameters
    ----------
    usable : bool array of shape (n_runs, n_targets), or None if all are usable
        Runs that each target can use.
    targets : int array
        Targets to group.
    order : int array of shape (n_runs,)
        Permutation of the runs.
    split : Cut, Splits or None
        Makes the folds of a group.

    Returns
    -------
    groups : list of Group
    """
    together = [targets]
    if usable is not None:
        patterns = np.packbits(usable[:, targets], axis=0)
        _, pattern_of = np.unique(patterns, axis=1, return_inverse=True)
        together = [targets[pattern_of == p] for p in range(pattern_of.max() + 1)]
    groups = []
    for part in together:
        rows = order if usable is None else order[usable[order, part[0]]]
        groups.append(Group(rows, part, [] if split is None else split(rows)))
    return groups
