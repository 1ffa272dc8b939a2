"""Equal descriptions mean equal runs, different ones are told apart."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples
from skdatamodels.training.configuration import describe, digest


def scaled(factor):
    def function(x, power=2):
        return factor * x**power

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
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_what_differs_is_told_apart(one, other):
    assert describe(one, "x") == describe(one, "x")
    assert digest(describe(one, "x")) != digest(describe(other, "x"))


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
