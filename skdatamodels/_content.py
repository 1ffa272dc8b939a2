"""Describe values by their content, to recognize values that are built in the same way.

Two sessions that run the same code get the same result. It does not depend on the order
of sets, on addresses, or on the identity of equal objects.
"""

import copyreg
import functools
import hashlib
import inspect
import json
import math
import pickle
import sys
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from skdatamodels._source import code_digest, is_own

BY_TYPE = {}  # type -> function (content, value) -> Parts, for types with their own way
_MOST_AGAIN = 100_000
_BLOCK = 2**22  # entries of an array that are copied at once
# Ignored in the state of a library's objects: version, documentation, and numpy's own
# generator, which differs between sessions.
_LEFT_OUT = {"_sklearn_version", "__doc__", "_random_state"}
_LEFT_OUT_OF = {"sklearn", "scipy"}


class NoContentError(TypeError):
    """Raised if a value cannot be described, for example because it does not pickle."""


class Parts(NamedTuple):
    """A value, taken apart by one level.

    Parameters
    ----------
    label : str, int, float, bool or None
        Description of the value without its parts.
    parts : list of tuple (suffix, value), default=()
        The parts. The suffix of a part is appended to the name of the value.
    named : bool, default=True
        Whether users can identify the parts by their suffixes.
    ordered : bool, default=True
        Whether the order of the parts matters.
    cloned : bool, default=False
        Whether ``clone`` of the value also clones the parts, so that only the
        parameters of an estimator among them matter.
    """

    label: object
    parts: list = ()
    named: bool = True
    ordered: bool = True
    cloned: bool = False


