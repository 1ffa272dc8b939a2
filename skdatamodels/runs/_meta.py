"""The file ``meta.json`` of a run store: what its runs were made with."""

import json
import os
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from zlib import crc32

from skdatamodels._files import write_atomically
from skdatamodels.runs._paths import check_link

FORMAT = 2
META = "meta.json"
_KEYS = ("configuration", "output", "entropy", "versions", "n_train", "n_targets")
HOW_TO_RESTORE = (
    f"Put {META} back from a copy. If there is none, make a store of the same "
    f"configuration and seed elsewhere, and copy its {META} here: runs are compared "
    "with its configuration, seed and design when they are read."
)


def write_meta(folder, meta):
    """Write a dict that JSON can hold, and its checksum, in one step."""
    meta = json.loads(json.dumps(meta))
    meta["checksum"] = _checksum(meta)
    write_atomically(folder / META, json.dumps(meta, indent=1))
    _sync_folder(folder)


def read_meta(folder):
    """Read what `write_meta` has written; ValueError if it is not that."""
    path = folder / META
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no run store at {folder}.")
    below = sorted(child.parent.name for child in folder.glob(f"*/{META}"))
    if below and not path.exists():
        raise ValueError(
            f"{folder} is no run store, but has some in it: {', '.join(below[:5])}. "
            "Open one of these."
        )
    try:
        check_link(path)
        meta = json.loads(path.read_text(encoding="utf-8"))
        _check_format(folder, int(meta["format"]))
        checksum = meta.pop("checksum")
        found = {key: meta[key] for key in _KEYS}
    except _OtherFormat:
        raise
    except (
        FileNotFoundError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,  # brackets in brackets, without end
    ) as error:
        raise ValueError(
            f"{folder} is not a run store: it has no readable {META} ({error!r}). If "
            f"it holds runs, they are as they were. {HOW_TO_RESTORE}"
        ) from error
    if checksum != _checksum(meta):
        raise ValueError(
            f"{path} was changed since it was written, by hand or by damage: its "
            f"checksum is {_checksum(meta)}, not {checksum}. {HOW_TO_RESTORE}"
        )
    return found


def meta_salt(meta):
    """Return a number that tells the runs of a configuration from those of others."""
    return _checksum(meta["configuration"])


def differences(stored, asked):
    """Say in which entries two configurations differ.

    Parameters
    ----------
    stored, asked : dict

    Returns
    -------
    differences : dict of str to str
        A line for each entry that differs, by its name.
    """
    asked = json.loads(json.dumps(asked))  # tuples become lists, as in the file
    here, there = (
        {name: json.dumps(value, sort_keys=True) for name, value in entries.items()}
        for entries in (stored, asked)
    )  # as text, for 1 and 1.0 may mean other things
    return {
        name: f"{name}: stored {_told(stored, name)}, asked {_told(asked, name)}"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    }


def _told(entries, name):
    return repr(entries[name]) if name in entries else "nothing"


def check_same(folder, stored, asked):
    """Raise ValueError, naming what differs, unless two configurations are equal."""
    found = differences(stored, asked)
    if found:
        raise ValueError(
            f"The runs in {folder} were made with another configuration. "
            + "; ".join(found.values())
        )


@cache
def library_versions():
    """Return the versions of the libraries that a training depends on."""
    versions = {}
    for package in ("skdatamodels", "scikit-learn", "numpy", "scipy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


class _OtherFormat(ValueError):
    pass


def _check_format(folder, found):
    if found == FORMAT:
        return
    advice = "Upgrade skdatamodels."
    if found < FORMAT:
        advice = (
            "Its runs have no checksums. Choose another folder to train them again, "
            "or go on with the version of skdatamodels that made it."
        )
    raise _OtherFormat(
        f"{folder} is a run store of format {found}; this version of skdatamodels "
        f"reads format {FORMAT}. {advice}"
    )


def _checksum(meta):
    return crc32(json.dumps(meta, sort_keys=True).encode())


def _sync_folder(folder):
    """Wait until the names of the files are on disk too, where that can be had."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
