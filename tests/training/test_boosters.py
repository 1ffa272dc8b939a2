"""Boosters on tables: text, categories, missing values, weights, early stopping."""

from inspect import signature

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.influence import cheap_attributions

RNG = np.random.default_rng(0)
N = 150
CODES = np.arange(N) % 3
AGE = 40 + 5.0 * CODES + RNG.normal(0, 4, N)
AGE[::11] = np.nan
TABLE = pd.DataFrame(
    {
        "age": AGE,
        "town": pd.Categorical(
            np.array(["Rome", "Oslo", "Bonn"])[RNG.permutation(CODES)]
        ),
        "height": RNG.normal(170, 10, N),
    }
)
NAMES = np.array(["low", "medium", "high"])[CODES]
TRAIN, TARGETS, VALID = np.split(RNG.permutation(N), [90, 120])


def of(package, **params):
    """Return a classifier of few small trees."""
    if package == "sklearn":
        small = {
            "max_iter": 5,
            "min_samples_leaf": 5,
            "categorical_features": "from_dtype",
        }
        return HistGradientBoostingClassifier(**small | params)
    module = pytest.importorskip(package)
    if package == "lightgbm":
        small = {"n_estimators": 5, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}
        return module.LGBMClassifier(**small | params)
    if package == "xgboost":
        small = {
            "n_estimators": 5,
            "max_depth": 3,
            "n_jobs": 1,
            "enable_categorical": True,
        }
        return module.XGBClassifier(**small | params)
    small = {"n_estimators": 5, "max_depth": 3, "thread_count": 1, "verbose": 0}
    small |= {"allow_writing_files": False, "cat_features": ("town",)}
    return module.CatBoostClassifier(**small | params)


PACKAGES = ["sklearn", "lightgbm", "xgboost", "catboost"]
each = pytest.mark.parametrize("package", PACKAGES)


def parts(y=NAMES, X=TABLE, weight=None):
    weight = None if weight is None else weight[TRAIN]
    return (
        Examples(X.iloc[TRAIN], y[TRAIN], allow_nan=True, sample_weight=weight),
        Examples(X.iloc[TARGETS], y[TARGETS], allow_nan=True),
    )


def trainer(model, *data, **params):
    return SubsetTrainer(model, *data, random_state=0, **params)


def margins(model, y, codes=None):
    """Margins by hand, of a model that was fitted to `codes` or to labels."""
    proba = model.predict_proba(TABLE.iloc[TARGETS])
    own = np.asarray(model.classes_ if codes is None else codes) == y[TARGETS][:, None]
    logs = np.log(proba)
    return logs[own] - np.where(own, -np.inf, logs).max(axis=1)


def by_hand(package, rows, weight=None, **fit_params):
    codes = np.unique(NAMES)
    coded = package == "xgboost" or "eval_y" in fit_params
    y = np.searchsorted(codes, NAMES) if coded else NAMES
    model = of(package, **fit_params.pop("params", {}))
    if package != "sklearn":
        model.set_params(random_state=7)
    else:
        model.random_state = 7
    if "eval_set" in fit_params:
        fit_params["eval_set"] = [(TABLE.iloc[VALID], y[VALID])]
    if "eval_y" in fit_params:
        fit_params["eval_y"] = y[VALID]
    options = {} if weight is None else {"sample_weight": weight[rows]}
    model.fit(TABLE.iloc[rows], y[rows], **options, **fit_params)
    return margins(model, NAMES, codes if coded else None)


@each
@pytest.mark.parametrize("weighted", [False, True])
def test_text_categories_and_missing_values(package, weighted):
    weight = RNG.integers(1, 4, N).astype(float) if weighted else None
    model = of(package, random_state=7)
    runs = trainer(model, *parts(weight=weight)).fit_transform(np.arange(3))
    for mask, outputs in zip(runs.masks, runs.outputs, strict=True):
        expected = by_hand(package, TRAIN[mask], weight)
        assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


@each
@pytest.mark.parametrize("kind", ["bool", "category", "int8", "string"])
def test_labels_of_other_kinds(package, kind):
    y = pd.Series(CODES > 0) if kind == "bool" else pd.Series(NAMES).astype("category")
    y = pd.Series(CODES + 5, dtype="int8") if kind == "int8" else y
    y = y.astype("string") if kind == "string" else y
    train, targets = (
        Examples(TABLE.iloc[rows], y.iloc[rows], allow_nan=True)
        for rows in (TRAIN, TARGETS)
    )
    runs = trainer(of(package, random_state=7), train, targets).fit_transform([0, 1])
    codes = trainer(
        of(package, random_state=7), *parts(np.unique(y, return_inverse=True)[1])
    )
    assert_allclose(runs.outputs, codes.fit_transform([0, 1]).outputs, rtol=1e-4)


@each
def test_labels_of_polars(package):
    pl = pytest.importorskip("polars")
    y = pl.Series(NAMES.tolist())
    for labels in (y, y.cast(pl.Categorical)):
        train, targets = (
            Examples(TABLE.iloc[rows], labels.gather(rows), allow_nan=True)
            for rows in (TRAIN, TARGETS)
        )
        runs = trainer(of(package, random_state=7), train, targets).fit_transform([0])
        expected = trainer(of(package, random_state=7), *parts()).fit_transform([0])
        assert_array_equal(runs.outputs, expected.outputs)


# Arguments of fit


