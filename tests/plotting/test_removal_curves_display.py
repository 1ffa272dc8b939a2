import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.applications import removal_curves
from skdatamodels.plotting import RemovalCurvesDisplay

TRAIN = Examples(np.eye(20), np.arange(20) % 2)
TARGETS = Examples(np.eye(4, 20), np.arange(4) % 2)


@pytest.fixture(scope="module", params=[False, True])
def curves(request):
    trainer = SubsetTrainer(
        lambda rows, seed: np.full(4, np.sum(rows) + seed % 7), TRAIN, TARGETS
    )
    values = {"a": np.arange(20), "b": -np.arange(20)}
    return removal_curves(
        trainer,
        values,
        add=request.param,
        sizes=[4, 10],
        higher_is_better=True,
        random_state=0,
    )


def test_lines_and_bands_are_the_curves(curves):
    display = RemovalCurvesDisplay.from_curves(curves)
    assert len(display.lines_) == len(display.bands_) == 5
    whole = 1.0 if curves.added else 0.0
    for row in range(5):
        place = curves.attribution[row], curves.order[row]
        x, y = display.lines_[place].get_data()
        assert sorted(x) == sorted([whole, 0.2, 0.5])
        assert_allclose(y, curves.score[row])
        heights = display.bands_[place].get_paths()[0].vertices[:, 1]
        for sign in (-1, 1):
            edge = curves.score[row] + sign * curves.error[row]
            assert np.isclose(heights[:, None], edge).any(axis=0).all()
    lines = display.lines_
    a, b = lines["a", "best first"], lines["b", "best first"]
    assert a.get_color() == lines["a", "worst first"].get_color() != b.get_color()
    assert a.get_linestyle() == b.get_linestyle()
    assert a.get_linestyle() != lines["a", "worst first"].get_linestyle()
    what = "see" if curves.added else "removed"
    assert display.ax_.get_xlabel().endswith(what)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["a", "b", "random", "best first", "worst first"]


def test_one_order(curves, plt):
    _, ax = plt.subplots()
    display = RemovalCurvesDisplay.from_curves(curves, order="worst first", ax=ax)
    drawn = [("a", "worst first"), ("b", "worst first"), ("random", "random")]
    assert list(display.lines_) == drawn
    assert display.ax_ is ax
    assert ax.get_title() == "worst first"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["a", "b", "random"]
    with pytest.raises(ValueError, match="order must be one of"):
        RemovalCurvesDisplay.from_curves(curves, order="worst")


def test_many_attributions_look_different():
    trainer = SubsetTrainer(lambda rows, seed: np.full(4, np.sum(rows)), TRAIN, TARGETS)
    values = {str(k): np.roll(np.arange(20), k) for k in range(9)}
    curves = removal_curves(trainer, values, sizes=[4], n_trials=1, random_state=0)
    display = RemovalCurvesDisplay.from_curves(curves, order="best first")
    looks = {(e.get_color(), e.get_marker()) for e in display.lines_.values()}
    assert len(looks) == 10


def test_looks_are_the_users(curves):
    display = RemovalCurvesDisplay(curves).plot(
        line_kw={"linewidth": 7}, fill_between_kw={"alpha": 0.5}
    )
    assert {line.get_linewidth() for line in display.lines_.values()} == {7}
    assert {band.get_alpha() for band in display.bands_.values()} == {0.5}
