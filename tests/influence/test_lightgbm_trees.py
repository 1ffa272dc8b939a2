import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.frozen import FrozenEstimator

from skdatamodels import Examples
from skdatamodels.influence import boosting_influence
from skdatamodels.influence._boosted_trees import check_booster, read_boosted_trees
from skdatamodels.outputs import get_output

lightgbm = pytest.importorskip("lightgbm", minversion="4.7")

RATE, L2 = 0.3, 0.7
OPTIONS = {
    "n_estimators": 8,
    "learning_rate": RATE,
    "reg_lambda": L2,
    "num_leaves": 5,
    "min_child_samples": 3,
    "min_data_per_group": 3,
    "n_jobs": 1,
    "verbose": -1,
}
LOSSES = {0: "squared_error", 2: "log_loss", 3: "softmax"}
CASES = pytest.mark.parametrize("n_classes", [0, 2, 3])


def booster(n_classes, **options):
    kind = lightgbm.LGBMClassifier if n_classes else lightgbm.LGBMRegressor
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
@pytest.mark.parametrize("boost_from_average", [True, False])
@pytest.mark.parametrize("categories", [True, False])
def test_start_and_values_give_the_scores(
    n_classes, boost_from_average, categories, make_table
):
    train, targets = make_table(n_classes, categories)
    model = booster(n_classes, boost_from_average=boost_from_average)
    model.fit(train.X, train.y)
    trees = read_boosted_trees(model, train.X, targets.X)
    assert trees.fitted_start == boost_from_average
    for X, leaves in ((train.X, trees.train_leaves), (targets.X, trees.target_leaves)):
        raw = model.predict(X, raw_score=True).reshape(len(X), -1)
        assert_allclose(added(trees, leaves), raw, rtol=1e-12, atol=1e-12)


@CASES
def test_start_is_the_best_constant(n_classes, make_table):
    train, targets = make_table(n_classes)
    model = booster(n_classes).fit(train.X, train.y)
    share = np.bincount(train.y) / len(train) if n_classes else train.y.mean()
    best = {0: lambda: share, 2: lambda: np.log(share[1] / share[0])}
    expected = best.get(n_classes, lambda: np.log(share))()
    start = read_boosted_trees(model, train.X, targets.X).start
    assert_allclose(start, np.atleast_1d(expected), rtol=1e-6)


@CASES
@pytest.mark.parametrize("subset", [None, np.arange(5, 35)])
@pytest.mark.parametrize("weighted", [False, True])
def test_is_the_derivative_with_the_splits_fixed(
    n_classes, subset, weighted, make_table, refit_leaves, derivative_by_weights
):
    """Leaves by LightGBM itself, their values by hand."""
    train, targets = make_table(n_classes)
    rows = np.arange(len(train)) if subset is None else subset
    w = 0.5 + np.arange(40) % 3 if weighted else np.ones(40)
    if weighted:
        train = Examples(train.X, train.y, allow_nan=True, sample_weight=w)
    influence = boosting_influence(booster(n_classes), train, targets, subset=subset)
    model = booster(n_classes).fit(train.X.iloc[rows], train.y[rows], w[rows])
    leaves = [model.predict(X, pred_leaf=True) for X in (train.X, targets.X)]
    n_scores = max(n_classes, 1) if n_classes != 2 else 1
    leaves = np.concatenate(leaves).reshape(46, -1, n_scores).transpose(1, 2, 0)
    z = np.eye(3)[train.y] if n_classes == 3 else train.y[:, None]

    def outputs(change):
        weight = w * (np.isin(np.arange(40), rows) + change - 1)
        options = {"loss": LOSSES[n_classes], "rate": RATE, "l2": L2}
        scale = 1.5 if n_classes == 3 else 1.0
        scores = refit_leaves(leaves, z, weight, scale=scale, **options)
        return output_of(scores[40:], targets.y, n_classes)

    expected = derivative_by_weights(outputs, 40)
    assert_allclose(influence, expected, rtol=1e-3, atol=1e-4 * abs(expected).max())


@CASES
def test_is_the_derivative_of_lightgbms_refit(
    n_classes, make_table, derivative_by_weights
):
    """LightGBM refits leaves in float32, and cannot subtract a start again."""
    train, targets = make_table(n_classes)
    model = booster(n_classes, boost_from_average=False).fit(train.X, train.y)

    def outputs(weight):
        refit = model.booster_.refit(train.X, train.y, decay_rate=0.0, weight=weight)
        scores = refit.predict(targets.X, raw_score=True).reshape(6, -1)
        return output_of(scores, targets.y, n_classes)

    influence = boosting_influence(FrozenEstimator(model), train, targets)
    expected = derivative_by_weights(outputs, 40, step=0.01, every=5)
    assert_allclose(
        influence[:, ::5], expected, rtol=0.01, atol=1e-3 * abs(expected).max()
    )


