"""Counterfactuals against all subsets of a training set that is small enough."""

from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array, csr_array
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from skdatamodels import Examples, SubsetTrainer
from skdatamodels.applications import CounterfactualEvaluation, predict_counterfactual
from skdatamodels.applications._edits import Edits, effects_on_subsets
from skdatamodels.influence import DifferenceOfMeans
from skdatamodels.runs import TrainingRuns, aggregate_targets
from skdatamodels.training import TorchLearner

N_TRAIN, N_TARGETS = 10, 4
rng = np.random.default_rng(0)
KERNEL = rng.random((N_TARGETS, N_TRAIN))
VALUES = rng.normal(size=N_TRAIN)
TRAIN = Examples(np.arange(N_TRAIN)[:, None], VALUES)
TARGETS = Examples(np.arange(N_TARGETS)[:, None], np.zeros(N_TARGETS))
ALL = (np.arange(2**N_TRAIN)[:, None] >> np.arange(N_TRAIN) & 1).astype(bool)


def smoother(train_indices, seed):
    """Kernel ridge-like mean: no randomness, not linear in the mask."""
    kernel = KERNEL[:, train_indices]
    return kernel @ VALUES[train_indices] / (1 + kernel.sum(axis=1))


def additive(train_indices, seed):
    return KERNEL[:, train_indices].sum(axis=1)


def noisy(train_indices, seed):
    noise = np.random.default_rng(seed).normal(size=N_TARGETS)
    return additive(train_indices, seed) + noise


def make_trainer(learner=smoother, **params):
    return SubsetTrainer(learner, TRAIN, TARGETS, random_state=0, **params)


@pytest.fixture(scope="module")
def oracle():
    """Outputs of all 1,024 subsets, by mask, and least-squares datamodels on them."""
    outputs = np.array([smoother(np.flatnonzero(mask), 0) for mask in ALL])
    coef = LinearRegression().fit(ALL, outputs).coef_
    table = {mask.tobytes(): row for mask, row in zip(ALL, outputs, strict=True)}
    return table, coef


def test_prediction_is_what_a_linear_model_loses():
    removed = ALL[rng.permutation(2**N_TRAIN)[:50]]
    model = LinearRegression().fit(ALL, ALL @ KERNEL.T)
    everything = np.ones((1, N_TRAIN))
    expected = (model.predict(~removed) - model.predict(everything)).T
    assert_allclose(predict_counterfactual(KERNEL, removed), expected, atol=1e-12)
    sets = [np.flatnonzero(row) for row in removed]
    for weights in (KERNEL, csr_array(KERNEL)):
        predicted = predict_counterfactual(weights, sets)
        assert_allclose(np.asarray(predicted), expected, atol=1e-12)
    assert predict_counterfactual(KERNEL, [[]]).tolist() == [[0]] * N_TARGETS


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([[0, N_TRAIN]], "Set 0 must be indices"),
        ([[0], [-1]], "Set 1 must be indices"),
        ([[0.5]], "Set 0 must be indices"),
        ([[1, 1]], "Set 0 has an example twice"),
        (np.ones((2, N_TRAIN + 1), dtype=bool), "must be bool of shape"),
        (np.ones((2, N_TRAIN)), "must be bool of shape"),
    ],
)
def test_prediction_refuses(sets, message):
    with pytest.raises(ValueError, match=message):
        predict_counterfactual(KERNEL, sets)


def test_true_effects_are_those_of_the_oracle(oracle):
    table, coef = oracle
    effects = (
        CounterfactualEvaluation(
            make_trainer(),
            heuristics=["top", "bottom", "zero", "random"],
            sizes=[1, 2, 0.3, 7],
            n_trials=2,
            n_control_trials=3,
            random_state=0,
        )
        .fit(coef)
        .effects_
    )
    everything = table[np.ones(N_TRAIN, dtype=bool).tobytes()]
    assert len(effects) == N_TARGETS * 4 * 4
    removed = effects.removed.dense()
    assert_array_equal(removed.sum(axis=1), effects.size)
    for row, (target, mask) in enumerate(zip(effects.target, removed, strict=True)):
        true = table[(~mask).tobytes()][target] - everything[target]
        assert effects.true[row] == pytest.approx(true, abs=1e-6)
        assert effects.predicted[row] == pytest.approx(-coef[target][mask].sum())
    assert_allclose(effects.error, 0, atol=1e-7)