class Content:
    """Take values apart, and record the functions and classes that they use.

    Attributes
    ----------
    reached : list
        The user's own functions and classes, in the order in which they were found.
    libraries : set of str
        Packages of the other functions and classes.
    """

    def __init__(self):
        self.reached, self.libraries = [], set()
        self._open, self._n_again, self._highest = [], 0, 0
        self._digests = {}  # holds the values too, so that their ids are not reused

    def digest(self, value, cloned=False):
        """Return a digest of a value.

        Parameters
        ----------
        value : object
            Any value.
        cloned : bool, default=False
            Whether the value is cloned before use, so that only parameters matter.

        Returns
        -------
        digest : str
            Digest of the content.

        Raises
        ------
        NoContentError
            If the value or one of its parts does not pickle.
        """
        key = id(value), cloned
        if key in self._digests:
            return self._digests[key][1]
        level, highest, self._highest = len(self._open), self._highest, len(self._open)
        with self.opened(value, cloned) as (label, parts, _, ordered, deep):
            digests = [(name, self.digest(part, deep)) for name, part in parts]
        digests = digests if ordered else sorted(digests)
        digest = _hash(json.dumps([label, digests]).encode())
        if parts and self._highest >= level:  # it does not refer to levels above
            self._digests[key] = value, digest
        self._highest = min(self._highest, highest)
        return digest

    @contextmanager
    def opened(self, value, cloned=False):
        """Take a value apart. Inside the context, it is not taken apart again.

        Parameters
        ----------
        value : object
            Any value.
        cloned : bool, default=False
            Whether the value is cloned before use, so that only parameters matter.

        Yields
        ------
        parts : Parts
            The value, taken apart by one level; if the value is its own part at a
            higher level, a reference to that level.

        Raises
        ------
        NoContentError
            If the value does not pickle.
        """
        above = [level for level, other in enumerate(self._open) if other is value]
        self._open.append(value)
        try:
            yield self._again(above[-1]) if above else self._parts(value, cloned)
        finally:
            self._open.pop()

    def _again(self, level):
        self._highest, self._n_again = min(self._highest, level), self._n_again + 1
        if self._n_again > _MOST_AGAIN:  # a graph may have very many paths
            raise NoContentError("its objects refer to each other in too many ways")
        return Parts(f"the same as {len(self._open) - 1 - level} levels above")

    def name(self, thing):
        """Return the full name of a function or class, and record its origin.

        Parameters
        ----------
        thing : function or type
            A function or class.

        Returns
        -------
        name : str
            Its module and qualified name.
        """
        module = getattr(thing, "__module__", None) or "builtins"
        if is_own(thing):
            self.reached.append(thing)
        else:
            self.libraries.add(module.partition(".")[0])
        return f"{module}.{getattr(thing, '__qualname__', thing)}"

    def _parts(self, value, cloned):
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, np.generic):  # item() does not convert a long double
            value = np.asarray(value)
        if type(value) is float and not math.isfinite(value):
            return Parts(repr(value))  # JSON has no NaN, and NaN equals nothing
        if value is None or type(value) in (bool, int, float, str):
            return Parts(value)
        if type(value) in BY_TYPE:
            return BY_TYPE[type(value)](self, value)
        for applies, take_apart in _KINDS:
            if applies(value):
                return take_apart(self, value, cloned)
        return self._instance(value, cloned)

    def _instance(self, value, cloned):
        label = self.name(type(value))
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            how = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception as error:  # a user's own __reduce__ may raise anything
            raise NoContentError(f"{label} does not pickle: {error}") from error
        if isinstance(how, str):
            module = pickle.whichmodule(value, how)
            if getattr(sys.modules.get(module), how.partition(".")[0], None) is None:
                raise NoContentError(f"{label} {how} is not in a module")
            if isinstance(value, np.ufunc) and is_own(sys.modules[module]):
                raise NoContentError(f"{label} {how} hides the function that it calls")
            return Parts(f"{label} {module}.{how}")
        make, arguments, state, items, pairs = (*how[:5], None, None, None)[:5]
        package = type(value).__module__.partition(".")[0]
        if isinstance(state, dict) and package in _LEFT_OUT_OF:
            state = {key: state[key] for key in state.keys() - _LEFT_OUT}
        if (make, arguments) == (copyreg.__newobj__, (type(value),)):
            make = None
            if isinstance(state, dict) and items is None and pairs is None:
                return Parts(label, [(f".{key}", v) for key, v in _in_order(state)])
        parts = [make, arguments, state, items and [*items], pairs and [*pairs]]
        return Parts(label, [("", part) for part in parts], named=False)

    def _estimator(self, value, cloned):
        own_way = getattr(type(value), "__sklearn_clone__", None)
        if not cloned or own_way not in (None, BaseEstimator.__sklearn_clone__):
            return self._instance(value, cloned)
        parameters = value.get_params(deep=False).items()
        parts = [(f"__{name}", parameter) for name, parameter in parameters]
        return Parts(self.name(type(value)), parts, cloned=True)

    def _sequence(self, value, cloned):
        label = f"{type(value).__name__} of {len(value)}"
        parts = [(f"[{i}]", item) for i, item in enumerate(value)]
        return Parts(label, parts, cloned=cloned)

    def _set(self, value, cloned):
        label = f"{self.name(type(value))} of {len(value)}"
        return Parts(label, [("", item) for item in value], False, False, cloned)

    def _dict(self, value, cloned):
        label = f"dict of {len(value)}"
        if all(type(key) is str for key in value):
            return Parts(label, [(f"[{key!r}]", v) for key, v in _in_order(value)])
        return Parts(label, [("", pair) for pair in value.items()], False, False)

    def _function(self, value, cloned):
        if not is_own(value) and is_own(inspect.unwrap(value)):
            return self._wrapper(value, cloned)  # it has the name of the wrapped one
        label = self.name(value)
        if is_own(value):
            label = f"{label} {code_digest(value)}"
        elif "<" not in label:  # from a library, and not nested in another function
            return Parts(label)
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        defaults = [*enumerate(value.__defaults__ or ())]
        defaults += _in_order(value.__kwdefaults__ or {})
        parts = [(f".closure[{name}]", _contents(cell)) for name, cell in cells]
        return Parts(label, parts + [(f".default[{key}]", v) for key, v in defaults])

    def _method(self, value, cloned):
        parts = [(".__func__", value.__func__), (".__self__", value.__self__)]
        return Parts("method", parts)

    def _builtin(self, value, cloned):
        owner = value.__self__
        if owner is None or inspect.ismodule(owner):
            return Parts(self.name(value))
        return Parts(f"method {value.__name__}", [(".__self__", owner)])

    def _wrapper(self, value, cloned):
        """Take apart a user's own function that is wrapped by a library's decorator."""
        parts = [(".__wrapped__", value.__wrapped__)]
        if isinstance(getattr(value, "registry", None), MappingProxyType):
            for kind, function in value.registry.items():  # singledispatch
                parts.append((f".registry[{self.name(kind)}]", function))
        names = getattr(getattr(value, "__code__", None), "co_freevars", ())
        for name, cell in zip(
            names, getattr(value, "__closure__", ()) or (), strict=True
        ):
            if is_own(type(_contents(cell))):  # such as a context manager
                parts.append((f".closure[{name}]", _contents(cell)))
        return Parts(self.name(type(value)), sorted(parts, key=lambda part: part[0]))

    def _proxy(self, value, cloned):
        return Parts("mappingproxy", [("", dict(value))], named=False)

    def _partial(self, value, cloned):
        parts = [(".func", value.func)]
        parts += [(f".args[{i}]", item) for i, item in enumerate(value.args)]
        parts += [(f".{key}", item) for key, item in _in_order(value.keywords)]
        return Parts(f"functools.{type(value).__name__}", parts)

    def _property(self, value, cloned):
        functions = [value.fget, value.fset, value.fdel]
        return Parts("property", [("", function) for function in functions], False)

    def _cached_property(self, value, cloned):
        return Parts("functools.cached_property", [(".func", value.func)])

    def _module(self, value, cloned):
        if not is_own(value):
            self.libraries.add(value.__name__.partition(".")[0])
        return Parts(value.__name__)

    def _type(self, value, cloned):
        return Parts(self.name(value))

    def _bytes(self, value, cloned):
        return Parts(f"{type(value).__name__} {_hash(value)}")

    def _literal(self, value, cloned):
        return Parts(f"{type(value).__name__} {value!r}")

    def _array(self, value, cloned):
        fields = value.dtype.descr if value.dtype.names else value.dtype.str
        label = f"numpy.ndarray {value.shape} {fields}"
        if value.dtype.hasobject or value.dtype.kind == "T":
            parts = [("", item) for item in value.ravel().tolist()]
            return Parts(label, parts, named=False)
        return Parts(f"{label} {_array_digest(value)}")

    def _random(self, value, cloned):
        if value is np.random.mtrand._rand:
            return Parts("numpy.random")
        legacy = isinstance(value, np.random.RandomState)
        state = value.get_state(False) if legacy else value.bit_generator.state
        return Parts(self.name(type(value)), [("", state)], named=False)

    def _sparse(self, value, cloned):
        csr = value.tocsr(copy=True)  # its entries may or may not be sorted
        csr.sum_duplicates()
        places = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
        label = f"{self.name(type(value))} {value.shape}"
        return Parts(label, [("", array) for array in (csr.data, *places)], False)

    def _frame(self, value, cloned):
        columns = value.items() if value.ndim == 2 else [(value.name, value)]
        parts = [value.index.to_numpy()]
        for name, column in columns:
            parts += [name, str(column.dtype), column.to_numpy()]
            if column.dtype == "category":
                parts += [column.cat.ordered, column.cat.categories.to_numpy()]
        label = f"{self.name(type(value))} {value.shape}"
        return Parts(label, [("", part) for part in parts], named=False)

    def _tensor(self, value, cloned):
        torch = sys.modules["torch"]
        dense = value.detach().cpu()
        dense = dense if dense.layout == torch.strided else dense.to_dense()
        memory = dense.contiguous().reshape(-1).view(torch.uint8).numpy()
        label = f"{self.name(type(value))} {tuple(value.shape)} {value.dtype}"
        return Parts(f"{label} {_array_digest(memory)}")


