import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_array

from skdatamodels import Examples

FRAME = pd.DataFrame(
    {
        "size": [1.5, 2.0, 3.0],
        "colour": pd.Categorical(["red", "blue", "red"]),
        "name": ["a", "b", "c"],
        "when": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]),
        "count": pd.array([1, 2, 3], dtype="Int64"),
    }
)
INPUTS = {
    "matrix": np.arange(6.0).reshape(3, 2),
    "images": np.arange(12, dtype=np.float32).reshape(3, 2, 2),
    "list": [[1, 2], [3, 4], [5, 6]],
    "texts": ["one", "two", "three"],
    "objects": np.array([["a", 1], ["b", 2.5], ["c", True]], dtype=object),
    "csr_matrix": sp.csr_matrix(np.arange(6.0).reshape(3, 2)),
    "csc_array": sp.csc_array(np.arange(6.0).reshape(3, 2)),
    "frame": FRAME,
}
every_input = pytest.mark.parametrize("X", INPUTS.values(), ids=INPUTS.keys())


def _dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


def _arrays(examples):
    X = examples.X
    parts = (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,)
    return [a for a in (*parts, examples.y, examples.ids) if isinstance(a, np.ndarray)]


@every_input
def test_holds_and_indexes_rows(X):
    y = np.array(["u", "v", "u"])
    examples = Examples(X, y, ids=["p", "q", "r"], metadata={"m": [7, 8, 9]})
    assert len(examples) == examples.shape[0] == 3
    assert "3 rows" in repr(examples)
    np.testing.assert_array_equal(_dense(examples.X), _dense(X))
    for rows in (np.array([2, 0]), slice(1, 3), np.array([True, False, True]), [-1]):
        part = examples[rows]
        np.testing.assert_array_equal(_dense(part.X), _dense(X)[rows])
        np.testing.assert_array_equal(part.y, y[rows])
        np.testing.assert_array_equal(part.ids, np.array(["p", "q", "r"])[rows])
        np.testing.assert_array_equal(part.metadata["m"], np.array([7, 8, 9])[rows])
        again = Examples(part.X, part.y, part.ids, part.metadata)
        np.testing.assert_array_equal(again.metadata["m"], part.metadata["m"])
        assert type(part.X) is type(examples.X)


def test_kinds_of_input_are_kept():
    y = [0, 1, 0]
    assert isinstance(Examples(INPUTS["csc_array"], y).X, sp.csr_array)
    assert isinstance(Examples(INPUTS["csr_matrix"], y).X, sp.csr_matrix)
    examples = Examples(FRAME, y, metadata=FRAME)
    pd.testing.assert_frame_equal(examples.X, FRAME)
    pd.testing.assert_frame_equal(examples[[2]].X, FRAME.iloc[[2]])
    pd.testing.assert_frame_equal(examples[[2]].metadata, FRAME.iloc[[2]])
    assert Examples(INPUTS["images"], y).X.dtype == np.float32
    np.testing.assert_array_equal(Examples([1.0, 2.0], y[:2]).ids, [0, 1])


def test_writeable_arrays_are_copied_once_and_read_only_ones_never(tmp_path):
    X = np.eye(3)
    examples = Examples(X, np.zeros(3))
    X[0, 0] = 9
    assert examples.X[0, 0] == 1
    X.setflags(write=False)
    assert Examples(X, np.zeros(3)).X is X
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    examples = Examples(mapped, np.zeros(3))
    assert np.shares_memory(examples.X, mapped)
    assert np.shares_memory(examples[1:].X, mapped)
    csr = sp.csr_array(X)
    assert not np.shares_memory(Examples(csr, np.zeros(3)).X.data, csr.data)
    for part in (csr.data, csr.indices, csr.indptr):
        part.setflags(write=False)
    assert np.shares_memory(Examples(csr, np.zeros(3)).X.data, csr.data)


