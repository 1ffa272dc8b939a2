"""The lock of a folder: one process writes at a time, the others wait."""

import errno
import warnings
from contextlib import contextmanager

from filelock import FileLock, SoftFileLock, Timeout

LOCK, SOFT_LOCK = ".lock", ".soft-lock"
# What a file system says that cannot lock. ENOSYS is filelock's own business.
_CANNOT_LOCK = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
_PATIENCE = 10.0  # seconds


@contextmanager
def folder_lock(folder):
    """Hold a folder for writing; waits for another process that holds it.

    May be nested. Where the file system has no ``flock``, the mere existence of a file
    is the lock. Unlike ``flock`` it outlives a process that dies on another machine.
    """
    # one lock object a path and thread: who holds it does not wait for themselves
    lock = FileLock(folder / LOCK, is_singleton=True)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:
            raise
        lock = _acquire_soft(folder / SOFT_LOCK, error)
    try:
        yield
    finally:
        lock.release()


def _acquire_soft(path, error):
    lock = SoftFileLock(path, is_singleton=True)
    if not lock.is_locked:
        warnings.warn(
            f"{path.parent} is on a file system that cannot lock files "
            f"({error.strerror}), so {path.name} stands for the lock while a process "
            "writes. It protects well on one machine; better not write from several.",
            UserWarning,
            stacklevel=6,
        )
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        warnings.warn(
            f"Still waiting for {path}: another process writes, or one has died on "
            "another machine. If none is running, delete that file.",
            UserWarning,
            stacklevel=6,
        )
        lock.acquire()
    return lock
