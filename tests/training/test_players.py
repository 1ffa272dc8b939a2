"""Players: rows or groups of rows, against loops over labels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, issparse

from skdatamodels import Examples
from skdatamodels.training._players import Players

LABELS = np.array(["lab", "web", "lab", "app", "web", "lab"])
TRAIN = Examples(np.zeros((6, 2)), [0, 1, 0, 1, 1, 0], ids=list("uvwxyz"))
MASKS = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=bool)


def frame_of(library):
    return library.DataFrame({"source": LABELS, "number": np.arange(6)})


def with_labels(kind):
    """Return a training set and what to pass as groups."""
    if kind in ("metadata pandas", "metadata polars"):
        frame = frame_of(pytest.importorskip(kind.split()[1]))
        return Examples(np.zeros((6, 2)), TRAIN.y, metadata=frame), "source"
    if kind in ("X pandas", "X polars"):
        frame = frame_of(pytest.importorskip(kind.split()[1]))
        return Examples(frame, TRAIN.y), "source"
    if kind == "metadata over X":
        frame = frame_of(pd).assign(source="other")
        return Examples(frame, TRAIN.y, metadata={"source": LABELS}), "source"
    kinds = {"array": LABELS, "list": LABELS.tolist(), "series": pd.Series(LABELS)}
    kinds["category"] = pd.Series(LABELS, dtype="category")
    return TRAIN, kinds[kind]


@pytest.mark.parametrize(
    "kind",
    [
        *("array", "list", "series", "category", "metadata pandas", "metadata polars"),
        *("X pandas", "X polars", "metadata over X"),
    ],
)
def test_labels_are_found_wherever_they_are(kind):
    players = Players(*with_labels(kind))
    assert players.names.tolist() == ["app", "lab", "web"]
    assert_array_equal(players.of_row, [1, 2, 1, 0, 2, 1])
    assert players.are_groups
    assert len(players) == 3


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=30), st.integers(0, 2**32 - 1))
def test_groups_are_as_a_loop_over_labels_says(labels, seed):
    if len(set(labels)) < 2:
        return
    rng, labels = np.random.default_rng(seed), np.array(labels)
    n = len(labels)
    players = Players(Examples(np.zeros((n, 1)), np.zeros(n)), labels)
    assert players.names.tolist() == sorted(set(labels.tolist()))
    masks = rng.random((4, len(players))) < 0.5
    weights, some = rng.standard_normal((3, n)), rng.random(n) < 0.3
    sums, rows = players.total_weights(weights), players.expand(masks)
    sparse = players.total_weights(csr_array(weights))
    assert issparse(sparse)
    assert_allclose(sparse.toarray(), sums)
    for column, name in enumerate(players.names):
        members = labels == name
        assert players.sizes[column] == members.sum()
        assert_allclose(sums[:, column], weights[:, members].sum(axis=1))
        assert players.have(some)[column] == some[members].any()
        assert (rows[:, members] == masks[:, [column]]).all()
        assert_array_equal(players.at_rows(np.flatnonzero(members)), column)


def test_rows_are_left_as_they_are():
    players = Players(TRAIN)
    weights = np.eye(6)
    assert players.total_weights(weights) is weights
    assert players.expand(MASKS) is MASKS
    assert_array_equal(players.sizes, np.ones(6))
    assert_array_equal(players.at_rows([3, -1]), [3, -1])
    assert players.names_at([0, -1]).tolist() == ["u", None]
    assert_array_equal(players.single_values(TRAIN.y, "why"), TRAIN.y)
    assert not players.are_groups


def test_the_value_of_a_group_is_that_of_all_its_rows():
    players = Players(TRAIN, LABELS)
    assert_array_equal(players.single_values(TRAIN.y, "why"), [1, 0, 1])
    mixed = np.array([0, 1, 0, 1, 1, 7])
    with pytest.raises(ValueError, match="why, but group 'lab' has rows of 0 and of 7"):
        players.single_values(mixed, "why")


def test_days_are_labels():
    days = np.array(["2024-01-01", "2024-01-02"] * 3, dtype="datetime64[ns]")
    names = Players(TRAIN, days).names_at([1, -1, 0])
    assert str(names[0]).startswith("2024-01-02")
    assert names[1] is None


TEXT = ["a", "b", "a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("groups", "error", "match"),
    [
        (LABELS[:5], ValueError, r"one label for each training example, shape \(6,\)"),
        (LABELS[:, None], ValueError, r"got shape \(6, 1\)"),
        (["a"] * 6, ValueError, "same label, 'a', for all training examples"),
        ([*TEXT[:5], None], ValueError, "no label for 1 training examples, in rows 5"),
        ([np.nan, *TEXT[:5]], ValueError, "in rows 0"),
        (np.array([1, np.nan, 2, 2, 1, np.nan]), ValueError, "in rows 1, 5"),
        (pd.Series([1, None, 2, 2, 1, 1], dtype="Int64"), ValueError, "in rows 1"),
        (np.array(["NaT", "2024"] * 3, "M8[D]"), ValueError, "in rows 0, 2, 4"),
        ([*TEXT[:5], 3], TypeError, "mixes labels of types int, str"),
        ("day", ValueError, "'day' is not a column of train.metadata.* no columns"),
        (np.ma.masked_array(np.arange(6), np.eye(6)[0]), ValueError, "Masked"),
    ],
)
def test_bad_groups_are_refused(groups, error, match):
    with pytest.raises(error, match=match):
        Players(TRAIN, groups)


def test_labels_in_another_order_than_the_rows_are_refused():
    index = list("uvwxyz")
    train = Examples(frame_of(pd).set_index(pd.Index(index)), TRAIN.y)
    labels = pd.Series(LABELS, index=index)
    assert len(Players(train, labels)) == 3
    with pytest.raises(ValueError, match="The indexes of X and groups differ"):
        Players(train, labels[::-1])


def test_an_unknown_column_names_those_that_exist():
    with pytest.raises(ValueError, match="which have 'source', 'number'"):
        Players(with_labels("metadata pandas")[0], "sauce")


@pytest.mark.parametrize("rows", [[6], [-2], [0.5]])
def test_rows_that_do_not_exist_are_refused(rows):
    with pytest.raises(ValueError, match="from 0 to 5, or -1"):
        Players(TRAIN, LABELS).at_rows(rows)


def test_weights_of_other_examples_are_refused():
    with pytest.raises(ValueError, match=r"\(n_targets, 6\); got shape \(2, 3\)"):
        Players(TRAIN, LABELS).total_weights(np.zeros((2, 3)))