@CASES
def test_sign_by_training_again(n_classes, make_table):
    """Without the examples that raise an output most, it is lower, and vice versa."""
    train, targets = make_table(n_classes, categories=True)
    model = booster(n_classes, n_estimators=20)
    order = boosting_influence(model, train, targets).argsort(axis=1)

    def outputs(rows):
        rows = np.sort(rows)
        again = booster(n_classes, n_estimators=20)
        again.fit(train.X.iloc[rows], train.y[rows])
        scores = again.predict(targets.X, raw_score=True).reshape(6, -1)
        return output_of(scores, targets.y, n_classes)

    for target in range(len(targets)):
        low, high = (
            outputs(rows)[target] for rows in (order[target, :-8], order[target, 8:])
        )
        assert low < high


def test_labels_are_names(make_table):
    train, targets = make_table(3)
    names = np.array(["x", "b", "m"])  # sorted, they have another order
    named = [Examples(p.X, names[p.y], allow_nan=True) for p in (train, targets)]
    influence = boosting_influence(booster(3), *named)
    assert_allclose(
        influence, boosting_influence(booster(3), train, targets), atol=1e-6
    )


@pytest.mark.parametrize("boost_from_average", [True, False])
def test_trees_that_found_no_split(boost_from_average, make_table):
    """They do not follow the gradients: only the share of the class counts."""
    train, targets = make_table(2)
    model = booster(2, min_child_samples=30, boost_from_average=boost_from_average)
    influence = boosting_influence(model, train, targets)
    mean = train.y.mean()
    of_log_odds = (train.y - mean) / (mean * (1 - mean) * len(train))
    assert_allclose(influence, np.outer(2 * targets.y - 1, of_log_odds), rtol=1e-6)


def test_rounds_after_the_best_are_left_out(make_table):
    train, targets = make_table(2)
    model = booster(2, n_estimators=200)
    stop = lightgbm.early_stopping(2, verbose=False)
    model.fit(train.X, train.y, eval_X=targets.X, eval_y=targets.y, callbacks=[stop])
    assert model.best_iteration_ < 100
    trees = read_boosted_trees(model, train.X, targets.X)
    assert len(trees.values) == len(trees.train_leaves) == model.best_iteration_
    raw = model.predict(targets.X, raw_score=True)
    assert_allclose(added(trees, trees.target_leaves)[:, 0], raw)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boosting_type": "dart"}, "boosting=dart"),
        ({"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1}, "boosting=rf"),
        ({"data_sample_strategy": "goss"}, "data_sample_strategy=goss"),
        ({"subsample": 0.5, "subsample_freq": 1}, "bagging_fraction=0.5"),
        ({"linear_tree": True}, "linear_tree=1"),
        ({"reg_alpha": 0.1}, "lambda_l1=0.1"),
        ({"max_delta_step": 0.5}, "max_delta_step=0.5"),
        ({"path_smooth": 1.0}, "path_smooth=1"),
        ({"monotone_constraints": [0, 1, 0]}, "monotone_constraints"),
        ({"use_quantized_grad": True}, "use_quantized_grad=1"),
        ({"class_weight": "balanced"}, "class_weight=balanced"),
        ({"is_unbalance": True}, "is_unbalance=1"),
        ({"scale_pos_weight": 2.0}, "scale_pos_weight=2"),
        ({"objective": "cross_entropy"}, "'cross_entropy' as its objective"),
        ({"objective": lambda y, p: (p - y, np.ones_like(p))}, "a function as its"),
    ],
)
def test_refuses_options_by_name(options, message, make_table):
    """Before the fit, and of a model that is fitted already."""
    train, targets = make_table(2)
    with pytest.raises(ValueError, match=message):
        check_booster(booster(2, **options))
    model = booster(2, **options).fit(train.X, train.y)
    with pytest.raises(ValueError, match=message):
        boosting_influence(FrozenEstimator(model), train, targets)


def test_refuses_another_name_of_an_option_after_the_fit(make_table):
    train, targets = make_table(2)
    model = booster(2, reg_alpha=None, lambda_l1=0.1)
    with pytest.raises(ValueError, match=r"lambda_l1=0\.1"):
        boosting_influence(model, train, targets)


def test_refuses_other_classes(make_table):
    with pytest.raises(TypeError, match="LGBMRanker has no closed form here"):
        check_booster(lightgbm.LGBMRanker())
    train, _ = make_table(2)
    model = booster(2).fit(train.X, train.y)
    with pytest.raises(TypeError, match="Booster has no closed form here"):
        check_booster(model.booster_)


@CASES
def test_refuses_sample_weights(n_classes, make_table):
    """Nothing records them, but the values of the leaves are others."""
    train, targets = make_table(n_classes)
    weight = np.arange(40) % 3 + 1
    model = booster(n_classes).fit(train.X, train.y, sample_weight=weight)
    with pytest.raises(ValueError, match="leaves of the model do not have the values"):
        boosting_influence(FrozenEstimator(model), train, targets)