def test_top_and_bottom_are_the_extreme_sets_of_all(oracle):
    _, coef = oracle
    evaluation = CounterfactualEvaluation(
        make_trainer(), sizes=[3], n_trials=1, n_control_trials=1, random_state=0
    ).fit(coef)
    effects = evaluation.effects_
    every = [list(chosen) for chosen in combinations(range(N_TRAIN), 3)]
    predicted = predict_counterfactual(coef, every)
    top = effects.predicted[effects.heuristic == "top"]
    assert_allclose(top, predicted.min(axis=1))
    bottom = effects.predicted[effects.heuristic == "bottom"]
    assert_allclose(bottom, predicted.max(axis=1))


def test_zero_takes_examples_without_weight_and_shuffles_them():
    weights = np.zeros((N_TARGETS, N_TRAIN))
    weights[:, ::2] = [1, -2, 3, -4, 5]
    params = {"sizes": [2], "heuristics": ["zero"], "n_trials": 1}
    seen = set()
    for seed in range(5):
        effects = (
            CounterfactualEvaluation(make_trainer(), **params, random_state=seed)
            .fit(csr_array(weights))
            .effects_
        )
        removed = effects.removed.dense()
        assert not removed[:, ::2].any()
        assert_array_equal(effects.predicted, 0)
        assert np.isnan(effects.correlations()["zero"].pearson)
        seen |= {row.tobytes() for row in removed}
    assert len(seen) > 4


def test_baselines_choose_and_the_datamodel_predicts(oracle):
    _, coef = oracle
    baseline = rng.normal(size=coef.shape)
    effects = (
        CounterfactualEvaluation(
            make_trainer(),
            heuristics=[],
            baselines={"dense": baseline.tolist(), "sparse": coo_array(baseline)},
            sizes=[4],
            target_indices=[2, 0],
            n_trials=1,
        )
        .fit(coef)
        .effects_
    )
    assert effects.target.tolist() == [2, 2, 0, 0]
    assert effects.heuristic.tolist() == ["dense", "sparse"] * 2
    removed = effects.removed.dense()
    for target, mask, predicted in zip(
        effects.target, removed, effects.predicted, strict=True
    ):
        best = np.argsort(-baseline[target])[:4]
        assert set(np.flatnonzero(mask)) == set(best)
        assert predicted == pytest.approx(-coef[target][best].sum())


def test_sets_do_not_depend_on_what_else_is_asked_for(oracle):
    evaluation = CounterfactualEvaluation(
        make_trainer(), heuristics=["random"], sizes=[4], n_trials=1, random_state=3
    )
    alone = evaluation.fit(oracle[1]).effects_
    more = evaluation.set_params(
        heuristics=["top", "random"], sizes=[2, 4], target_indices=[1, 3]
    )
    more = more.fit(oracle[1]).effects_
    rows = (more.heuristic == "random") & (more.size == 4)
    assert_array_equal(more.removed.dense()[rows], alone.removed.dense()[[1, 3]])
    other = evaluation.set_params(random_state=4).fit(oracle[1]).effects_
    assert (other.removed.dense() != more.removed.dense()).any()


N_CALLS = 0  # a store does not look at what a learner assigns to


def counting(train_indices, seed):
    global N_CALLS
    N_CALLS += 1
    return smoother(train_indices, seed)


def test_sets_that_coincide_are_trained_once_and_the_store_is_used(tmp_path):
    before = N_CALLS
    same = np.tile(KERNEL[:1], (N_TARGETS, 1))
    evaluation = CounterfactualEvaluation(
        make_trainer(counting, store=tmp_path),
        heuristics=["top"],
        baselines={"again": same},
        sizes=[1, 2],
        n_trials=3,
        n_control_trials=5,
    ).fit(same)
    assert len(evaluation.effects_) == 16
    assert N_CALLS - before == 2 * 3 + 5
    assert not hasattr(evaluation.trainer, "entropy_")  # a clone was fitted
    again = evaluation.fit(same).effects_
    assert N_CALLS - before == 2 * 3 + 5
    assert_array_equal(again.true, evaluation.effects_.true)


