"""What a function's code is known by, and whose it is."""

import collections
import importlib.util
import json
import shutil
import subprocess
import sys
import types

import cloudpickle
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skdatamodels import SubsetTrainer, _source
from skdatamodels._source import code_digest, globals_used, is_own


@pytest.fixture(autouse=True)
def new_session(monkeypatch):
    monkeypatch.setattr(_source, "_SEEN", {})


def load(path, source, name="own"):
    """Import a file of this source, as no module of sys.modules."""
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    return module


SAME = [
    ("def f(x):\n    return x + 1", "def f(x):\n    # why\n\n    return (x\n  + 1)"),
    ("def f(x):\n    return x", 'def f(x):\n    """What it does."""\n    return x'),
    ("def f(x):\n    return x", "def f(x: int) -> int:\n    return x"),
    ("def f():\n    a = 0xFF", "def f():\n    a: int = 255"),
    ("def f():\n    return 'a'", 'def f():\n    return "a"'),
    ("def f():\n    pass", 'def f():\n    """Nothing."""'),
    ("f = lambda x: x + 1", "\n\nf = lambda x: (x + 1)  # why"),
]
CHANGED = [
    ("def f(x):\n    return x + 1", "def f(x):\n    return x + 2"),
    ("def f(x, y):\n    return x", "def f(y, x):\n    return x"),
    ("def f():\n    return 1", "def f():\n    return 1.0"),
    ("def f():\n    return 1", "def f():\n    return True"),
    ("def f():\n    return 'a'", "def f():\n    return b'a'"),
    ("def f(x):\n    return f'{x}'", "def f(x):\n    return f'{x!r}'"),
    ("def f():\n    return lambda: 1", "def f():\n    return lambda: 2"),
    ("def f():\n    return {1, 2}", "def f():\n    return {1, 3}"),
    ("f = lambda x: x + 1", "f = lambda x: x + 2"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_how_it_is_written_does_not_count(tmp_path, one, other):
    one = code_digest(load(tmp_path / "1.py", one).f)
    assert one == code_digest(load(tmp_path / "2.py", other).f)
    assert not one.startswith("python")


@pytest.mark.parametrize("has_source", [True, False])
@pytest.mark.parametrize(("one", "other"), CHANGED)
def test_what_it_says_counts(tmp_path, one, other, has_source):
    paths = [tmp_path / "1.py", tmp_path / "2.py"]
    one, other = map(load, paths, (one, other))
    if not has_source:  # as at a prompt
        for path in paths:
            path.unlink()
    assert code_digest(one.f) == code_digest(one.f) != code_digest(other.f)
    assert code_digest(one.f).startswith("python") != has_source


def test_code_that_the_file_no_longer_holds_is_known_by_itself(tmp_path):
    old = load(tmp_path / "a.py", "def f(x):\n    return x + 1\n")
    new = load(tmp_path / "a.py", "def g():\n    pass\ndef f(x):\n    return x + 2\n")
    assert code_digest(old.f).startswith("python")
    assert not code_digest(new.f).startswith("python")


def test_an_edit_elsewhere_in_the_file_changes_nothing(tmp_path):
    text = "def f(x):\n    return x + 1\n"
    digests = [
        code_digest(load(tmp_path / "a.py", before + text).f) for before in ("", "\n\n")
    ]
    (tmp_path / "b.py").write_text(text)
    module = load(tmp_path / "b.py", text)
    (tmp_path / "b.py").write_text("\n\n\nimport math\n" + text)  # while it lives on
    assert len({*digests, code_digest(module.f)}) == 1


def test_a_function_is_known_by_what_it_was_while_it_lives(tmp_path):
    module = load(tmp_path / "a.py", "def f(x):\n    return x + 1\n")
    before = code_digest(module.f)
    (tmp_path / "a.py").write_text("def f(x):\n    return x + 2\n")
    assert code_digest(module.f) == before


def test_a_copy_by_cloudpickle_is_known_as_what_it_copies(tmp_path):
    module = load(tmp_path / "a.py", "def f(x):\n    return x + 1\n")
    before = code_digest(module.f)
    assert not before.startswith("python")
    assert code_digest(cloudpickle.loads(cloudpickle.dumps(module.f))) == before


def test_lambdas_of_one_line_are_told_apart(tmp_path):
    source = "fs = [lambda x: x + 1, lambda x: x + 2, lambda: (lambda: 3), lambda: 3]"
    functions = load(tmp_path / "a.py", source).fs
    functions.append(functions[2]())
    digests = [code_digest(function) for function in functions]
    assert not any(digest.startswith("python") for digest in digests)
    assert len(set(digests)) == 4  # the inner one is the last one
    assert digests[3] == digests[4]


VERSIONS = '''
import functools
class A:
    """Doc."""
    def fit(self, X: int, y=None, *a, k=(1, 2), **kw) -> "A":
        """Doc."""
        self.z = f"{X!r:>{y}} {X:}{y} a{{b}}" + f'{"a" "b"}'
        try:
            x = [i for i in range(3) if i in {1, 2, 3}]
        except* ValueError:
            raise
        match X:
            case {"a": 1, **r}:
                return r
            case [1, *_] | (2 | 3): ...
        return -1, 1_000, 1e999, 2j, b"a", ..., x[1:2, ...], lambda: 0, (yy := 3)
    @property
    def p(self): return 1
    @functools.lru_cache(maxsize=3)
    def c(self): return {1: 2, **{}}
def g(a, /, b: "int" = 3, *, c): return (lambda x: x + len({"u", "v", "w"}))
functions = [A.fit, A.p.fget, A.c.__wrapped__, g, g(1, c=2)]
functions += [lambda x: x + 1, lambda a, b=2: a if b else -a, lambda x: x and not x]
'''
DIGESTS = """
import importlib.util, json, sys
def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
source = load("source", sys.argv[1])
functions = load("own", sys.argv[2]).functions
print(json.dumps([source.code_digest(function) for function in functions]))
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_other_versions_of_python_agree(tmp_path, version):
    python = shutil.which(f"python{version}")
    works = python and not subprocess.run([python, "--version"], check=False).returncode
    if not works:
        pytest.skip(f"there is no Python {version} here")
    module = load(tmp_path / "own.py", VERSIONS)
    expected = [code_digest(function) for function in module.functions]
    assert not any(digest.startswith("python") for digest in expected)
    answer = subprocess.run(
        [python, "-I", "-c", DIGESTS, _source.__file__, str(tmp_path / "own.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == expected


def test_whose_code_it_is(tmp_path):
    library = tmp_path / "site-packages"
    library.mkdir()
    theirs = load(library / "theirs.py", "def f(): pass\nclass C: pass")
    mine = load(tmp_path / "mine.py", "def f(): pass\nclass C: pass")
    point = collections.namedtuple("point", "x")  # made by exec, in a library
    for thing in (mine.f, mine.C, load, test_whose_code_it_is, eval("lambda: 0")):
        assert is_own(thing)
    for thing in (
        theirs.f,
        json.dumps,
        np.mean,
        np,
        Ridge,
        Ridge.fit,
        len,
        int,
        point._make,
    ):
        assert not is_own(thing)
    for thing in (SubsetTrainer, SubsetTrainer.fit, code_digest, _source):
        assert not is_own(thing)


READS = """
import json
import {name}_b as b
from {name}_b import RATE as speed, helper
count, table = 0, [1]
def f(x):
    global count
    count += 1
    import json.decoder as unread
    from {name}_b import late
    def inner():
        return [speed * v for v in table] + [json.dumps(x)]
    return helper(x), b.sub.LIMIT, x.unused, open, late, inner()
unused = 3
"""


def test_what_a_function_reads(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "reads_sub.py").write_text("LIMIT = 7\nother = 1")
    b = "import reads_sub as sub\nRATE = 2\nlate = 3\nunused = 4\ndef helper(x): pass"
    (tmp_path / "reads_b.py").write_text(b)
    module = load(tmp_path / "reads.py", READS.format(name="reads"), name="reads")
    used = globals_used(module.f)
    expected = {"reads.speed": 2, "reads_b.late": 3, "reads.table": [1]}
    expected |= {"reads_sub.LIMIT": 7, "reads.json": json}
    helper = sys.modules["reads_b"].helper
    expected |= {"reads.helper": helper, "reads_b.helper": helper}
    for name in ("reads_b", "reads_sub"):
        assert isinstance(used.pop(name), types.ModuleType)
        monkeypatch.delitem(sys.modules, name)
    assert used.pop("reads_b.unused") == 4  # which x.unused may mean
    assert used == expected
