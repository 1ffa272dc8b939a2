from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skdatamodels.applications import similar_examples
from skdatamodels.inference import WeightInference
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.plotting import (
    LDSCurveDisplay,
    PredictionDisplay,
    SimilarExamplesDisplay,
)

# Predictions


def _outputs(n_runs=40, n_targets=3):
    rng = np.random.default_rng(0)
    y_true = rng.normal(size=(n_runs, n_targets)) + 5 * np.arange(n_targets)
    return y_true, y_true + rng.normal(size=y_true.shape)


def test_prediction_scatter_holds_every_point():
    y_true, y_pred = _outputs()
    display = PredictionDisplay.from_predictions(y_true, y_pred, output_name="loss")
    points = np.column_stack([y_pred.ravel(), y_true.ravel()])
    assert_array_equal(display.points_.get_offsets(), points)
    x, y = display.line_.get_data()
    assert_array_equal(x, y)
    assert (min(x), max(x)) == (points.min(), points.max())
    lds = linear_datamodeling_score(y_true, y_pred)
    pearson = np.corrcoef(y_true.ravel(), y_pred.ravel())[0, 1]
    assert display.lds_ == lds
    assert display.pearson_ == pytest.approx(pearson)
    title = display.ax_.get_title()
    assert f"{lds:.2f}" in title
    assert f"{pearson:.2f}" in title
    assert display.ax_.get_xlabel() == "Predicted loss"
    assert display.ax_.get_ylabel() == "True loss"


def test_prediction_hexagons_count_every_point():
    y_true, y_pred = _outputs(2000, 2)
    display = PredictionDisplay(y_true, y_pred).plot()
    assert display.points_.get_array().sum() == 4000
    few = PredictionDisplay(y_true[:9], y_pred[:9]).plot(kind="hexbin")
    assert few.points_.get_array().sum() == 18


def test_prediction_from_estimator(plt):
    y_true, _ = _outputs()
    masks = np.random.default_rng(1).random((40, 6)) < 0.5
    model = Ridge().fit(masks, y_true)
    _, ax = plt.subplots()
    display = PredictionDisplay.from_estimator(model, masks, y_true, ax=ax)
    assert display.ax_ is ax
    assert_allclose(display.points_.get_offsets()[:, 0], model.predict(masks).ravel())
    runs = SimpleNamespace(outputs=y_true, masks=masks)
    model = SimpleNamespace(predict=lambda runs: runs.outputs + 1)
    display = PredictionDisplay.from_estimator(model, runs)
    assert_allclose(display.y_pred, y_true + 1)


def test_prediction_bad_input():
    y_true, y_pred = _outputs()
    with pytest.raises(ValueError, match="kind must be"):
        PredictionDisplay(y_true, y_pred).plot(kind="dots")
    with pytest.raises(ValueError, match="must both have shape"):
        PredictionDisplay(y_true, y_pred[:-1]).plot()


# LDS curve


def test_curve_draws_lines_bands_and_ceiling(plt):
    n_runs = [500, 1000, 5000]
    lasso = np.array([[0.5, 0.45, 0.55], [0.6, 0.56, 0.64], [0.7, 0.68, 0.72]])
    scores = {"LASSO": lasso, "difference of means": [0.3, 0.4, 0.5]}
    display = LDSCurveDisplay(n_runs, scores, ceiling=0.8).plot()
    assert_array_equal(display.lines_["LASSO"].get_xydata()[:, 0], n_runs)
    assert_array_equal(display.lines_["LASSO"].get_xydata()[:, 1], lasso[:, 0])
    assert_array_equal(
        display.lines_["difference of means"].get_ydata(), [0.3, 0.4, 0.5]
    )
    assert list(display.bands_) == ["LASSO"]
    corners = display.bands_["LASSO"].get_paths()[0].vertices.tolist()
    for n, (_, low, high) in zip(n_runs, lasso, strict=True):
        assert [n, low] in corners
        assert [n, high] in corners
    assert set(display.ceiling_.get_ydata()) == {0.8}
    ax = display.ax_
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["500", "1,000", "5,000"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "LASSO",
        "difference of means",
        "noise ceiling",
    ]
    low, high = ax.get_ylim()
    assert low == 0
    assert high > 0.8