def test_subsets_as_control_pair_each_subset_with_its_edit(oracle):
    table, coef = oracle
    effects = (
        CounterfactualEvaluation(
            make_trainer(alpha=0.6),
            control="subsets",
            sizes=[2],
            n_trials=400,
            random_state=0,
        )
        .fit(coef)
        .effects_
    )
    bases = ALL[ALL.sum(axis=1) == 6]  # all 210 of them
    removed = effects.removed.dense()
    for row, (target, mask) in enumerate(zip(effects.target, removed, strict=True)):
        changes = [
            table[(base & ~mask).tobytes()][target] - table[base.tobytes()][target]
            for base in bases
        ]
        assert abs(effects.true[row] - np.mean(changes)) < 5 * effects.error[row]
        assert effects.predicted[row] == pytest.approx(
            -0.6 * coef[target][mask].sum(), rel=0.25, abs=0.01
        )


def test_subsets_as_control_are_exact_where_the_learner_is_additive():
    evaluation = CounterfactualEvaluation(
        make_trainer(additive), control="subsets", n_trials=3, sizes=[3], random_state=0
    ).fit(KERNEL)
    effects = evaluation.effects_
    assert_allclose(effects.true, effects.predicted, atol=1e-6)
    assert evaluation.correlations_["all"].pearson == pytest.approx(1)
    assert evaluation.correlations_["all"].spearman == pytest.approx(1)


def test_each_subset_is_paired_with_its_own_edit(oracle):
    table, _ = oracle
    bases, removed = ALL[[341, 682, 1000, 77]], ALL[[3, 96, 3]]
    mean, error, base = effects_on_subsets(Edits(make_trainer()), removed, None, bases)
    expected = np.mean([table[mask.tobytes()] for mask in bases], axis=0)
    assert_allclose(base, expected, atol=1e-6)
    for row, mask in enumerate(removed):
        changes = [
            table[(base & ~mask).tobytes()] - table[base.tobytes()] for base in bases
        ]
        assert_allclose(mean[row], np.mean(changes, axis=0), atol=1e-6)
        expected = np.std(changes, axis=0, ddof=1) / 2
        assert_allclose(error[row], expected, atol=1e-6)


def test_standard_errors_are_those_of_the_noise():
    evaluation = CounterfactualEvaluation(
        make_trainer(noisy), sizes=[2], n_trials=50, n_control_trials=30
    ).fit(KERNEL)
    effects = evaluation.effects_
    expected = np.sqrt(1 / 50 + 1 / 30)
    assert_allclose(effects.error, expected, rtol=0.35)
    z = (effects.true - effects.predicted) / effects.error
    assert abs(z).max() < 4.5
    one = evaluation.set_params(n_trials=1).fit(KERNEL).effects_
    assert np.isnan(one.error).all()


def test_correlations_by_heuristic_are_those_of_their_rows(oracle):
    _, coef = oracle
    evaluation = CounterfactualEvaluation(
        make_trainer(), sizes=[1, 2, 4], n_trials=1, n_control_trials=1, random_state=0
    ).fit(coef)
    effects, found = evaluation.effects_, evaluation.correlations_
    assert list(found) == ["all", "top", "bottom", "random"]
    rows = effects.heuristic == "random"
    predicted, true = effects.predicted[rows], effects.true[rows]
    assert found["random"].pearson == pytest.approx(np.corrcoef(predicted, true)[0, 1])
    ranks = [values.argsort().argsort() for values in (predicted, true)]
    assert found["random"].spearman == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert found["all"].n == len(effects) == 3 * found["random"].n


def test_frame_has_a_row_for_each_effect(oracle):
    pytest.importorskip("pandas")
    evaluation = CounterfactualEvaluation(make_trainer(), sizes=[1], n_trials=1)
    effects = evaluation.fit(oracle[1]).effects_
    frame = effects.to_frame()
    assert frame.shape == (12, 8)
    assert_array_equal(frame["true"], effects.true)
    names = evaluation.trainer.targets.ids.tolist()
    assert frame["target_id"].tolist() == [names[j] for j in effects.target]


