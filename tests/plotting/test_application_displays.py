"""Displays of counterfactuals, components and embeddings."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import pearsonr, spearmanr
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from skdatamodels.applications import DatamodelEmbedding
from skdatamodels.plotting import (
    ComponentDisplay,
    CounterfactualDisplay,
    EmbeddingDisplay,
)

rng = np.random.default_rng(0)
TRUE = rng.normal(size=12)
PREDICTED = TRUE + rng.normal(size=12)
HEURISTIC = np.repeat(["top", "bottom", "random"], 4)


# Counterfactuals


def test_counterfactuals_hold_every_point_of_each_heuristic(plt):
    _, ax = plt.subplots()
    evaluation = SimpleNamespace(
        effects_=SimpleNamespace(true=TRUE, predicted=PREDICTED, heuristic=HEURISTIC)
    )
    display = CounterfactualDisplay.from_estimator(
        evaluation, output_name="loss", ax=ax
    )
    assert display.ax_ is ax
    assert list(display.points_) == ["top", "bottom", "random"]
    for name, points in display.points_.items():
        rows = name == HEURISTIC
        expected = np.column_stack([PREDICTED[rows], TRUE[rows]])
        assert_array_equal(points.get_offsets(), expected)
    x, y = display.line_.get_data()
    assert_array_equal(x, y)
    assert min(x) == min(TRUE.min(), PREDICTED.min())
    title = ax.get_title()
    assert f"Spearman {spearmanr(PREDICTED, TRUE).statistic:.2f}" in title
    assert f"Pearson {pearsonr(PREDICTED, TRUE).statistic:.2f}" in title
    assert ax.get_xlabel() == "Predicted change of the loss"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["top", "bottom", "random", "predicted = true"]


def test_counterfactuals_leave_out_what_is_not_known():
    true = np.where(HEURISTIC == "top", np.nan, TRUE)
    display = CounterfactualDisplay.from_predictions(true, PREDICTED, HEURISTIC)
    assert list(display.points_) == ["bottom", "random"]
    assert "8 sets" in display.ax_.get_title()
    alone = CounterfactualDisplay([1.0], [2.0]).plot()
    assert alone.points_[""].get_offsets().tolist() == [[2, 1]]
    assert alone.ax_.get_title() == ""


def test_counterfactuals_bad_input():
    with pytest.raises(ValueError, match=r"got \(12,\), \(11,\) and \(12,\)"):
        CounterfactualDisplay(TRUE, PREDICTED[1:], HEURISTIC).plot()
    with pytest.raises(ValueError, match="all are NaN"):
        CounterfactualDisplay([np.nan], [0.0]).plot()


# Components


EXAMPLES = SimpleNamespace(X=rng.random((9, 6)), y=np.array(list("abcdefghi")))
COORDINATES = rng.normal(size=(9, 4))


def test_strips_run_from_one_end_to_the_other(plt):
    figure = plt.figure()
    display = ComponentDisplay.from_predictions(
        COORDINATES, EXAMPLES, [3, 1], n_ends=2, image_shape=(2, 3), figure=figure
    )
    assert display.figure_ is figure
    assert display.axes_.shape == (2, 4)
    for row, component in enumerate([3, 1]):
        order = np.argsort(-COORDINATES[:, component])
        assert_array_equal(display.shown_[row], [*order[:2], *order[-2:]])
        for ax, example in zip(display.axes_[row], display.shown_[row], strict=True):
            image = ax.get_images()[0].get_array()
            assert_array_equal(image, EXAMPLES.X[example].reshape(2, 3))
            assert ax.get_title() == EXAMPLES.y[example]
        assert display.axes_[row, 0].get_ylabel() == str(component)
    frames = [ax.spines["top"].get_edgecolor() for ax in display.axes_[0]]
    assert frames[0] == frames[1] != frames[2] == frames[3]


def test_strips_stay_inside_the_page():
    display = ComponentDisplay(
        COORDINATES, EXAMPLES, [0], n_ends=1, image_shape=(2, 3)
    ).plot()
    display.figure_.canvas.draw()
    page = display.figure_.bbox
    boxes = [ax.get_tightbbox() for ax in display.axes_.ravel()]
    for box in [*boxes, *(text.get_window_extent() for text in display.figure_.texts)]:
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1


def test_strips_from_estimator():
    weights = rng.normal(size=(9, 5))
    pipeline = make_pipeline(DatamodelEmbedding(), PCA(2)).fit(weights)
    display = ComponentDisplay.from_estimator(
        pipeline, weights, EXAMPLES, [1], n_ends=3, image_shape=(2, 3)
    )
    assert_array_equal(display.coordinates, pipeline.transform(weights))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"components": [4]}, "components must be from 0 to 3"),
        ({"n_ends": 5}, r"from 1 to 4, half .* got 5"),
        ({"coordinates": COORDINATES[1:]}, "n_examples=9"),
        ({"image_shape": (3, 3)}, "are not images"),
    ],
)
def test_strips_bad_input(params, message):
    given = {
        "coordinates": COORDINATES,
        "components": [0],
        "n_ends": 2,
        "image_shape": (2, 3),
    }
    with pytest.raises(ValueError, match=message):
        ComponentDisplay(examples=EXAMPLES, **given | params).plot()


# Embeddings


@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_embedding_points_by_label(plt, container):
    _, ax = plt.subplots()
    labels = np.array([2, 0, 2, 1, 1, 0, 0, 2, 1])
    display = EmbeddingDisplay.from_predictions(
        container(COORDINATES), labels, components=(3, 0), axis_name="PC", ax=ax
    )
    assert display.ax_ is ax
    assert list(display.points_) == [0, 1, 2]
    for label, points in display.points_.items():
        assert_array_equal(
            points.get_offsets(), COORDINATES[labels == label][:, [3, 0]]
        )
    assert len({tuple(p.get_facecolor()[0]) for p in display.points_.values()}) == 3
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("PC 3", "PC 0")
    assert len(ax.get_legend().get_texts()) == 3


def test_embedding_with_many_labels_tells_them_apart():
    labels = np.arange(24)
    points = EmbeddingDisplay(rng.normal(size=(24, 2)), labels).plot().points_
    looks = {
        (tuple(p.get_facecolor()[0]), p.get_paths()[0].vertices.tobytes())
        for p in points.values()
    }
    assert len(looks) == 24
    smooth = EmbeddingDisplay(rng.normal(size=(24, 2)), labels).plot(cmap="viridis")
    colours = {tuple(p.get_facecolor()[0]) for p in smooth.points_.values()}
    assert len(colours) == 24


def test_embedding_from_estimator_without_labels():
    weights = rng.normal(size=(9, 5))
    pipeline = make_pipeline(DatamodelEmbedding(), PCA(2)).fit(weights)
    display = EmbeddingDisplay.from_estimator(pipeline, weights)
    assert_array_equal(display.points_[None].get_offsets(), pipeline.transform(weights))
    assert display.ax_.get_legend() is None


def test_embedding_bad_input():
    with pytest.raises(ValueError, match="two of the 1 columns"):
        EmbeddingDisplay(COORDINATES[:, :1]).plot()
    with pytest.raises(ValueError, match=r"components=\(0, 4\)"):
        EmbeddingDisplay(COORDINATES, components=(0, 4)).plot()
    with pytest.raises(ValueError, match=r"labels must have shape \(9,\)"):
        EmbeddingDisplay(COORDINATES, [1, 2]).plot()
