"""Values built alike are known as alike, in all sessions."""

import collections
import contextlib
import copy
import functools
import json
import os
import subprocess
import sys
import threading
import types

import numba
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import scipy.special
import scipy.stats
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import RandomizedSearchCV

from skdatamodels import Examples
from skdatamodels._content import Content, NoContentError


def digest(value, **kwargs):
    return Content().digest(value, **kwargs)


def itself():
    values = [1]
    values.append(values)
    return values


# Each of these is run in sessions of other hash seeds. A set has another order in each.
VALUES = """
import collections, datetime, enum, functools, pathlib, re
import numpy as np, pandas as pd, scipy.sparse as sp, scipy.stats as ss
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, mean_squared_error
from sklearn.model_selection import KFold, RandomizedSearchCV
from sklearn.preprocessing import FunctionTransformer
from skdatamodels import Examples
WORDS = {"alpha", "beta", "gamma", "delta"}
class Kind(enum.Enum):
    words = frozenset(WORDS)
class Mine:
    words = WORDS
    def __init__(self, words):
        self.words, self.by_word = words, {word: {word} for word in words}
        self.me = self
    def __call__(self, x):
        return x in {"a", "b", "c"} or helper(x) or x in self.words
def helper(x):
    return x in {"d", "e", "f"} or x in WORDS
def closed(words):
    return lambda x: x in words
objects = np.empty(3, object)
objects[:] = [WORDS, {"a": frozenset(WORDS)}, (1, "a", None)]
column = pd.Series(objects)
VALUES = [
    WORDS, frozenset(WORDS), {1, "a", None, (2, "b")}, {frozenset(WORDS), frozenset()},
    {word: {word} for word in WORDS}, {1: 2, "a": 3, None: 4}, [frozenset(WORDS)] * 40,
    lambda x: x in {"a", "b", "c"}, lambda x: x in WORDS, closed(WORDS), helper,
    closed(frozenset(WORDS)), functools.partial(closed, WORDS), closed(Mine(WORDS)),
    Mine, Mine(WORDS), Mine(WORDS).__call__, Kind.words, functools.lru_cache(helper),
    Ridge, Ridge(), LogisticRegression(class_weight={"a": 1, "b": 2}),
    FunctionTransformer(helper, kw_args={"words": WORDS}), KFold(shuffle=True),
    make_column_transformer((Ridge(), ["a"])), make_scorer(mean_squared_error),
    RandomizedSearchCV(Ridge(), {"alpha": ss.loguniform(1e-3, 1)}), ss.norm(0, 1),
    np.random.RandomState(0), np.random.default_rng(0), np.random.mtrand._rand,
    objects, column, np.array(list("ab")), np.arange(3).T, pd.DataFrame({"a": objects}),
    sp.random(5, 5, 0.5, random_state=0), Examples(objects, [0, 1, 2]),
    collections.OrderedDict(a=WORDS), collections.Counter("abcabc"),
    collections.defaultdict(set, a=WORDS), re.compile("a|b"), pathlib.Path("a"),
    datetime.datetime(2020, 1, 2), np.add, "a".join, len, str.lower, object(), 2j, b"a",
]
"""
PRINT = """
import json
from skdatamodels.training._configuration import describe
print(json.dumps([describe(x=value).entries for value in VALUES]))
"""


