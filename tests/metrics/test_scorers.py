import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels.metrics import (
    lds_scorer,
    linear_datamodeling_score,
    make_lds_scorer,
)

N_TRAIN, N_TARGETS = 12, 3
WEIGHTS = np.random.default_rng(0).normal(size=(N_TRAIN, N_TARGETS))


def _runs(seed, n_runs, n_train=N_TRAIN, n_targets=N_TARGETS, alpha=0.5):
    rng = np.random.default_rng(seed)
    masks = rng.random((n_runs, n_train)) < alpha
    outputs = masks @ WEIGHTS[:n_train, :n_targets]
    return Runs(masks, outputs + 0.5 * rng.normal(size=outputs.shape))


@dataclass
class Runs:
    """Stand-in for TrainingRuns."""

    masks: np.ndarray
    outputs: np.ndarray

    def __getitem__(self, rows):
        return Runs(self.masks[rows], self.outputs[rows])

    def __len__(self):
        return len(self.masks)

    @property
    def shape(self):
        return self.masks.shape


class Trainer(TransformerMixin, BaseEstimator):
    """Stand-in for SubsetTrainer: run ids become runs."""

    def __init__(self, targets="targets", alpha=0.5):
        self.targets = targets
        self.alpha = alpha

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return _runs(0, 400, alpha=self.alpha)[np.asarray(X)]


class Datamodel(Ridge):
    """Ridge that takes runs."""

    def fit(self, X, y=None):
        return super().fit(X.masks, X.outputs) if y is None else super().fit(X, y)

    def predict(self, X):
        return super().predict(getattr(X, "masks", X))


def _score(datamodel, runs):
    return linear_datamodeling_score(runs.outputs, datamodel.predict(runs.masks))


def test_lds_scorer_with_masks_and_outputs():
    fit, held_out = _runs(1, 100), _runs(2, 50)
    model = make_pipeline(StandardScaler(), Ridge()).fit(fit.masks, fit.outputs)
    expected = _score(model, held_out)
    assert 0.5 < expected < 1
    assert lds_scorer(model, held_out.masks, held_out.outputs) == expected


def test_lds_scorer_with_runs():
    fit, held_out = _runs(1, 100), _runs(2, 50)
    model = Datamodel().fit(fit)
    assert lds_scorer(model, held_out) == _score(model, held_out)


@pytest.mark.parametrize(
    "pipeline",
    [
        make_pipeline(Trainer(), Datamodel()),
        make_pipeline("passthrough", Trainer(), Datamodel()),
        make_pipeline(make_pipeline(Trainer()), Datamodel()),
        make_pipeline(make_pipeline(Trainer(), Datamodel())),
        make_pipeline(Trainer(), make_pipeline(Datamodel())),
    ],
)
def test_both_scorers_find_the_datamodel_in_a_pipeline(pipeline):
    pipeline.fit(np.arange(300))
    reference = Datamodel().fit(_runs(0, 400)[:300])
    held_out = np.arange(300, 400)
    assert lds_scorer(pipeline, held_out) == _score(reference, _runs(0, 400)[300:])
    evaluation = _runs(3, 70, alpha=0.8)
    assert make_lds_scorer(evaluation)(pipeline) == _score(reference, evaluation)


def test_steps_after_training_and_before_the_datamodel_are_kept():
    class Masks(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.outputs_ = X.outputs
            return self

        def transform(self, X):
            return Runs(2.0 * getattr(X, "masks", X), getattr(X, "outputs", None))

    pipeline = make_pipeline(Trainer(), Masks(), Datamodel()).fit(np.arange(300))
    evaluation = _runs(3, 70)
    expected = pipeline[-1].predict(2.0 * evaluation.masks)
    score = make_lds_scorer(evaluation)(pipeline)
    assert score == linear_datamodeling_score(evaluation.outputs, expected)


def test_fixed_runs_with_a_pipeline_on_masks():
    fit, evaluation = _runs(1, 100), _runs(2, 50)
    model = make_pipeline(StandardScaler(), Ridge()).fit(fit.masks, fit.outputs)
    assert make_lds_scorer(evaluation)(model) == _score(model, evaluation)


def test_grid_search_over_alpha_scores_on_common_ground():
    evaluation = _runs(5, 80)
    pipeline = make_pipeline(Trainer(), Datamodel())
    grid = {"trainer__alpha": [0.1, 0.5], "datamodel__alpha": [1.0, 1e6]}
    scorer = make_lds_scorer(evaluation)
    search = GridSearchCV(pipeline, grid, scoring=scorer, cv=3, error_score="raise")
    search.fit(np.arange(60))
    model = search.best_estimator_
    assert scorer(search) == scorer(model) == _score(model[-1], evaluation)
    rows = np.arange(60)
    folds = [rows[rows // 20 != fold] for fold in range(3)]
    for params, mean in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        runs = _runs(0, 400, alpha=params["trainer__alpha"])
        expected = [
            _score(Datamodel(params["datamodel__alpha"]).fit(runs[fold]), evaluation)
            for fold in folds
        ]
        assert mean == pytest.approx(np.mean(expected))


def test_grid_search_with_lds_scorer_on_run_ids():
    pipeline = make_pipeline(Trainer(), Datamodel())
    grid = {"datamodel__alpha": [1.0, 1e6]}
    search = GridSearchCV(pipeline, grid, scoring=lds_scorer, error_score="raise")
    search.fit(np.arange(50))
    held_out = np.arange(300, 400)
    assert lds_scorer(search, held_out) == lds_scorer(search.best_estimator_, held_out)


def test_scorer_pickles_and_prints():
    evaluation = _runs(2, 50)
    scorer = make_lds_scorer(evaluation)
    model = Datamodel().fit(_runs(1, 100))
    assert pickle.loads(pickle.dumps(scorer))(model) == scorer(model)
    assert "50 runs, 12 training examples, 3 targets" in repr(scorer)


def test_one_dimensional_outputs():
    fit, evaluation = _runs(1, 100, n_targets=1), _runs(2, 50, n_targets=1)
    model = Ridge().fit(fit.masks, fit.outputs[:, 0])
    assert make_lds_scorer(evaluation)(model) == _score(model, evaluation)


def test_bad_input():
    model = Datamodel().fit(_runs(1, 100))
    with pytest.raises(ValueError, match=r"12 training examples.* have 7"):
        make_lds_scorer(_runs(2, 50, n_train=7))(model)
    with pytest.raises(ValueError, match=r"3 targets.* have 2"):
        make_lds_scorer(_runs(2, 50, n_targets=2))(model)
    with pytest.raises(TypeError, match=r"masks and outputs.* got ndarray"):
        make_lds_scorer(np.eye(3))
    with pytest.raises(ValueError, match="no true outputs"):
        lds_scorer(model, _runs(1, 100).masks)
    masks, outputs = _runs(1, 100).masks, _runs(1, 100).outputs
    scaled = make_pipeline(StandardScaler(), Ridge()).fit(masks, outputs)
    with pytest.raises(ValueError, match="no true outputs"):
        lds_scorer(scaled, masks)
