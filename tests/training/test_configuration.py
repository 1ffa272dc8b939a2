"""Equal descriptions mean equal runs, different ones are told apart."""

import json
import linecache
import math
import sys
import threading
import types
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples
from skdatamodels.runs._meta import differences
from skdatamodels.training import TorchLearner
from skdatamodels.training._configuration import describe, digest


def scaled(factor):
    def function(x, power=2):
        return factor * x**power

    return function


def keyword_only(factor):
    def function(x, *, power=factor):
        return x**power

    return function


def uses(module):
    def function(x):
        return module, x

    return function


PAIRS = [
    (Ridge(alpha=1.0), Ridge(alpha=2.0)),
    (
        make_pipeline(StandardScaler(), Ridge()),
        make_pipeline(StandardScaler(with_mean=False), Ridge()),
    ),
    (Examples([[1.0]], [0]), Examples([[2.0]], [0])),
    (scaled(2.0), scaled(3.0)),
    (lambda x: x + 1, lambda x: x + 2),
    (partial(np.add, 1), partial(np.add, 2)),
    (partial(np.add, out=None), partial(np.add, where=True)),
    (np.arange(3), np.arange(4)),
    ({"a": 1}, {"a": 2}),
    ([1, 2], [1, 3]),
    (Ridge, LogisticRegression),
    (None, 0),
    (True, False),
    (float("inf"), float("-inf")),
    (keyword_only(2.0), keyword_only(3.0)),
    (uses(math), uses(json)),
    (partial(scaled(2.0), 1), partial(scaled(3.0), 1)),
    ({"a": Ridge()}, {"a": Ridge(2.0)}),
    (Examples([[1.0]], [0]), Examples([[1.0]], [0], ids=[7])),
]


def digest_of(value):
    return digest(describe(x=value).entries)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_what_differs_is_told_apart(one, other):
    assert describe(x=one) == describe(x=one)
    assert digest_of(one) != digest_of(other)


def test_nan_equals_itself_after_a_round_trip():
    entries = describe(x=SimpleImputer(missing_values=np.nan)).entries
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries


def test_metadata_of_examples_does_not_matter():
    one, other = (Examples([[1.0]], [0], metadata={"a": [i]}) for i in (1, 2))
    assert describe(x=one) == describe(x=other)


def test_a_function_may_call_itself():
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert describe(x=factorial).entries.keys() == {"x", "x.closure[factorial]"}


def test_what_does_not_pickle_is_named():
    holder = make_pipeline(StandardScaler(), Ridge(alpha=threading.Lock()))
    message = r"whether e__steps\[1\]\[1\]__alpha is the same next time.*pickle"
    with pytest.raises(TypeError, match=message):
        describe(e=holder)


def test_what_is_nested_too_deeply_is_named():
    values = []
    for _ in range(2000):
        values = [values]
    with pytest.raises(TypeError, match="e is nested too deeply"):
        describe(e=values)


def test_a_part_has_a_name_of_its_own_if_there_are_few():
    entries = describe(x=Ridge(alpha={"a": [0.5, (1, "b")]})).entries
    assert entries["x__alpha['a'][1][1]"] == "b"
    assert describe(x=list(range(1000))).entries.keys() == {"x"}


def test_defaults_and_versions(monkeypatch):
    description = describe(x=make_pipeline(Ridge(alpha=1.0, tol=0.5)))
    assert "x__steps[0][1]__alpha" in description.defaults
    assert "x__steps[0][1]__tol" not in description.defaults
    assert describe(x=Ridge(alpha=1)).entries["x__alpha"] == 1
    assert "x__alpha" not in describe(x=Ridge(alpha=1)).defaults
    monkeypatch.setattr(joblib, "__version__", "0.1")
    assert describe(x=Ridge(), f=joblib.hash).versions == {"joblib": "0.1"}


