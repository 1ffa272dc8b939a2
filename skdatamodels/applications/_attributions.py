"""What every application asks of an attribution matrix."""

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from skdatamodels._numbers import refuse_disguised

FLOATS = [np.float64, np.float32]


def check_weights(weights, name="weights"):
    """Return an attribution matrix, float and dense or CSR, without NaN."""
    refuse_disguised(weights, name)
    return check_array(weights, accept_sparse="csr", dtype=FLOATS, input_name=name)


def validate_weights(estimator, X, *, reset=True):
    """Return X of an estimator, an attribution matrix, as `check_weights` would."""
    refuse_disguised(X, "weights X")
    return validate_data(estimator, X, accept_sparse="csr", dtype=FLOATS, reset=reset)


def check_attributions(estimator, X, trainer):
    """Return the attribution matrix, float and dense or CSR, if it fits the trainer.

    Raises
    ------
    ValueError
        If it is no matrix, has NaN, or is not (n_targets, n_train) of the trainer.
    """
    X = validate_weights(estimator, X)
    wanted = len(trainer.targets), len(trainer.train)
    if X.shape != wanted:
        raise ValueError(
            "The attribution matrix must have a row for each target of the trainer and "
            f"a column for each training example, shape {wanted}; got {X.shape}."
        )
    return X