def test_sessions_agree(tmp_path):
    (tmp_path / "values.py").write_text(VALUES + PRINT)
    answers = [
        subprocess.run(
            [sys.executable, tmp_path / "values.py"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    ]
    one, other = map(json.loads, answers)
    assert len(one) > 50
    assert one == other
    assert len({json.dumps(entries) for entries in one}) == len(one)  # all told apart


def frame(**columns):
    return pd.DataFrame({"a": [1.0, 2.0]} | columns)


def consolidated():
    values = frame()
    values["b"] = [3.0, 4.0]  # in a block of memory of its own, until it is used
    return values


def looked_at():
    matrix = sp.csr_array(np.eye(3))
    assert matrix.has_canonical_format  # which it notes
    return matrix


ALIKE = [
    (["ab", "ab"], ["ab", "".join(["a", "b"])]),
    ([(1, 2)] * 2, [(1, 2), tuple([1, 2])]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    (np.float64(0.5), 0.5),
    (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
    (np.arange(9)[::2], np.arange(0, 9, 2)),
    (frame(b=[3.0, 4.0]), consolidated()),
    (sp.csr_array(np.eye(3)), looked_at()),
    (itself(), itself()),
    (scipy.stats.norm(0, 1), copy.deepcopy(scipy.stats.norm(0, 1))),
    (float("nan"), np.float32("nan")),
]
UNLIKE = [
    ({1, 2}, frozenset({1, 2})),
    ([1, 2], (1, 2)),
    (1, 1.0),
    (1, True),
    ("1", 1),
    ("ab", b"ab"),
    ({"a": 1}, {"a": 2}),
    ({1: 2}, {2: 1}),
    (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
    (np.arange(3), np.arange(3.0)),
    (np.arange(6), np.arange(6).reshape(2, 3)),
    (np.random.RandomState(0), np.random.RandomState(1)),
    (np.random.default_rng(0), np.random.default_rng(1)),
    (frame(), frame(a=[1.0, 3.0])),
    (frame(), frame().set_index(np.array([3, 4]))),
    (sp.csr_array(np.eye(3)), sp.csc_array(np.eye(3))),
    (scipy.stats.norm(0, 1), scipy.stats.norm(0, 2)),
    (np.add, np.subtract),
    ("a".join, "b".join),
    (np.zeros(2**23), np.r_[np.zeros(2**23 - 1), 1]),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_equal_values_are_alike(one, other):
    assert digest(one) == digest(other)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_other_values_are_told_apart(one, other):
    assert digest([one]) == digest([one])
    assert digest([one]) != digest([other])


def test_what_clone_leaves_out_does_not_count():
    X = np.eye(3)
    fitted = [Ridge().fit(X, y) for y in (X[0], X[1])]
    assert len({digest(ridge, cloned=True) for ridge in [Ridge(), *fitted]}) == 1
    assert len({digest([ridge], cloned=True) for ridge in [Ridge(), *fitted]}) == 1
    assert len({digest(ridge) for ridge in [Ridge(), *fitted]}) == 3
    assert len({digest(FrozenEstimator(r), cloned=True) for r in fitted}) == 2
    assert len({digest({"a": ridge}, cloned=True) for ridge in fitted}) == 2


def test_a_clone_of_a_search_is_alike():
    search = RandomizedSearchCV(Ridge(), {"alpha": scipy.stats.loguniform(1e-3, 1)})
    assert digest(search, cloned=True) == digest(copy.deepcopy(search), cloned=True)


def test_the_version_of_scikit_learn_is_no_content(monkeypatch):
    before = digest(Ridge())
    monkeypatch.setattr("sklearn.base.__version__", "0.1")
    assert digest(Ridge()) == before


class Node:
    """Objects that hold one another."""

    def __init__(self, value):
        self.value, self.others = value, []


def graph(n, link):
    nodes = [Node(i) for i in range(n)]
    for node in nodes:
        node.others += [other for other in nodes if link(node.value, other.value)]
    return nodes[0]


def test_objects_that_are_held_by_many_are_looked_at_once():
    values = [0]
    for _ in range(60):
        values = [values, values]
    assert digest(values) == digest(copy.deepcopy(values))
    assert digest(graph(20, lambda i, j: i < j)) != digest(
        graph(19, lambda i, j: i < j)
    )


def test_objects_that_hold_one_another(monkeypatch):
    def ring(n):
        return graph(n, lambda i, j: (i - j) % n in (1, n - 1))

    assert digest(ring(5)) == digest(ring(5)) != digest(ring(4))
    monkeypatch.setattr("skdatamodels._content._MOST_AGAIN", 1000)
    with pytest.raises(NoContentError, match="refer to each other in too many ways"):
        digest(graph(12, lambda i, j: True))


def test_what_is_within_itself_is_told_from_what_is_above():
    inner = [1]
    inner.append(inner)
    outer = [inner, [inner]]
    assert digest(outer) == digest(copy.deepcopy(outer))
    one, other = [[1]], [[1]]
    one[0].append(one)
    other[0].append(other[0])
    assert digest(one) != digest(other)


def test_numba_functions_are_known_by_what_they_compile():
    def compiled(factor):
        names = {"__name__": "__main__"}
        exec(f"def f(x): return x * {factor}", names)
        return digest(numba.njit(names["f"]))

    assert compiled(2) == compiled(2) != compiled(3)


def test_tensors_and_modules():
    torch = pytest.importorskip("torch")
    ones = torch.ones(3)
    assert digest(ones) == digest(torch.ones(6)[::2])
    others = [ones * 2, ones.to(torch.bfloat16), torch.ones(3, 1), ones.numpy()]
    assert len({digest(values) for values in [ones, *others]}) == 5
    digests = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        digests.append(digest(torch.nn.Sequential(torch.nn.Linear(2, 2))))
    assert digests[0] == digests[1] != digests[2]


def test_what_does_not_pickle_is_an_error():
    with pytest.raises(NoContentError, match=r"_thread.lock does not pickle"):
        digest([{"a": threading.Lock()}])


def test_objects_as_examples_are_known_by_their_content():
    def examples(*values):
        X = np.empty(2, object)
        X[:] = values
        return Examples(X, [0, 1]).fingerprint

    assert examples({"a": {1}}, ()) == examples({"a": {1}}, ())
    assert examples({"a": {1}}, ()) != examples({"a": {2}}, ())


def dispatched(answer):
    @functools.singledispatch
    def kind(x):
        return 0

    @kind.register
    def _(x: int):
        return answer

    return kind


class Scaled(contextlib.ContextDecorator):
    def __init__(self, factor):
        self.factor = factor

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def decorated(factor):
    @Scaled(factor)
    def function(x):
        return x

    return function


@pytest.mark.parametrize(
    "make", [dispatched, decorated, lambda n: types.MappingProxyType({"a": n})]
)
def test_what_a_library_has_wrapped_is_seen(make):
    assert digest(make(1)) == digest(make(1)) != digest(make(2))


def test_a_ufunc_of_ones_own_hides_what_it_calls():
    with pytest.raises(NoContentError, match=r"\(vectorized\) is not in a module"):
        digest(np.frompyfunc(lambda x: x + 1, 1, 1))
    assert digest(np.add) != digest(np.exp) != digest(scipy.special.expit)
