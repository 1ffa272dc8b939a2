"""Trainer and regressor as parts of scikit-learn's pipelines and searches."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, RunStore, SubsetTrainer
from skdatamodels.metrics import lds_scorer, make_lds_scorer


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return Examples(X[::5], y[::5]), Examples(X[1::15], y[1::15])


def logged_outputs(log, train_indices, seed):
    """A learner that notes each training in a file."""
    with open(log, "a") as file:
        file.write(f"{seed} {len(train_indices)}\n")
    return np.sort(train_indices)[:3].astype(float)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_trains_once_for_each_alpha_and_run(iris, tmp_path, n_jobs):
    train, targets = iris[0], iris[1][:3]
    learner = partial(logged_outputs, str(tmp_path / "log"))
    pipe = make_pipeline(
        SubsetTrainer(learner, train, targets, store=tmp_path / "runs", random_state=0),
        DatamodelRegressor(),
    )
    grid = {
        "subsettrainer__alpha": [0.3, 0.5],
        "datamodelregressor__lam": [0.01, 0.1, 1.0],
    }
    search = GridSearchCV(pipe, grid, cv=3, n_jobs=n_jobs)
    search.fit(np.arange(40))
    trainings = (tmp_path / "log").read_text().splitlines()
    assert len(trainings) == len(set(trainings)) == 2 * 40
    assert search.predict(np.arange(40)).shape == (40, 3)
    assert len((tmp_path / "log").read_text().splitlines()) == 2 * 40


def test_search_equals_search_by_hand(iris):
    train, targets = iris
    trainer = SubsetTrainer(RidgeClassifier(), train, targets, random_state=0)
    lams = [0.001, 0.03, 0.3]
    judges = clone(trainer).set_params(random_state=1).fit_transform(np.arange(30))
    pipe = make_pipeline(trainer, DatamodelRegressor())
    search = GridSearchCV(
        pipe, {"datamodelregressor__lam": lams}, cv=3, scoring=make_lds_scorer(judges)
    ).fit(np.arange(60))
    runs = trainer.fit_transform(np.arange(60))
    folds = np.array_split(np.arange(60), 3)
    by_hand = [
        np.mean(
            [
                make_lds_scorer(judges)(
                    DatamodelRegressor(lam).fit(runs[np.setdiff1d(np.arange(60), fold)])
                )
                for fold in folds
            ]
        )
        for lam in lams
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], by_hand)


def test_search_over_the_estimator_that_is_trained(iris, tmp_path):
    trainer = SubsetTrainer(
        LogisticRegression(), *iris, store=tmp_path / "runs", random_state=0
    )
    pipe = make_pipeline(trainer, DatamodelRegressor(0.01))
    grid = {"subsettrainer__estimator__C": [0.01, 0.3]}
    search = GridSearchCV(pipe, grid, cv=2, scoring=lds_scorer).fit(np.arange(24))
    stores = sorted((tmp_path / "runs").iterdir())
    assert len(stores) == 2
    assert [len(RunStore(store)) for store in stores] == [24, 24]
    best = clone(trainer).set_params(estimator__C=search.best_params_.popitem()[1])
    runs = best.set_params(store=None).fit_transform(np.arange(24))
    expected = DatamodelRegressor(0.01).fit(runs)
    np.testing.assert_array_equal(search.best_estimator_[-1].coef_, expected.coef_)
    assert lds_scorer(search, np.arange(24, 40)) == pytest.approx(
        lds_scorer(expected, best.transform(np.arange(24, 40)))
    )


def test_cross_validation_on_plain_arrays(iris):
    runs = SubsetTrainer(RidgeClassifier(), *iris, random_state=0).fit_transform(
        np.arange(90)
    )
    scores = cross_val_score(
        DatamodelRegressor(0.003), runs.masks, runs.outputs, cv=3, scoring=lds_scorer
    )
    same = cross_val_score(DatamodelRegressor(0.003), runs, cv=3, scoring=lds_scorer)
    np.testing.assert_allclose(scores, same)
    assert scores.mean() > 0.2


def test_clone_pickle_set_output_and_nested_parameters(iris):
    trainer = SubsetTrainer(RidgeClassifier(), *iris, random_state=0)
    pipe = make_pipeline(trainer, DatamodelRegressor(0.01))
    assert clone(pipe)[0].train is trainer.train
    pipe.set_output(transform="pandas").fit(np.arange(30))
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(
        again.predict(np.arange(5)), pipe.predict(np.arange(5))
    )
    other = clone(pipe).set_params(subsettrainer__estimator__alpha=100.0)
    assert trainer.estimator.alpha == 1.0
    difference = other.fit(np.arange(30)).predict([0]) - pipe.predict([0])
    assert np.abs(difference).max() > 0.01