OWN = """
import functools
import numpy as np
from abc import ABC, abstractmethod
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
import own_helpers as helpers
from own_helpers import late

RATE = 0.1
TABLE = np.arange(5)
SETTINGS = {"depth": 3}

def decorated(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper

def step(X):
    return X * RATE + helpers.shift(X) + SETTINGS["depth"]

@decorated
def turned(X):
    return -X

@functools.lru_cache
def cached(n):
    return n + 1

class Base(ABC):
    slope = 2.0
    @abstractmethod
    def name(self): ...
    @property
    def width(self):
        return 3
    @staticmethod
    def plain(X):
        return step(X)
    @classmethod
    def made(cls):
        return cls()
    @functools.cached_property
    def heavy(self):
        return 4
    class Inner:
        def inside(self):
            return 5

class Mine(TransformerMixin, ClassifierMixin, Base, BaseEstimator):
    def __init__(self, k=1):
        self.k = k
    def name(self):
        return "mine"
    def fit(self, X, y):
        def local():
            return 6
        self.mean_ = y.mean() + local()
        return self
    def transform(self, X):
        return turned(X)
    @available_if(lambda self: self.k > 7)
    def predict(self, X):
        return np.full(len(X), cached(late(8)) + TABLE.sum())

class Learner:
    def __init__(self, n=9):
        self.n = n
    def __call__(self, train_indices, seed):
        from own_helpers import hidden
        return hidden(self.n)
    def method(self, train_indices, seed):
        return step(10)

def factory(width=11):
    class Net:
        def forward(self, x):
            return x + 12
    return Net()
"""
HELPERS = """
def shift(x):
    return below(x) - 13
def below(x):
    return x / 14
def late(x):
    return x + 15
def hidden(x):
    return x + 16
def unused(x):
    return x + 17
"""
VALUES = {
    "estimator": "Mine()",
    "class": "Mine",
    "pipeline": "make_pipeline(Mine(), Mine())",
    "instance": "Learner()",
    "method": "Learner().method",
    "partial": "functools.partial(step, 1)",
    "factory": "factory",
    "closure": "(lambda net: lambda: net)(Mine)",
}
CLASS = ["estimator", "class", "pipeline", "closure"]
STEP = [*CLASS, "instance", "method", "partial"]  # for a class counts as a whole
# what is edited, in whose description it shows, and what its entry names
EDITS = [
    ("RATE = 0.1", "RATE = 0.2", STEP, "own.RATE"),
    ("arange(5)", "arange(6)", CLASS, "own.TABLE"),
    ('"depth": 3', '"depth": 4', STEP, "own.SETTINGS"),
    ("X * RATE", "RATE + X", STEP, "own.step"),
    ("return -X", "return +X", CLASS, "own.turned"),
    ("return f(*args)", "return 2 * f(*args)", CLASS, "own.turned"),
    ("return n + 1", "return n + 2", CLASS, "own.cached"),
    ("slope = 2.0", "slope = 2.5", CLASS, "own.Base.slope"),
    ("return 3", "return 33", CLASS, "own.Base.width"),
    ("return step(X)", "return step(-X)", CLASS, "own.Base.plain"),
    ("return cls()", "return cls(2)", CLASS, "own.Base.made"),
    ("return 4", "return 44", CLASS, "own.Base.heavy"),
    ("return 5", "return 55", CLASS, "own.Base.Inner.inside"),
    ("Mine(TransformerMixin, ", "Mine(", CLASS, "own.Mine"),
    ("k=1)", "k=2)", CLASS, "own.Mine.__init__"),
    ('return "mine"', 'return "yours"', CLASS, "own.Mine.name"),
    ("return 6", "return 66", CLASS, "own.Mine.fit"),
    ("k > 7", "k > 77", CLASS, "own.Mine.predict"),
    ("late(8)", "late(88)", CLASS, "own.Mine.predict"),
    ("turned(X)\n    @", "turned(2 * X)\n    @", CLASS, "own.Mine.transform"),
    ("n=9", "n=99", ["instance", "method"], "own.Learner.__init__"),
    ("hidden(self.n)", "hidden(n)", ["instance", "method"], "own.Learner.__call__"),
    ("step(10)", "step(0)", ["instance", "method"], "own.Learner.method"),
    ("width=11", "width=1", ["factory"], "x"),
    ("x + 12", "x + 1", ["factory"], "x"),
    ("- 13", "+ 13", STEP, "own_helpers.shift"),
    ("/ 14", "* 14", STEP, "own_helpers.below"),
    ("+ 15", "- 15", CLASS, "own.late"),
    ("+ 16", "- 16", ["instance", "method"], "own_helpers.hidden"),
    ("+ 17", "- 17", [], ""),
    ("class Base(ABC):", 'class Base(ABC):\n    """Doc."""', [], ""),
    ("def step(X):", "# Why.\ndef step(X: int) -> int:", [], ""),
    ("return -X", "return  (-X)  # turned", [], ""),
]


def load(monkeypatch, folder, **sources):
    """Import modules from these sources, as if for the first time; return the last."""
    for name, source in sources.items():
        path = folder / f"{name}.py"
        path.write_text(source)
        module = types.ModuleType(name)
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    return module


def own_values(monkeypatch, folder, old="", new=""):
    assert old in OWN + HELPERS
    sources = {"own_helpers": HELPERS.replace(old, new), "own": OWN.replace(old, new)}
    module = load(monkeypatch, folder, **sources)
    names = vars(module) | {"make_pipeline": make_pipeline}
    return {
        name: describe(x=eval(text, names)).entries for name, text in VALUES.items()
    }


