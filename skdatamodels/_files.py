"""Writing a file whole or not at all."""

import os
from pathlib import Path


def write_atomically(path, content):
    """Write a file so that whoever looks sees the old content or the new, never half.

    It is written beside its place, with ".tmp" after its name, and renamed once it is
    on disk.

    Parameters
    ----------
    path : path-like
        If it is a link, the file that it leads to is replaced.
    content : str or bytes
        Text is written as UTF-8.
    """
    path = Path(os.path.realpath(path))
    content = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
