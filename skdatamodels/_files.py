"""Atomic writing of files."""

import os
from pathlib import Path


def write_atomically(path, content):
    """Write a file atomically: readers see the old or the new content, nothing else.

    The content is written to a file with ".tmp" after its name, which is renamed when
    it is on disk.

    Parameters
    ----------
    path : path-like
        File to write. If it is a link, the file that it points to is replaced.
    content : str or bytes
        New content. Text is written as UTF-8.
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
