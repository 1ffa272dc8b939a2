"""The code of a user's own functions: its origin, its digest and the names it uses.

Code is the user's own if it is not in a library, that is, outside the standard library,
site-packages and this package. The code of a library is identified by its version.
"""

import __future__

import ast
import dis
import hashlib
import importlib.util
import linecache
import sys
import sysconfig
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, ModuleType

_LIBRARIES = [
    Path(__file__).resolve().parent,
    *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")),
]
_FUTURE = sum(
    {getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}
)
# Irrelevant for the computation, or not in the syntax tree of every Python version.
_IGNORED = {"annotation", "returns", "type_comment", "type_params", "simple", "kind"}
_READS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_ABSENT = object()
# Digests of code by its name and parts: cloudpickle copies the code of functions and
# methods without the name of its file.
_SEEN = {}


def is_own(thing):
    """Return whether a function, class or module is a user's own, not a library's.

    Parameters
    ----------
    thing : function, class or module
        What to check.

    Returns
    -------
    own : bool
        Whether it is outside all libraries.
    """
    code = getattr(thing, "__code__", None)
    if isinstance(code, CodeType) and not code.co_filename.startswith("<"):
        return _is_own_file(code.co_filename)
    if isinstance(thing, ModuleType):
        return _is_own_module(thing.__name__)
    if isinstance(code, CodeType):  # created by exec, perhaps in a library
        return _is_own_module(thing.__globals__.get("__name__"))
    return _is_own_module(getattr(thing, "__module__", None))


def code_digest(function):
    """Digest the code of a function without comments, docstrings and annotations.

    The digest is computed from the syntax tree, so that it is the same in all versions
    of Python. If the source is not available, or has been edited since the function was
    created, it is computed from the byte code and begins with the version of Python.

    Parameters
    ----------
    function : function
        A Python function.

    Returns
    -------
    digest : str
        Digest of the code.
    """
    return _digest_of(_Code(function.__code__, function.__globals__))


def globals_used(function):
    """List the globals that a function reads, and its imports.

    A module of the user's own is replaced by those of its members that the function
    names. Globals that the function assigns to are ignored.

    Parameters
    ----------
    function : function
        A Python function.

    Returns
    -------
    used : dict of str to object
        Values by their full names.
    """
    codes = list(_with_nested(function.__code__))
    words = {name for code in codes for name in code.co_names}
    home, used = function.__globals__.get("__name__"), {}
    instructions = [list(dis.get_instructions(code)) for code in codes]
    steps = [step for listed in instructions for step in listed]
    written = {s.argval for s in steps if s.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")}
    for name in {s.argval for s in steps if s.opname in _READS} - written:
        if name in function.__globals__:
            _add(used, f"{home}.{name}", function.__globals__[name], words)
    for listed in instructions:
        for name, members in _imports(listed, function.__globals__):
            _add_import(used, name, members, words)
    return dict(sorted(used.items()))


class _Code:
    """A code object, and the module globals that are needed to load its source."""

    def __init__(self, code, module_globals):
        self.code, self.module_globals = code, module_globals

    def __eq__(self, other):
        return self.code is other.code

    def __hash__(self):
        return id(self.code)


@lru_cache(10_000)  # so that the file may be edited while its functions are in use
def _digest_of(whose):
    code = whose.code
    parts = _hash(_parts(code))
    node = _syntax_tree(code, parts, whose.module_globals)
    if node is not None:
        digest = _SEEN[code.co_qualname, parts] = _hash(_plain(node))
        return digest
    version = "python{}.{}".format(*sys.version_info)
    return _SEEN.get((code.co_qualname, parts), f"{version}:{parts}")


def _hash(plain):
    return hashlib.sha256(repr(plain).encode(errors="replace")).hexdigest()[:16]


@cache
def _is_own_file(file):
    path = Path(file).resolve()
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(library) for library in _LIBRARIES)


def _is_own_module(name):
    if name is None or name == "__main__":
        return name is not None
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    root = name.partition(".")[0]
    if file is None and root != name:  # some libraries create modules at run time
        return _is_own_module(root)
    if file is None:
        return root not in sys.stdlib_module_names
    return _is_own_file(file)


def _syntax_tree(code, parts, module_globals):
    """Return the syntax tree of the function with this code; None if not available."""
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, module_globals)
    for compiled, node in _functions_in("".join(lines), code.co_flags & _FUTURE):
        same_place = compiled.co_qualname == code.co_qualname
        # The file may have been edited since, or rewritten on import, as by pytest.
        if same_place and _hash(_parts(compiled)) == parts:
            return node
    return None


