"""Selections against the formulas of D3M and DsDm, and against retraining."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import Examples, SubsetTrainer, TrainingRuns, sample_masks
from skdatamodels.applications import Selection, SelectionCheck, select_examples
from skdatamodels.applications._row_keys import equal_rows
from skdatamodels.applications._selection_check import _variance_of_worst
from skdatamodels.regression import DatamodelRegressor

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(60, 25))
GROUPS = np.repeat(["a", "b", "c"], [12, 20, 28])
OUTPUTS = RNG.normal(size=60) + np.repeat([-1.0, 0.5, 2.0], [12, 20, 28])
WORST = {"objective": "worst_group", "groups": GROUPS, "outputs": OUTPUTS}


def by_rows(selection):
    """Return the scores in the order of the training examples."""
    score = np.full(len(selection.candidates), np.nan)
    score[selection.examples] = selection.score
    return score


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("action", ["drop", "add"])
def test_score_is_the_group_alignment(higher, sparse, action):
    weights = sp.csr_matrix(WEIGHTS) if sparse else WEIGHTS
    params = {"candidates": np.arange(20), "action": action}
    found = select_examples(
        weights, **WORST, beta=0.7, higher_is_better=higher, **params
    )
    losses = {g: (-1 if higher else 1) * OUTPUTS[g == GROUPS].mean() for g in "abc"}
    total = sum(np.exp(0.7 * loss) for loss in losses.values())
    for i in range(20):
        alignment = sum(
            np.exp(0.7 * losses[g]) * np.mean([WEIGHTS[t, i] for t in members])
            for g in "abc"
            for members in [np.flatnonzero(g == GROUPS)]
        )
        sign = (1 if higher else -1) * (1 if action == "add" else -1)
        assert_allclose(by_rows(found)[i], sign * alignment / total)
    assert np.isnan(by_rows(found)[20:]).all()
    assert (np.diff(found.score) <= 0).all()
    assert_allclose(found.group_weights.sum(), 1)


def test_the_unit_of_the_output_does_not_matter_without_beta():
    found = select_examples(WEIGHTS, **WORST, higher_is_better=True)
    losses = -np.array([OUTPUTS[g == GROUPS].mean() for g in "abc"])
    expected = np.exp(losses / OUTPUTS.std())
    assert_allclose(found.group_weights, expected / expected.sum())
    scaled = select_examples(
        1e6 * WEIGHTS, **WORST | {"outputs": 1e6 * OUTPUTS}, higher_is_better=True
    )
    assert_allclose(scaled.group_weights, found.group_weights)
    assert_array_equal(scaled.examples, found.examples)


def test_beta_of_infinity_is_the_worst_group_and_of_zero_all_alike():
    hard = select_examples(WEIGHTS, **WORST, beta=np.inf, higher_is_better=True)
    assert_allclose(by_rows(hard), -WEIGHTS[GROUPS == "a"].mean(axis=0))
    even = select_examples(WEIGHTS, **WORST, beta=0, higher_is_better=True)
    assert_allclose(even.group_weights, 1 / 3)


def test_mean_and_slice():
    mean = select_examples(WEIGHTS, higher_is_better=False)
    assert_allclose(by_rows(mean), WEIGHTS.mean(axis=0))
    shares = RNG.random(60) * (np.arange(60) % 2)
    part = select_examples(WEIGHTS, objective=shares, higher_is_better=True)
    assert_allclose(by_rows(part), -np.average(WEIGHTS, axis=0, weights=shares))
    assert part.objective == "slice"
    assert_array_equal(part.targets, np.flatnonzero(shares))
    whole = select_examples(WEIGHTS, objective=GROUPS == "b", higher_is_better=True)
    assert_allclose(by_rows(whole), -WEIGHTS[GROUPS == "b"].mean(axis=0))
    some = select_examples(WEIGHTS, targets=range(30), higher_is_better=True)
    assert_allclose(by_rows(some), -WEIGHTS[:30].mean(axis=0))


def test_gain_is_that_of_the_group_that_is_then_the_worst():
    found = select_examples(WEIGHTS, **WORST, higher_is_better=True)
    for k in (0, 1, 7, 25):
        left = [
            OUTPUTS[g == GROUPS].mean()
            - WEIGHTS[g == GROUPS][:, found.examples[:k]].sum(axis=1).mean()
            for g in "abc"
        ]
        before = min(OUTPUTS[g == GROUPS].mean() for g in "abc")
        assert_allclose(found.gain[k], min(left) - before, atol=1e-12)
    linear = select_examples(WEIGHTS, higher_is_better=True)
    assert_allclose(linear.gain, np.r_[0, np.cumsum(linear.score)])


def test_held_out_gain_is_that_of_the_other_targets():
    found = select_examples(WEIGHTS, higher_is_better=True)
    expected = np.zeros(26)
    for k in range(5):
        own = np.arange(60) % 5 == k
        order = np.argsort(WEIGHTS[~own].mean(axis=0))
        expected[1:] -= np.cumsum(WEIGHTS[own].mean(axis=0)[order]) / 5
    assert_allclose(found.held_out_gain, expected)
    n_positive = (WEIGHTS.mean(axis=0) < 0).sum()
    assert found.n_suggested == expected[: n_positive + 1].argmax() > 0
    assert_array_equal(found.suggested, found.examples[: found.n_suggested])


def test_held_out_gain_by_weights_of_other_runs():
    others = WEIGHTS + np.random.default_rng(5).normal(size=WEIGHTS.shape)
    found = select_examples(WEIGHTS, held_out=others, higher_is_better=True)
    expected = np.zeros(26)
    for k in range(5):
        own = np.arange(60) % 5 == k
        order = np.argsort(WEIGHTS[~own].mean(axis=0))
        expected[1:] -= np.cumsum(others[own].mean(axis=0)[order]) / 5
    assert_allclose(found.held_out_gain, expected)
    alone = select_examples(WEIGHTS, higher_is_better=True)
    assert_array_equal(found.examples, alone.examples)
    assert_allclose(found.gain, alone.gain)
    assert (found.other_runs, alone.other_runs) == (True, False)
    assert "error of targets and runs" in repr(found)
    other = sp.csr_array(others)
    sparse = select_examples(WEIGHTS, held_out=other, higher_is_better=True)
    assert_allclose(sparse.held_out_gain, expected)
    assert_allclose(sparse.held_out_error, found.held_out_error)


def test_held_out_error_has_the_noise_that_targets_share():
    errors, stated = [], []
    rng = np.random.default_rng(0)
    effect = np.r_[np.full(20, -1.0), np.full(80, 2.0)]  # 20 of 100 are suggested
    for _ in range(100):
        own = 0.1 * rng.normal(size=(50, 100)) + effect
        one, other = 0.2 * rng.normal(size=(2, 100))  # shared by all targets
        found = select_examples(own + one, held_out=own + other, higher_is_better=True)
        assert found.n_suggested == 20
        errors.append(found.held_out_gain[20] + own[:, :20].mean(axis=0).sum())
        stated.append(found.held_out_error)
    assert abs(np.mean(errors)) < 3 * 0.2 * np.sqrt(20 / 100)
    assert_allclose(np.mean(stated), np.std(errors), rtol=0.2)


def test_noise_of_runs_that_targets_share_is_no_gain_on_other_runs():
    off = {"same": [], "other": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        masks = sample_masks(300, 60, 0.5, design="bernoulli", random_state=seed)
        coef = 0.1 * rng.normal(size=(20, 60)) + 0.02
        outputs = masks.dot(coef.T) + 0.4 * rng.normal(size=(300, 1))
        one, other = (
            DatamodelRegressor(0.3, penalty="l2").fit(masks[k::2], outputs[k::2])
            for k in (0, 1)
        )
        for name, held_out in (("same", None), ("other", other)):
            found = select_examples(one, held_out=held_out, higher_is_better=True)
            true = -coef[:, found.suggested].mean(axis=0).sum()
            gain = found.held_out_gain[found.n_suggested]
            off[name].append(gain - true > 3 * found.held_out_error)
    assert np.mean(off["same"]) == 1  # by 12 errors or more
    assert np.mean(off["other"]) <= 0.1


def test_gains_from_noise_are_in_gain_and_not_in_held_out_gain():
    gains = []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=(50, 60))
        found = select_examples(noise, higher_is_better=True)
        gains.append((found.gain[20], found.held_out_gain[20]))
    mean, error = np.mean(gains, axis=0), np.std(gains, axis=0) / np.sqrt(40)
    assert mean[0] > 20 * error[0]
    assert abs(mean[1]) < 3 * error[1] < 0.2 * mean[0]


def test_nothing_is_suggested_if_every_example_helps():
    found = select_examples(WEIGHTS + 3, higher_is_better=True)
    assert found.n_suggested == 0
    assert len(found.suggested) == 0
    assert found.held_out_gain[0] == 0


@pytest.mark.parametrize("n_harmful", [12, 13])
def test_more_than_half_of_the_examples_are_said_to_be_many(n_harmful):
    weights = np.tile(np.where(np.arange(25) < n_harmful, -1.0, 1.0), (60, 1))
    found = select_examples(weights, higher_is_better=True)
    assert found.n_suggested == n_harmful
    assert ("more than half of all" in repr(found)) == (n_harmful == 13)
    some = select_examples(weights, higher_is_better=True, candidates=np.arange(12))
    assert "more than half" not in repr(some)


def test_the_whole_training_set_is_not_suggested():
    assert select_examples(WEIGHTS - 3, higher_is_better=True).n_suggested == 24
    params = {"candidates": range(5), "higher_is_better": True}
    assert select_examples(WEIGHTS - 3, **params).n_suggested == 5
    added = select_examples(WEIGHTS + 3, action="add", **params)
    assert added.n_suggested == 5


def test_examples_that_do_harm_are_not_suggested():
    """Example 2 harms the objective, but helps the worst group."""
    weights = np.repeat([[0.0, -4.0, 3.0], [0.0, -1.0, -2.0]], 10, axis=0)
    found = select_examples(
        weights,
        objective="worst_group",
        groups=np.repeat(["a", "b"], 10),
        outputs=np.repeat([1.0, 0.0], 10),
        beta=0,
        higher_is_better=True,
    )
    assert found.examples.tolist() == [1, 0, 2]
    assert_allclose(found.score, [2.5, 0, -0.5])
    assert_allclose(found.gain, [0, 1, 1, 2])
    assert found.n_suggested == 1


def planted(n, seed, told):
    """Return examples of two classes, whose second feature tells most of the labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    mark = np.where(rng.random(n) < told, y, 1 - y)
    X = np.column_stack(
        [y + rng.normal(0, 0.7, n), 2 * mark - 1, rng.normal(size=(n, 3))]
    )
    names = np.array([f"{a}{b}" for a, b in zip(y, mark, strict=True)])
    return Examples(X, y), names


