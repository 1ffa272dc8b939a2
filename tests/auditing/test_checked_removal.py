"""What the removal check says in words, and which half says it."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.applications import removal_check
from skdatamodels.auditing._checked_removal import (
    removal_by_halves,
    removal_frame,
    removal_in_words,
)


class Known:
    """Judged rows whose benefit is known."""

    def __init__(self, trainer, order):
        self.judges = np.ones(len(trainer.targets), dtype=bool)
        self.targets = np.arange(len(trainer.targets))
        self.order = order

    def mean_benefit(self, among):
        self.among = among
        benefit = np.ones(30)
        benefit[self.order] = -np.arange(len(self.order), 0, -1)
        return benefit


@pytest.fixture
def trainer():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    y = X.sum(axis=1) + 0.1 * rng.normal(size=90)
    y[:6] += 8
    return SubsetTrainer(Ridge(0.1), Examples(X[:30], y[:30]), Examples(X[30:], y[30:]))


def test_the_half_that_does_not_judge_chooses_order_and_size(trainer):
    judged = Known(trainer, np.arange(12))
    check, order, size = removal_by_halves(trainer, judged, [2, 6, 12], 0)
    assert order[:12].tolist() == list(range(12))
    assert len(check.targets) == 30
    assert not np.isin(check.targets, judged.among).any()
    errors = {}
    for n_removed in (2, 6, 12):
        model = Ridge(0.1).fit(trainer.train.X[n_removed:], trainer.train.y[n_removed:])
        error = (model.predict(trainer.targets.X) - trainer.targets.y) ** 2
        errors[n_removed] = error[judged.among]
        at = np.flatnonzero(check.size == n_removed)[0]
        np.testing.assert_allclose(check.score[at], error[check.targets].mean(), 1e-5)
    best = min(errors, key=lambda n_removed: errors[n_removed].mean())
    model = Ridge(0.1).fit(trainer.train.X, trainer.train.y)
    before = ((model.predict(trainer.targets.X) - trainer.targets.y) ** 2)[judged.among]
    limit = errors[best].mean() + (errors[best] - before).std(ddof=1) / np.sqrt(30)
    assert size == min(n for n, error in errors.items() if error.mean() <= limit)
    alone = removal_check(
        trainer, np.arange(30), [2, 6, 12], targets=check.targets, random_state=0
    )
    first = check.removed == "first"
    np.testing.assert_allclose(check.change_error[first], alone.change_error[first])
    frame = removal_frame(check)  # roots, which are as clear as squares
    ratio = frame["change"][1:] / frame["change_error"][1:]
    np.testing.assert_allclose(ratio, check.change[1:] / check.change_error[1:])
    message = removal_in_words(check, size)
    assert message.startswith(
        f"Without the worst {size} rows, root mean squared error on 30 judged rows goes"
    )
    assert "margin" not in message


@pytest.fixture
def check():
    """Return a check of a classifier on ten targets, without its scores."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), np.arange(50) % 2
    data = Examples(X[:40], y[:40]), Examples(X[40:], y[40:])
    trainer = SubsetTrainer(LogisticRegression(), *data, fast=False)
    return removal_check(trainer, np.arange(5), [5], n_trials=1, random_state=0)


@pytest.mark.parametrize(
    ("change", "output", "says"),
    [
        (
            0.1,
            1.5,
            r"goes from 0.800 to 0.900 \(\+0.1, standard error 0.03\); without as ma",
        ),
        (0.02, 1.5, r"is not clearly better than before: 0.820 \(\+0.02, standard"),
        (
            0.0,
            1.5,
            r"is no better than before: 0.800 \(\+0, .* rises from 1.00 to 1.50\.$",
        ),
        (-0.1, 0.5, r"is no better than before: 0.700 \(-0.1, standard error 0.03\)"),
        (
            0.1,
            0.5,
            r"goes from 0.800 .* margin, by which rows are ranked, falls from 1.00 to",
        ),
    ],
)
def test_gains_and_their_errors_in_words(check, change, output, says):
    check = replace(
        check,
        score=np.array([0.8, 0.8 + change, 0.78]),
        change=np.array([0, change, -0.02]),
        change_error=np.array([0, 0.03, 0.03]),
        output=np.array([1.0, output, 0.9]),
    )
    message = removal_in_words(check, 5)
    start = r"^Without the worst 5 rows, accuracy on 10 judged rows "
    with pytest.raises(RuntimeError, match=start + says):
        raise RuntimeError(message)
    assert ("margin" in message) == ((change > 0) != (output > 1))
