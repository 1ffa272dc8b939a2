"""What every application asks of an attribution matrix."""

from sklearn.utils.validation import validate_data


def check_attributions(estimator, X, trainer):
    """Return the attribution matrix, float and dense or CSR, if it fits the trainer.

    Raises
    ------
    ValueError
        If it is no matrix, has NaN, or is not (n_targets, n_train) of the trainer.
    """
    X = validate_data(estimator, X, accept_sparse="csr", dtype="numeric")
    wanted = len(trainer.targets), len(trainer.train)
    if X.shape != wanted:
        raise ValueError(
            "The attribution matrix must have a row for each target of the trainer and "
            f"a column for each training example, shape {wanted}; got {X.shape}."
        )
    return X
