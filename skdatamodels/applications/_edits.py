"""Training sets with some examples removed or mislabelled, as masks of a trainer."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone

from skdatamodels._sklearn_compat import safe_indexing
from skdatamodels.examples import Examples
from skdatamodels.masks import PackedMasks


class RepeatedTrainings:
    """Train each mask `n_trials` times, once: what was trained is kept.

    Parameters
    ----------
    trainer : SubsetTrainer
        Already a clone: it is fitted here.
    n_trials : int

    Attributes
    ----------
    n_trained : int
        Trainings asked of the trainer so far.
    """

    def __init__(self, trainer, n_trials):
        self.trainer, self.n_trials = trainer, n_trials
        self._outputs, self.n_trained = {}, 0

    def __call__(self, masks):
        """Return outputs (n_trials, n_targets) for each mask (n_train,) of a list."""
        keys = [np.packbits(mask).tobytes() for mask in masks]
        new = {
            key: mask
            for key, mask in zip(keys, masks, strict=True)
            if key not in self._outputs
        }
        if new:
            packed = PackedMasks.from_dense(np.array(list(new.values())))
            rows = packed[np.repeat(np.arange(len(new)), self.n_trials)]
            outputs = np.asarray(self.trainer.transform(rows).outputs)
            outputs = outputs.reshape(len(new), self.n_trials, -1)
            if np.isnan(outputs[:, :, 0]).all(axis=1).any():
                raise RuntimeError(
                    f"All {self.n_trials} trainings of an edited training set failed, "
                    "so nothing is known of it; the trainer's warning says why."
                )
            self._outputs.update(zip(new, outputs, strict=True))
            self.n_trained += len(rows)
        return [self._outputs[key] for key in keys]


class Removal:
    """Removing the examples of highest weight, target by target.

    Parameters
    ----------
    trainer : SubsetTrainer
    attributions : array or CSR of shape (n_targets, n_train)
    n_most : int
        Examples that may be asked for.
    n_trials : int

    Attributes
    ----------
    orders : list of int array
        Training examples of each target, highest weight first.
    """

    def __init__(self, trainer, attributions, n_most, n_trials):
        self.orders = [row[:n_most] for row in _by_weight(attributions)]
        self.trainings = RepeatedTrainings(trainer, n_trials)
        self.n_train = len(trainer.train)

    def mask(self, target, size):
        """Return the mask of the edited training set."""
        mask = np.ones(self.n_train, dtype=bool)
        mask[self.orders[target][:size]] = False
        return mask

    def outputs(self, asked):
        """Return outputs (n_trials,) for each (target, size) of a list."""
        masks = [self.mask(target, size) for target, size in asked]
        results = self.trainings(masks)
        return [
            result[:, target]
            for result, (target, _) in zip(results, asked, strict=True)
        ]


class Mislabelling(Removal):
    """Giving the examples of highest weight a wrong label, target by target.

    A copy of each such example, with its wrong label, is appended to the training
    set; the mask takes the copy instead of the original. So relabelling is a mask
    too, with its store, workers and failures.

    Attributes
    ----------
    wrong : array of shape (n_targets,)
        For each target the class, not its own, whose mean output is the highest.
    """

    def __init__(self, trainer, attributions, n_most, n_trials):
        y = trainer.train.y
        self.wrong = most_likely_wrong_class(trainer, n_trials)
        # an example that bears the wrong label already cannot be given it
        self.orders = [
            row[y[row] != wrong][:n_most]
            for row, wrong in zip(_by_weight(attributions), self.wrong, strict=True)
        ]
        pairs = dict.fromkeys(
            (int(i), wrong)
            for row, wrong in zip(self.orders, self.wrong.tolist(), strict=True)
            for i in row
        )
        self.n_train = len(y)
        self.copies = {pair: self.n_train + k for k, pair in enumerate(pairs)}
        rows = np.array([*range(self.n_train), *(i for i, _ in pairs)])
        labels = np.array([label for _, label in pairs], dtype=y.dtype)
        extended = Examples(
            safe_indexing(trainer.train.X, rows),
            np.concatenate([y, labels]),
            allow_nan=True,
        )
        trainer = clone(trainer).set_params(train=extended)
        self.trainings = RepeatedTrainings(trainer, n_trials)

    def mask(self, target, size):
        """Return the mask of the edited training set, originals then copies."""
        mask = np.zeros(self.n_train + len(self.copies), dtype=bool)
        mask[: self.n_train] = super().mask(target, size)
        wrong = self.wrong[target].item()
        mask[[self.copies[int(i), wrong] for i in self.orders[target][:size]]] = True
        return mask


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
    trainings = RepeatedTrainings(clone(trainer).set_params(targets=everyone), n_trials)
    (outputs,) = trainings([np.ones(len(trainer.train), dtype=bool)])
    means = np.nanmean(outputs, axis=0).reshape(len(classes), len(targets))
    means[classes[:, None] == targets.y] = -np.inf
    return classes[means.argmax(axis=0)]


def _by_weight(attributions):
    """Yield, row by row, the examples from the highest weight to the lowest."""
    for row in range(attributions.shape[0]):
        weights = attributions[[row]]
        weights = weights.toarray() if issparse(weights) else weights
        yield np.argsort(-weights[0], kind="stable")