def test_what_another_can_write_is_copied():
    row = np.arange(3.0)
    examples = Examples(np.broadcast_to(row, (4, 3)), np.zeros(4))
    csr = Examples(sp.csr_array(np.eye(3)), np.zeros(3))
    row[:] = 9
    csr.X.data = np.zeros(3)
    np.testing.assert_array_equal(examples.X, np.tile(np.arange(3.0), (4, 1)))
    np.testing.assert_array_equal(csr.X.toarray(), np.eye(3))


@every_input
def test_nothing_can_be_changed(X):
    examples = Examples(X, [0, 1, 0], metadata={"m": [1, 2, 3]})
    before = examples.fingerprint
    for held in (examples, examples[[0, 1]], examples[:2], _reload(examples)):
        assert not any(array.flags.writeable for array in _arrays(held))
        assert not held.metadata["m"].flags.writeable
    with pytest.raises(AttributeError, match="immutable"):
        examples.X = X
    with pytest.raises(AttributeError, match="immutable"):
        examples.other = 1
    with pytest.raises(AttributeError, match="immutable"):
        del examples.y
    with pytest.raises(TypeError, match="assignment"):
        examples.metadata["m"] = 0
    assert Examples(X, [0, 1, 0]).fingerprint == before


def test_frame_handed_out_or_put_in_can_be_changed_without_harm():
    frame = FRAME.copy()
    examples = Examples(frame, [0, 1, 0], metadata=frame)
    frame.loc[0, "size"] = 99.0
    for handed_out in (examples.X, examples.metadata):
        handed_out["new"] = 1
    pd.testing.assert_frame_equal(examples.X, FRAME)
    pd.testing.assert_frame_equal(examples.metadata, FRAME)


def _reload(examples):
    return pickle.loads(pickle.dumps(examples))


@every_input
def test_pickle_copy_and_clone(X):
    examples = Examples(X, ["u", "v", "u"], metadata={"m": [1, 2, 3]})
    again = _reload(examples)
    assert again == examples
    assert hash(again) == hash(examples)
    np.testing.assert_array_equal(_dense(again.X), _dense(examples.X))
    np.testing.assert_array_equal(again.metadata["m"], [1, 2, 3])
    assert copy.copy(examples) is copy.deepcopy(examples) is examples

    class Holder(BaseEstimator):
        def __init__(self, examples=None):
            self.examples = examples

    assert clone(Holder(examples)).examples is examples