def test_curve_without_ceiling_and_with_negative_scores(plt):
    _, ax = plt.subplots()
    display = LDSCurveDisplay([10, 20], {"random": [-0.1, 0.1]}).plot(ax=ax)
    assert display.ax_ is ax
    assert display.ceiling_ is None
    assert ax.get_ylim()[0] <= -0.1


def test_curve_bad_input():
    with pytest.raises(ValueError, match=r"'LASSO' have shape \(2,\); 3 numbers"):
        LDSCurveDisplay([1, 2, 3], {"LASSO": [0.1, 0.2]}).plot()


# Similar examples


class Images(SimpleNamespace):
    """Stand-in for Examples."""

    def __getitem__(self, rows):
        return Images(X=self.X[rows], y=self.y[rows])


def _images(n, seed):
    X = np.random.default_rng(seed).random((n, 6))
    return Images(X=X, y=np.array([f"class {i}" for i in range(n)]))


TRAIN, TARGETS = _images(7, 0), _images(4, 1)
WEIGHTS = np.array(
    [
        [0.1, -0.2, 0.0, 0.3, 0.2, -0.5, -0.1],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.04],
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
)


def _image_of(ax):
    return ax.get_images()[0].get_array()


def test_similar_examples_in_order_of_weight():
    display = SimilarExamplesDisplay(
        WEIGHTS, TRAIN, TARGETS, n_examples=3, image_shape=(2, 3)
    ).plot()
    none = [-1, -1, -1]
    assert display.positive_.tolist() == [[3, 4, 0], [6, -1, -1], [6, 5, 4], none]
    assert display.negative_.tolist() == [[5, 1, 6], none, none, none]
    assert display.axes_.shape == (4, 7)
    for row, axes in enumerate(display.axes_):
        assert_array_equal(_image_of(axes[0]), TARGETS.X[row].reshape(2, 3))
        assert axes[0].get_title() == TARGETS.y[row]
        shown = [*display.positive_[row], *display.negative_[row]]
        for ax, i in zip(axes[1:], shown, strict=True):
            if i == -1:  # no weight, no claim
                assert not ax.get_images()
                assert not ax.axison
                assert not ax.get_title()
            else:
                assert_array_equal(_image_of(ax), TRAIN.X[i].reshape(2, 3))
                assert ax.get_title() == TRAIN.y[i]
    labels = [ax.get_xlabel() for ax in display.axes_[0]]
    minus = "\N{MINUS SIGN}"
    assert labels == [
        *["", "+0.30", "+0.20", "+0.10"],
        *[f"{minus}0.50", f"{minus}0.20", f"{minus}0.10"],
    ]


def _inferred():
    """Return an inference with standard errors of 0.1 or, for some, much more."""
    scale = np.array([[0.02], [0.02], [9.0], [9.0]])
    return WeightInference(WEIGHTS, scale, np.full(4, 90.0), np.zeros(7, int))


def test_similar_examples_with_intervals():
    inference = _inferred()
    display = SimilarExamplesDisplay(
        WEIGHTS, TRAIN, TARGETS, n_examples=3, image_shape=(2, 3), inference=inference
    ).plot()
    labels = [[ax.get_xlabel() for ax in row[1:]] for row in display.axes_]
    for row, sign in ((0, 1), (2, 0)):
        shown = [label for label in labels[row] if label]
        assert [label.endswith("*") for label in shown] == [bool(sign)] * len(shown)
    # one scale for a target, with 0 in the middle
    found = similar_examples(WEIGHTS, 3, inference=inference)
    reach = np.nanmax(
        np.abs([found.positive_intervals[0], found.negative_intervals[0]])
    )
    for ax, weight, ends in zip(
        display.axes_[0, 1:4],
        found.positive_weights[0],
        found.positive_intervals[0],
        strict=True,
    ):
        *_, bar, dot = ax.get_lines()
        assert_allclose(bar.get_xdata(), 0.5 + 0.5 * ends / reach)
        assert_allclose(dot.get_xdata(), 0.5 + 0.5 * weight / reach)
    (note,) = (t for t in display.figure_.texts if t.get_text().startswith("*"))
    display.figure_.canvas.draw()
    bars = [line for line in display.axes_[-1, 1].get_lines()]
    below = [line.get_window_extent().y0 for line in bars]
    assert all(note.get_window_extent().y1 <= y for y in below)
    assert not display.axes_[3, 1].axison  # no weight, no bar
    some = SimilarExamplesDisplay.from_predictions(
        WEIGHTS[:2], TRAIN, TARGETS[:2], image_shape=(2, 3), inference=inference[:2]
    )
    assert some.axes_[0, 1].get_xlabel() == "+0.30*"


