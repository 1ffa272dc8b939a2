"""What is known about the quality of weights, and what to say about it."""

import warnings

import numpy as np

from skdatamodels._last_step import last_step

UNKNOWN = (
    "quality of these weights is not known: score them with "
    "metrics.linear_datamodeling_score"
)


def quality_of(weights):
    """Return the median R² of a fitted regressor on held-out runs; NaN if not known."""
    r2 = getattr(last_step(weights), "held_out_r2_", np.nan)
    known = np.asarray(r2)[~np.isnan(r2)]
    return float(np.median(known)) if known.size else np.nan


def warn_if_weak(weights, stacklevel=3):
    """Warn if the weights of a fitted regressor explain nothing of held-out runs.

    Nothing is known about plain matrices, and so nothing is said.
    """
    quality = quality_of(weights)
    if quality <= 0:
        more = ""
        if getattr(last_step(weights), "prior", None) is None:
            more = (
                " Fewer runs do with prior='cheap', if the columns of the masks are "
                "training examples or groups of them, not components of a model."
            )
        warnings.warn(
            "These weights explain nothing of the outputs of runs that they were not "
            f"fitted to: for half of the targets, R² is {quality:.2g} or less "
            "(held_out_r2_). What ranks by them ranks noise. Train more runs "
            f"(judging.plan_runs estimates how many).{more}",
            UserWarning,
            stacklevel=stacklevel,
        )


def quality_note(quality):
    """Return the line about a quality below a table of results."""
    if np.isnan(quality):
        return UNKNOWN
    return f"R² of these weights on held-out runs: {quality:.2f} (median of targets)"
