"""Orders against loops that are written here, and against all subsets of few rows."""

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from skdatamodels import DatamodelRegressor, Examples, SubsetTrainer
from skdatamodels.applications import (
    DataSupportSearch,
    RefittedDatamodels,
    adaptive_order,
)
from skdatamodels.datasets import load_digits_examples
from skdatamodels.influence import (
    Attribution,
    knn_shapley,
    logistic_influence,
    ridge_influence,
)

TRAIN, TARGETS = load_digits_examples(n_train=80)
TARGETS = TARGETS[:6]
MODEL = LogisticRegression(max_iter=1000)


def influence_of(train=TRAIN, targets=TARGETS, estimator=MODEL, **params):
    function = logistic_influence if estimator is MODEL else ridge_influence
    params = {"output": "margin"} | params
    return Attribution(function, train, targets, estimator=estimator, **params)


def order_in(weights):
    """Return the positive entries, the highest first."""
    return [np.argsort(-row)[: np.sum(row > 0)].tolist() for row in weights]


def test_order_is_that_of_refits():
    trainer = SubsetTrainer(MODEL, TRAIN, TARGETS, random_state=0)
    weights = adaptive_order(trainer, influence_of(), max_size=15, factor=1)
    for j, order in enumerate(order_in(weights)):
        rows, expected = np.arange(80), []
        while len(expected) < 15:
            model = LogisticRegression(max_iter=1000).fit(TRAIN.X[rows], TRAIN.y[rows])
            if model.predict(TARGETS.X[[j]])[0] != TARGETS.y[j]:
                break
            target = TARGETS[[j]]
            own = logistic_influence(MODEL, TRAIN, target, subset=rows)[0]
            expected.append(rows[np.argmax(own[rows])])
            rows = np.setdiff1d(rows, expected)
        assert order == expected
    assert 0 < min(map(len, order_in(weights)[:2])) < 15


def planted(n_pairs=5):
    """Return pairs of examples that stand in for each other; both carry the target."""
    x = np.vstack([np.eye(n_pairs), np.eye(n_pairs), np.full((2, n_pairs), 0.4)])
    x = np.c_[x, np.repeat([0, 0.2, 0], [n_pairs, n_pairs, 2])]
    train = Examples(x, np.repeat([1, 0], [2 * n_pairs, 2]))
    return train, Examples([np.r_[np.ones(n_pairs), 0]], [1])


def test_pairs_that_stand_in_for_each_other_go_together():
    train, target = planted()
    model = RidgeClassifier(0.3, fit_intercept=False)
    trainer = SubsetTrainer(model, train, target)
    influence = influence_of(train, target, model)
    search = DataSupportSearch(trainer, search="bisection", n_trials=1)
    static = search.fit(influence()).support_size_[0]
    search.fit(adaptive_order(trainer, influence))
    first, second = search.support_indices_[0]
    assert abs(first - second) == 5
    assert search.certified_[0]
    assert static == 4