def test_fingerprint_is_the_same_in_another_process():
    code = (
        "import numpy as np, pandas as pd, scipy.sparse as sp\n"
        "from datetime import date\n"
        "from skdatamodels import Examples\n"
        "frame = pd.DataFrame({'a': [1.5, 2], 'b': pd.Categorical(['x', 'y'])})\n"
        "things = np.array([{'k': 1, 'j': 2}, date(2020, 1, 1)], dtype=object)\n"
        "for X in (np.eye(2), ['a', 'b'], frame, things, sp.eye_array(2)):\n"
        "    print(Examples(X, ['u', 'v']).fingerprint)\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    prints = printed.pop().split()
    assert len(set(prints)) == 5
    assert all(len(p) == 64 and int(p, 16) >= 0 for p in prints)
    assert prints[0] == Examples(np.eye(2), ["u", "v"]).fingerprint


def test_fingerprint_tells_contents_apart():
    X, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
    recoloured = FRAME.assign(
        colour=FRAME["colour"].cat.reorder_categories(["red", "blue"])
    )
    examples = [
        Examples(X, y),
        Examples(X.astype(np.float32), y),
        Examples(np.where(X == 5, 6, X), y),
        Examples(X.reshape(3, 2, 1), y),
        Examples(X, y[[1, 0, 2]]),
        Examples(X, y.astype(float)),
        Examples(X, y.astype(str)),
        Examples(X, y, ids=[5, 6, 7]),
        Examples(X[::-1], y),
        Examples(sp.csr_array(X), y),
        Examples(pd.DataFrame(X), y),
        Examples(pd.DataFrame(X, columns=["a", "b"]), y),
        Examples(pd.DataFrame(X, columns=["b", "a"]), y),
        Examples(FRAME, y),
        Examples(recoloured, y),
        Examples(np.array(["ab", "c", ""]), y),
        Examples(np.array(["a", "bc", ""]), y),
        Examples(np.array(["1", 1, 1.0], dtype=object), y),
        Examples(np.array([1, "1", 1.0], dtype=object), y),
    ]
    assert len({e.fingerprint for e in examples}) == len(examples)
    assert len(set(examples)) == len(examples)
    assert examples[0] != "examples"


def test_fingerprint_ignores_storage_and_metadata():
    X, y = np.arange(6.0).reshape(3, 2), ["u", "v", "w"]
    reference = Examples(X, y)
    assert Examples(np.asfortranarray(X), y) == reference
    assert Examples(X, np.array(y, dtype=object)) == reference
    assert Examples(X, np.array(y, dtype="U9")) == reference
    assert Examples(X, y, metadata={"a": [1, 2, 3]}) == reference
    assert Examples(X, pd.Series(y, index=[4, 5, 6])) == reference
    unsorted = sp.csr_array(([2.0, 1.0], [1, 0], [0, 2]), shape=(1, 2))
    assert Examples(unsorted, [0]) == Examples(sp.csr_array([[1.0, 2.0]]), [0])


@given(
    hnp.arrays(np.float64, (4, 3), elements=st.floats(-9, 9)),
    st.permutations(range(4)),
)
def test_rows_have_the_content_of_examples_made_of_these_rows(X, rows):
    y = np.arange(4)
    assert Examples(X, y)[rows] == Examples(X[rows], y[rows], ids=y[rows])
    inverse = np.argsort(rows)
    assert Examples(X, y)[rows][inverse] == Examples(X, y)


def test_fingerprint_and_checks_of_more_than_one_block(monkeypatch):
    X, y = np.random.default_rng(0).random((50, 3)), np.arange(50)
    whole = Examples(X, y).fingerprint
    monkeypatch.setattr("skdatamodels._digests._BLOCK", 7)
    assert Examples(X, y).fingerprint == whole
    X[41, 1] = np.inf
    with pytest.raises(ValueError, match="rows 41"):
        Examples(X, y)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"y": [0, 1]}, "X has 3 rows but y has 2"),
        ({"y": np.zeros((3, 1))}, r"y must be 1-d.*\(3, 1\).*np.ravel"),
        ({"y": pd.DataFrame({"y": [0, 1, 0]})}, r"y must be 1-d.*np.ravel"),
        ({"y": np.zeros((3, 2))}, r"\(3, 2\)\. For several .* y\[:, 1\].*argmax"),
        ({"y": np.zeros((3, 1, 2))}, r"\(3, 1, 2\)\. For several outputs"),
        ({"y": []}, "X has 3 rows but y has 0"),
        ({"y": np.ma.array([0, 1, 0], mask=[0, 1, 0])}, "Masked entries in y"),
        ({"X": np.ma.masked_less([[1], [2], [3]], 2)}, "Masked entries in X"),
        ({"ids": np.ma.array([0, 1, 2], mask=[0, 1, 0])}, "Masked entries in ids"),
        ({"metadata": {"m": np.ma.masked_less([1, 2, 3], 2)}}, "Masked entries in met"),
        ({"X": pd.DataFrame(np.eye(3), columns=["a", "b", "a"])}, "columns named 'a'"),
        ({"metadata": FRAME[["size", "size"]]}, "metadata has .* named 'size'"),
        ({"X": {"a": [1, 2, 3]}}, r"one entry for each row, got a dict: .*pandas"),
        ({"y": 1}, "y must have one entry for each row"),
        ({"y": [0.0, np.nan, 1.0]}, "y has missing .* rows 1"),
        ({"y": [0.0, np.inf, 1.0]}, "y has .*infinite values in rows 1"),
        ({"y": np.array(["a", None, "b"], dtype=object)}, "y has missing .* rows 1"),
        ({"y": pd.Series(["a", pd.NA, "b"], dtype="string")}, "y has missing"),
        ({"ids": [1, 2]}, "X has 3 rows but ids has 2"),
        ({"ids": ["a", "b", "a"]}, "ids must be unique.*'a'"),
        ({"ids": np.eye(3)}, "ids must be 1-d"),
        ({"metadata": {"m": [1]}}, r"X has 3 rows but metadata\['m'\] has 1"),
        ({"metadata": FRAME.iloc[:2]}, "X has 3 rows but metadata has 2"),
        ({"X": [[0, np.nan], [1, 1], [np.inf, 1]]}, "X has .* rows 0, 2.*allow_nan"),
        ({"X": FRAME.replace({"size": {2.0: np.nan}})}, "X has missing .* rows 1"),
        ({"X": sp.csr_array([[1, 0], [0, 0], [0, np.nan]])}, "X has .* rows 2"),
        ({"X": np.array([[1], [None], ["a"]], dtype=object)}, "X has .* rows 1"),
        ({"X": np.array(["2020", "NaT", "2021"], dtype="M8[s]")}, "X has .* rows 1"),
        ({"X": np.full((3, 1), np.inf), "allow_nan": True}, "infinite .* rows 0, 1, 2"),
        ({"X": np.zeros((0, 2)), "y": []}, "at least one row"),
        ({"X": [[1], [1, 2], [3]]}, "X cannot be converted to an array"),
        ({"X": 3.0}, "X must have one entry for each row"),
    ],
)
def test_bad_input(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Examples(**{"X": np.ones((3, 2)), "y": [0, 1, 0], **kwargs})


def test_bad_types():
    with pytest.raises(TypeError, match="metadata must be a dict"):
        Examples([1], [1], metadata=[1])
    with pytest.raises(TypeError, match="dtype complex128"):
        Examples([1j], [1])
    with pytest.raises(TypeError, match="not iterable"):
        iter(Examples([1], [1]))


@pytest.mark.parametrize(
    "y",
    [
        ["a", 1, "b"],
        ("a", 1.5, "b"),
        np.array([1, "a", "a"], dtype=object),
        pd.Series(["a", True, "b"]),
    ],
)
def test_labels_are_text_or_numbers_not_both(y):
    with pytest.raises(TypeError, match="y mixes text with other values, such as 'a'"):
        Examples(np.eye(3), y)


def test_errors_do_not_print_the_data():
    many = np.arange(5000)
    with pytest.raises(ValueError, match="got a dict") as error:
        Examples({"a": many.tolist()}, many)
    assert len(str(error.value)) < 200


def test_masked_arrays_without_masked_entries_are_arrays():
    X, y = np.ma.array(np.eye(3)), np.ma.array([0, 1, 0], mask=[0, 0, 0])
    assert Examples(X, y) == Examples(np.eye(3), [0, 1, 0])
    assert type(Examples(X, y).X) is type(Examples(X, y).y) is np.ndarray


def test_many_bad_rows_are_summed_up():
    with pytest.raises(ValueError, match=r"rows 0, 1, 2, 3, 4 and 95 more\."):
        Examples(np.full(100, np.nan), np.zeros(100))


@pytest.mark.parametrize(
    "X",
    [
        np.array([[np.nan], [1.0]]),
        pd.DataFrame({"a": [None, "b"], "c": pd.array([None, 1], dtype="Int64")}),
        sp.csr_array([[np.nan], [1.0]]),
    ],
    ids=["array", "frame", "csr"],
)
def test_nan_is_allowed_when_asked(X):
    examples = Examples(X, [0, 1], allow_nan=True)
    assert _reload(examples) == examples == Examples(X, [0, 1], allow_nan=True)
    assert examples[[0]].fingerprint != examples[[1]].fingerprint


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (1, TypeError, r"examples\[\[1\]\]"),
        ([], ValueError, "selects no rows"),
        ([0, 0], ValueError, "repeats rows"),
        ([3], IndexError, "out of bounds"),
        ([True, False], IndexError, "boolean index"),
        (["a"], IndexError, "valid indices"),
    ],
)
def test_bad_rows(rows, error, message):
    with pytest.raises(error, match=message):
        Examples(np.eye(3), [0, 1, 0])[rows]


