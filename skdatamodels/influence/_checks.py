"""Checks shared by several baselines."""

import numpy as np

from skdatamodels._examples import Examples, check_examples, check_same_shape
from skdatamodels._numbers import as_real, unmasked
from skdatamodels.outputs import encode_targets


def check_same_examples(train, targets, *, classes=False):
    """Check that targets have the same shape as the training examples.

    With `classes`, return the class indices and the classes: ``y_train (n_train,),
    y_targets (n_targets,), classes``.
    """
    check_examples(train, "train")
    check_examples(targets, "targets")
    check_same_shape(train, targets)
    if not classes:
        return None
    known, y_train = np.unique(train.y, return_inverse=True)
    return y_train, encode_targets(targets.y, known), known


def check_embeddings(train, targets):
    """Return two finite float64 matrices with the same number of columns."""
    pair = []
    for name, given in (("train", train), ("targets", targets)):
        given = given.X if isinstance(given, Examples) else given
        if hasattr(given, "detach"):  # a torch tensor, possibly in half precision
            given = given.detach().cpu().double().numpy()
        given = as_real(given, f"embeddings {name}").astype(np.float64, copy=False)
        if given.ndim != 2 or 0 in given.shape:
            raise ValueError(
                f"{name} must have one embedding per row, shape (n, n_features); got "
                f"shape {given.shape}."
            )
        if not np.isfinite(given).all():
            row = np.argmin(np.isfinite(given).all(axis=1))
            raise ValueError(f"The embedding of {name} example {row} is not finite.")
        pair.append(given)
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(
            f"Embeddings of train have {pair[0].shape[1]} features, but those of "
            f"targets have {pair[1].shape[1]}. They must come from the same layer."
        )
    return pair


def check_subset(subset, n_train):
    """Return the indices of a subset of the training set, int64 and in order.

    Parameters
    ----------
    subset : int array-like of shape (n_subset,), bool array of shape (n_train,) or None
        Indices or mask of the examples that the model is trained on. None means all.
    n_train : int
        Number of training examples.

    Returns
    -------
    subset : int64 array of shape (n_subset,)
        The indices, sorted.

    Raises
    ------
    ValueError
        If `subset` is empty or not 1-d, a mask has another length, or an index repeats
        or is not one of a training example.
    """
    if subset is None:
        return np.arange(n_train)
    subset = np.asarray(unmasked(subset, "subset"))
    wrong = None
    if subset.ndim != 1 or subset.dtype.kind not in "biu":
        wrong = f"an array of shape {subset.shape} and dtype {subset.dtype}"
    elif subset.dtype == bool:
        wrong = f"a mask of length {len(subset)}" if len(subset) != n_train else None
        subset = np.flatnonzero(subset)
    elif subset.size and not 0 <= subset.min() <= subset.max() < n_train:
        wrong = f"indices from {subset.min()} to {subset.max()}"
    if wrong is None and subset.size == 0:
        wrong = "no example"
    if wrong is None and len(np.unique(subset)) < subset.size:
        wrong = "indices that repeat"
    if wrong is not None:
        raise ValueError(
            f"subset must contain different indices of the {n_train} training "
            f"examples, or be a bool mask of that length; got {wrong}."
        )
    return np.sort(subset).astype(np.int64)


def check_classes_of_subset(y_train, subset, classes):
    """Raise if a class of the training set has no example in the subset."""
    counts = np.bincount(y_train[subset], minlength=len(classes))
    if not counts.all():
        missing = classes[counts == 0].tolist()
        raise ValueError(
            f"The subset has no example of the classes {missing[:10]}, so the model "
            "has no score for them. Use another subset."
        )
