from functools import partial
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.applications import DataSupportSearch, predict_support_size
from skdatamodels.applications._support_curve import (
    bootstrap_support,
    zero_of_curves,
)
from skdatamodels.training import TorchLearner

# A learner whose output is a sum: the weights are the truth, so the top of the order
# is the smallest support, which all 2^n subsets are asked about.


def additive(train_indices, seed, *, weights, bias, noise=0.0):
    outputs = weights[:, train_indices].sum(axis=1) + bias
    return outputs + noise * np.random.default_rng(seed).normal(size=len(outputs))


def _problem(n_targets=8, n_train=11, seed=0, noise=0.0, least=-9, **parameters):
    rng = np.random.default_rng(seed)
    weights = rng.normal(0.3, 1, size=(n_targets, n_train)).round(3).clip(least)
    bias = np.linspace(-0.6, 8, n_targets) - weights.sum(axis=1)
    examples = Examples(np.zeros((n_train, 1)), np.arange(n_train) % 2)
    targets = Examples(np.zeros((n_targets, 1)), np.zeros(n_targets))
    learner = partial(additive, weights=weights, bias=bias, noise=noise)
    trainer = SubsetTrainer(learner, examples, targets, random_state=0, **parameters)
    return trainer, weights, bias


def _true_supports(weights, bias):
    """Size of the smallest removal that turns the output negative, and all such."""
    n_train = len(weights)
    for size in range(n_train):
        flips = [
            set(removed)
            for removed in combinations(range(n_train), size)
            if np.delete(weights, list(removed)).sum() + bias < 0
        ]
        if flips:
            return size, flips
    return np.nan, []


@pytest.mark.parametrize(
    ("search", "sizes", "least"),
    # bisection needs outputs that fall all the way: no negative weights
    [("grid", np.arange(1, 11), -9), ("bisection", [10], 0), ("bisection", [3, 9], 0)],
)
@pytest.mark.parametrize("matrix", [np.asarray, csr_array])
@pytest.mark.parametrize("seed", range(2))
def test_finds_what_enumeration_of_all_subsets_finds(
    search, sizes, least, matrix, seed
):
    trainer, weights, bias = _problem(seed=seed, least=least)
    found = DataSupportSearch(
        trainer, search=search, sizes=sizes, n_trials=1, factor=1, n_bootstraps=9
    ).fit(matrix(weights))
    truth = [_true_supports(*pair) for pair in zip(weights, bias, strict=True)]
    sizes = np.array([size for size, _ in truth])
    assert len(set(sizes)) > 2
    assert_array_equal(found.support_size_, sizes)
    assert_array_equal(predict_support_size(matrix(weights), found.control_), sizes)
    assert_array_equal(found.predicted_size_, sizes)
    for indices, (size, flips) in zip(found.support_indices_, truth, strict=True):
        assert (indices is None) == np.isnan(size)
        if size == 0:
            assert indices.size == 0
        elif indices is not None:
            assert set(indices.tolist()) in flips
    assert_array_equal(found.certified_, ~np.isnan(sizes))
    assert_array_equal(found.censored_, np.isnan(sizes))
    # without randomness there is nothing to be unsure of
    known = ~found.censored_
    assert_array_equal(found.support_interval_[known, 0], sizes[known])


def test_smallest_support_of_a_trained_model_is_never_larger():
    """With a real learner the search bounds the truth, and meets it with the truth."""
    rng = np.random.default_rng(1)
    train = Examples(rng.normal(size=(10, 2)) + np.arange(10)[:, None] % 2, [0, 1] * 5)
    targets = Examples(rng.normal(size=(6, 2)) + np.arange(6)[:, None] % 2, [0, 1] * 3)
    trainer = SubsetTrainer(RidgeClassifier(), train, targets, random_state=0)
    removals = [
        list(removed) for size in range(7) for removed in combinations(range(10), size)
    ]
    masks = np.ones((len(removals), 10), dtype=bool)
    for mask, removed in zip(masks, removals, strict=True):
        mask[removed] = False
    outputs = trainer.fit_transform(masks).outputs
    best = [removals[row] for row in (outputs < 0).argmax(axis=0)]
    oracle = np.zeros((6, 10))
    for row, removed in zip(oracle, best, strict=True):
        row[removed] = 1
    search = DataSupportSearch(trainer, sizes=np.arange(1, 7), n_trials=1, factor=1)
    sizes = np.array([len(removed) for removed in best])
    assert sizes.max() > 1
    assert_array_equal(search.fit(oracle).support_size_, sizes)
    other = search.fit(rng.random((6, 10)))
    assert (np.nan_to_num(other.support_size_, nan=np.inf) >= sizes).all()


