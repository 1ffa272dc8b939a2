"""Train on edited training sets: with some examples removed or mislabelled."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier

from skdatamodels._examples import Examples
from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.masks import PackedMasks
from skdatamodels.training._players import players_of


class Edits:
    """Train a model on edited training sets.

    To relabel an example, it is left out and a copy with the new label is used instead.
    The copies are appended to the training set. So relabelling is also a mask, and the
    store, the workers and the handling of failures work as for any mask. If the masks
    of the trainer are of groups, `n_train` below is the number of groups, and a copy is
    one of all examples of a group.

    Parameters
    ----------
    trainer : SubsetTrainer
        The trainer, which is cloned.
    sets : bool array of shape (n_sets, n_train), default=None
        Needed only to relabel: the examples that get the label of their row.
    labels : array of shape (n_sets,), default=()
        Label of each set. Empty to remove examples.

    Attributes
    ----------
    trainer : SubsetTrainer
        The clone. The copies are at the end of its training set.
    n_trained : int
        Number of trainings so far.
    """

    def __init__(self, trainer, sets=None, labels=()):
        players = players_of(trainer)
        # a whole class may be removed: its outputs are then valid, not missing
        self.trainer = clone(trainer)
        self.trainer.unseen_class, self.trainer.keep_models = "floor", 0
        self.n_trained, self._outputs = 0, {}
        copies, self._differ = [], {}
        for label in np.unique(labels):
            self._differ[label] = players.have(trainer.train.y != label)
            needed = sets[labels == label].any(axis=0) & self._differ[label]
            copies += [(i, label) for i in np.flatnonzero(needed)]
        self._copy_of = np.array([i for i, _ in copies], dtype=int)
        label_of, dtype = (
            np.array([label for _, label in copies]),
            trainer.train.y.dtype,
        )
        # values of a regression need not be whole, though those of the trainer are
        whole = not (label_of.dtype.kind == "f" and (label_of % 1).any())
        self._label_of = label_of.astype(dtype) if whole else label_of
        if copies:
            self._append_copies(players)

    def _append_copies(self, players):
        """Append copies of examples or groups, with their labels, to the trainer's."""
        train, rows = self.trainer.train, players.rows_of(self._copy_of)
        n_each = [len(some) for some in rows]
        everything = np.concatenate([np.arange(len(train)), *rows])
        weight = train.sample_weight
        edited = Examples(
            safe_indexing(train.X, everything),
            np.r_[train.y, np.repeat(self._label_of, n_each)],
            allow_nan=True,
            sample_weight=None if weight is None else weight[everything],
        )
        self.trainer.set_params(train=edited)
        if players.are_groups:
            of_copies = len(players) + np.repeat(np.arange(len(rows)), n_each)
            self.trainer.set_params(groups=np.r_[players.of_row, of_copies])

    def masks(self, sets, labels=None, base=True):
        """Return edits of the training set `base`, a mask (n_train,), as PackedMasks.

        Without labels, the sets are removed. An example that already has the label of
        its set is not changed.
        """
        if labels is None:
            return self.untouched(base & ~sets)
        sets = sets & np.array([self._differ[label] for label in labels])
        labels = labels[:, None]
        added = (base & sets)[:, self._copy_of] & (self._label_of == labels)
        return PackedMasks.from_dense(np.hstack([base & ~sets, added]))

    def relabelled(self, sets):
        """Return the whole training set with sets (n_sets, n_train) relabelled.

        Each example gets the label that it was copied with, which must be a single one.
        """
        return PackedMasks.from_dense(np.hstack([~sets, sets[:, self._copy_of]]))

    def untouched(self, bases):
        """Return training sets (n_bases, n_train), without edits, as PackedMasks."""
        n_copies = len(self._copy_of)
        return PackedMasks.from_dense(np.pad(bases, [(0, 0), (0, n_copies)]))

    def train(self, masks, n_trials, n_before=0):
        """Return a list with the outputs (n_trials, n_targets) of each mask.

        Each mask is trained `n_trials` times. The outputs are cached. The first
        `n_before` seeds, an int or an array (n_masks,), are skipped.
        """
        n_before = np.broadcast_to(n_before, len(masks))
        keys = [
            (n_trials, int(before), row.tobytes())
            for before, row in zip(n_before, masks.bits, strict=True)
        ]
        new = {key: i for i, key in enumerate(keys) if key not in self._outputs}
        if new:
            rows = np.array(list(new.values()))
            n_each = n_before[rows] + n_trials  # repeated rows get new seeds
            trained = self.trainer.transform(masks[np.repeat(rows, n_each)])
            ends = np.cumsum(n_each)
            self.n_trained += int(ends[-1])
            for key, end in zip(new, ends, strict=True):
                self._outputs[key] = np.asarray(trained.outputs[end - n_trials : end])
        return [self._outputs[key] for key in keys]