TRAIN, TRAIN_GROUPS = planted(300, 0, 0.95)
TARGETS, TARGET_GROUPS = planted(600, 1, 0.5)
VALID = np.arange(300)


@pytest.fixture(scope="module")
def trainer():
    return SubsetTrainer(RidgeClassifier(), TRAIN, TARGETS, random_state=0)


@pytest.fixture(scope="module")
def runs(trainer):
    return trainer.fit_transform(np.arange(300))


@pytest.fixture(scope="module")
def fitted(runs):
    return DatamodelRegressor(penalty="l2", random_state=0).fit(runs)


@pytest.fixture(scope="module")
def selection(fitted, runs):
    return select_examples(
        fitted,
        objective="worst_group",
        groups=TARGET_GROUPS,
        outputs=runs,
        targets=VALID,
    )


def test_planted_mark_is_found_and_retraining_confirms_it(selection, trainer):
    followers = np.isin(TRAIN_GROUPS, ["00", "11"])
    assert followers[selection.examples[:50]].mean() > 0.95
    check = selection.verify(
        trainer, [100], train_groups=TRAIN_GROUPS, n_trials=3, random_state=0
    )
    assert isinstance(check, SelectionCheck)
    chosen = check.chosen.tolist()
    assert chosen == ["none", "class_balanced", "group_balanced", "selected", "random"]
    selected, random = chosen.index("selected"), chosen.index("random")
    assert check.worst_change[selected] > 3 * check.worst_change_error[selected] > 0
    assert check.worst_change[selected] > 3 * abs(check.worst_change[random])
    kept = np.delete(np.arange(300), selection.examples[:100])
    model = RidgeClassifier().fit(TRAIN.X[kept], TRAIN.y[kept])
    right = model.predict(TARGETS.X) == TARGETS.y
    judges = np.setdiff1d(np.arange(600), VALID)
    assert_allclose(check.score[selected], right[judges].mean(), atol=1e-3)
    by_group = [
        right[judges][TARGET_GROUPS[judges] == g].mean() for g in check.group_names
    ]
    assert_allclose(check.group_scores[selected], by_group, atol=1e-3)
    assert_allclose(check.worst[selected], min(by_group), atol=1e-3)
    assert_array_equal(check.groups, TARGET_GROUPS[judges])
    smallest = np.unique(TRAIN_GROUPS, return_counts=True)[1].min()
    assert check.size[2] == 300 - 4 * smallest
    assert check.n_trained == 3 * 5