# Sparse weights, which run out


def _sparse(weights, n_kept):
    """Keep the few largest weights of each target."""
    least = np.sort(weights, axis=1)[:, [-n_kept]]
    return np.where(weights >= least, weights, 0)


@pytest.mark.parametrize("matrix", [np.asarray, csr_array])
def test_fallback_orders_what_sparse_weights_leave_open(matrix):
    """With the truth behind them, two weights find what all subsets say."""
    trainer, weights, bias = _problem(least=0)
    truth = [_true_supports(*pair) for pair in zip(weights, bias, strict=True)]
    search = DataSupportSearch(trainer, sizes=np.arange(1, 11), n_trials=1, factor=1)
    sparse = matrix(_sparse(weights, 2))
    found = clone(search).set_params(fallback=matrix(weights)).fit(sparse)
    assert_array_equal(found.support_size_, [size for size, _ in truth])
    for indices, (_, flips) in zip(found.support_indices_, truth, strict=True):
        assert indices is None or len(indices) == 0 or set(indices.tolist()) in flips
    assert_array_equal(found.n_ranked_, 2)
    by_chance = clone(search).set_params(fallback="random").fit(sparse)
    assert np.nansum(by_chance.support_size_) > np.nansum(found.support_size_)
    assert_array_equal(
        by_chance.support_size_,
        clone(search).set_params(fallback="random").fit(sparse).support_size_,
    )


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_without_weights_the_closest_of_the_class_go_first(n_neighbors):
    """So the smallest support of a nearest-neighbour classifier is met exactly."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)) * [1, 1000], np.arange(12) % 2
    x[:, 0] += y
    x /= x.std(axis=0)  # the search must see distances as the classifier does
    shuffled = rng.permutation(12)
    train = Examples(x[shuffled], y[shuffled])
    targets = Examples(rng.normal(size=(6, 2)), [0, 1] * 3)
    trainer = SubsetTrainer(
        KNeighborsClassifier(n_neighbors), train, targets, random_state=0
    )
    sizes, n_most = [], 6  # so that both classes stay
    for target in range(6):
        distances = np.linalg.norm(train.X - targets.X[target], axis=1)

        def is_wrong(removed, target=target, distances=distances):
            left = np.setdiff1d(range(12), removed)
            nearest = left[np.argsort(distances[left])[:n_neighbors]]
            return (train.y[nearest] == targets.y[target]).mean() < 0.5

        sizes.append(
            next(
                size
                for size in range(n_most)
                if any(is_wrong(list(r)) for r in combinations(range(12), size))
            )
        )
    assert len(set(sizes)) > 2
    search = DataSupportSearch(trainer, sizes=np.arange(1, 6), n_trials=1, factor=1)
    found = search.fit(np.zeros((6, 12)))
    assert_array_equal(found.support_size_, sizes)
    assert_array_equal(found.n_ranked_, 0)


def test_the_last_of_a_class_stays():
    """No binary classifier can be trained without a class: closeness leaves one."""
    x = np.arange(12.0)[:, None]
    train = Examples(x, [0] * 3 + [1] * 9)
    trainer = SubsetTrainer(
        LogisticRegression(), train, Examples([[0.0]], [0]), random_state=0, retries=0
    )
    search = DataSupportSearch(trainer, sizes=[8], n_trials=1, factor=1)
    assert 8 in search.fit(np.zeros((1, 12))).trials_[0]


def test_a_set_that_cannot_be_trained_ends_the_search_of_its_target_alone():
    x = np.arange(12.0)[:, None]
    train, targets = Examples(x, [0] * 3 + [1] * 9), Examples([[0.0], [11.0]], [0, 1])
    trainer = SubsetTrainer(
        LogisticRegression(), train, targets, random_state=0, retries=0
    )
    search = DataSupportSearch(trainer, sizes=[3], n_trials=1, factor=1)
    with pytest.warns(RuntimeWarning, match="runs failed"):
        search.fit(np.array([train.y == 0, train.y == 1], float))
    assert search.status_[0] == "training failed"
    assert search.status_[1] in ("certified", "not certified", "sizes ran out")
    assert [sorted(trials) for trials in search.trials_] == [[0], [0, 3]]
    alone = DataSupportSearch(
        clone(trainer).set_params(targets=targets[:1]), sizes=[3], n_trials=1
    )
    with pytest.warns(RuntimeWarning, match="No run succeeded"):
        assert alone.fit((train.y == 0)[None]).status_.tolist() == ["training failed"]


def test_status_says_what_became_of_each_target():
    values = np.array([[3.0, 2, 1, 0.5, 0, 0, 0, 0, 0, 0]])
    train = Examples(np.zeros((10, 1)), np.arange(10) % 2)

    def status(bias, weights=values, sizes=(2,), **params):
        learner = partial(additive, weights=values, bias=np.array([bias]))
        trainer = SubsetTrainer(learner, train, Examples([[0.0]], [0]), random_state=0)
        params = {"n_trials": 1, "factor": 1} | params
        searched = DataSupportSearch(trainer, sizes=list(sizes), **params).fit(weights)
        (word,) = searched.status_
        assert searched.censored_.tolist() == [word not in found]
        return str(word)

    found = {"wrong already", "certified", "not certified"}
    assert status(-7.0) == "wrong already"
    assert status(-3.0) == "certified"
    assert status(-1.0) == "sizes ran out"
    assert status(-1.0, sizes=(4,)) == "certified"
    assert status(1.0, sizes=(4,)) == "sizes ran out"
    assert status(1.0, sizes=(5,)) == "weights ran out"
    assert status(-1.0, _sparse(values, 1), (2,)) == "weights ran out"
    assert status(-1.0, values * -1, sizes=(2,)) == "weights ran out"
    assert status(-1.0, values - 9, sizes=(2,)) == "sizes ran out"  # no weight is zero
    assert status(1.0, sizes=(9,)) == "never flips"
    # found between two sizes, but by a line that is not there
    late = np.r_[np.zeros(6), 1, 1, np.zeros(4)]
    train = Examples(np.zeros((12, 1)), np.arange(12) % 2)
    values = late[None]
    assert status(-1.5, -np.arange(12.0)[None], (8,), n_certifications=1) == (
        "not certified"
    )


def test_target_that_no_size_flips_has_no_number():
    trainer, weights, bias = _problem()
    searched = DataSupportSearch(trainer, sizes=[1], n_trials=1).fit(weights)
    after = weights.sum(axis=1) + bias - weights.max(axis=1)
    assert searched.censored_.any()
    assert_array_equal(searched.censored_, after >= 0)
    for target in np.flatnonzero(searched.censored_):
        assert np.isnan(searched.support_size_[target])
        assert np.isnan(searched.certified_size_[target])
        assert searched.support_indices_[target] is None
        assert not searched.certified_[target]
        assert searched.largest_size_[target] == 1
        assert searched.status_[target] == "sizes ran out"
        assert_array_equal(searched.support_interval_[target], np.inf)


def test_misclassified_target_needs_nothing_removed():
    trainer, weights, bias = _problem()
    wrong = weights.sum(axis=1) + bias < 0
    assert wrong.any()
    searched = DataSupportSearch(trainer, n_trials=1).fit(weights)
    assert_array_equal(searched.support_size_ == 0, wrong)
    assert searched.certified_[wrong].all()
    assert all(
        list(t) == [0] for t, w in zip(searched.trials_, wrong, strict=True) if w
    )


def test_certified_by_training_without_more():
    """Weights that are wrong past the third example certify nothing."""
    values = np.r_[np.ones(4), -np.ones(4), np.zeros(2)]
    train = Examples(np.zeros((10, 1)), np.arange(10) % 2)
    learner = partial(additive, weights=values[None], bias=np.array([-2.5 + 0.4]))
    trainer = SubsetTrainer(learner, train, Examples([[0.0]], [0]), random_state=0)
    scores = -np.arange(10.0)[None]
    values[:] = np.r_[1, 1, -5, np.zeros(6), 5.2]
    searched = DataSupportSearch(trainer, n_trials=1, sizes=[2], factor=1).fit(scores)
    assert searched.support_size_ == 1
    assert searched.certified_size_ == 1
    assert searched.certified_
    searched = DataSupportSearch(trainer, n_trials=1, sizes=[2], factor=3).fit(scores)
    assert searched.certified_size_ == 3
    assert searched.support_size_ == 1
    assert not searched.certified_


def test_size_that_failed_is_fitted_anew():
    """Linear between the sizes tried, the first guess is short of the truth."""
    values = np.r_[np.zeros(6), 1, 1, np.zeros(4)]  # nothing happens before the 7th
    train = Examples(np.zeros((12, 1)), np.arange(12) % 2)
    learner = partial(additive, weights=values[None], bias=np.array([-1.5]))
    trainer = SubsetTrainer(learner, train, Examples([[0.0]], [0]), random_state=0)
    search = DataSupportSearch(trainer, n_trials=1, sizes=[8], factor=1)
    scores = -np.arange(12.0)[None]
    once = clone(search).set_params(n_certifications=1).fit(scores)
    # from .5 to -1.5 over eight examples: the line is negative after the second
    assert once.support_size_ == 3
    assert not once.certified_
    fitted = search.set_params(n_certifications=4).fit(scores)
    assert fitted.certified_
    assert 7 <= fitted.support_size_ <= 8
    assert fitted.trials_[0][3] == 0.5


def test_certified_by_seeds_that_the_search_has_not_used():
    seeds = {}

    def noted(train_indices, seed):
        seeds.setdefault(12 - len(train_indices), []).append(seed)
        return [1.5 - 12 + len(train_indices)]

    train = Examples(np.zeros((12, 1)), np.arange(12) % 2)
    trainer = SubsetTrainer(noted, train, Examples([[0.0]], [0]), random_state=0)
    search = DataSupportSearch(trainer, n_trials=3, sizes=[2, 4], factor=2)
    searched = search.fit(-np.arange(12.0)[None])
    assert searched.support_size_ == 2
    assert searched.certified_size_ == 4
    assert searched.certified_
    assert len(set(seeds[4])) == 3  # the grid had stopped at 2
    seeds.clear()
    searched = search.set_params(factor=1).fit(-np.arange(12.0)[None])
    assert searched.certified_size_ == 2
    assert len(set(seeds[2])) == 6
    assert len(searched.trials_[0][2]) == 3


def test_weights_may_be_of_any_kind_of_number():
    trainer, weights, _ = _problem()
    search = DataSupportSearch(trainer, n_trials=1)
    for matrix in (weights > 0.3, (weights > 0.3).astype(np.uint8)):
        sizes = search.fit(matrix).support_size_
        assert_array_equal(sizes, search.fit(matrix.astype(float)).support_size_)


def test_grid_stops_early_and_shares_trainings():
    trainer, weights, _ = _problem()
    same = np.repeat(weights[:1], len(weights), axis=0)
    sizes = np.arange(1, 11)
    searched = DataSupportSearch(trainer, sizes=sizes, n_trials=3).fit(same)
    # one order for all targets: no more than one set a size, the control among them,
    # and, to certify, as many trainings by other seeds after those
    assert searched.n_trained_ <= 3 * (11 + 2 * 10)
    for trials in searched.trials_:
        tried = [size for size in trials if trials[size].mean() < 0]
        assert len(tried) <= 1
    apart = DataSupportSearch(trainer, sizes=sizes, n_trials=3).fit(weights)
    assert apart.n_trained_ > searched.n_trained_


def test_store_keeps_the_trainings(tmp_path):
    trainer, weights, _ = _problem(noise=0.3, store=tmp_path)
    search = DataSupportSearch(trainer, n_trials=4, random_state=0)
    first = clone(search).fit(weights)

    (folder,) = tmp_path.iterdir()
    before = (folder / "checksums.npy").stat().st_mtime_ns
    again = clone(search).fit(weights)
    assert (folder / "checksums.npy").stat().st_mtime_ns == before
    assert_array_equal(again.support_size_, first.support_size_)
    assert_array_equal(again.support_interval_, first.support_interval_)


def test_interval_covers_the_truth_as_often_as_it_says():
    covered = []
    for seed in range(8):
        trainer, weights, bias = _problem(noise=0.8, seed=seed)
        trainer.set_params(random_state=seed)
        searched = DataSupportSearch(
            trainer, sizes=np.arange(1, 11), n_trials=12, confidence=0.9, random_state=0
        ).fit(weights)
        truth = predict_support_size(weights, weights.sum(axis=1) + bias)
        known = ~np.isnan(truth) & (truth > 0)
        low, high = searched.support_interval_[known].T
        covered += ((low <= truth[known]) & (truth[known] <= high)).tolist()
    assert len(covered) > 25
    assert 0.8 < np.mean(covered) <= 1


def test_zero_of_the_isotonic_line():
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = np.r_[0, np.sort(rng.choice(np.arange(1, 60), 6, replace=False))]
        means = 2 - 0.08 * sizes + rng.normal(size=7)
        weights = rng.integers(1, 9, size=7)
        isotonic = IsotonicRegression(increasing=False).fit(sizes, means, weights)
        whole = np.arange(sizes[-1] + 1)
        negative = np.flatnonzero(isotonic.predict(whole) < 0)
        expected = negative[0] if negative.size else np.nan
        assert_array_equal(zero_of_curves(sizes, means[None], weights), [expected])


def test_bootstrap_of_equal_trials_is_a_point():
    trials = {0: np.full(5, 2.0), 4: np.full(5, -2.0)}
    interval = bootstrap_support(trials, 30, 0.95, np.random.default_rng(0))
    assert_array_equal(interval, [3, 3])


# Mislabelling


def test_mislabelling_equals_training_on_relabelled_data():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    names = np.array(["a", "b", "c"])
    ids = [f"row {i}" for i in range(30)]
    train = Examples(rng.normal(size=(30, 2)) + 2 * y[:, None], names[y], ids)
    targets = Examples(rng.normal(size=(4, 2)) + 2, names[[1, 1, 1, 0]])
    trainer = SubsetTrainer(RidgeClassifier(), train, targets, random_state=0)
    weights = rng.random((4, 30))
    searched = DataSupportSearch(
        trainer, edit="mislabel", n_trials=1, sizes=np.arange(1, 25), factor=1
    ).fit(weights)
    full = RidgeClassifier().fit(train.X, train.y)
    for target in range(4):
        label = targets.y[target]
        scores = dict(
            zip(names, full.decision_function(targets.X[[target]])[0], strict=True)
        )
        wrong = max(set(names) - {label}, key=scores.get)
        assert searched.wrong_class_[target] == wrong
        order = [i for i in np.argsort(-weights[target]) if train.y[i] != wrong]
        size = searched.support_size_[target]
        for k, outputs in searched.trials_[target].items():
            relabelled = train.y.copy()
            relabelled[order[:k]] = wrong
            model = RidgeClassifier().fit(train.X, relabelled)
            scores = dict(
                zip(names, model.decision_function(targets.X[[target]])[0], strict=True)
            )
            margin = scores.pop(label) - max(scores.values())
            # rows come in another order: equal but for rounding
            assert_allclose(outputs, margin, atol=1e-5)
            assert (margin < 0) == (k >= size)
        assert_array_equal(searched.support_indices_[target], order[: int(size)])
        own = [f"row {i}" for i in searched.support_indices_[target]]
        assert searched.support_ids_[target].tolist() == own


def test_mislabelling_flips_before_removal():
    x = np.r_[np.arange(6), 20 + np.arange(6)][:, None]
    train = Examples(x, [0] * 6 + [1] * 6)
    targets = Examples([[2.4]], [0])
    trainer = SubsetTrainer(KNeighborsClassifier(3), train, targets, random_state=0)
    closeness = -np.abs(x - 2.4).T
    sizes = {
        edit: DataSupportSearch(trainer, edit=edit, n_trials=1, sizes=np.arange(1, 7))
        .fit(closeness)
        .support_size_[0]
        for edit in ("remove", "mislabel")
    }
    # two of three neighbours turned, or all but one of the class gone
    assert sizes == {"remove": 5, "mislabel": 2}


# Failures and bad input


def test_failed_trainings_are_left_out():
    _, weights, bias = _problem()

    def sometimes(train_indices, seed):
        if seed % 3 == 0:
            raise RuntimeError("no luck")
        return additive(train_indices, seed, weights=weights, bias=bias)

    trainer, _, _ = _problem(on_failure="nan", retries=0)
    trainer.set_params(estimator=sometimes)
    search = DataSupportSearch(trainer, n_trials=8, sizes=np.arange(1, 11), factor=1)
    with pytest.warns(RuntimeWarning, match="runs failed"):
        searched = search.fit(weights)
    sizes = [_true_supports(*pair)[0] for pair in zip(weights, bias, strict=True)]
    assert_array_equal(searched.support_size_, sizes)


def _bad(weights, where, value):
    weights = weights.copy()
    weights[where] = value
    return weights


@pytest.mark.parametrize(
    ("parameters", "change", "message"),
    [
        ({}, lambda w: w[:-1], r"shape \(8, 11\); got \(7, 11\)"),
        ({}, lambda w: w[:, :-1], r"shape \(8, 11\); got \(8, 10\)"),
        ({}, lambda w: w[0], "Expected 2D array"),
        ({}, lambda w: _bad(w, (2, 3), np.nan), "NaN"),
        ({"sizes": [3, 11]}, np.asarray, "n_train - 1 = 10"),
        ({"sizes": [0, 1]}, np.asarray, "from 1"),
        ({"sizes": [0.5]}, np.asarray, "sizes must be integers"),
        ({"sizes": []}, np.asarray, "sizes must be integers"),
        ({"edit": "mislabel"}, np.asarray, "needs a trainer of a classifier"),
        ({"edit": "add"}, np.asarray, "'edit' parameter"),
        ({"factor": 0.9}, np.asarray, "'factor' parameter"),
        ({"fallback": np.zeros((8, 10))}, np.asarray, r"fallback .* \(8, 11\); got"),
        ({"fallback": np.full((8, 11), np.nan)}, np.asarray, "fallback contains NaN"),
        ({"fallback": "position"}, np.asarray, "'fallback' parameter"),
    ],
)
def test_bad_input_trains_nothing(parameters, change, message):
    trainer, weights, _ = _problem()

    def never(train_indices, seed):
        raise AssertionError("trained")

    trainer.set_params(estimator=never)
    with pytest.raises(ValueError, match=message):
        DataSupportSearch(trainer, **parameters).fit(change(weights))


def test_output_without_a_sign_is_refused():
    train = Examples(np.arange(8.0)[:, None], [0, 1] * 4)
    trainer = SubsetTrainer(
        RandomForestClassifier(), train, train[:2], output="cross_entropy"
    )
    for estimator in (RandomForestClassifier(), TorchLearner(None, epochs=1)):
        trainer.set_params(estimator=estimator)
        with pytest.raises(ValueError, match="margin, log_odds"):
            DataSupportSearch(trainer).fit(np.zeros((2, 8)))


def test_heuristic_bad_input():
    with pytest.raises(
        ValueError, match=r"each of the 2 rows of weights; got .*\(3,\)"
    ):
        predict_support_size(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="1 NaN"):
        predict_support_size(np.zeros((2, 3)), [0, np.nan])
    with pytest.raises(ValueError, match="weights contains NaN"):
        predict_support_size([[0, np.nan]], [0])
