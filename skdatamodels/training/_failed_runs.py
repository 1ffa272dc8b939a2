"""Saying that runs failed: an error or a warning."""

import warnings

from skdatamodels.training._hints import MISSES_A_CLASS


def report_failures(failures, n_tried, n_finished, retries, on_failure):
    """Raise, or warn the caller of the trainer, about runs that failed.

    Parameters
    ----------
    failures : list of (int, str)
        Position and traceback of each run that failed, in order.
    n_tried, n_finished : int
        Runs that were tried, and runs asked for that have outputs.
    retries : int
    on_failure : {"raise", "nan"}

    Raises
    ------
    RuntimeError
        If runs failed and `on_failure` is "raise", or none is finished.
    """
    if not failures:
        return
    position, text = failures[0]
    n_without = sum(MISSES_A_CLASS in traceback for _, traceback in failures)
    where = f", {n_without} on subsets that miss a class" if n_without else ""
    message = (
        f"{len(failures)} of {n_tried} runs failed, each tried {retries + 1} "
        f"times{where}; {n_finished} are finished. The first failure, at position "
        f"{position} of X:\n{text}"
    )
    if n_finished == 0:
        message = "No run succeeded, so training was given up. " + message
    if on_failure == "raise" or n_finished == 0:
        raise RuntimeError(message)
    warnings.warn(message, RuntimeWarning, stacklevel=5)
