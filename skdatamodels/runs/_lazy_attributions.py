"""LazyAttributions: attribution matrices that are computed when they are read."""

from collections.abc import Mapping
from threading import RLock
from uuid import uuid4

_of_copies = {}  # the attributions that copies in this process have computed last
_lock_of_copies = RLock()


class LazyAttributions(Mapping):
    """Attribution matrices by name, which are computed when they are first read.

    All threads and all parts of the runs share one instance, so they are computed once.
    A pickle contains the matrices if they are computed, and otherwise what computes
    them. Its copies in another process share what one of them has computed.

    Parameters
    ----------
    compute : callable
        Function without arguments that returns a mapping of names to matrices. If it
        has an attribute `seconds`, this is passed on.

    Examples
    --------
    >>> import numpy as np
    >>> from skdatamodels.runs._lazy_attributions import LazyAttributions
    >>> attributions = LazyAttributions(lambda: {"zeros": np.zeros((1, 2))})
    >>> attributions
    <attributions, not computed yet>
    >>> list(attributions)
    ['zeros']
    """

    def __init__(self, compute):
        self._compute, self._found = compute, None
        self._key, self._is_copy, self._lock = uuid4().hex, False, RLock()

    @property
    def found(self):
        """The mapping, computed at the first access."""
        with self._lock:
            if self._found is None:
                self._found = self._as_copy() if self._is_copy else self._compute()
            return self._found

    @property
    def seconds(self):
        """How long each matrix took, dict of str to float; None if unknown."""
        return getattr(self.found, "seconds", None)

    def __getitem__(self, name):
        return self.found[name]

    def __iter__(self):
        return iter(self.found)

    def __len__(self):
        return len(self.found)

    def __repr__(self):
        found = self._found
        return "<attributions, not computed yet>" if found is None else repr(found)

    def __getstate__(self):
        compute = self._compute if self._found is None else None
        return {"_compute": compute, "_found": self._found, "_key": self._key}

    def __setstate__(self, state):
        vars(self).update(state, _is_copy=True, _lock=RLock())

    def _as_copy(self):
        """Return what another copy has computed here, or compute it.

        A search sends the runs to its workers with each task. Only the last mapping is
        kept, because it may be large.
        """
        with _lock_of_copies:
            if self._key not in _of_copies:
                found = self._compute()
                _of_copies.clear()
                _of_copies[self._key] = found
            return _of_copies[self._key]
