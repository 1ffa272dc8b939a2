import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from skdatamodels import Examples
from skdatamodels.pages._example_data import Detail, ShownExamples

RNG = np.random.default_rng(0)
FRAME = {"a": [1, 2, 4], "b": ["x", "y", "x"], "c": [0.5, 0.25, 0.125]}


def _shown(X, **options):
    examples = Examples(X, [0, 1, 0], **options)
    return ShownExamples(examples, examples)


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (pd.DataFrame(FRAME), "table"),
        (np.ones((3, 2)), "table"),
        (csr_array(np.ones((3, 2))), "table"),
        (np.array([[1, "a"]] * 3, dtype=object), "table"),
        (["one", "two", "three"], "text"),
        ([["one"], ["two"], ["three"]], "text"),
        (np.ones((3, 4, 4)), "image"),
        (np.ones((3, 4, 4, 3)), "image"),
    ],
)
def test_kinds(X, kind):
    data = _shown(X).embed("train", [2, 0])
    assert data["kind"] == kind
    assert data["rows"] == [2, 0]
    assert data["n"] == 3
    content = {"table": "columns", "text": "texts", "image": "images"}[kind]
    assert len(data[content]) == (X.shape[1] if kind == "table" else 2)


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_columns_of_frames_are_in_the_order_of_the_training_set(package):
    frame = pytest.importorskip(package).DataFrame
    train = Examples(frame(FRAME), [0, 1, 0])
    targets = Examples(frame({name: FRAME[name] for name in "cba"}), [0, 1, 0])
    shown = ShownExamples(train, targets)
    columns = shown.embed("targets")["columns"]
    assert [column["name"] for column in columns] == ["a", "b", "c"]
    assert columns[0]["scale"] == pytest.approx(np.std([1, 2, 4]))
    assert columns[1]["scale"] is None


def test_of_many_columns_those_that_vary_most_are_shown():
    X = np.array([[0.0, 0.0, 0.0], [1.0, 9.0, 5.0], [0.0, 0.0, 0.0]])
    detail = Detail(1, 9, 2)
    for given in (X, csr_array(X)):
        shown = _shown(given)
        columns = shown.embed("train", None, detail)["columns"]
        assert [column["name"] for column in columns] == ["x1", "x2"]
        assert shown.notes(detail) == [
            "2 of 3 columns are shown, those that vary most."
        ]
        assert shown.notes(Detail(1, 9, 3)) == []


def test_names_of_columns_and_of_labels():
    examples = Examples(np.ones((3, 2)), [0, 1, 0])
    shown = ShownExamples(examples, examples, None, ["a", "b"], "class")
    data = shown.embed("targets")
    assert [column["name"] for column in data["columns"]] == ["a", "b"]
    assert data["labels"]["name"] == "class"
    with pytest.raises(ValueError, match="feature_names must have a name for each"):
        ShownExamples(examples, examples, None, ["a"])


def test_long_texts_are_cut_and_counted():
    shown = ShownExamples(
        Examples(["a" * 20, "b"], [0, 1]), Examples(["c" * 11, "d"], [0, 1])
    )
    detail = Detail(1, 10, 9)
    assert shown.embed("train", None, detail)["texts"] == ["a" * 9 + "…", "b"]
    assert shown.notes(detail) == ["2 texts are cut at 10 characters."]


def test_metadata_and_ids():
    metadata = {"place": np.array([[1, 2], [3, 4], [5, 6]]), "when": [7, 8, 9]}
    data = _shown(np.ones((3, 1)), ids=["a", "b", "c"], metadata=metadata).embed(
        "train"
    )
    assert data["ids"] == ["a", "b", "c"]
    assert [c["name"] for c in data["more"]] == ["place 0", "place 1", "when"]
    frame = pd.DataFrame({"when": [7, 8, 9]})
    data = _shown(np.ones((3, 1)), metadata=frame).embed("train")
    assert data["ids"] is None
    assert [c["name"] for c in data["more"]] == ["when"]


def test_parts_must_be_of_one_kind():
    text = Examples(["a", "b"], [0, 1])
    table = Examples(np.ones((2, 3)), [0, 1])
    with pytest.raises(ValueError, match="looks like text but the targets do not"):
        ShownExamples(text, table)
    with pytest.raises(ValueError, match=r"same columns; got examples of shape \(3,\)"):
        ShownExamples(table, Examples(np.ones((2, 4)), [0, 1]))


def test_missing_pixels_are_black_and_leave_the_others_as_they_are():
    X = RNG.random((3, 4, 4))
    holes = X.copy()
    holes[0, 0, 0] = np.nan
    black = X.copy()
    black[0, 0, 0] = X.min()
    found, expected = (_shown(x, allow_nan=True).embed("train") for x in (holes, black))
    assert found["images"] == expected["images"]
    assert len(set(found["images"])) == 3
    nothing = _shown(np.full((3, 4, 4), np.nan), allow_nan=True).embed("train")
    assert len(set(nothing["images"])) == 1
