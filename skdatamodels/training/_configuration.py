"""Description of a configuration: equal descriptions mean equal runs."""

import dataclasses
import hashlib
import inspect
import json
import re
import sys
from types import GetSetDescriptorType, MemberDescriptorType
from typing import NamedTuple

from skdatamodels._content import Content, NoContentError
from skdatamodels._sklearn_compat import RequestMethod
from skdatamodels._source import globals_used

_MOST_ITEMS = 32  # longer lists and dicts are described by a digest
# Their versions are recorded with all runs.
_RECORDED = {"skdatamodels", "sklearn", "numpy", "scipy"}
_PLAIN = bool, int, float, str
# Attributes that Python and scikit-learn add to classes, by name and by type.
_NOT_CODE = re.compile("_abc_impl|_sklearn_|__annotate")
_NOT_CODE_EITHER = GetSetDescriptorType, MemberDescriptorType, RequestMethod


class Description(NamedTuple):
    """Description of a configuration.

    Parameters
    ----------
    entries : dict of str to str, int, float, bool or None
        Parameters, at every depth. Keys ``code[...]`` contain the user's functions and
        classes that the parameters use, and the globals that these read.
    defaults : set of str
        Names of the entries that are parameters of estimators with default values.
    versions : dict of str to str
        Versions of the libraries whose functions and classes are used.
    unseen : list of str
        Names of objects that cannot be distinguished from others of their type.
    """

    entries: dict
    defaults: set
    versions: dict
    unseen: list


def describe(**parameters):
    """Describe parameters, so that equal parameters have equal descriptions.

    Estimators are described by their class and parameters, at every depth; examples by
    their fingerprint; functions by their name, a digest of their code, and their
    closure; other objects by their class and state; anything large by a digest.

    Parameters
    ----------
    **parameters : dict of str to object
        Parameters to describe.

    Returns
    -------
    description : Description
        Their description.

    Raises
    ------
    TypeError
        If a parameter, or a part of it, cannot be pickled.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdatamodels.training._configuration import describe
    >>> entries = describe(estimator=Ridge(alpha=2.0)).entries
    >>> entries["estimator"], entries["estimator__alpha"]
    ('sklearn.linear_model._ridge.Ridge', 2.0)
    """
    describer = _Describer()
    for name, value in parameters.items():
        try:
            describer.add(value, name, cloned=True)
        except NoContentError as error:
            raise TypeError(
                f"A store cannot tell whether {error.name} is the same next time: "
                f"{error}. Remove it, or train without a store."
            ) from error
        except RecursionError as error:
            raise TypeError(
                f"{name} is nested too deeply to be described for a store."
            ) from error
    describer.add_code()
    return Description(
        describer.entries,
        describer.defaults,
        _versions(describer.content.libraries),
        describer.unseen,
    )


def digest(configuration):
    """Return the hexadecimal digest of a configuration."""
    text = json.dumps(configuration, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class _Describer:
    def __init__(self):
        self.content = Content()
        self.entries, self.defaults, self.unseen = {}, set(), []
        self._followed, self._used = {}, {}  # by id; by place

    def add(self, value, name, cloned=False):
        """Add the entries of a value, and those of its parts if they have names."""
        while name in self.entries:  # two functions may have the same name
            name += "'"
        try:
            with self.content.opened(value, cloned) as (label, parts, named, *_, deep):
                items = parts and parts[0][0].startswith("[")
                if named and not (items and len(parts) > _MOST_ITEMS):
                    self.entries[name] = label
                    self._add_parts(value, name, parts, deep)
                    return
            self.entries[name] = f"{label} {self.content.digest(value, cloned)}"
        except NoContentError as error:
            error.name = getattr(error, "name", name)
            raise

    def _add_parts(self, value, name, parts, cloned):
        defaults = _plain_defaults(type(value)) if cloned else {}
        for suffix, part in parts:
            self.add(part, name + suffix, cloned)
            key = suffix.removeprefix("__")
            if key in defaults and _same(defaults[key], part):
                self.defaults.add(name + suffix)

    def add_code(self):
        """Add the user's functions and classes that were reached, recursively."""
        while self.content.reached:
            thing = self.content.reached.pop(0)
            if id(thing) in self._followed:
                continue
            self._followed[id(thing)] = thing
            if inspect.isclass(thing):
                self._add_class(thing)
            elif inspect.isfunction(thing):
                for place, value in globals_used(thing).items():
                    self._add_used(value, place)

    def _add_class(self, kind):
        place = f"{kind.__module__}.{kind.__qualname__}"
        kinds = [type(kind)] * (type(kind) is not type) + [*kind.__bases__]
        names = [self.content.name(other) for other in kinds]
        self._add_used(f"made of {', '.join(names)}", place)
        members = dict(vars(kind))
        if "__dataclass_fields__" in members:
            made = {f.name: f.default_factory for f in dataclasses.fields(kind)}
            self._add_used(made, f"{place} fields")
            members = {k: v for k, v in members.items() if not _is_generated(v)}
        for name, member in sorted(members.items()):
            if name.startswith("__") and not inspect.isroutine(member):
                continue  # Python's own attributes of a class, except methods
            if not _NOT_CODE.match(name) and not isinstance(member, _NOT_CODE_EITHER):
                self._add_used(member, f"{place}.{name}")

    def _add_used(self, value, place):
        if self._used.get(place, self) is value:
            return
        self._used[place] = value
        try:
            self.add(value, f"code[{place}]")
        except (NoContentError, RecursionError):
            self.entries[f"code[{place}]"] = f"some {type(value).__name__}"
            self.unseen.append(place)


def _is_generated(member):
    code = getattr(inspect.unwrap(member), "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _versions(libraries):
    """Return the versions of packages that have one, by name."""
    versions = {
        name: getattr(sys.modules.get(name), "__version__", None)
        for name in sorted(libraries - _RECORDED - sys.stdlib_module_names)
    }
    return {name: text for name, text in versions.items() if isinstance(text, str)}


def _plain_defaults(kind):
    """Return the defaults of a class's parameters that are plain values."""
    try:
        parameters = inspect.signature(kind).parameters
    except (TypeError, ValueError):  # a class written in C
        return {}
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    return {k: v for k, v in defaults.items() if v is None or type(v) in _PLAIN}


def _same(one, other):
    return type(one) is type(other) and one == other
