"""The file ``meta.json`` of a run store, which describes how its runs were made."""

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
    f"Restore {META} from a backup. Without a backup, create a store with the same "
    f"configuration and seed elsewhere, and copy its {META} here: runs are checked "
    "against its configuration, seed and design when they are read."
)


def write_meta(folder, meta):
    """Write a dict as JSON, with its checksum, atomically."""
    meta = json.loads(json.dumps(meta))
    meta["checksum"] = _checksum(meta)
    write_atomically(folder / META, json.dumps(meta, indent=1))
    _sync_folder(folder)


def read_meta(folder):
    """Read a file of `write_meta`; raise ValueError if it is missing or damaged."""
    path = folder / META
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no run store at {folder}.")
    below = sorted(child.parent.name for child in folder.glob(f"*/{META}"))
    if below and not path.exists():
        raise ValueError(
            f"{folder} is not a run store, but contains some: {', '.join(below[:5])}. "
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
        RecursionError,  # too many nested brackets
    ) as error:
        raise ValueError(
            f"{folder} is not a run store: it has no readable {META} ({error!r}). If "
            f"it contains runs, they are unchanged. {HOW_TO_RESTORE}"
        ) from error
    if checksum != _checksum(meta):
        raise ValueError(
            f"{path} was edited or damaged after it was written: its checksum is "
            f"{_checksum(meta)}, not {checksum}. {HOW_TO_RESTORE}"
        )
    return found


def meta_salt(meta):
    """Return the start value of checksums, which depends on the configuration."""
    return _checksum(meta["configuration"])


def differences(stored, asked):
    """Describe the entries in which two configurations differ.

    Parameters
    ----------
    stored : dict
        Configuration of the store.
    asked : dict
        Configuration that is requested.

    Returns
    -------
    differences : dict of str to str
        A description of each entry that differs, by the name of the entry.
    """
    asked = json.loads(json.dumps(asked))  # tuples become lists, as in the file
    here, there = (
        {name: json.dumps(value, sort_keys=True) for name, value in entries.items()}
        for entries in (stored, asked)
    )  # as text, because 1 and 1.0 may mean different things
    return {
        name: f"{name}: stored {_told(stored, name)}, requested {_told(asked, name)}"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    }


def _told(entries, name):
    return repr(entries[name]) if name in entries else "nothing"


def check_same(folder, stored, asked):
    """Raise ValueError if two configurations differ; the message says where."""
    found = differences(stored, asked)
    if found:
        raise ValueError(
            f"The runs in {folder} were made with another configuration. "
            + "; ".join(found.values())
        )


@cache
def library_versions():
    """Return the versions of the libraries that every training depends on."""
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
            "Its runs have no checksums. Train them again in another folder, or use "
            "the version of skdatamodels that created the store."
        )
    raise _OtherFormat(
        f"{folder} is a run store of format {found}; this version of skdatamodels "
        f"reads format {FORMAT}. {advice}"
    )


def _checksum(meta):
    return crc32(json.dumps(meta, sort_keys=True).encode())


def _sync_folder(folder):
    """Wait until the file names are on disk too, if the system supports this."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
