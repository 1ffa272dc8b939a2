"""Error or warning about failed runs."""

import warnings

from skdatamodels.training._hints import MISSES_A_CLASS

_N_LINES = 8  # of the error, if all runs failed alike
_GO_ON = 'To go on without the runs that failed, pass on_failure="nan".'


def report_failures(failures, n_tried, n_finished, retries, on_failure):
    """Raise an error or warn about failed runs.

    Parameters
    ----------
    failures : list of (int, str)
        Position and traceback of each failed run, in order.
    n_tried, n_finished : int
        Number of runs that were tried, and number of runs that have outputs.
    retries : int
        Number of retries of each run.
    on_failure : {"raise", "nan"}
        Whether to raise an error or to warn.

    Raises
    ------
    RuntimeError
        If runs failed, and `on_failure` is "raise" or no run is finished.
    """
    if not failures:
        return
    position, text = failures[0]
    n_without = sum(MISSES_A_CLASS in traceback for _, traceback in failures)
    where = f", {n_without} on subsets that miss a class" if n_without else ""
    end = ""
    if n_finished == 0 and len(failures) > 1 and _are_alike(failures):
        text = "\n".join(_error_lines(text)[:_N_LINES])
        end = "\nAll failed alike. Train that run alone for the whole traceback."
    message = (
        f"{len(failures)} of {n_tried} runs failed, each tried {retries + 1} "
        f"times{where}; {n_finished} are finished. The first failure, at position "
        f"{position} of X:\n{text}{end}"
    )
    if n_finished == 0:
        raise RuntimeError("No run succeeded, so no more were tried. " + message)
    if on_failure == "raise":
        raise RuntimeError(f"{message.rstrip()}\n{_GO_ON}")
    warnings.warn(message, RuntimeWarning, stacklevel=5)


def _are_alike(failures):
    """Return whether all failures are of one kind of error."""
    kinds = {_error_lines(text)[0].partition(":")[0] for _, text in failures}
    return len(kinds) == 1


def _error_lines(traceback):
    """Return the lines of a traceback after those of the code: error and notes."""
    lines = traceback.strip().splitlines() or [""]
    code = [i for i, line in enumerate(lines) if line.startswith("  File ")]
    after = range(code[-1] + 1 if code else 0, len(lines))
    return lines[next((i for i in after if lines[i][:1] != " "), 0) :]
