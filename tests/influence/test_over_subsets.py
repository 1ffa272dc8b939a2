from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples
from skdatamodels.influence import (
    knn_shapley,
    logistic_influence,
    over_subsets,
    ridge_influence,
)
from skdatamodels.runs import KeptModel

HALVES = [np.array(subset) for subset in combinations(range(6), 3)]


def _six(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(8, 2))
    y = X @ [1.0, -2.0] + rng.normal(size=8)
    return Examples(X[:6], y[:6]), Examples(X[6:], y[6:])


def _refits(train, targets, subset, step=1e-6):
    """Derivative of ridge predictions by the weight of each example, by refits."""

    def predict(weights):
        model = Ridge().fit(train.X, train.y, sample_weight=weights)
        return model.predict(targets.X)

    base = np.isin(np.arange(6), subset).astype(float)
    unit = step * np.eye(6)
    return np.stack([(predict(base + e) - predict(base)) / step for e in unit], axis=1)


def test_equals_the_expectation_over_all_subsets():
    """20 halves of six examples: inside and outside, each by refits."""
    train, targets = _six()
    models = [KeptModel(Ridge().fit(train.X[s], train.y[s]), s) for s in HALVES]
    options = {"models": models, "output": "prediction"}
    influence = over_subsets(ridge_influence, train, targets, **options)
    expected = np.mean([_refits(train, targets, s) for s in HALVES], axis=0)
    assert_allclose(influence, expected, rtol=1e-3)


def test_many_draws_come_near_the_expectation():
    train, targets = _six()
    options = {"estimator": Ridge(), "output": "prediction", "random_state": 1}
    influence = over_subsets(ridge_influence, train, targets, n_subsets=600, **options)
    matrices = [_refits(train, targets, s) for s in HALVES]
    error = abs(influence - np.mean(matrices, axis=0))
    assert (error < 5 * np.std(matrices, axis=0) / 600**0.5).all()


def test_subset_and_seed_are_functions_of_their_number(make_classification):
    data = make_classification(3)
    options = {"estimator": RidgeClassifier(), "output": "margin", "random_state": 7}
    one, four = (
        over_subsets(ridge_influence, *data, n_subsets=n, **options) for n in (1, 4)
    )
    workers = over_subsets(ridge_influence, *data, n_subsets=4, n_jobs=2, **options)
    assert_allclose(workers, four, rtol=1e-12)
    assert_allclose(one, over_subsets(ridge_influence, *data, n_subsets=1, **options))
    other = over_subsets(
        ridge_influence, *data, n_subsets=4, **options | {"random_state": 8}
    )
    assert abs(other - four).max() > 1e-3
    assert abs(one - four).max() > 1e-3


def test_alpha_is_the_size_of_subsets():
    train, targets = _six()
    seen = []

    def record(estimator, train, targets, *, subset):
        seen.append(subset)
        return np.zeros((len(targets), len(train)))

    options = {"estimator": Ridge(), "n_subsets": 5, "random_state": 0}
    over_subsets(record, train, targets, alpha=1 / 3, **options)
    assert {len(subset) for subset in seen} == {2}
    assert len({tuple(subset) for subset in seen}) > 1


def test_a_pipeline_goes_through_its_last_step(make_classification):
    """Each subset has a scaler of its own; the last step sees what it makes."""
    train, targets = make_classification(3)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    subsets = [np.r_[:20], np.r_[8:30]]
    models = [
        KeptModel(clone(pipeline).fit(train.X[s], train.y[s]), s) for s in subsets
    ]
    influence = over_subsets(logistic_influence, train, targets, models=models)
    expected = []
    for s in subsets:
        scale = StandardScaler().fit(train.X[s]).transform
        parts = [Examples(scale(part.X), part.y) for part in (train, targets)]
        expected.append(logistic_influence(LogisticRegression(), *parts, subset=s))
    assert_allclose(influence, np.mean(expected, axis=0), rtol=1e-6)
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0]}, cv=2)
    search.fit(train.X[:20], train.y[:20])
    found = over_subsets(
        logistic_influence, train, targets, models=[(search, subsets[0])]
    )
    assert_allclose(found, expected[0], rtol=1e-6)


