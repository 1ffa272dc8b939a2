"""The law against simulated ridge regressions; time and noise of known learners."""

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.judging import CostEstimate, estimate_cost, plan_runs
from skdatamodels.judging._estimate_cost import explained, runs_for

TRAIN = Examples(np.arange(2000.0)[:, None], np.arange(2000) % 2)


def trainer_of(estimator, **params):
    return SubsetTrainer(estimator, TRAIN, TRAIN[:50], random_state=0, **params)


@pytest.mark.parametrize(("n_runs", "share"), [(150, 0.5), (300, 0.8), (900, 0.8)])
def test_the_share_explained_is_that_of_the_best_ridge(n_runs, share):
    rng, d, n_targets = np.random.default_rng(0), 300, 40
    weights = rng.normal(size=(d, n_targets))
    noise = np.sqrt(d / 4 * (1 - share) / share)  # masks have variance 1/4

    def draw(n):
        masks = (rng.random((n, d)) < 0.5) - 0.5
        return masks, masks @ weights + noise * rng.normal(size=(n, n_targets))

    (X, Y), (Z, T) = draw(n_runs), draw(2000)
    found = max(
        1 - ((T - Ridge(strength).fit(X, Y).predict(Z)) ** 2).mean() / T.var()
        for strength in noise**2 * np.array([0.5, 1, 2])
    )
    assert_allclose(explained(n_runs, d, share), found, atol=0.03)


def test_limits_of_the_law():
    assert explained(1, 1e6, 0.9) < 1e-4
    assert_allclose(explained(1e9, 1e3, 0.9), 0.9, rtol=1e-4)
    shares = [explained(m, 500, 0.7) for m in (50, 100, 500, 5000)]
    assert (np.diff(shares) > 0).all()
    assert_allclose(runs_for(shares[2], 500, 0.7), 500, rtol=1e-3)
    assert runs_for(0.7, 500, 0.7) == np.inf
    assert runs_for(0.01**2, 40, 0.7) == 1  # one run explains more


@pytest.mark.parametrize("wanted", [0.1, 0.05, 0.01])
def test_a_low_score_needs_few_runs(wanted):
    trainer = SubsetTrainer(LogisticRegression(), TRAIN[:80], TRAIN[:5])
    needed = estimate_cost(trainer, wanted=wanted, seconds_per_run=1.0).n_needed
    assert needed[0] == 1
    assert 1 <= needed[1] < 10


def test_twenty_thousand_rows_and_fifty_targets():
    X = np.zeros((20_000, 1))
    train = Examples(X, np.arange(20_000) % 2)
    trainer = SubsetTrainer(RandomForestClassifier(), train, train[:50])
    found = estimate_cost(trainer, seconds_per_run=6.0, budget=7200)
    assert isinstance(found, CostEstimate)
    assert (found.n_train, found.n_targets, found.n_affordable) == (20_000, 50, 1200)
    assert np.isnan(found.noise_share)
    assert_allclose(found.seconds, 6.0 * found.n_runs)
    assert (found.lds[:, 0] < found.lds[:, 1]).all()
    assert (np.diff(found.lds, axis=0) > 0).all()
    assert found.n_needed[0] > found.n_affordable  # even if all goes well
    text = repr(found)
    assert "2 h pay for 1,200 runs" in text
    assert "prior='cheap'" in text
    assert "Groups of 3 examples" in text
    half = SubsetTrainer(RandomForestClassifier(), train, train[:50], n_jobs=2)
    both = estimate_cost(half, seconds_per_run=6.0, budget=7200)
    assert both.n_affordable == 2 * found.n_affordable


def test_time_and_noise_are_measured():
    trained = []

    def learner(rows, seed, noise=0.0):
        trained.append(rows)
        time.sleep(0.3)
        rng = np.random.default_rng(seed)
        return rows[:50] * 1.0 + noise * rng.normal(size=50)

    found = estimate_cost(trainer_of(learner))
    assert len(trained) == 3
    assert 0.25 < found.seconds_per_run < 5
    assert found.noise_share == 0


def test_noise_is_the_share_of_the_seed():
    def learner(rows, seed):
        by_rows, by_seed = (
            np.random.default_rng(part).normal(size=2000) for part in (rows[:9], seed)
        )
        return by_rows + 0.5 * by_seed

    found = estimate_cost(SubsetTrainer(learner, TRAIN, TRAIN, random_state=0))
    assert_allclose(found.noise_share, 0.2, atol=0.03)
    assert (found.lds**2 < 1 - found.noise_share).all()


@pytest.mark.parametrize(
    ("estimator", "advice"),
    [
        (LogisticRegression(), "influence.logistic_influence is nearly exact"),
        (SVC(), "prior='cheap' uses attributions of other models"),
        (RandomForestClassifier(), "With keep_models=20 and prior='cheap'"),
    ],
)
def test_advice_suits_the_learner(estimator, advice):
    text = repr(estimate_cost(trainer_of(estimator), seconds_per_run=60.0))
    assert advice in text
    cheap = estimate_cost(trainer_of(estimator), seconds_per_run=1e-4, wanted=0.3)
    assert len(cheap.advice) == isinstance(estimator, LogisticRegression)


def test_nothing_is_written_to_the_store(tmp_path):
    trainer = trainer_of(LogisticRegression(), store=tmp_path / "runs", keep_models=3)
    estimate_cost(trainer)
    assert not list(tmp_path.iterdir())


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="wanted"):
        estimate_cost(trainer_of(SVC()), wanted=1.5)
    with pytest.raises(ValueError, match="trainer"):
        estimate_cost(SVC())
    with pytest.raises(ValueError, match="runs"):
        plan_runs(trainer_of(SVC()))


def test_few_targets_do_not_tell_the_noise():
    def learner(rows, seed):  # nothing but noise
        return np.random.default_rng([rows[0], seed]).normal(size=5)

    trainer = SubsetTrainer(learner, TRAIN, TRAIN[:5], random_state=0)
    found = estimate_cost(trainer, wanted=0.3)
    assert np.isnan(found.noise_share)
    assert np.isfinite(found.n_needed).all()

    def exact(rows, seed):
        return rows[:5] * 1.0

    trainer = SubsetTrainer(exact, TRAIN, TRAIN[:5], random_state=0)
    assert estimate_cost(trainer).noise_share == 0