def fails_without_three(train_indices, seed):
    if 3 not in train_indices:
        raise ArithmeticError("no three")
    return smoother(train_indices, seed)


def test_failed_trainings_follow_the_rule_of_the_trainer():
    weights = np.tile(np.arange(10.0), (N_TARGETS, 1))
    trainer = make_trainer(fails_without_three, on_failure="nan")
    evaluation = CounterfactualEvaluation(
        trainer, heuristics=["top"], sizes=[2, 7], n_trials=2, n_control_trials=2
    )
    with pytest.warns(RuntimeWarning, match="2 of 4 runs failed"):
        effects = evaluation.fit(weights).effects_
    assert_array_equal(np.isnan(effects.true), effects.size == 7)
    assert evaluation.correlations_["all"].n == N_TARGETS
    evaluation.set_params(trainer__on_failure="raise")
    with pytest.raises(RuntimeError, match="no three"):
        evaluation.fit(weights)


# Classes


X = np.r_[rng.normal(size=(6, 2)), rng.normal(size=(6, 2)) + 1.5]
Y = np.array(["a"] * 6 + ["b"] * 6)
LABELLED, NEW = Examples(X, Y), Examples([[0.2, 0.1], [1.0, 1.4]], ["a", "b"])


def test_mislabelling_trains_on_wrong_labels():
    trainer = SubsetTrainer(RidgeClassifier(), LABELLED, NEW, random_state=0)
    weights = rng.normal(size=(2, 12))
    evaluation = CounterfactualEvaluation(
        trainer, edit="mislabel", sizes=[1, 3], n_trials=1
    ).fit(weights)
    effects = evaluation.effects_
    assert evaluation.wrong_class_.tolist() == ["b", "a"]

    def margin(y, target):
        score = RidgeClassifier().fit(X, y).decision_function(NEW.X[[target]])[0]
        return abs(score) * (1 if (score > 0) == (NEW.y[target] == "b") else -1)

    for target, mask, true in zip(
        effects.target, effects.removed.dense(), effects.true, strict=True
    ):
        y = np.where(mask, evaluation.wrong_class_[target], Y)
        change = margin(y, target) - margin(Y, target)
        assert true == pytest.approx(change, abs=1e-5)


def test_networks_can_be_trained_on_wrong_labels():
    torch = pytest.importorskip("torch")
    learner = TorchLearner(partial(torch.nn.Linear, 2, 2), epochs=20, batch_size=4)
    trainer = SubsetTrainer(learner, LABELLED, NEW, random_state=0)
    weights = NEW.y[:, None] == Y
    evaluation = CounterfactualEvaluation(
        trainer, heuristics=["top"], edit="mislabel", sizes=[5], n_trials=3
    ).fit(weights)
    assert evaluation.wrong_class_.tolist() == ["b", "a"]
    assert (evaluation.effects_.true < 0).all()


def test_relabelled_subsets_hold_their_own_examples_once():
    removed = rng.random((5, 12)) < 0.4
    labels = np.array(["a", "b", "b", "a", "a"])
    trainer = SubsetTrainer(RidgeClassifier(), LABELLED, NEW)
    edits = Edits(trainer, removed, labels)
    extended = edits.trainer.train
    base = rng.random(12) < 0.6
    for mask, gone, label in zip(
        edits.masks(removed, labels, base).dense(), removed, labels, strict=True
    ):
        held = sorted(zip(extended.X[mask, 0], extended.y[mask], strict=True))
        y = np.where(gone, label, Y)[base]
        assert held == sorted(zip(X[base, 0], y, strict=True))


