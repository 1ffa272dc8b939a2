"""Equal descriptions mean equal runs, different ones are told apart."""

import json
import math
import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples
from skdatamodels.training.configuration import describe, digest


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


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_what_differs_is_told_apart(one, other):
    assert describe(one, "x") == describe(one, "x")
    assert digest(describe(one, "x")) != digest(describe(other, "x"))


def test_nan_equals_itself_after_a_round_trip():
    entries = describe(SimpleImputer(missing_values=np.nan), "x")
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries


def test_metadata_of_examples_does_not_matter():
    examples = (Examples([[1.0]], [0], metadata={"a": [i]}) for i in (1, 2))
    one, other = (describe(e, "x") for e in examples)
    assert one == other


def test_a_function_may_call_itself():
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert describe(factorial, "x").keys() == {"x"}


def test_what_does_not_pickle_is_named():
    holder = make_pipeline(StandardScaler(), Ridge(alpha=threading.Lock()))
    message = r"whether e__steps\[1\]\[1\]__alpha is the same next time.*pickle"
    with pytest.raises(TypeError, match=message):
        describe(holder, "e")


def test_description_is_the_same_in_another_process():
    code = (
        "import numpy as np; from sklearn.linear_model import LogisticRegression as L;"
        "from skdatamodels import Examples as E;"
        "from skdatamodels.training.configuration import *;"
        "print(digest(describe(L(C=2.0), 'e') | describe(E([[1.5]], ['a']), 't')"
        " | describe(np.arange(3.0), 'a')))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    here = describe(LogisticRegression(C=2.0), "e")
    here |= describe(Examples([[1.5]], ["a"]), "t") | describe(np.arange(3.0), "a")
    assert answer.stdout.strip() == digest(here)
