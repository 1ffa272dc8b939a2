"""Finding the store of a configuration, and warning if it is a new one."""

import io
import pickle
import re
import warnings
from types import FunctionType, ModuleType

import numpy as np

from skdatamodels._examples import Examples
from skdatamodels.runs import RunStore
from skdatamodels.runs._meta import differences
from skdatamodels.runs._paths import absolute
from skdatamodels.runs._store import library_versions
from skdatamodels.training._configuration import describe, digest

_MOST_NAMED = 5  # differences in a message
_DIGEST = re.compile(r"(python3\.\d+:)?[0-9a-f]{16}([0-9a-f]{48})?$")
_SEE = 'See "What a store can see" in the documentation.'


def open_store(root, title, parameters, n_train, n_targets, *, output, entropy):
    """Open the store of a configuration, or create it.

    Parameters
    ----------
    root : path-like
        Folder that contains the stores.
    title : str
        Start of the name of the store's folder.
    parameters : dict of str to object
        The configuration.
    n_train, n_targets : int
        Numbers of training examples and targets.
    output : OutputInfo
        Description of the output, for a new store.
    entropy : int
        Seed, for a new store.

    Returns
    -------
    store : RunStore
        The store.

    Raises
    ------
    TypeError
        If a parameter cannot be described.

    Warns
    -----
    UserWarning
        If the store is new although another one has the same settings, if it may not
        be found again, or if it was created with other versions of libraries.
    """
    description = describe(**parameters)
    path = absolute(root) / f"{title}-{digest(description.entries)[:10]}"
    store = None
    if not path.exists():
        near = _stores_like(path, description, (n_train, n_targets))
        store = next((store for store, unlike in near if not unlike), None)
    if store is None:
        if not path.exists():
            _warn_of_a_new_one(path, near)
            _warn_if_not_found_again(parameters, description)
        store = RunStore.open_or_create(
            path,
            n_train,
            n_targets,
            configuration=description.entries,
            output=output,
            entropy=entropy,
            versions=description.versions,
        )
    if description.unseen:
        _warn(
            f"The runs read {', '.join(description.unseen)}, which cannot be "
            "described. The store does not notice if this changes. " + _SEE
        )
    _warn_of_other_versions(store, library_versions() | description.versions)
    return store


def warn_if_changed(store, parameters):
    """Warn if training has changed the parameters that identify the store.

    Parameters
    ----------
    store : RunStore
        Store that the runs were written to.
    parameters : dict of str to object
        The configuration after training.
    """
    try:
        changed = _differences(store, describe(**parameters))
    except TypeError as error:  # it contains something new that cannot be pickled
        changed = {"": str(error)}
    if changed:
        _warn(
            f"A run has changed parameters that identify the runs in "
            f"{store.path}, so the next call may not find them: {_some(changed)}. Keep "
            "whatever changes out of the estimator and of what it reads."
        )


def _stores_like(path, description, shape):
    """Return stores with the same settings as `path` would have, and differences."""
    found = []
    for folder in sorted(path.parent.glob("*")):
        if folder.name[:-10] != path.name[:-10]:
            continue
        try:
            store = RunStore(folder)
        except (OSError, ValueError):  # not a store, or one that is being created
            continue
        unlike = _differences(store, description)
        settings = [
            name
            for name in unlike
            if _is_setting(name, description, store.configuration)
        ]
        if not settings and (store.n_train, store.n_targets) == shape:
            found.append((store, unlike))
    return sorted(found, key=lambda pair: len(pair[1]))


def _differences(store, description):
    """Return the differences, except new parameters with their default values."""
    found = differences(store.configuration, description.entries)
    new = description.defaults - store.configuration.keys()
    return {key: text for key, text in found.items() if key not in new}


def _is_setting(name, description, stored):
    """Return whether a different entry is a setting that the user changed visibly."""
    asked = description.entries
    if name.startswith("code[") or name not in stored or name not in asked:
        return False
    # applications train edited examples with masks
    if name in ("train", "targets", "groups"):
        return asked["masks"] == "given"
    one, other = (str(entries[name]) for entries in (stored, asked))
    digests = _DIGEST.search(one) and _DIGEST.search(other)
    return not digests or _DIGEST.sub("", one) != _DIGEST.sub("", other)


def _warn_of_a_new_one(path, near):
    if near:
        store, unlike = near[0]
        _warn(
            f"There are no such runs yet, so a new folder is created, {path.name}. The "
            f"runs in {store.path} differ only in {_some(unlike)}. They are not used. "
            + _SEE
        )


def _warn_if_not_found_again(parameters, description):
    try:
        copied = describe(**_copy(parameters))
    except Exception:  # sending it to the workers raises the error
        return
    unlike = differences(description.entries, copied.entries)
    if unlike:
        _warn(
            "A copy of the parameters has a different description, so another session "
            f"may not find these runs: {_some(unlike)}. In a class, __getstate__ or "
            f"__reduce__ can return what identifies an object. {_SEE}"
        )


class _Copier(pickle.Pickler):
    """Pickler that leaves out code, and data, which may be large."""

    def __init__(self, file):
        super().__init__(file)
        self.kept = []

    def persistent_id(self, value):
        if isinstance(value, np.ndarray | Examples | type | FunctionType | ModuleType):
            self.kept.append(value)
            return len(self.kept) - 1
        return None


def _copy(parameters):
    file = io.BytesIO()
    copier = _Copier(file)
    copier.dump(parameters)
    unpickler = pickle.Unpickler(io.BytesIO(file.getvalue()))
    unpickler.persistent_load = copier.kept.__getitem__
    return unpickler.load()


def _warn_of_other_versions(store, versions):
    other = {
        name: f"{begun}, now {versions[name]}"
        for name, begun in store.versions.items()
        if begun != versions.get(name, begun)
    }
    if other:
        _warn(
            f"The runs in {store.path} were begun with other versions: {other}. New "
            "runs may not be comparable with them. A new store is safer."
        )


def _some(differences):
    named = list(differences.values())[:_MOST_NAMED]
    more = len(differences) - len(named)
    return "; ".join(named) + (f"; and {more} more entries" if more else "")


def _warn(message):
    warnings.warn(message, UserWarning, stacklevel=7)
