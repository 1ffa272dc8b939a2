"""The lock of a folder: one process writes at a time, and the others wait."""

import errno
import warnings
from contextlib import contextmanager

from filelock import FileLock, SoftFileLock, Timeout

LOCK, SOFT_LOCK = ".lock", ".soft-lock"
# Errors of file systems that cannot lock files. filelock itself handles ENOSYS.
_CANNOT_LOCK = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
_PATIENCE = 10.0  # seconds


@contextmanager
def folder_lock(folder):
    """Lock a folder for writing; wait while another process holds the lock.

    Locks may be nested. If the file system does not support ``flock``, the existence
    of a file is the lock. Unlike ``flock``, it stays if a process dies on another
    machine.
    """
    # One lock object per path and thread: a thread does not wait for its own lock.
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
            f"({error.strerror}), so the existence of {path.name} serves as the lock. "
            "This is safe on one machine. Do not write from several machines.",
            UserWarning,
            stacklevel=6,
        )
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        warnings.warn(
            f"Still waiting for {path}: another process is writing, or has died on "
            "another machine. If no other process is running, delete this file.",
            UserWarning,
            stacklevel=6,
        )
        lock.acquire()
    return lock
