"""LightGBM on one thread: the same numbers, wherever it is in an estimator."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdatamodels import Examples, SubsetTrainer
from skdatamodels._one_thread import with_one_thread
from skdatamodels.influence import data_oob, over_subsets
from skdatamodels.outputs import margin, raw_outputs

RNG = np.random.default_rng(0)
N, N_TRAIN = 260, 200
TABLE = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(40, 10, N)),
        "town": pd.Categorical(RNG.choice(["Rome", "Oslo", "Bonn"], N)),
        "height": RNG.normal(170, 10, N),
    }
)
Y = (RNG.normal(size=N) + TABLE["height"] / 10 + (TABLE["town"] == "Oslo") > 17.3) * 1
TRAIN = Examples(TABLE[:N_TRAIN], Y[:N_TRAIN], allow_nan=True)
TARGETS = Examples(TABLE[N_TRAIN:], Y[N_TRAIN:], allow_nan=True)


class LGBMModel(ClassifierMixin, BaseEstimator):
    """Stand-in for a booster of LightGBM that notes its number of threads."""

    seen = []

    def __init__(self, n_jobs=None):
        self.n_jobs = n_jobs

    def fit(self, X, y):
        self.seen.append(self.n_jobs)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.resize(self.classes_, len(X))

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class Derived(LGBMModel):
    """A class of the user's own, made of LightGBM's."""


@pytest.mark.parametrize(
    ("given", "expected"), [(None, 1), (-1, 1), (-2, 1), (0, 0), (1, 1), (3, 3)]
)
@pytest.mark.parametrize("kind", [LGBMModel, Derived])
def test_only_all_cores_become_one(kind, given, expected):
    model = kind(given)
    assert with_one_thread(model).n_jobs == expected
    assert model.n_jobs == given


def test_at_any_depth_and_nowhere_else():
    vote = VotingClassifier(
        [("a", LGBMModel()), ("b", make_pipeline(LGBMModel(-1))), ("c", LGBMModel(2))],
        n_jobs=-1,
    )
    search = GridSearchCV(make_pipeline(vote), {"votingclassifier__voting": ["soft"]})
    params = with_one_thread(search).get_params()
    inner = "estimator__votingclassifier__"
    changed = {f"{inner}a__n_jobs", f"{inner}b__lgbmmodel__n_jobs"}
    for name, value in search.get_params().items():
        if name.endswith("n_jobs"):
            assert params[name] == (1 if name in changed else value)


def test_others_are_returned_as_they_are():
    fitted = LGBMModel().fit([[0.0], [1.0]], [0, 1])
    for model in (
        RandomForestClassifier(n_jobs=-1),
        LGBMModel(2),
        FrozenEstimator(fitted),  # clones share it
    ):
        assert with_one_thread(model) is model
    assert fitted.n_jobs is None


def no_influence(estimator, train, targets, *, subset=None):
    return np.zeros((len(targets), len(train)))


DATA = Examples(np.arange(20.0)[:, None], np.arange(20) % 2)
TRAININGS = {
    "runs": lambda model: SubsetTrainer(model, DATA, DATA).fit_transform([0, 1]),
    "influence": lambda model: over_subsets(no_influence, DATA, DATA, estimator=model),
    "data_oob": lambda model: data_oob(model, DATA, n_estimators=20, random_state=0),
    "bag": lambda model: data_oob(
        BaggingClassifier(model, 20), DATA, n_estimators=None, random_state=0
    ),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_each_training_uses_it(name, monkeypatch):
    monkeypatch.setattr(LGBMModel, "seen", [])
    TRAININGS[name](LGBMModel())
    assert set(LGBMModel.seen) == {1}


@pytest.mark.parametrize(("piped", "n_jobs"), [(False, 1), (True, 1), (False, 2)])
def test_the_bits_are_those_of_a_loop_with_two_threads(piped, n_jobs):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1)
    model.set_params(subsample=0.7, subsample_freq=1, colsample_bytree=0.7)
    for random_state in (0, 1):
        model.set_params(random_state=random_state)
        threads, learner = {"n_jobs": 2}, clone(model)
        if piped:
            columns = make_column_transformer(
                (OneHotEncoder(), ["town"]), ("passthrough", ["age", "height"])
            )
            learner = make_pipeline(columns, learner)
            threads = {"lgbmclassifier__n_jobs": 2}
        trainer = SubsetTrainer(
            learner, TRAIN, TARGETS, n_jobs=n_jobs, random_state=random_state
        )
        runs = trainer.set_params(keep_models=2).fit_transform(np.arange(2))
        for mask, outputs, kept in zip(
            runs.masks, runs.outputs, runs.models, strict=True
        ):
            loop = (
                clone(learner).set_params(**threads).fit(TRAIN.X[mask], TRAIN.y[mask])
            )
            expected = margin(raw_outputs(loop, TARGETS.X), TARGETS.y)
            assert_array_equal(outputs, expected.astype(np.float32))
            booster = kept.model[-1] if piped else kept.model
            assert booster.booster_.params["num_threads"] == 1
            assert_array_equal(
                kept.model.predict_proba(TARGETS.X), loop.predict_proba(TARGETS.X)
            )
