"""Compilation by numba, with a cache on disk if possible.

All compiled functions use this module. Import the modules that use it inside functions,
because importing numba is slow.
"""

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

import numba


def njit(**options):
    """Return a decorator like :func:`numba.njit` that caches compiled code on disk.

    numba looks for a writable folder: ``NUMBA_CACHE_DIR``, the folder of the module,
    the user's cache folder. In many containers, the user has no home directory and
    cannot write to the installed package, so numba finds none and raises. In this case
    the cache is in a temporary folder, or, if there is none, each process compiles
    again.
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
    """Make a folder that only this user can write to; return "" if it is impossible.

    numba executes the code that it finds there, so nobody else may write to it.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"skdatamodels-numba-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except (OSError, AttributeError):  # not writable; Windows has no getuid
        return ""
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return str(folder) if ours and not status.st_mode & 0o022 else ""