# ---- polars


@pytest.fixture(scope="module")
def pl():
    return pytest.importorskip("polars")


@pytest.fixture
def table(pl):
    return pl.DataFrame(
        {
            "size": [1.5, 2.0, 3.0],
            "colour": pl.Series(["red", "blue", "red"], dtype=pl.Categorical),
            "name": ["a", "b", "c"],
            "when": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]),
            "count": [1, 2, 3],
            "known": [True, False, True],
        }
    )


def test_a_polars_frame_is_kept(pl, table):
    examples = Examples(table, ["u", "v", "u"], metadata=table)
    assert examples.shape == (3, 6)
    assert examples.X.equals(table)
    assert examples.X.schema == examples[[0, 2]].X.schema == table.schema
    for rows in (np.array([2, 0]), slice(1, 3), np.array([True, False, True]), [-1]):
        expected = table[np.arange(3)[rows].tolist()]
        assert examples[rows].X.equals(expected)
        assert examples[rows].metadata.equals(expected)
    again = _reload(examples)
    assert again == examples
    assert again.X.equals(table)
    assert again.metadata.equals(table)


def test_polars_series_as_all_else(pl):
    y, ids = pl.Series(["u", "v", "u"]), pl.Series([5, 3, 4])
    examples = Examples(np.eye(3), y, ids, {"m": pl.Series([1.0, 2.0, 3.0])})
    assert examples == Examples(np.eye(3), ["u", "v", "u"], [5, 3, 4])
    np.testing.assert_array_equal(examples.metadata["m"], [1, 2, 3])
    labels = pl.Series(["u", "v", "u"], dtype=pl.Categorical)
    assert Examples(np.eye(3), labels) == Examples(np.eye(3), ["u", "v", "u"])