@pytest.mark.parametrize(("old", "new", "shows_in", "place"), EDITS)
def test_an_edit_of_own_code_is_seen_where_it_is_used(
    monkeypatch, tmp_path, old, new, shows_in, place
):
    before = own_values(monkeypatch, tmp_path)
    after = own_values(monkeypatch, tmp_path, old, new)
    assert [name for name in VALUES if before[name] != after[name]] == sorted(
        shows_in, key=list(VALUES).index
    )
    for name in shows_in:
        unlike = differences(before[name], after[name])
        where = [f"code[{place}"] if name in CLASS else [f"code[{place}", "x"]
        assert any(key.startswith(tuple(where)) for key in unlike)


def test_own_code_is_seen_by_byte_code_where_there_is_no_source():
    def written(factor):
        names = {"__name__": "__main__"}
        exec(f"class A:\n  def fit(self): return g({factor})", names)
        exec(f"def g(x): return x * {factor}", names)
        return describe(x=names["A"]()).entries

    assert written(1) == written(1)
    unlike = differences(written(1), written(2))
    assert unlike.keys() == {"code[__main__.A.fit]", "code[__main__.g]"}


def test_own_code_in_a_notebook(monkeypatch):
    def cell(number, factor):  # as IPython runs one
        source = f"class A:\n    def fit(self):\n        return {factor}\n"
        file = f"/tmp/ipykernel_1/{number}.py"
        monkeypatch.setitem(
            linecache.cache, file, (len(source), None, source.splitlines(True), file)
        )
        names = {"__name__": "__main__"}
        exec(compile(source, file, "exec"), names)
        return describe(x=names["A"]()).entries

    assert "python" not in cell(0, 1)["code[__main__.A.fit]"]
    assert cell(1, 1) == cell(2, 1)  # run again
    assert differences(cell(1, 1), cell(3, 2)).keys() == {"code[__main__.A.fit]"}


DATA_CLASS = """
from dataclasses import dataclass, field
@dataclass
class A:
    size: int = 1
    words: list = field(default_factory=lambda: ["a"])
    def __call__(self):
        return self.size
"""


def test_a_data_class_is_its_fields_and_methods(monkeypatch, tmp_path):
    def entries(old="", new=""):
        source = DATA_CLASS.replace(old, new)
        return describe(x=load(monkeypatch, tmp_path, data=source).A).entries

    before = entries()
    assert not any("python3" in str(value) for value in before.values())
    assert entries() == before
    for old, new in (("= 1", "= 2"), ('"a"', '"b"'), ("self.size", "-self.size")):
        assert entries(old, new) != before


def test_two_functions_of_one_name_are_both_described():
    def make(factor):
        def function(x):
            return x * 2 if factor else x

        return function

    one, other = make(0), make(1)
    both = describe(a=lambda x: one(other(x))).entries
    turned = describe(a=lambda x: other(one(x))).entries
    assert both != turned
    assert len({value for key, value in both.items() if "factor" in key}) == 2


def test_what_code_reads_and_does_not_pickle_is_told(monkeypatch, tmp_path):
    source = "import threading\nlock = threading.Lock()\ndef f(): return lock"
    module = load(monkeypatch, tmp_path, locked=source)
    description = describe(x=module.f)
    assert description.unseen == ["locked.lock"]
    assert description.entries["code[locked.lock]"] == "some lock"


def test_a_library_is_known_by_its_name_and_version(monkeypatch):
    entries = describe(x=joblib.hash, y=Ridge, z=lambda x: joblib.dump(x)).entries
    assert entries["x"] == "joblib.hashing.hash"
    assert entries["y"] == "sklearn.linear_model._ridge.Ridge"
    place = f"code[{__name__}.joblib]"
    assert entries.keys() == {"x", "y", "z", place}


def test_own_classes_among_the_data_are_seen(monkeypatch, tmp_path):
    def entries(factor):
        source = f"class A:\n    def size(self):\n        return {factor}"
        X = np.empty((2, 1), object)
        X[:] = load(monkeypatch, tmp_path, data=source).A()
        return describe(train=Examples(X, [0, 1])).entries

    assert entries(1) == entries(1)
    assert differences(entries(1), entries(2)).keys() == {"code[data.A.size]"}


def test_a_module_factory_of_torch(monkeypatch, tmp_path):
    pytest.importorskip("torch")

    def entries(old="", new=""):
        source = NET.replace(old, new)
        factory = load(monkeypatch, tmp_path, net=source).factory
        return describe(x=TorchLearner(factory, epochs=1)).entries

    for old, new in (("relu", "tanh"), ("WIDTH = 5", "WIDTH = 6")):
        (name,) = differences(entries(), entries(old, new))
        assert name in ("code[net.Net.forward]", "code[net.WIDTH]")
    assert describe(x=TorchLearner(len, epochs=1)).versions == {}
    assert "torch" in describe(x=load(monkeypatch, tmp_path, net=NET).Net).versions


NET = """
import torch
WIDTH = 5
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, WIDTH)
    def forward(self, x):
        return torch.relu(self.layer(x))
def factory():
    return Net()
"""
