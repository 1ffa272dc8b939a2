import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels.plotting import NormalityDisplay


def test_lines_are_cumulative_shares(plt):
    p_values = {"margin": [[0.7, 0.1], [0.9, 0.4]], "correctness": [0.0, 0.01, np.nan]}
    _, ax = plt.subplots()
    display = NormalityDisplay(p_values).plot(ax=ax)
    assert display.ax_ is ax
    x, y = display.lines_["margin"].get_data()
    assert_array_equal(x, [0, 0.1, 0.4, 0.7, 0.9, 1])
    assert_array_equal(y, [0, 0.25, 0.5, 0.75, 1, 1])
    _, y = display.lines_["correctness"].get_data()
    assert y[-1] == pytest.approx(2 / 3)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [
        "normal",
        "margin: 0% at most .05",
        "correctness: 67% at most .05, 33% never vary",
    ]
    assert_array_equal(*display.diagonal_.get_data())


def test_an_output_that_varies_nowhere():
    display = NormalityDisplay({"correctness": [np.nan, np.nan]}).plot()
    assert "100% never vary" in display.lines_["correctness"].get_label()


@pytest.mark.parametrize("bad", [[], [0.5, 1.5], [-0.1]])
def test_bad_input(bad):
    with pytest.raises(ValueError, match="P-values of 'loss' must be"):
        NormalityDisplay({"loss": bad}).plot()
