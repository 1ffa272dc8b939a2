"""Each display is made in one call, and its looks are the user's."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdatamodels import Examples, plotting
from skdatamodels.datasets import make_linear_runs
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.judging import compare_attributions, plan_runs
from skdatamodels.metrics import lds_interval, normality_p_values
from skdatamodels.plotting import (
    AttributionComparisonDisplay,
    CounterfactualDisplay,
    DataSupportDisplay,
    EmbeddingDisplay,
    LDSCurveDisplay,
    LeakageRecallDisplay,
    NormalityDisplay,
    PredictionDisplay,
)

matplotlib = pytest.importorskip("matplotlib")

RUNS, COEF = make_linear_runs(300, n_train=20, n_targets=4, random_state=0)


@pytest.mark.parametrize("name", plotting.__all__)
def test_every_display_has_constructors_and_keywords(name):
    display = getattr(plotting, name)
    assert [n for n in vars(display) if n.startswith("from_")]
    parameters = inspect.signature(display.plot).parameters.values()
    assert [p.name for p in parameters][1] in ("ax", "figure")
    keywords = [p for p in parameters if p.name.endswith("_kw")]
    assert keywords
    assert all(p.kind is p.KEYWORD_ONLY and p.default is None for p in keywords)


def _comparison():
    train = Examples(np.eye(20), np.arange(20) % 2)
    targets = Examples(np.eye(4, 20), np.arange(4) % 2)
    return compare_attributions({"truth": COEF}, RUNS, train, targets, random_state=0)


UNIFORM = np.linspace(0.1, 0.9, 5)
LINES = {
    "support": lambda **kw: DataSupportDisplay.from_predictions(
        {"a": [1, 2]}, **kw
    ).lines_["a"],
    "normality": lambda **kw: NormalityDisplay({"a": UNIFORM}).plot(**kw).lines_["a"],
    "curve": lambda **kw: LDSCurveDisplay.from_predictions(
        [1, 2], {"a": [0.1, 0.2]}, **kw
    ).lines_["a"],
    "recall": lambda **kw: (
        LeakageRecallDisplay([1, 2], {"a": [0.5, 1]}).plot(**kw).lines_["a"]
    ),
    "diagonal": lambda **kw: PredictionDisplay([1.0, 2, 4], [1, 3, 3]).plot(**kw).line_,
    "effects": lambda **kw: CounterfactualDisplay([1.0, 2], [1, 3]).plot(**kw).line_,
}


@pytest.mark.parametrize("draw", LINES.values(), ids=LINES)
def test_lines_take_keywords_by_any_alias(draw):
    line = draw(line_kw={"c": "#123456", "linewidth": 7, "linestyle": ":"})
    assert line.get_color() == "#123456"
    assert line.get_linewidth() == 7
    assert line.get_linestyle() == ":"
    assert draw().get_color() != "#123456"


POINTS = {
    "prediction": lambda **kw: (
        PredictionDisplay([1.0, 2, 4], [1, 3, 3]).plot(**kw).points_
    ),
    "effects": lambda **kw: (
        CounterfactualDisplay([1.0, 2], [1, 3]).plot(**kw).points_[""]
    ),
    "embedding": lambda **kw: EmbeddingDisplay(np.eye(2)).plot(**kw).points_[None],
    "comparison": lambda **kw: AttributionComparisonDisplay.from_comparison(
        _comparison(), **kw
    ).points_["lds"],
}


@pytest.mark.parametrize("colour", ["c", "color"])
@pytest.mark.parametrize("draw", POINTS.values(), ids=POINTS)
def test_points_take_keywords_by_any_alias(draw, colour):
    points = draw(scatter_kw={colour: "#123456", "linewidths": 3, "s": 50, "alpha": 1})
    assert_array_equal(points.get_sizes(), [50])
    assert_array_equal(points.get_linewidths(), [3])
    expected = matplotlib.colors.to_rgba("#123456")
    assert_array_equal(points.get_facecolors()[0], expected)


def test_other_parts_take_keywords():
    hexagons = PredictionDisplay([1.0, 2, 4], [1, 3, 3]).plot(
        kind="hexbin", hexbin_kw={"linewidths": 2, "gridsize": 4}
    )
    assert_array_equal(hexagons.points_.get_linewidths(), [2])
    recall = LeakageRecallDisplay([1, 2], {"a": [0.5, 1]}, n_leaks=[1, 2])
    assert recall.plot(count_kw={"linestyle": "-"}).count_.get_linestyle() == "-"
    scores = {"a": [[0.2, 0.1, 0.3], [0.4, 0.3, 0.5]]}
    curve = LDSCurveDisplay([1, 2], scores).plot(fill_between_kw={"alpha": 0.5})
    assert curve.bands_["a"].get_alpha() == 0.5
    comparison = AttributionComparisonDisplay(_comparison()).plot(line_kw={"lw": 5})
    assert_array_equal(comparison.intervals_.get_linewidths(), [5])


def test_curve_of_estimators_fits_the_first_runs():
    sizes, model = [50, 200], DifferenceOfMeans()
    display = LDSCurveDisplay.from_estimator(
        model, RUNS[:200], RUNS[200:], sizes, ceiling=0.9, random_state=0
    )
    expected = []
    for size in sizes:
        predicted = DifferenceOfMeans().fit(RUNS[:size]).predict(RUNS[200:])
        expected.append(lds_interval(RUNS[200:].outputs, predicted, random_state=0))
    line = display.lines_["DifferenceOfMeans"]
    assert_array_equal(line.get_ydata(), [one.score for one in expected])
    assert list(display.bands_) == ["DifferenceOfMeans"]
    assert display.ceiling_ is not None
    assert not hasattr(model, "coef_")  # a clone was fitted
    both = {"a": model, "b": DifferenceOfMeans()}
    display = LDSCurveDisplay.from_estimator(both, RUNS[:200], RUNS[200:], sizes)
    assert list(display.lines_) == ["a", "b"]
    for bad in ([0], [201], [1.5]):
        with pytest.raises(ValueError, match="integers from 1 to 200"):
            LDSCurveDisplay.from_estimator(model, RUNS[:200], RUNS[200:], bad)


def test_curve_of_a_plan():
    model = DifferenceOfMeans()
    plan = plan_runs(RUNS, regressor=model, random_state=0)
    display = LDSCurveDisplay.from_plan(plan, [1000, 500])
    x, y = display.lines_["measured"].get_data()
    assert_array_equal(x[~np.isnan(y)], plan.n_runs)
    assert_array_equal(y[~np.isnan(y)], plan.scores[:, 0])
    x, y = display.lines_["predicted"].get_data()
    assert_array_equal(x[~np.isnan(y)], [500, 1000])
    assert_array_equal(y[~np.isnan(y)], plan.predict([500, 1000])[:, 0])
    assert display.ceiling_ is None
    furthest = LDSCurveDisplay.from_plan(plan).lines_["predicted"].get_xdata().max()
    assert furthest == 10 * plan.n_runs[-1]
    plan = plan_runs(RUNS, regressor=model, random_state=0, metric="mse")
    with pytest.raises(ValueError, match=r'must have metric="lds", got \'mse\''):
        LDSCurveDisplay.from_plan(plan)


def test_normality_of_outputs():
    outputs = {"margin": np.random.default_rng(0).normal(size=(30, 4))}
    display = NormalityDisplay.from_predictions(outputs)
    p_values = normality_p_values(outputs["margin"])
    assert_array_equal(display.p_values["margin"], p_values)
    assert_array_equal(display.lines_["margin"].get_xdata()[1:-1], np.sort(p_values))


def test_displays_of_examples_refuse_unknown_keywords():
    examples = Examples(np.eye(4), [0, 1, 0, 1])
    for draw, data in (
        (plotting.SimilarExamplesDisplay.from_predictions, (np.eye(4), examples)),
        (plotting.LeakageDisplay.from_predictions, (np.zeros((4, 1), int), examples)),
        (plotting.ComponentDisplay.from_predictions, (np.eye(4),)),
    ):
        with pytest.raises(TypeError, match="unexpected keyword argument 'n_colums'"):
            draw(*data, examples, n_colums=3)
