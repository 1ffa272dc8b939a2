import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.frozen import FrozenEstimator

from skdatamodels import Examples
from skdatamodels.influence import boosting_influence
from skdatamodels.influence._boosted_trees import check_booster, read_boosted_trees
from skdatamodels.outputs import get_output

xgboost = pytest.importorskip("xgboost", minversion="3.2")

RATE, L2 = 0.3, 0.7
OPTIONS = {
    "n_estimators": 8,
    "learning_rate": RATE,
    "reg_lambda": L2,
    "max_depth": 3,
    "n_jobs": 1,
    "enable_categorical": True,
}
LOSSES = {0: "squared_error", 2: "log_loss", 3: "softmax"}
STARTS = {0: 5.0, 2: 0.4, 3: 0.5}
CASES = pytest.mark.parametrize("n_classes", [0, 2, 3])


def booster(n_classes, **options):
    kind = xgboost.XGBClassifier if n_classes else xgboost.XGBRegressor
    return kind(**OPTIONS | options)


def added(trees, leaves):
    """Scores (n, n_scores) from the start and the values of the leaves."""
    scores = np.tile(trees.start, (leaves.shape[2], 1))
    for values, of_round in zip(trees.values, leaves, strict=True):
        for k, leaf in enumerate(of_round):
            scores[:, k] += values[k][leaf]
    return scores


def output_of(scores, y, n_classes):
    if not n_classes:
        return get_output("prediction")(scores[:, 0], y)
    if n_classes == 2:
        scores = np.c_[np.zeros(len(scores)), scores]
    return get_output("margin")(scores, y)


@CASES
@pytest.mark.parametrize("categories", [True, False])
@pytest.mark.parametrize("fixed_start", [True, False])
def test_start_and_values_give_the_scores(
    n_classes, categories, fixed_start, make_table
):
    """XGBoost adds them up in float32."""
    train, targets = make_table(n_classes, categories)
    options = {"base_score": STARTS[n_classes]} if fixed_start else {}
    model = booster(n_classes, **options).fit(train.X, train.y)
    trees = read_boosted_trees(model, train.X, targets.X)
    assert trees.fitted_start != fixed_start
    for X, leaves in ((train.X, trees.train_leaves), (targets.X, trees.target_leaves)):
        raw = model.predict(X, output_margin=True).reshape(len(X), -1)
        assert_allclose(added(trees, leaves), raw, rtol=1e-5, atol=1e-5)


@CASES
@pytest.mark.parametrize("subset", [None, np.arange(5, 35)])
@pytest.mark.parametrize("weighted", [False, True])
def test_is_the_derivative_with_the_splits_fixed(
    n_classes, subset, weighted, make_table, refit_leaves, derivative_by_weights
):
    """Leaves by XGBoost itself, their values by hand."""
    train, targets = make_table(n_classes)
    rows = np.arange(len(train)) if subset is None else subset
    w = 0.5 + np.arange(40) % 3 if weighted else np.ones(40)
    if weighted:
        train = Examples(train.X, train.y, allow_nan=True, sample_weight=w)
    influence = boosting_influence(booster(n_classes), train, targets, subset=subset)
    model = booster(n_classes)
    model.fit(train.X.iloc[rows], train.y[rows], sample_weight=w[rows])
    leaves = np.concatenate([model.apply(X) for X in (train.X, targets.X)]).astype(int)
    n_scores = 3 if n_classes == 3 else 1
    leaves = leaves.reshape(46, -1, n_scores).transpose(1, 2, 0)
    z = np.eye(3)[train.y] if n_classes == 3 else train.y[:, None]

    def outputs(change):
        weight = w * (np.isin(np.arange(40), rows) + change - 1)
        options = {"loss": LOSSES[n_classes], "rate": RATE, "l2": L2}
        scale = 2.0 if n_classes == 3 else 1.0
        scores = refit_leaves(leaves, z, weight, scale=scale, **options)
        return output_of(scores[40:], targets.y, n_classes)

    expected = derivative_by_weights(outputs, 40)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-4 * abs(expected).max())


@CASES
def test_is_the_derivative_of_xgboosts_refresh(
    n_classes, make_table, derivative_by_weights
):
    """XGBoost refits the leaves of given trees in float32, from a given start."""
    train, targets = make_table(n_classes)
    model = booster(n_classes, base_score=STARTS[n_classes]).fit(train.X, train.y)
    options = model.get_xgb_params() | {"process_type": "update", "updater": "refresh"}
    options["verbosity"] = 0
    options["min_child_weight"] = 0  # a leaf of one example stays, whatever its weight
    if n_classes == 3:
        options["num_class"] = 3

    data = xgboost.DMatrix(train.X, train.y, nthread=1)
    of_targets = xgboost.DMatrix(targets.X, nthread=1)

    def outputs(weight):
        data.set_weight(weight)
        again = xgboost.train(options, data, 8, xgb_model=model.get_booster().copy())
        scores = again.predict(of_targets, output_margin=True)
        return output_of(scores.reshape(6, -1), targets.y, n_classes)

    influence = boosting_influence(FrozenEstimator(model), train, targets)
    expected = derivative_by_weights(outputs, 40, step=0.02, every=5)
    assert_allclose(
        influence[:, ::5], expected, rtol=0.01, atol=1e-3 * abs(expected).max()
    )


