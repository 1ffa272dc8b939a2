import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.frozen import FrozenEstimator

from skdatamodels import Examples
from skdatamodels.influence.adapters import catboost_importance
from skdatamodels.outputs import get_output

catboost = pytest.importorskip("catboost")

RATE, L2 = 0.3, 3.0
OPTIONS = {
    "iterations": 20,
    "depth": 3,
    "learning_rate": RATE,
    "l2_leaf_reg": L2,
    "verbose": 0,
    "thread_count": 1,
    "random_seed": 0,
    "allow_writing_files": False,
}


def regressor(**options):
    return catboost.CatBoostRegressor(**OPTIONS | options)


def classifier(**options):
    return catboost.CatBoostClassifier(**OPTIONS | options)


def problem(regression=False, n_train=60, n_targets=5, labels=("no", "yes")):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_train + n_targets, 4))
    X[::7, 3] = np.nan
    f = X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=len(X))
    y = 1000 + 10 * f if regression else np.array(labels)[(f > 0).astype(int)]
    examples = Examples(X, y, allow_nan=True)
    return examples[:n_train], examples[n_train:]


def measure(model, train, targets, output, weight):
    """Outputs (n_targets,) after Newton steps by hand in the leaves of the model."""
    X, y = np.concatenate([train.X, targets.X]), np.r_[train.y, targets.y]
    n, is_regression = len(train), y.dtype.kind == "f"
    y = y if is_regression else (y == "yes").astype(int)
    raw = np.full(len(X), model.get_scale_and_bias()[1])
    for leaves in np.asarray(model.calc_leaf_indexes(X)).T.astype(int):
        p = expit(raw)
        gradient = y - raw if is_regression else y - p
        hessian = np.ones(len(X)) if is_regression else p * (1 - p)
        sums = [
            np.bincount(leaves[:n], weight * part[:n], minlength=leaves.max() + 1)
            for part in (gradient, hessian)
        ]
        raw += RATE * (sums[0] / (sums[1] + L2))[leaves]
    raw = raw[n:]
    logits = raw if is_regression else np.c_[np.zeros_like(raw), raw]
    return get_output(output)(logits, y[n:])


def derivative(model, train, targets, output, step=1e-4):
    effect = np.empty((len(targets), len(train)))
    for i in range(len(train)):
        change = step * (np.arange(len(train)) == i)
        high, low = (
            measure(model, train, targets, output, 1 + sign * change)
            for sign in (1, -1)
        )
        effect[:, i] = (high - low) / (2 * step)
    return effect


CASES = pytest.mark.parametrize(
    ("make", "output"),
    [
        (regressor, "prediction"),
        (regressor, "squared_error"),
        (classifier, "margin"),
        (classifier, "log_odds"),
        (classifier, "confidence"),
        (classifier, "cross_entropy"),
    ],
)


@CASES
def test_is_the_derivative_with_the_splits_fixed(make, output):
    """Of a mean of y far from 0, too, which CatBoost leaves out of account."""
    train, targets = problem(make is regressor)
    model = make().fit(train.X, train.y)
    influence = catboost_importance(make(), train, targets, output=output)
    expected = derivative(model, train, targets, output)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize("make", [regressor, classifier])
def test_sign_by_training_again(make):
    """Without the examples that raise an output most, it is lower, and vice versa."""
    train, targets = problem(make is regressor)
    sign = 1 if make is regressor else 2 * (targets.y == "yes") - 1
    order = catboost_importance(make(), train, targets).argsort(axis=1)

    def outputs(rows):
        model = make().fit(train.X[rows], train.y[rows])
        return sign * model.predict(targets.X, prediction_type="RawFormulaVal")

    for target in range(len(targets)):
        low, high = (
            outputs(np.sort(rows))[target]
            for rows in (order[target, :-10], order[target, 10:])
        )
        assert low < high


def test_a_model_that_is_fitted_already():
    train, targets = problem()
    model = classifier().fit(train.X, train.y)
    expected = catboost_importance(classifier(), train, targets)
    assert_allclose(
        catboost_importance(FrozenEstimator(model), train, targets), expected
    )


def test_single_point_is_near_and_differs():
    train, targets = problem()
    every, single = (
        catboost_importance(classifier(), train, targets, update_method=method)
        for method in ("AllPoints", "SinglePoint")
    )
    assert 0.5 < np.corrcoef(every.ravel(), single.ravel())[0, 1] < 0.999


def test_categories():
    train, targets = problem()
    parts = []
    for part in (train, targets):
        X = pd.DataFrame(part.X, columns=list("abcd"))
        X["kind"] = np.where(X["a"] > 0, "x", "y")
        parts.append(Examples(X, part.y, allow_nan=True))
    influence = catboost_importance(classifier(cat_features=["kind"]), *parts)
    assert influence.shape == (5, 60)
    same = np.equal.outer(targets.y, train.y)
    assert influence[same].mean() > influence[~same].mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"auto_class_weights": "Balanced"}, "auto_class_weights=Balanced"),
        ({"class_weights": [1, 2]}, "class_weights="),
        ({"scale_pos_weight": 2}, "class_weights="),
        ({"grow_policy": "Lossguide"}, "'SymmetricTree' only"),
        ({"boost_from_average": True}, "boost_from_average=True"),
        ({"model_shrink_rate": 0.1}, "model_shrink_rate=0.1"),
        ({"loss_function": "CrossEntropy"}, "for the loss 'CrossEntropy'"),
    ],
)
def test_refuses_options_by_name(options, message):
    train, targets = problem(labels=(0, 1))
    with pytest.raises(ValueError, match=message):
        catboost_importance(classifier(**options), train[:41], targets)


def test_bad_input():
    train, targets = problem()
    with pytest.raises(ValueError, match="output='prediction' is not known"):
        catboost_importance(classifier(), train, targets, output="prediction")
    with pytest.raises(TypeError, match="str is not a CatBoostClassifier"):
        catboost_importance("x", train, targets)
    model = FrozenEstimator(classifier().fit(train.X[:40], train.y[:40]))
    with pytest.raises(ValueError, match="total weight 40, but the training set has"):
        catboost_importance(model, train, targets)


def test_an_exact_prediction():
    train, targets = problem(regression=True)
    model = regressor().fit(train.X, train.y)
    exact = Examples(targets.X, model.predict(targets.X), allow_nan=True)
    with pytest.raises(ValueError, match="prediction for target 0 is exact"):
        catboost_importance(FrozenEstimator(model), train, exact)


def test_says_how_to_install(monkeypatch):
    train, targets = problem()
    model = classifier()
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(ImportError, match="pip install catboost"):
        catboost_importance(model, train, targets)
