import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import trapezoid

from skdatamodels import DatamodelRegressor, TrainingRuns
from skdatamodels.inference import compare_alphas
from skdatamodels.masks import sample_masks
from skdatamodels.plotting import AlphaDisplay

ALPHAS = (0.2, 0.5, 0.8)


@pytest.fixture(scope="module")
def comparison():
    masks = sample_masks(600, 5, ALPHAS, design="bernoulli").dense()
    a, b, c = masks[:, :3].T
    outputs = np.column_stack([1.0 * (a | b), 3.0 * c + (a & b)])
    runs = TrainingRuns(masks, outputs, player_ids=list("abcde"))
    alpha = np.resize(ALPHAS, 600)
    return compare_alphas(runs, alpha=alpha, regressor=DatamodelRegressor(1e-4))


def test_curves_points_and_intervals(comparison):
    display = AlphaDisplay(comparison, [2, 0], target=1).plot()
    for row, line, points in zip([2, 0], display.lines_, display.points_, strict=True):
        x, y = line.get_data()
        assert (x[0], x[-1]) == (0, 1)
        assert_allclose(y, comparison.curve(x)[:, 1, row])
        # the area is the Shapley value
        assert_allclose(trapezoid(y, x), comparison.shapley[1, row], atol=1e-3)
        assert_allclose(points[0].get_ydata(), comparison.weights[:, 1, row])
        (bars,) = points[2]
        lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
        assert_allclose(lengths, 3.92 * comparison.standard_error[:, 1, row])
        assert points[0].get_color() == line.get_color()
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["c", "a"]


def test_rows_of_the_largest_values_are_drawn(comparison, plt):
    _, ax = plt.subplots()
    display = AlphaDisplay.from_comparison(comparison, n_rows=2, ax=ax)
    assert [line.get_label() for line in display.lines_] == ["a", "b"]
    assert display.ax_ is ax
    one = AlphaDisplay.from_comparison(comparison, [4], line_kw={"linestyle": ":"})
    assert one.lines_[0].get_linestyle() == ":"


@pytest.mark.parametrize(
    ("rows", "target", "message"),
    [
        ([5], 0, "rows must be integers from 0 to 4"),
        ([0.5], 0, "rows must be integers"),
        ([[0]], 0, "rows must be integers"),
        ([0], 2, "target must be an integer from 0 to 1"),
        (None, 9, "target must be an integer from 0 to 1"),
    ],
)
def test_bad_rows_and_targets(comparison, rows, target, message):
    with pytest.raises(ValueError, match=message):
        AlphaDisplay.from_comparison(comparison, rows, target=target)


@pytest.mark.parametrize("n_rows", [0, -1, 1.5, None])
def test_no_rows(comparison, n_rows):
    with pytest.raises(ValueError, match="n_rows must be an integer of 1 or more"):
        AlphaDisplay.from_comparison(comparison, n_rows=n_rows)


def test_only_a_comparison_can_be_drawn():
    with pytest.raises(TypeError, match="comparison must be an AlphaComparison"):
        AlphaDisplay.from_comparison(np.eye(3))
