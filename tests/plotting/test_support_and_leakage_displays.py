from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.metrics import leakage_recall
from skdatamodels.plotting import DataSupportDisplay, LeakageRecallDisplay

# Data support

SIZES = {"ours": np.array([4, 0, np.nan, 30, 4]), "random": np.full(5, np.nan)}


def _height(line, x):
    """Height of a line of steps at x."""
    xs, ys = line.get_data()
    return ys[np.flatnonzero(xs <= x)[-1]]


def test_support_line_is_the_share_flipped(plt):
    _, ax = plt.subplots()
    display = DataSupportDisplay.from_predictions(SIZES, ax=ax)
    assert display.ax_ is ax
    for name, sizes in SIZES.items():
        for size in (0, 1, 3, 4, 10, 30):
            share = np.mean(sizes <= size)
            assert _height(display.lines_[name], size) == pytest.approx(share)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["ours", "random"]


def test_support_from_searches_names_the_certified():
    search = SimpleNamespace(
        support_size_=SIZES["ours"], certified_=np.array([1, 1, 0, 0, 0], bool)
    )
    display = DataSupportDisplay.from_estimator({"ours": search})
    (label,) = display.ax_.get_legend().get_texts()
    assert label.get_text() == "ours: 40% certified"
    assert_array_equal(
        display.lines_["ours"].get_xydata(),
        DataSupportDisplay.from_estimator(search).lines_["search"].get_xydata(),
    )


@pytest.mark.parametrize("sizes", [{}, {"a": [1, 2], "b": [1]}])
def test_support_bad_input(sizes):
    with pytest.raises(ValueError, match="at least one method"):
        DataSupportDisplay(sizes).plot()


# Leakage


def test_recall_lines_and_counts():
    rng = np.random.default_rng(0)
    targets, train = rng.uniform(-60, 60, (9, 2)), rng.uniform(-60, 60, (30, 2))
    candidates = {"a": rng.integers(30, size=(9, 3)), "b": rng.integers(-1, 30, (9, 3))}
    thresholds = [1, 500, 1000, 4000]
    known = {"train": train, "targets": targets, "thresholds": thresholds}
    display = LeakageRecallDisplay.from_predictions(candidates, **known)
    for name, rows in candidates.items():
        recall, n_leaks = leakage_recall(rows, **known)
        assert_array_equal(display.lines_[name].get_xdata(), thresholds)
        assert_array_equal(display.lines_[name].get_ydata(), recall)
    assert_array_equal(display.count_.get_ydata(), n_leaks)
    assert "(km)" in display.ax_.get_xlabel()
    detector = SimpleNamespace(candidates_=candidates["a"])
    again = LeakageRecallDisplay.from_estimator(detector, **known)
    assert_array_equal(again.recalls["found"], display.recalls["a"])


def test_recall_without_counts(plt):
    _, ax = plt.subplots()
    display = LeakageRecallDisplay([1, 2], {"a": [0.5, 1]}, unit="px").plot(ax)
    assert display.ax_ is ax
    assert display.count_ is None
    assert "(px)" in ax.get_xlabel()


def test_recall_bad_input():
    with pytest.raises(ValueError, match=r"'a' must have one number .* got \(2,\)"):
        LeakageRecallDisplay([1, 2, 3], {"a": [0.5, 1]}).plot()
    with pytest.raises(ValueError, match="'n_leaks' must have"):
        LeakageRecallDisplay([1], {"a": [0.5]}, n_leaks=[1, 2]).plot()
