"""Rankings with an inference: intervals, marks, and how often they are right."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdatamodels import DatamodelRegressor, TrainingRuns, sample_masks
from skdatamodels.applications import (
    affected_targets,
    harmful_examples,
    mean_weights,
    similar_examples,
)
from skdatamodels.inference import infer_weights

CLASSES = np.array([0, 0, 0, 0, 0, 1])


def fitted(seed=0, n_informative=4, m=150, d=40, n=6):
    """Return a model, its inference and the true weights; targets share noise."""
    rng = np.random.default_rng(seed)
    masks = sample_masks(m, d, 0.5, random_state=seed)
    coef = np.zeros((n, d))
    coef[:, :n_informative] = np.resize([-4.0, 4.0], n_informative)
    shared = 3 * rng.standard_normal((m, 1))
    outputs = masks.dot(coef.T) + shared + rng.standard_normal((m, n))
    runs = TrainingRuns(masks, outputs, output="margin", target_classes=CLASSES[:n])
    model = DatamodelRegressor(penalty="l2", random_state=0).fit(runs)
    return model, infer_weights(model, runs), coef - coef.mean(axis=1, keepdims=True)


def test_intervals_are_those_of_the_named_weights():
    model, inference, _ = fitted()
    plain, found = (similar_examples(model, 5, inference=i) for i in (None, inference))
    assert plain.positive_intervals is plain.positive_distinguishable is None
    assert_array_equal(found.negative, plain.negative)  # the order is that of weights
    sides = {"positive": "greater", "negative": "less"}
    of_side = {}
    for sign, side in sides.items():
        expected = inference.adjusted_interval(0.1, alternative=side)
        selected = inference.select(0.1, alternative=side)
        of_side[sign] = expected, selected
        columns, there = getattr(found, sign), getattr(found, sign) >= 0
        ends = np.take_along_axis(expected, columns[..., None], 1)
        assert_allclose(getattr(found, f"{sign}_intervals")[there], ends[there])
        marked = np.take_along_axis(selected, columns, 1) & there
        assert_array_equal(getattr(found, f"{sign}_distinguishable"), marked)
        assert selected.any()
    weights = model.coef_[..., None]
    expected = np.where(weights > 0, of_side["positive"][0], of_side["negative"][0])
    selected = np.where(weights[..., 0] > 0, *(of_side[sign][1] for sign in sides))
    frame = found.to_frame()
    assert list(frame) == [*plain.to_frame(), "low", "high", "distinguishable"]
    at = frame["row"].to_numpy(), frame["column"].to_numpy()
    assert_allclose(frame[["low", "high"]], expected[at])
    assert_array_equal(frame["distinguishable"], selected[at])
    turned = affected_targets(model, 3, inference=inference).to_frame()
    at = turned["column"].to_numpy(), turned["row"].to_numpy()
    assert_allclose(turned[["low", "high"]], expected[at])


@pytest.mark.filterwarnings("ignore:These weights explain")
def test_a_wrong_level_of_the_weights_marks_nothing():
    model, inference, _ = fitted(1, n_informative=0)
    for level in -3, 3:
        found = similar_examples(model.coef_ + level, 40, inference=inference)
        for sign in ("positive", "negative"):
            assert not getattr(found, f"{sign}_distinguishable").any()
    model, inference, _ = fitted()
    for level in -3, 3:  # the truth is 4 or -4 for four examples, and 0
        found = similar_examples(model.coef_ + level, 40, inference=inference)
        ends = found.positive_intervals if level > 0 else found.negative_intervals
        columns = found.positive if level > 0 else found.negative
        marked = (ends > 0).all(axis=2) if level > 0 else (ends < 0).all(axis=2)
        assert (columns[marked] < 4).mean() > 0.85


def test_missing_examples_have_no_interval():
    _, inference, _ = fitted()
    weights = np.zeros((6, 40))
    weights[:, 3] = 1
    found = similar_examples(weights, 2, inference=inference)
    assert np.isfinite(found.positive_intervals[:, 0]).all()
    assert np.isnan(found.positive_intervals[:, 1]).all()
    assert not found.negative_distinguishable.any()
    assert len(found.to_frame()) == 6


def test_blocks_make_no_difference(monkeypatch):
    model, inference, _ = fitted()
    whole = similar_examples(model, inference=inference)
    monkeypatch.setattr("skdatamodels.masks._packed._BLOCK_BYTES", 1)
    again = similar_examples(model, inference=inference)
    assert_allclose(again.positive_intervals, whole.positive_intervals)


def test_a_mean_weight_has_the_error_of_the_mean_output():
    model, inference, _ = fitted()
    found = harmful_examples(model, 3, inference=inference)
    share = np.where(CLASSES == 1, 1 / 2, 1 / 10)
    assert_allclose(mean_weights(model)[found.examples], found.mean_weights)
    mean = inference.combine(share)
    expected = mean.adjusted_interval(0.1, alternative="less")[0, found.examples]
    assert_allclose(found.intervals, expected)
    selected = mean.select(0.1, alternative="less")[0, found.examples]
    assert_array_equal(found.distinguishable, selected)
    # the targets share their noise, so that a mean is hardly better than one of them
    ratio = mean.standard_error / inference.standard_error.mean(axis=0)
    assert (ratio > 0.9).all()
    frame = found.to_frame()
    assert list(frame) == ["example", "mean_weight", "low", "high", "distinguishable"]
    assert harmful_examples(model, 3).intervals is None


@pytest.mark.filterwarnings("ignore:These weights explain")
def test_marks_are_rarely_false_and_miss_nothing_large():
    false, n_found, null = 0, 0, []
    for seed in range(40):
        model, inference, _ = fitted(seed)
        found = harmful_examples(model, 40, inference=inference)
        marked = found.examples[found.distinguishable]
        true = np.isin(marked, [0, 2])
        false += (~true).sum() / max(len(marked), 1)
        n_found += true.sum()
        model, inference, _ = fitted(seed, n_informative=0)
        null.append(harmful_examples(model, inference=inference).distinguishable.any())
    assert false / 40 < 0.15  # of 0.1
    assert n_found > 0.9 * 80
    assert np.mean(null) < 0.25  # of 0.1


@pytest.mark.filterwarnings("ignore:These weights explain")
def test_intervals_of_the_largest_contain_their_weights():
    inside, plain = [], []
    for seed in range(40):
        model, inference, true = fitted(seed, n_informative=0)
        found = similar_examples(model, 3, inference=inference)
        for columns, ends in (
            (found.positive, found.positive_intervals),
            (found.negative, found.negative_intervals),
        ):
            at = np.arange(6)[:, None], columns
            inside.append((ends[..., 0] < true[at]) & (true[at] < ends[..., 1]))
            usual = inference.interval(0.9)[at]
            plain.append((usual[..., 0] < true[at]) & (true[at] < usual[..., 1]))
    assert np.mean(inside) > 0.9
    assert np.mean(plain) < 0.5  # the winner's curse, which they allow for


@pytest.mark.filterwarnings("ignore:These weights explain")
def test_tables_mark_what_is_distinguishable():
    model, inference, _ = fitted()
    text = repr(similar_examples(model, inference=inference))
    assert "*" in text.split("\n* distinguishable at FDR 0.1")[0]
    text = repr(harmful_examples(model, inference=inference))
    assert text.split("\n")[1].split() == ["row", "mean", "weight", "from", "to"]
    assert (
        "\n* distinguishable at FDR 0.1 (if subsets have a fixed size: from a" in text
    )
    assert "<th>from</th>" in harmful_examples(model, inference=inference)._repr_html_()
    model, inference, _ = fitted(1, n_informative=0)
    text = repr(similar_examples(model, inference=inference))
    assert "No named example is distinguishable at FDR 0.1." in text


def test_bad_inference():
    model, inference, _ = fitted()
    with pytest.raises(TypeError, match="inference must be a WeightInference"):
        similar_examples(model, inference=model)
    for use in similar_examples, affected_targets, harmful_examples:
        with pytest.raises(ValueError, match="about weights of shape"):
            use(model, inference=inference[:3])
