"""Compiling by numba, with a cache on disk where one can be written.

All that is compiled goes through here. What imports this module is imported by the
functions that need it: numba takes its time.
"""

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

import numba


def njit(**options):
    """Return a decorator as :func:`numba.njit` does, which keeps what it compiles.

    numba looks for a folder that it can write to: ``NUMBA_CACHE_DIR``, that of the
    module, that of the user. A user without a home who runs what another has installed,
    as in many containers, has none of these, and numba raises. The next best is a
    folder among temporary files; where there is none, each process compiles anew.
    """

    def decorate(function):
        config, wanted = numba.config, numba.config.CACHE_DIR
        for folder in (lambda: wanted, _temporary_folder):
            config.CACHE_DIR = folder()
            try:
                return numba.njit(cache=True, **options)(function)
            except RuntimeError as error:
                if "no locator available" not in str(error):
                    raise
            finally:
                config.CACHE_DIR = wanted
        return numba.njit(**options)(function)

    return decorate


@cache
def _temporary_folder():
    """Make a folder that only this user can write to; return "" if there is none.

    numba runs what it finds there. So it must not be one that somebody else has made.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"skdatamodels-numba-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except (OSError, AttributeError):  # no room for files; Windows has no getuid
        return ""
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return str(folder) if ours and not status.st_mode & 0o022 else ""