def test_component_groups_find_the_mark(fitted, runs):
    found = select_examples(
        fitted,
        objective="worst_group",
        groups="components",
        outputs=runs,
        targets=VALID,
    )
    against = np.isin(TARGET_GROUPS, ["01", "10"])
    worse = np.array([name.endswith("worse") for name in found.groups])
    assert (worse == against).mean() > 0.8
    assert set(found.groups) == {"0 worse", "0 better", "1 worse", "1 better"}
    for name in (0, 1):  # beside the definition, with the chosen targets only
        rows = VALID[TARGETS.y[VALID] == name]
        centred = fitted.coef_[rows] - fitted.coef_[rows].mean(axis=0)
        side = np.linalg.svd(centred)[2][0] @ centred.T > 0
        agree = (side == worse[rows]).mean()
        assert agree in (0, 1)
    sparse = select_examples(
        sp.csr_array(fitted.coef_),
        objective="worst_group",
        groups="components",
        outputs=runs,
        targets=VALID,
        target_classes=TARGETS.y,
    )
    assert_array_equal(sparse.groups, found.groups)


def test_a_class_whose_part_would_be_small_stays_whole():
    weights = WEIGHTS.copy()
    weights[:3] += 100
    found = select_examples(
        weights,
        objective="worst_group",
        groups="components",
        target_classes=np.repeat([0, 1], 30),
        outputs=OUTPUTS,
        higher_is_better=True,
    )
    assert "0" in found.groups
    assert "1 worse" in found.groups


