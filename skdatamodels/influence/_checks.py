"""Checks shared by several baselines."""

import numpy as np

from skdatamodels._examples import Examples, check_examples, check_same_shape
from skdatamodels._fitting import refuse_weights
from skdatamodels._numbers import as_real
from skdatamodels.outputs import encode_targets


def check_same_examples(train, targets, *, classes=False, weighted=False):
    """Check that targets have the same shape as the training examples.

    Training examples may have weights only if `weighted`: the others would ignore them.
    With `classes`, return the class indices and the classes: ``y_train (n_train,),
    y_targets (n_targets,), classes``.
    """
    check_examples(train, "train")
    check_examples(targets, "targets")
    check_same_shape(train, targets)
    if not weighted:
        refuse_weights(train, "This influence function")
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


def as_subset(subset, n_train):
    """Return the indices of a subset of the training set; None means all."""
    every = np.arange(n_train)
    if subset is None:
        return every
    given = np.asarray(subset)
    if given.ndim != 1 or given.dtype.kind not in "iub":
        raise TypeError(
            "subset must be a 1-d array of indices or a bool mask of the training "
            f"examples, got {given.dtype} of shape {given.shape}."
        )
    if given.dtype.kind == "b":
        if len(given) != n_train:
            raise ValueError(
                f"subset is a mask of {len(given)} examples, but there are {n_train}."
            )
        given = every[given]
    if not given.size:
        raise ValueError("subset is empty. A model needs training examples.")
    if given.min() < 0 or given.max() >= n_train:
        raise ValueError(
            f"subset must have indices from 0 to {n_train - 1}, got {given.min()} to "
            f"{given.max()}."
        )
    if len(np.unique(given)) < len(given):
        raise ValueError("subset has an example twice.")
    return given.astype(np.int64)


def check_classes_of_subset(y_train, subset, classes):
    """Raise if a class of the training set has no example in the subset."""
    counts = np.bincount(y_train[subset], minlength=len(classes))
    if not counts.all():
        missing = classes[counts == 0].tolist()
        raise ValueError(
            f"The subset has no example of the classes {missing[:10]}, so the model "
            "has no score for them. Use another subset."
        )
