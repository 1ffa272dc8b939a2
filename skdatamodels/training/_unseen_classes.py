"""Runs whose subset misses a class: counts, a warning, and missing outputs."""

import warnings

import numpy as np

_FEW = 0.01  # share of the runs up to which there is no warning


class UnseenClasses:
    """Classes that are missing in the subset of each run.

    Parameters
    ----------
    masks : PackedMasks of shape (n_runs, n_players)
        Subsets.
    y_train : array of shape (n_train,)
        Classes of the training examples.
    y_targets : array of shape (n_targets,)
        Classes of the targets, which must occur in `y_train`.
    players : Players, default=None
        What the masks switch. None means training examples.

    Attributes
    ----------
    unseen : bool array of shape (n_runs, n_classes)
        Whether each class of the targets is missing in each subset.
    n_unseen : int array of shape (n_runs,)
        Number of classes of the targets that are missing in each subset.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.masks import as_masks
    >>> from skdatamodels.training._unseen_classes import UnseenClasses
    >>> masks = as_masks([[1, 0, 1, 1], [1, 1, 0, 1]])
    >>> found = UnseenClasses(masks, np.array([0, 0, 1, 2]), np.array([1, 0, 1]))
    >>> found.n_unseen
    array([0, 1])
    >>> found.without(np.ones((2, 3), np.float32))
    array([[ 1.,  1.,  1.],
           [nan,  1., nan]], dtype=float32)
    """

    def __init__(self, masks, y_train, y_targets, players=None):
        classes = np.unique(y_train)
        members = (y_train[:, None] == classes).astype(np.float32)
        members = members if players is None else players.total(members)
        unseen = masks.dot(members) == 0
        of_targets = np.isin(classes, y_targets)
        self.classes, self.unseen = classes[of_targets], unseen[:, of_targets]
        self.n_unseen = self.unseen.sum(axis=1)
        self._mixed = ((members > 0).sum(axis=1) > 1).any()
        self._class_of_target = np.searchsorted(self.classes, y_targets)
        # Then there is no other class to distinguish it from.
        self._saw_one = (~unseen).sum(axis=1) == 1

    def warn(self, what_becomes_of_outputs, design, stacklevel):
        """Warn about runs that missed a class, if there are more than a few."""
        n_runs, n_missing = len(self.unseen), int((self.n_unseen > 0).sum())
        if n_missing <= _FEW * n_runs:
            return
        by_class = ", ".join(
            f"{name!r} in {n}"
            for name, n in zip(
                self.classes.tolist(), self.unseen.sum(axis=0).tolist(), strict=True
            )
            if n
        )
        cure = "A larger alpha makes this rarer"
        if design != "stratified" and not self._mixed:
            cure += ", and so does design='stratified'"
        warnings.warn(
            f"{n_missing} of {n_runs} runs ({n_missing / n_runs:.1%}) saw no example "
            f"of a class of the targets: {by_class}. Their outputs on targets of that "
            f"class {what_becomes_of_outputs}. {cure}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )

    def without(self, outputs):
        """Return outputs (n_runs, n_targets) with NaN for targets of unseen classes.

        If a run saw only one class, all its outputs are NaN.
        """
        if not self.unseen.any() and not self._saw_one.any():
            return outputs
        nothing = self.unseen[:, self._class_of_target] | self._saw_one[:, None]
        return np.where(nothing, np.nan, outputs)