def _is_exactly(*kinds):
    return lambda value: type(value) in kinds


def _is_tensor(value):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


_KINDS = [
    (_is_exactly(list, tuple), Content._sequence),
    (_is_exactly(dict), Content._dict),
    (_is_exactly(MappingProxyType), Content._proxy),
    (lambda value: isinstance(value, set | frozenset), Content._set),
    (_is_exactly(bytes, bytearray), Content._bytes),
    (_is_exactly(complex, type(...), type(NotImplemented)), Content._literal),
    (_is_exactly(np.ndarray, np.memmap), Content._array),
    (inspect.isfunction, Content._function),
    (inspect.ismethod, Content._method),
    (inspect.isbuiltin, Content._builtin),
    (inspect.ismodule, Content._module),
    (inspect.isclass, Content._type),
    (_is_exactly(functools.partial, functools.partialmethod), Content._partial),
    (_is_exactly(property), Content._property),
    (_is_exactly(functools.cached_property), Content._cached_property),
    (_is_exactly(np.random.RandomState, np.random.Generator), Content._random),
    (lambda value: hasattr(value, "get_params"), Content._estimator),
    (sp.issparse, Content._sparse),
    (lambda v: hasattr(v, "iloc") and hasattr(v, "index"), Content._frame),
    (_is_tensor, Content._tensor),
    (lambda value: hasattr(value, "__wrapped__"), Content._wrapper),
]


def _in_order(mapping):
    return sorted(mapping.items(), key=lambda item: str(item[0]))


def _contents(cell):
    try:
        return cell.cell_contents
    except ValueError:  # the cell is empty
        return ...


def _hash(data):
    return hashlib.sha256(data).hexdigest()[:16]


def _array_digest(array):
    digest = hashlib.sha256()
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        digest.update(np.ascontiguousarray(flat[start : start + _BLOCK]).tobytes())
    return digest.hexdigest()[:16]