def test_a_polars_frame_can_be_changed_without_harm(pl, table):
    examples = Examples(table, [0, 1, 0], metadata=table)
    before, original = examples.fingerprint, table.clone()
    for handed in (table, examples.X, examples.metadata):
        handed[0, "size"] = 99.0
        handed.insert_column(0, pl.Series("new", [1, 2, 3]))
        handed.columns = [str(number) for number in range(7)]
    assert examples.X.equals(original)
    assert examples.metadata.equals(original)
    assert Examples(examples.X, [0, 1, 0]).fingerprint == before


def test_fingerprints_of_polars_frames(pl, table):
    big, nothing = 2**60, {"allow_nan": True}
    y = [0, 1, 0]
    examples = [
        Examples(table, y),
        Examples(table.reverse(), y),
        Examples(table.rename({"size": "sise"}), y),
        Examples(table.select(reversed(table.columns)), y),
        Examples(table.cast({"count": pl.Int32}), y),
        Examples(table.cast({"colour": pl.String}), y),
        Examples(table.cast({"colour": pl.Enum(["red", "blue"])}), y),
        Examples(table.cast({"colour": pl.Enum(["blue", "red"])}), y),
        Examples(pl.DataFrame({"a": [1.0, 2.0, 3.0]}), y),
        Examples(pd.DataFrame({"a": [1.0, 2.0, 3.0]}), y),
        Examples(pl.DataFrame({"a": [1, None, big]}), y, **nothing),
        Examples(pl.DataFrame({"a": [1, None, big + 1]}), y, **nothing),
        Examples(pl.DataFrame({"a": [1.0, None, 2.0]}), y, **nothing),
        Examples(pl.DataFrame({"a": [1.0, float("nan"), 2.0]}), y, **nothing),
    ]
    assert len({e.fingerprint for e in examples}) == len(examples)
    again = pl.concat([table[:1], table[1:]], rechunk=False)  # stored in two pieces
    assert Examples(again, y) == examples[0]
    assert examples[0][[2, 1]] == Examples(table[[2, 1]], [0, 1], ids=[2, 1])


