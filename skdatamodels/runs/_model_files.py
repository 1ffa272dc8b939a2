"""Files of the models that a run store keeps beside its runs."""

import json
import sys
from hashlib import sha256

import numpy as np

from skdatamodels._files import write_atomically
from skdatamodels.runs._meta import library_versions

MODELS = "models"
_DIGEST_BYTES = 32


class ModelFiles:
    """Packed models of finished runs, one file each in the folder ``models``.

    The name of a file is the row of the run. It begins with a digest of the rest, of
    the run, and of the versions of Python and the libraries. A file whose digest is
    another one counts as missing, because it is damaged, or belongs to another run or
    to other versions.

    Parameters
    ----------
    store : RunStore
        The store. Nothing is written except by :meth:`write`.
    """

    def __init__(self, store):
        self.store, self.folder = store, store.path / MODELS

    def rows(self):
        """Return the rows of finished runs that have a file, increasing int64 array."""
        names = [path.name for path in self.folder.glob("*") if path.name.isdecimal()]
        return np.intersect1d(np.array(names, dtype=np.int64), self._finished())

    def read(self, row):
        """Return the packed model of a run, or None if there is no valid file."""
        try:
            found = (self.folder / str(row)).read_bytes()
        except FileNotFoundError:
            return None
        if self.store.damaged(np.array([row])).size:
            return None
        content = found[_DIGEST_BYTES:]
        return content if found == self._sealed(row, content) else None

    def write(self, row, content):
        """Write the packed model of a finished run atomically."""
        self.folder.mkdir(exist_ok=True)
        write_atomically(self.folder / str(row), self._sealed(row, content))

    def _finished(self):
        return np.flatnonzero(self.store.done())

    def _sealed(self, row, content):
        run = self.store.runs(np.array([row]))
        versions = [library_versions(), sys.version_info[:2]]
        digest = sha256(json.dumps([int(row), int(run.seeds[0]), versions]).encode())
        digest.update(run.packed.bits.tobytes())
        digest.update(content)
        return digest.digest() + content