def early(package):
    """Return an estimator, and arguments of its fit, that stop early."""
    eval_set = [(TABLE.iloc[VALID], NAMES[VALID])]
    if package == "lightgbm":
        stop = pytest.importorskip("lightgbm").early_stopping(2, verbose=False)
        X, y = eval_set[0]
        valid = {"eval_X": X, "eval_y": y}
        if "eval_X" not in signature(of(package).fit).parameters:  # before 4.7
            valid = {"eval_set": eval_set}
        return {"n_estimators": 40}, {**valid, "callbacks": [stop]}
    if package == "sklearn":
        X, y = eval_set[0]
        params = {"max_iter": 40, "early_stopping": True, "n_iter_no_change": 2}
        return params, {"X_val": X, "y_val": y}
    if package == "xgboost":
        params = {"n_estimators": 40, "early_stopping_rounds": 2}
        return params, {"eval_set": eval_set, "verbose": False}
    return {"n_estimators": 40, "early_stopping_rounds": 2}, {"eval_set": eval_set}


@each
def test_early_stopping_on_examples_that_no_run_trains_on(package, tmp_path):
    params, fit_params = early(package)
    options = {"fit_params": fit_params, "store": tmp_path, "keep_models": 2}
    model = of(package, random_state=7, **params)
    runs = trainer(model, *parts(), **options).fit_transform(np.arange(2))
    for mask, outputs in zip(runs.masks, runs.outputs, strict=True):
        expected = by_hand(package, TRAIN[mask], params=params, **early(package)[1])
        assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    params, fit_params = early(package)  # made anew, as in another session
    options["fit_params"] = fit_params
    again = trainer(of(package, random_state=7, **params), *parts(), **options)
    assert_array_equal(again.fit_transform(np.arange(2)).outputs, runs.outputs)
    assert len(list(tmp_path.iterdir())) == 1
    # categories of CatBoost have no closed form, nor has scikit-learn's early stopping
    if package in ("lightgbm", "xgboost"):
        assert "boosting_influence" in runs.attributions


def test_another_eval_set_is_another_store(tmp_path):
    params, fit_params = early("xgboost")
    model, data = of("xgboost", random_state=7, **params), parts()
    trainer(model, *data, store=tmp_path, fit_params=fit_params).fit_transform([0])
    (X, y), *_ = fit_params["eval_set"]
    others = fit_params | {"eval_set": [(X, y[::-1])]}
    with pytest.warns(UserWarning, match=r"differ only in fit_params\['eval_set'\]"):
        trainer(model, *data, store=tmp_path, fit_params=others).fit_transform([0])


def test_callbacks_with_a_state_serve_many_threads():
    params, fit_params = early("lightgbm")
    model = of("lightgbm", random_state=7, **params)
    one = trainer(model, *parts(), fit_params=fit_params).fit_transform(np.arange(4))
    from joblib import parallel_config

    with parallel_config("threading"):
        two = trainer(model, *parts(), fit_params=fit_params, n_jobs=2)
        assert_array_equal(two.fit_transform(np.arange(4)).outputs, one.outputs)
    assert not vars(fit_params["callbacks"][0]).get("best_iter")


def test_arguments_of_a_step():
    start = np.full((3, 2), 0.5)
    y = CODES
    X = TABLE[["height", "age"]].fillna(0).to_numpy()
    data = Examples(X[TRAIN], y[TRAIN]), Examples(X[TARGETS], y[TARGETS])
    pipeline = make_pipeline(StandardScaler(), SGDClassifier(max_iter=5, tol=None))
    given = {"sgdclassifier__coef_init": start}
    runs = trainer(pipeline, *data, fit_params=given).fit_transform([0])
    other = trainer(pipeline, *data).fit_transform([0])
    assert np.abs(runs.outputs - other.outputs).max() > 1e-3


@pytest.mark.parametrize(
    ("estimator", "fit_params", "error", "message"),
    [
        (GaussianNB(), {"sample_weight": [1.0]}, ValueError, "belong to the examples"),
        (GaussianNB(), {"y": [1.0]}, ValueError, r"fit_params\['y'\] has a value for"),
        (
            GaussianNB(),
            {"classes": 3},
            TypeError,
            "GaussianNB has no argument 'classes'",
        ),
        (
            make_pipeline(StandardScaler(), Ridge()),
            {"eval_set": []},
            TypeError,
            "no argument 'eval_set'.* For a pipeline, the name is step__argument",
        ),
        (
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__sample_weight": np.ones(90)},
            ValueError,
            "belong to the examples",
        ),
        (lambda rows, seed: None, {"a": 1}, TypeError, "A function has no fit"),
        (GaussianNB(), {1: 2}, TypeError, "names of arguments as keys, got 1"),
    ],
)
def test_bad_arguments_are_refused_before_training(
    estimator, fit_params, error, message
):
    with pytest.raises(error, match=message):
        trainer(estimator, *parts(CODES), fit_params=fit_params).fit([0])


def test_an_estimator_that_cannot_be_cloned_says_what_to_do():
    model = of("catboost", cat_features=["town"])
    with pytest.raises(TypeError, match=r"parameter cat_features.* pass a tuple"):
        trainer(model, *parts()).fit([0])


def test_no_arguments_are_as_none(tmp_path):
    data = parts(X=TABLE[["height"]])
    for fit_params in (None, {}):
        model = trainer(GaussianNB(), *data, store=tmp_path, fit_params=fit_params)
        model.fit_transform([0])
    assert len(list(tmp_path.iterdir())) == 1


def test_arguments_reach_the_models_of_attributions():
    params, fit_params = early("xgboost")
    model, data = of("xgboost", random_state=7, **params), parts()
    found = cheap_attributions(model, *data, fit_params=fit_params, random_state=0)
    assert "boosting_influence" in found
