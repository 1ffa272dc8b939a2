import json
import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from skdatamodels import Examples
from skdatamodels.applications import read_annotations, write_annotation_page
from skdatamodels.pages._candidates import data_fingerprint


def _examples(n, seed=0, ids=None):
    X = np.random.default_rng(seed).random((n, 12))
    return Examples(X, np.arange(n) % 2, ids=ids)


TRAIN, TARGETS = _examples(6), _examples(2, 1)
CANDIDATES = np.array([[4, 0, -1], [5, 2, 3]])


def _answers(*rows, fingerprint=None, annotator="Ann"):
    fingerprint = fingerprint or data_fingerprint(TRAIN, TARGETS)
    lines = [f"{fingerprint},{annotator},{','.join(map(str, row))}" for row in rows]
    return "\n".join(["fingerprint,annotator,target,train,same", *lines, ""])


def _read(folder, *texts, ending="csv"):
    paths = [folder / f"{k}.{ending}" for k in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return read_annotations(paths, CANDIDATES, TRAIN, TARGETS)


# Reading answers


def test_people_are_averaged(tmp_path):
    share = _read(
        tmp_path,
        _answers((0, 4, 1), (1, 5, 1), (1, 2, 0)),
        _answers((0, 4, 0), (1, 5, 1), annotator="Bob"),
        _answers((0, 4, 0), (0, 1, 1), annotator='"Eve, ""E"""'),
    )
    assert_array_equal(share, [[1 / 3, np.nan, np.nan], [1, 0, np.nan]])


def test_same_answer_twice_counts_once(tmp_path):
    share = _read(
        tmp_path,
        _answers((0, 4, 1)),
        _answers((0, 4, 1)),
        _answers((0, 4, 0), annotator="Bob"),
    )
    assert share[0, 0] == 0.5


def test_json_says_the_same(tmp_path):
    content = {
        "fingerprint": data_fingerprint(TRAIN, TARGETS),
        "annotator": "Ann",
        "answers": [{"target": 1, "train": 3, "same": 1}],
    }
    share = _read(tmp_path, json.dumps(content), ending="json")
    assert share[1, 2] == 1
    assert np.isnan(share).sum() == 5
    one = read_annotations(tmp_path / "0.json", CANDIDATES, TRAIN, TARGETS)
    assert_array_equal(one, share)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([_answers((0, 4, 1), fingerprint="feed")], "other data: its fingerprint is"),
        ([_answers((0, 4, 1)), _answers((0, 4, 0))], "'Ann' answered both same"),
        ([_answers((0, 4, 2))], "same of answer 1 is '2', not an integer"),
        ([_answers((0, 4, 1), (0, 0, -1))], "same of answer 2 is '-1'"),
        ([_answers((0, 4, "true"))], "same of answer 1 is 'true'"),
        ([_answers((2, 4, 1))], "target of answer 1 is '2', not an integer"),
        ([_answers((0, 6, 1))], "train of answer 1 is '6', not an integer from 0 to 5"),
        ([_answers((0, -1, 1))], "train of answer 1 is '-1'"),
        ([_answers((-1, 4, 1))], "target of answer 1 is '-1'"),
        ([_answers((0.0, 4, 1))], "target of answer 1 is '0.0'"),
        ([_answers((0, "1_0", 1))], "train of answer 1 is '1_0'"),
        ([_answers((0, " 4", 1))], "train of answer 1 is ' 4'"),
        ([_answers((0, "٤", 1))], "train of answer 1 is '٤'"),
        ([_answers((0, "9" * 5000, 1))], "train of answer 1 is '999"),
        ([_answers((0, 4, 1, 1))], "answer 1 is"),
        ([_answers((0, "x", 1))], "not a file of answers"),
        (["target,train\n0,4\n"], "not a file of answers"),
        ([_answers((0, 4, 1)).replace(",1\n", "\n")], "not a file of answers"),
    ],
)
def test_bad_files(tmp_path, texts, message):
    with pytest.raises(ValueError, match=message):
        _read(tmp_path, *texts)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{}", '{"answers": 3}'])
