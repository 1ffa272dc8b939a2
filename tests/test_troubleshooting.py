"""Messages that the page on troubleshooting quotes are those of the package."""

import ast
import re
from pathlib import Path

import pytest

import skdatamodels

PACKAGE = Path(skdatamodels.__file__).parent
PAGE = PACKAGE.parent / "doc" / "troubleshooting.rst"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="doc/ is not installed")


def quoted(page):
    """Return the messages in the code blocks of a page, each on one line."""
    blocks = re.findall(r"\.\. code-block:: text\n\n((?: {3,}.+\n)+)", page)
    return [" ".join(block.split()) for block in blocks]


def texts(source):
    """Return the strings of a module; an expression in an f-string is "…"."""
    nodes = list(ast.walk(ast.parse(source)))
    inner = {id(part) for node in nodes for part in _parts(node)}
    return [
        " ".join(_text(node).split())
        for node in nodes
        if id(node) not in inner and _text(node)
    ]


def _parts(node):
    return node.values if isinstance(node, ast.JoinedStr) else []


def _text(node):
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return node.value if isinstance(getattr(node, "value", None), str) else ""


def holds(text, message):
    """Tell whether a text has the parts of a message, between its "…", in order."""
    end = 0
    for part in map(str.strip, message.split("…")):
        start = text.find(part, end)
        if start < 0:
            return False
        end = start + len(part)
    return True


SOURCES = [
    text for path in PACKAGE.rglob("*.py") for text in texts(path.read_text("utf-8"))
]
MESSAGES = quoted(PAGE.read_text("utf-8")) if PAGE.exists() else []


def test_all_messages_of_the_page_are_read():
    assert len(MESSAGES) == PAGE.read_text("utf-8").count("code-block:: text") > 30


@pytest.mark.parametrize("message", MESSAGES)
def test_a_quoted_message_is_one_of_the_package(message):
    assert any(holds(text, message) for text in SOURCES)


def test_a_message_that_is_not_in_the_source_is_not_found():
    (text,) = texts('f"{n} of {m} runs " "failed, alas."')
    assert text == "… of … runs failed, alas."
    assert holds(text, "… of … runs failed")
    assert not holds(text, "… of … runs succeeded")
    assert not holds(text, "failed … of")