@pytest.mark.parametrize(
    "column",
    [
        [1.0, None, 2.0],
        [1.0, float("nan"), 2.0],
        [1.0, float("inf"), 2.0],
        [1, None, 2],
        ["a", None, "b"],
        [True, None, False],
    ],
)
def test_missing_values_in_polars(pl, column):
    frame = pl.DataFrame({"whole": [1, 2, 3], "odd": column})
    with pytest.raises(ValueError, match=r"X has missing .* rows 1.*allow_nan"):
        Examples(frame, [0, 1, 0])
    with pytest.raises(ValueError, match=r"y has missing .* rows 1"):
        Examples(np.eye(3), frame["odd"])
    if float("inf") not in column:
        assert Examples(frame, [0, 1, 0], allow_nan=True).X.equals(frame)


def test_tables_of_other_kinds_are_refused(pl, table):
    class Other:
        def __dataframe__(self):
            raise NotImplementedError

    with pytest.raises(TypeError, match=r"X is a polars.*LazyFrame.*\.collect\(\)"):
        Examples(table.lazy(), [0, 1, 0])
    with pytest.raises(TypeError, match=r"X is a .*Other.* pandas or polars"):
        Examples(Other(), [0, 1, 0])
    with pytest.raises(TypeError, match=r"metadata is a .*Other"):
        Examples(np.eye(3), [0, 1, 0], metadata=Other())


def test_ids_at_positions_of_any_shape():
    ids = ["b", "a", "d"]
    examples = Examples(np.eye(3), [0, 1, 0], ids=ids)
    found = examples.ids_at(np.array([[2, -1], [0, 2]], dtype=np.int8))
    assert found.tolist() == [["d", None], ["b", "d"]]
    assert examples.ids_at(1) == "a"
    assert Examples(np.eye(3), [0, 1, 0]).ids_at([2]).tolist() == [2]
    for wrong in ([3], [-2], [0.0], [True]):
        with pytest.raises(ValueError, match="positions must be integers from 0 to 2"):
            examples.ids_at(wrong)


def test_the_index_of_a_frame_gives_the_ids():
    named = FRAME.set_index(pd.Index(["p", "q", "r"]))
    assert Examples(named, [0, 1, 2]).ids.tolist() == ["p", "q", "r"]
    assert Examples(named, [0, 1, 2], ids=[7, 8, 9]).ids.tolist() == [7, 8, 9]
    rows = FRAME.iloc[[2, 0, 1]]
    assert Examples(rows, [0, 1, 2])[1:].ids.tolist() == [0, 1]
    unusable = (
        ["p", "p", "q"],
        ["p", None, "q"],
        pd.MultiIndex.from_arrays([[1, 2, 3]] * 2),
        [0.5, 1.5, np.inf],
    )
    for index in unusable:
        frame = FRAME.copy()
        frame.index = index
        assert Examples(frame, [0, 1, 2]).ids.tolist() == [0, 1, 2]


def test_times_stay_times():
    when = pd.date_range("2020-01-01", periods=3)
    examples = Examples(FRAME.set_index(when), [0, 1, 0])
    found = examples.ids_at([2, -1])
    assert found.tolist() == [np.datetime64("2020-01-03"), None]
    assert FRAME.set_index(when).loc[found[0], "name"] == "c"


