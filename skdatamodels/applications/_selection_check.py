"""Retrain with a selection of examples, with random ones, and on balanced subsets."""

import warnings
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone, is_classifier

from skdatamodels._examples import Examples
from skdatamodels._random import entropy_from
from skdatamodels._tables import (
    MOST_ROWS,
    Table,
    import_pandas,
    table_html,
    table_text,
)
from skdatamodels.applications._attributions import check_target_indices
from skdatamodels.applications._edits import Edits, mean_and_variance
from skdatamodels.applications._removal_check import (
    metric_values,
    over_trials,
    removal_scores,
)
from skdatamodels.applications._row_keys import equal_rows
from skdatamodels.applications._selection_inputs import check_labels_of
from skdatamodels.masks import PackedMasks
from skdatamodels.outputs import OUTPUTS, OutputInfo
from skdatamodels.training import ComponentAblation, SubsetTrainer
from skdatamodels.training._players import players_of

_N_RESAMPLES = 500  # of targets


@dataclass(frozen=True, eq=False)
class SelectionCheck:
    """Scores of models that were trained with a selection, and with random ones.

    Attributes
    ----------
    chosen : str array of shape (n_rows,)
        What the training set is: "none" (nothing is done), "class_balanced" or
        "group_balanced" (a random subset with as many examples of each class, or group,
        as the smallest has; to "add", of training set and pool together), "all" (all
        candidates are added), "selected" (the first examples of the selection are
        dropped, added or relabelled) or "random" (as many random ones of those that may
        be).
    size : int array of shape (n_rows,)
        Number of examples that were acted on; for balanced subsets, that were left out.
    score, error : float64 array of shape (n_rows,)
        Mean score over trials, and its standard error due to training and to random
        sets. It is 0 if all trials are equal, NaN for a single trial.
    change, change_error : float64 array of shape (n_rows,)
        Score minus that of "none", and its standard error, which also includes the
        error due to the finite number of targets.
    worst, worst_error : float64 array of shape (n_rows,)
        Score of the worst group of each model, mean over trials, and its standard error
        as in `error`.
    worst_change, worst_change_error : float64 array of shape (n_rows,)
        The same for the change, as in `change_error`.
    group_scores, group_errors : float64 array of shape (n_rows, n_groups)
        Scores of each group, and standard errors as in `error`.
    group_names : array of shape (n_groups,)
        Groups of the targets that judge; "all" if they are not known.
    group_sizes : int array of shape (n_groups,)
        Number of targets in each.
    action : {"drop", "add", "relabel"}
        What was done with the examples.
    metric : str
        The score: "accuracy" (the fraction of margins or log-odds above 0), "mean
        prediction" (if predictions are to rise or to fall), or the name of the output,
        whose mean is the score.
    higher_is_better : bool
        Whether high scores are better.
    groups : array of shape (n_judging,), or None
        Group of each target that judges.
    outputs : float array of shape (n_rows, n_trials, n_judging)
        The outputs of all trainings on these targets, for other scores.
    n_trained : int
        Number of trainings.
    """

    chosen: np.ndarray
    size: np.ndarray
    score: np.ndarray
    error: np.ndarray
    change: np.ndarray
    change_error: np.ndarray
    worst: np.ndarray
    worst_error: np.ndarray
    worst_change: np.ndarray
    worst_change_error: np.ndarray
    group_scores: np.ndarray
    group_errors: np.ndarray
    group_names: np.ndarray
    group_sizes: np.ndarray
    action: str
    metric: str
    higher_is_better: bool
    groups: np.ndarray | None
    outputs: np.ndarray = field(repr=False)
    n_trained: int

    def __len__(self):
        return len(self.size)

    def to_frame(self):
        """Return the table as a pandas.DataFrame, one row each.

        Its columns are size, chosen, score, error, change, change_error, worst,
        worst_error, worst_change, worst_change_error, and "score of NAME" for each
        group.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = (
            "size chosen score error change change_error worst worst_error "
            "worst_change worst_change_error"
        )
        columns = {name: getattr(self, name) for name in names.split()}
        for name, scores in zip(self.group_names, self.group_scores.T, strict=True):
            columns[f"score of {name}"] = scores
        return import_pandas().DataFrame(columns)

    def _table(self):
        rows = slice(MOST_ROWS)
        columns = {
            "examples": self.size[rows],
            "chosen": self.chosen[rows],
            self.metric.replace("_", " "): self.score[rows],
            "change": self.change[rows],
            "error of change": self.change_error[rows],
        }
        if len(self.group_names) > 1:
            columns["worst group"] = self.worst[rows]
            columns["its change"] = self.worst_change[rows]
            columns["error"] = self.worst_change_error[rows]
        done = {"drop": "without", "add": "with more", "relabel": "after relabelling"}
        title = f"Retrained {done[self.action]} examples, judged on "
        return Table(f"{title}{self.outputs.shape[2]:,} targets", columns, len(self))

    __repr__ = table_text
    _repr_html_ = table_html


def verify_selection(
    selection,
    trainer,
    sizes,
    *,
    targets,
    groups,
    train_groups,
    n_trials,
    allow_overlap,
    random_state,
):
    """Retrain as :meth:`Selection.verify` says, and return a SelectionCheck."""
    if not isinstance(trainer, SubsetTrainer | ComponentAblation):
        raise TypeError(
            "trainer must be a SubsetTrainer or a ComponentAblation, got "
            f"{type(trainer).__name__}."
        )
    if not isinstance(n_trials, Integral) or n_trials < 1:
        raise ValueError(f"n_trials must be an integer of at least 1: {n_trials!r}.")
    _check_columns(selection, trainer)
    sizes = _check_sizes(sizes, selection)
    trainer, rows = _check_judges(selection, trainer, targets, allow_overlap)
    judges = trainer.targets if rows is None else trainer.targets[rows]
    groups = _check_groups(selection, groups, len(judges), rows)
    if train_groups is not None:
        if trainer.groups is not None:
            raise ValueError("train_groups need a trainer without groups.")
        n_rows = len(trainer.train)
        name, noun = "train_groups", "training example"
        train_groups = check_labels_of(train_groups, n_rows, name, noun)
    _warn_of_training_rows(judges, trainer.train)
    rng = np.random.default_rng(entropy_from(random_state))
    planned = _sets(selection, trainer, sizes, train_groups, n_trials, rng)
    edits, sets, outputs = _edits(selection, trainer), [], []
    for chosen, size, masks in planned:
        try:
            trained = _train(edits, _masks(selection, edits, chosen, masks), n_trials)
        except RuntimeError as error:
            what = f'The row "{chosen}" of {size} examples could not be trained'
            asked = chosen != "class_balanced" and trainer.on_failure == "raise"
            if asked or chosen == "none":
                raise RuntimeError(f"{what}: {error}") from error
            message = f"{what} and is left out: {error}"
            warnings.warn(message, RuntimeWarning, stacklevel=3)
            continue
        sets.append((chosen, size))
        outputs.append(trained if rows is None else trained[:, rows])
    outputs = np.array(outputs)
    return SelectionCheck(
        chosen=np.array([chosen for chosen, _ in sets]),
        size=np.array([size for _, size in sets]),
        action=selection.action,
        groups=groups,
        outputs=outputs,
        n_trained=edits.n_trained,
        **_scores(outputs, trainer.output_info, judges.y, groups, selection),
    )


def _sets(selection, trainer, sizes, train_groups, n_trials, rng):
    """Return what is trained: a name, a size and masks (1 or n_trials, n_train).

    Masks say which examples are acted on; for balanced subsets, which are left in.
    """
    n_train, examples = len(selection.candidates), selection.examples
    sets = [("none", 0, _masks_of([examples[:0]], n_train))]
    kinds = {"class_balanced": _classes(trainer), "group_balanced": train_groups}
    for name, labels in kinds.items():
        kept = (
            [] if labels is None else [_balanced(labels, rng) for _ in range(n_trials)]
        )
        if kept and len(kept[0]) < n_train:
            sets.append((name, n_train - len(kept[0]), _masks_of(kept, n_train)))
    if selection.action == "add":
        sets.append(("all", len(examples), _masks_of([examples], n_train)))
    shuffled = [rng.permutation(examples) for _ in range(n_trials)]
    for size in sizes:
        first = [order[:size] for order in shuffled]
        sets.append(("selected", size, _masks_of([examples[:size]], n_train)))
        sets.append(("random", size, _masks_of(first, n_train)))
    return sets


def _masks_of(sets, n_train):
    masks = np.zeros((len(sets), n_train), dtype=bool)
    for mask, rows in zip(masks, sets, strict=True):
        mask[rows] = True
    return masks


def _balanced(labels, rng):
    """Return random rows, as many of each label as the rarest has."""
    names, codes = np.unique(labels, return_inverse=True)
    n_each = np.bincount(codes).min()
    rows = [np.flatnonzero(codes == code) for code in range(len(names))]
    return np.concatenate([rng.choice(some, n_each, replace=False) for some in rows])


def _classes(trainer):
    """Return the class of each training example; None for a regression or groups."""
    if trainer.groups is not None:
        return None
    known = OUTPUTS.get(trainer.output_info.name)
    estimator = trainer.estimator
    if (known is not None and known.task == "classification") or (
        hasattr(estimator, "fit") and is_classifier(estimator)
    ):
        return trainer.train.y
    return None


def _edits(selection, trainer):
    """Return Edits of the trainer, with copies of all that may be relabelled."""
    if selection.action != "relabel":
        return Edits(trainer)
    names, codes = np.unique(selection.labels, return_inverse=True)
    sets = np.zeros((len(names), len(selection.candidates)), dtype=bool)
    sets[codes, selection.examples] = True
    return Edits(trainer, sets, names)


def _masks(selection, edits, chosen, masks):
    """Return the training sets, as PackedMasks."""
    if chosen.endswith("balanced"):
        return edits.untouched(masks)
    if selection.action == "relabel":
        return edits.relabelled(masks)
    if selection.action == "add":
        return PackedMasks.from_dense(~selection.candidates | masks)
    return PackedMasks.from_dense(~masks)


def _train(edits, masks, n_trials):
    """Return outputs (n_trials, n_targets) of one training set, or of n_trials."""
    if len(masks) == 1:
        return edits.train(masks, n_trials)[0]
    bits, counts = np.unique(masks.bits, axis=0, return_counts=True)
    trained = [  # equal sets get different seeds
        trials
        for count in np.unique(counts)
        for trials in edits.train(
            PackedMasks(bits[counts == count], masks.shape[1]), int(count)
        )
    ]
    return np.concatenate(trained)


def _scores(outputs, info, y, groups, selection):
    """Return the attributes of a SelectionCheck that are scores."""
    if info.name == "prediction":  # it was said that they are to rise, or to fall
        info = OutputInfo("mean prediction", info.unit, selection.higher_is_better)
    values, _, higher = metric_values(outputs, info, y)
    scores = removal_scores(outputs, info, y)
    del scores["output"], scores["output_error"]
    higher = selection.higher_is_better if higher is None else higher
    scores["higher_is_better"] = higher
    names, codes = np.array(["all"]), np.zeros(values.shape[2], dtype=int)
    if groups is not None:
        names, codes = np.unique(groups, return_inverse=True)
    parts = [values[:, :, codes == code] for code in range(len(names))]
    group_scores, variances = zip(*map(over_trials, parts), strict=True)
    of_trials = np.stack([_mean(part, axis=2) for part in parts], axis=2)
    worst = of_trials.min(axis=2) if higher else of_trials.max(axis=2)
    mean, variance = mean_and_variance(worst)
    variance[np.ptp(worst, axis=1) == 0] *= 0
    by_target, _ = mean_and_variance(values)
    of_targets = _variance_of_worst(by_target, codes, higher)
    change_error = np.sqrt(variance + variance[0] + of_targets)
    change_error[0] = 0
    return scores | {
        "worst": mean,
        "worst_error": np.sqrt(variance),
        "worst_change": mean - mean[0],
        "worst_change_error": change_error,
        "group_scores": np.stack(group_scores, axis=1),
        "group_errors": np.sqrt(np.stack(variances, axis=1)),
        "group_names": names,
        "group_sizes": np.bincount(codes),
    }


def _variance_of_worst(values, codes, higher):
    """Return the variance of the change of the worst group due to finite targets.

    By a stratified bootstrap of the targets, for another group may be the worst.

    Parameters
    ----------
    values : array of shape (n_rows, n_targets)
        Mean values of targets over trials.
    codes : int array of shape (n_targets,)
        Group of each target.
    higher : bool
        Whether high values are better.
    """
    rng, means = np.random.default_rng(0), []
    for code, size in enumerate(np.bincount(codes)):
        shares = rng.multinomial(size, np.full(size, 1 / size), _N_RESAMPLES) / size
        means.append(shares @ values[:, codes == code].T)
    worst = np.min(means, axis=0) if higher else np.max(means, axis=0)
    return (worst - worst[:, :1]).var(axis=0)


def _mean(values, axis):
    """Return the mean without NaN; NaN if there is nothing else."""
    known = ~np.isnan(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)


def _check_columns(selection, trainer):
    players = players_of(trainer)
    if len(players) != len(selection.candidates):
        raise ValueError(
            f"The trainer has {len(players)} {players.noun}s, but the weights of the "
            f"selection have {len(selection.candidates)} columns."
        )
    if selection.action == "relabel" and (
        players.are_groups
        or not (
            hasattr(trainer.estimator, "fit")
            or hasattr(trainer.estimator, "make_learner")
        )
    ):
        raise TypeError(
            "Relabelled examples can be verified with an estimator that has fit, and "
            "without groups: a function has its own labels, and groups have several."
        )
    if selection.action == "relabel":
        same = (trainer.train.y[selection.examples] == selection.labels).sum()
        if same:
            raise ValueError(
                f"{same} examples of the trainer already have their new label. Pass a "
                "trainer with the labels as they were when the examples were selected."
            )


def _check_sizes(sizes, selection):
    if sizes is None:
        if not selection.n_suggested:
            raise ValueError(
                "The selection suggests no example, for no number of them is predicted "
                "to help targets that did not choose. Pass sizes to try some anyway."
            )
        sizes = [selection.n_suggested]
    n_most = len(selection)
    if selection.action == "drop":  # not the whole training set
        n_most = min(n_most, len(selection.candidates) - 1)
    whole = [
        max(1, round(size * len(selection)))
        if isinstance(size, Real) and 0 < size < 1
        else size
        for size in np.asarray(sizes, dtype=object).ravel().tolist()
    ]
    if not whole or not all(
        isinstance(n, Integral) and 1 <= n <= n_most for n in whole
    ):
        raise ValueError(
            f"sizes must be numbers of examples from 1 to {n_most}, or fractions "
            f"between 0 and 1; got {sizes}."
        )
    return np.unique(whole)


def _check_judges(selection, trainer, targets, allow_overlap):
    """Return the trainer with the targets that judge, and their rows; None for all."""
    own = trainer.targets
    if isinstance(targets, Examples):
        if len(own) == selection.n_targets and not allow_overlap:
            same = equal_rows(targets.X, own[selection.targets].X) >= 0
            _refuse_overlap(same.sum(), len(targets), "have the same inputs as ones")
        return clone(trainer).set_params(targets=targets), None
    names = selection.target_ids
    if len(own) != selection.n_targets or (
        names is not None and not np.array_equal(names, own.ids)
    ):
        raise ValueError(
            f"The trainer has other targets ({len(own)}) than the weights of the "
            f"selection ({selection.n_targets}), so rows of them do not say whether "
            "they chose. Pass Examples as targets."
        )
    chose = np.isin(np.arange(len(own)), selection.targets)
    if targets is None:
        targets = np.flatnonzero(selection.in_objective & ~chose)
        if not targets.size:
            of_slice = "" if selection.in_objective.all() else " in the slice"
            raise ValueError(
                f"All targets of the trainer{of_slice} chose the examples, so none of "
                "them can judge. Pass other Examples as targets, or select with "
                "targets=, the rows that choose."
            )
    rows = check_target_indices(targets, len(own), "targets")
    if not allow_overlap:
        _refuse_overlap(chose[rows].sum(), len(rows), "are among those")
    return trainer, rows


def _refuse_overlap(n, n_all, what):
    if n:
        raise ValueError(
            f"{n} of the {n_all} targets that are to judge {what} that chose the "
            "examples: their scores are too optimistic. Pass others, or "
            "allow_overlap=True."
        )


def _warn_of_training_rows(judges, train):
    n = (equal_rows(judges.X, train.X) >= 0).sum()
    if n > len(judges) / 2:
        warnings.warn(
            f"{n} of the {len(judges)} targets that judge are in the training set. "
            "They do not say what the model does with new examples.",
            UserWarning,
            stacklevel=4,
        )


def _check_groups(selection, groups, n, rows):
    """Return the group of each target that judges, or None."""
    if groups is None:
        known = rows is not None and selection.groups is not None
        return selection.groups[rows] if known else None
    return check_labels_of(groups, n, "groups", "target that judges")
