"""Describing what runs were made with, so that equal descriptions mean equal runs."""

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

_MOST_ITEMS = 32  # of a list or dict; a longer one is described as a whole
_RECORDED = {"skdatamodels", "sklearn", "numpy", "scipy"}  # with all runs
_PLAIN = bool, int, float, str
# Of classes: what Python and scikit-learn put there, by name and by type.
_NOT_CODE = re.compile("_abc_impl|_sklearn_|__annotate")
_NOT_CODE_EITHER = GetSetDescriptorType, MemberDescriptorType, RequestMethod


class Description(NamedTuple):
    """What runs are made with.

    Parameters
    ----------
    entries : dict of str to str, int, float, bool or None
        Parameters, at every depth, and under ``code[...]`` the user's own functions and
        classes that they use and what these read from their modules.
    defaults : set of str
        Which entries are parameters of estimators at their defaults.
    versions : dict of str to str
        Versions of the libraries whose functions and classes are in use.
    unseen : list of str
        Which entries stand for something that cannot be told from another of its type.
    """

    entries: dict
    defaults: set
    versions: dict
    unseen: list


def describe(**parameters):
    """Describe parameters, so that those built alike are described alike.

    Estimators become their class and parameters, at every depth; examples their
    fingerprint; functions their name and a digest of their code, and what they close
    over; objects their class and state; anything large a digest.

    Parameters
    ----------
    **parameters : dict of str to object

    Returns
    -------
    description : Description

    Raises
    ------
    TypeError
        If a parameter, or something in it, does not pickle.

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
                f"{error}. Leave it out, or the store."
            ) from error
        except RecursionError as error:
            raise TypeError(f"{name} is nested too deeply for a store.") from error
    describer.add_code()
    return Description(
        describer.entries,
        describer.defaults,
        _versions(describer.content.libraries),
        describer.unseen,
    )


def digest(configuration):
    """Return a hexadecimal digest of a configuration."""
    text = json.dumps(configuration, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class _Describer:
    def __init__(self):
        self.content = Content()
        self.entries, self.defaults, self.unseen = {}, set(), []
        self._followed, self._used = {}, {}  # by id; by place

    def add(self, value, name, cloned=False):
        """Add the entries of a value, and of its parts where they can be named."""
        while name in self.entries:  # two functions may have one name
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
        """Add the user's own functions and classes that were reached, and so on."""
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
                continue  # but for methods, these are what Python notes of a class
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
    """Return versions by package, where a package tells one."""
    versions = {
        name: getattr(sys.modules.get(name), "__version__", None)
        for name in sorted(libraries - _RECORDED - sys.stdlib_module_names)
    }
    return {name: text for name, text in versions.items() if isinstance(text, str)}


def _plain_defaults(kind):
    """Return the defaults of a class's parameters, where they are plain values."""
    try:
        parameters = inspect.signature(kind).parameters
    except (TypeError, ValueError):  # of a class in C
        return {}
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    return {k: v for k, v in defaults.items() if v is None or type(v) in _PLAIN}


def _same(one, other):
    return type(one) is type(other) and one == other
