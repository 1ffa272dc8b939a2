"""Files of the attribution matrices that a run store keeps beside its runs."""

import json
import os
from contextlib import contextmanager, suppress
from uuid import uuid4
from zlib import crc32

import numpy as np

from skdatamodels._files import write_atomically
from skdatamodels.runs._lazy_attributions import LazyAttributions
from skdatamodels.runs._lock import folder_lock
from skdatamodels.runs._open_npy import open_npy
from skdatamodels.runs._room import check_free

ATTRIBUTIONS, _INDEX = "attributions", "index.json"
# What reading a damaged index raises, which may be any JSON.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class StoredAttributions(dict):
    """Attribution matrices by name.

    Parameters
    ----------
    matrices : dict of str to memory map of shape (n_targets, n_train)
        The matrices.
    about : dict
        What is known about them, with `seconds`, how long each one took.
    """

    def __init__(self, matrices, about):
        super().__init__(matrices)
        self.about, self.seconds = about, about["seconds"]


class AttributionFiles:
    """Attribution matrices in the folder ``attributions`` of a run store.

    Each matrix is a ``.npy`` file with a new name. The file ``index.json``, which is
    written last and atomically, lists them with their checksums. What it does not list
    is left over from a process that was killed.

    Parameters
    ----------
    store : RunStore
        The store.
    """

    def __init__(self, store):
        self.folder = store.path / ATTRIBUTIONS
        self.shape = store.n_targets, store.n_train

    def lazy(self):
        """Return the attributions, which are read at the first access, or None."""
        if not (self.folder / _INDEX).exists():
            return None
        return LazyAttributions(self.read)

    def read(self, made_from=None):
        """Read the attributions.

        Parameters
        ----------
        made_from : dict, default=None
            What they must have been made from. None accepts anything.

        Returns
        -------
        matrices : StoredAttributions
            The matrices, memory maps of shape (n_targets, n_train), by name.

        Raises
        ------
        ValueError
            If there are none, they were made from something else, or a file is damaged.
        """
        try:
            index = json.loads((self.folder / _INDEX).read_text(encoding="utf-8"))
            if made_from not in (None, index["made_from"]):
                raise ValueError(f"they were made from {index['made_from']}")
            matrices = {name: self._open(e) for name, e in index["files"].items()}
            return StoredAttributions(matrices, index["about"])
        except _DAMAGE as error:
            raise ValueError(
                f"The attributions in {self.folder} cannot be used: {error}. Delete "
                "the folder. SubsetTrainer computes them again when they are needed."
            ) from error

    @contextmanager
    def lock(self):
        """Lock the folder, and create it; wait while another process holds the lock."""
        self.folder.mkdir(exist_ok=True)
        with folder_lock(self.folder):
            yield

    def write(self, matrices, about, made_from):
        """Replace the attributions. The folder must be locked.

        Parameters
        ----------
        matrices : mapping of str to float array of shape (n_targets, n_train)
            The matrices.
        about : dict
            What is known about them, with values that JSON can represent. Its `seconds`
            say how long each one took.
        made_from : dict
            What they were made from, with such values, too.
        """
        n_bytes = sum(matrix.nbytes for matrix in matrices.values())
        check_free(self.folder, n_bytes, "To store the attributions")
        files = {name: self._save(matrix) for name, matrix in matrices.items()}
        index = {"made_from": made_from, "about": about, "files": files}
        write_atomically(self.folder / _INDEX, json.dumps(index, indent=1))
        listed = {entry["file"] for entry in files.values()}
        for path in self.folder.glob("*.npy"):
            if path.name not in listed:
                with suppress(OSError):  # on Windows, another process may read it
                    path.unlink()

    def _save(self, matrix):
        """Write a matrix to a new file, and return its entries in the index."""
        matrix, file = np.ascontiguousarray(matrix), f"{uuid4().hex}.npy"
        with open(self.folder / file, "wb") as opened:
            np.save(opened, matrix, allow_pickle=False)
            opened.flush()
            os.fsync(opened.fileno())
        return {"file": file, "checksum": crc32(matrix)}

    def _open(self, entry):
        matrix = open_npy(self.folder / os.path.basename(entry["file"]))
        if matrix.shape != self.shape or matrix.dtype.kind != "f":
            raise ValueError(
                f"{entry['file']} has {matrix.dtype} of shape {matrix.shape}, not "
                f"floating-point numbers of shape {self.shape}"
            )
        if crc32(np.ascontiguousarray(matrix)) != entry["checksum"]:
            raise ValueError(f"{entry['file']} has changed since it was written")
        return matrix