def test_no_support_is_below_that_of_all_subsets():
    """The smallest of all 4,096 subsets is found more often than by fixed weights."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(42, 4))
    y = (X @ [1, 1, 0.5, 0] + rng.normal(size=42) > 0).astype(int)
    train, targets = Examples(X[:12], y[:12]), Examples(X[12:], y[12:])
    model = RidgeClassifier(1.0)
    trainer = SubsetTrainer(model, train, targets)
    masks = (np.arange(2**12)[:, None] >> np.arange(12)) % 2 == 1
    masks = masks[np.array([len(np.unique(train.y[mask])) == 2 for mask in masks])]
    flips = trainer.transform(masks).outputs < 0
    removed = 12 - masks.sum(axis=1)
    oracle = np.where(flips, removed[:, None], 99).min(axis=0)
    influence = influence_of(train, targets, model)
    weights = {"static": influence(), "adaptive": adaptive_order(trainer, influence)}
    found = {}
    for name, matrix in weights.items():
        order = np.argsort(-matrix, axis=1)
        sizes = np.full(30, 99)
        for j in range(30):
            for size in range(11, -1, -1):
                kept = ~np.isin(np.arange(12), order[j, :size])
                same = (masks == kept).all(axis=1)
                if flips[same, j].any():
                    sizes[j] = size
        found[name] = sizes
        assert (sizes >= oracle).all()
    agree = {name: np.mean(sizes == oracle) for name, sizes in found.items()}
    assert agree["adaptive"] > agree["static"]
    assert agree["adaptive"] > 0.8


def test_callables_get_targets_and_what_remains():
    asked = []

    def learner(rows, seed):
        return np.array([len(rows) - 7.5, len(rows) - 4.5, 1.0])

    def attribution(targets, remaining):
        asked.append((targets.tolist(), remaining.tolist()))
        # what does not remain has the highest weights, and is not taken again
        weights = np.tile(np.arange(10.0), (len(targets), 1))
        return csr_array(np.where(np.isin(np.arange(10), remaining), weights, 99))

    train, targets = Examples(np.eye(10), range(10)), Examples(np.eye(3, 10), range(3))
    trainer = SubsetTrainer(learner, train, targets)
    weights = adaptive_order(trainer, attribution, step=2, max_size=7)
    down = list(range(10))[::-1]
    # flipped after 4 and 6, by steps of 2, and 20 % more, rounded up; never
    assert order_in(weights) == [down[:5], down[:8], down[:7]]
    assert asked[0] == ([0, 1, 2], list(range(10)))
    assert asked[1] == ([0, 1, 2], list(range(8)))
    assert all(len(rows) < 8 for _, rows in asked[2:])


def test_means_over_trials_decide():
    def learner(rows, seed):
        return np.array([len(rows) - 6 + (seed % 100 - 50) / 25])

    train, target = Examples(np.eye(10), range(10)), Examples(np.eye(1, 10), [0])
    trainer = SubsetTrainer(learner, train, target, random_state=0)
    params = {"factor": 1, "n_trials": 200}
    weights = adaptive_order(trainer, lambda *asked: np.ones((1, 10)), **params)
    assert abs(np.sum(weights > 0) - 4.5) < 1


def test_groups_are_summed():
    groups = np.arange(80) // 4
    trainer = SubsetTrainer(MODEL, TRAIN, TARGETS, groups=groups, random_state=0)

    def by_hand(targets, remaining):
        rows = np.flatnonzero(np.isin(groups, remaining))
        own = logistic_influence(MODEL, TRAIN, TARGETS[targets], subset=rows)
        return own.reshape(len(targets), 20, 4).sum(axis=2)

    weights = adaptive_order(trainer, influence_of(), max_size=5)
    assert weights.shape == (6, 20)
    assert_array_equal(weights, adaptive_order(trainer, by_hand, max_size=5))


def test_sparse_influence_is_the_same():
    def sparse(train, targets, estimator, output, subset=None):
        params = {"output": output, "subset": subset}
        return csr_array(logistic_influence(estimator, train, targets, **params))

    trainer = SubsetTrainer(MODEL, TRAIN, TARGETS[:3], random_state=0)
    dense = influence_of(targets=TARGETS[:3])
    one, other = (
        adaptive_order(trainer, influence, step=3, max_size=9)
        for influence in (dense, Attribution(**vars(dense) | {"function": sparse}))
    )
    assert_array_equal(one, other)


def test_workers_change_nothing():
    trainer = SubsetTrainer(MODEL, TRAIN, TARGETS[:3], random_state=0)
    influence = influence_of(targets=TARGETS[:3])
    params = {"step": 3, "max_size": 9}
    one = adaptive_order(trainer, influence, **params)
    with parallel_config("threading"):
        assert_array_equal(adaptive_order(trainer, influence, n_jobs=2, **params), one)


def test_orders_end_where_weights_cannot_be_estimated():
    def attribution(targets, remaining):
        if len(remaining) < 78:
            raise ValueError("a class is missing")
        return np.tile(np.arange(80.0), (len(targets), 1))

    trainer = SubsetTrainer(
        lambda rows, seed: np.ones(6), TRAIN, TARGETS, random_state=0
    )
    with pytest.warns(RuntimeWarning, match="Orders of 6 .* ValueError: a class is m"):
        weights = adaptive_order(trainer, attribution)
    assert order_in(weights) == [[79, 78, 77]] * 6


def test_orders_end_where_training_fails():
    def learner(rows, seed):
        if len(rows) < 75:
            raise ValueError("too few")
        return np.ones(6)

    trainer = SubsetTrainer(learner, TRAIN, TARGETS, random_state=0, retries=0)
    weights = adaptive_order(trainer, lambda targets, rows: np.ones((6, 80)), step=2)
    assert {len(order) for order in order_in(weights)} == {6}


def test_cost_is_stated(capsys):
    trainer = SubsetTrainer(
        lambda rows, seed: np.ones(6), TRAIN, TARGETS, random_state=0, verbose=1
    )
    adaptive_order(trainer, lambda *asked: np.ones((6, 80)), step=4, max_size=10)
    said = capsys.readouterr().err
    assert "at most 3 steps for each of 6 targets" in said


@pytest.mark.parametrize(
    ("attribution", "params", "error", "message"),
    [
        (np.ones((6, 80)), {}, ValueError, "'attribution' parameter"),
        (
            Attribution(knn_shapley, TRAIN, TARGETS),
            {},
            TypeError,
            "knn_shapley has no parameter subset",
        ),
        (
            influence_of(estimator=FrozenEstimator(MODEL)),
            {},
            ValueError,
            "estimator of the attribution is a FrozenEstimator",
        ),
        (
            influence_of(targets=TARGETS[:2]),
            {},
            ValueError,
            "of 2 targets and 80 training examples, but the trainer has 6 and 80",
        ),
        (
            influence_of(output="cross_entropy"),
            {},
            ValueError,
            "output 'cross_entropy', which falls as predictions become better",
        ),
        (
            influence_of(subset=np.arange(9)),
            {},
            ValueError,
            "has a subset, but adaptive_order chooses it",
        ),
        (
            RefittedDatamodels(
                SubsetTrainer(MODEL, TRAIN, TARGETS[:2]), DatamodelRegressor()
            ),
            {},
            ValueError,
            "has 2 targets and 80 columns, but the trainer has 6 and 80",
        ),
        (
            RefittedDatamodels(
                SubsetTrainer(MODEL, TRAIN, TARGETS, output="cross_entropy"),
                DatamodelRegressor(),
            ),
            {},
            ValueError,
            "'cross_entropy', which falls as predictions become better",
        ),
        (
            RefittedDatamodels(TRAIN, DatamodelRegressor()),
            {},
            ValueError,
            "'trainer' parameter of RefittedDatamodels must be an instance of",
        ),
        (influence_of(), {"step": 0}, ValueError, "step"),
        (influence_of(), {"factor": 0.5}, ValueError, "factor"),
    ],
)
def test_bad_input_is_refused_before_training(attribution, params, error, message):
    def learner(rows, seed):
        raise AssertionError("trained")

    with pytest.raises(error, match=message):
        adaptive_order(SubsetTrainer(learner, TRAIN, TARGETS), attribution, **params)


def test_bad_weights_and_outputs_are_refused():
    trainer = SubsetTrainer(lambda rows, seed: np.ones(6), TRAIN, TARGETS)
    with pytest.raises(ValueError, match=r"shape \(6, 80\), .* got shape \(1, 80\)"):
        adaptive_order(trainer, lambda *asked: np.ones((1, 80)))
    with pytest.raises(ValueError, match=r"got shape \(6, 80\) with NaN"):
        adaptive_order(trainer, lambda *asked: np.full((6, 80), np.nan))
    losses = SubsetTrainer(MODEL, TRAIN, TARGETS, output="cross_entropy")
    with pytest.raises(ValueError, match="does not become negative"):
        adaptive_order(losses, influence_of())