def test_similar_examples_frames_tell_the_sign():
    display = SimilarExamplesDisplay(
        WEIGHTS, TRAIN, TARGETS, n_examples=2, image_shape=(2, 3)
    ).plot()
    frames = [ax.spines["top"].get_edgecolor() for ax in display.axes_[0]]
    assert frames[1] == frames[2] != frames[3] == frames[4]
    assert frames[0] not in frames[1:]


def test_similar_examples_images_align_and_labels_stay_inside():
    display = SimilarExamplesDisplay(
        WEIGHTS, TRAIN, TARGETS, n_examples=1, image_shape=(2, 3)
    ).plot()
    display.figure_.canvas.draw()
    boxes = [ax.get_position() for ax in display.axes_[0]]
    assert_allclose([box.width for box in boxes], boxes[0].width)
    assert_allclose([box.y0 for box in boxes], boxes[0].y0)
    page = display.figure_.bbox
    texts = [text.get_window_extent() for text in display.figure_.texts]
    for left, right in pairwise(texts):
        assert left.x1 < right.x0
    for box in [*texts, *(ax.get_tightbbox() for ax in display.axes_[:, 0])]:
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1


def test_similar_examples_from_estimator(plt):
    coef = WEIGHTS[:, ::-1]
    model = Ridge().fit(np.eye(7), np.zeros((7, 4)))
    for model.coef_ in (coef, csr_array(coef)):
        figure = plt.figure()
        display = SimilarExamplesDisplay.from_estimator(
            make_pipeline("passthrough", model),
            TRAIN,
            TARGETS,
            [2, 0],
            n_examples=2,
            image_shape=(2, 3),
            figure=figure,
        )
        assert display.figure_ is figure
        assert_array_equal(display.weights, coef[[2, 0]])
        assert display.positive_.tolist() == [[0, 1], [3, 2]]
        assert_array_equal(_image_of(display.axes_[0, 0]), TARGETS.X[2].reshape(2, 3))


def test_similar_examples_takes_images_as_they_are():
    colour = Images(X=np.random.default_rng(0).random((3, 4, 5, 3)), y=np.arange(3))
    display = SimilarExamplesDisplay(np.eye(3), colour, colour).plot()
    assert_array_equal(_image_of(display.axes_[1, 1]), colour.X[1])
    assert display.axes_[1, 1].get_title() == "1"


def test_similar_examples_bad_input():
    with pytest.raises(ValueError, match=r"shape \(n_rows, n_train\) = \(4, 7\)"):
        SimilarExamplesDisplay(WEIGHTS[:2], TRAIN, TARGETS, image_shape=(2, 3)).plot()
    with pytest.raises(ValueError, match=r"pass image_shape=\(height, width\)"):
        SimilarExamplesDisplay(WEIGHTS, TRAIN, TARGETS, image_shape=(3, 3)).plot()
    with pytest.raises(ValueError, match=r"image_shape=\(2, 2\)"):
        SimilarExamplesDisplay(WEIGHTS, TRAIN, TARGETS, image_shape=(2, 2)).plot()
    with pytest.raises(ValueError, match="They look swapped"):
        SimilarExamplesDisplay(WEIGHTS, TARGETS, TRAIN, image_shape=(2, 3)).plot()
