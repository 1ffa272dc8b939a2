"""Intervals of the weights that a result names, and which are distinguishable."""

import numpy as np

from skdatamodels.inference import WeightInference
from skdatamodels.masks._packed import row_blocks

FDR = 0.1  # of what is called distinguishable


def check_inference(inference, shape):
    """Raise if an inference is given that is not of weights of this shape."""
    if inference is None:
        return
    if not isinstance(inference, WeightInference):
        raise TypeError(
            "inference must be a WeightInference, the result of infer_weights; got "
            f"{type(inference).__name__}."
        )
    if inference.estimate.shape != shape:
        raise ValueError(
            f"inference is about weights of shape {inference.estimate.shape}, but "
            f"weights have shape {shape}. Pass the inference of these weights."
        )


def intervals_at(inference, weights, targets, examples, sign):
    """Return intervals of weights that were chosen as the largest of one sign.

    Parameters
    ----------
    inference : WeightInference
        Inference of all weights.
    weights : array or CSR of shape (n_targets, n_train)
        Weights that are shown beside the intervals. Subsets of a fixed size do not tell
        their mean, so intervals contain those for their mean and for a mean of 0.
    targets, examples : int arrays of one shape
        Positions of the weights, -1 for none.
    sign : {1, -1}
        Sign of the weights, which have a rate of false discoveries of their own: few
        harmful examples beside many helpful ones may all be false otherwise.

    Returns
    -------
    intervals : float64 array of that shape and 2
        Lower and upper ends. NaN for none, and for weights without an error.
    """
    found = np.full((*targets.shape, 2), np.nan)
    n, d = inference.estimate.shape
    side = "greater" if sign > 0 else "less"
    for block in row_blocks(n, 64 * d):
        start, stop = block.start, block.stop
        here = (start <= targets) & (targets < stop) & (examples >= 0)
        if here.any():
            part, at = inference[block], (targets[here] - start, examples[here])
            ends = [
                level.adjusted_interval(FDR, alternative=side)[at]
                for level in (part, part.with_level_of(weights[block]))
            ]
            # one level or the other: what is marked differs from a typical example, too
            found[here, 0] = np.minimum(*(end[..., 0] for end in ends))
            found[here, 1] = np.maximum(*(end[..., 1] for end in ends))
    return found


def are_distinguishable(weights, intervals):
    """Return whether intervals are on the side of 0 of their weights; None for None."""
    if intervals is None:
        return None
    return np.where(weights > 0, intervals[..., 0], -intervals[..., 1]) > 0


def mark_note(distinguishable):
    """Return lines about marks below a table, none for None."""
    if distinguishable is None:
        return ()
    if distinguishable.any():
        return (
            f"* distinguishable at FDR {FDR} (if subsets have a fixed size: from a "
            "typical example)",
        )
    return (f"No named example is distinguishable at FDR {FDR}.",)
