import base64
import hashlib
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from skdatamodels.pages._page import as_json, embed, embed_counts, make_page

DATA = {"a": "</script><script>x", "b": ["{{script}}", "\u2028", "é"]}


def _decoded(array):
    return np.frombuffer(base64.b64decode(array["base64"]), dtype="<" + _code(array))


def _code(array):
    return np.dtype(array["type"]).str[1:]


@given(st.lists(st.text() | st.integers() | st.none()))
def test_json_is_read_back_and_ends_no_element(value):
    text = as_json(value)
    assert json.loads(text) == value
    assert "<" not in text


def test_half_a_character_can_be_written():
    text = as_json("\udc80")
    assert json.loads(text.encode("utf-8")) == "\udc80"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int32])
def test_arrays_are_little_endian(dtype):
    values = np.array([0, 1, 200]).astype(dtype)
    for given_ in (values, values.astype(values.dtype.newbyteorder(">"))):
        assert_array_equal(_decoded(embed(given_)), values)


def test_other_arrays_are_refused():
    with pytest.raises(TypeError, match="cannot read an array of int64"):
        embed(np.arange(3))


@given(arrays(np.int64, st.integers(0, 5), elements=st.integers(0, 2**32 - 1)))
def test_counts_take_the_smallest_type(values):
    array = embed_counts(values)
    assert_array_equal(_decoded(array), values)
    smaller = {"uint8": -1, "uint16": 2**8 - 1, "uint32": 2**16 - 1}
    assert values.max(initial=0) > smaller[array["type"]]


def test_page_holds_title_and_data_as_they_are():
    page = make_page("<b> & {{data}}", DATA)
    assert "<title>&lt;b&gt; &amp; {{data}}</title>" in page
    assert page.count("<script") == 2
    (text,) = re.findall(r'id="data">(.*?)</script>', page, re.S)
    assert json.loads(text) == DATA


def test_policy_allows_what_is_on_the_page_alone():
    page = make_page("title", DATA)
    (policy,) = re.findall(r'Security-Policy" content="(.*?)"', page)
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    style = page.partition("<style>")[2].partition("</style>")[0]
    for kind, text in (("script", script), ("style", style)):
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_scripts_never_make_html_of_text():
    script = make_page("title", {}).rpartition("<script>")[2]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert way not in script
    assert "eval(" not in script