def test_rows_that_do_not_belong_together_are_noticed():
    y = pd.Series([0, 1, 2], index=[5, 6, 7])
    assert Examples(FRAME, y) == Examples(FRAME, y.to_numpy())  # positions name no row
    named = FRAME.set_index(pd.Index([7, 6, 5]))
    with pytest.raises(ValueError, match=r"indexes of X and y differ.*y\.to_numpy"):
        Examples(named, y)
    assert Examples(named, y[::-1]).ids.tolist() == [7, 6, 5]


def test_they_are_no_array():
    examples = Examples(np.zeros((3, 2, 2)), [0, 1, 0])
    assert np.shape(examples) == (3, 2, 2)
    assert np.ndim(examples) == 3
    for convert in (np.asarray, np.array, check_array):
        with pytest.raises(TypeError, match=r"These are Examples, not an array: give"):
            convert(examples)


# Weights


def test_weights_go_with_their_rows():
    examples = Examples(FRAME, [0, 1, 0], sample_weight=[2, 0, 0.5])
    for again in (examples, _reload(examples)):
        np.testing.assert_array_equal(again.sample_weight, [2.0, 0.0, 0.5])
    np.testing.assert_array_equal(examples[[2, 0]].sample_weight, [0.5, 2.0])
    assert "weighted" in repr(examples)
    with pytest.raises(ValueError, match="read-only"):
        examples.sample_weight[0] = 1
    assert Examples(FRAME, [0, 1, 0]).sample_weight is None


def test_weights_are_content_but_none_are_not():
    X, y = np.eye(3), [0, 1, 0]
    without = Examples(X, y)
    # as before there were weights, because stores know their runs by it
    assert without.fingerprint.startswith("605f12644a77")
    ones, whole, other = (
        Examples(X, y, sample_weight=w) for w in (np.ones(3), [1, 1, 1], [1, 1, 2])
    )
    assert ones == whole != without
    assert len({without, ones, other}) == 3
    assert ones[[0, 1]] == Examples(X[:2], y[:2], sample_weight=[1, 1])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0, 2.0], "X has 3 rows but sample_weight has 2"),
        ([1.0, np.nan, 1.0], r"sample_weight has missing \(NaN\) or infinite"),
        ([1.0, -1.0, 1.0], "sample_weight must be at least 0.*the least is -1.0"),
        ([0, 0, 0], "above 0 for some example"),
        (["1", "2", "3"], "sample_weight must have one number per example"),
        (np.ones((3, 1)), r"one number per example, got float64 of shape \(3, 1\)"),
    ],
)
def test_bad_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        Examples(np.eye(3), [0, 1, 0], sample_weight=weight)


@pytest.mark.parametrize("name", ["y", "sample_weight", "metadata"])
@pytest.mark.parametrize("ids", [[f"r{i}" for i in range(9)], range(9)])
def test_rows_in_another_order_are_refused(name, ids):
    X = pd.DataFrame(np.eye(9), index=ids)
    other = pd.DataFrame({"a": np.arange(9.0)}, index=X.index[::-1])
    given = {"y": np.arange(9), name: other if name == "metadata" else other["a"]}
    with pytest.raises(ValueError, match=f"indexes of X and {name} differ"):
        Examples(X, **given)
    given[name] = given[name].loc[X.index]
    Examples(X, **given)


def test_an_index_that_counts_rows_goes_with_other_names():
    y = pd.Series(np.arange(9), index=range(40, 49))
    Examples(pd.DataFrame(np.eye(9)), y)
    Examples(pd.DataFrame(np.eye(9), index=list("abcdefghi")), y.reset_index(drop=True))


def test_positions_are_the_inverse_of_ids():
    examples = Examples(np.eye(4), range(4), ids=["a", "b", "c", "d"])
    order = np.array([[2, 0], [3, 3]])
    np.testing.assert_array_equal(examples.positions_of(examples.ids_at(order)), order)
    with pytest.raises(ValueError, match="No example has the id 'x'"):
        examples.positions_of(["a", "x"])
