"""The display of a comparison shows its numbers, the best on top."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels import Examples
from skdatamodels.datasets import make_linear_runs
from skdatamodels.judging import compare_attributions
from skdatamodels.plotting import AttributionComparisonDisplay

RUNS, COEF = make_linear_runs(100, n_train=20, n_targets=4, random_state=0)
TRAIN = Examples(np.eye(20), np.arange(20) % 2)
TARGETS = Examples(np.eye(4, 20), np.arange(4) % 2)


@pytest.fixture(scope="module")
def comparison():
    noise = np.random.default_rng(1).normal(size=COEF.shape)
    return compare_attributions(
        {"noisy": COEF + noise, "truth": COEF},
        RUNS,
        TRAIN,
        TARGETS,
        repeats=np.stack([RUNS.outputs, RUNS.outputs + 0.01]),
        n_trainings={"truth": 2000, "noisy": 1},
        seconds={"truth": 12.34},
        random_state=0,
    )


def test_scores_intervals_names_and_ceiling(comparison):
    display = AttributionComparisonDisplay(comparison).plot()
    order = display.order_
    assert comparison.name[order][:2].tolist() == ["truth", "noisy"]
    assert (np.diff(comparison.lds[order]) <= 0).all()
    (ax,) = display.axes_
    points = display.points_["lds"].get_offsets()
    assert_array_equal(points[:, 0], comparison.lds[order])
    assert_array_equal(points[:, 1], np.arange(4))
    assert ax.get_ylim() == (3.5, -0.5)  # the first on top
    for segment, row in zip(display.intervals_.get_segments(), order, strict=True):
        ends = comparison.lds_low[row], comparison.lds_high[row]
        assert tuple(segment[:, 0]) == ends
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:2] == ["truth\n2,000 trainings, 12.3 s", "noisy\n1 training"]
    assert set(display.ceiling_.get_xdata()) == {comparison.ceiling}
    colours = display.points_["lds"].get_facecolors()
    is_control = comparison.is_control[order]
    assert len(np.unique(colours[is_control], axis=0)) == 1
    assert not np.array_equal(colours[is_control][0], colours[~is_control][0])


def test_panels_for_what_was_retrained(comparison, plt):
    table = replace(
        comparison,
        counterfactual_spearman=np.array([0.5, 0.9, 0.0, 0.2]),
        support_size=np.array([20.0, 5.0, np.inf, 30.0]),
        setting=np.array(["damping 1", "", "", ""]),
        ceiling=np.nan,
    )
    figure = plt.figure()
    display = AttributionComparisonDisplay(table).plot(figure=figure)
    assert display.figure_ is figure
    assert len(display.axes_) == 3
    assert display.ceiling_ is None
    order = display.order_
    agreement = display.points_["counterfactual_spearman"].get_offsets()[:, 0]
    assert_array_equal(agreement, table.counterfactual_spearman[order])
    sizes = display.points_["support_size"].get_offsets()
    flipped = np.isfinite(table.support_size[order])
    assert_array_equal(sizes[:, 0], table.support_size[order][flipped])
    (text,) = display.axes_[2].texts
    assert text.get_text() == "not flipped"
    assert text.get_position()[1] == order.tolist().index(2)
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert "noisy (damping 1)\n1 training" in labels
