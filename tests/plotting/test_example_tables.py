"""Rows of tables are drawn as tables: what is written is the data."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from skdatamodels import Examples
from skdatamodels.applications import similar_examples
from skdatamodels.inference import WeightInference
from skdatamodels.plotting import (
    ComponentDisplay,
    LeakageDisplay,
    SimilarExamplesDisplay,
)

MINUS = "\N{MINUS SIGN}"


FRAME = pd.DataFrame(
    {
        "same": 7,
        "age": [30, 31, 30, 32, 90, 30],
        "town": ["Rome", "Rome", "$a$", "Rome", "Oslo", "Rome"],
        "height": [1.5, 1.0, 2.0, 1.75, 1.5, 1.5],
        "born": pd.to_datetime(["2020-01-01"] * 5 + ["2021-05-06"]),
    }
)
LABELS = np.array(["yes", "no", "yes", "no", "yes", "no"])
WEIGHTS = np.array([[0.5, -0.25, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])


def _text(cells):
    return [[cell.get_text() for cell in row] for row in cells]


def _display(X, weights=WEIGHTS, **params):
    examples = Examples(X, LABELS)
    return SimilarExamplesDisplay.from_predictions(
        weights, examples[:4], examples[4:], **params
    )


def _polars(frame):
    return pytest.importorskip("polars").DataFrame(frame.to_dict(orient="list"))


@pytest.mark.parametrize("container", [lambda frame: frame, _polars])
def test_a_data_frame_is_drawn_row_by_row(container):
    display = _display(container(FRAME), n_columns=3)
    # Standard deviations of the four training rows: age .83, height .37.
    assert display.columns_[0] == ["age", "town", "height"]
    cells = _text(display.cells_[0])
    assert [row[0] for row in cells] == [
        "",
        "Target",
        "Raise output",
        "",
        "Lower output",
    ]
    assert [row[1:] for row in cells[1:]] == [
        ["4", "yes", "", "90", "Oslo", "1.50"],
        ["3", "no", "+1.0", "32", "Rome", "1.75"],
        ["0", "yes", "+0.50", "30", "Rome", "1.50"],
        ["1", "no", f"{MINUS}0.25", "31", "Rome", "1.00"],
    ]
    assert cells[0][2:] == ["y", "weight", "age", "town", "height"]
    assert display.axes_.shape == (2, 1)
    note = display.axes_[0, 0].texts[-1].get_text()
    assert note == "… 2 more columns, which differ less"
    # nothing raises or lowers the second
    assert _text(display.cells_[1])[1:] == [
        ["Target", "5", "no", "", "7", "30", "Rome"]
    ]
    assert display.columns_[1] == ["same", "age", "town"]


def test_columns_come_in_order_of_their_difference():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 9)) * rng.uniform(0.1, 100, size=9)
    display = _display(X, n_columns=9)
    gaps = np.abs(X[4] - X[[3, 0, 1]]).mean(axis=0) / X[:4].std(axis=0)
    assert display.columns_[0] == [f"x{j}" for j in np.argsort(-gaps)]
    assert display.axes_[0, 0].texts[-1].get_text() == ""  # no more columns
    sparse = _display(csr_array(X), n_columns=9)
    assert sparse.columns_ == display.columns_
    assert list(map(_text, sparse.cells_)) == list(map(_text, display.cells_))


def test_missing_values_and_dates():
    frame = FRAME.assign(height=[np.nan, 1, 2, 3, np.nan, 1])
    examples = Examples(frame, LABELS, allow_nan=True)
    display = SimilarExamplesDisplay.from_predictions(
        [[1.0, 0, 0, 0]], examples[:4], examples[5:], n_columns=2
    )
    # unlike in "born" and "height"; the first in no other column
    assert sorted(display.columns_[0]) == ["born", "height"]
    cells = _text(display.cells_[0])
    columns = np.array(cells).T[4:].tolist()
    assert ["born", "2021-05-06", "2020-01-01"] in columns
    assert ["height", "1", "nan"] in columns


def test_texts_are_a_table_of_one_column():
    display = _display(["a b", "c", "d", "long " * 9, "e\nf", "g"])
    assert display.columns_ == [["X"], ["X"]]
    texts = [row[-1] for row in _text(display.cells_[0])]
    assert texts == ["X", "e f", "long long long long lon…", "a b", "c"]


def test_rows_bear_the_names_that_the_user_gave():
    names = list("pqrstu")

    def labels(X, ids=None):
        examples = Examples(X, LABELS, ids)
        display = SimilarExamplesDisplay(WEIGHTS, examples[:4], examples[4:]).plot()
        return [row[1] for row in _text(display.cells_[0])]

    by_name = ["id", "t", "s", "p", "q"]
    assert labels(FRAME.set_index(pd.Index(names))) == by_name
    named = FRAME.set_index(pd.Index(names, name="key"))
    assert labels(named) == by_name
    assert labels(FRAME, names) == ["id", *by_name[1:]]
    assert labels(named, [f"{n}{n}" for n in names]) == ["id", "tt", "ss", "pp", "qq"]
    assert labels(np.arange(12).reshape(6, 2)) == ["row", "4", "3", "0", "1"]
    assert labels(np.arange(12).reshape(6, 2), names) == ["id", *by_name[1:]]
    stand_in = [SimpleNamespace(X=np.eye(2), y=np.arange(2)) for _ in range(2)]
    display = SimilarExamplesDisplay(np.eye(2), *stand_in).plot()
    assert [row[1] for row in _text(display.cells_[0])] == ["row", "0", "0"]


def test_colours_tell_the_sign_and_texts_take_keywords():
    display = _display(FRAME)
    colours = [row[-1].get_color() for row in display.cells_[0]]
    assert colours[2] == colours[3] != colours[4]
    assert colours[1] not in colours[2:]
    large = _display(FRAME, text_kw={"size": 16, "color": "k", "weight": 400})
    assert {cell.get_fontsize() for cell in large.cells_[0].ravel()} == {16}
    assert {cell.get_color() for cell in large.cells_[0].ravel()} == {"k"}
    assert {cell.get_fontweight() for cell in large.cells_[0].ravel()} == {400}
    ratio = large.figure_.get_size_inches() / display.figure_.get_size_inches()
    np.testing.assert_allclose(ratio, 2, rtol=0.02)


def _figures(plt):
    return {
        "own": None,
        "narrow": plt.figure(figsize=(3, 2)),
        "wide": plt.figure(figsize=(20, 9)),
        "sub": plt.figure(figsize=(12, 5)).subfigures(1, 2)[1],
    }


@pytest.mark.parametrize("which", ["own", "narrow", "wide", "sub"])
def test_tables_stay_on_the_page_and_cells_apart(plt, which):
    figure = _figures(plt)[which]
    display = _display(FRAME, figure=figure, weights=WEIGHTS[[0, 0]])
    assert figure is None or display.figure_ is figure
    display.figure_.canvas.draw()
    page = display.figure_.bbox
    bottom = np.inf
    for cells, (ax,) in zip(display.cells_, display.axes_, strict=True):
        shown = np.vectorize(lambda cell: bool(cell.get_text()))(cells)
        boxes = [cell.get_window_extent().extents for cell in cells.ravel()]
        x0, y0, x1, y1 = np.reshape(boxes, (*cells.shape, 4)).transpose(2, 0, 1)
        assert x0[shown].min() >= page.x0
        assert x1[shown].max() <= page.x1
        assert y0[shown].min() >= page.y0
        assert y1[shown].max() <= min(bottom, page.y1)
        for j in range(1, cells.shape[1]):  # no column runs into the next
            before = x1[:, j - 1][shown[:, j - 1]].max()
            assert before < x0[:, j][shown[:, j]].min()
        note = ax.texts[-1]
        assert not note.get_text() or note.get_window_extent().x1 <= page.x1
        bottom = y0[shown].min()


def test_other_columns_are_refused():
    train, targets = Examples(FRAME[:4], LABELS[:4]), FRAME[4:]
    others = {
        "same columns; train has": targets.rename(columns={"age": "years"}),
        "same columns; train has .*born": targets[["age", "height"]].to_numpy(),
    }
    for message, X in others.items():
        with pytest.raises(ValueError, match=message):
            SimilarExamplesDisplay(WEIGHTS, train, Examples(X, LABELS[4:])).plot()
    train = Examples(np.eye(4), LABELS[:4])
    narrow = Examples(np.eye(2, 3), LABELS[4:])
    with pytest.raises(ValueError, match=r"shape \(3,\) and \(4,\)"):
        SimilarExamplesDisplay(WEIGHTS, train, narrow).plot()
    film = Examples(np.zeros((2, 3, 3, 3, 3)), [0, 1])
    with pytest.raises(ValueError, match="neither images"):
        SimilarExamplesDisplay(np.eye(2), film, film).plot()
    for bad in (0, -1, 2.5):
        with pytest.raises(ValueError, match="n_columns must be an integer from 1"):
            _display(FRAME, n_columns=bad)
    turned = targets[FRAME.columns[::-1]]
    display = SimilarExamplesDisplay(
        WEIGHTS, Examples(FRAME[:4], LABELS[:4]), Examples(turned, LABELS[4:])
    ).plot()
    expected = _display(FRAME)
    assert display.columns_ == expected.columns_
    values = [[row[4:] for row in _text(d.cells_[0])] for d in (display, expected)]
    assert values[0] == values[1]


# Components


def test_ends_of_components_as_tables():
    coordinates = np.array([[0.0, 3], [1, -2], [2, 1], [-3, 0], [0.5, 2], [-1, -1]])
    examples = Examples(FRAME, LABELS)
    display = ComponentDisplay.from_predictions(
        coordinates, examples, [0, 1], n_ends=2, n_columns=2
    )
    assert_array_equal(display.shown_, [[2, 1, 5, 3], [0, 4, 5, 1]])
    cells = _text(display.cells_[0])
    assert cells[0][2:4] == ["y", "component 0"]
    assert [row[0] for row in cells[1:]] == ["Most positive", "", "Most negative", ""]
    assert [row[1] for row in cells[1:]] == ["2", "1", "5", "3"]
    assert [row[3] for row in cells[1:]] == ["2", "1", f"{MINUS}1", f"{MINUS}3"]
    # Pairs of ends: town differs in 2 of 4, born in 2 of 4; in deviations age by .05,
    # height by 1.4.
    assert display.columns_[0] == ["height", "town"]
    assert display.cells_[0][1, 1].get_color() != display.cells_[0][3, 1].get_color()


# Highlighted cells


def _highlighted(display, row=0):
    """Highlighted cells as (row of the table, heading), by where they are drawn."""
    ax, cells = display.axes_[row, 0], display.cells_[row]
    found = []
    for patch in ax.collections:
        (x0, y0), (x1, y1) = patch.get_paths()[0].get_extents().get_points()
        i = int((y0 + y1) / 2)
        display.figure_.canvas.draw()
        left, right = ax.transData.transform([(x0, 0), (x1, 0)])[:, 0]
        for cell, head in zip(cells[i], cells[0], strict=True):
            box = cell.get_window_extent()
            if left <= (box.x0 + box.x1) / 2 <= right:
                found.append((i, head.get_text()))
    return sorted(found)


def test_cells_unlike_the_target_are_highlighted():
    display = _display(FRAME, n_columns=5)
    # ages 30 to 32 against 90, and towns against Oslo; heights 1.5 against 1.75, 1.5, 1
    # at a deviation of .37; of "born" and "same", none differs
    assert _highlighted(display) == [
        *((2, "age"), (2, "town"), (3, "age"), (3, "town")),
        *((4, "age"), (4, "height"), (4, "town")),
    ]
    assert _highlighted(display, row=1) == []


@pytest.mark.parametrize("container", [lambda frame: frame, _polars])
def test_ends_of_a_component_are_compared_with_each_other(container):
    frame = container(
        pd.DataFrame({"x": [0.0, 0.1, 0.2, 5.0], "kind": ["a", "b", "b", "b"]})
    )
    display = ComponentDisplay.from_predictions(
        [[4.0], [3.0], [2.0], [1.0]], Examples(frame, [0, 0, 1, 1]), [0], n_ends=2
    )
    # 2.6 is the mean of the other end, and 2.12 the standard deviation
    expected = [(1, "kind"), (1, "x"), (2, "x"), (4, "x")]
    assert _highlighted(display) == expected


def test_missing_integers_of_pandas_are_numbers():
    frame = pd.DataFrame({"n": pd.array([1, 2, None, 4, 2, 2], dtype="Int64")})
    examples = Examples(frame, LABELS, allow_nan=True)
    display = SimilarExamplesDisplay.from_predictions(
        [[1.0, 3.0, 2.0, 4.0]], examples[:4], examples[4:5]
    )
    texts = [row[-1] for row in _text(display.cells_[0])]
    assert texts == ["n", "2", "4", "2", "nan", "1"]
    # a deviation is 1.25
    assert _highlighted(display) == [(2, "n"), (4, "n")]


def test_columns_of_an_array_get_names():
    X = np.arange(12.0).reshape(6, 2)
    names = ["width", "height"]
    display = _display(X, feature_names=names)
    assert sorted(display.columns_[0]) == sorted(names)
    ends = ComponentDisplay.from_predictions(
        X, Examples(X, LABELS), [0], n_ends=1, feature_names=names
    )
    assert sorted(ends.columns_[0]) == sorted(names)
    with pytest.raises(ValueError, match="a name for each of 2 columns, got 1"):
        _display(X, feature_names=["width"])


# Leaks


def _leaks(X, candidates, image_shape=None, **params):
    examples = Examples(X, LABELS)
    return LeakageDisplay.from_predictions(
        candidates, examples[:4], examples[4:], image_shape=image_shape, **params
    )


@pytest.mark.parametrize("container", [lambda frame: frame, _polars])
def test_candidates_of_leaks_as_tables(container):
    display = _leaks(container(FRAME), [[3, -1], [2, 0]], scores=[1.25, 0.5])
    cells = _text(display.cells_[1])
    assert cells[0][:4] == ["", "row" if cells[0][1] == "row" else "id", "y", "score"]
    assert [row[0] for row in cells] == ["", "Target", "Candidates", ""]
    assert [row[1] for row in cells[1:]] == ["5", "2", "0"]
    assert [row[3] for row in cells[1:]] == ["0.50", "", ""]
    assert len(display.cells_[0]) == 3  # the blank candidate has no row
    assert (2, "town") in _highlighted(display, row=1)  # $a$ is not Rome
    assert (3, "town") not in _highlighted(display, row=1)
    named = _leaks(np.arange(12).reshape(6, 2), [[0], [1]], feature_names=["a", "b"])
    assert set(named.columns_[0]) == {"a", "b"}


def test_candidates_of_leaks_as_images():
    display = _leaks(np.arange(24).reshape(6, 4), [[3, -1], [2, 0]], (2, 2))
    assert display.axes_.shape == (2, 3)
    assert not display.axes_[0, 2].axison
    shown = [ax.images[0].get_array().ravel()[0] for ax in display.axes_[1]]
    assert shown == [20, 8, 0]
    assert display.cells_ == []


def test_leaks_of_a_detector_come_in_order_of_their_score():
    examples = Examples(FRAME, LABELS)
    detector = SimpleNamespace(
        leakage_score_=np.array([0.2, 0.9]), candidates_=np.array([[0, 1], [2, 3]])
    )
    data = examples[:4], examples[4:]
    display = LeakageDisplay.from_estimator(detector, *data, n_candidates=1)
    assert_array_equal(display.candidates, [[2], [0]])
    assert [cells[1][1] for cells in map(_text, display.cells_)] == ["5", "4"]
    one = LeakageDisplay.from_estimator(detector, *data, [0])
    assert_array_equal(one.candidates, [[0, 1]])


@pytest.mark.parametrize(
    ("candidates", "scores", "message"),
    [
        ([0, 1], None, r"must have shape \(n_rows, n_candidates\), n_rows=2"),
        ([[0], [4]], None, "candidates must be from 0 to 3, or -1"),
        ([[0], [1]], [1.0], r"scores must have shape \(n_rows,\) = \(2,\)"),
    ],
)
def test_bad_candidates_of_leaks(candidates, scores, message):
    with pytest.raises(ValueError, match=message):
        _leaks(FRAME, candidates, scores=scores)


def test_tables_show_intervals():
    inference = WeightInference(
        WEIGHTS, np.array([[0.02], [0.02]]), np.full(2, 90.0), np.zeros(4, int)
    )
    display = _display(FRAME, inference=inference, n_columns=2)
    found = similar_examples(WEIGHTS, inference=inference)
    cells = _text(display.cells_[0])
    assert cells[0][3] == "weight (interval)"
    low, high = found.positive_intervals[0, 0]
    assert cells[2][3] == f"+1.0* (+{low:.2f} to +{high:.1f})"
    assert [row[3].split("*")[0] for row in cells[2:]] == ["+1.0", "+0.50", "−0.25"]
    notes = [text.get_text() for text in display.axes_[0, 0].texts]
    assert any("* distinguishable at FDR 0.1" in note for note in notes)
