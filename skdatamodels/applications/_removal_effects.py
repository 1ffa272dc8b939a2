"""What removing, or relabelling, sets of training examples does to every target."""

from typing import NamedTuple

import numpy as np

from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.examples import Examples
from skdatamodels.masks import PackedMasks, sample_masks


class Edits(NamedTuple):
    """Edited training sets, as masks of a training set with copies appended.

    removed : bool array (n_sets, n_train)
    copy_of : int array (n_copies,), the example that each appended copy is of
    added : bool array (n_sets, n_copies)
    """

    removed: np.ndarray
    copy_of: np.ndarray
    added: np.ndarray

    @property
    def n_columns(self):
        """Examples and copies together."""
        return self.removed.shape[1] + len(self.copy_of)

    def distinct(self):
        """Return the edits without repetition, and which of them each one is."""
        sets = np.packbits(np.hstack([self.removed, self.added]), axis=1)
        _, first, which = np.unique(
            sets, axis=0, return_index=True, return_inverse=True
        )
        edits = Edits(self.removed[first], self.copy_of, self.added[first])
        return edits, which.reshape(-1)

    def masks(self, base):
        """Return the edits of one training set, a mask (n_train,), as PackedMasks."""
        edited = np.hstack([base & ~self.removed, base[self.copy_of] & self.added])
        return PackedMasks.from_dense(edited)

    def untouched(self, bases):
        """Return masks (n_bases, n_train) unedited, among the edits' columns."""
        copies = np.zeros((len(bases), len(self.copy_of)), dtype=bool)
        return PackedMasks.from_dense(np.hstack([bases, copies]))


def removals(removed):
    """Return the edits that leave out these examples, bool (n_sets, n_train)."""
    none = np.empty(0, dtype=int)
    return Edits(removed, none, np.empty((len(removed), 0), dtype=bool))


def relabellings(train, removed, labels):
    """Return training set with copies, and the edits that give sets a wrong label.

    An example that bears the label of its set already stays as it is.

    Parameters
    ----------
    train : Examples
    removed : bool array of shape (n_sets, n_train)
    labels : array of shape (n_sets,)
    """
    removed = removed & (train.y != labels[:, None])
    copies = []
    for label in np.unique(labels):
        needed = removed[labels == label].any(axis=0)
        copies += [(i, label) for i in np.flatnonzero(needed)]
    copy_of = np.array([i for i, _ in copies], dtype=int)
    label_of = np.array([label for _, label in copies], dtype=train.y.dtype)
    added = removed[:, copy_of] & (labels[:, None] == label_of)
    rows = np.r_[np.arange(len(train)), copy_of]
    X = safe_indexing(train.X, rows)
    extended = Examples(X, np.r_[train.y, label_of], allow_nan=True)
    return extended, Edits(removed, copy_of, added)


class Effects(NamedTuple):
    """Change of the mean output, and its standard error: arrays (n_sets, n_targets)."""

    mean: np.ndarray
    error: np.ndarray


def effects_on_everything(trainer, edits, n_trials, n_control_trials):
    """Train each edit of the whole training set, and the whole, several times.

    Returns
    -------
    effects : Effects
    """
    edits, which = edits.distinct()
    everything = np.ones((1, edits.removed.shape[1]), dtype=bool)
    rows = [
        edits.untouched(everything).bits.repeat(n_control_trials, axis=0),
        edits.masks(everything[0]).bits.repeat(n_trials, axis=0),
    ]
    outputs = _train(trainer, rows, edits.n_columns)
    control = _mean_and_variance(outputs[None, :n_control_trials])
    trials = outputs[n_control_trials:].reshape(-1, n_trials, outputs.shape[1])
    mean, variance = _mean_and_variance(trials)
    mean, error = mean - control[0], np.sqrt(variance + control[1])
    return Effects(mean[which], error[which])


def effects_on_subsets(trainer, edits, bases):
    """Train each edit of each of some subsets, and the subsets.

    Both of a pair see the same subset, so what subsets differ in cancels.

    Parameters
    ----------
    bases : bool array of shape (n_trials, n_train)

    Returns
    -------
    effects : Effects
    """
    edits, which = edits.distinct()
    rows = [edits.untouched(bases).bits, *(edits.masks(base).bits for base in bases)]
    outputs = _train(trainer, rows, edits.n_columns)
    control, trials = outputs[: len(bases)], outputs[len(bases) :]
    trials = trials.reshape(len(bases), -1, outputs.shape[1]).swapaxes(0, 1)
    mean, variance = _mean_and_variance(trials - control)
    return Effects(mean[which], np.sqrt(variance[which]))


def draw_subsets(trainer, n_trials, seed):
    """Return subsets of the trainer's own design, bool (n_trials, n_train)."""
    masks = sample_masks(
        n_trials,
        len(trainer.train),
        trainer.alpha,
        design=trainer.design,
        random_state=seed,
        y=trainer.train.y,
    )
    return masks.dense()


def _train(trainer, rows, n_train):
    masks = PackedMasks(np.concatenate(rows), n_train)
    return np.asarray(trainer.fit(masks).transform(masks).outputs)


def _mean_and_variance(trials):
    """Mean over axis 1, and the variance of that mean; NaN (failed) left out.

    A mean of no trial is NaN, and so is the variance of fewer than two.
    """
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
