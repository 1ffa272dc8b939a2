"""Sizes of data supports as weights predict them, and outputs that have them."""

import numpy as np

from skdatamodels._dense_row import dense_row
from skdatamodels._numbers import as_real
from skdatamodels.applications._attributions import check_weights
from skdatamodels.applications._quality import warn_if_weak
from skdatamodels.outputs import OUTPUTS

# Negative if the prediction is wrong. A user's own function is assumed to be so.
_SIGNED = "margin", "log_odds"


def check_flips(trainer):
    """Raise if the output of a trainer is not negative for wrong predictions."""
    name = trainer.output_info.name
    if name in OUTPUTS and name not in _SIGNED:
        cure = f"Use one of {', '.join(_SIGNED)}."
        if OUTPUTS[name].task == "regression":
            cure = "Data supports are defined for classification only."
        raise ValueError(
            f"The trainer's output={name!r} does not become negative when the "
            f"prediction flips. {cure}"
        )


def predict_support_size(weights, outputs):
    """Predict sizes of data supports from the weights, without training.

    The predicted size is the smallest number of examples, highest weight first, whose
    weights sum to more than the output of the model trained on all examples. Removing
    them is predicted to make the output negative.

    Parameters
    ----------
    weights : array-like or CSR of shape (n_targets, n_train)
        Attribution matrix in the unit of the output, such as that of a datamodel.
    outputs : array-like of shape (n_targets,)
        Mean output of models trained on all examples.

    Returns
    -------
    sizes : float64 array of shape (n_targets,)
        Predicted sizes. 0 for a negative output. NaN if the sum of all positive weights
        is too small.

    Raises
    ------
    ValueError
        If the shapes do not match, or a value is NaN.

    References
    ----------
    Ilyas, Park, Engstrom, Leclerc, Madry, "Datamodels: Predicting Predictions
    from Training Data", ICML 2022, appendix F.3.2.

    Examples
    --------
    >>> from skdatamodels.applications import predict_support_size
    >>> weights = [[0.5, 1.0, -2.0, 0.25], [0.1, 0.1, 0.1, 0.1], [1.0, 0.0, 0.0, 0.0]]
    >>> predict_support_size(weights, [1.2, 3.0, -0.5])
    array([ 2., nan,  0.])
    """
    warn_if_weak(weights)
    weights = check_weights(weights)
    outputs = as_real(outputs, "outputs").astype(np.float64, copy=False)
    if outputs.shape != weights.shape[:1] or np.isnan(outputs).any():
        raise ValueError(
            f"outputs must have one number for each of the {weights.shape[0]} rows of "
            f"weights; got shape {outputs.shape} with {np.isnan(outputs).sum()} NaN."
        )
    sizes = np.full(len(outputs), np.nan)
    for target, output in enumerate(outputs):
        falls = np.cumsum(np.sort(dense_row(weights, target))[::-1], dtype=np.float64)
        enough = np.flatnonzero(np.r_[0, falls] > output)
        if enough.size:
            sizes[target] = enough[0]
    return sizes