@CASES
def test_sign_by_training_again(n_classes, make_table):
    """Without the examples that raise an output most, it is lower, and vice versa."""
    train, targets = make_table(n_classes, categories=True)
    order = boosting_influence(booster(n_classes), train, targets).argsort(axis=1)

    def outputs(rows):
        rows = np.sort(rows)
        model = booster(n_classes).fit(train.X.iloc[rows], train.y[rows])
        scores = model.predict(targets.X, output_margin=True).reshape(6, -1)
        return output_of(scores, targets.y, n_classes)

    for target in range(len(targets)):
        low, high = (
            outputs(rows)[target] for rows in (order[target, :-8], order[target, 8:])
        )
        assert low < high


def test_labels_need_not_be_codes(make_table):
    train, targets = make_table(2)
    expected = boosting_influence(booster(2), train, targets)
    named = [
        Examples(p.X, np.array(["a", "b"])[p.y], allow_nan=True)
        for p in (train, targets)
    ]
    assert_allclose(boosting_influence(booster(2), *named), expected, rtol=1e-6)


def test_trees_below_the_least_child_weight(make_table):
    """They add 0 whatever the gradients are, so they have no influence."""
    train, targets = make_table(2)
    model = booster(2, min_child_weight=30, base_score=0.4)
    assert not boosting_influence(model, train, targets).any()


def test_trees_that_found_no_split(make_table):
    """Their values are rounding errors of float32, and only the mean counts."""
    train, targets = make_table(0)
    influence = boosting_influence(booster(0, gamma=1e6), train, targets)
    expected = np.tile((train.y - train.y.mean()) / len(train), (len(targets), 1))
    assert_allclose(influence, expected, atol=1e-6)


def test_rounds_after_the_best_are_left_out(make_table):
    train, targets = make_table(2)
    model = booster(2, n_estimators=200, early_stopping_rounds=2)
    model.fit(train.X, train.y, eval_set=[(targets.X, targets.y)], verbose=False)
    assert model.best_iteration < 100
    trees = read_boosted_trees(model, train.X, targets.X)
    assert len(trees.values) == len(trees.train_leaves) == model.best_iteration + 1
    raw = model.predict(targets.X, output_margin=True)
    assert_allclose(added(trees, trees.target_leaves)[:, 0], raw, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"booster": "dart"}, "booster=dart"),
        ({"booster": "gblinear"}, "booster=gblinear"),
        ({"subsample": 0.5}, "subsample=0.5"),
        ({"reg_alpha": 0.1}, "alpha=0.1"),
        ({"alpha": 0.1}, "alpha=0.1"),
        ({"max_delta_step": 1}, "max_delta_step=1"),
        ({"scale_pos_weight": 2}, "scale_pos_weight=2"),
        ({"num_parallel_tree": 2}, "num_parallel_tree=2"),
        ({"monotone_constraints": (0, 1, 0)}, "monotone_constraints="),
        ({"multi_strategy": "multi_output_tree"}, "multi_strategy=multi_output_tree"),
        ({"objective": "binary:hinge"}, "'binary:hinge' as its objective"),
        ({"objective": lambda y, p: (p - y, np.ones_like(p))}, "a function as its"),
    ],
)
def test_refuses_options_by_name(options, message, make_table):
    """Before the fit, and of a model that is fitted already."""
    train, targets = make_table(2)
    with pytest.raises(ValueError, match=message):
        check_booster(booster(2, **options))
    if options.get("booster") == "gblinear":
        options = options | {"max_depth": None}  # of trees only
    model = booster(2, **options).fit(train.X, train.y)
    with pytest.raises(ValueError, match=message):
        boosting_influence(FrozenEstimator(model), train, targets)


def test_refuses_other_classes(make_table):
    with pytest.raises(TypeError, match="XGBRFClassifier has no closed form here"):
        check_booster(xgboost.XGBRFClassifier())
    train, _ = make_table(2)
    model = booster(2).fit(train.X, train.y)
    with pytest.raises(TypeError, match="Booster has no closed form here"):
        check_booster(model.get_booster())


@CASES
def test_refuses_sample_weights(n_classes, make_table):
    """Nothing records them, but the values of the leaves are others."""
    train, targets = make_table(n_classes)
    weight = np.arange(40) % 3 + 1
    model = booster(n_classes).fit(train.X, train.y, sample_weight=weight)
    with pytest.raises(ValueError, match="leaves of the model do not have the values"):
        boosting_influence(FrozenEstimator(model), train, targets)
