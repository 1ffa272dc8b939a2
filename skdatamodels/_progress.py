"""Progress bars, which are lines now and then where the output is not a screen."""

import sys
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm.auto import tqdm

_SECONDS = 30  # between two lines of a log
_name = ContextVar("_name", default=None)


@contextmanager
def named_progress(name):
    """Give the progress bars that are made within a block a name, if they have none."""
    token = _name.set(name)
    try:
        yield
    finally:
        _name.reset(token)


def progress_bar(
    iterable=None,
    *,
    total=None,
    initial=0,
    unit="it",
    desc=None,
    delay=0,
    verbose=True,
):
    r"""Return a progress bar with rate and time left, on standard error.

    In a terminal or a notebook it is one line that changes. In a log file or a pipe, it
    is a new line every half minute, and one at the end.

    Parameters
    ----------
    iterable : iterable, default=None
        What to iterate over. If None, call ``update(n)`` of the bar.
    total, initial : int
        Number of steps, and how many of them are done already.
    unit : str, default="it"
        What a step is.
    desc : str, default=None
        Name that is shown before the bar. None takes that of `named_progress`.
    delay : float, default=0
        Nothing is shown before so many seconds.
    verbose : bool or int, default=True
        Whether to show it.

    Returns
    -------
    bar : tqdm
        The progress bar. It is also a context manager.

    Examples
    --------
    >>> import contextlib, io
    >>> from skdatamodels._progress import progress_bar
    >>> with contextlib.redirect_stderr(io.StringIO()) as log:
    ...     for _ in progress_bar(range(1000), unit="run"):
    ...         pass
    >>> len(log.getvalue().splitlines()), "1000/1000" in log.getvalue()
    (1, True)
    """
    how = {"delay": delay}
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        how = {
            "file": _Lines(sys.stderr),
            "mininterval": _SECONDS,
            "maxinterval": 2 * _SECONDS,
            "delay": delay or 1e-9,  # no line before the first step
        }
    return tqdm(
        iterable,
        total=total,
        initial=initial,
        unit=unit,
        desc=_name.get() if desc is None else desc,
        disable=not verbose,
        **how,
    )


def duration(seconds):
    """Return a time as text, with two digits."""
    for unit, size, most in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 1.3e5)):
        if seconds < most:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{float(f'{seconds / 86400:.2g}'):,g} days"


class _Lines:
    """A file that gets a line for each update of a progress bar."""

    def __init__(self, file):
        self._file = file

    def write(self, text):
        """Write a line, unless it is empty."""
        if text := text.strip():
            self._file.write(f"{text}\n")

    def flush(self):
        """Flush the file."""
        self._file.flush()