def test_bad_json(tmp_path, text):
    with pytest.raises(ValueError, match="not a file of answers"):
        _read(tmp_path, text, ending="json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 0.7}, "target of answer 1 is 0.7, not an integer from 0 to 1"),
        ({"target": 1.0}, "target of answer 1 is 1.0"),
        ({"target": True}, "target of answer 1 is True"),
        ({"target": "1"}, "target of answer 1 is '1'"),
        ({"target": None}, "target of answer 1 is None"),
        ({"train": True}, "train of answer 1 is True"),
        ({"train": -1}, "train of answer 1 is -1"),
        ({"train": 6}, "train of answer 1 is 6"),
        ({"train": [4]}, r"train of answer 1 is \[4\]"),
        ({"same": 1.0}, "same of answer 1 is 1.0"),
        ({"same": True}, "same of answer 1 is True"),
        ({"same": -1}, "same of answer 1 is -1"),
        ({"annotator": None}, "answer 1 is .*None"),
        ({"fingerprint": 7}, "answer 1 is .*7"),
        ({"more": 1}, "answer 1 is .*more"),
    ],
)
def test_json_of_other_types_is_not_bent_into_answers(tmp_path, change, message):
    answer = {"target": 1, "train": 3, "same": 1} | change
    content = {
        "fingerprint": data_fingerprint(TRAIN, TARGETS),
        "annotator": "Ann",
        "answers": [answer],
    }
    with pytest.raises(ValueError, match=f"0.json is not a file of answers.*{message}"):
        _read(tmp_path, json.dumps(content), ending="json")


def test_a_name_of_two_lines_is_one_person(tmp_path):
    share = _read(tmp_path, _answers((0, 4, 1), annotator='"Ann\nB"'))
    assert share[0, 0] == 1


def test_fingerprint_is_of_both_sets():
    prints = {
        data_fingerprint(TRAIN, TARGETS),
        data_fingerprint(TARGETS, TRAIN),
        data_fingerprint(TRAIN, _examples(2, 3)),
        data_fingerprint(_examples(6, 3), TARGETS),
    }
    assert len(prints) == 4


# Writing pages


def _page(folder, candidates=CANDIDATES, train=TRAIN, targets=TARGETS, **options):
    path = folder / "page.html"
    write_annotation_page(path, candidates, train, targets, **options)
    return path.read_text(encoding="utf-8")


def _data(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


def test_page_holds_targets_and_candidates_in_order(tmp_path):
    data = _data(_page(tmp_path, image_shape=(3, 4), rows=[1, 0]))
    assert data["tasks"] == [
        {"target": 1, "candidates": [5, 2, 3]},
        {"target": 0, "candidates": [4, 0]},
    ]
    assert data["examples"]["train"]["rows"] == [0, 2, 3, 4, 5]
    assert data["examples"]["targets"]["rows"] == [1, 0]
    assert len(data["examples"]["train"]["images"]) == 5


def test_page_needs_nothing_beside_itself(tmp_path):
    page = _page(tmp_path, image_shape=(3, 4))
    page = re.sub(r'id="data">.*?</script>', "", page)
    assert not re.search(r"https?:(?!//www.w3.org/2000/svg)", page)
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)


def test_rows_of_tables_and_text(tmp_path):
    frame = pd.DataFrame({"age": [1, 2], "<b>": ["x", "y"]})
    table = Examples(frame, [0, 1])
    (age, b) = _data(_page(tmp_path, [[0], [1]], table, table))["examples"]["train"][
        "columns"
    ]
    assert (age["name"], b["name"], b["names"]) == ("age", "<b>", ["x", "y"])
    sparse = Examples(csr_array([[0.0, 3.5]]), [0])
    shown = _data(_page(tmp_path, [[0]], sparse, sparse))["examples"]["train"]
    assert shown["kind"] == "table"
    text = Examples(["</script><script>alert(1)</script>"], [0])
    page = _page(tmp_path, [[0]], text, text, title="<same>?")
    assert page.count("<script") == 2
    assert "<" not in re.search(r'id="data">(.*?)</script>', page)[1]
    assert _data(page)["examples"]["train"]["texts"] == text.X.tolist()
    assert "<h1>&lt;same&gt;?</h1>" in page


