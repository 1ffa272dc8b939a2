"""A pipeline with prior="cheap": a learner's attributions inform its datamodels."""

import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, influence
from skdatamodels.influence import cheap_attributions
from skdatamodels.metrics import linear_datamodeling_score
from skdatamodels.training import TorchLearner, _run_training

RNG = np.random.default_rng(0)
Y = np.arange(48) % 2
X = RNG.standard_normal((48, 3)) + Y[:, None]
TRAIN, TARGETS = Examples(X[:40], Y[:40]), Examples(X[40:], Y[40:])


@pytest.fixture
def counts(monkeypatch):
    """Count the runs that are trained and the attributions that are computed."""
    counts = {"runs": 0, "attributions": 0}
    train = _run_training.train_runs

    def counted_runs(learner, masks, seeds, todo, *args, **params):
        counts["runs"] += len(todo)
        return train(learner, masks, seeds, todo, *args, **params)

    def counted_attributions(*args, **params):
        counts["attributions"] += 1
        return cheap_attributions(*args, **params)

    monkeypatch.setattr(_run_training, "train_runs", counted_runs)
    monkeypatch.setattr(influence, "cheap_attributions", counted_attributions)
    return counts


def pipeline(root, estimator=None, **params):
    estimator = LogisticRegression() if estimator is None else estimator
    trainer = SubsetTrainer(
        estimator, TRAIN, TARGETS, store=root, random_state=0, **params
    )
    return make_pipeline(trainer, DatamodelRegressor(prior="cheap", random_state=0))


def test_it_is_the_regression_with_these_attributions_as_prior(tmp_path, counts):
    fitted = pipeline(tmp_path).fit(np.arange(40))
    runs = fitted[0].transform(np.arange(40))
    direct = DatamodelRegressor(prior=dict(runs.attributions), random_state=0).fit(runs)
    np.testing.assert_array_equal(fitted[-1].coef_, direct.coef_)
    assert list(fitted[-1].prior_weights_) == list(runs.attributions)
    again = clone(fitted).fit(np.arange(40))
    np.testing.assert_array_equal(again[-1].coef_, fitted[-1].coef_)
    assert counts == {"runs": 40, "attributions": 1}


def test_few_runs_suffice(tmp_path):
    new = SubsetTrainer(LogisticRegression(), TRAIN, TARGETS, random_state=1)
    new = new.fit_transform(np.arange(200))
    steps = pipeline(tmp_path)
    informed = steps.fit(np.arange(30))[-1]
    plain = (
        clone(steps).set_params(datamodelregressor__prior=None).fit(np.arange(30))[-1]
    )
    lds = [
        linear_datamodeling_score(new.outputs, fitted.predict(new))
        for fitted in (informed, plain)
    ]
    assert lds[0] > max(0.9, lds[1] + 0.1)


def test_a_search_computes_them_once_for_each_alpha(tmp_path, counts):
    grid = {"subsettrainer__alpha": [0.4, 0.6], "datamodelregressor__lam": [0.01, 0.1]}
    search = GridSearchCV(pipeline(tmp_path), grid, cv=2).fit(np.arange(40))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert counts == {"runs": 2 * 40, "attributions": 2}
    again = clone(search).fit(np.arange(40))
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )
    assert counts == {"runs": 2 * 40, "attributions": 2}


def test_folds_share_the_models_that_are_kept(tmp_path, counts):
    steps = pipeline(tmp_path, RandomForestClassifier(5), keep_models=4)
    grid = {"datamodelregressor__lam": [0.01, 0.1]}
    GridSearchCV(steps, grid, cv=2).fit(np.arange(40))
    assert counts == {"runs": 40, "attributions": 1}


def test_a_search_on_the_runs_computes_them_once(counts):
    runs = pipeline(None)[0].fit_transform(np.arange(40))
    grid = {"lam": [0.01, 0.1], "penalty": ["l1", "l2"]}
    GridSearchCV(DatamodelRegressor(prior="cheap"), grid, cv=2).fit(runs, runs.outputs)
    assert counts == {"runs": 40, "attributions": 1}


@pytest.mark.filterwarnings("ignore:.*fewer than 20 runs")
def test_networks_and_functions(tmp_path):
    torch = pytest.importorskip("torch")
    learner = TorchLearner(lambda: torch.nn.Linear(3, 2), epochs=2, batch_size=5)
    fitted = pipeline(tmp_path, learner, keep_models=3).fit(np.arange(30))
    assert any("trak" in name for name in fitted[-1].prior_weights_)

    def constant(train_indices, seed):
        return TRAIN.y[train_indices].mean() + TARGETS.X[:, 0]

    fitted = pipeline(tmp_path, constant).fit(np.arange(30))
    assert np.isfinite(fitted[-1].coef_).all()


KILLED = """
import pickle, sys, time
import numpy as np
from skdatamodels.runs._attribution_files import AttributionFiles
save = AttributionFiles._save
def slow(self, matrix):
    saved = save(self, matrix)
    print("one is written", flush=True)
    time.sleep(60)
AttributionFiles._save = slow
pickle.load(open(sys.argv[1], "rb")).fit(np.arange(30))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_while_attributions_are_written(tmp_path, counts):
    steps, file = pipeline(tmp_path / "root"), tmp_path / "pipeline"
    file.write_bytes(pickle.dumps(steps))
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == b"one is written\n"
        os.killpg(process.pid, signal.SIGKILL)
    resumed = clone(steps).fit(np.arange(30))
    assert counts == {"runs": 0, "attributions": 1}
    runs = steps[0].transform(np.arange(30))
    direct = DatamodelRegressor(prior=dict(runs.attributions), random_state=0).fit(runs)
    np.testing.assert_array_equal(resumed[-1].coef_, direct.coef_)
    assert counts == {"runs": 0, "attributions": 1}