def test_lower_is_better_outputs_are_repaired_by_retraining():
    """The losses of the worst group fall, and the sign comes from the runs."""
    model = LogisticRegression()
    trainer = SubsetTrainer(
        model, TRAIN, TARGETS, output="cross_entropy", random_state=0
    )
    runs = trainer.fit_transform(np.arange(200))
    fitted = DatamodelRegressor(penalty="l2", random_state=0).fit(runs)
    params = {"objective": "worst_group", "groups": TARGET_GROUPS, "outputs": runs}
    found = select_examples(fitted, **params, targets=VALID)
    assert not found.higher_is_better
    assert found.group_weights.argmax() == found.group_outputs.argmax()
    check = found.verify(trainer, [100], n_trials=2, random_state=0)
    first = check.chosen.tolist().index("selected")
    assert check.metric == "cross_entropy"
    assert check.worst_change[first] < -0.2 < check.worst_change[first + 1]
    assert_allclose(check.worst, check.group_scores.max(axis=1), rtol=0.05)
    plain = select_examples(fitted.coef_, **params, targets=VALID)  # the runs know it
    assert_array_equal(plain.examples, found.examples)


def test_good_candidates_are_added_before_noisy_ones():
    """Half of the labels in the pool are wrong, and a few of the training set."""
    wrong = np.arange(160) % 2 == 0
    wrong[:40] = np.arange(40) < 4
    right, _ = planted(160, 5, 0.5)
    train = Examples(right.X, np.where(wrong, 1 - right.y, right.y))
    trainer = SubsetTrainer(RidgeClassifier(), train, TARGETS, random_state=0)
    runs = trainer.fit_transform(np.arange(400))
    fitted = DatamodelRegressor(penalty="l2", random_state=0).fit(runs)
    is_candidate = np.arange(160) >= 40
    found = select_examples(
        fitted, action="add", candidates=is_candidate, targets=VALID, train=train
    )
    assert set(found.examples) == set(range(40, 160))
    assert wrong[found.examples[:40]].mean() < 0.2
    check = found.verify(trainer, [40], n_trials=3, random_state=0)
    assert check.chosen.tolist()[-3:] == ["all", "selected", "random"]
    assert check.score[-2] > max(check.score[[0, -1, -3]])
    rows = np.r_[:40, found.examples[:40]]
    model = RidgeClassifier().fit(train.X[rows], train.y[rows])
    score = model.score(TARGETS.X[300:], TARGETS.y[300:])
    assert_allclose(check.score[-2], score, atol=1e-3)
    assert check.group_names.tolist() == ["all"]
    assert_allclose(check.worst, check.score)


def test_values_of_a_regression_can_be_new_though_they_were_whole_numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.rint(100 * X[:, 0]).astype(int)
    wrong = y[:40].copy()
    wrong[:5] += 300
    train, judges = Examples(X[:40], wrong), Examples(X[40:], y[40:])
    model = Ridge(1.0)
    trainer = SubsetTrainer(
        model, train, judges, output="squared_error", random_state=0
    )
    runs = trainer.fit_transform(np.arange(80))
    weights = DatamodelRegressor(penalty="l2", random_state=0).fit(runs)
    right = np.r_[y[:5] + 0.5, wrong[5:]]
    found = select_examples(
        weights, action="relabel", labels=right, train=train, targets=np.arange(20)
    )
    assert set(found.examples) == set(range(5))
    check = found.verify(trainer, [5], n_trials=2, random_state=0)
    row = check.chosen.tolist().index("selected")
    predicted = model.fit(X[:40], right).predict(X[60:])
    expected = np.mean((predicted - y[60:]) ** 2)
    assert check.score[row] == pytest.approx(expected, rel=1e-3)


def test_relabelling_trains_on_the_new_labels():
    right, _ = planted(120, 5, 0.5)
    y = right.y.copy()
    y[:30] = 1 - y[:30]
    train = Examples(right.X, y)
    trainer = SubsetTrainer(RidgeClassifier(), train, TARGETS, random_state=0)
    weights = DatamodelRegressor(penalty="l2", random_state=0).fit(
        trainer.fit_transform(np.arange(100))
    )
    found = select_examples(
        weights, action="relabel", labels=right.y, train=train, targets=VALID
    )
    assert set(found.examples) == set(range(30))
    assert_array_equal(found.labels, right.y[found.examples])
    assert "new label" in repr(found)
    check = found.verify(trainer, [20], n_trials=2, random_state=0)
    changed = y.copy()
    changed[found.examples[:20]] = found.labels[:20]
    model = RidgeClassifier().fit(right.X, changed)
    row = check.chosen.tolist().index("selected")
    scores = model.decision_function(TARGETS.X[300:])
    signs = np.where(TARGETS.y[300:] == 1, 1, -1)
    scale = np.abs(scores).mean() / np.abs(check.outputs[row, 0]).mean()
    assert_allclose(check.outputs[row, 0] * scale, signs * scores, atol=1e-3)
    corrected = SubsetTrainer(
        RidgeClassifier(), Examples(right.X, right.y), TARGETS, random_state=0
    )
    with pytest.raises(ValueError, match="30 examples of the trainer already have"):
        found.verify(corrected, [20])
    with pytest.raises(TypeError, match="Relabelled examples can be verified"):
        found.verify(
            SubsetTrainer(lambda rows, seed: np.ones(600), train, TARGETS), [5]
        )


