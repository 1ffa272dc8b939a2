"""Checks of paths, file names and the working directory."""

import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path


def absolute(path):
    """Return an absolute path, with ``~`` expanded.

    Parameters
    ----------
    path : path-like
        Any path.

    Returns
    -------
    path : Path
        The absolute path.

    Raises
    ------
    FileNotFoundError
        If the path contains a broken link, for example to a disk that is not mounted.
        Files created there could end up on another disk.
    ValueError
        If it starts with ``~`` and there is no home directory.
    """
    try:
        path = Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(
            f"{path}: there is no such home directory. Write the path without ~."
        ) from error
    for part in (path, *path.parents):
        check_link(part)
    return path


def check_link(path):
    """Raise FileNotFoundError if `path` is a broken link."""
    if os.path.islink(path) and not os.path.exists(path):
        raise FileNotFoundError(
            f"{path} is a link to {os.readlink(path)}, which does not exist. Restore "
            "it (is its disk mounted?), or remove the link."
        )


def readable(name, n_bytes):
    """Turn a name into a valid part of a file name: letters, digits, ``_`` and ``-``.

    Names of learners are free text, but file names have at most 255 bytes, and fewer
    on some disks.

    >>> from skdatamodels.runs._paths import readable
    >>> readable("../../my net", 20)
    '_my_net'
    """
    name = re.sub(r"[^\w-]+", "_", str(name))
    return name.encode()[:n_bytes].decode(errors="ignore") or "_"


@contextmanager
def directory_kept():
    """Restore the working directory at the end, if a learner has changed it."""
    here = None
    with suppress(OSError):  # it may have been deleted, which is no problem so far
        here = os.getcwd()
    try:
        yield
    finally:
        if here is not None:
            with suppress(OSError):
                os.chdir(here)