@lru_cache(100)
def _functions_in(source, flags):
    """Pair the code of each function in a source with its syntax tree."""
    try:
        tree = ast.parse(source)
        compiled = compile(tree, "<source>", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return []
    nodes = list(ast.walk(tree))
    lambdas = [node for node in nodes if isinstance(node, ast.Lambda)]
    named = {
        (min(n.lineno for n in (node, *node.decorator_list)), node.name): node
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    pairs = []
    for code in _with_nested(compiled):
        node = named.get((code.co_firstlineno, code.co_name))
        if code.co_name == "<lambda>":
            node = _lambda_of(code, lambdas)
        if node is not None:
            pairs.append((code, node))
    return pairs


def _lambda_of(code, lambdas):
    """Return the innermost lambda on the line that contains all instructions."""
    here = [node for node in lambdas if node.lineno == code.co_firstlineno]
    spots = [spot for spot in code.co_positions() if spot[3]]  # others have no position
    if not spots:
        return here[0] if len(here) == 1 else None
    first = min((line, column) for line, _, column, _ in spots)
    last = max((line, column) for _, line, _, column in spots)
    here = [
        node
        for node in here
        if _start(node.body) <= first
        and last <= (node.body.end_lineno, node.body.end_col_offset)
    ]
    return max(here, key=lambda node: _start(node.body), default=None)


def _start(node):
    return node.lineno, node.col_offset


def _with_nested(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)


def _plain(node):
    """Return a syntax tree as tuples, without ignored fields, docstrings and pass."""
    if isinstance(node, list):
        return [_plain(item) for item in node if not _says_nothing(item)]
    if not isinstance(node, ast.AST):
        return type(node).__name__, repr(node)
    if isinstance(node, ast.AnnAssign) and node.value:
        node = ast.Assign([node.target], node.value)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty text at the end
        fields["values"] = [
            part for part in node.values if getattr(part, "value", part) != ""
        ]
    return type(node).__name__, [
        (name, _plain(value))
        for name, value in fields.items()
        if name not in _IGNORED and value not in (None, [])
    ]


def _says_nothing(node):
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return docstring or isinstance(node, ast.Pass)


def _parts(code):
    """Return the content of a code object, without its position in a file."""
    constants = [_constant(constant) for constant in code.co_consts]
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return code.co_code, code.co_exceptiontable, code.co_flags, counts, names, constants


def _constant(value):
    if isinstance(value, CodeType):
        return _parts(value)
    if isinstance(value, tuple):
        return [_constant(item) for item in value]
    if isinstance(value, frozenset):  # its order differs between sessions
        return "frozenset", sorted(repr(_constant(item)) for item in value)
    return type(value).__name__, repr(value)


def _add(used, name, value, words):
    """Add a value; of a module of the user's own, add the members that are named."""
    if not (isinstance(value, ModuleType) and is_own(value)):
        used[name] = value
    elif value.__name__ not in used:
        used[value.__name__] = value
        for word in sorted(words & vars(value).keys()):
            _add(used, f"{value.__name__}.{word}", vars(value)[word], words)


def _imports(steps, module_globals):
    """Yield the modules that code imports, and the names imported from them."""
    for level, members, step in zip(steps, steps[1:], steps[2:], strict=False):
        if step.opname != "IMPORT_NAME":
            continue
        name = step.argval
        if level.argval:
            with suppress(ImportError):
                package = module_globals.get("__package__") or ""
                name = importlib.util.resolve_name("." * level.argval + name, package)
        yield name, members.argval or ()


def _add_import(used, name, members, words):
    if not _is_own_import(name):
        return  # its name is part of the code that imports it
    with suppress(Exception):  # errors of the user's own code appear in training
        module = importlib.import_module(name)
        for member in members:
            value = getattr(module, member, _ABSENT)
            if value is _ABSENT:
                value = importlib.import_module(f"{name}.{member}")
            _add(used, f"{name}.{member}", value, words)
        if not members:
            root = module if "." not in name else sys.modules[name.partition(".")[0]]
            _add(used, root.__name__, root, words)


def _is_own_import(name):
    """Return whether a module, imported or not, is the user's own."""
    root = name.partition(".")[0]
    if root in sys.modules:
        return _is_own_module(root)
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        return False
    places = [spec.origin] if spec and spec.origin else []
    places += (spec.submodule_search_locations or []) if spec else []
    return bool(places) and places[0] != "built-in" and _is_own_file(places[0])