def test_errors_of_the_worst_group_are_those_of_targets_and_trials():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b"], [30, 50])

    def learner(rows, seed):
        own = np.random.default_rng(seed)
        return np.r_[np.full(30, -0.2), np.full(50, 0.2)] + own.normal(size=80)

    train = Examples(np.eye(20), np.arange(20) % 2)
    targets = Examples(np.eye(80, 20), np.zeros(80))
    trainer = SubsetTrainer(learner, train, targets, output="margin", random_state=0)
    found = select_examples(rng.normal(size=(80, 20)), higher_is_better=True)
    check = found.verify(trainer, [3], targets=targets, groups=groups, n_trials=4,
                         allow_overlap=True)  # fmt: skip
    right = check.outputs > 0
    by_trial = np.stack([right[:, :, :30].mean(2), right[:, :, 30:].mean(2)])
    worst = by_trial.min(axis=0)
    assert_allclose(check.worst, worst.mean(axis=1))
    assert_allclose(check.worst_error, worst.std(axis=1, ddof=1) / 2)
    change = (right[1].mean(0) - right[0].mean(0))[:30]  # "a" is the worst of both
    assert check.group_scores.argmin(axis=1).tolist() == [0, 0, 0]
    total = (check.worst_error[:2] ** 2).sum() + change.var(ddof=1) / 30
    assert_allclose(check.worst_change_error[1], np.sqrt(total), rtol=0.05)


@pytest.mark.parametrize("shift", [0.01, 1.0])
def test_error_of_targets_if_another_group_becomes_the_worst(shift):
    """Beside the deviation over new draws of targets; the groups may be nearly equal.

    The variance of two means of different groups would be three times too large.
    """
    rng, codes = np.random.default_rng(0), np.repeat([0, 1], 70)

    def draw():
        before = rng.normal(size=140)
        after = before + np.where(codes == 0, 2 * shift, 0)
        return np.array([before + np.where(codes == 0, 0, shift), after + shift / 2])

    changes, errors = [], []
    for _ in range(100):
        values = draw()
        worst = [min(row[:70].mean(), row[70:].mean()) for row in values]
        changes.append(worst[1] - worst[0])
        errors.append(np.sqrt(_variance_of_worst(values, codes, True)[1]))
    assert_allclose(np.mean(errors), np.std(changes), rtol=0.3, atol=0.01)


def test_a_slice_is_judged_by_its_own_targets(fitted, trainer):
    in_slice = TARGET_GROUPS == "01"
    found = select_examples(fitted, objective=in_slice * 0.5, targets=VALID)
    assert_array_equal(found.in_objective, in_slice)
    check = found.verify(trainer, [50], n_trials=1)
    judges = np.setdiff1d(np.flatnonzero(in_slice), VALID)
    assert check.outputs.shape[2] == len(judges)
    kept = np.delete(np.arange(300), found.examples[:50])
    model = RidgeClassifier().fit(TRAIN.X[kept], TRAIN.y[kept])
    first = check.chosen.tolist().index("selected")
    score = model.score(TARGETS.X[judges], TARGETS.y[judges])
    assert_allclose(check.score[first], score, atol=1e-3)
    everyone = select_examples(fitted, objective=in_slice)
    with pytest.raises(ValueError, match="All targets of the trainer in the slice"):
        everyone.verify(trainer, [50])


def test_random_sets_that_are_equal_are_trained_with_different_seeds(fitted, trainer):
    forest = RandomForestClassifier(3, max_depth=2)
    trainer = SubsetTrainer(forest, TRAIN, TARGETS, random_state=0)
    found = select_examples(fitted, targets=VALID, candidates=range(20))
    check = found.verify(trainer, [20], n_trials=3, random_state=0)
    assert check.chosen.tolist()[-1] == "random"
    assert len(np.unique(check.outputs[-1], axis=0)) == 3
    assert check.error[-1] > 0


def test_balanced_classes_that_cannot_be_trained_are_left_out():
    rows = np.r_[np.flatnonzero(TRAIN.y == 0), np.flatnonzero(TRAIN.y == 1)[:2]]
    model = KNeighborsClassifier(5)
    trainer = SubsetTrainer(model, TRAIN[rows], TARGETS, random_state=0)
    weights = RNG.normal(size=(600, len(rows)))
    found = select_examples(weights, targets=VALID, higher_is_better=True)
    with pytest.warns(RuntimeWarning, match='"class_balanced" .* is left out'):
        check = found.verify(trainer, [5], n_trials=2, random_state=0)
    assert check.chosen.tolist() == ["none", "selected", "random"]
    assert check.size.tolist() == [0, 5, 5]
    assert len(check.outputs) == 3


