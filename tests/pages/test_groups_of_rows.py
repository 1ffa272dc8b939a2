import base64

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.pages._groups import Groups


def test_labels_are_columns_in_their_order():
    labels = np.array(["b", "a", "b", "c"])
    groups = Groups.of(labels, 4, 3)
    assert groups.are_columns
    assert groups.n_columns == 3
    assert groups.names == ["a", "b", "c"]
    assert [rows.tolist() for rows in groups.rows] == [[1], [0, 2], [3]]
    assert_array_equal(groups.rows_of([1, 2]), [0, 2, 3])


def test_labels_of_rows_are_no_columns():
    groups = Groups.of([7, 7, 3], 3, 3)
    assert not groups.are_columns
    assert groups.n_columns == 3
    assert_array_equal(groups.rows_of(np.array([1])), [1])
    assert Groups.of(None, 3, 3) is None


def test_dict_keeps_its_order_and_may_leave_rows_out():
    groups = Groups.of({"z": [3], "a": np.array([0, 1])}, 4, 2)
    assert groups.names == ["z", "a"]
    codes = groups.embed()["codes"]
    found = np.frombuffer(base64.b64decode(codes["base64"]), codes["type"])
    assert_array_equal(found, [1, 1, 2, 0])


def test_rows_that_are_groups_in_another_order():
    assert not Groups.of(["a", "b", "c"], 3, 3).are_columns
    assert not Groups.of({"z": [0], "a": [1], "b": [2]}, 3, 3).are_columns
    for groups in (["c", "a", "b"], {"z": [2], "a": [1], "b": [0]}):
        with pytest.raises(ValueError, match="Each row is a group of its own, but not"):
            Groups.of(groups, 3, 3)


def test_groups_without_rows():
    with pytest.raises(ValueError, match=r"groups\['z'\] has no rows. Leave it out"):
        Groups.of({"a": [0], "z": []}, 4, 4)


@pytest.mark.parametrize("rows", [[0.0], [4], [-1], [[0]], ["a"]])
def test_rows_of_a_dict_are_checked(rows):
    with pytest.raises(ValueError, match=r"groups\['a'\] must be rows"):
        Groups.of({"a": rows}, 4, 1)