class OrderedEdits:
    """Edit the first examples of an order, for each target.

    Parameters
    ----------
    trainer : SubsetTrainer
        The trainer, which is cloned.
    orders : list of int array
        For each target, the examples that can be edited, in order.
    labels : array of shape (n_targets,), or None
        For each target, the label to assign to the examples. None removes them.
    n_most : int
        Maximum number of examples to edit.
    n_trials : int
        Number of trainings of each edited set.

    Attributes
    ----------
    orders : list of int array
        The first `n_most` examples of each order.
    """

    def __init__(self, trainer, orders, labels, n_most, n_trials):
        self.labels, self.n_trials = labels, n_trials
        # a set that cannot be trained stops one search, not all of them
        trainer = clone(trainer).set_params(on_failure="nan")
        self.orders = [order[:n_most] for order in orders]
        self.n_train = len(players_of(trainer))
        everything = [(target, n_most) for target in range(len(self.orders))]
        self.edits = (
            Edits(trainer)
            if labels is None
            else Edits(trainer, self._sets(everything), labels)
        )

    def outputs(self, asked, n_before=0):
        """Return the outputs (n_trials,) for each (target, size) in a list."""
        targets = [target for target, _ in asked]
        labels = None if self.labels is None else self.labels[targets]
        masks = self.edits.masks(self._sets(asked), labels)
        try:
            trained = self.edits.train(masks, self.n_trials, n_before)
        except RuntimeError as error:  # none of the sets can be trained
            if 0 in [size for _, size in asked]:
                raise
            warnings.warn(str(error), RuntimeWarning, stacklevel=5)
            return [np.full(self.n_trials, np.nan)] * len(asked)
        return [
            trials[:, target] for trials, target in zip(trained, targets, strict=True)
        ]

    def _sets(self, asked):
        sets = np.zeros((len(asked), self.n_train), dtype=bool)
        for row, (target, size) in zip(sets, asked, strict=True):
            row[self.orders[target][:size]] = True
        return sets


def check_takes_labels(trainer):
    """Raise if the trainer does not train a classifier on the labels it is given."""
    estimator = trainer.estimator
    many = hasattr(estimator, "make_learner")  # such as TorchLearner
    if many and getattr(estimator, "loss", "cross_entropy") == "cross_entropy":
        return
    if not (hasattr(estimator, "fit") and is_classifier(estimator)):
        raise ValueError(
            'edit="mislabel" needs a trainer of a classifier, but its estimator is '
            f"{type(estimator).__name__}."
        )


def most_likely_wrong_class(trainer, n_trials):
    """Return, for each target, the wrong class with the highest mean output.

    Each target is measured once per class, as if it belonged to that class.
    """
    targets, classes = trainer.targets, np.unique(trainer.train.y)
    everyone = Examples(
        safe_indexing(targets.X, np.tile(np.arange(len(targets)), len(classes))),
        np.repeat(classes, len(targets)),
        allow_nan=True,
    )
    edits = Edits(clone(trainer).set_params(targets=everyone))
    everything = np.ones((1, len(players_of(trainer))), dtype=bool)
    means, _ = mean_and_variance(edits.train(edits.untouched(everything), n_trials))
    means = means.reshape(len(classes), len(targets))
    means[classes[:, None] == targets.y] = -np.inf
    return classes[means.argmax(axis=0)]


class Effects(NamedTuple):
    """Changes of mean outputs and their standard errors, (n_sets, n_targets) each.

    `base` are the mean outputs without edits, (n_targets,).
    """

    mean: np.ndarray
    error: np.ndarray
    base: np.ndarray


def effects_on_everything(edits, sets, labels, n_trials, n_control_trials):
    """Measure the effects of edits of the full training set.

    Returns
    -------
    effects : Effects
    """
    everything = np.ones((1, sets.shape[1]), dtype=bool)
    outputs = edits.train(edits.untouched(everything), n_control_trials)
    control, control_variance = mean_and_variance(outputs)
    mean, variance = mean_and_variance(edits.train(edits.masks(sets, labels), n_trials))
    error = np.sqrt(variance + control_variance)
    return Effects(mean - control, error, control[0])


def effects_on_subsets(edits, sets, labels, bases):
    """Measure the effects of edits of random subsets.

    Each subset is trained with and without each edit, so differences between subsets
    cancel.

    Parameters
    ----------
    edits : Edits
        Trains the edited sets.
    sets : bool array of shape (n_sets, n_train)
        Examples to edit.
    labels : array of shape (n_sets,), or None
        Label of each set. None removes the examples.
    bases : bool array of shape (n_trials, n_train)
        The subsets.

    Returns
    -------
    effects : Effects
    """
    masks = [edits.untouched(bases)]
    masks += [edits.masks(sets, labels, base) for base in bases]
    masks = PackedMasks(np.concatenate([m.bits for m in masks]), masks[0].shape[1])
    outputs = np.array(edits.train(masks, 1))[:, 0]
    control, trials = outputs[: len(bases)], outputs[len(bases) :]
    trials = trials.reshape(len(bases), len(sets), -1).swapaxes(0, 1)
    mean, variance = mean_and_variance(trials - control)
    base, _ = mean_and_variance(control[None])
    return Effects(mean, np.sqrt(variance), base[0])


def mean_and_variance(trials):
    """Return the mean over axis 1 and the variance of that mean, ignoring NaN.

    The mean of no trial is NaN, and so is the variance with fewer than two.
    """
    trials = np.asarray(trials)
    known = ~np.isnan(trials)
    n = known.sum(axis=1)
    values = np.where(known, trials, 0).astype(np.float64)
    mean = np.divide(values.sum(axis=1), n, out=np.full(n.shape, np.nan), where=n > 0)
    deviations = np.where(known, values - np.nan_to_num(mean)[:, None], 0)
    variance = np.divide(
        (deviations**2).sum(axis=1),
        n * (n - 1),
        out=np.full(n.shape, np.nan),
        where=n > 1,
    )
    return mean, variance