def test_sets_without_a_class_are_left_out_or_named():
    """Logistic regression cannot train on one class."""
    rows = np.r_[np.flatnonzero(TRAIN.y == 0)[:30], np.flatnonzero(TRAIN.y == 1)[:9]]
    train, model = TRAIN[rows], LogisticRegression()
    weights = np.where(train.y == 1, -1.0, 0.0) + np.zeros((600, 1))
    found = select_examples(weights, targets=VALID, higher_is_better=True)
    assert found.n_suggested == 9
    trainer = SubsetTrainer(model, train, TARGETS, random_state=0)
    with pytest.raises(RuntimeError, match='"selected" of 9 examples could not be tr'):
        found.verify(trainer, [3, 9], n_trials=2, random_state=0)
    trainer.set_params(on_failure="nan")
    with pytest.warns(RuntimeWarning, match='"selected" of 9 examples .* is left out'):
        check = found.verify(trainer, [3, 9], n_trials=2, random_state=0)
    assert check.chosen.tolist()[-3:] == ["selected", "random", "random"]
    assert check.size.tolist()[-3:] == [3, 3, 9]


def test_judging_on_the_training_set_warns(fitted):
    trainer = SubsetTrainer(RidgeClassifier(), TRAIN, TARGETS, random_state=0)
    found = select_examples(fitted, targets=VALID)
    with pytest.warns(UserWarning, match="300 of the 300 targets that judge are in"):
        found.verify(trainer, [5], targets=TRAIN, n_trials=1)


@pytest.mark.parametrize("higher", [True, False])
def test_predictions_are_judged_by_what_was_asked(higher):
    values = Examples(TRAIN.X, TRAIN.X[:, 0] + TRAIN.X[:, 2])
    trainer = SubsetTrainer(Ridge(), values, TARGETS, random_state=0)
    weights = DatamodelRegressor(penalty="l2", random_state=0).fit(
        trainer.fit_transform(np.arange(100))
    )
    found = select_examples(weights, targets=VALID, higher_is_better=higher)
    check = found.verify(trainer, [50], n_trials=1, random_state=0)
    assert check.metric == "mean prediction"
    assert check.higher_is_better == higher
    kept = np.delete(np.arange(300), found.examples[:50])
    model = Ridge().fit(values.X[kept], values.y[kept])
    first = check.chosen.tolist().index("selected")
    mean = model.predict(TARGETS.X[300:]).mean()
    assert_allclose(check.score[first], mean, rtol=1e-3)
    assert (check.change[first] > 0) == higher


@pytest.mark.parametrize("params", [{}, WORST, {"objective": np.arange(60) % 3}])
def test_held_out_error_is_that_of_the_mean_over_other_targets(params):
    found = select_examples(WEIGHTS, **params, beta=None, higher_is_better=False)
    k, start = found.n_suggested, OUTPUTS if params is WORST else np.zeros(60)
    groups = np.where(found.in_objective, GROUPS if params is WORST else "", "none")
    shares = np.zeros(60)
    shares[found.in_objective] = 1
    if "objective" in params and params is not WORST:
        shares = np.asarray(params["objective"], float)
    names = [str(name) for name in found.group_names if name != "all"] or [""]
    fold = np.full(60, -1)
    for name in names:
        rows = np.flatnonzero(groups == name)
        fold[rows] = np.arange(len(rows)) % 5
    variance = 0
    for j in range(5):
        means = np.array(
            [
                np.average(WEIGHTS[rows], axis=0, weights=shares[rows])
                for name in names
                for rows in [np.flatnonzero((groups == name) & (fold != j))]
            ]
        )
        first = np.argsort(-(found.group_weights @ means), kind="stable")[:k]
        after = []
        for name in names:
            rows = np.flatnonzero((groups == name) & (fold == j))
            gain = WEIGHTS[rows][:, first].sum(axis=1)
            mean = np.average(gain, weights=shares[rows])
            part = shares[rows] / shares[rows].sum()
            n = len(rows)
            error = n / (n - 1) * (part**2 * (gain - mean) ** 2).sum()
            loss = start[groups == name].mean() - mean
            after.append((loss, error))
        variance += max(after)[1] / 25
    assert_allclose(found.held_out_error, np.sqrt(variance))


def test_a_table_says_that_the_gain_may_be_noise():
    seen = []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=(100, 200))
        found = select_examples(noise, higher_is_better=True)
        seen.append("Noise may give as much" in repr(found) or not found.n_suggested)
    assert np.mean(seen) > 0.85
    found = select_examples(noise - 1, higher_is_better=True)
    assert "Noise may" not in repr(found)


