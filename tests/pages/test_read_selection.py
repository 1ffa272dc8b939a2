import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels import Examples
from skdatamodels.pages import read_selection

TRAIN = Examples(np.eye(6), np.arange(6) % 2, ids=[*"abcde", "a\nb"])


def _csv(folder, *rows, fingerprint=TRAIN.fingerprint, name="rows.csv"):
    lines = [f"{fingerprint},{row}" for row in rows]
    path = folder / name
    path.write_text("\n".join(["fingerprint,row,id", *lines, ""]), "utf-8")
    return path


def _json(folder, rows, fingerprint=TRAIN.fingerprint):
    path = folder / "rows.json"
    path.write_text(json.dumps({"fingerprint": fingerprint, "rows": rows}), "utf-8")
    return path


def test_files_of_several_people_are_united(tmp_path):
    one = _csv(tmp_path, '4,"e"', '0,"a"')
    two = _json(tmp_path, [{"row": 5, "id": "a\nb"}, {"row": 4, "id": "e"}])
    assert_array_equal(read_selection([one, two], TRAIN), [0, 4, 5])
    assert_array_equal(read_selection(one, TRAIN), [0, 4])
    assert read_selection([], TRAIN).dtype == np.int64


def test_an_id_of_two_lines(tmp_path):
    assert_array_equal(read_selection(_csv(tmp_path, '5,"a\nb"'), TRAIN), [5])


def test_other_data_is_refused(tmp_path):
    for path in (
        _csv(tmp_path, '9,"a"', fingerprint="feed"),
        _json(tmp_path, [{"row": 0, "id": "a"}], fingerprint="feed"),
        _json(tmp_path, [], fingerprint="feed"),
    ):
        with pytest.raises(ValueError, match="rows of other data: its fingerprint is"):
            read_selection(path, TRAIN)
    with pytest.raises(TypeError, match="train must be Examples"):
        read_selection([], TRAIN.X)


@pytest.mark.parametrize("row", ["6", "-1", "x", "1.0", "", "٤", " 1", "1_0"])
def test_bad_rows_of_csv(tmp_path, row):
    with pytest.raises(ValueError, match=r"rows.csv is not a file of ticked rows"):
        read_selection(_csv(tmp_path, f"{row},a"), TRAIN)


@pytest.mark.parametrize("row", [6, -1, True, 1.0, "1", None, [1]])
def test_bad_rows_of_json(tmp_path, row):
    with pytest.raises(ValueError, match=r"row 1 is .*, not an integer from 0 to 5"):
        read_selection(_json(tmp_path, [{"row": row}]), TRAIN)


def test_nothing_is_ticked(tmp_path):
    for path in (_csv(tmp_path), _json(tmp_path, [])):
        assert read_selection(path, TRAIN).tolist() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name,age\n",
        "fingerprint;row;id\n",
        "fingerprint,row,id,row\n",
        "<!DOCTYPE html>\n<html></html>",
        f"fingerprint,row,id\n{TRAIN.fingerprint}\n",
        f"fingerprint,row,id\n{TRAIN.fingerprint},1,{'a' * 200_000}\n",
    ],
)
def test_other_text_files(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="not a file of ticked rows"):
        read_selection(path, TRAIN)


@pytest.mark.parametrize("rows", [{}, "", None, "ab"])
def test_json_without_a_list_of_rows(tmp_path, rows):
    with pytest.raises(ValueError, match="not a file of ticked rows"):
        read_selection(_json(tmp_path, rows), TRAIN)


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"rows": 3}', "\udcff", "[" * 9**6])
def test_bad_files(tmp_path, text):
    path = tmp_path / "rows.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match="not a file of ticked rows"):
        read_selection(path, TRAIN)
