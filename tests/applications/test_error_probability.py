"""Probabilities against those of the models that the data were drawn from."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from scipy.stats import norm

from skdatamodels.applications._error_probability import (
    label_log_odds,
    value_log_odds,
)

HALVES = np.array([0.5, 0.5])


@pytest.mark.parametrize(("rates", "slope"), [((0.1, 0.1), 1), ((0.02, 0.15), 3)])
def test_labels_of_a_known_model(rates, slope):
    # rates: of examples of the other class that have the label
    rng = np.random.default_rng(0)
    n = 20_000
    score = 4 * rng.normal(size=n)  # of class 1, out of scale by the slope
    y = rng.random(n) < expit(slope * score)
    lost = np.where(y, rates[0], rates[1])  # to the other label
    wrong = rng.random(n) < lost
    label = y ^ wrong
    log_odds = np.where(label, score, -score)
    found = expit(label_log_odds(log_odds, label.astype(int), HALVES))
    eta = expit(slope * log_odds)
    gained, kept = (
        np.where(label, rates[1], rates[0]),
        1 - np.where(label, rates[0], rates[1]),
    )
    true = gained * (1 - eta) / (gained * (1 - eta) + kept * eta)
    assert_allclose(found.sum(), wrong.sum(), rtol=0.15)
    assert np.abs(found - true).mean() < 0.01
    for label_value in (False, True):
        of_class = label == label_value
        assert_allclose(found[of_class].sum(), wrong[of_class].sum(), rtol=0.3)


def test_few_labels_and_perfect_ones():
    found = expit(label_log_odds(np.full(50, 9.0), np.arange(50) % 2, HALVES))
    assert found.sum() < 0.5
    assert (
        expit(label_log_odds(np.array([2.0]), np.array([0]), np.full(3, 1 / 3)))[0]
        < 0.5
    )
    mixed = np.r_[np.full(49, 9.0), -9.0]
    found = expit(label_log_odds(mixed, np.arange(50) % 2, HALVES))
    assert found[-1] > 0.9 > 0.1 > found[:-1].max()


@pytest.mark.parametrize("rate", [0.0, 0.1])
@pytest.mark.parametrize("slope", [0.5, 2])
def test_labels_of_four_classes_that_overlap(rate, slope):
    # the margins of a rare class are low although all its labels are right
    rng = np.random.default_rng(0)
    n, n_classes = 20_000, 4
    logits = 2 * rng.normal(size=(n, n_classes)) + [1, 1, 0, -2]  # off by the slope
    eta = softmax(slope * logits, axis=1)
    y = (rng.random((n, 1)) > eta.cumsum(axis=1)).sum(axis=1)
    wrong = rng.random(n) < rate
    label = np.where(wrong, (y + rng.integers(1, n_classes, n)) % n_classes, y)
    shares = np.bincount(label) / n
    found = expit(label_log_odds(None, label, shares, logits=logits))
    own = eta[np.arange(n), label]
    gained = rate / (n_classes - 1) * (1 - own)
    true = gained / (gained + (1 - rate) * own)
    assert abs(found.sum() - wrong.sum()) < 0.03 * n
    assert np.abs(found - true).mean() < 0.03


@pytest.mark.parametrize("scale", [0.3, 1])
def test_unsure_predictions_are_no_wrong_labels(scale):
    # every label is right; the scale is that of a calibration that is a bit off
    rng = np.random.default_rng(0)
    sure = np.abs(rng.normal(1.1, 0.2, size=300))
    log_odds = np.where(rng.random(300) < expit(sure), sure, -sure)
    codes = rng.permutation(300) % 2
    found = expit(label_log_odds(scale * log_odds, codes, HALVES))
    assert found.max() < 0.5
    assert found.sum() < 30


@pytest.mark.parametrize("shares", [(0.75, 0.25), (0.5, 0.3, 0.2)])
def test_predictions_that_say_nothing_find_no_wrong_labels(shares):
    # sure of classes that they guess, so they disagree with many labels
    rng = np.random.default_rng(0)
    codes, guesses = rng.choice(len(shares), size=(2, 300), p=shares)
    sure = rng.uniform(1, 9, size=300)
    log_odds = np.where(codes == guesses, sure, -sure)
    found = expit(label_log_odds(log_odds, codes, np.array(shares)))
    assert found.max() < 0.05
    logits = sure[:, None] * (np.arange(len(shares)) == guesses[:, None])
    found = expit(label_log_odds(log_odds, codes, np.array(shares), logits=logits))
    assert found.max() < 0.05
    log_odds = np.where(rng.random(300) < 0.95, sure, -sure)  # with skill, they do
    assert expit(label_log_odds(log_odds, codes, np.array(shares))).max() > 0.9


def test_values_of_a_known_mixture():
    rng = np.random.default_rng(0)
    n = 3000
    scale = np.exp(rng.normal(scale=0.5, size=n))
    is_wrong = rng.random(n) < 0.05
    far = 5 * np.sqrt(rng.chisquare(3, size=n)) * rng.choice([-1, 1], size=n)
    residuals = np.where(is_wrong, far, scale * rng.normal(size=n))
    found = expit(value_log_odds(residuals, 0.1 * scale))
    right = 0.95 * norm.pdf(residuals, scale=scale)
    wrong = 0.05 * (residuals / 5) ** 2 * norm.pdf(residuals, scale=5)
    assert np.abs(found - wrong / (right + wrong)).mean() < 0.02
    assert_allclose(found.sum(), is_wrong.sum(), rtol=0.2)
    unit = 1e6  # of the values: it does not matter
    assert_allclose(
        expit(value_log_odds(unit * residuals, unit * scale)), found, atol=1e-4
    )


def test_wrong_values_that_are_all_far_away_are_counted():
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=1000)
    residuals[:60] += 5 * rng.choice([-1, 1], size=60)
    found = expit(value_log_odds(residuals, np.ones(1000)))
    assert_allclose(found.sum(), 60, rtol=0.4)  # 140 by a normal distribution of these
    assert found[:60].mean() > 0.9


@pytest.mark.parametrize("freedom", [10, 1000])
def test_few_of_the_right_values_are_called_wrong(freedom):
    residuals = np.random.default_rng(0).standard_t(freedom, size=1000)
    assert expit(value_log_odds(residuals, np.ones(1000))).sum() < 15


@pytest.mark.parametrize("freedom", [2.5, 4])
def test_the_largest_residual_is_the_most_suspicious(freedom):
    # with heavy tails, a mixture alone would trust the largest again
    residuals = np.random.default_rng(0).standard_t(freedom, size=400)
    residuals[:3] = [50, 1e3, 1e6]
    found = value_log_odds(residuals, np.ones(400))
    order = np.argsort(np.abs(residuals))
    assert (np.diff(found[order]) >= -1e-9).all()
    assert (found[:3] > 0).all()


def test_values_of_runs_that_agree():
    residuals = np.random.default_rng(0).normal(size=50)
    assert expit(value_log_odds(residuals, np.zeros(50))).sum() < 5