# What is refused


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"objective": "best"}, "objective must be"),
        ({"action": "keep"}, "action must be one of"),
        ({"objective": "worst_group"}, "needs groups"),
        (WORST | {"groups": GROUPS[:9]}, "groups must have one label for each target"),
        (WORST | {"groups": "pca"}, "groups must be an array or"),
        (WORST | {"groups": [None, *GROUPS[1:]]}, "groups has no label for 1 of 60"),
        (WORST | {"outputs": None}, "pass outputs"),
        (WORST | {"outputs": OUTPUTS[:9]}, "one column for each of the 60 targets"),
        (WORST | {"outputs": np.r_[np.nan, OUTPUTS[1:]]}, "no finite value for 1"),
        (WORST | {"beta": -1}, "beta must be"),
        ({"beta": 1.0}, "leave it out"),
        (WORST | {"targets": range(12)}, "The group 'b' has 0 targets"),
        (WORST | {"targets": range(3, 60)}, "The group 'a' has 9 targets"),
        ({"targets": range(9)}, "The objective has 9 targets"),
        ({"objective": np.arange(60) < 9}, "The objective has 9 targets"),
        ({"objective": np.ones(9)}, "one weight for each of the 60 targets"),
        ({"objective": -np.ones(60)}, "at least 0"),
        ({"objective": np.full(60, np.nan)}, "finite weights"),
        ({"targets": [60]}, "targets must be distinct integers"),
        (WORST | {"groups": "components"}, "needs target_classes"),
        ({"action": "add"}, "needs candidates"),
        ({"action": "add", "candidates": np.ones(25, bool)}, "all examples are"),
        ({"candidates": np.ones(9, bool)}, r"candidates must have shape \(25,\)"),
        ({"candidates": np.zeros(25, bool)}, "candidates are none"),
        ({"candidates": [25]}, "candidates must be distinct integers"),
        ({"action": "relabel"}, "needs labels"),
        ({"labels": np.zeros(25)}, "leave them out"),
        ({"higher_is_better": None}, "does not tell whether higher outputs"),
        ({"train": Examples(np.eye(3), np.arange(3))}, "train has 3 examples"),
        ({"held_out": np.ones((60, 9))}, r"held_out has \(60, 9\)"),
        ({"held_out": sp.csr_array(WEIGHTS)}, "held_out equals weights"),
    ],
)
def test_wrong_arguments_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        select_examples(WEIGHTS, **{"higher_is_better": True} | params)


def test_weights_and_labels_are_checked():
    for bad in (np.full((20, 3), np.nan), np.ones(20), np.ones((20, 0))):
        with pytest.raises(ValueError, match=r"NaN|shape"):
            select_examples(bad, higher_is_better=True)
    train = Examples(np.eye(25), np.arange(25) % 2)
    for labels, message in (
        (train.y, "nothing to relabel"),
        (np.full(25, 2), "no example of train has"),
        (np.zeros(9), "one label for each of the 25"),
        (np.full(25, None), "labels has none for 25"),
    ):
        with pytest.raises(ValueError, match=message):
            select_examples(
                WEIGHTS,
                action="relabel",
                labels=labels,
                train=train,
                higher_is_better=True,
            )
    mixed = np.array([1, "a"] * 30, dtype=object)
    with pytest.raises(TypeError, match="mixes labels"):
        select_examples(WEIGHTS, groups=mixed, higher_is_better=True)


def test_runs_of_other_targets_or_outputs_are_refused(fitted, runs):
    params = {"objective": "worst_group", "groups": TARGET_GROUPS}
    known = {"target_ids": np.arange(600) + 1, "output": "margin"}
    others = TrainingRuns(runs.packed, runs.outputs, **known)
    with pytest.raises(ValueError, match="runs of other targets"):
        select_examples(fitted, **params, outputs=others)
    others = TrainingRuns(runs.packed, runs.outputs, output="confidence")
    with pytest.raises(ValueError, match="are of 'confidence'"):
        select_examples(fitted, **params, outputs=others)
    outputs = np.array(runs.outputs)
    outputs[:, 5] = np.nan
    outputs[3, 6] = np.nan  # a run without an output is no reason to fail
    with pytest.raises(ValueError, match="no finite value for 1 targets"):
        select_examples(fitted, **params, outputs=outputs)
    select_examples(fitted, **params, outputs=outputs, targets=range(6, 600))


def test_equal_rows_in_all_kinds_of_tables():
    first = np.array([[0.0, np.nan, 1.0], [2.0, 3.0, 4.0], [0.0, 0.0, 0.0]])
    other = np.array([[9.0, 9.0, 9.0], [-0.0, np.float64("-nan"), 1.0], [0, 0, -0.0]])
    assert equal_rows(first, other).tolist() == [1, -1, 2]
    assert equal_rows(first, np.r_[other, other]).tolist() == [1, -1, 2]
    explicit = sp.csr_matrix(other)
    explicit.data[explicit.data == 9] = 0  # stored zeros
    assert equal_rows(sp.csr_matrix(first), explicit).tolist() == [1, -1, 0]
    frames = [pd.DataFrame(part).assign(t=["a", "b", "c"]) for part in (first, other)]
    assert equal_rows(*frames).tolist() == [-1, -1, 2]
    images = first.reshape(3, 3, 1), other.reshape(3, 3, 1)
    assert equal_rows(*images).tolist() == [1, -1, 2]


def test_equal_numbers_of_different_dtypes_are_equal():
    X = np.array([[0.1, 3.0], [1.0, 2.0]])
    assert equal_rows(X, X[::-1].astype(np.float32)).tolist() == [1, 0]
    assert equal_rows(np.array([[1, 2], [1, 3]]), X).tolist() == [1, -1]


