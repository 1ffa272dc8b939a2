"""Training sets with some examples removed or mislabelled, and what comes of them."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier

from skdatamodels._examples import Examples
from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.masks import PackedMasks


class Edits:
    """Trains a model on edited training sets.

    An example that is relabelled is left out, and a copy of it that bears the label is
    taken in: copies are appended to the training set. So relabelling is a mask too,
    with its store, workers and failures.

    Parameters
    ----------
    trainer : SubsetTrainer
        Is cloned.
    sets : bool array of shape (n_sets, n_train), default=None
        Only to relabel: the examples that will be given the label of their row.
    labels : array of shape (n_sets,), default=()

    Attributes
    ----------
    trainer : SubsetTrainer
        Its training set ends with the copies.
    n_trained : int
        Trainings asked of the trainer so far.
    """

    def __init__(self, trainer, sets=None, labels=()):
        train = trainer.train
        # all of a class may be removed: that is an answer here, not a missing value
        self.trainer = clone(trainer).set_params(unseen_class="floor")
        self.n_trained, self._outputs = 0, {}
        self._y, copies = train.y, []
        for label in np.unique(labels):
            needed = sets[labels == label].any(axis=0) & (train.y != label)
            copies += [(i, label) for i in np.flatnonzero(needed)]
        self._copy_of = np.array([i for i, _ in copies], dtype=int)
        self._label_of = np.array([label for _, label in copies], dtype=train.y.dtype)
        if copies:
            X = safe_indexing(train.X, np.r_[np.arange(len(train)), self._copy_of])
            y = np.r_[train.y, self._label_of]
            self.trainer.set_params(train=Examples(X, y, allow_nan=True))

    def masks(self, sets, labels=None, base=True):
        """Return the edits of one training set, a mask (n_train,), as PackedMasks.

        Without labels the sets are removed. An example that bears the label of its set
        already stays as it is.
        """
        if labels is None:
            return self.untouched(base & ~sets)
        labels = labels[:, None]
        sets = sets & (self._y != labels)
        added = (base & sets)[:, self._copy_of] & (self._label_of == labels)
        return PackedMasks.from_dense(np.hstack([base & ~sets, added]))

    def untouched(self, bases):
        """Return training sets (n_bases, n_train) as they are, as PackedMasks."""
        n_copies = len(self._copy_of)
        return PackedMasks.from_dense(np.pad(bases, [(0, 0), (0, n_copies)]))

    def train(self, masks, n_trials, n_before=0):
        """Return outputs (n_trials, n_targets) of each of some PackedMasks.

        Each is trained `n_trials` times, once: what was trained is kept. The seeds are
        those after the first `n_before`, an int or an array (n_masks,).
        """
        n_before = np.broadcast_to(n_before, len(masks))
        keys = [
            (n_trials, int(before), row.tobytes())
            for before, row in zip(n_before, masks.bits, strict=True)
        ]
        new = {key: i for i, key in enumerate(keys) if key not in self._outputs}
        if new:
            rows = np.array(list(new.values()))
            n_each = n_before[rows] + n_trials  # a seed counts how often a mask came
            trained = self.trainer.transform(masks[np.repeat(rows, n_each)])
            ends = np.cumsum(n_each)
            self.n_trained += int(ends[-1])
            for key, end in zip(new, ends, strict=True):
                self._outputs[key] = np.asarray(trained.outputs[end - n_trials : end])
        return [self._outputs[key] for key in keys]


class OrderedEdits:
    """Edits of the examples that come first in an order, target by target.

    Parameters
    ----------
    trainer : SubsetTrainer
    orders : list of int array
        Examples that can be edited, target by target.
    labels : array of shape (n_targets,), or None
        Label that the examples are given, for each target; None to remove them.
    n_most : int
        Examples of a target that may be asked for.
    n_trials : int

    Attributes
    ----------
    orders : list of int array
        Those that may be asked for.
    """

    def __init__(self, trainer, orders, labels, n_most, n_trials):
        self.labels, self.n_trials = labels, n_trials
        # a set that cannot be trained ends one search, and not all of them
        trainer = clone(trainer).set_params(on_failure="nan")
        self.orders = [order[:n_most] for order in orders]
        self.n_train = len(trainer.train)
        everything = [(target, n_most) for target in range(len(self.orders))]
        self.edits = (
            Edits(trainer)
            if labels is None
            else Edits(trainer, self._sets(everything), labels)
        )

    def outputs(self, asked, n_before=0):
        """Return outputs (n_trials,) for each (target, size) of a list."""
        targets = [target for target, _ in asked]
        labels = None if self.labels is None else self.labels[targets]
        masks = self.edits.masks(self._sets(asked), labels)
        try:
            trained = self.edits.train(masks, self.n_trials, n_before)
        except RuntimeError as error:  # not one of them can be trained
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
    """Raise unless the trainer trains a classifier on the labels that it is given."""
    estimator = trainer.estimator
    many = hasattr(estimator, "make_learner")  # such as TorchLearner
    if many and getattr(estimator, "loss", "cross_entropy") == "cross_entropy":
        return
    if not (hasattr(estimator, "fit") and is_classifier(estimator)):
        raise ValueError(
            '"mislabel" needs a trainer of a classifier, whose labels can be changed; '
            f"got {type(estimator).__name__}."
        )


def most_likely_wrong_class(trainer, n_trials):
    """Return for each target the class, not its own, with the highest mean output.

    Each target is measured once a class, as if it were of that class.
    """
    targets, classes = trainer.targets, np.unique(trainer.train.y)
    everyone = Examples(
        safe_indexing(targets.X, np.tile(np.arange(len(targets)), len(classes))),
        np.repeat(classes, len(targets)),
        allow_nan=True,
    )
    edits = Edits(clone(trainer).set_params(targets=everyone))
    everything = np.ones((1, len(trainer.train)), dtype=bool)
    means, _ = mean_and_variance(edits.train(edits.untouched(everything), n_trials))
    means = means.reshape(len(classes), len(targets))
    means[classes[:, None] == targets.y] = -np.inf
    return classes[means.argmax(axis=0)]


class Effects(NamedTuple):
    """Change of the mean output, and its standard error: arrays (n_sets, n_targets)."""

    mean: np.ndarray
    error: np.ndarray


def effects_on_everything(edits, sets, labels, n_trials, n_control_trials):
    """Edit the whole training set, and train each edit, and the whole, several times.

    Returns
    -------
    effects : Effects
    """
    everything = np.ones((1, sets.shape[1]), dtype=bool)
    outputs = edits.train(edits.untouched(everything), n_control_trials)
    control, control_variance = mean_and_variance(outputs)
    mean, variance = mean_and_variance(edits.train(edits.masks(sets, labels), n_trials))
    return Effects(mean - control, np.sqrt(variance + control_variance))


def effects_on_subsets(edits, sets, labels, bases):
    """Train each edit of each of some subsets, and the subsets.

    Both of a pair see the same subset, so what subsets differ in cancels.

    Parameters
    ----------
    bases : bool array of shape (n_trials, n_train)

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
    return Effects(mean, np.sqrt(variance))


def mean_and_variance(trials):
    """Mean over axis 1, and the variance of that mean; NaN (failed) left out.

    A mean of no trial is NaN, and so is the variance of fewer than two.
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
