"""Opening of ``.npy`` files, with errors that say which file is wrong, and how."""

import math
import os
from tokenize import TokenError
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from skdatamodels.runs._paths import absolute

# what numpy's parser raises on a header that is none
_JUNK = (ValueError, TypeError, SyntaxError, TokenError)
_PARSERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class NpyHeader(NamedTuple):
    """What the first bytes of a ``.npy`` file say of the rest."""

    version: tuple
    shape: tuple
    fortran_order: bool
    dtype: np.dtype
    offset: int  # where the numbers start

    @property
    def n_bytes(self):
        """How long the file has to be."""
        return self.offset + self.dtype.itemsize * math.prod(self.shape)


def read_header(path):
    """Read the header of a ``.npy`` file; ValueError if there is none."""
    with open(path, "rb") as file:
        try:
            version = npy.read_magic(file)
            if version not in _PARSERS:
                raise ValueError(f"it is of version {version}")
            return NpyHeader(version, *_PARSERS[version](file), file.tell())
        except _JUNK as error:
            raise ValueError(str(error)) from error


def open_npy(path):
    """Memory-map a ``.npy`` file that is as long as its header promises.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the path is a link to nowhere.
    ValueError
        If it is no ``.npy`` file, holds Python objects, or is cut short.
    """
    path = absolute(path)
    try:
        header = read_header(path)
    except ValueError as error:
        raise ValueError(f"{path} is not a .npy file: {error}.") from error
    if header.dtype.hasobject:
        raise ValueError(f"{path} holds Python objects, not numbers.")
    n_bytes = os.path.getsize(path)
    if n_bytes < header.n_bytes:
        raise ValueError(
            f"{path} is cut short: {header.dtype} of shape {header.shape} take "
            f"{header.n_bytes} bytes, the file has {n_bytes}."
        )
    return np.load(path, mmap_mode="r")