@pytest.mark.parametrize("kind", ["array", "sparse", "frame"])
def test_a_pool_with_copies_of_the_training_set_is_refused(kind):
    X = RNG.integers(100, size=(25, 3)).astype(float)
    X[20] = X[4]
    X[20, 0] = X[4, 0] = 0.0
    if kind == "sparse":
        X = sp.csr_matrix(X)
    if kind == "frame":
        X = pd.DataFrame(X, columns=list("abc")).assign(d="text")
        X.loc[[4, 20], "b"] = np.nan
    names = [f"row {i}" for i in range(25)]
    train = Examples(X, np.arange(25) % 2, ids=names, allow_nan=True)
    params = {"action": "add", "train": train, "higher_is_better": True}
    with pytest.raises(ValueError, match="'row 20' is a copy of 'row 4'"):
        select_examples(WEIGHTS, candidates=range(15, 25), **params)
    found = select_examples(WEIGHTS, candidates=range(15, 20), **params)
    assert found.ids[0] == f"row {found.examples[0]}"


def test_targets_that_chose_do_not_judge(selection, trainer, fitted):
    with pytest.raises(ValueError, match="1 of the 2 targets that are to judge are"):
        selection.verify(trainer, [5], targets=[299, 300])
    with pytest.raises(ValueError, match="have the same inputs as ones that chose"):
        selection.verify(trainer, [5], targets=TARGETS[290:310])
    check = selection.verify(
        trainer, [5], targets=[299, 300], n_trials=1, allow_overlap=True
    )
    assert check.outputs.shape[2] == 2
    check = selection.verify(trainer, [5], targets=TARGETS[300:], n_trials=1)
    assert check.group_names.tolist() == ["all"]  # their groups are not known
    everything = select_examples(fitted)
    with pytest.raises(ValueError, match="All targets of the trainer chose"):
        everything.verify(trainer, [5])
    other = SubsetTrainer(RidgeClassifier(), TRAIN, TARGETS[300:], random_state=0)
    with pytest.raises(ValueError, match="has other targets"):
        selection.verify(other, [5])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sizes": [0]}, "sizes must be numbers of examples from 1 to 299"),
        ({"sizes": [300]}, "sizes must be"),
        ({"sizes": []}, "sizes must be"),
        ({"sizes": "all"}, "sizes must be"),
        ({"sizes": [5], "n_trials": 0}, "n_trials must be"),
        ({"sizes": [5], "groups": ["a"]}, "one label for each target that judges"),
        ({"sizes": [5], "train_groups": ["a"]}, "one label for each training example"),
    ],
)
def test_wrong_arguments_of_verify_are_refused(params, message, selection, trainer):
    with pytest.raises(ValueError, match=message):
        selection.verify(trainer, **params)


def test_a_trainer_of_another_training_set_is_refused(selection):
    other = SubsetTrainer(RidgeClassifier(), TRAIN[:100], TARGETS)
    with pytest.raises(ValueError, match="100 training examples, but the weights"):
        selection.verify(other, [5])
    with pytest.raises(TypeError, match="must be a SubsetTrainer"):
        selection.verify(Ridge(), [5])


def test_nothing_suggested_needs_sizes(trainer):
    found = select_examples(np.ones((600, 300)), targets=VALID, higher_is_better=True)
    with pytest.raises(ValueError, match="suggests no example"):
        found.verify(trainer)


def test_results_follow_the_seed(selection, trainer):
    one, same, other = (
        selection.verify(trainer, [0.1], n_trials=2, random_state=seed).outputs
        for seed in (0, 0, 1)
    )
    assert_array_equal(one, same)
    assert (one != other).any()


def test_groups_of_rows_can_be_dropped():
    sources = np.arange(300) % 20
    trainer = SubsetTrainer(
        RidgeClassifier(), TRAIN, TARGETS, groups=sources, random_state=0
    )
    fitted = DatamodelRegressor(penalty="l2", random_state=0).fit(
        trainer.fit_transform(np.arange(60))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the weights may be weak
        found = select_examples(fitted, targets=VALID)
    assert found.ids.tolist() == found.examples.tolist()
    check = found.verify(trainer, [2], n_trials=2, random_state=0)
    assert check.chosen.tolist() == ["none", "selected", "random"]
    kept = ~np.isin(sources, found.examples[:2])
    model = RidgeClassifier().fit(TRAIN.X[kept], TRAIN.y[kept])
    score = model.score(TARGETS.X[300:], TARGETS.y[300:])
    assert_allclose(check.score[1], score, atol=1e-3)
    with pytest.raises(ValueError, match="train_groups need a trainer without"):
        found.verify(trainer, [2], train_groups=TRAIN_GROUPS)


def test_table_and_frame(selection, trainer):
    assert isinstance(selection, Selection)
    assert len(selection) == 300
    frame = selection.to_frame()
    assert list(frame) == ["example", "id", "score", "gain", "held_out_gain"]
    assert_array_equal(frame["gain"], selection.gain[1:])
    assert repr(selection).startswith("Drop examples for the worst group of 300 ")
    check = selection.verify(trainer, [5, 0.5], n_trials=1, random_state=0)
    assert list(check.size[-4:]) == [5, 5, 150, 150]
    assert np.isnan(check.error).all()
    columns = list(check.to_frame())
    assert columns[:2] == ["size", "chosen"]
    assert columns[-4:] == [f"score of {name}" for name in ("00", "01", "10", "11")]
    assert "worst group" in repr(check)
