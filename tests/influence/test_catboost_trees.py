import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.frozen import FrozenEstimator

from skdatamodels.influence import boosting_influence
from skdatamodels.influence._boosted_trees import check_booster, read_boosted_trees
from skdatamodels.influence.adapters import catboost_importance
from skdatamodels.outputs import get_output

catboost = pytest.importorskip("catboost")

RATE, L2 = 0.3, 2.0
OPTIONS = {
    "iterations": 8,
    "depth": 3,
    "learning_rate": RATE,
    "l2_leaf_reg": L2,
    "verbose": 0,
    "thread_count": 1,
    "random_seed": 0,
    "allow_writing_files": False,
}
CASES = pytest.mark.parametrize("n_classes", [0, 2])


def booster(n_classes, **options):
    kind = catboost.CatBoostClassifier if n_classes else catboost.CatBoostRegressor
    return kind(**OPTIONS | options)


@CASES
@pytest.mark.parametrize("boost_from_average", [True, False])
@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Lossguide"])
def test_start_and_values_give_the_scores(
    n_classes, boost_from_average, grow_policy, make_table
):
    train, targets = make_table(n_classes)
    options = {"boost_from_average": boost_from_average, "grow_policy": grow_policy}
    model = booster(n_classes, **options).fit(train.X, train.y)
    trees = read_boosted_trees(model, train.X, targets.X)
    assert trees.fitted_start == boost_from_average
    for X, leaves in ((train.X, trees.train_leaves), (targets.X, trees.target_leaves)):
        scores = trees.start + sum(
            values[leaf]
            for (values,), (leaf,) in zip(trees.values, leaves, strict=True)
        )
        raw = model.predict(X, prediction_type="RawFormulaVal")
        assert_allclose(scores, raw, rtol=1e-9, atol=1e-9)


@CASES
def test_is_what_catboost_computes_from_a_fixed_start(n_classes, make_table):
    train, targets = make_table(n_classes)
    model = booster(n_classes, boost_from_average=False)
    influence = boosting_influence(model, train, targets)
    expected = catboost_importance(model, train, targets)
    assert_allclose(influence, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


@CASES
@pytest.mark.parametrize("subset", [None, np.arange(5, 35)])
def test_is_the_derivative_with_the_splits_fixed(
    n_classes, subset, make_table, refit_leaves, derivative_by_weights
):
    """Leaves by CatBoost itself, their values by hand."""
    train, targets = make_table(n_classes)
    rows = np.arange(40) if subset is None else subset
    model = booster(n_classes, boost_from_average=True)
    influence = boosting_influence(model, train, targets, subset=subset)
    model.fit(train.X.iloc[rows], train.y[rows])
    leaves = [np.asarray(model.calc_leaf_indexes(part.X)) for part in (train, targets)]
    leaves = np.concatenate(leaves).astype(int).T[:, None]
    loss = "log_loss" if n_classes else "squared_error"

    def outputs(change):
        weight = np.isin(np.arange(40), rows) + (change - 1)
        options = {"loss": loss, "rate": RATE, "l2": L2}
        scores = refit_leaves(leaves, train.y[:, None], weight, **options)[40:, 0]
        if n_classes:
            scores = np.c_[np.zeros_like(scores), scores]
        return get_output("margin" if n_classes else "prediction")(scores, targets.y)

    expected = derivative_by_weights(outputs, 40)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leaf_estimation_iterations": 5}, "leaf_estimation_iterations=5"),
        ({"leaf_estimation_method": "Gradient"}, "leaf_estimation_method=Gradient"),
        ({"auto_class_weights": "Balanced"}, "auto_class_weights=Balanced"),
        ({"class_weights": [1, 2]}, "class_weights="),
        ({"scale_pos_weight": 2}, "weight"),
        ({"monotone_constraints": [0, 1, 0]}, "monotone_constraints="),
        ({"langevin": True}, "langevin=1"),
        ({"loss_function": "CrossEntropy"}, "'CrossEntropy' as its objective"),
        ({"objective": "CrossEntropy"}, "'CrossEntropy' as its objective"),
        ({"cat_features": ["a"]}, "cat_features="),
    ],
)
def test_refuses_options_by_name(options, message, make_table):
    """Before the fit, and of a model that is fitted already."""
    train, targets = make_table(2)
    with pytest.raises(ValueError, match=message):
        check_booster(booster(2, **options))
    X = train.X.fillna(0).astype({"a": str}) if "cat_features" in options else train.X
    model = booster(2, **options).fit(X, train.y)
    with pytest.raises(ValueError, match=message):
        boosting_influence(FrozenEstimator(model), train, targets)


def test_lists_that_cannot_be_cloned(make_table):
    """scikit-learn's clone takes CatBoost's copy of a list for a change."""
    train, targets = make_table(0)
    with pytest.raises(TypeError, match="pass a tuple"):
        boosting_influence(booster(0, ignored_features=[1]), train, targets)
    found = boosting_influence(booster(0, ignored_features=(1,)), train, targets)
    assert found.shape == (len(targets), len(train))


def test_refuses_several_classes(make_table):
    with pytest.raises(ValueError, match="'MultiClass' as its objective"):
        boosting_influence(booster(3), *make_table(3))


@CASES
def test_refuses_sample_weights(n_classes, make_table):
    """Nothing records them, but the values of the leaves are others."""
    train, targets = make_table(n_classes)
    model = booster(n_classes)
    model.fit(train.X, train.y, sample_weight=np.arange(40) % 3 + 1)
    with pytest.raises(ValueError, match="leaves of the model do not have the values"):
        boosting_influence(FrozenEstimator(model), train, targets)
