"""Paths that users and learners give, and where they lead."""

import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path


def absolute(path):
    """Return a path that means the same file wherever the process goes.

    Raises
    ------
    FileNotFoundError
        If the path leads through a link to nowhere, such as a disk that is not mounted.
        What is made there could land on another disk.
    ValueError
        If it starts with ``~`` and there is no home directory.
    """
    try:
        path = Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{path}: there is no such home; write it out.") from error
    for part in (path, *path.parents):
        check_link(part)
    return path


def check_link(path):
    """Raise FileNotFoundError if `path` is a link to nowhere."""
    if os.path.islink(path) and not os.path.exists(path):
        raise FileNotFoundError(
            f"{path} is a link to {os.readlink(path)}, which is not there. Put that "
            "back (is its disk mounted?), or remove the link."
        )


def readable(name, n_bytes):
    """Return what of a name may be in a file's name: letters, digits, ``_`` and ``-``.

    Names of learners are free text; files have at most 255 bytes, and fewer on some
    disks.

    >>> from skdatamodels.runs._paths import readable
    >>> readable("../../my net", 20)
    '_my_net'
    """
    name = re.sub(r"[^\w-]+", "_", str(name))
    return name.encode()[:n_bytes].decode(errors="ignore") or "_"


@contextmanager
def directory_kept():
    """Go back to the working directory at the end, if a learner has left it."""
    here = None
    with suppress(OSError):  # it may be gone, which troubles nobody so far
        here = os.getcwd()
    try:
        yield
    finally:
        if here is not None:
            with suppress(OSError):
                os.chdir(here)