def test_a_whole_class_may_go():
    weights = np.array([[1.0] * 6 + [0.0] * 6] * 2)
    trainer = SubsetTrainer(LogisticRegression(), LABELLED, NEW, output="confidence")
    with pytest.raises(RuntimeError, match="class"):
        CounterfactualEvaluation(trainer, heuristics=["top"], sizes=[6]).fit(weights)
    trainer = SubsetTrainer(KNeighborsClassifier(1), LABELLED, NEW, output="confidence")
    effects = (
        CounterfactualEvaluation(trainer, heuristics=["top"], sizes=[6], n_trials=1)
        .fit(weights)
        .effects_
    )
    assert effects.true == pytest.approx([-1, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sizes": [0]}, "sizes must be"),
        ({"sizes": [N_TRAIN]}, "sizes must be"),
        ({"sizes": [1.0]}, "sizes must be"),
        ({"sizes": [-0.1]}, "sizes must be"),
        ({"sizes": []}, "sizes must be"),
        ({"heuristics": ["best"]}, r"got \['best'\]"),
        ({"heuristics": []}, "are both empty"),
        ({"baselines": {"top": KERNEL}}, "cannot be named 'top'"),
        ({"baselines": {"near": KERNEL.T}}, "'near' has shape"),
        ({"baselines": {"near": np.full_like(KERNEL, np.nan)}}, "NaN"),
        ({"target_indices": [N_TARGETS]}, "target_indices must be"),
        ({"target_indices": [0, 0]}, "target_indices must be"),
        ({"edit": "mislabel"}, "needs a trainer of a classifier"),
        ({"n_trials": 0}, "n_trials"),
    ],
)
def test_bad_input_is_refused_before_training(params, message):
    before = N_CALLS
    evaluation = CounterfactualEvaluation(make_trainer(counting), **params)
    with pytest.raises(ValueError, match=message):
        evaluation.fit(KERNEL)
    assert before == N_CALLS


@pytest.mark.parametrize(
    ("weights", "message"),
    [(KERNEL.T, "attribution matrix"), (KERNEL * np.nan, "NaN")],
)
def test_bad_weights_are_refused_before_training(weights, message):
    before = N_CALLS
    with pytest.raises(ValueError, match=message):
        CounterfactualEvaluation(make_trainer(counting)).fit(weights)
    assert before == N_CALLS


def test_weights_of_other_targets_are_refused():
    runs = make_trainer().fit_transform(np.arange(20))
    evaluation = CounterfactualEvaluation(make_trainer(), sizes=[1], n_trials=1)
    slices = {f"slice {k}": [k, 0] for k in range(1, N_TARGETS)} | {"all": [0, 1]}
    assert len(slices) == N_TARGETS  # so that the shape does not tell
    model = DifferenceOfMeans().fit(aggregate_targets(runs, slices))
    with pytest.raises(ValueError, match=r"'slice 1', .* not of aggregated ones"):
        evaluation.fit(model)
    unnamed = TrainingRuns(runs.masks, runs.outputs)
    for known in (runs, unnamed):
        evaluation.fit(DifferenceOfMeans().fit(known))


def test_flips_are_outputs_that_cross_zero(oracle):
    table, coef = oracle
    shift = table[ALL[-1].tobytes()] - [0.05, 0.3, 0.1, -0.1]  # the last is wrong

    def shifted(train_indices, seed):
        return smoother(train_indices, seed) - shift

    evaluation = CounterfactualEvaluation(
        make_trainer(shifted, alpha=0.9),
        sizes=[1, 3],
        n_trials=2,
        n_control_trials=1,
        random_state=0,
    )
    effects = evaluation.fit(coef).effects_
    assert_allclose(effects.base, np.array([0.05, 0.3, 0.1, -0.1])[effects.target])
    flipped = effects.flipped()
    for row, mask in enumerate(effects.removed.dense()):
        target = effects.target[row]
        after = table[(ALL[-1] & ~mask).tobytes()][target] - shift[target]
        expected = np.nan if target == 3 else float(after < 0)
        assert_array_equal(flipped[row], expected)
    assert set(flipped[effects.target < 3]) == {0, 1}
    evaluation.set_params(control="subsets", n_trials=300)
    effects = evaluation.fit(coef).effects_
    nine = np.mean([table[m.tobytes()] for m in ALL[ALL.sum(axis=1) == 9]], axis=0)
    assert_allclose(effects.base, (nine - shift)[effects.target], atol=0.02)
    with pytest.raises(ValueError, match="outputs without removal are not known"):
        replace(effects, base=None).flipped()
