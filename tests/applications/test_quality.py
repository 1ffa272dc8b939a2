"""Weights that explain nothing are named once; what is known goes with results."""

import warnings

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer, TrainingRuns
from skdatamodels.applications import (
    DatamodelEmbedding,
    DataSupportSearch,
    LeakageDetector,
    affected_targets,
    harmful_examples,
    mean_weights,
    predict_counterfactual,
    predict_support_size,
    similar_examples,
)
from skdatamodels.datasets import make_linear_runs
from skdatamodels.training import ComponentAblation

RUNS, _ = make_linear_runs(300, n_train=20, n_targets=5, random_state=0)
GOOD = DatamodelRegressor(random_state=0).fit(RUNS)
NOISE = np.random.default_rng(0).normal(size=(80, 5))
WEAK = DatamodelRegressor(penalty="l2", random_state=0).fit(
    TrainingRuns(RUNS.packed[:80], NOISE)
)
TRAIN = Examples(np.arange(20.0)[:, None], np.zeros(20))


def margin(rows, seed):
    return np.full(5, len(rows) - 18.0)


def noise_of_run(kept, seed):
    return np.random.default_rng(seed).normal(size=5)


TRAINER = SubsetTrainer(margin, TRAIN, TRAIN[:5], random_state=0)

USES = {
    "similar_examples": similar_examples,
    "affected_targets": affected_targets,
    "mean_weights": lambda w: mean_weights(w, balance=False),
    "harmful_examples": lambda w: harmful_examples(
        w, higher_is_better=True, balance=False
    ),
    "predict_counterfactual": lambda w: predict_counterfactual(w, [[0, 1]]),
    "predict_support_size": lambda w: predict_support_size(w, np.ones(5)),
    "LeakageDetector": LeakageDetector(higher_is_better=True).fit,
    "DatamodelEmbedding": DatamodelEmbedding().fit,
    "DataSupportSearch": DataSupportSearch(
        TRAINER, sizes=[1, 2, 4], n_trials=1, n_bootstraps=2, random_state=0
    ).fit,
}


def warnings_of(use, weights):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use(weights)
    return [w for w in caught if "explain nothing" in str(w.message)]


@pytest.mark.parametrize("name", USES)
def test_weights_that_explain_nothing_are_named_once(name):
    assert np.median(WEAK.held_out_r2_) < 0
    (warning,) = warnings_of(USES[name], WEAK)
    assert warning.category is UserWarning
    assert warning.filename == __file__
    assert f"R² is {np.median(WEAK.held_out_r2_):.2g} or less" in str(warning.message)
    assert len(warnings_of(USES[name], make_pipeline(WEAK))) == 1
    assert not warnings_of(USES[name], GOOD)
    assert not warnings_of(USES[name], WEAK.coef_)


def test_the_advice_fits_the_runs():
    (warning,) = warnings_of(similar_examples, WEAK)
    assert str(warning.message).endswith("not components of a model.")
    ablation = ComponentAblation(
        noise_of_run, 20, target_ids=list("abcde"), random_state=0
    )
    runs = ablation.transform(np.arange(80))
    model = DatamodelRegressor(penalty="l2", random_state=0)
    (warning,) = warnings_of(similar_examples, model.fit(runs))
    assert str(warning.message).endswith("not components of a model.")
    with pytest.raises(ValueError, match="cheap"):  # it would not fit
        DatamodelRegressor(prior="cheap").fit(runs)
    with_prior = DatamodelRegressor(prior=NOISE[:20].T, random_state=0, penalty="l2")
    with_prior.fit(TrainingRuns(RUNS.packed[:80], NOISE))
    (warning,) = warnings_of(similar_examples, with_prior)
    assert str(warning.message).endswith("(judging.plan_runs estimates how many).")


def test_embedding_of_runs_warns_of_its_own_regressor():
    embedding = DatamodelEmbedding(DatamodelRegressor(penalty="l2", random_state=0))
    (warning,) = warnings_of(embedding.fit, TrainingRuns(RUNS.packed[:80], NOISE))
    assert warning.filename == __file__
    assert not warnings_of(embedding.fit, RUNS)


def test_no_warning_if_no_run_was_held_out():
    noise = TrainingRuns(RUNS.packed[:80], NOISE)
    assert not warnings_of(similar_examples, DatamodelRegressor(0.1).fit(noise))


def test_results_carry_the_quality():
    median = np.median(GOOD.held_out_r2_)
    harmful = harmful_examples(GOOD, higher_is_better=True, balance=False)
    line = f"R² of these weights on held-out runs: {median:.2f} (median of targets)"
    for found in (similar_examples(GOOD), affected_targets(GOOD), harmful):
        assert found.quality == median
        assert repr(found).endswith(line)
    for weights in (GOOD.coef_, DatamodelRegressor(0.1).fit(RUNS)):
        found = similar_examples(weights)
        assert np.isnan(found.quality)
        assert repr(found).endswith("metrics.linear_datamodeling_score")
