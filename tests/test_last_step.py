"""What pipelines and searches end in, however they hold each other."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels._last_step import chosen_by_search, last_step

X = np.random.default_rng(0).normal(size=(12, 2))


def pipeline(inner):
    return make_pipeline(StandardScaler(), inner)


def search(inner):
    name = "alpha" if isinstance(inner, Ridge) else "ridge__alpha"
    return GridSearchCV(inner, {name: [0.5]}, cv=2)


@pytest.mark.parametrize(
    ("given", "inner"),
    [
        (Ridge(), lambda e: e),
        (pipeline(Ridge()), lambda e: e[-1]),
        (pipeline(pipeline(Ridge())), lambda e: e[-1][-1]),
        (search(Ridge()), lambda e: e.best_estimator_),
        (search(pipeline(Ridge())), lambda e: e.best_estimator_[-1]),
        (pipeline(search(Ridge())), lambda e: e[-1].best_estimator_),
        (
            pipeline(search(pipeline(Ridge()))),
            lambda e: e[-1].best_estimator_[-1],
        ),
    ],
)
def test_last_step_at_any_depth(given, inner):
    assert isinstance(last_step(given), Ridge)
    given.fit(X, X[:, 0])
    assert last_step(given) is inner(given)
    assert hasattr(last_step(given), "coef_")


def test_search_that_kept_no_estimator():
    given = GridSearchCV(Ridge(), {"alpha": [0.5, 1]}, refit=False).fit(X, X[:, 0])
    assert last_step(given) is given.estimator
    assert chosen_by_search(given) is given


@pytest.mark.parametrize("kind", [FixedThresholdClassifier, TunedThresholdClassifierCV])
def test_a_choice_of_threshold_has_the_scores_of_its_estimator(kind):
    given = kind(pipeline(LogisticRegression()))
    assert last_step(given) is given.estimator[-1]
    given.fit(X, np.arange(12) % 2)
    assert last_step(given) is given.estimator_[-1]
    assert last_step(pipeline(given)) is given.estimator_[-1]


@pytest.mark.parametrize("given", [X, None, "text", [1.0]], ids=type)
def test_what_is_no_estimator_stays(given):
    assert last_step(given) is given
