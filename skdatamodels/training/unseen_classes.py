"""Runs whose subset has no example of a class: counted, told, and left out if asked."""

import warnings

import numpy as np


class UnseenClasses:
    """Which classes of the targets each run saw no example of.

    Parameters
    ----------
    masks : PackedMasks of shape (n_runs, n_train)
    y_train : array of shape (n_train,)
    y_targets : array of shape (n_targets,)

    Attributes
    ----------
    unseen : bool array of shape (n_runs, n_classes)
    n_unseen : int array of shape (n_runs,)
        Number of classes of the targets that each run missed.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.masks import as_masks
    >>> from skdatamodels.training.unseen_classes import UnseenClasses
    >>> masks = as_masks([[1, 0, 1], [1, 1, 0]])
    >>> found = UnseenClasses(masks, np.array([0, 0, 1]), np.array([1, 0, 1]))
    >>> found.n_unseen
    array([0, 1])
    >>> found.without(np.ones((2, 3), np.float32))
    array([[ 1.,  1.,  1.],
           [nan,  1., nan]], dtype=float32)
    """

    def __init__(self, masks, y_train, y_targets):
        self.classes, self._class_of_target = np.unique(y_targets, return_inverse=True)
        is_member = y_train[:, None] == self.classes
        self.unseen = masks.dot(is_member.astype(np.float32)) == 0
        self.n_unseen = self.unseen.sum(axis=1)

    def warn(self, unseen_class, design, stacklevel):
        """Warn of runs that missed a class, if there are any."""
        n_runs, n_missing = len(self.unseen), int((self.n_unseen > 0).sum())
        if not n_missing:
            return
        by_class = ", ".join(
            f"{name!r} in {n}"
            for name, n in zip(
                self.classes.tolist(), self.unseen.sum(axis=0).tolist(), strict=True
            )
            if n
        )
        what = "are low guesses; unseen_class='nan' leaves them out"
        if unseen_class == "nan":
            what = "are NaN, as unseen_class='nan' asks"
        cure = "A larger alpha makes this rarer"
        if design != "stratified":
            cure += ", and so does design='stratified'"
        warnings.warn(
            f"{n_missing} of {n_runs} runs ({n_missing / n_runs:.1%}) saw no example "
            f"of a class of the targets: {by_class}. Their outputs on targets of that "
            f"class {what}. {cure}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )

    def without(self, outputs):
        """Return outputs (n_runs, n_targets) with NaN on targets of unseen classes."""
        if not self.unseen.any():
            return outputs
        return np.where(self.unseen[:, self._class_of_target], np.nan, outputs)
