"""Whether a model is better than guessing: tests of known level and power."""

import re

import numpy as np
import pytest
from scipy.stats import binomtest, mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, mean_squared_error

from skdatamodels import audit
from skdatamodels.auditing._model_score import score_model

N = 100


def draws(n_classes, seed, effect=0.0, shares=None):
    """Return margins and labels, where the model knows its class by `effect`."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_classes, N, p=shares)
    logits = rng.normal(size=(N, n_classes)) + np.log(np.ones(n_classes) / n_classes)
    if shares is not None:
        logits += np.log(shares)
    logits[np.arange(N), truth] += effect
    own = logits[np.arange(N), truth]
    logits[np.arange(N), truth] = -np.inf
    return own - np.log(np.exp(logits).sum(axis=1)), truth


@pytest.mark.parametrize(
    "shares", [[0.5, 0.5], [0.1, 0.9], [1 / 3] * 3, [0.1, 0.2, 0.7]]
)
def test_guesses_are_seldom_called_better(shares):
    scores = [
        score_model(
            "classification", *draws(len(shares), seed, 0, shares), truth(shares)
        )
        for seed in range(300)
    ]
    assert np.mean([score.better for score in scores]) < 0.08


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.1, 0.9], [1 / 3] * 3])
def test_models_that_know_something_are(shares):
    scores = [
        score_model(
            "classification", *draws(len(shares), seed, 2, shares), truth(shares)
        )
        for seed in range(40)
    ]
    assert np.mean([score.better for score in scores]) > 0.95
    assert all(score.message == "" for score in scores if score.better)


def truth(shares):
    """Return training labels with these shares."""
    return np.repeat(
        np.arange(len(shares)), np.round(60 * np.array(shares)).astype(int)
    )


def test_score_and_constant_are_those_of_scikit_learn():
    margin, y = draws(2, 0, 1, [0.3, 0.7])
    score = score_model("classification", margin, y, truth([0.3, 0.7]))
    predicted = np.where(margin > 0, y, 1 - y)
    assert score.score == accuracy_score(y, predicted)
    assert score.constant == accuracy_score(y, np.ones(N))
    assert score.n_rows == N


def test_p_value_is_that_of_mcnemar_where_ranks_say_less():
    # 40 of class 0, the model is right about 36; 60 of class 1, right about 50
    y = np.repeat([0, 1], [40, 60])
    right = np.r_[np.arange(40) < 36, np.arange(60) < 50]
    margin = np.where(right, 1.0, -1.0)
    score = score_model("classification", margin, y, y)
    mcnemar = binomtest(36, 36 + 10, alternative="greater").pvalue
    ranks = mannwhitneyu(margin[:40], -margin[40:], alternative="greater").pvalue
    np.testing.assert_allclose(score.p_value, 2 * min(mcnemar, ranks))


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_values(effect):
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y, prior = rng.normal(5, 2, N), rng.normal(5, 2, 200)
        output = 5 + effect * (y - 5) + rng.normal(0, 2, N)
        found.append(score_model("regression", output, y, prior))
        # the constant does not know the mean of the test rows
        sizes = [mean_squared_error(y, z) for z in (output, np.full(N, prior.mean()))]
        np.testing.assert_allclose(found[-1].score, 1 - sizes[0] / sizes[1])
    share = np.mean([score.better for score in found])
    assert share > 0.95 if effect else share < 0.12


def test_constants_and_missing_outputs():
    y = np.arange(N) % 2
    nothing = score_model("regression", np.full(N, 2.0), y * 1.0, y * 1.0)
    assert not nothing.better
    assert "R² -" in nothing.message
    assert "is no better than guessing: on 100 rows, " in nothing.message
    assert "the mean value has 0.00" in nothing.message
    margin = np.where(np.arange(N) < 50, np.nan, 1.0)
    assert score_model("classification", margin, y, y).n_rows == 50


def test_an_audit_of_guesses_says_so(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(160, 8)), rng.choice(["a", "b"], 160)
    model = LogisticRegression()
    with pytest.warns(UserWarning, match="better than guessing: on 60 rows") as warned:
        found = audit(
            model,
            X[:100],
            y[:100],
            X[100:],
            y[100:],
            groups=np.arange(100) % 10,
            n_runs=50,
            verbose=0,
        )
    assert warned[0].filename == __file__
    assert found.trust.enough  # the weights are right, and the model is not
    assert not found.trust.model.better
    says = "better than guessing"
    assert says in found.trust.message
    assert says in repr(found)
    for what in ("label errors", "harmful rows", "brittle predictions", "groups"):
        assert re.search(rf"{what} +unknown, see below", repr(found))
    facts = found.frames()["trust"]["value"]
    model.fit(X[:100], y[:100])
    np.testing.assert_allclose(facts["accuracy"], model.score(X[100:], y[100:]))
    found.to_html(tmp_path / "page.html")
    assert says in (tmp_path / "page.html").read_text("utf-8")