def test_every_class_is_in_each_subset():
    """A class of two examples would be missing in a quarter of the halves."""
    rng = np.random.default_rng(0)
    y = np.r_[np.zeros(9), np.ones(9), [2, 2]].astype(int)
    train = Examples(rng.normal(size=(20, 2)), y)
    influence = over_subsets(
        logistic_influence,
        train,
        train[:3],
        estimator=LogisticRegression(),
        n_subsets=25,
        random_state=0,
    )
    assert np.isfinite(influence).all()


def test_networks_are_scaled_to_one_size(make_module, make_classification):
    """A network whose influence is a thousand times larger has no more weight."""
    torch = pytest.importorskip("torch")
    from skdatamodels.influence import last_layer_influence

    train, targets = make_classification(3)
    modules = [make_module(seed) for seed in (1, 2)]
    with torch.no_grad():  # a fixed layer in front of the last
        modules[1][0].weight *= 1e-3
        modules[1][0].bias *= 1e-3
    subsets = [np.r_[:20], np.r_[8:30]]
    models = [(m.eval(), s) for m, s in zip(modules, subsets, strict=True)]
    influence = over_subsets(
        last_layer_influence, train, targets, models=models, damping=1.0
    )
    parts = [
        last_layer_influence(m, train, targets, damping=1.0, subset=s)
        for m, s in models
    ]
    sizes = [abs(part).mean() for part in parts]
    unit = [part / size for part, size in zip(parts, sizes, strict=True)]
    assert_allclose(influence, np.mean(unit, axis=0) * np.mean(sizes), rtol=1e-10)


def test_a_learner_is_trained(make_module, make_classification):
    pytest.importorskip("torch")
    import torch

    from skdatamodels.influence import trak
    from skdatamodels.training import TorchLearner

    train, targets = make_classification(3)
    train, targets = (Examples(p.X.astype("f4"), p.y) for p in (train, targets))
    learner = TorchLearner(lambda: torch.nn.Linear(4, 3), epochs=2, batch_size=5)
    options = {"estimator": learner, "n_subsets": 2, "random_state": 3}
    influence = over_subsets(trak, train, targets, **options)
    workers = over_subsets(trak, train, targets, n_jobs=2, **options)
    assert_allclose(workers, influence, rtol=1e-4, atol=1e-6)
    assert influence.shape == (8, 30)
    assert (influence != 0).any()


def test_progress(capsys):
    options = {"estimator": Ridge(), "output": "prediction", "n_subsets": 3}
    over_subsets(ridge_influence, *_six(), verbose=1, **options)
    assert "3/3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"function": knn_shapley}, TypeError, "knn_shapley cannot be averaged"),
        ({"estimator": None}, TypeError, r"with fit.*got NoneType.*Or pass models"),
        ({"estimator": Ridge}, TypeError, "estimator must be an estimator"),
        ({"models": []}, ValueError, r"SubsetTrainer\(keep_models=20\)"),
        ({"alpha": 1.0}, ValueError, "'alpha' parameter"),
        ({"alpha": 0.01}, ValueError, "subsets of size 0"),
        (
            {"function": lambda estimator, train, targets, subset, output: np.ones(3)},
            ValueError,
            r"shape \(3,\), but",
        ),
        (
            {
                "function": lambda estimator, train, targets, subset, output: np.full(
                    (2, 6), np.nan
                )
            },
            ValueError,
            "at model 0 is not finite",
        ),
    ],
)
def test_bad_input(options, error, message):
    train, targets = _six()
    given = {"function": ridge_influence, "estimator": Ridge(), "output": "prediction"}
    with pytest.raises(error, match=message):
        over_subsets(train=train, targets=targets, **given | options)