@pytest.mark.parametrize(
    ("candidates", "options", "message"),
    [
        ([[0]], {}, "each of the 2 targets"),
        ([[0], [6]], {}, "rows of the 6 training"),
        ([[0.0], [1.0]], {}, "rows of the 6 training"),
        ([[-1], [-1]], {}, "nothing to annotate"),
        (CANDIDATES, {"rows": [0.7]}, "rows must be targets, integers from 0 to 1"),
        (CANDIDATES, {"rows": [True, False]}, "rows must be targets"),
        (CANDIDATES, {"rows": [-1]}, "rows must be targets"),
        (CANDIDATES, {"rows": [2]}, "rows must be targets"),
        (CANDIDATES, {"rows": 1}, "rows must be targets"),
        (CANDIDATES, {"rows": [1, 0, 1]}, "a target twice"),
        (CANDIDATES, {"rows": []}, "nothing to annotate"),
        (CANDIDATES, {"image_shape": (3, 5)}, r"not an image of shape \(3, 5\)"),
    ],
)
def test_bad_pages(tmp_path, candidates, options, message):
    with pytest.raises(ValueError, match=message):
        _page(tmp_path, candidates, **options)
    assert not list(tmp_path.iterdir())


def test_pages_are_of_examples(tmp_path):
    with pytest.raises(TypeError, match=r"targets must be Examples, got ndarray"):
        _page(tmp_path, targets=TARGETS.X)
    with pytest.raises(TypeError, match=r"train must be Examples, got list"):
        read_annotations([], CANDIDATES, [TRAIN.X, TRAIN.y], TARGETS)


def test_a_page_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    old = _page(tmp_path, image_shape=(3, 4))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _page(tmp_path, image_shape=(3, 4), title="Another title?")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == old


# In a browser


def _press(browser, pair, which):
    browser.find_element("css selector", f'.{which}[data-pair="{pair}"]').click()


def _answer_and_save(browser, folder):
    """Press some buttons on the open page and return the files that it saves."""
    _press(browser, "0,4", "same")
    _press(browser, "1,2", "other")
    # a second thought, and one taken back
    for which in ("same", "other"):
        _press(browser, "1,3", which)
    for _ in range(2):
        _press(browser, "1,5", "same")
    assert not browser.find_element("id", "answers-csv").is_enabled()  # no name yet
    browser.find_element("id", "annotator").send_keys('Ann "A", B')
    return [browser.saved(f"answers-{ending}") for ending in ("csv", "json")]


def test_open_click_export_read_back(tmp_path, browser):
    _page(tmp_path, image_shape=(3, 4))
    browser.open(tmp_path / "page.html")
    files = _answer_and_save(browser, tmp_path)
    assert browser.find_element("id", "progress").text == "3 of 5 answered"
    expected = [[1, np.nan, np.nan], [np.nan, 0, 0]]
    for path in files:
        assert_array_equal(read_annotations(path, CANDIDATES, TRAIN, TARGETS), expected)
    assert json.loads(files[1].read_text("utf-8"))["annotator"] == 'Ann "A", B'
    # opened again by the same browser, the answers are still there
    browser.open(tmp_path / "page.html")
    assert browser.find_element("id", "progress").text == "3 of 5 answered"
    browser.check_silent()


def test_browser_that_keeps_nothing(tmp_path, browser):
    _page(tmp_path, image_shape=(3, 4), rows=[0])
    refuse = """Object.defineProperty(window, "localStorage", {
      get() { throw new Error("refused"); } });"""
    with browser.before_each_page(refuse):
        browser.open(tmp_path / "page.html")
    _press(browser, "0,0", "same")
    browser.find_element("id", "annotator").send_keys("Bob")
    assert "does not keep answers" in browser.find_element("css selector", "main").text
    share = read_annotations(browser.saved("answers-csv"), CANDIDATES, TRAIN, TARGETS)
    assert share[0, 1] == 1


def test_swapped_training_set_is_noticed(tmp_path):
    same = TRAIN[np.arange(len(TARGETS))]
    path = tmp_path / "answers.json"
    content = {
        "fingerprint": data_fingerprint(same, TARGETS),
        "annotator": "Ann",
        "answers": [{"target": 0, "train": 0, "same": 1}],
    }
    path.write_text(json.dumps(content), "utf-8")
    candidates = np.zeros((len(TARGETS), 1), dtype=int)
    with pytest.raises(ValueError, match=r"other data.*They look swapped"):
        read_annotations(path, candidates, TARGETS, same)
    with pytest.raises(ValueError, match=r"a row for each.*They look swapped"):
        read_annotations(path, candidates, TARGETS, TRAIN)
