"""Checks of what is compared, before any method is computed."""

import numpy as np

from skdatamodels._examples import swap_hint
from skdatamodels._numbers import as_real
from skdatamodels.judging._attribution_methods import (
    by_setting,
    check_callable,
    check_shape,
)
from skdatamodels.masks import as_masks
from skdatamodels.training._players import players_of

CONTROLS = "random", "same class"


def check_examples(runs, train, targets, players, *retraining):
    """Raise unless runs, examples and trainers belong together."""
    hint = swap_hint((len(train), len(targets)), (runs.n_train, runs.n_targets))
    if players.are_groups and len(players) != runs.n_train:
        raise ValueError(
            f"groups has {len(players)} different labels, but the runs have "
            f"{runs.n_train} columns. Pass the groups of the trainer of the runs."
        )
    for name, examples, n in (
        ("train", players, runs.n_train),
        ("targets", targets, runs.n_targets),
    ):
        if len(examples) != n:
            raise ValueError(
                f"{name} has {len(examples)} examples, but the runs have {n}. Pass the "
                "training set and the targets of the runs, and the groups, if they "
                f"have any.{hint}"
            )
    for given in retraining:
        if given is None:
            continue
        for name, examples in (("train", train), ("targets", targets)):
            if getattr(given.trainer, name) != examples:
                raise ValueError(
                    f"{name} differs from the {name} of the trainer of the "
                    f"{type(given).__name__}. Pass the same examples."
                )
        if not players.are_like(players_of(given.trainer)):
            raise ValueError(
                "groups differ from those of the trainer of the "
                f"{type(given).__name__}. Pass the same groups."
            )


def check_names(attributions, *by_name):
    """Raise if methods have no names, or one of a control, or names have no method."""
    if not isinstance(attributions, dict):
        raise TypeError(
            'attributions must be a dict of methods by name, as {"mine": weights}, '
            f"got {type(attributions).__name__}."
        )
    if not attributions:
        raise ValueError("attributions is empty. Pass at least one method.")
    taken = [name for name in CONTROLS if name in attributions]
    if taken:
        raise ValueError(f"{taken} are names of controls. Rename your methods.")
    empty = [n for n, g in attributions.items() if isinstance(g, dict) and not g]
    if empty:
        raise ValueError(f"{empty} have an empty dict of settings.")
    for given in by_name:
        unknown = [name for name in given or {} if name not in attributions]
        if unknown:
            raise ValueError(
                f"{unknown} are not methods. The methods are {list(attributions)}."
            )


def check_shapes(attributions, runs):
    """Raise if a matrix has another shape than the runs, or a function needs input."""
    for name, given in attributions.items():
        for _, full_name, one in by_setting(name, given):
            check_callable(full_name, one)
            check_shape(full_name, one, (runs.n_targets, runs.n_train))


def check_repeats(repeats, n_targets):
    """Return repeats as an array, or None."""
    if repeats is None:
        return None
    repeats = as_real(repeats, "repeats")
    if repeats.ndim != 3 or repeats.shape[2] != n_targets:
        raise ValueError(
            "repeats must have shape (n_repeats, n_subsets, n_targets), and the runs "
            f"have {n_targets} targets; got shape {repeats.shape}."
        )
    return repeats


def check_unseen(runs, seen_runs):
    """Raise if a subset of the runs is among those that were seen."""
    if seen_runs is None:
        return
    seen = as_masks(getattr(seen_runs, "packed", seen_runs))
    if seen.shape[1] != runs.n_train:
        raise ValueError(
            f"seen_runs has {seen.shape[1]} training examples, but runs has "
            f"{runs.n_train}."
        )
    known = {row.tobytes() for row in np.asarray(seen.bits)}
    again = [row.tobytes() in known for row in np.asarray(runs.packed.bits)]
    if any(again):
        raise ValueError(
            f"{sum(again)} of the {len(runs)} runs have subsets that are also in "
            f"seen_runs, the first at row {np.argmax(again)}. Pass runs that no method "
            "was fitted on."
        )
