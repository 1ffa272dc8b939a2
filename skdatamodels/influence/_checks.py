"""Checks shared by several baselines."""

import numpy as np

from skdatamodels._examples import Examples, check_examples, check_same_shape
from skdatamodels._numbers import as_real
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
