"""Open ``.npy`` files, with errors that name the file and its fault."""

import math
import os
from tokenize import TokenError
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy

from skdatamodels.runs._paths import absolute

# errors of numpy's parser on an invalid header
_JUNK = (ValueError, TypeError, SyntaxError, TokenError)
_PARSERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class NpyHeader(NamedTuple):
    """The header of a ``.npy`` file."""

    version: tuple
    shape: tuple
    fortran_order: bool
    dtype: np.dtype
    offset: int  # where the data starts

    @property
    def n_bytes(self):
        """Length of a complete file."""
        return self.offset + self.dtype.itemsize * math.prod(self.shape)


def read_header(path):
    """Read the header of a ``.npy`` file; raise ValueError if it is invalid."""
    with open(path, "rb") as file:
        try:
            version = npy.read_magic(file)
            if version not in _PARSERS:
                raise ValueError(f"it is of version {version}")
            return NpyHeader(version, *_PARSERS[version](file), file.tell())
        except _JUNK as error:
            raise ValueError(str(error)) from error


def open_npy(path):
    """Memory-map a ``.npy`` file, after checking that it is complete.

    Parameters
    ----------
    path : path-like
        File to open.

    Returns
    -------
    array : memory map
        The content of the file, read-only.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the path is a broken link.
    ValueError
        If the file is not a ``.npy`` file, contains Python objects, or is incomplete.
    """
    path = absolute(path)
    try:
        header = read_header(path)
    except ValueError as error:
        raise ValueError(f"{path} is not a .npy file: {error}.") from error
    if header.dtype.hasobject:
        raise ValueError(f"{path} contains Python objects, not numbers.")
    n_bytes = os.path.getsize(path)
    if n_bytes < header.n_bytes:
        raise ValueError(
            f"{path} is incomplete: {header.dtype} of shape {header.shape} takes "
            f"{header.n_bytes} bytes, but the file has {n_bytes}."
        )
    return np.load(path, mmap_mode="r")
