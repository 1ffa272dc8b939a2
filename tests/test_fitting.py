"""Weights of examples: repeated rows, and clear errors where they cannot be used."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdatamodels import Examples, SubsetTrainer
from skdatamodels._fitting import weight_name
from skdatamodels.influence import (
    boosting_influence,
    cheap_attributions,
    forest_influence,
    knn_shapley,
    logistic_influence,
    over_subsets,
    ridge_influence,
    ridge_leave_one_out,
)
from skdatamodels.training._learners.fast_paths import FAST_LEARNERS

RNG = np.random.default_rng(0)
CODES = np.arange(60) % 3
X = RNG.normal(size=(60, 3)) + CODES[:, None]
Y = np.array(["a", "b", "c"])[CODES]
VALUES = X @ [1.0, 2.0, 3.0] + RNG.normal(size=60)
WEIGHT = np.arange(30) % 4
REPEATED = np.repeat(np.arange(30), WEIGHT)
SEED = {"random_state": 0}


def parts(y=Y, weight=None):
    return Examples(X[:30], y[:30], sample_weight=weight), Examples(X[30:], y[30:])


def repeated(y=Y):
    return Examples(X[REPEATED], y[REPEATED]), Examples(X[30:], y[30:])


def outputs(estimator, train, targets, masks):
    return SubsetTrainer(estimator, train, targets, **SEED).fit_transform(masks).outputs


TIGHT = LogisticRegression(tol=1e-10, max_iter=1000)
EXACT = {
    "ridge": (Ridge(), VALUES),
    "ridge classifier": (RidgeClassifier(), Y),
    "logistic": (TIGHT, Y),
    "naive Bayes": (GaussianNB(), Y),
    "search": (GridSearchCV(TIGHT, {"C": [1.0]}, cv=2), Y),
    "transformed": (
        TransformedTargetRegressor(Ridge(), func=np.sinh, inverse_func=np.arcsinh),
        VALUES / 9,
    ),
}


@pytest.mark.parametrize(("estimator", "y"), EXACT.values(), ids=EXACT)
def test_a_weight_of_two_is_a_row_twice(estimator, y):
    masks = np.random.default_rng(1).random((4, 30)) < 0.7
    weighted = outputs(estimator, *parts(y, WEIGHT), masks)
    assert_allclose(
        weighted,
        outputs(estimator, *repeated(y), masks[:, REPEATED]),
        rtol=1e-4,
        atol=1e-4,
    )
    assert np.abs(weighted - outputs(estimator, *parts(y), masks)).max() > 1e-2


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=30, max_size=30), st.data())
def test_any_whole_weights_are_repeated_rows(weight, data):
    weight = np.array(weight)
    weight[:2] = 1
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=30, max_size=30)))
    mask[:2], mask[2] = True, False
    rows = np.repeat(np.arange(30), weight)
    again = Examples(X[rows], VALUES[rows]), parts(VALUES)[1]
    assert_allclose(
        outputs(Ridge(), *parts(VALUES, weight), mask[None]),
        outputs(Ridge(), *again, mask[None, rows]),
        rtol=1e-4,
        atol=1e-4,
    )


def test_weights_of_one_change_nothing_but_the_identity(tmp_path):
    ones = parts(weight=np.ones(30))
    for estimator in (RidgeClassifier(), TIGHT, DecisionTreeClassifier()):
        masks = np.random.default_rng(1).random((3, 30)) < 0.7
        assert_allclose(
            outputs(estimator, *ones, masks),
            outputs(estimator, *parts(), masks),
            rtol=1e-4,
            atol=1e-5,
        )
    trainer = SubsetTrainer(GaussianNB(), *ones, store=tmp_path, **SEED)
    trainer.fit_transform([0])
    with pytest.warns(UserWarning, match="differ only in train"):
        trainer.set_params(train=parts()[0]).fit_transform([0])
    assert len(list(tmp_path.iterdir())) == 2


def test_weights_reach_the_last_step_whatever_the_configuration():
    pipeline = make_pipeline(StandardScaler(), make_pipeline(TIGHT))
    assert weight_name(pipeline) == "pipeline__logisticregression__sample_weight"
    mask = np.arange(30)[None] > 4
    weighted = outputs(pipeline, *parts(weight=WEIGHT), mask)
    with sklearn.config_context(enable_metadata_routing=True):
        assert_array_equal(outputs(pipeline, *parts(weight=WEIGHT), mask), weighted)
    scaler = StandardScaler().fit(X[5:30])  # without weights
    scaled = Examples(scaler.transform(X[:30]), Y[:30], sample_weight=WEIGHT)
    targets = Examples(scaler.transform(X[30:]), Y[30:])
    assert_allclose(outputs(TIGHT, scaled, targets, mask), weighted, rtol=1e-5)


def test_estimators_without_weights_are_refused_before_training():
    for estimator in (
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
    ):
        trainer = SubsetTrainer(estimator, *parts(weight=WEIGHT))
        with pytest.raises(TypeError, match="fit of KNeighborsClassifier takes none"):
            trainer.fit([0])
        assert SubsetTrainer(estimator, *parts()).fit([0])


def test_networks_refuse_weights():
    torch = pytest.importorskip("torch")
    from skdatamodels.training import TorchLearner

    learner = TorchLearner(lambda: torch.nn.Linear(3, 3), epochs=1, batch_size=4)
    with pytest.raises(ValueError, match="TorchLearner cannot use sample_we"):
        SubsetTrainer(learner, *parts(weight=WEIGHT)).fit([0])


# Influence: that of a weighted row is the sum over its copies

LINEAR = {
    "logistic": (logistic_influence, TIGHT, Y, {"output": "margin"}),
    "ridge": (ridge_influence, Ridge(), VALUES, {"output": "squared_error"}),
    "classifier": (ridge_influence, RidgeClassifier(), Y, {"output": "margin"}),
}


def over_copies(matrix):
    return np.stack([matrix[:, i == REPEATED].sum(axis=1) for i in range(30)], axis=1)


@pytest.mark.parametrize(
    ("function", "model", "y", "params"), LINEAR.values(), ids=LINEAR
)
def test_influence_with_weights(function, model, y, params):
    found = function(model, *parts(y, WEIGHT), **params)
    expected = over_copies(function(model, *repeated(y), **params))
    assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert not found[:, WEIGHT == 0].any()


def test_leaving_out_a_weighted_example_is_a_refit():
    train, targets = parts(VALUES, WEIGHT)
    effect = ridge_leave_one_out(Ridge(), train, targets, output="prediction")
    full = Ridge().fit(train.X, train.y, WEIGHT).predict(targets.X)
    for i in (0, 3, 17):
        rest = np.delete(np.arange(30), i)
        without = Ridge().fit(train.X[rest], train.y[rest], WEIGHT[rest])
        assert_allclose(effect[:, i], full - without.predict(targets.X), atol=1e-8)


def test_other_influence_functions_refuse_weights():
    data = parts(weight=WEIGHT)
    for compute in (
        lambda: forest_influence(DecisionTreeClassifier(), *data),
        lambda: knn_shapley(*data),
        lambda: over_subsets(
            forest_influence, *data, estimator=DecisionTreeClassifier(), n_subsets=1
        ),
    ):
        with pytest.raises(ValueError, match="cannot use sample_weight"):
            compute()


def test_cheap_attributions_leave_out_what_cannot_use_weights():
    found = cheap_attributions(GaussianNB(), *parts(weight=WEIGHT), random_state=0)
    assert "logistic C=1.0" in found
    assert "sample_weight" in found.failed["knn_shapley"]
    matrix = found["logistic C=1.0"]
    assert not matrix[:, WEIGHT == 0].any()
    data = parts(weight=WEIGHT)
    with pytest.warns(
        UserWarning, match="forest_influence, the attribution that suits"
    ):
        cheap_attributions(RandomForestClassifier(5), *data, random_state=0)
    own = cheap_attributions(TIGHT, *data, random_state=0)
    expected = logistic_influence(TIGHT, *data)
    assert_allclose(own["logistic_influence"], expected, rtol=1e-3, atol=1e-5)


def test_copies_with_another_label_keep_their_weights():
    heavy = np.ones(30)
    heavy[4] = 50.0  # its copy moves the model more than any other's
    trainer = SubsetTrainer(RidgeClassifier(), *parts(weight=heavy), **SEED)
    from skdatamodels.applications._edits import Edits

    sets = np.eye(30, dtype=bool)[[4, 7]]
    edits = Edits(trainer, sets, np.array(["c", "c"]))
    copied = edits.trainer.train.sample_weight[30:]
    assert sorted(copied) == [1.0, 50.0]


def boosters():
    bins = {"max_iter": 4, "max_depth": 2, "min_samples_leaf": 1}
    yield "histogram", HistGradientBoostingRegressor(**bins)
    small = {"n_estimators": 4, "max_depth": 2, "min_child_weight": 0, "n_jobs": 1}
    yield "xgboost", lambda m: m.XGBClassifier(**small, random_state=0)
    yield "xgboost", lambda m: m.XGBRegressor(**small, random_state=0)


@pytest.mark.parametrize(("package", "make"), boosters())
def test_influence_on_boosters_with_weights(package, make):
    model = make
    if package == "xgboost":
        model = make(pytest.importorskip(package))
    y = Y if is_classifier(model) else VALUES
    # all rows have some weight, since splits are halfway between rows, used or not
    weight = 1 + WEIGHT % 3
    rows = np.repeat(np.arange(30), weight)
    again = Examples(X[rows], y[rows]), parts(y)[1]
    found = boosting_influence(model, *parts(y, weight))
    copies = boosting_influence(model, *again)
    expected = np.stack([copies[:, rows == i].sum(axis=1) for i in range(30)], axis=1)
    assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    assert np.abs(found - boosting_influence(model, *parts(y))).max() > 1e-2


def test_catboost_refuses_weights():
    catboost = pytest.importorskip("catboost")
    model = catboost.CatBoostRegressor(verbose=0)
    with pytest.raises(ValueError, match="closed form of CatBoost cannot use sample_w"):
        boosting_influence(model, *parts(VALUES, 1 + WEIGHT))


@pytest.mark.parametrize("package", ["lightgbm", "xgboost"])
def test_cheap_attributions_of_boosters_use_weights(package):
    module = pytest.importorskip(package)
    kind = module.LGBMClassifier if package == "lightgbm" else module.XGBClassifier
    quiet = {"verbose": -1} if package == "lightgbm" else {}
    model = kind(n_estimators=3, n_jobs=1, **quiet)
    found = cheap_attributions(model, *parts(weight=1 + WEIGHT), random_state=0)
    assert "boosting_influence" in found


# Fast paths

FAST = [
    (Ridge(), VALUES),
    (Ridge(fit_intercept=False), VALUES),
    (RidgeClassifier(), Y),
    (LogisticRegression(tol=1e-8), Y),
    (LogisticRegression(tol=1e-8, fit_intercept=False), np.where(CODES > 0, "u", "v")),
]


@pytest.mark.parametrize(("estimator", "y"), FAST, ids=str)
@given(scale=st.floats(0.05, 20))
@settings(max_examples=5, deadline=None)
def test_fast_paths_use_weights(estimator, y, scale):
    weight = scale * (0.1 + np.arange(30) % 4)
    trainer = SubsetTrainer(estimator, *parts(y, weight), **SEED)
    masks = np.random.default_rng(1).random((5, 30)) < 0.7
    learner = trainer._learner()
    assert isinstance(learner, FAST_LEARNERS)
    if hasattr(learner, "prepare"):
        learner.prepare()
    together = learner.train_many(masks, np.zeros(5, int))
    assert np.isfinite(together).all()  # the fast path gave these, not a fit of each
    plain = trainer.set_params(fast=False).fit_transform(masks).outputs
    assert_allclose(together, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("estimator", "y"), FAST[:1] + FAST[3:4], ids=str)
def test_a_subset_without_weight_is_left_to_the_estimator(estimator, y):
    learner = SubsetTrainer(
        estimator, *parts(y, np.arange(30) >= 10.0), **SEED
    )._learner()
    if hasattr(learner, "prepare"):
        learner.prepare()
    together = learner.train_many(np.arange(30)[None] < 10, np.zeros(1, int))
    assert np.isnan(together).all()
